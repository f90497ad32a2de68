"""Directions out of activations: four ways to say what differs between two sides."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
from scipy.optimize import minimize
from valueflow_scorers import ValueFlowError
from valueflow_scorers._errors import unknown
from valueflow_scorers._records import FloatArray

if TYPE_CHECKING:
    from ._capture import Activations

FitMethod = Literal["mean-difference", "pca", "probe", "regression"]
"""`mean-difference`: mean of the supporting minus mean of the opposing texts. `pca`: first
principal direction of the differences between texts paired in order. `probe`: weights of a
logistic regression on the sign. `regression`: weights of a ridge regression on the level."""

_PENALTY = 1.0
_FOLDS = 4


def directions(activations: Activations, levels: list[float], method: FitMethod) -> FloatArray:
    """The direction of each layer, pointing toward support, [layers, d_model].

    Args:
        activations: Of the contrast texts.
        levels: How strongly each supports the value; 0 is left out.
        method: See `FitMethod`.

    Raises:
        ValueFlowError: for an unknown method, or texts on one side only.
    """
    if method not in get_args(FitMethod):
        raise unknown("fit method", method, get_args(FitMethod))
    x, y = _sides(activations, levels)
    return np.stack([_METHODS[method](x[:, layer], y) for layer in range(x.shape[1])])


def separation(activations: Activations, levels: list[float], method: FitMethod) -> FloatArray:
    """How well left-out texts are told apart at each layer, [layers].

    The distance of the two sides' mean projections in units of their spread, over four folds of
    texts that the direction has not seen (neighbours stay together).
    """
    x, y = _sides(activations, levels)
    fold = np.zeros(len(y), dtype=int)
    for sign in (-1.0, 1.0):  # each side in contiguous folds
        rows = np.flatnonzero(np.sign(y) == sign)
        fold[rows] = np.arange(len(rows)) * _FOLDS // len(rows)
    found = []
    for layer in range(x.shape[1]):
        projected = np.zeros(len(y))
        for left_out in range(_FOLDS):
            kept, tested = fold != left_out, fold == left_out
            if len(set(np.sign(y[kept]))) < 2:
                continue
            direction = _METHODS[method](x[kept, layer], y[kept])
            centre = x[kept, layer].mean(axis=0)
            projected[tested] = (x[tested, layer] - centre) @ direction
        high, low = projected[y > 0], projected[y < 0]
        spread = float(np.sqrt(0.5 * (high.var() + low.var()))) or 1e-12
        found.append(float(high.mean() - low.mean()) / spread)
    return np.array(found)


def _sides(activations: Activations, levels: list[float]) -> tuple[FloatArray, FloatArray]:
    y = np.array(levels, dtype=float)
    if not ((y > 0).any() and (y < 0).any()):
        raise ValueFlowError(
            "contrast texts need both sides: levels above and below 0 (supporting and opposing)"
        )
    x = activations.means.numpy().astype(np.float64)
    return x[y != 0], y[y != 0]


def _mean_difference(x: FloatArray, y: FloatArray) -> FloatArray:
    return _unit(x[y > 0].mean(axis=0) - x[y < 0].mean(axis=0))


def _pca(x: FloatArray, y: FloatArray) -> FloatArray:
    high, low = x[y > 0], x[y < 0]
    n = min(len(high), len(low))
    pairs = high[:n] - low[:n]
    first = np.linalg.svd(pairs, full_matrices=False)[2][0]
    return _unit(first * np.sign(first @ pairs.mean(axis=0) or 1.0))


def _probe(x: FloatArray, y: FloatArray) -> FloatArray:
    scale = float(x.std()) or 1.0
    z = (x - x.mean(axis=0)) / scale
    sign = np.sign(y)

    def loss(w: FloatArray) -> tuple[float, FloatArray]:
        margin = sign * (z @ w[:-1] + w[-1])
        gradient = -sign / (1 + np.exp(np.clip(margin, -500, 500)))
        value = np.logaddexp(0, -margin).sum() + 0.5 * _PENALTY * w[:-1] @ w[:-1]
        return float(value), np.append(z.T @ gradient + _PENALTY * w[:-1], gradient.sum())

    found = minimize(loss, np.zeros(z.shape[1] + 1), jac=True, method="L-BFGS-B")
    return _unit(found.x[:-1])


def _regression(x: FloatArray, y: FloatArray) -> FloatArray:
    z, target = x - x.mean(axis=0), y - y.mean()
    kernel = z @ z.T
    # The dual form: there are fewer texts than dimensions.
    penalty = _PENALTY * np.trace(kernel) / len(y)
    return _unit(z.T @ np.linalg.solve(kernel + penalty * np.eye(len(y)), target))


def _unit(direction: FloatArray) -> FloatArray:
    norm = float(np.linalg.norm(direction))
    if norm == 0:
        raise ValueFlowError("the two sides have the same activations: there is no direction")
    return direction / norm


_METHODS: dict[str, Callable[[FloatArray, FloatArray], FloatArray]] = {
    "mean-difference": _mean_difference,
    "pca": _pca,
    "probe": _probe,
    "regression": _regression,
}
