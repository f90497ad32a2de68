"""How far apart two profiles are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import chi2
from valueflow_scorers import ValueFlowError

from ._record import ValueProfile
from ._shrink import population

_DRAWS = 4000


@dataclass(frozen=True)
class Distance:
    """Root mean square difference over the values that both profiles have."""

    value: float
    """Points."""
    low: float
    """Lower end of the 90 % interval; 0 unless the means differ by more than their errors."""
    high: float
    """Upper end."""
    values: int
    """How many values enter."""

    def to_dict(self) -> dict[str, Any]:
        """JSON-serialisable content."""
        return {"value": self.value, "low": self.low, "high": self.high, "values": self.values}


def distance(
    first: ValueProfile, second: ValueProfile, values: Sequence[str] | None = None
) -> Distance:
    """Root mean square difference between two profiles.

    The squared difference of two noisy means is too large by their errors. So the true
    differences are estimated first, as members of a population around 0 (see `_shrink`), and the
    distance is that of their joint draws. Errors count as independent; those of the ruler's
    labels, which the two share, are then counted too high rather than too low. No draw is exactly
    0, so whether the two may be the same is a question of its own: the interval begins at 0 where
    a chi-square test of no difference does not reject at 5 %.

    Args:
        first: A profile.
        second: Another.
        values: The values that enter; None: all that both have.

    Raises:
        ValueFlowError: if they share no value, or were measured by different judges.
    """
    _check_judges(first, second)
    shared = [
        value
        for value in first.scores
        if value in second.scores and (values is None or value in values)
    ]
    if not shared:
        raise ValueFlowError(
            f"profiles {first.name!r} and {second.name!r} share no value: there is no distance"
        )
    raw = np.array([[first.scores[v].raw, second.scores[v].raw] for v in shared])
    errors = np.hypot(raw[:, 0, 1], raw[:, 1, 1])
    gaps = raw[:, 0, 0] - raw[:, 1, 0]
    found = population(gaps, errors, around_zero=True)
    drawn = found.draw(_DRAWS, np.random.default_rng(0))
    sizes = np.sqrt((drawn**2).mean(axis=1))
    low, high = np.quantile(sizes, [0.05, 0.95])
    surprise = float(((gaps / np.maximum(errors, 1e-6)) ** 2).sum())
    apart = chi2.sf(surprise, len(shared)) < 0.05
    return Distance(float(sizes.mean()), float(low) if apart else 0.0, float(high), len(shared))


def _check_judges(first: ValueProfile, second: ValueProfile) -> None:
    judges = [
        one.built_from.measured_by
        for one in (first, second)
        if one.built_from is not None and one.built_from.judge is not None
    ]
    if len(set(judges)) > 1:
        raise ValueFlowError(
            f"profiles {first.name!r} and {second.name!r} were measured by different judges "
            f"({judges[0][0]} and {judges[1][0]}, or other profiles of one): measure both alike"
        )
