"""Kendall's tau-b of levels asked and intensities measured, of many queries at once."""

from __future__ import annotations

import numpy as np

from ._records import FloatArray

_DRAWS = 200


def tau_b(points: FloatArray) -> FloatArray:
    """Tau-b of each row's points with their places; 0 where all of them tie.

    Args:
        points: Intensities by ascending level, [rows, levels].

    Returns:
        What `scipy.stats.kendalltau` gives for one row after the other, [rows].
    """
    signs = _signs(points)
    untied = np.maximum(np.abs(signs).sum(axis=1), 1)
    taus = signs.sum(axis=1) / np.sqrt(signs.shape[1]) / np.sqrt(untied)
    return np.asarray(np.clip(taus, -1.0, 1.0))


def tau_variances(points: FloatArray, errors: FloatArray) -> FloatArray:
    """Variance of each row's tau that the errors of its points leave, from draws of them.

    Args:
        points: Intensities by ascending level, [rows, levels].
        errors: Their standard errors, [rows, levels].

    Returns:
        One per row, [rows].
    """
    noise = np.random.default_rng(0).standard_normal((_DRAWS, points.shape[1]))
    rows = zip(points, errors, strict=True)
    return np.array([np.var(_signs(means + sd * noise).mean(axis=1)) for means, sd in rows])


def _signs(points: FloatArray) -> FloatArray:
    """Which of two points is higher, [rows, levels] -> [rows, pairs]: 1 the later, 0 neither."""
    first, second = np.triu_indices(points.shape[1], 1)
    return np.asarray(np.sign(points[:, second] - points[:, first]))
