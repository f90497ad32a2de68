"""Shifts of targets alone and in company, with their errors (see `_metrics` for the words)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from valueflow_scorers import IntensityEstimate
from valueflow_scorers._curves import Curve, Metric, Place, places
from valueflow_scorers._measure import Measured, arm_id
from valueflow_scorers._records import FloatArray

_FREE = (-math.inf, math.inf)
BOUNDS = {"additivity_r2": (0.0, 1.0), "sign_agreement": (0.0, 1.0), "all_met": (0.0, 1.0)}
"""What metrics can be at least and at most."""
MEASURED, EXPECTED, SINGLE = range(3)
"""Places of the three kinds of shift."""

Shown = tuple[FloatArray, ...]
"""Measured, expected and single shifts, each [points]."""

Table = dict[str, dict[Place, IntensityEstimate]]
"""Arm -> answer -> estimate, of one value."""


@dataclass(frozen=True)
class Point:
    """One target of one set, as places in the value's means."""

    targets: Mapping[str, float]
    """The whole set."""
    value: str
    """The target."""
    answers: frozenset[Place]
    """Those scored unsteered, under the set, and under each of its targets by itself."""

    @property
    def cells(self) -> tuple[str, frozenset[Place]]:
        """Points of a value that rest on the same answers share their means."""
        return self.value, self.answers

    @property
    def sign(self) -> float:
        """Direction asked."""
        return math.copysign(1.0, self.targets[self.value])

    @property
    def strongest(self) -> bool | None:
        """Whether it is the set's one strongest target; None where several are as strong."""
        sizes = sorted((abs(level) for level in self.targets.values()), reverse=True)
        if sizes[0] == sizes[1]:
            return None
        return abs(self.targets[self.value]) == sizes[0]


class Shifts:
    """Shifts of all points with their bootstrap replicates and error covariances.

    They are paired: all means of a point are of the same answers, so that a refusal in one arm
    takes its query out of the others.
    """

    def __init__(self, measured: Sequence[Measured], counts: Mapping[str, FloatArray]) -> None:
        self.tables = _tables(measured)
        sets = {arm_id(one.targets): one.targets for one in measured if one.targets}
        self.points = [
            Point(targets, value, answers)
            for targets in sets.values()
            for value in targets
            if (answers := _paired(self.tables.get(value, {}), targets))
        ]
        arms: dict[tuple[str, frozenset[Place]], set[str]] = {}
        for point in self.points:
            arms.setdefault(point.cells, set()).update(_arms(point.targets))
        # Sorted arms are the order of a curve's means.
        self.curves = {
            (value, answers): Curve(_kept(self.tables[value], named, answers), counts)  # type: ignore[arg-type]
            for (value, answers), named in arms.items()
        }
        self.n = max((curve.queries for curve in self.curves.values()), default=0)
        # What each number is of the means of its value: measured, sum of singles, own single.
        kinds = [
            [self._weights(point, kind) for point in self.points]
            for kind in ("measured", "expected", "single")
        ]
        self.measured, self.expected, self.single = (self._number(weights) for weights in kinds)
        self._of = kinds

    def _weights(self, point: Point, kind: str) -> FloatArray:
        arms: list[Any] = list(self.curves[point.cells].levels)  # names here
        weights = np.zeros(len(arms))
        if kind == "measured":
            named = [arm_id(point.targets)]
        elif kind == "expected":
            named = [arm_id({value: level}) for value, level in point.targets.items()]
        else:
            named = [arm_id({point.value: point.targets[point.value]})]
        for name in named:
            weights[arms.index(name)] += 1.0
            weights[arms.index("0")] -= 1.0
        return weights

    def _number(self, weights: list[FloatArray]) -> tuple[FloatArray, FloatArray]:
        """Its value [points] and its replicates [replicates, points]."""
        curves = [self.curves[point.cells] for point in self.points]
        point = np.array([w @ c.point for w, c in zip(weights, curves, strict=True)])
        replicates = [c.replicates @ w for w, c in zip(weights, curves, strict=True)]
        return point, np.stack(replicates, axis=1) if replicates else np.empty((0, 0))

    def covariance(self, a: int, b: int) -> FloatArray:
        """Error covariance of two kinds of number at each point, points², [points]."""
        return np.array(
            [
                self._error(self.curves[point.cells], self._of[a][place], self._of[b][place])
                for place, point in enumerate(self.points)
            ]
        )

    def _error(self, curve: Curve, a: FloatArray, b: FloatArray) -> float:
        n = curve.queries
        drawn = np.cov(curve.replicates @ a, curve.replicates @ b)[0, 1] * n / max(n - 1, 1)
        floor = curve.least_covariance(a, b)
        shared = _gradient(curve, a) @ _label_covariance(curve) @ _gradient(curve, b)
        return float(max(drawn, floor) + shared)

    def metric(self, name: str, function: Callable[[Shown, float], float]) -> Metric | None:
        """A number of (measured, expected, single) at all points, with its error.

        Args:
            name: Of the metric.
            function: Takes the three, each [points], and how often their own error is in them: once
                in the means, twice in a bootstrap replicate.
        """
        here = (self.measured, self.expected, self.single)
        now = tuple(one[0] for one in here)
        value = function(now, 1.0)
        if not math.isfinite(value):
            return None
        replicates = np.array(
            [function(tuple(one[1][i] for one in here), 2.0) for i in range(len(here[0][1]))]
        )
        replicates = replicates[np.isfinite(replicates)]
        spread = float(np.var(replicates)) * self.n / max(self.n - 1, 1) if len(replicates) else 0.0
        least, shared = self._own_and_shared(self._slopes(now, function))
        variance = max(spread, least) + shared
        return Metric(value, math.sqrt(variance), self.n, BOUNDS.get(name, _FREE))

    def _own_and_shared(
        self, slopes: Mapping[tuple[str, frozenset[Place]], FloatArray]
    ) -> tuple[float, float]:
        """Variances of the answers' own errors and of the labels', points²."""
        least, shared = 0.0, 0.0
        for value in dict.fromkeys(value for value, _ in slopes):
            curves = [(self.curves[key], own) for key, own in slopes.items() if key[0] == value]
            # One answer may stand in several curves of a value: their errors are added as if they
            # were the same, which is too much rather than too little.
            least += sum(math.sqrt(curve.least_variance(own)) for curve, own in curves) ** 2
            gradient = np.asarray(sum(_gradient(curve, own) for curve, own in curves))
            shared += float(gradient @ _label_covariance(curves[0][0]) @ gradient)
        return least, shared

    def _slopes(
        self,
        now: Shown,
        function: Callable[[Shown, float], float],
    ) -> dict[tuple[str, frozenset[Place]], FloatArray]:
        """Change of a number per point of each mean, by curve."""
        step = 0.01
        slopes = {key: np.zeros(len(curve.levels)) for key, curve in self.curves.items()}
        for kind in range(len(now)):
            for place, point in enumerate(self.points):
                moved = [[column.copy() for column in now] for _ in range(2)]
                moved[0][kind][place] += step
                moved[1][kind][place] -= step
                change = function(tuple(moved[0]), 1.0) - function(tuple(moved[1]), 1.0)
                if math.isfinite(change):
                    slopes[point.cells] += change / (2 * step) * self._of[kind][place]
        return slopes


def _tables(measured: Sequence[Measured]) -> dict[str, Table]:
    tables: dict[str, Table] = {}
    for place, one in places(measured):
        targets = one.targets or ({one.target: one.level} if one.target else {})
        for value, estimate in one.estimates.items():
            if estimate.scored:
                table = tables.setdefault(value, {})
                table.setdefault(arm_id(targets), {})[place] = estimate
    return tables


def _arms(targets: Mapping[str, float]) -> tuple[str, ...]:
    """Unsteered, the set, and each of its targets by itself."""
    singles = (arm_id({value: level}) for value, level in targets.items())
    return ("0", arm_id(targets), *singles)


def _paired(table: Table, targets: Mapping[str, float]) -> frozenset[Place]:
    """Answers that are scored in every arm that a set is compared with."""
    return frozenset.intersection(*(frozenset(table.get(name, {})) for name in _arms(targets)))


def _kept(table: Table, arms: Iterable[str], answers: frozenset[Place]) -> Table:
    return {
        name: {place: one for place, one in table[name].items() if place in answers}
        for name in arms
    }


def _gradient(curve: Curve, weights: FloatArray) -> FloatArray:
    """Change of weighted means per point of each label, [texts]."""
    pairs = zip(weights, curve.levels, strict=True)
    return np.asarray(sum(weight * curve.cells[arm].label_gradient for weight, arm in pairs))


def _label_covariance(curve: Curve) -> FloatArray:
    return curve.cells[curve.levels[0]].label_covariance
