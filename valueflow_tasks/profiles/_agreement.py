"""How near a model comes to the profile that it was asked to answer as."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.stats import spearmanr
from valueflow_scorers._curves import Curve, bootstrap_counts
from valueflow_scorers._measure import Measured
from valueflow_scorers._records import FloatArray
from valueflow_scorers.metrics import Metric, _scored, profile_metrics

from ._leak import is_leaked, tells_sources
from ._record import ValueProfile
from ._saved import load_profile

if TYPE_CHECKING:
    from ..settings import Settings

AGREEMENT = "profile_agreement"
_FEWEST = 3


def answered_profile_metrics(measured: Sequence[Measured], settings: Settings) -> dict[str, Metric]:
    """Metrics of answers that were all given in the same way.

    Args:
        measured: All unsteered, or all steered by the settings' value profile.
        settings: Of the task.

    Returns:
        Those of `profile_metrics`, and under a value profile also AGREEMENT.
    """
    # Whatever steered them, they are the one set of answers that is described.
    plain = [replace(one, target=None, level=0.0, targets={}) for one in measured]
    found = profile_metrics(plain, settings.values)
    if settings.value_profile:
        metric = agreement(plain, load_profile(settings.value_profile))
        found |= {} if metric is None else {AGREEMENT: metric}
    return found


def agreement(measured: Sequence[Measured], profile: ValueProfile) -> Metric | None:
    """Spearman correlation over values between a profile and the means of the answers' cells.

    Args:
        measured: Answers.
        profile: What they were to express.

    Returns:
        The correlation; its standard error is that of a bootstrap over queries in which each
        replicate's means also err as the ruler's labels and the measurements do. None with fewer
        than three values in common, or without any spread.
    """
    tables = {value: _scored(measured, value, None) for value in profile.scores}
    known = {value: table for value, table in tables.items() if table}
    if len(known) < _FEWEST:
        return None
    counts = bootstrap_counts(one.query_id for one in measured)
    curves = {value: Curve(table, counts) for value, table in known.items()}
    asked = np.array([profile.scores[value].intensity for value in curves])
    here = _spearman(asked, np.array([curve.point[0] for curve in curves.values()]))
    if not np.isfinite(here):
        return None
    rng = np.random.default_rng(0)
    drawn = np.stack([_drawn(curve, rng) for curve in curves.values()], axis=1)
    found = np.array([_spearman(asked, means) for means in drawn])
    error = float(np.nanstd(found)) if np.isfinite(found).any() else None
    return Metric(here, error, max(curve.queries for curve in curves.values()), (-1.0, 1.0))


def _drawn(curve: Curve, rng: np.random.Generator) -> FloatArray:
    """Means of a value as they might have come out, points, [replicates]."""
    point, drawn, n = curve.point[0], curve.replicates[:, 0], curve.queries
    # The bootstrap's variance is short by (n - 1) / n, and zero for one query.
    drawn = point + (drawn - point) * np.sqrt(n / max(n - 1, 1))
    alone = np.ones(1)
    missing = max(curve.least_variance(alone) - float(np.var(drawn)), 0.0)
    sd = np.sqrt(curve.shared_variance(alone) + missing)
    return np.asarray(drawn + sd * rng.standard_normal(len(drawn)))


def _spearman(asked: FloatArray, told: FloatArray) -> float:
    if np.ptp(told) == 0 or np.ptp(asked) == 0:
        return float("nan")
    return float(spearmanr(asked, told).statistic)


def described(settings: Settings) -> Mapping[str, Any]:
    """What results say of the value profile that steered; nothing where none did.

    `value_profile_seen` is how many of the questions the profile was built from (None: it does not
    say): agreement on those is no prediction.
    """
    if not settings.value_profile:
        return {}
    profile = load_profile(settings.value_profile)
    asked = settings.query_set()
    seen = (
        sum(is_leaked(profile, one.id, one.text) for one in asked)
        if tells_sources(profile)
        else None
    )
    return {
        "value_profile": profile.name,
        "value_profile_fingerprint": profile.fingerprint,
        "value_profile_seen": seen,
    }
