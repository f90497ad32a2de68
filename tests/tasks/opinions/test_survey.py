"""Surveys: our own, and those of others."""

from __future__ import annotations

import json

import numpy as np
import pytest
from valueflow_scorers import ValueFlowError

from valueflow_tasks.opinions import Question, declared_profiles, load_survey
from valueflow_tasks.opinions._survey import split_of, stance_distances
from valueflow_tasks.theories import evaluated_values, find_node
from valueflow_tasks.vidb._duplicates import find_duplicates, normalised


def test_our_own_survey_has_enough_of_everything():
    survey = load_survey()
    assert len(survey.questions) >= 40
    assert len(survey.groups) >= 5
    assert set(survey.groups) == set(declared_profiles())
    assert 5 <= len(survey.part("dev")) < len(survey.part("test"))
    for one in survey.questions:
        assert set(one.stances) <= set(evaluated_values())
        assert set(one.answers) == set(survey.groups)
        for row in one.stances.values():
            assert len(row) == len(one.options)
            # From one end to the other: a stance never turns back.
            assert len(set(np.sign(np.diff(row)))) == 1
    assert not find_duplicates([one.text for one in survey.questions])


def test_answers_follow_the_stances_that_groups_declare():
    survey = load_survey()
    for name, profile in declared_profiles().items():
        own = {value: one.intensity for value, one in profile.scores.items()}
        for one in survey.questions:
            nearest = int(np.argmin(stance_distances(one.stances, own)))
            assert one.answers[name][nearest] == max(one.answers[name])
    majorities = {
        tuple(np.argmax(one.answers[g]) for g in survey.groups) for one in survey.questions
    }
    assert len(majorities) > 20  # groups differ, and not always in the same way


def test_no_question_names_a_value_that_it_is_about():
    for one in load_survey().questions:
        words = set(normalised(" ".join([one.text, *one.options])).split())
        for value in one.stances:
            assert not set(find_node(value).name.lower().split("/")) & words, (one.id, value)


def test_half_of_the_questions_are_shown_from_the_other_end():
    share = np.mean([one.reversed for one in load_survey().questions])
    assert 0.3 < share < 0.7


def items() -> list[dict[str, object]]:
    options = ["Very", "Somewhat", "Not at all", "Refused"]
    return [
        {"question": "How safe is it?", "options": options, "attribute": "Old",
         "gold_distribution": [0.5, 0.3, 0.1, 0.1], "id": 1},
        {"question": "How safe is it?", "options": options, "attribute": "Young",
         "gold_distribution": {"Very": 0.2, "Somewhat": 0.3, "Not at all": 0.5}, "id": 2},
        {"question": "How dear is it?", "options": options[:3], "attribute": "Old",
         "gold_distribution": [0.2, 0.3, 0.5], "id": 3},
    ]  # fmt: skip


def test_items_of_the_release_become_questions_with_groups(tmp_path):
    path = tmp_path / "opinionqa.json"
    path.write_text(json.dumps(items()), "utf-8")
    survey = load_survey(str(path))
    first, second = survey.questions
    assert survey.groups == ("Old", "Young")
    assert first.options == (
        "Very",
        "Somewhat",
        "Not at all",
    )  # a refusal has no place in the order
    assert first.answers["Old"] == pytest.approx((5 / 9, 3 / 9, 1 / 9))
    assert first.answers["Young"] == pytest.approx((0.2, 0.3, 0.5))
    assert set(second.answers) == {"Old"}
    assert first.split == split_of("How safe is it?")
    lines = tmp_path / "opinionqa.jsonl"
    lines.write_text("".join(json.dumps(row) + "\n" for row in items()), "utf-8")
    assert load_survey(str(lines)).fingerprint == survey.fingerprint


def test_a_data_set_is_loaded_through_the_hubs_own_client(tmp_path):
    """A local folder takes the same way as a name on the hub."""
    pytest.importorskip("datasets")
    folder = tmp_path / "set"
    folder.mkdir()
    rows = [row | {"gold_distribution": [0.2, 0.3, 0.4, 0.1]} for row in items()[:2]]
    (folder / "test.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    survey = load_survey(f"hub:{folder}")
    assert survey.groups == ("Old", "Young")
    assert len(survey.questions) == 1


def test_selections_by_group_are_read_as_their_data_card_says(tmp_path):
    row = {
        "question": "Is it good?",
        "options": "['Good', 'Bad', 'DK/Refused']",
        "selections": "defaultdict(<class 'list'>, {'Here': [0.7, 0.2, 0.1]})",
    }
    path = tmp_path / "global.json"
    path.write_text(json.dumps([row]), "utf-8")
    (question,) = load_survey(str(path)).questions
    assert question.options == ("Good", "Bad")
    assert question.answers["Here"] == pytest.approx((7 / 9, 2 / 9))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"question": ""}, "item 1: expected an object with 'question'"),
        ({"options": "many"}, "item 1: cannot read 'many'"),
        ({"gold_distribution": [0.5, 0.5]}, "item 1: the distribution .* does not fit 4 options"),
        ({"attribute": None}, "item 1: needs 'attribute' and 'gold_distribution'"),
        ({"options": ["Yes", "No", "Maybe", "Refused"]}, "item 2: other options than further up"),
        ({"attribute": "Young"}, "item 2: other answers of 'Young' than further up to 'How safe"),
        (
            {"gold_distribution": {"Very": 0.2, "Somewhat ": 0.3, "Not at all": 0.5}},
            "item 1: the distribution names 'Somewhat ', which is none of",
        ),
    ],
)
def test_an_item_that_lacks_something_is_named(tmp_path, change, message):
    rows = items()
    rows[0] = {**rows[0], **change}
    path = tmp_path / "s.json"
    path.write_text(json.dumps(rows), "utf-8")
    with pytest.raises(ValueFlowError, match=message):
        load_survey(str(path))


def test_shares_may_name_their_options_by_place_and_a_refusal_that_is_not_offered(tmp_path):
    rows = items()[2:]
    rows[0]["gold_distribution"] = {"0": 0.2, "2": 0.7, "Refused": 0.1}
    path = tmp_path / "s.json"
    path.write_text(json.dumps(rows), "utf-8")
    (question,) = load_survey(str(path)).questions
    assert question.answers["Old"] == pytest.approx((2 / 9, 0, 7 / 9))


def test_an_item_may_stand_there_twice_have_the_id_0_and_hold_any_character(tmp_path):
    first = {**items()[0], "id": 0, "question": "How safe\u2028is it,\u0085really?"}
    path = tmp_path / "s.jsonl"
    path.write_text((json.dumps(first, ensure_ascii=False) + "\n") * 2, "utf-8")
    (question,) = load_survey(str(path)).questions
    assert question.id == "0"
    assert question.text == first["question"]


def test_a_survey_that_is_not_there_says_what_is_allowed():
    with pytest.raises(ValueFlowError, match="give `synthetic`, a JSON file of items, or hub:"):
        load_survey("opinions.json")
    with pytest.raises(ValueFlowError, match="choose dev, test or all"):
        load_survey().part("train")
    with pytest.raises(ValueFlowError, match="no distribution over 2 options"):
        Question("q", "Yes?", ("Yes", "No"), {"g": (0.5, 0.1)})


def test_a_question_is_on_one_side_for_all_groups_and_the_split_has_a_name():
    names = [f"Question number {i}?" for i in range(400)]
    share = np.mean([split_of(name) == "dev" for name in names])
    assert 0.23 < share < 0.37
    assert [split_of(name) for name in names] == [split_of(name) for name in names]
    assert len(load_survey().split_fingerprint) == 16
