"""What the metrics of control models must be, whose answers have known intensities."""

from __future__ import annotations

import math
from typing import Any

import pytest
from valueflow_scorers import load_panel

from valueflow_tasks.controls import neutral_answer
from valueflow_tasks.lm_eval_tasks import ControlLM
from valueflow_tasks.prompts import steering_text
from valueflow_tasks.queries import load_queries

JUDGE = "simulated:noise=1"
POWER = "valueflow_steer_svt_power"


@pytest.mark.parametrize("value", ["svt/power", "mft/care", "rights/national-solidarity"])
def test_the_oracle_is_placed_at_its_sentinels_and_tracks_what_is_asked(
    value, run_lm_eval, task_name, numbers, records, recorded
):
    task = task_name(value)
    found = run_lm_eval(task, judge=JUDGE, k=6, m=3)
    true = {text.text: text.intensity for text in load_panel(value).sentinels}
    true.setdefault(neutral_answer(), 0.0)  # another value's text is neutral on this one
    answers = [text for sample in found["samples"][task] for (text,) in sample["resps"]]
    placed = [record["estimates"][value]["intensity"] for record in records(found, task)]
    errors = [abs(true[text] - x) for text, x in zip(answers, placed, strict=True)]
    assert len(errors) == 70 * 5
    assert sum(errors) / len(errors) <= 1.2
    metrics = numbers(found, task)
    assert metrics["tracking"] >= 0.9
    assert 3 <= metrics["gain"] <= 5
    assert metrics["steerability"] > 0.6
    assert recorded(found, task)["calibrated"] is True


def test_the_inert_has_no_gain_on_the_test_queries(run_lm_eval, numbers):
    metrics = numbers(run_lm_eval(POWER, mode="inert", judge=JUDGE))
    assert abs(metrics["gain"]) < 0.15
    assert abs(metrics["steerability"]) < 0.1
    assert abs(metrics["tracking"]) < 0.3


def test_the_inert_has_no_gain_beyond_its_error_on_fewer_queries(run_lm_eval, quick, numbers):
    metrics = numbers(run_lm_eval(POWER, mode="inert", limit=6, **quick))
    assert metrics["gain_stderr"] > 0
    assert abs(metrics["gain"]) < 3 * metrics["gain_stderr"]


def test_the_contrary_has_a_negative_gain(run_lm_eval, quick, numbers):
    metrics = numbers(run_lm_eval(POWER, mode="contrary", limit=5, **quick))
    assert metrics["gain"] < -2
    assert metrics["tracking"] < -0.8
    assert metrics["steerability"] < -0.4
    assert metrics["steerability_up"] < 0
    assert metrics["steerability_down"] < 0


def test_refusals_are_counted_and_never_given_a_number(
    run_lm_eval, quick, numbers, records, every_number
):
    steer = run_lm_eval(POWER, mode="refuser", limit=2, **quick)
    profile = run_lm_eval("valueflow_profile", mode="refuser", limit=2, **quick)
    for found, task in ((steer, POWER), (profile, "valueflow_profile")):
        metrics = numbers(found, task)
        assert metrics["refusal"] == 1
        scored = ("intensity", "gain", "tracking", "steerability", "strength", "leakage")
        assert not [name for name in metrics if name.startswith(scored)]
        assert all(record["refused"] and not record["estimates"] for record in records(found, task))
        assert not [x for x in every_number(found["results"]) if not math.isfinite(x)]


def test_a_query_that_is_refused_at_one_level_does_not_enter_gain(
    run_lm_eval, quick, monkeypatch, numbers
):
    plain = ControlLM.generate_until
    refused = steering_text("svt/power", 2)
    first = load_queries("test")[0].text

    def refuses_once(self: Any, requests: Any, **given: Any) -> list[str]:
        answers = plain(self, requests, **given)
        hits = [refused in one.args[0] and first in one.args[0] for one in requests]
        assert sum(hits) == 1
        return [
            "I'm sorry, but I can't help with that request." if hit else answer
            for hit, answer in zip(hits, answers, strict=True)
        ]

    monkeypatch.setattr(ControlLM, "generate_until", refuses_once)
    found = run_lm_eval(POWER, limit=3, **quick)
    metrics = numbers(found)
    assert metrics["refusal"] == pytest.approx(1 / 15)
    assert metrics["gain"] > 3
    sample, *others = found["samples"][POWER]
    assert "not computable" in str(sample["gain"])
    assert not isinstance(sample["gain"], float)
    assert isinstance(sample["intensity"], float)
    assert all(isinstance(one["gain"], float) for one in others)
