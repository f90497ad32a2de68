"""Fit tau, slot bias, omega and text offsets by marginal likelihood.

The order of panel texts among themselves tells how noisy a judge is, which slots it
favours and which texts it reads persistently differently. Offsets are integrated out by
Laplace's approximation; tau and omega maximise what is left; slot biases are found by
Newton steps on the pooled windows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize, minimize_scalar

from ._plackett_luce import IntArray
from ._profile import PRIOR_TAU, PanelOffsets
from ._records import FloatArray, Panel

_LOG_TAU_SD = 0.6  # prior: log tau ~ N(log 1.5, 0.6)
_OMEGA_SCALE = 2.0  # prior: omega half-normal, points
_BIAS_SD = 1.5  # prior on each slot's bias, points
_OMEGA_FLOOR = 0.05  # keeps the offsets' prior covariance invertible, points


@dataclass(frozen=True)
class RankedTexts:
    """Windows of one panel's texts in judged order, W windows of n texts."""

    texts: IntArray
    """[W, n]: panel text per place, most supportive first."""
    slots: IntArray
    """[W, n]: the slot in which that text was shown."""


@dataclass(frozen=True)
class FittedNoise:
    """What was learned about a judge from ranked panel texts."""

    tau: float
    omega: float
    slot_bias: tuple[float, ...]
    panels: Mapping[str, PanelOffsets]


@dataclass
class _PanelState:
    """One panel's windows and the current mode of its offsets."""

    panel: Panel
    data: RankedTexts
    labels: FloatArray
    label_covariance: FloatArray
    offsets: FloatArray

    def scores(self, tau: float, bias: FloatArray, offsets: FloatArray | None = None) -> FloatArray:
        places = self.labels + (self.offsets if offsets is None else offsets)
        return np.asarray((places[self.data.texts] + bias[self.data.slots]) / tau)


def _uphill(
    height: Callable[[FloatArray], float], start: FloatArray, step: FloatArray
) -> FloatArray:
    """The Newton step, halved until it does not lead downhill.

    The likelihood is concave, but with little noise so flat far from the mode that whole
    steps overshoot.
    """
    before = height(start)
    for _ in range(20):
        if height(start + step) >= before - 1e-9:
            return start + step
        step = step / 2
    return start


def _stages(scores: FloatArray) -> tuple[FloatArray, FloatArray]:
    """P(item chosen at stage), [W, n - 1, n], and each order's log-likelihood, [W]."""
    size = scores.shape[1]
    still_there = np.triu(np.ones((size - 1, size), dtype=bool))
    staged = np.where(still_there, scores[:, None, :], -np.inf)
    top = staged.max(axis=2, keepdims=True)
    weights = np.exp(staged - top)
    totals = weights.sum(axis=2, keepdims=True)
    values = (scores[:, : size - 1] - (top + np.log(totals))[:, :, 0]).sum(axis=1)
    return weights / totals, values


def ranking_log_likelihoods(scores: FloatArray) -> FloatArray:
    """Plackett-Luce log-likelihood of orders whose utilities are all known.

    Args:
        scores: Utilities over tau in judged order, [W, n].

    Returns:
        [W].
    """
    return _stages(scores)[1]


def ranking_derivatives(scores: FloatArray) -> tuple[FloatArray, FloatArray, float]:
    """Gradient [W, n], information [W, n, n] and value of the orders' log-likelihood.

    Args:
        scores: Utilities over tau in judged order, [W, n].
    """
    probabilities, values = _stages(scores)
    gradient = -probabilities.sum(axis=1)
    gradient[:, : scores.shape[1] - 1] += 1
    information = -np.einsum("wsi,wsj->wij", probabilities, probabilities)
    diagonal = np.arange(scores.shape[1])
    information[:, diagonal, diagonal] += probabilities.sum(axis=1)
    return gradient, information, float(values.sum())


def _scatter(
    index: IntArray, gradient: FloatArray, information: FloatArray, n: int
) -> tuple[FloatArray, FloatArray]:
    total = np.zeros(n)
    np.add.at(total, index, gradient)
    matrix = np.zeros((n, n))
    np.add.at(matrix, (index[:, :, None], index[:, None, :]), information)
    return total, matrix


def _settle(
    state: _PanelState, tau: float, omega: float, bias: FloatArray, steps: int = 8
) -> tuple[float, FloatArray]:
    """Move one panel's offsets to their mode.

    Returns:
        Laplace's log-evidence and the offsets' posterior covariance, [texts, texts].
    """
    n = len(state.labels)
    precision = np.linalg.inv(state.label_covariance + omega**2 * np.eye(n))

    def height(offsets: FloatArray) -> float:
        fit = ranking_log_likelihoods(state.scores(tau, bias, offsets)).sum()
        return float(fit - 0.5 * offsets @ precision @ offsets)

    for _ in range(steps):
        gradient, information, value = ranking_derivatives(state.scores(tau, bias))
        slope, curvature = _scatter(state.data.texts, gradient / tau, information / tau**2, n)
        curvature += precision
        step = np.linalg.solve(curvature, slope - precision @ state.offsets)
        moved = _uphill(height, state.offsets, np.asarray(step, dtype=float))
        change = float(np.abs(moved - state.offsets).max())
        state.offsets = moved
        if change < 1e-3:
            break
    penalty = state.offsets @ precision @ state.offsets
    log_volume = np.linalg.slogdet(precision)[1] - np.linalg.slogdet(curvature)[1]
    evidence = value - 0.5 * float(penalty) + 0.5 * float(log_volume)
    return evidence, np.asarray(np.linalg.inv(curvature), dtype=float)


def _settle_bias(states: Sequence[_PanelState], tau: float, bias: FloatArray) -> FloatArray:
    """One Newton step of the slot biases, pooled over panels, summing to zero."""
    k = len(bias)
    slope, curvature = -bias / _BIAS_SD**2, np.eye(k) / _BIAS_SD**2
    for state in states:
        gradient, information, _ = ranking_derivatives(state.scores(tau, bias))
        more, matrix = _scatter(state.data.slots, gradient / tau, information / tau**2, k)
        slope, curvature = slope + more, curvature + matrix

    def height(point: FloatArray) -> float:
        fit = sum(
            float(ranking_log_likelihoods(state.scores(tau, point)).sum()) for state in states
        )
        return fit - 0.5 * float(point @ point) / _BIAS_SD**2

    step = np.asarray(np.linalg.solve(curvature, slope), dtype=float)
    moved = _uphill(height, bias, step)
    return np.asarray(moved - moved.mean())


def fit_noise(panels: Sequence[Panel], data: Mapping[str, RankedTexts], k: int) -> FittedNoise:
    """Fit a judge's errors from ranked panel texts.

    Args:
        panels: The panels whose texts were ranked.
        data: Ranked windows by value.
        k: Number of slots of a window.

    Returns:
        tau, omega, slot biases, and per panel the offsets with their covariance.
    """
    states = [
        _PanelState(
            panel,
            data[panel.value],
            np.array([text.intensity for text in panel.texts]),
            panel.label_covariance,
            np.zeros(len(panel.texts)),
        )
        for panel in panels
        if panel.value in data and len(data[panel.value].texts)
    ]
    bias = np.zeros(k)

    def objective(point: FloatArray) -> float:
        nonlocal bias
        tau, omega = float(np.exp(point[0])), float(np.exp(point[1]))
        bias = _settle_bias(states, tau, bias)
        evidence = sum(_settle(state, tau, omega, bias)[0] for state in states)
        prior = -0.5 * ((point[0] - np.log(PRIOR_TAU)) / _LOG_TAU_SD) ** 2
        prior -= 0.5 * (omega / _OMEGA_SCALE) ** 2
        return -float(evidence + prior)

    best = minimize(
        objective,
        x0=np.log([PRIOR_TAU, 0.7]),
        method="Nelder-Mead",
        bounds=[(np.log(0.05), np.log(20)), (np.log(_OMEGA_FLOOR), np.log(10))],
        options={"xatol": 0.01, "fatol": 0.05, "initial_simplex": _simplex(), "maxfev": 120},
    )
    tau, omega = (float(value) for value in np.exp(best.x))
    for _ in range(3):
        bias = _settle_bias(states, tau, bias)
        covariances = [_settle(state, tau, omega, bias)[1] for state in states]
    return FittedNoise(
        tau=round(tau, 4),
        omega=round(omega, 4),
        slot_bias=tuple(round(float(value), 4) for value in bias),
        panels={
            state.panel.value: PanelOffsets(
                state.panel.fingerprint,
                tuple(np.round(state.offsets, 4).tolist()),
                tuple(tuple(row) for row in np.round(covariance, 4).tolist()),
            )
            for state, covariance in zip(states, covariances, strict=True)
        },
    )


def _simplex() -> FloatArray:
    start = np.log([PRIOR_TAU, 0.7])
    return np.asarray(start + np.array([[0.0, 0.0], [0.5, 0.0], [0.0, -0.7]]))


def fit_reading_error(errors: FloatArray, known_variance: FloatArray) -> float:
    """The persistent error of a judge that reads, beyond the error it states.

    Args:
        errors: Reading minus label per sentinel, points, [n].
        known_variance: Stated sd² of the reading plus stderr² of the label, points², [n].

    Returns:
        omega, points, by maximum a posteriori under a half-normal prior.
    """

    def objective(omega: float) -> float:
        variance = known_variance + omega**2
        fit = 0.5 * np.sum(np.log(variance) + errors**2 / variance)
        return float(fit + 0.5 * (omega / _OMEGA_SCALE) ** 2)

    return round(float(minimize_scalar(objective, bounds=(0.0, 10.0), method="bounded").x), 4)
