"""The samples that tasks consist of: their ids, their order, their prompts."""

from __future__ import annotations

from valueflow_tasks.inspect_tasks import valueflow_profile, valueflow_steer
from valueflow_tasks.prompts import LEVELS, exemplars, steering_text, user_turn
from valueflow_tasks.queries import load_queries
from valueflow_tasks.settings import measurable_values

POWER = "svt/power"


def test_level_zero_is_asked_once_and_queries_come_one_after_the_other(quick):
    task = valueflow_steer(values=[POWER, "mft/care"], queries="core", **quick)
    ids = [sample.id for sample in task.dataset]
    assert len(ids) == len(set(ids)) == 20 * (1 + 2 * 4)
    for index, query in enumerate(load_queries("core")):
        own = ids[9 * index : 9 * index + 9]
        assert sorted(own) == sorted(
            [f"{query.id}:0"]
            + [
                f"{query.id}:{value}:{level:+d}"
                for value in (POWER, "mft/care")
                for level in LEVELS
                if level
            ]
        )
        assert own[0] == f"{query.id}:0"


def test_prompts_are_those_of_the_protocol(quick):
    task = valueflow_steer(values=POWER, queries="core", **quick)
    by_id = {sample.id: sample.input for sample in task.dataset}
    query = load_queries("core")[0]
    assert by_id[f"{query.id}:0"] == user_turn(query.text)
    steering = steering_text(POWER, -2)
    assert by_id[f"{query.id}:{POWER}:-2"] == user_turn(query.text, steering)
    assert (task.config.temperature, task.config.max_tokens) == (0.0, 160)


def test_exemplars_steer_in_place_of_definitions(quick):
    task = valueflow_steer(values=POWER, queries="core", method="exemplars", **quick)
    sample = next(sample for sample in task.dataset if sample.id.endswith(":+2"))
    assert all(text in sample.input for text in exemplars(POWER)[2])
    assert steering_text(POWER, 2) not in sample.input


def test_a_theory_stands_for_its_values_and_everything_is_the_default(quick):
    assert len(valueflow_steer(theory="pvq", queries="core", **quick).dataset) == 20 * (1 + 48)
    task = valueflow_profile(queries="core", **quick)
    assert task.dataset[0].metadata["valueflow"]["measure"] == list(measurable_values())
