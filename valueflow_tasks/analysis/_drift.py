"""Movement along an ordered series: checkpoints of one model, or doses of one vector."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.optimize import isotonic_regression
from valueflow_scorers import ValueFlowError
from valueflow_scorers._curves import Curve, bootstrap_counts, query_of
from valueflow_scorers._records import FloatArray

from ._compare import ALPHA, adjusted
from ._conditions import records
from ._runs import Runs
from ._statistics import Table, combined

if TYPE_CHECKING:
    import pandas as pd

SHARE = 0.95
"""Part of the whole movement that counts as having arrived."""


def drift(
    runs: Runs, steps: Mapping[str, float], *, mass: float = 0.9, share: float = SHARE
) -> pd.DataFrame:
    """How far unsteered intensities move between checkpoints, and when they have arrived.

    Args:
        runs: What was measured.
        steps: Training step (or any number that orders them) of each model's name; other models
            are left out.
        mass: Of the intervals.
        share: Part of the movement at which it counts as having arrived.

    Returns:
        One row per setting and value: `first`, `last` (steps), `drift` (points, last minus first,
        paired over queries) with `stderr`, `low`, `high`, `p`, `q` (adjusted), `drifts` (q < 0.05);
        and, where it drifts, `arrived` (the step at which `share` of it is reached along a
        monotone curve, between checkpoints by straight line) with `arrived_low`, `arrived_high`
        (bootstrap over queries); NaN elsewhere. `magnitude(table)` sums up.

    Raises:
        ValueFlowError: if fewer than two of the models were measured in one setting.
    """
    series: dict[tuple[str, str, str], dict[float, Any]] = {}
    for one in runs.unsteered:
        if one.model in steps:
            for value in one.values():
                row = one.scored(runs, value).get(0.0)
                if row:
                    key = (one.setting, one.judge, value)
                    series.setdefault(key, {})[float(steps[one.model])] = row
    rows = [
        {"setting": setting, "judge": judge, "value": value, **_movement(table, mass, share)}
        for (setting, judge, value), table in series.items()
        if len(table) > 1
    ]
    if not rows:
        raise ValueFlowError(
            f"fewer than two of {list(steps)} were measured unsteered in one setting: the models "
            f"are {sorted({run.model for run in runs.runs})}"
        )
    table = records(rows)
    table["q"] = adjusted(table["p"])
    table["drifts"] = table["q"] < ALPHA
    table.loc[~table["drifts"], ["arrived", "arrived_low", "arrived_high"]] = math.nan
    return table


def saturation(runs: Runs, *, mass: float = 0.9, share: float = SHARE) -> pd.DataFrame:
    """The dose at which steering has reached 95 % of what its strongest level does.

    Returns:
        One row per condition and `side` (`up`, `down`): `drift` (points, from level 0 to the
        strongest level) with `stderr`, `low`, `high`, `p`, `q`, `drifts`; and `arrived`, the size
        of the level, with `arrived_low`, `arrived_high`, where it drifts.
    """

    def rows() -> Iterator[dict[str, Any]]:
        for one in runs.conditions:
            if not one.target:
                continue
            table = one.scored(runs, one.target)
            for side, sign in (("up", 1), ("down", -1)):
                part = {abs(level): row for level, row in table.items() if sign * level >= 0}
                if len(part) > 1 and 0.0 in part:
                    yield {**one.key, "side": side, **_movement(part, mass, share)}

    table = records(rows())
    if len(table):
        table["q"] = adjusted(table["p"])
        table["drifts"] = table["q"] < ALPHA
        table.loc[~table["drifts"], ["arrived", "arrived_low", "arrived_high"]] = math.nan
    return table


def magnitude(table: Any) -> float:
    """Root mean square drift over values, points, with the part that errors explain taken off."""
    squares = np.asarray(table["drift"]) ** 2 - np.asarray(table["stderr"]) ** 2
    return math.sqrt(max(float(np.mean(squares)), 0.0))


def _movement(table: Table, mass: float, share: float) -> dict[str, Any]:
    places = sorted(table)
    answers = set.intersection(*(set(table[place]) for place in places))
    if not answers:
        return {"first": places[0], "last": places[-1], "n": 0, **dict.fromkeys(_EMPTY, math.nan)}
    common = {place: {one: table[place][one] for one in answers} for place in places}
    ends = {place: common[place] for place in (places[0], places[-1])}
    found = combined([ends], [lambda means: means[..., 1] - means[..., 0]])
    low, high = found.interval(mass)
    curve = Curve(common, bootstrap_counts([query_of(one) for one in answers]))
    arrivals = [arrival(places, means, share) for means in curve.replicates]
    tail = (1 - mass) / 2
    known = np.array([one for one in arrivals if not math.isnan(one)] or [math.nan])
    return {
        "first": places[0],
        "last": places[-1],
        "n": found.n,
        "drift": found.estimate,
        "stderr": found.stderr,
        "low": low,
        "high": high,
        "p": found.p_value,
        "arrived": arrival(places, curve.point, share),
        "arrived_low": float(np.quantile(known, tail)),
        "arrived_high": float(np.quantile(known, 1 - tail)),
    }


_EMPTY = ("drift", "stderr", "low", "high", "p", "arrived", "arrived_low", "arrived_high")


def arrival(places: Sequence[float], means: FloatArray, share: float = SHARE) -> float:
    """Where a series has made `share` of its way, along its monotone fit; NaN if it makes none.

    Args:
        places: Steps or doses, ascending.
        means: One per place.
        share: Part of the way from the first to the last.
    """
    rising = means[-1] >= means[0]
    fitted = np.asarray(isotonic_regression(means, increasing=bool(rising)).x)
    way = fitted[-1] - fitted[0]
    if way == 0:
        return math.nan
    done = (fitted - fitted[0]) / way
    after = int(np.argmax(done >= share - 1e-12))
    before = after - 1
    part = (share - done[before]) / (done[after] - done[before])
    return float(places[before] + part * (places[after] - places[before]))
