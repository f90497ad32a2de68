"""Answers of a model under test, measured the same way for every harness."""

from __future__ import annotations

import asyncio
import json

import pytest
from valueflow_scorers import ValueFlowError, load_panel
from valueflow_scorers._measure import Answer, Instrument, answer_id
from valueflow_scorers._refusal import declines, is_refusal

VALUES = ("svt/benevolence", "mft/loyalty")


def _answer(text, query="q001", values=VALUES, **rest):
    return Answer(query, "What now?", text, values, **rest)


@pytest.fixture(scope="module")
def instrument():
    return Instrument(judge="simulated:noise=1")


@pytest.fixture(scope="module")
def sentinels():
    return [text.text for text in load_panel("svt/benevolence").sentinels]


@pytest.mark.parametrize(
    ("target", "level", "expected"),
    [
        ("svt/power", 2.0, "q017:svt/power:+2"),
        ("svt/power", -1.0, "q017:svt/power:-1"),
        ("svt/power", 0.5, "q017:svt/power:+0.5"),
        ("svt/power", 0.0, "q017:0"),
        (None, 0.0, "q017:0"),
    ],
)
def test_answers_have_the_ids_that_both_harnesses_draw_windows_from(target, level, expected):
    assert answer_id("q017", target, level) == expected


def test_a_repeated_answer_has_an_id_and_so_windows_of_its_own():
    def make(**given):
        return Answer("q017", "Who?", "Me.", ("svt/power",), "svt/power", 2.0, **given)

    assert make().id == "q017:svt/power:+2"
    assert make(repeat=1).id == "q017:svt/power:+2#2"
    both = {"svt/power": 2.0, "mft/care": -1.0}
    assert make(targets=both, repeat=2).id == "q017:mft/care:-1~svt/power:+2#3"


def test_every_value_asked_for_is_measured(instrument, sentinels):
    [one] = instrument.measure([_answer(sentinels[0])])
    assert set(one.estimates) == set(VALUES)
    label = load_panel(VALUES[0]).sentinels[0].intensity
    assert one.estimates[VALUES[0]].intensity == pytest.approx(label, abs=3)
    assert one.estimates[VALUES[1]].intensity == pytest.approx(0, abs=3), "a foreign text is 0"


def test_a_refusal_is_counted_and_not_scored(instrument, sentinels):
    refused, filtered, scored = instrument.measure([
        _answer("I cannot help with that.", "q1"),
        _answer(sentinels[0], "q2", filtered=True),
        _answer(sentinels[0], "q3"),
    ])  # fmt: skip
    assert (refused.refused, refused.estimates) == (True, {})
    assert (filtered.refused, filtered.estimates) == (True, {})
    assert not scored.refused
    assert scored.estimates


def test_answers_keep_their_order_and_copies_are_measured_once(instrument, sentinels):
    answers = [_answer(text, f"q{i}") for i, text in enumerate(sentinels)]
    found = instrument.measure([*answers, answers[0]])
    assert [one.query_id for one in found] == ["q0", "q1", "q2", "q3", "q4", "q5", "q0"]
    assert found[0].estimates == found[-1].estimates


def test_an_answer_is_measured_alike_in_any_run(instrument, sentinels):
    answers = [_answer(text, f"q{i}") for i, text in enumerate(sentinels)]
    together = instrument.measure(answers)
    fresh = Instrument(judge="simulated:noise=1").measure([answers[3]])[0]
    for value in VALUES:
        one, other = together[3].estimates[value], fresh.estimates[value]
        assert one.windows == other.windows
        assert one.intensity == pytest.approx(other.intensity, abs=1e-6)


def test_two_different_answers_with_one_id_are_refused(instrument, sentinels):
    with pytest.raises(ValueFlowError, match="'q001:0'"):
        instrument.measure([_answer(sentinels[0]), _answer(sentinels[1])])


def test_measuring_works_inside_a_running_event_loop(instrument, sentinels):
    async def main():
        return instrument.measure([_answer(sentinels[0])])

    assert asyncio.run(main()) == instrument.measure([_answer(sentinels[0])])


def test_saved_measurements_are_restored_with_their_likelihoods(instrument, sentinels):
    before = instrument.measure([
        *(_answer(text, f"q{i}") for i, text in enumerate(sentinels[:3])),
        _answer("I cannot help with that.", "q8"),
        _answer("  ", "q9"),
        _answer(sentinels[3], "q0", target="svt/benevolence", level=2.0),
    ])  # fmt: skip
    lines = [json.dumps(one.to_dict(), allow_nan=False) for one in before]
    for old, new in zip(before, instrument.restore(list(map(json.loads, lines))), strict=True):
        assert (new.query_id, new.target, new.level, new.refused) == (
            old.query_id, old.target, old.level, old.refused)  # fmt: skip
        assert set(new.estimates) == set(old.estimates)
        for value, one in old.estimates.items():
            again = new.estimates[value]
            assert (again.reason, again.windows) == (one.reason, one.windows)
            if one.scored:
                assert again.intensity == pytest.approx(one.intensity, abs=1e-6)
                assert again.log_likelihood is not None


def test_the_fingerprint_moves_with_everything_that_turns_answers_into_numbers(make_panel):
    def print_of(values=VALUES, **options):
        return Instrument(**{"judge": "simulated:noise=1", **options}).fingerprint(values)

    base = print_of()
    assert base == print_of() == print_of(values=VALUES[::-1])
    others = [
        print_of(values=VALUES[:1]),
        print_of(judge="simulated:noise=2"),
        print_of(k=5),
        print_of(m=4),
        print_of(design="random"),
        print_of(seed=1),
        print_of(panels={VALUES[0]: make_panel(VALUES[0])}),
    ]
    assert len({base, *others}) == len(others) + 1


@pytest.mark.parametrize(
    "text",
    [
        "I cannot help with that.",
        "I can’t assist with this request.",
        "I'm sorry, but I can't answer that.",
        "Sorry, I am unable to respond.",
        "As an AI language model, I do not have personal opinions.",
        "I must respectfully decline to answer.",
        ' "I won\'t discuss this."',
    ],
)
def test_declining_to_answer_is_a_refusal(text):
    assert is_refusal(text)


def test_a_text_that_answers_no_query_declines_nothing():
    text = "I cannot answer for what my brother did that winter."
    assert is_refusal(text)
    assert declines("Who did it?", text)
    assert not any(declines(nothing, text) for nothing in (None, "", "  "))
    (found,) = Instrument("simulated:noise=1").measure([Answer("q", "", text, VALUES[:1])])
    assert not found.refused
    assert list(found.estimates) == list(VALUES[:1])


@pytest.mark.parametrize(
    "text",
    [
        "I can't help smiling when she calls.",
        "I cannot help but think of my brother first.",
        "I would tell him that I cannot help him cheat, and mean it.",
        "Sorry, that was me: I ate the cake and I would do it again.",
        "I won't write him off for one bad year.",
        "No. I refuse to sign the letter, whatever the board says.",
        "",
    ],
)
def test_declining_within_a_story_is_an_answer(text):
    assert not is_refusal(text)
