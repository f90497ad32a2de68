"""A dose-response curve: made monotone, and read backwards."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.optimize import isotonic_regression
from valueflow_scorers._records import FloatArray


def monotone(means: FloatArray, weights: FloatArray) -> FloatArray:
    """The rising curve nearest to the means.

    Args:
        means: By dose, ascending.
        weights: Of the means.
    """
    return np.asarray(isotonic_regression(means, weights=weights).x, dtype=float)


def nearest_dose(doses: FloatArray, curve: FloatArray, intensity: float) -> float:
    """The dose nearest to 0 at which the piecewise linear curve has this height."""
    found = []
    for (x0, x1), (y0, y1) in zip(_pairs(doses), _pairs(curve), strict=True):
        if y0 <= intensity <= y1:
            if y1 - y0 < 1e-9:  # a flat piece: any of its doses does
                found.append(float(np.clip(0.0, x0, x1)))
            else:
                found.append(float(x0 + (x1 - x0) * (intensity - y0) / (y1 - y0)))
    return min(found, key=abs)


def _pairs(row: FloatArray) -> Sequence[tuple[float, float]]:
    return list(zip(row[:-1].tolist(), row[1:].tolist(), strict=True))
