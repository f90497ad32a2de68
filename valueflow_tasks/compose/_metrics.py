"""What comes of several targets at once.

For a set of targets, `single` is the shift (from unsteered answers) that one target by itself
causes, `measured` the shift that the whole set causes; both on the value of one of its targets. A
*point* is a set and one of its targets.

* `additivity`: slope of the measured shift on the sum of the single shifts, over all points,
  through the origin; 1 if shifts add up. `additivity_r2`: the share of the measured shifts'
  square that this line explains. Both are taken from moments from which the error of the means is
  subtracted, since errors of the regressor would flatten the slope.
* Over sets with one strongest target (by level): `dominance`, the share of the measured shifts
  (in the directions asked) that lies on the strongest target; 1/n if none dominates, 1 if it
  takes all. `retained_strongest` and `retained_others`: slopes of the measured shift on the
  target's own single shift, in the same way.
* `sign_agreement`: share of queries and targets whose answers move as asked from the unsteered
  one; ties count half. `all_met`: probability that an answer stands at least a point on the asked
  side of neutral for *every* target of its set, a product of normal probabilities; the mean over
  queries and sets.

Comparisons are paired: a point rests on the queries that are scored unsteered, under its set, and
under each target of the set by itself.

Errors: paired bootstrap over queries, and the errors of the rulers' labels to first order.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from scipy.stats import chi2
from valueflow_scorers._curves import bootstrap_counts
from valueflow_scorers._measure import Measured
from valueflow_scorers._records import FloatArray
from valueflow_scorers.metrics import Metric, _share_metrics

from ._per_query import per_query
from ._sets import KINDS, kind_of
from ._shifts import EXPECTED, MEASURED, SINGLE, Shifts, Shown

SET_METRICS = (
    "additivity",
    "additivity_r2",
    "dominance",
    "retained_strongest",
    "retained_others",
    "sign_agreement",
    "all_met",
)
_CLEAR = 2.0
"""Errors by which a denominator must be clear of zero."""
_CHANCE = 0.01
"""How often shifts that are nothing but error may be taken for shifts."""


def composition_metrics(measured: Sequence[Measured]) -> dict[str, Metric]:
    """Metrics of answers that were steered toward several targets.

    Args:
        measured: Unsteered answers, those of every target by itself, and those of the sets.

    Returns:
        The numbers of the module's text, over all sets, and as `similar/…` and `conflicting/…`
        where sets of both kinds were measured; `refusal` and `unscored`. What cannot be computed
        (nothing moved, no strongest target) is left out.
    """
    if not measured:
        return {}
    counts = bootstrap_counts(one.query_id for one in measured)
    found = _of_sets(measured, counts)
    by_kind = {
        kind: [one for one in measured if not one.targets or kind_of(one.targets) == kind]
        for kind in KINDS
    }
    if all(any(one.targets for one in own) for own in by_kind.values()):
        for kind, own in by_kind.items():
            named = _of_sets(own, counts)
            found |= {f"{kind}/{name}": metric for name, metric in named.items()}
    values = sorted({value for one in measured for value in one.estimates})
    return found | _share_metrics(measured, values)


def _of_sets(measured: Sequence[Measured], counts: Mapping[str, FloatArray]) -> dict[str, Metric]:
    shifts = Shifts(measured, counts)
    if not shifts.points:
        return {}
    everywhere = np.ones(len(shifts.points), dtype=bool)
    first = np.array([point.strongest is True for point in shifts.points])
    others = np.array([point.strongest is False for point in shifts.points])
    signs = np.array([point.sign for point in shifts.points])

    asked = first | others
    whole = shifts.metric("", lambda now, _: float((signs * now[MEASURED])[asked].sum()))
    moved = whole is not None and abs(whole.value) > _CLEAR * (whole.stderr or 0.0)

    def dominance(now: Shown, _: float) -> float:
        along = signs * now[MEASURED]
        return float(along[first].sum() / along[asked].sum()) if moved else math.nan

    functions: dict[str, Callable[[Shown, float], float]] = {
        "additivity": _Slope(shifts, EXPECTED, everywhere),
        "additivity_r2": _Explained(shifts, EXPECTED, everywhere),
        "dominance": dominance,
        "retained_strongest": _Slope(shifts, SINGLE, first),
        "retained_others": _Slope(shifts, SINGLE, others),
    }
    found = {name: shifts.metric(name, function) for name, function in functions.items()}
    by_query = per_query(shifts)
    return {name: one for name, one in {**found, **by_query}.items() if one is not None}


class _Slope:
    """Slope of measured shifts on others, through the origin, freed of the means' own error."""

    def __init__(self, shifts: Shifts, regressor: int, chosen: FloatArray) -> None:
        self.regressor, self.chosen = regressor, chosen
        self.error_xx = float(shifts.covariance(regressor, regressor)[chosen].sum())
        self.error_xy = float(shifts.covariance(regressor, MEASURED)[chosen].sum())
        self.error_yy = float(shifts.covariance(MEASURED, MEASURED)[chosen].sum())
        # A sum of n squared errors is chi-square; their own mean is taken off. Of many points a
        # sum that cannot be chance may still be too small to divide by.
        n = max(1, int(chosen.sum()))
        self.least = max(_CLEAR, float(chi2.ppf(1 - _CHANCE, n)) / n - 1) * self.error_xx

    def moments(self, now: Shown, times: float) -> tuple[float, float, float]:
        """Sums of squares and products, their errors' part taken off."""
        x, y = now[self.regressor][self.chosen], now[MEASURED][self.chosen]
        return (
            float(x @ x) - times * self.error_xx,
            float(x @ y) - times * self.error_xy,
            float(y @ y) - times * self.error_yy,
        )

    def __call__(self, now: Shown, times: float) -> float:
        xx, xy, _ = self.moments(now, times)
        # Where shifts are no larger than their errors there is nothing to add up.
        return xy / xx if self.chosen.any() and xx > self.least else math.nan


class _Explained(_Slope):
    """Share of the measured shifts' square that the line explains."""

    def __call__(self, now: Shown, times: float) -> float:
        xx, xy, yy = self.moments(now, times)
        if not (xx > self.least and yy > self.error_yy):
            return math.nan
        return min(max(xy * xy / (xx * yy), 0.0), 1.0)
