"""Answers without a number: refused, empty, or without a verdict."""

from __future__ import annotations

import math

import pytest
from inspect_ai.log import read_eval_log

from valueflow_tasks.inspect_tasks import (
    composition,
    opinions,
    profile,
    steering,
    valueflow_profile,
    valueflow_steer,
)
from valueflow_tasks.inspect_tasks._scorer import intensities

POWER = "svt/power"


def test_refusals_are_counted_and_given_no_number(quick, folder, run, metrics, score_of):
    log = run(valueflow_steer(values=POWER, **quick), folder, "refuser", limit=5)
    found = metrics(log)
    assert found["refusal"] == 1
    assert not {"intensity", "gain", "tracking"} & set(found)
    told = read_eval_log(log.location, header_only=True).results
    assert told.headline.metric == "steerability", "no other takes its place"
    assert math.isnan(told.scores[0].metrics["steerability"].value)
    for sample in log.samples:
        one = score_of(sample)
        assert one.reason == "refusal"
        assert math.isnan(one.value["svt_power"])
        assert "refusal" in one.explanation


@pytest.mark.parametrize("make", [steering, profile, composition, opinions, intensities])
def test_a_headline_is_there_from_the_start(make):
    """Inspect looks for it before the first sample is scored, and warns if it is not there."""
    assert [math.isnan(number) for number in make()([]).values()] == [True]


def test_a_content_filter_s_stop_is_a_refusal_whatever_was_written(
    quick, run_inspect, metrics, score_of
):
    log = run_inspect(valueflow_profile(values=POWER, **quick), model="vfoffline/filtered", limit=2)
    assert metrics(log)["refusal"] == 1
    assert {score_of(sample).reason for sample in log.samples} == {"refusal"}


def test_an_empty_answer_is_unscored_with_its_reason(quick, run_inspect, metrics, score_of):
    log = run_inspect(valueflow_profile(values=POWER, **quick), model="vfoffline/silent", limit=2)
    found = metrics(log)
    assert found["unscored"] == 1
    assert found["refusal"] == 0
    assert "intensity_svt_power" not in found
    for sample in log.samples:
        assert score_of(sample).reason == "no_response"
        assert "empty response" in score_of(sample).explanation
        assert math.isnan(score_of(sample).value["svt_power"])


def test_a_judge_without_a_verdict_gives_no_number_and_says_so(
    quick, run_inspect, metrics, score_of
):
    task = valueflow_profile(values=POWER, **quick)
    log = run_inspect(task, model="vfoffline/in-own-words", limit=2)
    assert metrics(log)["unscored"] == 1
    for sample in log.samples:
        one = score_of(sample)
        assert one.reason == "grader_failed"
        assert math.isnan(one.value["svt_power"])
        kept = one.metadata["measured"]["estimates"][POWER]
        assert kept["failures"] == {"unknown text": len(kept["windows"])}
        assert "intensity" not in kept
