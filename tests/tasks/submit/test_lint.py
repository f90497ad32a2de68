"""The lint of the register that lists this evaluation, and what it asks to be tested."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from inspect_ai import Task
from inspect_ai import eval as inspect_eval
from inspect_ai.dataset import Sample
from inspect_ai.model import ModelOutput, ModelUsage, get_model

from valueflow_tasks import valueflow_steer
from valueflow_tasks.inspect_tasks._solver import answer_as_specified
from valueflow_tasks.steering import SteeringSpec, Target
from valueflow_tasks.steering._spec import VectorDose

ARGUED = {
    ("external_dependencies", "valueflow_scorers"),
    ("private_api_imports", "inspect_ai._util.error"),
    ("sample_ids", "Sample() call without id="),
}
"""Suppressed findings; docs/register.md says why."""


def mock(*texts: str) -> Any:
    """Inspect's own mock model; a usage keeps it from fetching a tokenizer."""
    outputs = [ModelOutput.from_content("mockllm/model", text) for text in texts]
    for one in outputs:
        one.usage = ModelUsage()
    return get_model("mockllm/model", custom_outputs=outputs)


def test_inspects_mock_model_is_measured(tmp_path: Path) -> None:
    task = valueflow_steer(values=["mft/care"], judge="embedded", queries="core")
    (log,) = inspect_eval(
        task,
        model=mock(*["I sat with her until the ambulance came, and then some."] * 5),
        limit=5,
        log_dir=str(tmp_path),
        display="none",
    )
    assert log.status == "success"
    assert log.results is not None
    assert log.results.scores[0].metrics["steerability"].value == pytest.approx(0, abs=1e-6)


def test_a_model_that_cannot_be_steered_by_vector_is_refused(tmp_path: Path) -> None:
    spec = SteeringSpec(targets=(Target("mft/care", 2),), vectors=(VectorDose("v", "0" * 64, 1.0),))
    sample = Sample("Who?", id="q1", metadata={"valueflow": {"spec": spec.to_dict()}})
    (log,) = inspect_eval(
        Task(dataset=[sample], solver=answer_as_specified()),
        model=mock("Someone."),
        log_dir=str(tmp_path),
        display="none",
    )
    assert log.status == "error"
    assert log.error is not None
    assert "mockllm" in log.error.message


def test_one_evaluation_is_linted_and_clean() -> None:
    pytest.importorskip("inspect_evals_lint")
    done = subprocess.run(
        [sys.executable, "-m", "inspect_evals_lint", "--all", "--output-format", "json"],
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert "Linting 1 evaluations" in done.stderr
    report = json.loads(done.stdout)
    (package,) = report["packages"]
    failed = [one["message"] for one in package["diagnostics"] if one["status"] == "fail"]
    assert failed == []
    assert done.returncode == 0
    suppressed = [one for one in package["diagnostics"] if one["status"] == "suppressed"]
    for one in suppressed:
        assert any(one["rule"] == rule and text in one["message"] for rule, text in ARGUED), one
    assert {one["rule"] for one in suppressed} == {rule for rule, _ in ARGUED}
