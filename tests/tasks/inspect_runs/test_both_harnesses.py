"""The same answers have the same estimates, metrics and protocol in lm-eval."""

from __future__ import annotations

import json

import pytest

from valueflow_tasks.inspect_tasks import valueflow_steer

JUDGE = "simulated:noise=1"
POWER = "svt/power"


def test_both_harnesses_give_the_same_estimates_for_the_same_answers(
    steered, quick, run_lm_eval, measured
):
    found = run_lm_eval("valueflow_steer_svt_power", limit=2, **quick)
    theirs = {
        f"{one['response_id']} {value}": one
        for sample in found["samples"]["valueflow_steer_svt_power"]
        for raw in sample["filtered_resps"]
        for value, one in json.loads(raw)["estimates"].items()
    }
    assert theirs == measured(steered)
    assert len(theirs) == 10


def test_both_harnesses_give_the_same_metrics(steered, profiled, quick, run_lm_eval, metrics):
    for log, task, headline in (
        (steered, "valueflow_steer_svt_power", "steerability"),
        (profiled, "valueflow_profile", "strength"),
    ):
        values = {"values": "[svt/power,mft/care]"} if log is profiled else {}
        found = run_lm_eval(task, limit=2, **values, **quick)["results"][task]
        for name, number in metrics(log).items():
            theirs = f"{headline}_stderr" if name == "stderr" else name
            assert found[f"{theirs},valueflow"] == pytest.approx(number, abs=1e-9), name


def test_both_harnesses_name_the_same_protocol(steered, quick, run_lm_eval):
    task = "valueflow_steer_svt_power"
    found = run_lm_eval(task, limit=2, **quick)
    theirs = found["configs"][task]["metadata"]["valueflow"]["protocol"]
    assert theirs == steered.eval.metadata["valueflow"]["protocol"]


def test_both_harnesses_reach_the_released_evaluator_and_agree(folder, run_lm_eval, run, measured):
    settings = {"judge": JUDGE, "compat": "valueflow"}
    log = run(valueflow_steer(values=POWER, **settings), folder, limit=5)
    found = run_lm_eval("valueflow_steer_svt_power", limit=1, **settings)
    theirs = {
        f"{one['response_id']} {value}": one
        for sample in found["samples"]["valueflow_steer_svt_power"]
        for raw in sample["filtered_resps"]
        for value, one in json.loads(raw)["estimates"].items()
    }
    assert measured(log) == theirs
    assert all("stderr" not in one for one in theirs.values())
