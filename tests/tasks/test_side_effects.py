"""Side effects of steering, counted apart for each direction."""

from __future__ import annotations

import pytest

from valueflow_tasks.side_effects import SIDE_EFFECT_NAMES, Told, distinct_n, side_effects, words

V = "svt/power"


def told(query: str, level: float, text: str, **rest: object) -> Told:
    return Told(query, V if level else None, level, text, bool(rest.pop("refused", False)), **rest)  # type: ignore[arg-type]


def test_repetition_lowers_distinct_n() -> None:
    assert distinct_n("one two three four") == 1.0
    assert distinct_n("go go go go go") == 0.25
    assert distinct_n("word") == 1.0
    assert words("I don't know, really.") == 4


def test_directions_are_counted_apart() -> None:
    answers = [
        told("a", 0, "a plain answer", loss=1.0),
        told("b", 0, "another answer", loss=1.0),
        told("a", 2, "a plain answer", loss=1.0, intensity=-3.0),
        told("b", 2, "more power to me", loss=3.0, intensity=6.0),
        told("a", -2, "I cannot help", refused=True, loss=2.0, intensity=1.0),
        told("b", -2, "no power", loss=2.0, intensity=-5.0),
    ]
    found = side_effects(answers, V)
    assert set(found) <= set(SIDE_EFFECT_NAMES)
    assert found["no_op_up"].value == 0.5
    assert found["no_op_down"].value == 0.0
    assert (found["refusal_up"].value, found["refusal_down"].value) == (0.0, 0.5)
    assert found["log_perplexity_up"].value == pytest.approx(2.0)
    assert found["log_perplexity_plain"].value == pytest.approx(1.0)
    assert found["wrong_sign"].value == 0.5


def test_what_cannot_be_computed_is_left_out() -> None:
    found = side_effects([told("a", 0, "x"), told("a", 1, "y")], V)
    assert "wrong_sign" not in found
    assert not any(name.startswith("log_perplexity") for name in found)
    assert not any(name.endswith("_down") for name in found)
    assert side_effects([], V) == {}


def test_fluency_that_is_known_of_some_answers_only_is_no_mean() -> None:
    """A cache of an interrupted run knows some; an empty answer has none to know."""
    known = [told("a", 2, "one", loss=1.0), told("b", 2, "  ")]
    assert side_effects(known, V)["log_perplexity_up"].value == pytest.approx(1.0)
    assert "log_perplexity_up" not in side_effects([*known, told("c", 2, "three")], V)
