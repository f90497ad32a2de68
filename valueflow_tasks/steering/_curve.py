"""A dose-response curve: made monotone, and read backwards."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

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
    for (x0, x1), (y0, y1) in zip(pairwise(doses.tolist()), pairwise(curve.tolist()), strict=True):
        if y0 <= intensity <= y1:
            if y1 - y0 < 1e-9:  # a flat piece: any of its doses does
                found.append(float(np.clip(0.0, x0, x1)))
            else:
                found.append(float(x0 + (x1 - x0) * (intensity - y0) / (y1 - y0)))
    return min(found, key=abs)


def bend(doses: FloatArray, curve: FloatArray, dose: float) -> float:
    """How far the true curve may lie from the straight piece at a dose, points.

    At a share f of a piece of width h an interpolated function with the second derivative y'' is
    off by ``f (1 - f) h² |y''| / 2``; ``h |y''|`` is the change of slope to the steeper or flatter
    neighbour.
    """
    slopes = np.diff(curve) / np.diff(doses)
    piece = min(int(np.searchsorted(doses, dose, side="right")) - 1, len(slopes) - 1)
    width = float(doses[piece + 1] - doses[piece])
    share = (dose - float(doses[piece])) / width
    beside = [slopes[near] for near in (piece - 1, piece + 1) if 0 <= near < len(slopes)]
    change = max((abs(float(slope - slopes[piece])) for slope in beside), default=0.0)
    return share * (1 - share) * width * change / 2


def halved(doses: Sequence[float], curve: Sequence[float], rise: float) -> list[float]:
    """The middles of the pieces over which the curve rises by more than this, steepest first."""
    pieces = zip(pairwise(doses), pairwise(curve), strict=True)
    steep = [(y1 - y0, (x0 + x1) / 2) for (x0, x1), (y0, y1) in pieces if y1 - y0 > rise]
    return [middle for _, middle in sorted(steep, reverse=True)]
