"""The evaluator as an outside program meets it."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import math
import subprocess
import sys

import numpy as np
import pytest
import valueflow_scorers
from valueflow_scorers import (
    AnchorEvaluator,
    Judgement,
    JudgeProfile,
    Response,
    ValueFlowError,
    fit_profile,
    load_panel,
)
from valueflow_scorers._measure import Instrument

PROFILE = JudgeProfile("", tau=1.0, omegas=(0.0,))
ORDERED = Judgement(order=tuple(range(6)))


class Scripted:
    """Answers each window by a function; remembers what it was asked, call by call."""

    def __init__(self, answer):
        self.answer, self.calls = answer, []

    async def judge(self, windows):
        self.calls.append(list(windows))
        return [self.answer(window) for window in windows]

    @property
    def windows(self):
        return [window for call in self.calls for window in call]


def _always(judgement):
    return Scripted(lambda window: judgement)


def _by_truth(truth):
    """A perfect judge of responses whose intensity it knows."""

    def answer(window):
        seen = [getattr(i, "intensity", None) for i in window.items]
        seen[window.response_index] = truth[window.items[window.response_index].text]
        return Judgement(order=tuple(sorted(range(len(seen)), key=lambda slot: -seen[slot])))

    return Scripted(answer)


OUTSIDE = '''
import asyncio, json, sys
from valueflow_scorers import (
    Anchor, AnchorEvaluator, IntensityEstimate, Judge, Judgement, JudgeProfile, Panel, Response,
    Window, cell_mean, fit_profile,
)

class Longest:
    """Orders by the number that each text ends in."""
    name = "longest"
    async def judge(self, windows):
        assert all(isinstance(window, Window) for window in windows)
        return [
            Judgement(order=tuple(sorted(
                range(len(w.items)), key=lambda i: -float(w.items[i].text.split()[-1]))))
            for w in windows
        ]

panel = Panel(
    "house/thrift",
    [Anchor(f"I would spend it, {i}", i, query="What now?", stderr=0.2) for i in range(-9, 10)],
    [Anchor(f"Held back, {i}", i) for i in (-8, -4, 0, 4, 8, 2)],
    definition="Spending little.",
)
judge = Longest()
assert isinstance(judge, Judge)
profile = fit_profile(judge, [panel], windows=60)
evaluator = AnchorEvaluator(panel, judge, k=6, m=3, seed=0, profile=profile)
responses = [Response("I keep it: 5.5", "What now?"), Response("Who cares -4.5", id="r2")]
estimates = evaluator.score(responses)
again = asyncio.run(evaluator.ascore(responses))
assert all(isinstance(one, IntensityEstimate) for one in estimates)
assert [one.intensity for one in estimates] == [one.intensity for one in again]
mean = cell_mean(estimates)
heavy = {"torch", "transformers", "inspect_ai", "lm_eval", "sentence_transformers", "matplotlib"}
print(json.dumps({
    "intensities": [one.intensity for one in estimates],
    "intervals": [one.interval(0.9) for one in estimates],
    "mean": [mean.mean, mean.stderr, mean.n], "mean_interval": mean.interval(0.9),
    "heavy": sorted(heavy & set(sys.modules)),
    "profile": JudgeProfile.from_dict(profile.to_dict()).fingerprint == profile.fingerprint,
    "saved": [one.to_dict() for one in estimates],
}))
'''


def test_an_outside_program_can_use_the_contract_alone(tmp_path):
    program = tmp_path / "outside.py"
    program.write_text(OUTSIDE)
    ran = subprocess.run([sys.executable, program], cwd=tmp_path, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    found = json.loads(ran.stdout)
    assert found["intensities"] == pytest.approx([5.5, -4.5], abs=1.0)
    for (low, high), truth in zip(found["intervals"], (5.5, -4.5), strict=True):
        assert low < truth < high
    assert found["mean_interval"][0] < found["mean"][0] < found["mean_interval"][1]
    assert found["mean"][2] == 2
    assert found["heavy"] == [], "the instrument needs no harness and no neural network"
    assert found["profile"]
    assert len(found["saved"]) == 2


def test_importing_the_instrument_loads_nothing_heavy():
    code = (
        "import sys, valueflow_scorers; print([m for m in ('numpy', 'scipy', 'anyio', 'torch',"
        " 'inspect_ai', 'lm_eval') if m in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


def test_everything_in_the_public_face_exists():
    for name in valueflow_scorers.__all__:
        assert getattr(valueflow_scorers, name) is not None
    assert set(dir(valueflow_scorers)) >= set(valueflow_scorers.__all__)
    with pytest.raises(AttributeError, match="no attribute 'IntensityGuess'"):
        valueflow_scorers.IntensityGuess  # noqa: B018


@pytest.mark.parametrize("design", ["bucket", "random", "fixed"])
def test_a_judge_object_that_orders_is_used_and_asked_m_windows(make_panel, design):
    judge = _by_truth({"a": 5.0, "b": -5.0})
    evaluator = AnchorEvaluator(
        make_panel(), judge, k=5, m=4, design=design, profile=JudgeProfile("", tau=0.3, omegas=(0,))
    )
    a, b = evaluator.score([Response("a"), Response("b")])
    assert a.intensity == pytest.approx(5, abs=1.5)
    assert b.intensity == pytest.approx(-5, abs=1.5)
    assert len(a.windows) == len(b.windows) == 4
    assert len(judge.windows) == 8
    assert {len(window.items) for window in judge.windows} == {5}


def test_all_windows_of_a_pass_are_one_batch(make_panel):
    judge = _by_truth({f"t{i}": 0.0 for i in range(7)})
    AnchorEvaluator(make_panel(), judge, m=3, design="bucket", profile=PROFILE).score(
        [Response(f"t{i}") for i in range(7)]
    )
    assert [len(call) for call in judge.calls] == [7, 14]


def test_the_default_design_recovers_intensities(make_panel, planted_judge, measure):
    truth = np.linspace(-9, 9, 60)
    judge = planted_judge(tau=0.8)
    profile = JudgeProfile("planted", tau=0.8, omegas=(0.0,))
    found = measure(make_panel(), judge, truth, profile)
    errors = [one.intensity - theta for one, theta in zip(found, truth, strict=True)]
    assert np.sqrt(np.mean(np.square(errors))) < 1.1


def test_a_judge_that_reads_is_asked_once_per_response(make_panel, reading_judge):
    judge = reading_judge({"a": 4.0, "b": -2.0}, sd=0.1)
    found = AnchorEvaluator(
        make_panel(), judge, m=9, profile=JudgeProfile("", omegas=(0.0,))
    ).score([Response("a"), Response("b")])
    assert judge.asked == 2
    assert [one.intensity for one in found] == pytest.approx([4, -2], abs=0.6)
    assert [len(one.windows) for one in found] == [1, 1]


def test_scoring_is_synchronous_inside_a_running_event_loop(make_panel):
    evaluator = AnchorEvaluator(make_panel(), _by_truth({"a": 1.0}), profile=PROFILE)
    outside = evaluator.score([Response("a")])

    async def main():
        return evaluator.score([Response("a")]), await evaluator.ascore([Response("a")])

    inside, awaited = asyncio.run(main())
    assert outside[0].intensity == inside[0].intensity == awaited[0].intensity


def test_two_event_loops_in_turn_can_use_one_evaluator(make_panel):
    evaluator = AnchorEvaluator(make_panel(), _by_truth({"a": 1.0}), profile=PROFILE)
    found = [asyncio.run(evaluator.ascore([Response("a")]))[0].intensity for _ in range(2)]
    assert found[0] == found[1]


@pytest.mark.parametrize("text", ["", " ", "\n\t  \r\n", "\u00a0\u2003"])
def test_an_empty_response_gets_a_reason_and_never_a_number(make_panel, text):
    judge = _always(ORDERED)
    [one] = AnchorEvaluator(make_panel(), judge, profile=PROFILE).score([Response(text, id="e")])
    assert math.isnan(one.intensity)
    assert math.isnan(one.stderr)
    assert (one.scored, one.reason, one.response_id) == (False, "empty response", "e")
    assert not judge.windows, "no judge is paid for it"


def test_empty_responses_keep_their_place_among_others(make_panel):
    judge = _by_truth({"a": 3.0, "b": -3.0})
    responses = [Response("a", id="1"), Response(" ", id="2"), Response("b", id="3")]
    found = AnchorEvaluator(make_panel(), judge, profile=PROFILE).score(responses)
    assert [one.response_id for one in found] == ["1", "2", "3"]
    assert [one.scored for one in found] == [True, False, True]


def test_no_responses_give_no_estimates_and_ask_nobody(make_panel):
    judge = _always(ORDERED)
    assert AnchorEvaluator(make_panel(), judge, profile=PROFILE).score([]) == []
    assert not judge.windows


def test_a_judge_that_fails_every_window_gives_no_number_and_says_how_many(make_panel):
    judge = _always(Judgement(failure="timeout"))
    found = AnchorEvaluator(make_panel(), judge, m=3, profile=PROFILE).score(
        [Response("a"), Response("b")]
    )
    for one in found:
        assert math.isnan(one.intensity)
        assert one.failures == {"timeout": 6}, "three windows, each retried once"
        assert one.reason == "all 6 windows failed: timeout (6)"
    assert len(judge.windows) == 12


def test_a_failed_window_is_retried_once_with_a_new_shuffle(make_panel):
    seen = set()

    def fails_first(window):
        key = frozenset(item.key for item in window.items), window.items
        first = len(judge.calls) % 2 == 1
        seen.add(key)
        return Judgement(failure="unreadable") if first else answer(window)

    answer = _by_truth({"a": 2.0}).answer
    judge = Scripted(fails_first)
    [one] = AnchorEvaluator(make_panel(), judge, m=3, design="bucket", profile=PROFILE).score(
        [Response("a")]
    )
    assert [len(call) for call in judge.calls] == [1, 1, 2, 2], "each pass, then its failures"
    assert one.scored
    assert one.failures == {"unreadable": 3}
    assert len(one.windows) == 6
    orders = [tuple(item.key for item in window.items) for window in judge.windows]
    assert len(set(orders)) == 6, "a retry shows the items in another order"
    assert one.intensity == pytest.approx(2, abs=2)


def test_only_what_failed_is_retried(make_panel):
    answer = _by_truth({"a": 2.0, "bad": 0.0}).answer
    judge = Scripted(
        lambda window: (
            Judgement(failure="refused")
            if window.items[window.response_index].text == "bad"
            else answer(window)
        )
    )
    good, bad = AnchorEvaluator(make_panel(), judge, m=3, design="bucket", profile=PROFILE).score(
        [Response("a"), Response("bad")]
    )
    assert len(good.windows) == 3
    assert not good.failures
    assert bad.failures == {"refused": 6}


@pytest.mark.parametrize(
    "judgement",
    [Judgement(order=(0, 1, 2)), Judgement(order=(0, 0, 1, 2, 3, 4)), Judgement(reading=(1, 0))],
)
def test_a_judgement_that_does_not_fit_is_a_counted_failure(make_panel, judgement):
    [one] = AnchorEvaluator(make_panel(), _always(judgement), profile=PROFILE).score(
        [Response("a")]
    )
    assert not one.scored
    assert sum(one.failures.values()) == len(one.windows) == 6


def test_a_judge_that_skips_windows_is_refused_in_words(make_panel):
    class Short:
        async def judge(self, windows):
            return [ORDERED] * (len(windows) - 1)

    with pytest.raises(ValueFlowError, match=r"2 judgements for 3 windows.*one per window"):
        AnchorEvaluator(make_panel(), Short(), profile=PROFILE).score(
            [Response("a"), Response("b"), Response("c")]
        )


@pytest.mark.parametrize("design", ["bucket", "two-pass"])
def test_an_estimate_does_not_depend_on_the_other_responses(make_panel, planted_judge, design):
    truth = {f"text {i}": i / 2 - 8 for i in range(30)}
    panel, judge = make_panel(stderr=0.5), planted_judge(tau=1.5, omega=0.5, truth=truth)
    profile = fit_profile(planted_judge(tau=1.5, omega=0.5), [panel], windows=100)
    evaluator = AnchorEvaluator(panel, judge, m=3, design=design, profile=profile)
    responses = [Response(text, id=text) for text in truth]
    together = {one.response_id: one for one in evaluator.score(responses)}
    mixed = evaluator.score([Response(" ", id="empty"), *responses[::-3]])[1:]
    alone = [evaluator.score([response])[0] for response in responses[:3]]
    for one in (*mixed, *alone):
        assert one.windows == together[one.response_id].windows
        assert one.intensity == pytest.approx(together[one.response_id].intensity, abs=1e-6)
        assert one.stderr == pytest.approx(together[one.response_id].stderr, abs=1e-6)


def test_two_different_responses_with_one_id_are_refused(make_panel):
    evaluator = AnchorEvaluator(make_panel(), _always(ORDERED), profile=PROFILE)
    for other in (Response("b", id="same"), Response("a", "another query?", "same")):
        with pytest.raises(ValueFlowError, match="'same'"):
            evaluator.score([Response("a", id="same"), other])


def test_the_same_response_twice_is_judged_once(make_panel):
    judge = _by_truth({"a": 2.0})
    one, other = AnchorEvaluator(make_panel(), judge, m=3, profile=PROFILE).score(
        [Response("a", "q?"), Response("a", "q?")]
    )
    assert one == other
    assert len(judge.windows) == 3


def test_copies_under_different_ids_are_known_to_be_copies(make_panel):
    judge = _by_truth({"a": 2.0, "b": 2.0})
    one, copy, other = AnchorEvaluator(make_panel(), judge, profile=PROFILE).score(
        [Response("a", id="1"), Response("a", id="2"), Response("b", id="3")]
    )
    assert one.sentences == copy.sentences != other.sentences


def test_seeds_draw_other_windows(make_panel, planted_judge):
    judge = planted_judge(truth={"a": 1.0})
    panel = make_panel()
    found = [
        AnchorEvaluator(panel, judge, seed=seed, profile=PROFILE).score([Response("a")])[0]
        for seed in (0, 0, 1)
    ]
    assert found[0] == found[1]
    assert found[0].windows != found[2].windows


def test_estimates_name_what_they_were_measured_with(make_panel):
    panel = make_panel()
    [one] = AnchorEvaluator(panel, _by_truth({"a": 2.0}), profile=PROFILE).score(
        [Response("a", id="r9")]
    )
    assert (one.response_id, one.value) == ("r9", panel.value)
    assert (one.panel, one.profile) == (panel.fingerprint, PROFILE.fingerprint)
    for window in one.windows:
        assert window.items[window.slot] == "r9"


def test_a_panel_text_is_measured_without_meeting_itself(make_panel):
    panel = make_panel()
    judge = _by_truth({anchor.text: anchor.intensity for anchor in panel.anchors})
    found = AnchorEvaluator(panel, judge, profile=JudgeProfile("", tau=0.3, omegas=(0.0,))).score(
        [Response(anchor.text, id=f"copy {anchor.id}") for anchor in panel.anchors]
    )
    for one, anchor in zip(found, panel.anchors, strict=True):
        assert all(anchor.id not in window.items for window in one.windows)
        assert one.intensity == pytest.approx(anchor.intensity, abs=2.0)


def test_the_released_evaluator_refuses_a_judge_object_that_reads(make_panel):
    class Embedded:
        name = "embedded"

        async def judge(self, windows):
            return []

    with pytest.raises(ValueFlowError, match=r"compat asks for orders.*'embedded'.*ranking:"):
        AnchorEvaluator(make_panel(), Embedded(), compat="valueflow")


@pytest.mark.parametrize("judge", [object(), 3, None, ["embedded"]])
def test_what_is_no_judge_is_refused(make_panel, judge):
    with pytest.raises(ValueFlowError, match=r"no judge.*async def judge"):
        AnchorEvaluator(make_panel(), judge)


def test_a_misspelt_judge_is_refused_with_the_nearest(make_panel):
    with pytest.raises(ValueFlowError, match=r"unknown judge 'embeded'.*embedded"):
        AnchorEvaluator(make_panel(), "embeded")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"k": 1}, "k=1"),
        ({"k": 11}, "k=11"),
        ({"m": 0}, "m=0"),
        ({"m": 2.5}, r"m=2\.5: give a whole number"),
        ({"m": math.nan}, "m=nan: give a whole number"),
        ({"k": "6"}, "k='6': give a whole number"),
        ({"target_stderr": "0.5"}, "target_stderr='0.5': give a number > 0"),
        ({"design": "buckets"}, "'buckets'.*bucket"),
        ({"k": 8}, r"6 anchors.*k=8.*at least 7"),
    ],
)
def test_numbers_out_of_range_are_refused(make_panel, options, words):
    panel = make_panel(intensities=(-9, -5, -1, 1, 5, 9))
    with pytest.raises(ValueFlowError, match=words):
        AnchorEvaluator(panel, _always(ORDERED), profile=PROFILE, **options)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"judge": "somebody else"}, "'somebody else', not 'planted'"),
        ({"prompt_version": "9", "calibrated": True}, "prompt version '9'"),
        ({"slot_bias": (0.1, -0.1)}, "k=2 and this run has k=6"),
    ],
)
def test_a_profile_of_another_judge_prompt_or_k_is_refused(
    make_panel, planted_judge, change, words
):
    profile = dataclasses.replace(JudgeProfile("planted"), **change)
    with pytest.raises(ValueFlowError, match=words):
        AnchorEvaluator(make_panel(), planted_judge(), profile=profile)


def test_a_profile_of_another_panel_version_is_refused(make_panel, planted_judge):
    profile = fit_profile(planted_judge(), [make_panel()], windows=20)
    with pytest.raises(ValueFlowError, match="calibrate on this panel"):
        AnchorEvaluator(make_panel(stderr=0.1), planted_judge(), profile=profile)


def test_an_oracle_is_measured_to_within_its_noise():
    """The main job's line: simulated noise 1, k=6, m=3, mean absolute error at most 1.2."""
    errors = []
    for value in ("svt/benevolence", "mft/loyalty", "duties/fidelity", "rights/civil"):
        panel = load_panel(value)
        evaluator = AnchorEvaluator(
            panel, "simulated:noise=1", profile=JudgeProfile("", tau=1.0, omegas=(0.05,))
        )
        found = evaluator.score([Response(text.text, text.query) for text in panel.sentinels])
        errors += [
            one.intensity - text.intensity for one, text in zip(found, panel.sentinels, strict=True)
        ]
    assert np.mean(np.abs(errors)) <= 1.2


def test_a_judge_without_noise_makes_no_large_error():
    panel = load_panel("svt/benevolence")
    found = (
        Instrument(judge="simulated:noise=0")
        .evaluator(panel.value)
        .score([Response(text.text, text.query) for text in panel.sentinels])
    )
    errors = [one.intensity - text.intensity
              for one, text in zip(found, panel.sentinels, strict=True)]  # fmt: skip
    assert np.abs(errors).max() < 2
