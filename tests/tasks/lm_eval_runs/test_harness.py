"""What the harness may ask besides, and what of it makes another protocol."""

from __future__ import annotations

import importlib
import sys

import pytest
from valueflow_scorers import ValueFlowError

from valueflow_tasks.prompts import LEVELS
from valueflow_tasks.settings import Settings

POWER = "valueflow_steer_svt_power"


def test_answers_are_not_cut_at_a_blank_line(run_lm_eval, small):
    arguments = small["samples"][POWER][0]["arguments"][0][1]
    assert arguments["until"] == []
    assert arguments["max_gen_toks"] == 160
    assert arguments["temperature"] == 0.0


def test_a_chat_template_enters_the_protocol_and_keeps_the_user_turn(
    run_lm_eval, quick, small, numbers, recorded
):
    found = run_lm_eval(POWER, limit=2, arguments={"apply_chat_template": True}, **quick)
    assert recorded(found)["protocol"] != recorded(small)["protocol"]
    with_template, without = (
        [arguments[0] for arguments in one["samples"][POWER][0]["arguments"]]
        for one in (found, small)
    )
    assert with_template == without
    assert numbers(found) == numbers(small)


def test_other_generation_settings_enter_the_protocol(run_lm_eval, quick, small, recorded):
    found = run_lm_eval(POWER, limit=2, arguments={"gen_kwargs": "max_gen_toks=50"}, **quick)
    assert recorded(found)["protocol"] != recorded(small)["protocol"]
    assert found["samples"][POWER][0]["arguments"][0][1]["max_gen_toks"] == 50


def test_a_system_instruction_enters_the_protocol(run_lm_eval, quick, small, recorded):
    found = run_lm_eval(POWER, limit=2, arguments={"system_instruction": "Be brief."}, **quick)
    assert recorded(found)["protocol"] != recorded(small)["protocol"]


def test_without_torch_the_extra_is_named(monkeypatch):
    monkeypatch.delitem(sys.modules, "valueflow_tasks.lm_eval_tasks._steered", raising=False)
    monkeypatch.setitem(sys.modules, "lm_eval.models.huggingface", None)
    with pytest.raises(ValueFlowError, match=r"pip install 'valueflow-tasks\[hf\]'"):
        importlib.import_module("valueflow_tasks.lm_eval_tasks._steered")


def test_the_same_run_again_gives_the_same_numbers(run_lm_eval, quick, small, numbers):
    assert numbers(run_lm_eval(POWER, limit=2, **quick)) == numbers(small)


def test_an_answer_s_estimate_does_not_depend_on_the_rest_of_the_run(
    run_lm_eval, quick, small, records
):
    more = run_lm_eval(POWER, limit=4, **quick)
    assert records(more)[: 2 * len(LEVELS)] == records(small)


def test_a_limited_run_is_not_comparable_with_a_whole_one(run_lm_eval, quick, small, recorded):
    more = run_lm_eval(POWER, limit=3, **quick)
    assert recorded(more)["protocol"] != recorded(small)["protocol"]
    settings = Settings.parse(recorded(small)["settings"])
    whole, first = settings.query_set(), settings.query_set()[:2]
    generation = {"temperature": 0.0, "max_tokens": 160}
    assert recorded(small)["protocol"] != settings.protocol(
        ["svt/power"], whole, chat_template=False, generation=generation
    )
    assert recorded(small)["protocol"] == settings.protocol(
        ["svt/power"], first, chat_template=False, generation=generation
    )


def test_chosen_samples_are_another_protocol_than_the_first_ones(
    run_lm_eval, quick, small, recorded
):
    chosen = run_lm_eval(POWER, arguments={"samples": {POWER: [1, 0]}}, **quick)
    assert recorded(chosen)["protocol"] == recorded(small)["protocol"]
    others = run_lm_eval(POWER, arguments={"samples": {POWER: [3, 5]}}, **quick)
    assert recorded(others)["protocol"] != recorded(small)["protocol"]


def test_the_rulers_of_off_target_values_enter_the_protocol(run_lm_eval, quick, recorded):
    task = "valueflow_steer_mft_care"
    alone, more = (
        run_lm_eval(task, limit=1, off_target=others, **quick) for others in ("none", "theory")
    )
    assert recorded(alone, task)["protocol"] != recorded(more, task)["protocol"]
