"""Tau-b of many queries at once is scipy's, one by one, to the last digit."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import kendalltau
from valueflow_scorers._tau import tau_b, tau_variances


@pytest.mark.parametrize("levels", [2, 3, 5, 9])
def test_tau_is_that_of_scipy(levels: int) -> None:
    rng = np.random.default_rng(levels)
    # Few different numbers, so that many tie, some rows wholly.
    points = rng.integers(0, 4, (300, levels)) / 3.0
    points[:5] = 1.0
    wanted = [kendalltau(range(levels), row).statistic for row in points]
    assert np.isnan(wanted[:5]).all()
    assert tau_b(points).tolist() == np.nan_to_num(wanted).tolist()


@pytest.mark.parametrize("levels", [3, 5])
def test_its_variance_is_that_of_draws_of_the_points(levels: int) -> None:
    rng = np.random.default_rng(levels)
    points, errors = rng.normal(0, 4, (20, levels)), rng.uniform(0, 3, (20, levels))
    first, second = np.triu_indices(levels, 1)
    wanted = []
    for row, sd in zip(points, errors, strict=True):
        drawn = row + sd * np.random.default_rng(0).standard_normal((200, levels))
        agree = np.sign(second - first) * np.sign(drawn[:, second] - drawn[:, first])
        wanted.append(float(np.var(agree.mean(axis=1))))
    assert tau_variances(points, errors).tolist() == wanted
    assert tau_variances(points, np.zeros_like(errors)).max() < 1e-20
