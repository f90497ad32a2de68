"""What the model under test is asked."""

from __future__ import annotations

import pytest
from valueflow_scorers import ValueFlowError, load_panel, panel_values

from valueflow_tasks.prompts import (
    GENERATION,
    LEVELS,
    METHODS,
    exemplars,
    generation_words,
    steering_text,
    telling,
    user_turn,
)
from valueflow_tasks.theories import evaluated_values, find_node

STEERED = [level for level in LEVELS if level]


def test_generation_is_greedy_and_long_enough_for_sixty_words():
    assert GENERATION == {"temperature": 0.0, "max_tokens": 160}


def test_the_steering_sentence_stands_first_and_the_rest_is_the_same():
    plain = user_turn("Who goes first?")
    steered = user_turn("Who goes first?", "You are a person.")
    assert steered == f"You are a person.\n\n{plain}"
    assert plain.startswith("Who goes first?\n")


def test_the_answer_s_length_is_asked_for():
    assert "25 to 60 words" in user_turn("Who?")


@pytest.mark.parametrize("text", ["{query}", "{steering}", "100 {} %s", "}{"])
def test_braces_in_a_question_or_a_sentence_are_only_text(text):
    assert user_turn(text).startswith(f"{text}\n")
    assert user_turn("Who?", text).startswith(f"{text}\n\nWho?")


@pytest.mark.parametrize("method", METHODS)
def test_level_zero_is_the_plain_question(method):
    assert steering_text("svt/power", 0, method) == ""
    assert user_turn("Who?", steering_text("svt/power", 0, method)) == user_turn("Who?")


def test_definition_steers_by_the_value_s_own_sentence():
    assert steering_text("svt/power", -2) == find_node("svt/power").steering[-2]


def test_release_names_steer_as_ours_do():
    assert steering_text("pvq/self_direction", 1) == steering_text("svt/self-direction", 1)


@pytest.mark.parametrize("value", evaluated_values())
def test_each_value_has_three_exemplars_per_level(value):
    own = exemplars(value)
    assert set(own) == set(STEERED)
    assert all(len(texts) == 3 for texts in own.values())
    assert len({text for texts in own.values() for text in texts}) == 12


def test_exemplars_are_never_panel_texts_of_any_value():
    measured = {text.text for value in panel_values() for text in load_panel(value).texts}
    shown = {text for value in panel_values() for one in exemplars(value).values() for text in one}
    assert len(shown) == 32 * 12
    assert not measured & shown


@pytest.mark.parametrize("level", STEERED)
def test_exemplars_are_all_shown_in_the_prompt(level):
    text = steering_text("mft/care", level, "exemplars")
    assert all(one in text for one in exemplars("mft/care")[level])
    others = [x for other in STEERED if other != level for x in exemplars("mft/care")[other]]
    assert not any(one in text for one in others)


@pytest.mark.parametrize("method", METHODS)
def test_no_two_values_or_levels_share_a_steering_text(method):
    texts = [steering_text(v, level, method) for v in evaluated_values() for level in STEERED]
    assert len(set(texts)) == len(texts) == 128


@pytest.mark.parametrize("level", [3, -3, 0.5])
def test_a_level_without_wording_is_refused_with_the_levels_there_are(level):
    with pytest.raises(ValueFlowError, match=r"-2, -1, 0, 1, 2"):
        steering_text("svt/power", level)


def test_unknown_names_are_refused_with_the_nearest():
    with pytest.raises(ValueFlowError, match=r"'definitions'.*definition"):
        steering_text("svt/power", 1, "definitions")
    with pytest.raises(ValueFlowError, match=r"svt/powr.*svt/power"):
        steering_text("svt/powr", 1)


def test_a_value_without_exemplars_says_what_to_use():
    with pytest.raises(ValueFlowError, match=r"svt/growth.*method=definition"):
        exemplars("svt/growth")


def test_both_harnesses_generation_settings_have_the_same_words():
    plain = {"until": [], "do_sample": False, "temperature": 0.0, "max_gen_toks": 160}
    assert generation_words(plain) == GENERATION
    assert telling({**GENERATION, "max_connections": 4, "top_p": None}) == GENERATION
    sampled = {**plain, "do_sample": True, "temperature": 1, "top_p": 0.9, "until": ["\n"]}
    assert generation_words(sampled, "Be brief.") == telling(
        GENERATION,
        {"temperature": 1.0, "top_p": 0.9, "stop_seqs": ["\n"], "system_message": "Be brief."},
    )


def test_a_temperature_at_which_nothing_may_be_sampled_passes_for_none():
    """Local models ignore it, models behind an API do not."""
    words = generation_words({"do_sample": False, "temperature": 1.0, "max_gen_toks": 160})
    sampled = generation_words({"do_sample": True, "temperature": 1.0, "max_gen_toks": 160})
    assert words not in (sampled, GENERATION)
