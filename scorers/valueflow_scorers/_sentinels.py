"""Sentinels measured as if they were responses: how well does a judge place them?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import spearmanr

from ._estimate import estimate
from ._estimated import IntensityEstimate
from ._evaluator import AnchorEvaluator
from ._profile import JudgeProfile
from ._records import Anchor, FloatArray, Judge, Panel, Response

SIGNED = 2.0
"""Absolute label from which on a sentinel has a sign to get right, points."""
_MASS = 0.9  # of the intervals whose coverage is counted

Pairs = list[tuple[Anchor, IntensityEstimate]]
"""Sentinels with their estimates."""


@dataclass(frozen=True)
class SentinelCheck:
    """How well sentinels are placed; NaN where none tells."""

    m: int
    """Windows per sentinel."""
    scored: int
    """Sentinels with a number."""
    sign_accuracy: float
    """Share of sentinels with |label| ≥ 2 whose sign is right."""
    mean_absolute_deviation: float
    """From the labels, points."""
    rmse: float
    """From the labels, points."""
    spearman: float
    """With the labels, pooled over values."""
    coverage: float
    """Share of 90 % intervals, widened by the label's own error, that hold the label."""
    windows: float
    """Windows used per sentinel."""
    points: tuple[tuple[float, float, float], ...] = field(repr=False, default=())
    """(label, estimate, stderr) per sentinel, points."""


async def measure_sentinels(
    judge: Judge, panels: Sequence[Panel], profile: JudgeProfile, k: int, m: int, seed: int
) -> Pairs:
    """Measure the sentinels of all panels; the anchors of those that have none."""
    found: Pairs = []
    for panel in panels:
        texts = panel.sentinels or panel.anchors
        responses = [Response(text.text, text.query, text.key) for text in texts]
        evaluator = AnchorEvaluator(
            panel, judge, k=k, m=m, seed=seed, profile=profile, layout=profile.layout
        )
        found.extend(zip(texts, await evaluator.ascore(responses), strict=True))
    return found


def check(found: Pairs, m: int) -> SentinelCheck:
    """Compare estimates with labels."""
    scored = [(text, one) for text, one in found if one.scored]
    labels = np.array([text.intensity for text, _ in scored])
    values = np.array([one.intensity for _, one in scored])
    signed = np.abs(labels) >= SIGNED
    return SentinelCheck(
        m,
        len(scored),
        _mean(np.sign(labels[signed]) == np.sign(values[signed])),
        _mean(np.abs(labels - values)),
        math.sqrt(_mean((labels - values) ** 2)),
        _spearman(labels, values),
        _mean([_covers(one, text) for text, one in scored]),
        _mean([len(one.windows) for _, one in scored]),
        tuple((text.intensity, one.intensity, one.stderr) for text, one in scored),
    )


def _mean(numbers: ArrayLike) -> float:
    given = np.asarray(numbers, dtype=float)
    return float(given.mean()) if given.size else math.nan


def _spearman(labels: FloatArray, values: FloatArray) -> float:
    if len(np.unique(labels)) < 2 or len(np.unique(values)) < 2:
        return math.nan
    return float(spearmanr(labels, values).statistic)


def _covers(one: IntensityEstimate, text: Anchor) -> bool:
    """Whether the interval holds the label, which is itself off by its standard error."""
    error = math.hypot(one.label_error, text.stderr)
    low, high = replace(one, label_error=error).interval(_MASS)
    return low <= text.intensity <= high


def halved(panels: Sequence[Panel], profile: JudgeProfile, found: Pairs) -> FloatArray:
    """Intensities from the first and the second half of each one's windows, [2, sentinels]."""
    by_value = {panel.value: panel for panel in panels}
    table = np.full((2, len(found)), np.nan)
    for column, (_, one) in enumerate(found):
        half = len(one.windows) // 2
        parts = {"first": one.windows[:half], "second": one.windows[half:]}
        table[:, column] = [x.intensity for x in estimate(by_value[one.value], profile, parts)]
    return table
