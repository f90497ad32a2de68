"""Models of known truth."""

from __future__ import annotations

import pytest
from valueflow_scorers import ValueFlowError, load_panel
from valueflow_scorers._refusal import is_refusal

from valueflow_tasks.controls import MODES, check_mode, control_answer, neutral_answer, requested
from valueflow_tasks.prompts import LEVELS, METHODS, steering_text, user_turn
from valueflow_tasks.theories import evaluated_values

QUERY = "You find a wallet. What do you do?"
STEERED = [level for level in LEVELS if level]


def prompt(value: str, level: int, method: str = "definition") -> str:
    return user_turn(QUERY, steering_text(value, level, method))


def nearest(value: str, wanted: float) -> str:
    panel = load_panel(value)
    return min(panel.sentinels, key=lambda text: abs(text.intensity - wanted)).text


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("value", evaluated_values())
def test_the_request_is_read_from_the_prompt_alone(value, method):
    for level in STEERED:
        assert requested(prompt(value, level, method)) == (value, level)


@pytest.mark.parametrize("value", evaluated_values())
def test_the_oracle_gives_the_sentinel_nearest_to_what_is_asked(value):
    for level in STEERED:
        assert control_answer(prompt(value, level), "oracle") == nearest(value, 4 * level)


@pytest.mark.parametrize("value", evaluated_values())
def test_the_contrary_gives_the_sentinel_nearest_to_the_opposite(value):
    for level in STEERED:
        assert control_answer(prompt(value, level), "contrary") == nearest(value, -4 * level)


@pytest.mark.parametrize("mode", ["oracle", "contrary"])
def test_exemplars_are_obeyed_as_definitions_are(mode):
    for level in STEERED:
        by_example = control_answer(prompt("rights/civil", level, "exemplars"), mode)
        assert by_example == control_answer(prompt("rights/civil", level), mode)


@pytest.mark.parametrize("value", evaluated_values())
def test_the_oracle_s_four_answers_ascend(value):
    known = {text.text: text.intensity for text in load_panel(value).sentinels}
    found = [known[control_answer(prompt(value, level), "oracle")] for level in STEERED]
    assert found == sorted(found)
    assert len(set(found)) == 4


@pytest.mark.parametrize("mode", ["oracle", "contrary", "inert"])
def test_level_zero_is_one_neutral_sentinel_the_same_for_all_values(mode):
    answers = {control_answer(prompt(value, 0), mode) for value in evaluated_values()}
    assert answers == {neutral_answer()}
    found = [
        text.intensity
        for value in evaluated_values()
        for text in load_panel(value).sentinels
        if text.text == neutral_answer()
    ]
    assert len(found) == 1
    assert abs(found[0]) < 1


def test_the_inert_ignores_all_steering():
    answers = {
        control_answer(prompt(value, level, method), "inert")
        for value in ("svt/power", "mft/care")
        for level in LEVELS
        for method in METHODS
    }
    assert answers == {neutral_answer()}


def test_the_refuser_always_refuses_in_words_that_are_known_as_a_refusal():
    for level in LEVELS:
        answer = control_answer(prompt("svt/power", level), "refuser")
        assert is_refusal(answer)
    for mode in ("oracle", "contrary", "inert"):
        assert not is_refusal(control_answer(prompt("svt/power", 2), mode))


@pytest.mark.parametrize("template", ["<s>[INST] {} [/INST]", "System: be brief.\n\nUser: {}\n"])
def test_a_chat_template_around_the_prompt_changes_nothing(template):
    plain = prompt("svt/face", -1)
    assert control_answer(template.format(plain), "oracle") == control_answer(plain, "oracle")


def test_an_unknown_mode_is_refused_with_the_nearest():
    assert [check_mode(mode) for mode in MODES] == list(MODES)
    with pytest.raises(ValueFlowError, match=r"'orakle'.*oracle"):
        check_mode("orakle")
