"""Means of cells by level, resampled together: the engine of all metrics.

Means are population means of cells (`Cell`). The error of anything computed from them is a paired
bootstrap over queries plus, to first order, the errors of the panels' labels, which all answers
share. A query that was answered several times under the same steering enters with all its answers
and is resampled as a whole.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import Any

import numpy as np
from scipy.stats import norm

from ._cells import Cell, CellDraws
from ._estimated import IntensityEstimate
from ._measure import Measured, arm_id
from ._records import SCALE_END, FloatArray

MASS = 0.9
"""Of the intervals that metrics carry."""
_REPLICATES = 400


@dataclass(frozen=True)
class Metric:
    """A number with its error."""

    value: float
    """The number."""
    stderr: float | None
    """Standard error; None when there are too few answers to tell."""
    n: int
    """Queries that entered."""
    bounds: tuple[float, float] = (-math.inf, math.inf)
    """What the number can be at most and at least; intervals stay inside."""

    def interval(self, mass: float = MASS) -> tuple[float, float] | None:
        """Value ± z·stderr, or None without a standard error."""
        if self.stderr is None:
            return None
        half = float(norm.ppf(0.5 + mass / 2)) * self.stderr
        low, high = self.bounds
        return max(low, self.value - half), min(high, self.value + half)


_INTENSITY = (-SCALE_END, SCALE_END)
_UNIT = (-1.0, 1.0)
_BOUNDS: Mapping[str, tuple[float, float]] = {
    "intensity": _INTENSITY,
    "strength": (0.0, SCALE_END),
    "steerability": _UNIT,
    "steerability_up": _UNIT,
    "steerability_down": _UNIT,
    "tracking": _UNIT,
}


Place = tuple[str, int]
"""Where an answer stands in a cell: its query, and how many answers to it came before."""


def places(measured: Sequence[Measured]) -> Iterator[tuple[Place, Measured]]:
    """Answers with their places; the n-th answers to a query under each steering are a set.

    Answers to one query under one steering are exchangeable, so it does not matter which ones
    are put together.
    """
    before: Counter[tuple[str, str]] = Counter()
    for one in measured:
        targets = one.targets or ({one.target: one.level} if one.target else {})
        arm = (one.query_id, arm_id(targets))
        yield (one.query_id, before[arm]), one
        before[arm] += 1


def query_of(place: Place | str) -> str:
    """The query of a place, or of a query itself."""
    return place if isinstance(place, str) else place[0]


Draw = Callable[[Sequence[IntensityEstimate], FloatArray], CellDraws]
"""Estimates of a cell, and how often each enters each replicate [replicates, n] -> its draws."""

Function = Callable[[FloatArray], FloatArray]
"""Means by level [..., levels], in the order of levels -> a number [...]."""


def draw_cell(estimates: Sequence[IntensityEstimate], counts: FloatArray) -> CellDraws:
    """A cell's draws, computed anew."""
    return Cell(estimates).draws(counts)


class Curve:
    """The answers for one value at each level, and the resampled means of their cells."""

    def __init__(
        self,
        answers: Mapping[float, Mapping[Any, IntensityEstimate]],
        counts: Mapping[str, FloatArray],
        draw: Draw = draw_cell,
    ) -> None:
        """Collect cells.

        Args:
            answers: Level -> place (or query, where each has one answer) -> estimate.
            counts: How often each query enters each replicate, [replicates].
            draw: How a cell is drawn; another one may remember what it drew before.
        """
        self.levels = sorted(answers)
        self.cells = {
            level: draw(
                list(answers[level].values()),
                np.stack([counts[query_of(place)] for place in answers[level]], axis=1),
            )
            for level in self.levels
        }
        self.queries = max(
            (len({query_of(place) for place in answers[level]}) for level in self.levels), default=0
        )
        self.point = np.array([self.cells[level].point for level in self.levels])
        self.replicates = np.stack([self.cells[level].replicates for level in self.levels], axis=1)

    def slopes(self, function: Function) -> FloatArray:
        """Change of function(means) per point of each cell's mean, [levels]."""
        steps = 0.01 * np.eye(len(self.levels))
        return (function(self.point + steps) - function(self.point - steps)) / 0.02

    def shared_variance(self, slopes: FloatArray) -> float:
        """Variance that errors of the panel's labels add, points²."""
        cells = [self.cells[level] for level in self.levels]
        gradient = np.asarray(
            sum(slope * cell.label_gradient for slope, cell in zip(slopes, cells, strict=True))
        )
        return float(gradient @ cells[0].label_covariance @ gradient)

    @cached_property
    def _sentence_errors(self) -> FloatArray:
        """By how much each sentence's misreading moves each cell's mean, points, [levels, s]."""
        cells = [self.cells[level].sentence_errors for level in self.levels]
        places = {key: place for place, key in enumerate(dict.fromkeys(chain(*cells)))}
        errors = np.zeros((len(cells), len(places)))
        for row, cell in zip(errors, cells, strict=True):
            row[[places[key] for key in cell]] = list(cell.values())
        return errors

    @cached_property
    def _own_variances(self) -> FloatArray:
        """Error variance of each cell's mean that no other cell shares, points², [levels]."""
        cells = [self.cells[level] for level in self.levels]
        own = np.array([cell.own_variance for cell in cells])
        if self.queries > 1:
            return own
        believed = np.array([cell.posterior_variance for cell in cells])
        return np.asarray(np.maximum(own, believed - np.sum(self._sentence_errors**2, axis=1)))

    def least_covariance(self, a: FloatArray, b: FloatArray) -> float:
        """What the answers' own errors add to the covariance of two sums of means, points².

        A bootstrap knows nothing of errors that identical answers share, and nothing at all
        when there is one query. A sentence is misread alike at all levels.

        Args:
            a: Weight of each mean in one, [levels].
            b: In the other.
        """
        shared = float((a @ self._sentence_errors) @ (b @ self._sentence_errors))
        return float((a * b) @ self._own_variances) + shared

    def least_variance(self, slopes: FloatArray) -> float:
        """Variance below which the answers' own errors do not let an error fall, points²."""
        return self.least_covariance(slopes, slopes)


@dataclass(frozen=True)
class Draws:
    """A statistic with its bootstrap replicates and the variances that come on top."""

    point: float
    replicates: FloatArray
    shared_variance: float
    least_variance: float
    n: int

    def metric(self, name: str) -> Metric:
        # The bootstrap's variance is short by (n - 1) / n, and zero for one query.
        spread = float(np.var(self.replicates)) * self.n / (self.n - 1) if self.n > 1 else 0.0
        variance = max(spread, self.least_variance) + self.shared_variance
        bounds = _BOUNDS.get(name, (-math.inf, math.inf))
        # Where nothing varies and nothing errs, the error is unknown rather than zero.
        return Metric(self.point, math.sqrt(variance) if variance > 0 else None, self.n, bounds)


def statistic(curve: Curve, function: Function) -> Draws:
    slopes = curve.slopes(function)
    return Draws(
        float(function(curve.point)),
        function(curve.replicates),
        curve.shared_variance(slopes),
        curve.least_variance(slopes),
        curve.queries,
    )


def mean_of(draws: Sequence[Draws]) -> Draws:
    """Mean over values: answers are paired, panels are independent."""
    return Draws(
        float(np.mean([one.point for one in draws])),
        np.mean([one.replicates for one in draws], axis=0),
        sum(one.shared_variance for one in draws) / len(draws) ** 2,
        sum(one.least_variance for one in draws) / len(draws) ** 2,
        min(one.n for one in draws),
    )


def bootstrap_counts(queries: Iterable[str]) -> dict[str, FloatArray]:
    """How often each query enters each bootstrap replicate: the same for everything compared.

    Args:
        queries: Ids; their order does not matter, nor how often one is named.
    """
    ordered = sorted(set(queries))
    n = len(ordered)
    rng = np.random.default_rng(20260101)
    drawn = rng.multinomial(n, np.full(n, 1 / n), size=_REPLICATES).astype(float)
    return {query: drawn[:, i] for i, query in enumerate(ordered)}
