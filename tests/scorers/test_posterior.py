"""From a tabulated likelihood to an intensity, its error and its interval."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm, truncnorm
from valueflow_scorers._plackett_luce import GRID, INSIDE, SCALE, STEP
from valueflow_scorers._posterior import moments, normalised, shortest_interval, smoothed


def _shapes() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(1)
    shapes = {
        "uniform": np.ones(len(SCALE)),
        "normal": norm.pdf(SCALE, 2, 1.5),
        "skewed": np.exp(-(SCALE + 10) / 3) * (SCALE + 10.5),
        "two peaks": norm.pdf(SCALE, -5, 0.8) + 0.7 * norm.pdf(SCALE, 6, 1.2),
        "rising to the end": np.exp(SCALE / 2),
        "falling from the start": np.exp(-SCALE),
        "one cell": (np.arange(len(SCALE)) == 70) + 1e-12,
        "rough": rng.gamma(0.3, size=len(SCALE)) + 1e-9,
    }
    return {name: weights / weights.sum() for name, weights in shapes.items()}


SHAPES = _shapes()


def _cumulative(weights: np.ndarray):
    """Distribution function of weights spread evenly over their cells, cut at the ends."""
    edges = np.clip(np.append(SCALE - STEP / 2, SCALE[-1] + STEP / 2), -10, 10)
    return edges, np.append(0, np.cumsum(weights))


def _mass(weights, low, high):
    edges, cumulative = _cumulative(weights)
    return np.diff(np.interp([low, high], edges, cumulative))[0]


def _shortest_by_scan(weights, mass):
    """Every start on a fine grid, each with the first end that holds enough."""
    edges, cumulative = _cumulative(weights)
    starts = np.unique(np.concatenate([np.linspace(-10, 10, 16_001), edges]))
    needed = np.interp(starts, edges, cumulative) + mass
    starts, needed = starts[needed <= 1], needed[needed <= 1]
    ends = np.interp(needed, cumulative, edges)
    return float((ends - starts).min())


@pytest.mark.parametrize("mass", [0.1, 0.5, 0.9, 0.99])
@pytest.mark.parametrize("shape", SHAPES)
def test_the_interval_holds_the_mass_it_promises(shape, mass):
    low, high = shortest_interval(SHAPES[shape], mass)
    assert _mass(SHAPES[shape], low, high) == pytest.approx(mass, abs=1e-5)


@pytest.mark.parametrize("mass", [0.1, 0.5, 0.9, 0.99])
@pytest.mark.parametrize("shape", SHAPES)
def test_no_interval_of_that_mass_is_shorter(shape, mass):
    low, high = shortest_interval(SHAPES[shape], mass)
    assert high - low <= _shortest_by_scan(SHAPES[shape], mass) + 1e-4


@pytest.mark.parametrize(
    ("shape", "end"), [("rising to the end", 10.0), ("falling from the start", -10.0)]
)
def test_an_interval_at_the_end_of_the_scale_includes_the_end(shape, end):
    interval = shortest_interval(SHAPES[shape], 0.9)
    assert end in interval
    assert -10 <= interval[0] < interval[1] <= 10


def test_the_interval_of_a_normal_is_the_textbook_s():
    low, high = shortest_interval(SHAPES["normal"], 0.9)
    assert low == pytest.approx(2 - 1.645 * 1.5, abs=0.05)
    assert high == pytest.approx(2 + 1.645 * 1.5, abs=0.05)


def test_the_interval_of_two_peaks_stays_with_the_higher_one():
    low, high = shortest_interval(SHAPES["two peaks"], 0.4)
    assert -8 < low < high < -3


def test_normalised_weights_add_up_to_one_however_small_the_density():
    rows = normalised(np.array([[-1e6, -1e6 - 1, -1e6 - 2], [0.0, 1e4, -1e4]]))
    np.testing.assert_allclose(rows.sum(axis=1), 1)
    np.testing.assert_allclose(rows[0], np.exp([0, -1, -2]) / np.exp([0, -1, -2]).sum())
    np.testing.assert_allclose(rows[1], [0, 1, 0])


@pytest.mark.parametrize("shape", SHAPES)
def test_moments_are_mean_and_standard_deviation(shape):
    weights = SHAPES[shape]
    [mean], [sd] = moments(weights[None])
    assert mean == pytest.approx(np.average(SCALE, weights=weights))
    variance = np.average((SCALE - mean) ** 2, weights=weights)
    assert sd == pytest.approx(np.sqrt(variance), abs=1e-6)


def _convolved(log_likelihood, sd):
    """The convolution as a sum, the likelihood's last values going on beyond the grid."""
    far = np.arange(-60, 60 + STEP / 2, STEP)
    likelihood = np.interp(far, GRID, np.exp(log_likelihood - log_likelihood.max()))
    kernel = norm.pdf(SCALE[:, None] - far[None, :], scale=sd)
    blurred = kernel @ likelihood
    return blurred / blurred.sum()


LIKELIHOODS = {
    "peak": norm.logpdf(GRID, 3, 1.2),
    "peak at the end": norm.logpdf(GRID, 10.5, 0.9),
    "won every window": -np.log1p(np.exp(-(GRID - 8) / 1.5)),
    "lost every window": -np.log1p(np.exp((GRID + 6) / 0.8)),
    "two windows that disagree": np.logaddexp(norm.logpdf(GRID, -4, 1), norm.logpdf(GRID, 5, 2)),
    "flat": np.zeros(len(GRID)),
}


@pytest.mark.parametrize("sd", [0.3, 1.0, 2.5])
@pytest.mark.parametrize("name", LIKELIHOODS)
def test_smoothing_is_the_convolution_with_the_error(name, sd):
    found = smoothed(LIKELIHOODS[name][None], np.array([sd]))[0]
    np.testing.assert_allclose(found, _convolved(LIKELIHOODS[name], sd), atol=1e-6)


def test_smoothing_a_normal_widens_it_by_the_error():
    weights = smoothed(norm.logpdf(GRID, -1, 0.6)[None], np.array([0.8]))
    [mean], [sd] = moments(weights)
    assert mean == pytest.approx(-1, abs=1e-3)
    assert sd == pytest.approx(1.0, abs=1e-3)


def test_smoothing_by_nothing_changes_nothing():
    for log_likelihood in LIKELIHOODS.values():
        found = smoothed(log_likelihood[None], np.array([0.0]))[0]
        np.testing.assert_allclose(found, normalised(log_likelihood[INSIDE]), atol=1e-6)


def test_each_row_is_smoothed_by_its_own_error():
    rows = np.stack([LIKELIHOODS["peak"]] * 3)
    together = smoothed(rows, np.array([0.3, 1.0, 2.5]))
    for row, sd in zip(together, (0.3, 1.0, 2.5), strict=True):
        np.testing.assert_allclose(row, smoothed(rows[:1], np.array([sd]))[0], atol=1e-12)


@pytest.mark.parametrize(
    ("seen", "sd"),
    [
        *((seen, sd) for seen in (18.0, 30.0, -30.0) for sd in (0.5, 1.0, 3.0)),
        *((14.0, sd) for sd in (0.5, 3.0)),
        *((12.0, sd) for sd in (1.0, 3.0)),
        *(pytest.param(*case) for case in ((12.0, 0.5), (14.0, 1.0), (-14.0, 1.0))),
    ],
)
def test_what_is_seen_beyond_the_scale_is_placed_at_its_end(seen, sd):
    log_likelihood = -0.5 * ((GRID - seen) / sd) ** 2
    [mean], [spread] = moments(smoothed(log_likelihood[None], np.array([0.0])))
    low, high = (-10 - seen) / sd, (10 - seen) / sd
    expected = truncnorm(low, high, seen, sd)
    assert mean == pytest.approx(expected.mean(), abs=0.15)
    assert spread == pytest.approx(expected.std(), abs=0.15)
