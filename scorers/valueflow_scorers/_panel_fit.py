"""From ratings to a ruler: orders and placements together, neutral zero, one linear factor.

Each rater orders windows of texts and also places every text on a line from -10 to 10.
Orders alone give no spacing; placements alone are coarse. Utilities u maximise
``sum log PlackettLuce(order; u / tau) - sum (placement - u)^2 / (2 sigma^2)``
with tau and sigma estimated along the way. The scale is then fixed by two facts: zero is the
mean utility of the neutral reference texts, and the three strongest texts of the stronger
side have a mean |intensity| of 9, or less where a text would otherwise pass 10.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components

from ._calibration import ranking_derivatives
from ._errors import ValueFlowError
from ._plackett_luce import IntArray
from ._records import SCALE_END, FloatArray
from ._windows import seeded

STRONGEST = 9.0
"""Mean |intensity| of the three strongest texts on the stronger side, points."""
N_DRAWS = 32
"""Plausible label sets that ship with a panel."""
_FLOOR = 0.25  # neither noise may fall below this, points: a few passes cannot prove more


@dataclass(frozen=True)
class Ratings:
    """All judged windows of one value, text ids replaced by positions."""

    orders: tuple[IntArray, ...]
    """Per window: texts, most supportive first."""
    lines: tuple[FloatArray, ...]
    """Per window: placements of the same texts, in the same order, points."""
    passes: tuple[str, ...]
    """Per window: the pass (rater and pass) it belongs to."""

    @classmethod
    def of(cls, ids: Sequence[str], entries: Sequence[dict[str, Any]]) -> Ratings:
        """Read rating entries (DESIGN's ratings file) of one value.

        Raises:
            ValueFlowError: if an entry's order and line are not over the same known texts.
        """
        position = {name: i for i, name in enumerate(ids)}
        orders, lines, passes = [], [], []
        for number, entry in enumerate(entries, 1):
            order, line = entry["order"], entry["line"]
            if set(order) != set(line) or len(set(order)) != len(order):
                raise ValueFlowError(f"rating {number}: order and line are not of the same texts")
            if strange := sorted(set(order) - set(position)):
                raise ValueFlowError(f"rating {number} names unknown texts {strange}")
            orders.append(np.array([position[name] for name in order]))
            lines.append(np.array([float(line[name]) for name in order]))
            passes.append(f"{entry['rater']}#{entry['pass']}")
        return cls(tuple(orders), tuple(lines), tuple(passes))

    @property
    def names(self) -> tuple[str, ...]:
        """The passes, in order of appearance."""
        return tuple(dict.fromkeys(self.passes))

    def taking(self, chosen: Sequence[str]) -> Ratings:
        """The windows of these passes; a pass that is named twice counts twice."""
        index = [i for name in chosen for i, own in enumerate(self.passes) if own == name]
        return Ratings(
            tuple(self.orders[i] for i in index),
            tuple(self.lines[i] for i in index),
            tuple(self.passes[i] for i in index),
        )


@dataclass(frozen=True)
class FittedPanel:
    """Labels of one panel's texts and what they rest on."""

    intensities: FloatArray
    """[texts], points."""
    stderrs: FloatArray
    """Jackknife over passes, points, [texts]."""
    draws: FloatArray
    """Plausible label sets, points, [N_DRAWS, texts]."""
    tau: float
    """Raters' order noise, points of the placement line."""
    sigma: float
    """Raters' placement noise, points."""


def orders_utilities(orders: Sequence[IntArray], n: int, ridge: float = 1e-6) -> FloatArray:
    """Plackett-Luce utilities from orders alone (unit noise), mean zero, [n].

    Args:
        orders: Per window, texts with the most supportive first.
        n: How many texts there are.
        ridge: Weight of ||u||²; keeps texts that always win or lose finite.
    """
    utilities = np.zeros(n)
    for _ in range(500):
        slope, curvature, _ = _order_terms(orders, utilities, 1.0, n)
        curvature[np.diag_indices(n)] += 2 * ridge
        step = np.linalg.solve(curvature, slope - 2 * ridge * utilities)
        step -= step.mean()  # orders say nothing of it; under a small ridge it is all rounding
        utilities = utilities + step * min(1.0, 5.0 / max(np.abs(step).max(), 1e-12))
        if np.abs(step).max() < 1e-10:
            return np.asarray(utilities - utilities.mean())
    raise ValueFlowError("the orders' Plackett-Luce fit did not converge: raise `ridge`")


def fit_panel(ratings: Ratings, neutral: Sequence[int], n: int, seed: str) -> FittedPanel:
    """Fit one panel.

    Args:
        ratings: Orders and placements of all passes.
        neutral: Positions of the neutral reference texts; at least four.
        n: How many texts the panel has.
        seed: Names the value; the label draws depend on it alone.

    Returns:
        Intensities with jackknife standard errors and plausible label draws.

    Raises:
        ValueFlowError: with fewer than four neutral texts, fewer than two passes, or a text
            without a rating.
    """
    if len(neutral) < 4:
        raise ValueFlowError(f"{len(neutral)} neutral texts: zero needs at least four")
    passes = ratings.names
    if len(passes) < 2:
        raise ValueFlowError(f"{len(passes)} rating pass: standard errors need at least two")
    if missing := sorted(set(range(n)) - {int(i) for order in ratings.orders for i in order}):
        raise ValueFlowError(f"texts at positions {missing} have no rating")
    start = _placement_means(ratings, n)
    tau, sigma = _noises(ratings, start, n)
    utilities = _mode(ratings, start, tau, sigma, n)
    for _ in range(3):
        tau, sigma = _noises(ratings, utilities, n)
        utilities = _mode(ratings, utilities, tau, sigma, n)

    def labels(chosen: Sequence[str]) -> FloatArray:
        taken = ratings.taking(chosen)
        return _scaled(_mode(taken, utilities, tau, sigma, n), neutral)

    intensities = _scaled(utilities, neutral)
    left_out = np.stack([labels([p for p in passes if p != out]) for out in passes])
    count = len(passes)
    spread = left_out - left_out.mean(axis=0)
    stderrs = np.sqrt((count - 1) / count * (spread**2).sum(axis=0))
    rng = seeded("label draws", seed)
    resampled = np.stack([labels(rng.choices(passes, k=count)) for _ in range(N_DRAWS)])
    draws = intensities + np.sqrt(count / (count - 1)) * (resampled - resampled.mean(axis=0))
    return FittedPanel(
        np.round(intensities, 3), np.round(stderrs, 3), np.round(draws, 3), tau, sigma
    )


def strongly_connected(orders: Sequence[IntArray], n: int) -> bool:
    """Whether every text beats every other through some chain of orders."""
    winners = np.concatenate([order[:-1] for order in orders])
    losers = np.concatenate([order[1:] for order in orders])
    graph = csr_matrix((np.ones(len(winners)), (winners, losers)), shape=(n, n))
    return int(connected_components(graph, directed=True, connection="strong")[0]) == 1


def _order_terms(
    orders: Sequence[IntArray], utilities: FloatArray, tau: float, n: int
) -> tuple[FloatArray, FloatArray, float]:
    slope, curvature, value = np.zeros(n), np.zeros((n, n)), 0.0
    for size in {len(order) for order in orders}:
        stacked = np.array([order for order in orders if len(order) == size])
        gradient, information, part = ranking_derivatives(utilities[stacked] / tau)
        np.add.at(slope, stacked, gradient / tau)
        np.add.at(curvature, (stacked[:, :, None], stacked[:, None, :]), information / tau**2)
        value += part
    return slope, curvature, value


def _placement_means(ratings: Ratings, n: int) -> FloatArray:
    total, count = np.zeros(n), np.zeros(n)
    for order, line in zip(ratings.orders, ratings.lines, strict=True):
        total[order] += line
        count[order] += 1
    return np.asarray(total / np.maximum(count, 1))


def _noises(ratings: Ratings, utilities: FloatArray, n: int) -> tuple[float, float]:
    residuals = np.concatenate(
        [line - utilities[order] for order, line in zip(ratings.orders, ratings.lines, strict=True)]
    )
    sigma = max(float(np.sqrt(np.mean(residuals**2))), _FLOOR)
    best = minimize_scalar(
        lambda log_tau: -_order_terms(ratings.orders, utilities, float(np.exp(log_tau)), n)[2],
        bounds=(np.log(_FLOOR), np.log(10.0)),
        method="bounded",
    )
    return float(np.exp(best.x)), sigma


def _mode(ratings: Ratings, start: FloatArray, tau: float, sigma: float, n: int) -> FloatArray:
    """Utilities of highest likelihood; texts left without a rating keep their start."""
    utilities = start.copy()
    placed, count = np.zeros(n), np.zeros(n)
    for order, line in zip(ratings.orders, ratings.lines, strict=True):
        placed[order] += line
        count[order] += 1
    unrated = count == 0
    weight = np.where(unrated, 1.0, count) / sigma**2
    target = np.where(unrated, start, placed / np.maximum(count, 1))
    for _ in range(100):
        slope, curvature, _ = _order_terms(ratings.orders, utilities, tau, n)
        curvature[np.diag_indices(n)] += weight
        step = np.linalg.solve(curvature, slope + weight * (target - utilities))
        utilities = np.asarray(utilities + step)
        if np.abs(step).max() < 1e-8:
            return utilities
    raise ValueFlowError("the panel fit did not converge; look for ratings with swapped signs")


def _scaled(utilities: FloatArray, neutral: Sequence[int]) -> FloatArray:
    centred = utilities - utilities[list(neutral)].mean()
    ordered = np.sort(centred)
    strongest = max(float(-ordered[:3].mean()), float(ordered[-3:].mean()))
    factor = min(STRONGEST / strongest, SCALE_END / float(np.abs(centred).max()))
    return np.asarray(centred * factor)
