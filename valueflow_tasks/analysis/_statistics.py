"""Numbers of a condition, and differences between conditions, with paired errors.

All means of one value in one comparison are resampled with the same queries, and share the
errors of the ruler's labels, so that what is common to both sides cancels. The engine is that of
the metrics which the harnesses print.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import t as student
from valueflow_scorers import IntensityEstimate, ValueFlowError
from valueflow_scorers._curves import Curve, Draw, Function, bootstrap_counts, draw_cell, query_of
from valueflow_scorers._curves import statistic as drawn
from valueflow_scorers._errors import unknown
from valueflow_scorers._records import SCALE_END, FloatArray

from ._conditions import Condition
from ._runs import Runs


@dataclass(frozen=True)
class Number:
    """A statistic with its error."""

    estimate: float
    stderr: float
    """NaN where too few queries tell it."""
    n: int
    """Queries that entered."""

    @property
    def freedom(self) -> int:
        """Degrees of freedom of the error."""
        return max(self.n - 1, 1)

    @property
    def p_value(self) -> float:
        """Two-sided, of the number being zero, by Student's t; 1 where the error is unknown."""
        if math.isnan(self.stderr):
            return 1.0
        if not self.stderr:
            return 1.0 if self.estimate == 0 else 0.0
        return float(2 * student.sf(abs(self.estimate) / self.stderr, self.freedom))

    def interval(self, mass: float) -> tuple[float, float]:
        """Estimate ± t·stderr."""
        half = float(student.ppf(0.5 + mass / 2, self.freedom)) * self.stderr
        return self.estimate - half, self.estimate + half


STATISTICS = ("intensity", "gain", "shift_up", "shift_down", "share_up", "share_down",
              "steerability")  # fmt: skip
"""What can be compared: level-0 mean, points per level, points gained by the strongest level
upward and downward, the share of the room that this is, and the mean share."""

_UPWARD = ("shift_up", "share_up", "steerability")
_DOWNWARD = ("shift_down", "share_down", "steerability")


def statistic(name: str, levels: Sequence[float]) -> Function:
    """A statistic of means at levels.

    Raises:
        ValueFlowError: for an unknown name, or levels from which it cannot be computed.
    """
    if name not in STATISTICS:
        raise unknown("statistic", name, STATISTICS)
    ordered = sorted(levels)
    if 0.0 not in ordered or (name != "intensity" and len(ordered) < 2):
        raise ValueFlowError(f"{name} needs level 0 and a steered one; there is {ordered}")
    zero, low, high = ordered.index(0.0), 0, len(ordered) - 1
    if (name in _UPWARD and high == zero) or (name in _DOWNWARD and low == zero):
        raise ValueFlowError(f"{name} needs levels on its side of 0; there is {ordered}")

    def up(means: FloatArray) -> FloatArray:
        return means[..., high] - means[..., zero]

    def down(means: FloatArray) -> FloatArray:
        return means[..., zero] - means[..., low]

    def share_up(means: FloatArray) -> FloatArray:
        return np.clip(up(means) / np.maximum(SCALE_END - means[..., zero], 1.0), -1, 1)

    def share_down(means: FloatArray) -> FloatArray:
        return np.clip(down(means) / np.maximum(means[..., zero] + SCALE_END, 1.0), -1, 1)

    centred = np.array(ordered) - np.mean(ordered)
    functions: Mapping[str, Function] = {
        "intensity": lambda means: means[..., zero],
        "gain": lambda means: np.asarray(means @ centred / (centred @ centred)),
        "shift_up": up,
        "shift_down": down,
        "share_up": share_up,
        "share_down": share_down,
        "steerability": lambda means: (share_up(means) + share_down(means)) / 2,
    }
    return functions[name]


Table = Mapping[float, Mapping[Any, IntensityEstimate]]
"""Level -> place (or query, where each has one answer) -> estimate."""


def number(table: Table, name: str) -> Number:
    """A statistic of one condition on one value, over the queries that all its levels have."""
    return combined([_common(table, _shared_places([table]))], [statistic(name, list(table))])


def difference(a: Table, b: Table, name: str) -> Number:
    """Statistic of `b` minus that of `a`, both on one value, over the queries of both."""
    places = _shared_places([a, b])
    fa, fb = statistic(name, list(a)), statistic(name, list(b))
    return combined([_common(a, places), _common(b, places)], [lambda means: -fa(means), fb])


def independent(a: Number, b: Number) -> Number:
    """Difference of two numbers whose rulers differ; their queries may be the same."""
    return Number(b.estimate - a.estimate, math.hypot(a.stderr, b.stderr), min(a.n, b.n))


def combined(tables: Sequence[Table], functions: Sequence[Function]) -> Number:
    """Sum over tables of a function of each one's means.

    Args:
        tables: All of one value, panel and profile.
        functions: One per table.

    Raises:
        ValueFlowError: if there is no common query.
    """
    return Joint(tables).number(functions)


class Joint:
    """Means of tables of one value, resampled once with the same queries for many numbers."""

    def __init__(self, tables: Sequence[Table], draw: Draw = draw_cell) -> None:
        """Resample.

        Args:
            tables: All of one value, panel and profile.
            draw: How a cell is drawn.

        Raises:
            ValueFlowError: if there is no common query.
        """
        joint = {
            (place, level): row
            for place, table in enumerate(tables)
            for level, row in table.items()
        }
        if not joint or not all(joint.values()):
            raise ValueFlowError("no query was scored at every level of what is compared")
        counts = bootstrap_counts(query_of(place) for row in joint.values() for place in row)
        self._curve = Curve(joint, counts, draw)  # type: ignore[arg-type]  # any keys that can be sorted
        self._bounds = np.cumsum([0, *(len(table) for table in tables)])

    def number(self, functions: Sequence[Function]) -> Number:
        """Sum over tables of a function of each one's means; one function per table."""
        bounds = self._bounds

        def whole(means: FloatArray) -> FloatArray:
            parts = [
                function(means[..., start:end])
                for function, start, end in zip(functions, bounds, bounds[1:], strict=False)
            ]
            return np.asarray(np.sum(parts, axis=0))

        metric = drawn(self._curve, whole).metric("")
        stderr = math.nan if metric.stderr is None else metric.stderr
        return Number(metric.value, stderr, metric.n)


def shared(tables: Sequence[Table]) -> list[Table]:
    """The tables over the queries that every level of all of them has."""
    places = _shared_places(tables)
    return [_common(table, places) for table in tables]


def _shared_places(tables: Sequence[Table]) -> set[Any]:
    sets = [set(row) for table in tables for row in table.values()]
    return set.intersection(*sets) if sets else set()


def _common(table: Table, places: set[Any]) -> Table:
    # Sorted as the metrics' are, so that both draw the same cells.
    ordered = sorted(places)
    return {level: {place: row[place] for place in ordered} for level, row in table.items()}


def table_of(runs: Runs, condition: Condition, value: str | None = None) -> Table:
    """A condition's estimates on its target, or on another value."""
    return condition.scored(runs, value or condition.target)
