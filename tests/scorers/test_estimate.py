"""Known intensities, judged with known errors, come back with honest intervals."""

from __future__ import annotations

import dataclasses
import json
import math

import numpy as np
import pytest
from scipy.stats import binom, truncnorm
from valueflow_scorers import (
    AnchorEvaluator,
    JudgedWindow,
    Judgement,
    JudgeProfile,
    Response,
    ValueFlowError,
    estimate,
    reestimate,
)
from valueflow_scorers._windows import draw_window

EXACT = JudgeProfile("planted", tau=0.3, omegas=(0.0,))


def _band(n: int, p: float = 0.9, level: float = 0.999) -> tuple[float, float]:
    """Between which shares a hit rate of p falls, n times tried."""
    low, high = binom.interval(level, n, p)
    return low / n, high / n


def _coverage(estimates, truth, mass=0.9):
    inside = [low <= t <= high for (low, high), t in zip(
        (one.interval(mass) for one in estimates), truth, strict=True)]  # fmt: skip
    return float(np.mean(inside))


def _judged(panel, judge, response, m=3, k=6, **changes):
    windows = [
        draw_window(panel, response, number, k=k, design="bucket", seed=0) for number in range(m)
    ]
    return [JudgedWindow.of(window, changes.get("verdict") or judge.one(window))
            for window in windows]  # fmt: skip


@pytest.mark.parametrize("theta", [-9.0, -5.0, 0.0, 3.5, 8.0])
def test_an_unknown_intensity_is_recovered(make_panel, planted_judge, measure, theta):
    judge = planted_judge(tau=0.3)
    found = measure(make_panel(), judge, [theta] * 30, EXACT, m=8)
    assert np.mean([one.intensity for one in found]) == pytest.approx(theta, abs=0.15)
    assert max(abs(one.intensity - theta) for one in found) < 1.2


def test_the_stated_error_is_the_error_made(make_panel, planted_judge, measure):
    truth = np.random.default_rng(0).uniform(-8, 8, 300)
    profile = JudgeProfile("planted", tau=1.5, omegas=(0.0,))
    found = measure(make_panel(), planted_judge(tau=1.5), truth, profile)
    errors = [(one.intensity - t) / one.stderr for one, t in zip(found, truth, strict=True)]
    assert np.sqrt(np.mean(np.square(errors))) == pytest.approx(1, abs=0.12)


@pytest.mark.parametrize(("tau", "m"), [(0.5, 3), (1.5, 3), (3.0, 3), (1.5, 12)])
def test_intervals_cover_what_they_promise(make_panel, planted_judge, measure, tau, m):
    truth = np.random.default_rng(int(10 * tau) + m).uniform(-10, 10, 400)
    profile = JudgeProfile("planted", tau=tau, omegas=(0.0,))
    found = measure(make_panel(), planted_judge(tau=tau), truth, profile, m=m)
    for mass in (0.5, 0.9):
        low, high = _band(400, mass)
        assert low <= _coverage(found, truth, mass) <= high, mass


@pytest.mark.parametrize(("omega", "m"), [(0.5, 3), (1.5, 3), (1.0, 20)])
def test_intervals_cover_under_persistent_misreading(make_panel, planted_judge, measure, omega, m):
    """No number of windows removes what a judge persistently misreads."""
    panel, n = make_panel(), 100 if m > 3 else 200
    truth = np.random.default_rng(4).uniform(-10, 10, n)
    coverage = []
    for seed in range(4):  # the anchors' misreadings are shared by a panel's responses
        judge = planted_judge(tau=1.0, omega=omega, seed=seed)
        profile = JudgeProfile("planted", tau=1.0, omegas=(omega,))
        coverage.append(_coverage(measure(panel, judge, truth, profile, m=m), truth))
    assert 0.86 <= np.mean(coverage) <= 0.94, coverage


def test_intervals_that_ignore_misreading_would_not_cover(make_panel, planted_judge, measure):
    """The test above would notice."""
    truth = np.random.default_rng(4).uniform(-9, 9, 120)
    judge = planted_judge(tau=1.0, omega=1.5)
    profile = JudgeProfile("planted", tau=1.0, omegas=(0.0,))
    assert _coverage(measure(make_panel(), judge, truth, profile, m=20), truth) < 0.7


@pytest.mark.parametrize("stderr", [0.5, 1.0])
def test_intervals_cover_where_labels_err(make_panel, planted_judge, measure, stderr):
    panel, coverage = make_panel(stderr=stderr), []
    truth = np.random.default_rng(5).uniform(-10, 10, 150)
    profile = JudgeProfile("planted", tau=1.0, omegas=(0.0,))
    for seed in range(6):
        errors = np.random.default_rng(seed).normal(0, stderr, len(panel.anchors))
        real = {a.text: a.intensity + e for a, e in zip(panel.anchors, errors, strict=True)}
        judge = planted_judge(tau=1.0, truth=real, seed=seed)
        coverage.append(_coverage(measure(panel, judge, truth, profile, m=5), truth))
    assert 0.86 <= np.mean(coverage) <= 0.94, coverage


@pytest.mark.parametrize("theta", [-10.0, 10.0])
@pytest.mark.parametrize("omega", [0.0, 1.0])
def test_intervals_cover_at_the_ends_of_the_scale(make_panel, planted_judge, measure, theta, omega):
    panel, coverage = make_panel(), []
    for seed in range(3):
        judge = planted_judge(tau=1.0, omega=omega, seed=seed)
        profile = JudgeProfile("planted", tau=1.0, omegas=(omega,))
        found = measure(panel, judge, [theta] * 150, profile)
        coverage.append(_coverage(found, [theta] * 150))
    assert np.mean(coverage) >= 0.87, coverage


def test_a_response_beyond_all_drawn_anchors_is_not_clamped_to_them(
    make_panel, planted_judge, measure
):
    panel = make_panel(intensities=np.linspace(-7, 7, 24))
    judge = planted_judge(tau=0.2)
    profile = JudgeProfile("planted", tau=0.2, omegas=(0.0,))
    top, bottom = measure(panel, judge, [10.0, -10.0], profile)
    assert top.intensity > 8
    assert bottom.intensity < -8


def test_more_windows_give_a_smaller_error(make_panel, planted_judge, measure):
    profile = JudgeProfile("planted", tau=1.5, omegas=(0.0,))
    truth = np.linspace(-6, 6, 40)
    sds = [
        np.mean([one.stderr for one in measure(make_panel(), planted_judge(tau=1.5), truth,
                                               profile, m=m)])
        for m in (1, 3, 9)
    ]  # fmt: skip
    assert sds[0] > sds[1] > sds[2] > 0


def test_label_error_and_misreading_widen_the_same_judgements(make_panel, planted_judge):
    response, judge = Response("x", id="r"), planted_judge(truth={"x": 2.0})
    judged = {"r": _judged(make_panel(), judge, response)}
    plain = estimate(make_panel(), JudgeProfile("p", tau=1.0, omegas=(0.0,)), judged)[0]
    labelled = estimate(make_panel(stderr=1.5), JudgeProfile("p", tau=1.0, omegas=(0.0,)), judged)[
        0
    ]
    misread = estimate(make_panel(), JudgeProfile("p", tau=1.0, omegas=(1.5,)), judged)[0]
    assert labelled.stderr > plain.stderr * 1.05
    assert misread.stderr > labelled.stderr
    assert labelled.label_error > 0.3
    assert plain.label_error == 0


def test_labels_that_err_together_widen_more_than_labels_that_err_apart(make_panel, planted_judge):
    rng = np.random.default_rng(1)
    labels = np.array([a.intensity for a in make_panel().anchors])
    judged = {"r": _judged(make_panel(), planted_judge(truth={"x": 2.0}), Response("x", id="r"))}
    together = make_panel(draws=labels + rng.normal(0, 1, (32, 1)))
    apart = make_panel(draws=labels + rng.normal(0, 1, (32, 24)))
    profile = JudgeProfile("p", tau=1.0, omegas=(0.0,))
    [wide], [narrow] = (estimate(panel, profile, judged) for panel in (together, apart))
    assert wide.label_error == pytest.approx(np.std(together.draws[:, 0], ddof=1), rel=0.05)
    assert narrow.label_error < 0.8 * wide.label_error


def test_slot_bias_that_the_profile_knows_is_taken_off(make_panel, planted_judge, measure):
    bias = np.array([4.0, -0.8, -0.8, -0.8, -0.8, -0.8])
    truth = np.linspace(-7, 7, 80)
    biased = JudgeProfile("planted", tau=1.0, omegas=(0.0,), slot_bias=tuple(bias))
    fair = JudgeProfile("planted", tau=1.0, omegas=(0.0,))
    errors = [
        np.mean([one.intensity for one in found]) - truth.mean()
        for found in (
            measure(make_panel(), planted_judge(tau=1.0, bias=bias), truth, biased),
            measure(make_panel(), planted_judge(tau=1.0), truth, fair),
        )
    ]
    assert errors[0] == pytest.approx(errors[1], abs=0.3)


def test_an_estimate_does_not_depend_on_what_else_is_estimated(make_panel, planted_judge, measure):
    panel, judge = make_panel(stderr=0.5), planted_judge()
    all_of_them = measure(panel, judge, np.linspace(-9, 9, 20), EXACT)
    judged = {one.response_id: one.windows for one in all_of_them}
    for one in all_of_them[::6]:
        [alone] = estimate(panel, EXACT, {one.response_id: judged[one.response_id]})
        assert alone.intensity == pytest.approx(one.intensity, abs=1e-6)
        assert alone.interval() == pytest.approx(one.interval(), abs=1e-6)


@pytest.mark.parametrize(
    ("value", "sd", "omega"), [(3, 1, 0), (-6, 2, 1.5), (9.5, 2, 0), (0, 6, 1)]
)
def test_a_reading_gives_the_normal_posterior_on_the_scale(make_panel, read, value, sd, omega):
    [one] = read(make_panel(), [(value, sd)], omega=omega)
    width = math.hypot(sd, omega)
    expected = truncnorm((-10 - value) / width, (10 - value) / width, value, width)
    assert one.intensity == pytest.approx(expected.mean(), abs=0.05)
    assert one.stderr == pytest.approx(expected.std(), abs=0.05)
    low, high = one.interval(0.9)
    assert expected.cdf(high) - expected.cdf(low) == pytest.approx(0.9, abs=0.01)


def test_windows_of_different_sizes_count_together(make_panel, planted_judge):
    panel, judge, response = make_panel(), planted_judge(truth={"x": 4.0}), Response("x", id="r")
    small = _judged(panel, judge, response, m=2, k=3)
    large = _judged(panel, judge, response, m=2, k=6)
    both, alone = (
        estimate(panel, JudgeProfile("p", omegas=(0.0,)), {"r": windows})[0]
        for windows in (small + large, large)
    )
    assert both.stderr < alone.stderr


@pytest.mark.parametrize("mass", [0.0, 1.0, -0.1, 1.5, math.nan])
def test_an_interval_needs_a_mass_between_none_and_all(make_panel, read, mass):
    [one] = read(make_panel(), [(1.0, 1.0)])
    with pytest.raises(ValueFlowError, match="between 0 and 1"):
        one.interval(mass)


def test_intervals_are_nested_and_on_the_scale(make_panel, read):
    for value in (-10.0, -3.0, 9.9):
        [one] = read(make_panel(), [(value, 2.0)])
        previous = one.interval(0.05)
        for mass in (0.3, 0.6, 0.9, 0.99):
            low, high = one.interval(mass)
            assert -10 <= low < high <= 10
            assert high - low > previous[1] - previous[0]
            previous = low, high


FAILED = Judgement(failure="timeout", raw="words")


def test_without_a_verdict_there_is_no_number_but_a_reason_and_counts(make_panel, planted_judge):
    panel = make_panel()
    windows = _judged(panel, planted_judge(), Response("x", id="r"), verdict=FAILED)
    [one] = estimate(panel, EXACT, {"r": windows})
    assert math.isnan(one.intensity)
    assert math.isnan(one.stderr)
    assert not one.scored
    assert one.failures == {"timeout": 3}
    assert one.reason == "all 3 windows failed: timeout (3)"
    assert all(math.isnan(end) for end in one.interval())


def test_a_failed_window_is_counted_and_moves_nothing(make_panel, planted_judge):
    panel, response = make_panel(), Response("x", id="r")
    good = _judged(panel, planted_judge(truth={"x": 3.0}), response)
    bad = _judged(panel, planted_judge(), response, m=1, verdict=FAILED)
    [with_failure], [without] = (
        estimate(panel, EXACT, {"r": windows}) for windows in (good + bad, good)
    )
    assert with_failure.intensity == without.intensity
    assert with_failure.failures == {"timeout": 1}
    assert len(with_failure.windows) == 4


def test_a_response_nobody_judged_says_so(make_panel):
    [one] = estimate(make_panel(), EXACT, {"r": []})
    assert (one.scored, one.reason) == (False, "no windows")


def test_no_responses_give_no_estimates(make_panel):
    assert estimate(make_panel(), EXACT, {}) == []


def test_a_window_with_a_text_the_panel_lacks_is_refused(make_panel, planted_judge):
    judged = {"r7": _judged(make_panel("test/other"), planted_judge(truth={"x": 1.0}),
                            Response("x", id="r7"))}  # fmt: skip
    with pytest.raises(ValueFlowError, match=r"'r7'.*'test/value'.*score it again"):
        estimate(make_panel(), EXACT, judged)


def test_a_window_without_a_response_measures_nothing(make_panel):
    window = draw_window(make_panel(), Response("x"), 0, k=6, design="bucket", seed=0)
    with pytest.raises(ValueFlowError, match="without a response"):
        JudgedWindow.of(dataclasses.replace(window, response_index=None), FAILED)


def _saved(panel, planted_judge, profile):
    """A scored, a partly failed, an unscored, an empty and a repeated estimate."""
    judge = planted_judge(truth={"x": 3.0, "y": -6.0})
    x, y = Response("x", id="x"), Response("y", id="y")
    judged = {
        "x": _judged(panel, judge, x),
        "y": _judged(panel, judge, y) + _judged(panel, judge, y, m=1, verdict=FAILED),
        "z": _judged(panel, judge, Response("z", id="z"), verdict=FAILED),
    }
    found = estimate(panel, profile, judged, {"x": {"hx": 3}, "y": {"hy": 1}, "z": {"hz": 2}})
    evaluator = AnchorEvaluator(panel, judge, profile=dataclasses.replace(profile, judge="planted"))
    [empty] = evaluator.score([Response(" ", id="e")])
    return [*found, dataclasses.replace(empty, profile=profile.fingerprint), found[0]]


def test_saved_estimates_are_recomputed_to_the_same_numbers(make_panel, planted_judge):
    panel = make_panel(stderr=0.4)
    profile = JudgeProfile("p", tau=1.1, omegas=(0.7,), slot_bias=(0.5, 0, 0, 0, 0, -0.5))
    before = _saved(panel, planted_judge, profile)
    lines = [json.dumps(one.to_dict(), allow_nan=False) for one in before]
    after = reestimate(panel, profile, [json.loads(line) for line in lines])
    for old, new in zip(before, after, strict=True):
        assert new.response_id == old.response_id
        assert (new.sentences, new.value, new.panel, new.profile) == (
            old.sentences, old.value, old.panel, old.profile)  # fmt: skip
        assert new.windows == old.windows
        assert new.failures == old.failures
        assert new.reason == old.reason
        np.testing.assert_allclose(
            [new.intensity, new.stderr, *new.interval(0.8)],
            [old.intensity, old.stderr, *old.interval(0.8)],
            atol=1e-6,
        )
        if old.scored:
            np.testing.assert_allclose(new.log_likelihood, old.log_likelihood, atol=1e-9)
            np.testing.assert_allclose(new.sensitivities, old.sensitivities, atol=1e-12)
            assert new.misreading == old.misreading


def test_saved_readings_are_recomputed_too(make_panel, read):
    panel = make_panel()
    [old] = read(panel, [(2.5, 1.5)], omega=0.5)
    [new] = reestimate(panel, JudgeProfile("reading", omegas=(0.5,)), [old.to_dict()])
    assert (new.intensity, new.stderr, *new.interval()) == pytest.approx(
        (old.intensity, old.stderr, *old.interval()), abs=1e-6)  # fmt: skip


def test_a_saved_estimate_without_a_number_holds_none(make_panel, planted_judge):
    scored, _, unscored, empty, _ = (
        one.to_dict() for one in _saved(make_panel(), planted_judge, EXACT)
    )
    assert {"intensity", "stderr", "low", "high"} <= set(scored)
    for entry in (unscored, empty):
        assert not {"intensity", "stderr", "low", "high"} & set(entry)
        assert entry["reason"]


def test_the_wrong_panel_or_profile_is_refused_and_the_right_one_named(make_panel, planted_judge):
    panel, profile = make_panel(), JudgeProfile("p", tau=1.1)
    saved = [one.to_dict() for one in _saved(panel, planted_judge, profile)]
    with pytest.raises(ValueFlowError, match=rf"'x'.*panel {panel.fingerprint}, not"):
        reestimate(make_panel(stderr=0.1), profile, saved)
    with pytest.raises(ValueFlowError, match=rf"'x'.*profile {profile.fingerprint}, not"):
        reestimate(panel, JudgeProfile("p", tau=1.2), saved)


def test_saved_windows_read_back_as_they_were():
    for verdict in (
        Judgement(order=(1, 0), raw="B > A"),
        Judgement(reading=(1.5, 0.5)),
        Judgement(probabilities=(0.25, 0.75)),
        FAILED,
    ):
        window = JudgedWindow(("a", "r"), 1, verdict)
        assert JudgedWindow.from_dict(json.loads(json.dumps(window.to_dict()))) == window
