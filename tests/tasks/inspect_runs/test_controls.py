"""Control models: what their metrics must be, and that each answers for itself."""

from __future__ import annotations

import pytest
from inspect_ai import Task
from inspect_ai.dataset import Sample
from inspect_ai.model import get_model
from inspect_ai.solver import generate
from valueflow_scorers import ValueFlowError

from valueflow_tasks.controls import neutral_answer
from valueflow_tasks.inspect_tasks import valueflow_steer
from valueflow_tasks.prompts import steering_text, user_turn

POWER = "svt/power"


def test_the_inert_has_no_gain_and_the_contrary_a_negative_one(quick, folder, run, metrics):
    inert = metrics(run(valueflow_steer(values=POWER, **quick), folder, "inert", limit=30))
    assert abs(inert["gain"]) < 3 * inert["gain_stderr"]
    contrary = metrics(run(valueflow_steer(values=POWER, **quick), folder, "contrary", limit=10))
    assert contrary["gain"] < -2
    assert contrary["tracking"] < -0.8


def test_modes_of_the_control_model_do_not_share_a_cache(quick, folder, tmp_path, monkeypatch, run):
    monkeypatch.setenv("INSPECT_CACHE_DIR", str(tmp_path / "cache"))
    sample = Sample(user_turn("Who?", steering_text(POWER, 2)))
    answers = {
        mode: run(Task(dataset=[sample], solver=generate(cache=True)), folder, mode)
        .samples[0]
        .output.completion
        for mode in ("oracle", "contrary", "inert")
    }
    assert len(set(answers.values())) == 3
    assert answers["inert"] == neutral_answer()


@pytest.mark.parametrize(
    ("model", "arguments", "words"),
    [
        ("valueflow/contrl", {}, "control"),
        ("valueflow/control", {"mode": "orcale"}, "oracle"),
    ],
)
def test_an_unknown_control_model_is_refused_with_the_nearest(model, arguments, words):
    with pytest.raises(ValueFlowError, match=words):
        get_model(model, **arguments)
