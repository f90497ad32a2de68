"""Logs that exist already, scored with `inspect score`."""

from __future__ import annotations

import pytest
from inspect_ai import Task
from inspect_ai import score as inspect_score
from inspect_ai.dataset import Sample
from inspect_ai.log import EvalLog
from inspect_ai.solver import generate
from valueflow_scorers import ValueFlowError

from valueflow_tasks.inspect_tasks import anchor_intensity
from valueflow_tasks.prompts import steering_text, user_turn

POWER = "svt/power"


@pytest.fixture
def foreign(run_inspect) -> EvalLog:
    """A log of somebody else's task, whose answers are texts of known intensity."""
    samples = [
        Sample(id=f"case {level}", input=user_turn("Who goes first?", steering_text(POWER, level)))
        for level in (-2, 2)
    ]
    return run_inspect(Task(dataset=samples, solver=generate(), name="foreign"))


def test_an_own_log_is_scored_again_with_other_settings(steered, quick, metrics, measured):
    again = inspect_score(
        steered, anchor_intensity(m=5, **quick), action="overwrite", display="none"
    )
    assert metrics(again)["tracking"] >= 0.9
    assert {len(one["windows"]) for one in measured(again).values()} == {5}
    same = inspect_score(steered, anchor_intensity(**quick), action="overwrite", display="none")
    assert measured(same) == measured(steered)
    assert metrics(same)["gain"] == pytest.approx(metrics(steered)["gain"])


def test_a_foreign_task_s_log_is_measured_on_the_values_named(foreign, quick, metrics, score_of):
    log = inspect_score(foreign, anchor_intensity(values=POWER, **quick), display="none")
    by_id = {sample.id: score_of(sample).value["svt_power"] for sample in log.samples}
    assert by_id["case 2"] > 4
    assert by_id["case -2"] < -4
    found = metrics(log)
    assert "intensity_svt_power" in found
    assert "gain" not in found
    assert found["stderr"] > 0


def test_a_foreign_task_s_log_needs_values_and_the_remedy_is_named(foreign, quick):
    with pytest.raises(ValueFlowError, match=r"case.*-S values=svt/power"):
        inspect_score(foreign, anchor_intensity(**quick), display="none")
