"""From ratings to a ruler."""

from __future__ import annotations

import choix
import numpy as np
import pytest
from valueflow_scorers import ValueFlowError
from valueflow_scorers._panel_check import kendall_w
from valueflow_scorers._panel_fit import (
    N_DRAWS,
    STRONGEST,
    Ratings,
    fit_panel,
    orders_utilities,
    strongly_connected,
)

N = 20
TRUE = np.array([-8, -7, -6, -5, -4, -3, -2, -1, -0.2, -0.1,
                 0.1, 0.2, 1.5, 2.8, 4.1, 5.4, 6.7, 8, 8.2, 8.4])  # fmt: skip
NEUTRAL = (8, 9, 10, 11)
IDS = [f"t{i}" for i in range(N)]


def _entries(true=TRUE, passes=6, noise=0.6, window=10, seed=0, scale=1.0, shift=0.0):
    """Each pass orders shuffled windows that hold every text once, and places every text."""
    rng = np.random.default_rng(seed)
    found = []
    for number in range(1, passes + 1):
        shuffled = rng.permutation(len(true))
        for start in range(0, len(true), window):
            members = shuffled[start : start + window]
            seen = scale * true[members] + shift + rng.normal(0, noise, len(members))
            order = members[np.argsort(-seen)]
            line = dict(zip(members.tolist(), np.round(np.clip(seen, -10, 10), 1), strict=True))
            found.append({
                "value": "test/value", "rater": "someone", "pass": number,
                "items": [IDS[i] for i in members],
                "order": [IDS[i] for i in order],
                "line": {IDS[i]: float(line[i]) for i in members.tolist()},
            })  # fmt: skip
    return found


def _fit(entries=None, neutral=NEUTRAL, seed="test/value", ids=IDS):
    return fit_panel(Ratings.of(ids, entries or _entries()), neutral, len(ids), seed)


def _random_orders(seed, n=12, count=60, size=4):
    rng = np.random.default_rng(seed)
    utilities = rng.normal(0, 1.5, n)
    orders = []
    for _ in range(count):
        members = rng.choice(n, size, replace=False)
        orders.append(members[np.argsort(-(utilities[members] + rng.gumbel(size=size)))])
    return orders


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_utilities_from_orders_are_those_of_choix(seed):
    orders = _random_orders(seed)
    assert strongly_connected(orders, 12)
    theirs = choix.ilsr_rankings(12, [tuple(map(int, order)) for order in orders], tol=1e-12)
    ours = orders_utilities(orders, 12, ridge=1e-9)
    np.testing.assert_allclose(ours, theirs - theirs.mean(), atol=1e-6)


def test_windows_of_different_sizes_are_fitted_together():
    orders = _random_orders(3, size=3) + _random_orders(4, size=5) + _random_orders(5, size=2)
    theirs = choix.ilsr_rankings(12, [tuple(map(int, order)) for order in orders], tol=1e-12)
    np.testing.assert_allclose(
        orders_utilities(orders, 12, ridge=1e-9), theirs - theirs.mean(), atol=1e-6
    )


def test_a_text_that_always_wins_stays_finite_and_on_top():
    orders = [np.array([0, 1, 2]), np.array([0, 2, 1])] * 3
    assert not strongly_connected(orders, 3)
    utilities = orders_utilities(orders, 3, ridge=1e-3)
    assert np.isfinite(utilities).all()
    assert utilities.argmax() == 0
    assert utilities[1] == pytest.approx(utilities[2], abs=1e-6)


def test_orders_are_connected_when_every_text_beats_every_other_through_some_chain():
    assert strongly_connected([np.array([0, 1, 2]), np.array([2, 0])], 3)
    assert not strongly_connected([np.array([0, 1, 2])], 3)
    assert not strongly_connected([np.array([0, 1]), np.array([1, 0])], 3)


def test_planted_intensities_come_back():
    fitted = _fit(_entries(passes=8, noise=0.5))
    factor = STRONGEST / np.sort(TRUE)[-3:].mean()
    np.testing.assert_allclose(fitted.intensities, TRUE * factor, atol=0.9)
    assert np.corrcoef(fitted.intensities, TRUE)[0, 1] > 0.995


def test_zero_is_the_mean_of_the_neutral_texts():
    for shift in (0.0, 1.5):
        fitted = _fit(_entries(shift=shift))
        assert fitted.intensities[list(NEUTRAL)].mean() == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize("scale", [0.5, 1.0])
def test_the_three_strongest_of_the_stronger_side_average_nine(sign, scale):
    fitted = _fit(_entries(true=sign * TRUE, scale=scale))
    ordered = np.sort(sign * fitted.intensities)
    assert ordered[-3:].mean() == pytest.approx(STRONGEST, abs=0.005)
    assert -ordered[:3].mean() < STRONGEST
    assert np.abs(fitted.intensities).max() <= 10


def test_no_label_passes_ten_and_the_factor_gives_way():
    true = np.concatenate([np.linspace(-4, -1, 8), TRUE[8:12], np.linspace(1, 4, 7), [9.5]])
    fitted = _fit(_entries(true=true, noise=0.3))
    assert fitted.intensities.max() == pytest.approx(10, abs=1e-6)
    assert np.sort(fitted.intensities)[-3:].mean() < STRONGEST


def test_one_factor_serves_both_sides():
    """The ends are not forced: a weak side stays weak."""
    true = np.where(TRUE < 0, TRUE / 3, TRUE)
    fitted = _fit(_entries(true=true, noise=0.4))
    assert fitted.intensities.min() > -4.5
    ratio = fitted.intensities.min() / fitted.intensities.max()
    assert ratio == pytest.approx(true.min() / true.max(), abs=0.12)


def test_the_fit_is_the_same_each_time():
    one, other = _fit(), _fit()
    for name in ("intensities", "stderrs", "draws"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


def test_the_seed_moves_the_draws_alone():
    one, other = _fit(), _fit(seed="test/another")
    np.testing.assert_array_equal(one.intensities, other.intensities)
    np.testing.assert_array_equal(one.stderrs, other.stderrs)
    assert (one.draws != other.draws).any()


def test_draws_scatter_around_the_labels_by_their_errors():
    fitted = _fit(_entries(noise=1.2))
    assert fitted.draws.shape == (N_DRAWS, N)
    np.testing.assert_allclose(fitted.draws.mean(axis=0), fitted.intensities, atol=1e-2)
    ratio = fitted.draws.std(axis=0, ddof=1) / fitted.stderrs
    assert 0.75 < np.median(ratio) < 1.33


def test_standard_errors_grow_with_the_raters_noise_and_are_honest():
    def fitted(noise):
        return _fit(_entries(noise=noise, passes=8, seed=1))

    quiet, loud = fitted(0.3), fitted(1.5)
    assert np.median(loud.stderrs) > 2 * np.median(quiet.stderrs)
    factor = STRONGEST / np.sort(TRUE)[-3:].mean()
    z = (loud.intensities - TRUE * factor) / np.maximum(loud.stderrs, 0.05)
    assert 0.5 < np.sqrt(np.mean(z**2)) < 2.0


def test_passes_that_agree_leave_no_error():
    one = _entries(passes=1)
    entries = [{**entry, "pass": number} for number in (1, 2, 3) for entry in one]
    fitted = _fit(entries)
    np.testing.assert_allclose(fitted.stderrs, 0, atol=2e-3)
    np.testing.assert_allclose(fitted.draws - fitted.intensities, 0, atol=2e-3)


def test_the_raters_noises_are_found():
    """A normal perception error of sd s looks like Gumbel noise of scale about 0.8 s."""
    fitted = _fit(_entries(passes=20, noise=1.0))
    assert fitted.sigma == pytest.approx(1.0, rel=0.2)
    assert fitted.tau == pytest.approx(0.8, rel=0.35)


def test_orders_count_beside_placements():
    """Placements in whole tens say little; the orders tell the texts apart."""
    entries = _entries(noise=0.2)
    for entry in entries:
        entry["line"] = {name: 5.0 * round(x / 5.0) for name, x in entry["line"].items()}
    fitted = _fit(entries)
    side = fitted.intensities[12:]
    assert (np.diff(side) > 0).sum() >= 6
    assert len(np.unique(np.round(side, 1))) >= 7


def test_a_repeated_pass_counts_twice():
    ratings = Ratings.of(IDS, _entries(passes=2))
    assert ratings.names == ("someone#1", "someone#2")
    twice = ratings.taking(["someone#2", "someone#2"])
    assert len(twice.orders) == len(ratings.orders)
    assert set(twice.passes) == {"someone#2"}


def test_fewer_than_four_neutral_texts_are_refused():
    with pytest.raises(ValueFlowError, match=r"3 neutral texts.*at least four"):
        _fit(neutral=(8, 9, 10))


def test_a_single_pass_is_refused():
    with pytest.raises(ValueFlowError, match=r"1 rating pass.*at least two"):
        _fit(_entries(passes=1))


def test_a_text_that_nobody_rated_is_refused():
    with pytest.raises(ValueFlowError, match=r"\[20\] have no rating"):
        _fit(ids=[*IDS, "t20"])


def test_ratings_of_unknown_texts_are_refused_and_named():
    entries = _entries()
    with pytest.raises(ValueFlowError, match=r"rating 1 names unknown texts \['t1\d'"):
        Ratings.of(IDS[:10], entries)


@pytest.mark.parametrize("fault", ["line lacks a text", "order lacks a text", "text twice"])
def test_an_order_and_a_line_of_different_texts_are_refused(fault):
    entries = _entries()
    entry = entries[2]
    if fault == "line lacks a text":
        entry["line"].pop(entry["order"][0])
    elif fault == "order lacks a text":
        entry["order"] = entry["order"][1:]
    else:
        entry["order"] = [*entry["order"], entry["order"][0]]
    with pytest.raises(ValueFlowError, match="rating 3: order and line"):
        Ratings.of(IDS, entries)


def test_concordance_is_one_for_raters_who_agree_and_low_for_chance():
    row = np.arange(10.0)
    assert kendall_w(np.stack([row, row * 2, row + 5])) == pytest.approx(1)
    assert kendall_w(np.stack([row, -row])) == pytest.approx(0)
    rng = np.random.default_rng(0)
    assert kendall_w(rng.normal(size=(20, 30))) < 0.15


def test_concordance_corrects_for_ties():
    """Raters who tie the same texts agree wholly; uncorrected, ties look like disagreement."""
    row = np.array([1.0, 1, 1, 2, 2, 2, 3, 3, 3])
    assert kendall_w(np.stack([row, row, row])) == pytest.approx(1)
