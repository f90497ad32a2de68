"""The model bound to the role `grader` judges, and is paid once."""

from __future__ import annotations

import json
from math import nan

import pytest
from inspect_ai.model import GenerateConfig, get_model
from valueflow_scorers import AnchorEvaluator, Response, ValueFlowError, load_panel

from valueflow_tasks.inspect_tasks import valueflow_profile
from valueflow_tasks.settings import Settings

POWER = "svt/power"


def test_the_model_bound_to_grader_judges(run_inspect, score_of, offline):
    task = valueflow_profile(values=POWER, queries="core")
    log = run_inspect(task, limit=2, model_roles={"grader": "vfoffline/knows-power"})
    assert log.status == "success", log.error
    assert len(offline.prompts) == 2 * 3
    for sample in log.samples:
        one = score_of(sample)
        assert one.metadata["settings"]["judge"] == "ranking:vfoffline/knows-power"
        windows = one.metadata["measured"]["estimates"][POWER]["windows"]
        assert all(json.loads(window["raw"]) for window in windows)
        assert abs(one.value["svt_power"]) < 2.5, "another value's neutral text"


def test_a_grader_s_judgements_are_bought_once(run_inspect, offline):
    for _ in range(2):
        task = valueflow_profile(values=POWER, queries="core", seed=11)
        run_inspect(task, limit=1, model_roles={"grader": "vfoffline/knows-power"})
    assert len(offline.prompts) == 3


def test_the_grader_judges_as_it_was_bound(run_inspect, offline):
    bound = get_model("vfoffline/knows-power", tag="as bound")
    task = valueflow_profile(values=POWER, queries="core", seed=12)
    log = run_inspect(task, limit=1, model_roles={"grader": bound})
    assert log.status == "success", log.error
    assert set(offline.tags) == {"as bound"}


def test_a_log_judged_by_a_grader_does_not_claim_another_judge(run_inspect):
    task = valueflow_profile(values=POWER, queries="core", seed=13)
    log = run_inspect(task, limit=1, model_roles={"grader": "vfoffline/knows-power"})
    about = log.eval.metadata["valueflow"]
    assert about["settings"]["judge"] != "embedded"
    assert about["calibrated"] is False


def test_a_grader_bound_otherwise_is_another_judge_that_pays_for_itself(
    run_inspect, score_of, offline
):
    task = valueflow_profile(values=POWER, queries="core", seed=15)
    names = set()
    for given in (
        {},
        {"tag": "other"},
        {"config": GenerateConfig(reasoning_effort="high")},
        {"config": GenerateConfig(max_connections=3, timeout=60), "api_key": "secret"},
    ):
        bound = get_model("vfoffline/knows-power", memoize=False, **given)
        log = run_inspect(task, limit=1, model_roles={"grader": bound})
        assert log.status == "success", log.error
        settings = score_of(log.samples[0]).metadata["settings"]
        assert log.eval.metadata["valueflow"]["settings"]["judge"] == settings["judge"]
        names.add(settings["judge"])
    # How it is reached makes no other judge of it, and costs nothing again.
    assert len(names) == 3
    assert "ranking:vfoffline/knows-power" in names
    assert len(offline.prompts) == 3 * 3
    assert "secret" not in str(names)


def test_a_task_that_runs_again_is_announced_anew(quick, run_inspect, header):
    task = valueflow_profile(values=POWER, queries="core", judge=quick["judge"], seed=17)
    announced = dict(task.metadata["valueflow"])
    first = run_inspect(task, limit=1, model_roles={"grader": "vfoffline/knows-power"})
    again = run_inspect(task, model="vfoffline/in-own-words")
    assert header(first)["settings"]["judge"] == "ranking:vfoffline/knows-power"
    assert header(again) == task.metadata["valueflow"] == announced


def test_what_a_grader_judged_can_be_read_without_it(run_inspect, score_of):
    bound = get_model("vfoffline/knows-power", tag="gone", memoize=False)
    task = valueflow_profile(values=POWER, queries="core", seed=16)
    log = run_inspect(task, limit=1, model_roles={"grader": bound})
    from valueflow_scorers.judges import model as judges

    judge = log.eval.metadata["valueflow"]["settings"]["judge"]
    del judges._BOUND[judge.removeprefix("ranking:")]
    settings = Settings.parse(score_of(log.samples[0]).metadata["settings"])
    (again,) = settings.instrument().restore([score_of(log.samples[0]).metadata["measured"]])
    assert again.estimates[POWER].scored
    with pytest.raises(ValueFlowError, match="role `grader`"):
        AnchorEvaluator(load_panel(POWER), judge, m=1, k=5).score([Response("Anything new.")])


def test_a_grader_that_never_answers_in_order_gives_no_number(run_inspect, metrics, score_of):
    task = valueflow_profile(values=POWER, queries="core", seed=14)
    log = run_inspect(task, limit=1, model_roles={"grader": "vfoffline/babbles"})
    assert log.status == "success", log.error
    assert metrics(log) == pytest.approx(
        {"strength": nan, "refusal": 0, "unscored": 1}, nan_ok=True
    )
    assert score_of(log.samples[0]).reason == "grader_failed"
