"""The mean of a cell is the population's, not the average of shrunken estimates."""

from __future__ import annotations

import dataclasses
from itertools import permutations

import numpy as np
import pytest
from scipy.stats import binom
from valueflow_scorers import Cell, JudgeProfile, ValueFlowError, cell_mean, reestimate
from valueflow_scorers._plackett_luce import SCALE
from valueflow_scorers._posterior import moments

NOISY = JudgeProfile("planted", tau=2.3, omegas=(0.0,))


def _cell(make_panel, planted_judge, measure, mean, sd, n, seed, profile=NOISY, **rest):
    truth = np.random.default_rng(seed).normal(mean, sd, n)
    judge = planted_judge(tau=profile.tau, omega=profile.omega, seed=seed)
    return measure(rest.pop("panel", make_panel()), judge, truth, profile, **rest), truth


@pytest.mark.parametrize("mean", [7.0, -7.0, 0.0])
def test_a_cell_s_mean_is_unbiased_where_averages_of_estimates_shrink(
    make_panel, planted_judge, measure, mean
):
    """100 responses from N(7, 1.5), judged with noise; pooled over six such cells."""
    means, averages = [], []
    for seed in range(6):
        found, truth = _cell(make_panel, planted_judge, measure, mean, 1.5, 100, seed)
        cell = cell_mean(found)
        assert abs(cell.mean - truth.mean()) < 3.5 * cell.stderr
        means.append(cell.mean - truth.mean())
        averages.append(np.mean([one.intensity for one in found]) - truth.mean())
    assert abs(np.mean(means)) < 0.25
    if mean:
        assert np.mean(averages) * np.sign(mean) < -0.4, "toward the middle of the scale"
        assert abs(np.mean(means)) < abs(np.mean(averages)) / 2


def test_one_cell_of_100_is_within_three_tenths_and_its_plain_average_is_not(
    make_panel, planted_judge, measure
):
    found, truth = _cell(make_panel, planted_judge, measure, 7.0, 1.5, 100, 1)
    assert cell_mean(found).mean == pytest.approx(truth.mean(), abs=0.3)
    assert np.mean([one.intensity for one in found]) < truth.mean() - 0.3


def test_a_cell_s_interval_covers_the_population_s_mean(make_panel, planted_judge, measure):
    hits = 0
    for seed in range(40):
        mean = np.random.default_rng(100 + seed).uniform(-8, 8)
        found, _ = _cell(make_panel, planted_judge, measure, mean, 2.0, 16, seed)
        low, high = cell_mean(found).interval(0.9)
        hits += low <= mean <= high
    least, most = binom.interval(0.999, 40, 0.9)
    assert least <= hits <= most


def test_a_cell_near_the_end_does_not_stop_short_of_it(make_panel, planted_judge, measure):
    found, truth = _cell(make_panel, planted_judge, measure, 9.0, 1.0, 100, 3)
    cell = cell_mean(found)
    assert cell.mean == pytest.approx(truth.mean(), abs=0.5)
    assert cell.interval()[1] <= 10


def test_label_error_shared_by_all_responses_enters_the_error(make_panel, planted_judge, measure):
    labels = np.array([anchor.intensity for anchor in make_panel().anchors])
    shift = np.random.default_rng(0).normal(0, 1, (32, 1))
    panels = {
        "none": make_panel(),
        "apart": make_panel(stderr=1.0),
        "together": make_panel(draws=labels + shift),
    }
    cells = {}
    for name, panel in panels.items():
        found, _ = _cell(make_panel, planted_judge, measure, 2.0, 1.0, 150, 0, panel=panel)
        cells[name] = cell_mean(found)
    actual = np.std(shift, ddof=1)
    assert cells["together"].stderr > 0.9 * actual
    assert cells["none"].stderr < 0.5 * actual
    assert cells["none"].stderr < cells["apart"].stderr < cells["together"].stderr
    widths = {name: np.diff(cell.interval(0.9))[0] for name, cell in cells.items()}
    assert widths["together"] > 0.9 * 2 * 1.645 * actual
    assert widths["none"] < widths["apart"]


def test_more_responses_do_not_average_out_label_error(make_panel, planted_judge, measure):
    labels = np.array([anchor.intensity for anchor in make_panel().anchors])
    panel = make_panel(draws=labels + np.random.default_rng(0).normal(0, 1, (32, 1)))
    few, many = (
        cell_mean(_cell(make_panel, planted_judge, measure, 2.0, 1.0, n, 0, panel=panel)[0])
        for n in (30, 300)
    )
    assert 0.75 < many.stderr / few.stderr <= 1


def test_more_responses_average_out_their_own_errors(make_panel, planted_judge, measure):
    few, many = (
        cell_mean(_cell(make_panel, planted_judge, measure, 2.0, 1.0, n, 0)[0]).stderr
        for n in (25, 225)
    )
    assert many / few == pytest.approx(1 / 3, rel=0.35)


def test_copies_of_a_text_are_not_independent_evidence(make_panel, planted_judge, measure):
    """What a judge misreads in a text it misreads in every copy."""
    profile = JudgeProfile("planted", tau=1.0, omegas=(1.5,))
    judge = planted_judge(tau=1.0, omega=1.5)
    thetas = [3.0] * 40
    apart = cell_mean(measure(make_panel(), judge, thetas, profile))
    copies = cell_mean(measure(make_panel(), judge, thetas, profile, texts=["same words"] * 40))
    assert copies.stderr > 1.1, "omega remains, however many copies"
    assert apart.stderr < 0.6 * copies.stderr


def test_copies_read_alike_count_as_one_reading(make_panel, read):
    readings = [(3.0, 2.0)] * 30
    same = cell_mean(read(make_panel(), readings, texts={f"r{i}": "same" for i in range(30)}))
    [one] = read(make_panel(), readings[:1])
    assert same.n == 30
    assert same.stderr > 0.8 * one.stderr


def test_the_same_sentences_in_other_orders_are_copies(make_panel, read):
    """Three sentences make six texts: no more is known than of one."""
    told = ["I like to lead.", "Others follow me!", "That is how it should be."]
    orders = [" ".join(order) for order in permutations(told)]
    readings = [(3.0, 2.0)] * 60
    shuffled = cell_mean(
        read(make_panel(), readings, texts={f"r{i}": orders[i % 6] for i in range(60)})
    )
    apart = cell_mean(read(make_panel(), readings))
    [one] = read(make_panel(), readings[:1])
    assert shuffled.stderr > 0.8 * one.stderr
    assert apart.stderr < 0.3 * one.stderr


def test_copies_are_no_evidence_either_where_some_may_not_belong(make_panel, read):
    """A mixture, as value profiles take it."""
    readings, shares = [(3.0, 2.0)] * 30, np.full(30, 0.9)
    background = np.full(len(SCALE), 1 / len(SCALE))
    copies = {f"r{i}": "same" for i in range(30)}
    errors = []
    for texts in (copies, None):
        cell = Cell(read(make_panel(), readings, texts=texts))
        believed = cell.mixture_posterior(shares, background)
        assert believed.sum() == pytest.approx(1)
        errors.append(float(moments(believed[None])[1][0]))
    same, apart = errors
    assert apart < 0.6
    assert same == pytest.approx(2.0, abs=0.2), "that of one reading"


def test_texts_of_something_else_make_no_evidence_of_copies(make_panel, read):
    """A hundred texts that hardly belong to the cell stand beside twelve copies that do."""
    background = np.exp(-0.5 * ((SCALE + 6) / 1.0) ** 2)
    background /= background.sum()
    texts = {f"r{i}": "same" for i in range(12)}
    errors = []
    for others in (0, 100):
        readings = [(4.0, 2.0)] * 12 + [(-6.0, 2.0)] * others
        shares = np.array([1.0] * 12 + [0.2] * others)
        cell = Cell(read(make_panel(), readings, texts=texts))
        errors.append(float(moments(cell.mixture_posterior(shares, background)[None])[1][0]))
    alone, beside = errors
    assert alone == pytest.approx(2.0, abs=0.2)
    assert beside > 0.9 * alone


def test_a_mean_scatters_as_its_error_says_where_texts_share_sentences(make_panel, read):
    """Each text is three of eight sentences, and is misread as they are, by their words."""
    rng = np.random.default_rng(0)
    words = rng.integers(4, 20, 8)
    sentences = [" ".join([f"s{number}"] * count) + "." for number, count in enumerate(words)]
    means, stated = [], []
    for _ in range(40):
        off, readings, texts = rng.normal(size=8), [], {}
        for i in range(40):
            own = rng.choice(8, 3, replace=False)
            wrong = 2.0 * (words[own] @ off[own]) / np.linalg.norm(words[own])
            readings.append((float(wrong), 2.0))
            texts[f"r{i}"] = " ".join(sentences[number] for number in own)
        cell = cell_mean(read(make_panel(), readings, texts=texts))
        means.append(cell.mean)
        stated.append(cell.stderr)
    assert np.mean(stated) == pytest.approx(np.std(means), rel=0.3)


def test_a_text_counts_in_the_mean_as_often_as_it_was_given(make_panel, read):
    readings = [(0.0, 1.0)] * 30 + [(4.0, 1.0)] * 10
    texts = {f"r{i}": "same" if i < 30 else f"text {i}" for i in range(40)}
    found, apart = (
        cell_mean(read(make_panel(), readings, texts=texts)),
        cell_mean(read(make_panel(), readings)),
    )
    assert found.mean == pytest.approx(apart.mean, abs=0.35)
    assert apart.mean == pytest.approx(1.0, abs=0.2)
    # Three quarters of the mean rest on one text.
    assert found.stderr > 0.7


def test_a_cell_of_one_is_hardly_surer_than_its_response(make_panel, read):
    [one] = read(make_panel(), [(1.0, 1.0)])
    cell = cell_mean([one])
    assert cell.mean == pytest.approx(1.0, abs=0.1)
    assert cell.stderr > one.stderr
    assert cell.n == 1


def test_precise_readings_give_the_plain_mean(make_panel, read):
    values = [-3.0, -1.0, 0.5, 2.0, 6.5]
    cell = cell_mean(read(make_panel(), [(value, 0.2) for value in values]))
    assert cell.mean == pytest.approx(np.mean(values), abs=0.1)
    assert cell.stderr == pytest.approx(np.std(values, ddof=1) / np.sqrt(5), rel=0.35)


def test_unscored_responses_are_left_out_and_not_counted(make_panel, read):
    found = read(make_panel(), [(1.0, 1.0), (2.0, 1.0), (3.0, 1.0)])
    missing = dataclasses.replace(found[0], reason="judge refused", log_likelihood=None)
    cell = cell_mean([missing, *found[1:]])
    assert cell.n == 2
    assert cell.mean == cell_mean(found[1:]).mean


@pytest.mark.parametrize("field", ["value", "panel", "profile"])
def test_what_was_not_measured_alike_is_not_averaged(make_panel, read, field):
    one, other = read(make_panel(), [(1.0, 1.0), (2.0, 1.0)])
    with pytest.raises(ValueFlowError, match="mixes"):
        cell_mean([one, dataclasses.replace(other, **{field: "another"})])


def test_a_cell_without_a_number_has_no_mean(make_panel, read):
    found = read(make_panel(), [(1.0, 1.0)])
    nothing = dataclasses.replace(found[0], reason="empty response", log_likelihood=None)
    for cell in ([], [nothing] * 3):
        with pytest.raises(ValueFlowError, match=f"none of {len(cell)}"):
            cell_mean(cell)


def test_copies_in_estimates_that_were_saved_before_sentences_were_are_copies(make_panel, read):
    """Then they held a hash of the whole text."""
    saved = [one.to_dict() for one in read(make_panel(), [(3.0, 2.0)] * 30)]
    profile = JudgeProfile("reading", omegas=(0.0,))
    stderrs = []
    for texts in (["same"] * 30, [f"text {i}" for i in range(30)]):
        old = [{**one, "text": text} for one, text in zip(saved, texts, strict=True)]
        for one in old:
            one.pop("sentences", None)
        stderrs.append(cell_mean(reestimate(make_panel(), profile, old)).stderr)
    assert stderrs[0] > 1.6
    assert stderrs[1] < 0.6


def test_saved_estimates_must_be_recomputed_before_they_are_averaged(make_panel, read):
    found = [dataclasses.replace(one, log_likelihood=None) for one in read(make_panel(), [(1, 1)])]
    with pytest.raises(ValueFlowError, match="reestimate"):
        cell_mean(found)


def test_intervals_of_means_are_nested_and_hold_the_mean(make_panel, read):
    cell = cell_mean(read(make_panel(), [(value, 1.0) for value in (2.0, 4.0, 5.0)]))
    previous = cell.mean, cell.mean
    for mass in (0.3, 0.6, 0.9, 0.99):
        low, high = cell.interval(mass)
        assert -10 <= low < previous[0] <= previous[1] < high <= 10
        previous = low, high


@pytest.mark.parametrize("mass", [0.0, 1.0, 1.5, -0.1])
def test_an_interval_of_a_mean_needs_a_mass_between_none_and_all(make_panel, read, mass):
    cell = cell_mean(read(make_panel(), [(2.0, 1.0)]))
    with pytest.raises(ValueFlowError, match="between 0 and 1"):
        cell.interval(mass)


def test_resampled_means_are_the_means_of_the_resampled(make_panel, read):
    found = read(make_panel(), [(value, 1.0) for value in (-2.0, 0.0, 3.0)])
    cell = Cell(found)
    counts = np.array([[1.0, 1, 1], [2, 0, 1]])
    resampled = cell.means(counts)
    assert resampled[0] == pytest.approx(cell_mean(found).mean)
    twice = [found[0], dataclasses.replace(found[0], sentences={"another": 1}), found[2]]
    assert resampled[1] == pytest.approx(cell_mean(twice).mean, abs=1e-6)
