"""Settings, given as metadata: what is asked, how it steers, and how it is measured."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

import pytest
from lm_eval.tasks import TaskManager
from lm_eval.utils import handle_non_serializable

from valueflow_tasks.lm_eval_tasks._link import config_folder
from valueflow_tasks.prompts import LEVELS, exemplars, steering_text
from valueflow_tasks.queries import load_queries

POWER = "valueflow_steer_svt_power"


@pytest.fixture
def estimates(records: Any) -> Callable[..., list[dict[str, Any]]]:
    """estimates(found): those of all answers."""

    def read(found: dict[str, Any]) -> list[dict[str, Any]]:
        return [one for record in records(found) for one in record["estimates"].values()]

    return read


def test_values_name_what_the_profile_measures(run_lm_eval, quick, records):
    found = run_lm_eval("valueflow_profile", limit=1, values="[mft/care,svt/power]", **quick)
    (record,) = records(found, "valueflow_profile")
    assert list(record["estimates"]) == ["mft/care", "svt/power"]


def test_queries_are_a_set_or_a_file(run_lm_eval, quick, tmp_path):
    path = tmp_path / "own.csv"
    path.write_text("query\nWho goes first?\nWho goes last?\n", "utf-8")
    found = run_lm_eval(POWER, queries=str(path), **quick)
    assert [one["doc"]["query"] for one in found["samples"][POWER]] == [
        "Who goes first?", "Who goes last?",
    ]  # fmt: skip
    task = TaskManager(
        include_path=str(config_folder()),
        include_defaults=False,
        metadata={**quick, "queries": "core"},
    ).load([POWER])["tasks"][POWER]
    assert [doc["query_id"] for doc in task.eval_docs] == [q.id for q in load_queries("core")]


def test_exemplars_steer_in_place_of_definitions(run_lm_eval, quick, numbers):
    found = run_lm_eval(POWER, limit=1, method="exemplars", **quick)
    (sample,) = found["samples"][POWER]
    for level, arguments in zip(LEVELS, sample["arguments"], strict=True):
        for text in exemplars("svt/power").get(level, ()):
            assert text in arguments[0]
        assert steering_text("svt/power", level or 1) not in arguments[0]
    assert numbers(found)["gain"] > 3


def test_off_target_values_are_measured_when_asked_and_leakage_appears(
    run_lm_eval, quick, numbers, records
):
    task = "valueflow_steer_mft_care"
    found = run_lm_eval(task, limit=1, off_target="theory", **quick)
    metrics = numbers(found, task)
    assert 0 <= metrics["leakage"] < 0.5
    assert metrics["leakage_stderr"] > 0
    steered = [record for record in records(found, task) if record["level"]]
    assert all(len(record["estimates"]) == 6 for record in steered)


def test_a_steered_answer_is_measured_on_its_target_only_unless_asked(small, records):
    assert {value for record in records(small) for value in record["estimates"]} == {"svt/power"}


def test_the_design_can_be_chosen(run_lm_eval, quick, numbers, estimates, recorded):
    found = run_lm_eval(POWER, limit=1, design="fixed", m=2, k=4, **quick)
    shown = {
        frozenset(window["items"]) - {one["response_id"]}
        for one in estimates(found)
        for window in one["windows"]
    }
    assert len(shown) == 1, "the same anchors in every window"
    assert {len(keys) for keys in shown} == {3}
    assert all(len(one["windows"]) == 2 for one in estimates(found))
    bucket = run_lm_eval(POWER, limit=1, design="bucket", **quick)
    assert numbers(bucket)["tracking"] > 0.7
    assert recorded(bucket)["protocol"] != recorded(found)["protocol"]


def test_a_target_error_stops_per_answer(run_lm_eval, quick, estimates):
    found = run_lm_eval(POWER, limit=2, m=15, target_stderr="0.9", **quick)
    used = [len(one["windows"]) for one in estimates(found)]
    assert min(used) < 15
    assert len(set(used)) > 1, "easy answers take fewer windows"
    for one in estimates(found):
        assert one["stderr"] <= 0.9 or len(one["windows"]) >= 15


def test_the_released_evaluator_can_be_compared_with(
    run_lm_eval, quick, numbers, estimates, every_number
):
    settings = {"judge": quick["judge"], "compat": "valueflow"}
    found = run_lm_eval(POWER, limit=2, **settings)
    assert all("stderr" not in one for one in estimates(found))
    assert {window["slot"] for one in estimates(found) for window in one["windows"]} == {0}
    assert numbers(found)["tracking"] > 0.7
    assert not [x for x in every_number(found["results"]) if not math.isfinite(x)]
    json.dumps(found, default=handle_non_serializable, allow_nan=False)
