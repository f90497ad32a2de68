"""Samples that carry their steering."""

from __future__ import annotations

import pytest
from inspect_ai import Task
from inspect_ai import score as inspect_score
from inspect_ai.solver import generate
from valueflow_scorers import ValueFlowError

from valueflow_tasks.inspect_tasks import anchor_intensity, valueflow_profile
from valueflow_tasks.steering import SteeringSpec

POWER = "svt/power"


def _carrying(quick: dict[str, str], prompt: str = "You are brave.") -> Task:
    task = valueflow_profile(values=POWER, **quick)
    for sample in task.dataset:
        sample.metadata["valueflow"]["spec"] = SteeringSpec(prompt=prompt).to_dict()
    return task


def test_a_sample_says_which_steering_it_was_answered_under(quick, run_inspect):
    task = _carrying(quick)
    log = run_inspect(task, model="vfobedient/in-own-words", limit=1)
    assert log.status == "success", log.error
    again = inspect_score(log, anchor_intensity(**quick), action="overwrite", display="none")
    assert "anchor_intensity" in again.samples[0].scores
    other = SteeringSpec(prompt="You are meek.").to_dict()
    log.samples[0].metadata["valueflow"]["spec"] = other
    with pytest.raises(ValueFlowError, match="was answered without the steering"):
        inspect_score(log, anchor_intensity(**quick), action="overwrite", display="none")


def test_an_answer_of_another_solver_is_not_scored_as_steered(quick, run_inspect):
    log = run_inspect(_carrying(quick), model="vfobedient/in-own-words", limit=1, solver=generate())
    assert log.status == "error"
    assert "leave out --solver" in log.error.message
