"""From a tabulated likelihood to an intensity, its error and its interval."""

from __future__ import annotations

import numpy as np
from scipy import fft

from ._plackett_luce import INSIDE, SCALE, STEP
from ._records import FloatArray

_PADDED = 384  # 257 grid points plus edges, a size with small prime factors


def normalised(log_density: FloatArray) -> FloatArray:
    """Exp and normalise each row of log densities, [..., n] -> weights that sum to one."""
    weights = np.exp(log_density - log_density.max(axis=-1, keepdims=True))
    return np.asarray(weights / weights.sum(axis=-1, keepdims=True))


def smoothed(log_likelihood: FloatArray, sd: FloatArray) -> FloatArray:
    """The posterior of each response when it is perceived with an additional normal error.

    The likelihood of what was *perceived* is convolved with the error, row by row, on the
    wide grid, and only then restricted to the scale under a flat prior.

    Args:
        log_likelihood: [n, len(GRID)].
        sd: Standard deviation of the additional error per row, points, [n].

    Returns:
        Weights on SCALE that sum to one, [n, len(SCALE)].
    """
    # Single precision: the posterior's tails below 1e-7 decide nothing, and it halves the work.
    relative = log_likelihood - log_likelihood.max(axis=1, keepdims=True)
    likelihood = np.exp(relative.astype(np.float32))
    side = (_PADDED - likelihood.shape[1]) // 2
    rest = _PADDED - likelihood.shape[1] - side
    padded = np.pad(likelihood, ((0, 0), (side, rest)), mode="edge")
    frequency = 2 * np.pi * fft.rfftfreq(_PADDED, STEP)
    spectrum = fft.rfft(padded, axis=1)
    spectrum *= np.exp(-0.5 * (sd[:, None] * frequency) ** 2).astype(np.float32)
    blurred = fft.irfft(spectrum, n=_PADDED, axis=1)[:, side : side + likelihood.shape[1]]
    inside = np.clip(blurred[:, INSIDE].astype(float), 1e-9, None)
    return np.asarray(inside / inside.sum(axis=1, keepdims=True))


def moments(weights: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Mean and standard deviation of weights on SCALE, [n, len(SCALE)] -> [n], [n]."""
    mean = weights @ SCALE
    variance = np.clip(weights @ SCALE**2 - mean**2, 0, None)
    return mean, np.sqrt(variance)


def shortest_interval(
    weights: FloatArray, mass: float, points: FloatArray = SCALE
) -> tuple[float, float]:
    """The shortest interval that holds `mass` of one row of weights.

    At the ends of the scale a central interval covers too little; the shortest does not.

    Args:
        weights: Weights on `points` that sum to one, [n].
        mass: Between 0 and 1.
        points: Evenly spaced support, [n].

    Returns:
        (low, high), points.
    """
    step = points[1] - points[0]
    edges = np.concatenate([points - step / 2, points[-1:] + step / 2])
    edges = np.clip(edges, points[0], points[-1])
    cumulative = np.concatenate([[0.0], np.cumsum(weights)])
    cumulative /= cumulative[-1]
    # A tiny slope makes the cumulative strictly increasing, hence invertible.
    cumulative = (cumulative + 1e-9 * np.linspace(0, 1, len(edges))) / (1 + 1e-9)
    lows = np.concatenate([edges, np.interp(cumulative - mass, cumulative, edges)])
    highs = np.concatenate([np.interp(cumulative + mass, cumulative, edges), edges])
    possible = np.concatenate([cumulative + mass <= 1 + 1e-9, cumulative - mass >= -1e-9])
    widths = np.where(possible, highs - lows, np.inf)
    best = int(np.argmin(widths))
    return float(lows[best]), float(highs[best])
