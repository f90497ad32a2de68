"""A judge whose errors are planted gets a profile that names them."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import math

import numpy as np
import pytest
from valueflow_scorers import (
    AnchorEvaluator,
    Judgement,
    JudgeProfile,
    Response,
    ValueFlowError,
    afit_profile,
    fit_profile,
)
from valueflow_scorers._calibrate import resolve_profile
from valueflow_scorers._calibration_windows import draw_calibration
from valueflow_scorers.judges import resolve_judge

SENTINELS = (-8.0, -4.0, 0.0, 4.0, 8.0, 2.0)
BIAS = np.array([2.0, -0.5, 0.3, -1.2, 0.0, -0.6])


@pytest.fixture(scope="module")
def panels(make_panel):
    return [make_panel(f"test/v{i}", sentinels=SENTINELS) for i in range(4)]


@pytest.fixture(scope="module")
def planted(panels, planted_judge):
    """A judge with every kind of error, and its profile from 1,200 windows, pooled."""
    judge = planted_judge(tau=1.0, omega=1.0, bias=BIAS - BIAS.mean(), seed=2)
    return judge, fit_profile(judge, panels, windows=1200)


def test_planted_noise_comes_back(planted):
    assert planted[1].tau == pytest.approx(1.0, rel=0.08)


def test_planted_persistent_misreading_comes_back(planted, panels):
    judge, profile = planted
    actual = np.std([judge.misreading(text.text) for panel in panels for text in panel.texts])
    assert profile.omega == pytest.approx(actual, rel=0.12)


def test_planted_slot_bias_comes_back(planted):
    np.testing.assert_allclose(planted[1].slot_bias, planted[0].bias, atol=0.15)


def test_slot_bias_sums_to_zero(planted):
    assert sum(planted[1].slot_bias) == pytest.approx(0, abs=1e-3)


def _offsets(planted, panels):
    judge, profile = planted
    true = np.array([judge.misreading(text.text) for panel in panels for text in panel.texts])
    seen = [profile.panels[panel.value] for panel in panels]
    found = np.concatenate([one.offsets for one in seen])
    return true, found, np.concatenate([np.sqrt(np.diag(one.covariance)) for one in seen])


def test_where_a_judge_sees_a_text_is_found_better_than_its_label_says(planted, panels):
    true, found, _ = _offsets(planted, panels)
    assert np.sqrt(np.mean((found - true) ** 2)) < 0.5 * np.sqrt(np.mean(true**2))


def test_the_offsets_own_errors_are_honest(planted, panels):
    true, found, sd = _offsets(planted, panels)
    assert 0.75 < np.std((found - true) / sd) < 1.25


def test_a_judge_that_sees_true_intensities_beats_wrong_labels(make_panel, planted_judge):
    """Label errors within their stderr are found from the orders, not only persistent reading."""
    panel = make_panel(stderr=1.0, sentinels=SENTINELS)
    errors = np.random.default_rng(0).normal(0, 1.0, len(panel.texts))
    truth = {
        text.text: text.intensity + error for text, error in zip(panel.texts, errors, strict=True)
    }
    profile = fit_profile(planted_judge(tau=0.8, truth=truth), [panel], windows=400)
    found = np.array(profile.panels[panel.value].offsets)
    assert np.std(found - errors) < 0.5 * np.std(errors)
    assert profile.omega < 0.4


@pytest.mark.parametrize("tau", [0.4, 3.0])
def test_quiet_and_noisy_judges_are_told_apart(panels, planted_judge, tau):
    profile = fit_profile(planted_judge(tau=tau, seed=5), panels)
    assert profile.tau == pytest.approx(tau, rel=0.12)
    assert profile.omega < 0.35


@pytest.mark.parametrize("k", [2, 4, 10])
def test_other_window_sizes_are_calibrated_too(make_panel, planted_judge, k):
    # Many panels: a judge that orders the same window alike each time repeats its noise.
    panels = [make_panel(f"test/w{i}", sentinels=SENTINELS) for i in range(24)]
    profile = fit_profile(planted_judge(tau=1.2, seed=1), panels, k=k, windows=4800 // k)
    assert profile.tau == pytest.approx(1.2, rel=0.15)
    assert len(profile.slot_bias) == k


def test_a_profile_from_few_windows_stays_near_the_prior(make_panel, planted_judge):
    panel = make_panel(sentinels=SENTINELS)
    for tau, seed in [(0.01, 0), (0.01, 1), (8.0, 0), (8.0, 1)]:
        few = fit_profile(planted_judge(tau=tau, seed=seed), [panel], windows=2, seed=seed)
        assert abs(math.log(few.tau / 1.5)) < 1.0, "under two prior sds"
        many = fit_profile(planted_judge(tau=tau, seed=seed), [panel], windows=400, seed=seed)
        assert abs(math.log(many.tau / 1.5)) > 1.3, "many windows overrule the prior"


def test_calibration_is_the_same_each_time_and_moves_with_the_seed(panels, planted_judge):
    def fitted(seed):
        return fit_profile(planted_judge(), panels[:1], windows=60, seed=seed)

    assert fitted(0).fingerprint == fitted(0).fingerprint
    assert fitted(0).fingerprint != fitted(1).fingerprint


def test_every_text_is_shown_about_equally_often(panels, planted_judge):
    class Counting(planted_judge):
        shown: tuple = ()

        async def judge(self, windows):
            self.shown += tuple(item.key for w in windows for item in w.items)
            assert all(w.response_index is None for w in windows[1:])
            return await super().judge(windows)

    judge = Counting(truth={text.text: text.intensity for text in panels[0].texts})
    fit_profile(judge, panels[:1], windows=100)
    counts = [judge.shown.count(text.key) for text in panels[0].texts]
    assert max(counts) - min(counts) <= 3


def test_the_async_twin_gives_the_same_profile(panels, planted_judge):
    direct = asyncio.run(afit_profile(planted_judge(), panels[:1], windows=60))
    assert direct == fit_profile(planted_judge(), panels[:1], windows=60)


def test_calibration_works_inside_a_running_event_loop(panels, planted_judge):
    async def main():
        return fit_profile(planted_judge(), panels[:1], windows=60)

    assert asyncio.run(main()).calibrated


def test_failed_windows_are_counted_by_reason(panels, planted_judge):
    class Sometimes(planted_judge):
        async def judge(self, windows):
            found = await super().judge(windows)
            for i in range(0, len(found), 4):
                found[i] = Judgement(failure="timeout")
            if len(found) > 1:
                found[1] = Judgement(order=(0, 0, 1, 2, 3, 4))
            return found

    profile = fit_profile(Sometimes(), panels[:1], windows=100)
    assert profile.failures == {"timeout": 25, "order is no permutation of the window": 1}
    assert profile.windows == 100
    assert profile.calibrated


def test_a_judge_that_fails_every_window_gets_no_profile(panels):
    class Broken:
        name = "broken"

        async def judge(self, windows):
            return [Judgement(failure="timeout") for _ in windows]

    with pytest.raises(ValueFlowError, match=r"'broken' failed all 16 .*no more.*timeout"):
        fit_profile(Broken(), panels[:1], windows=40)


def test_a_judge_that_skips_windows_is_refused_in_words(panels):
    class Short:
        async def judge(self, windows):
            return [Judgement(order=tuple(range(6))) for _ in windows][:-1]

    with pytest.raises(ValueFlowError, match="one per window"):
        fit_profile(Short(), panels[:1], windows=10)


def test_no_panels_and_panels_too_small_are_refused(make_panel, planted_judge):
    with pytest.raises(ValueFlowError, match="at least one"):
        fit_profile(planted_judge(), [])
    with pytest.raises(ValueFlowError, match=r"'test/tiny' has 5 texts; k=6"):
        fit_profile(planted_judge(), [make_panel("test/tiny", range(5))])


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"k": 1}, "2 to 10 items"),
        ({"k": 11}, "2 to 10 items"),
        ({"windows": 0}, "at least 1 window"),
        ({"windows": -3}, "at least 1 window"),
        ({"windows": 100.5}, r"windows=100\.5: give a whole number"),
        ({"layout": "response-lats"}, "response-last"),
        ({"k": 9}, r"'test/second' has 6 anchors and k=9 needs at least 8"),
        ({"k": 7, "layout": "response-last"}, r"'test/second' has 6 anchors; .*k=7"),
    ],
)
def test_what_cannot_be_drawn_is_refused_before_a_judge_is_asked(
    make_panel, planted_judge, given, words
):
    class Asked(planted_judge):
        async def judge(self, windows):
            raise AssertionError("asked")

    panels = [make_panel("test/first"), make_panel("test/second", range(6), sentinels=SENTINELS)]
    with pytest.raises(ValueFlowError, match=words):
        fit_profile(Asked(), panels, **given)


@pytest.mark.parametrize("failing", [1, 7])
def test_a_reader_whose_first_calls_fail_is_a_reader_still(make_panel, reading_judge, failing):
    class Unreliable(reading_judge):
        async def judge(self, windows):
            found = await super().judge(windows)  # which insists on windows with a response
            lost = range(self.asked - len(windows), min(self.asked, failing))
            return [Judgement(failure="timeout") for _ in lost] + found[len(lost) :]

    panel = make_panel(sentinels=SENTINELS)
    judge = Unreliable({text.text: text.intensity for text in panel.texts})
    profile = fit_profile(judge, [panel])
    assert profile.windows == len(SENTINELS)
    assert not profile.panels
    with pytest.raises(ValueFlowError, match="reads responses one by one"):
        fit_profile(judge, [panel], layout="response-last")


def test_no_calibration_window_is_asked_twice(make_panel):
    """One that is answered alike both times would pass for two."""
    panel = make_panel(sentinels=SENTINELS)
    windows = [window.items for _, window in draw_calibration([panel], 2, 640, 0)]
    assert len(set(windows)) == len(windows) == 640
    tiny = make_panel("test/tiny", range(4))
    assert len(draw_calibration([tiny], 2, 100, 0)) == 12, "all there are"


@pytest.mark.parametrize("k", [2, 3, 6])
def test_a_judge_that_answers_alike_each_time_does_not_pass_for_less_noisy(
    make_panel, planted_judge, k
):
    panel = make_panel(sentinels=SENTINELS)
    found = [
        fit_profile(planted_judge(tau=1.5, seed=seed), [panel], k=k, seed=seed).tau
        for seed in range(8)
    ]
    assert np.mean(found) == pytest.approx(1.5, abs=3 * np.std(found) / math.sqrt(7))


@pytest.mark.parametrize("error", [0.0, 3.0])
def test_what_a_reading_judge_errs_beyond_its_own_sd_is_omega(make_panel, reading_judge, error):
    panels = [make_panel(f"test/r{i}", sentinels=np.linspace(-9, 9, 30)) for i in range(8)]
    truth = {text.text: text.intensity for panel in panels for text in panel.texts}
    profile = fit_profile(reading_judge(truth, sd=1.0, error=error), panels)
    assert profile.omega == pytest.approx(error, abs=0.35)
    assert profile.windows == 240, "sentinels alone are asked for"
    assert not profile.slot_bias


def test_a_reading_judge_is_measured_on_anchors_where_there_are_no_sentinels(
    make_panel, reading_judge
):
    panel = make_panel()
    judge = reading_judge({text.text: text.intensity for text in panel.texts})
    assert fit_profile(judge, [panel]).windows == len(panel.anchors)


def test_a_profile_survives_its_file(planted, tmp_path):
    profile = planted[1]
    profile.save(tmp_path / "p.json")
    loaded = JudgeProfile.load(tmp_path / "p.json")
    assert loaded == profile
    assert loaded.fingerprint == profile.fingerprint
    assert JudgeProfile.from_dict(json.loads(json.dumps(profile.to_dict()))) == profile


@pytest.mark.parametrize(
    "content", ["{}", "[]", "not json", "null", '{"judge": "x", "panels": 3, "slot_bias": []}',
                '{"judge": "x", "panels": {}, "slot_bias": [], "strange": 1}'],
)  # fmt: skip
def test_a_file_that_holds_no_profile_is_refused(tmp_path, content):
    path = tmp_path / "p.json"
    path.write_text(content)
    with pytest.raises(ValueFlowError, match="profile"):
        JudgeProfile.load(path)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"tau": 0}, "tau=0: give a number > 0"),
        ({"tau": -1}, "tau=-1: give"),
        ({"tau": math.nan}, "tau=nan: give"),
        ({"tau": "x"}, "no judge profile"),
        ({"slope": 0}, "slope=0: give"),
        ({"residual": math.inf}, "residual=inf: give"),
        ({"omegas": []}, r"omegas=\[\]: give one or more"),
        ({"omegas": [0.5, -0.1]}, r"omegas=\[0\.5, -0\.1\]: give"),
        ({"slot_bias": [0.1, math.nan]}, "slot_bias=.*finite"),
        ({"layout": "response-lats"}, "layout 'response-lats'.*response-last"),
        ({"probabilities_as": "orders"}, "probabilities_as 'orders'.*order"),
    ],
)
def test_a_profile_out_of_range_is_refused_with_its_file(tmp_path, change, words):
    path = tmp_path / "p.json"
    path.write_text(json.dumps({**JudgeProfile("j").to_dict(), **change}))
    with pytest.raises(ValueFlowError, match=rf"p\.json: .*{words}"):
        JudgeProfile.load(path)


def test_a_profile_that_is_no_utf8_is_named(tmp_path):
    path = tmp_path / "p.json"
    path.write_bytes(b'{"judge": "caf\xe9"}')
    with pytest.raises(ValueFlowError, match=r"cannot read the judge profile .*p\.json"):
        JudgeProfile.load(path)


def test_a_profile_is_replaced_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "p.json"
    JudgeProfile("j", tau=1.0).save(path)

    def full(self, *_):
        self.write_bytes(b'{"judge": ')
        raise OSError("no space left on device")

    monkeypatch.setattr("pathlib.Path.write_text", full)
    with pytest.raises(OSError, match="no space"):
        JudgeProfile("j", tau=2.0).save(path)
    assert JudgeProfile.load(path).tau == 1.0


def test_a_missing_profile_file_is_named(tmp_path):
    with pytest.raises(ValueFlowError, match=r"nowhere\.json"):
        JudgeProfile.load(tmp_path / "nowhere.json")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"judge": "another"}, r"describes the judge 'another', not 'planted'"),
        ({"prompt_version": "7"}, r"prompt version '7', this run uses ''"),
        ({"slot_bias": (0.0,) * 5}, r"k=5 and this run has k=6"),
    ],
)
def test_a_profile_of_another_judge_prompt_or_k_is_refused(
    planted, panels, planted_judge, change, words
):
    profile = dataclasses.replace(planted[1], **change)
    with pytest.raises(ValueFlowError, match=words):
        AnchorEvaluator(panels[0], planted_judge(), profile=profile)


def test_a_profile_of_another_version_of_the_panel_is_refused(planted, panels, planted_judge):
    changed = dataclasses.replace(panels[0], definition="reworded")
    with pytest.raises(ValueFlowError, match=rf"{panels[0].fingerprint}.*calibrate"):
        AnchorEvaluator(changed, planted_judge(), profile=planted[1])


def test_a_profile_that_never_saw_a_panel_sees_it_by_its_labels(planted, make_panel):
    panel = make_panel("test/unseen", stderr=0.5)
    locations, covariance = planted[1].view(panel)
    np.testing.assert_array_equal(locations, [text.intensity for text in panel.texts])
    np.testing.assert_allclose(covariance, np.eye(24) * (0.25 + planted[1].omega ** 2))


def test_a_simulated_judge_is_calibrated_on_the_spot_from_at_least_600_windows():
    judge = resolve_judge("simulated:noise=1.5:text=1", [])
    profile = resolve_profile(judge, 6)
    assert profile.calibrated
    assert profile.windows >= 600
    assert profile.judge == judge.name
    assert profile.tau == pytest.approx(1.5, rel=0.15)
    assert profile.omega == pytest.approx(1.0, rel=0.15)
    assert resolve_profile(judge, 6) is profile


def test_the_embedded_judge_brings_its_profile():
    profile = JudgeProfile.from_dict(resolve_profile(resolve_judge("embedded", []), 6).to_dict())
    assert profile.calibrated
    assert profile.judge == "embedded"


def test_any_other_judge_runs_uncalibrated_under_the_fixed_prior(planted_judge):
    profile = resolve_profile(resolve_judge(planted_judge(), []), 6)
    assert (profile.tau, profile.omega, profile.calibrated) == (1.5, 1.0, False)
    assert not profile.bias(6).any()


def test_a_profile_named_by_its_path_is_used_and_checked(planted, tmp_path, planted_judge):
    planted[1].save(tmp_path / "p.json")
    judge = resolve_judge(planted_judge(), [])
    assert resolve_profile(judge, 6, str(tmp_path / "p.json")) == planted[1]
    with pytest.raises(ValueFlowError, match="not 'simulated:noise=1:text=0'"):
        resolve_profile(resolve_judge("simulated", []), 6, str(tmp_path / "p.json"))


def test_without_a_profile_the_call_s_own_windows_give_one(make_panel, planted_judge):
    """Only in the Python API; from the order of the anchors among themselves."""
    panel = make_panel()
    judge = planted_judge(tau=0.6, truth={f"text {i}": i / 10 - 5 for i in range(100)})
    responses = [Response(text, id=text) for text in judge.truth]
    evaluator = AnchorEvaluator(panel, judge, m=4, design="bucket")
    estimates = evaluator.score(responses)
    assert len({one.profile for one in estimates}) == 1
    assert estimates[0].profile != JudgeProfile("planted").fingerprint
    errors = [e.intensity - judge.truth[e.response_id] for e in estimates]
    informed = AnchorEvaluator(
        panel, judge, m=4, design="bucket", profile=JudgeProfile("planted", tau=0.6, omegas=(0,))
    ).score(responses)
    known = [e.intensity - judge.truth[e.response_id] for e in informed]
    assert np.std(errors) < 1.25 * np.std(known)
