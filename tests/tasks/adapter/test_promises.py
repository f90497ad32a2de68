"""What a dial promises stands in the results of both harnesses, also where nothing has to steer."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("inspect_ai")

from valueflow_tasks.analysis import load_runs
from valueflow_tasks.inspect_tasks import valueflow_profile
from valueflow_tasks.steer_request import _warn_of_ruler, read_steer
from valueflow_tasks.steering import SteeringSpec
from valueflow_tasks.steering._folder import VectorFolder, dial_file, prompt_dial_file, vector_file
from valueflow_tasks.steering._spec import Promise
from valueflow_tasks.steering.dial import Dial

MEANS = (-6.0, -2.0, 0.0, 2.0, 6.0)
STEER = "svt/power=+0.0"


def dial(arm: str, identity: str) -> Dial:
    return Dial("svt/power", arm, identity, "known", "p" * 16, (-2.0, -1.0, 0.0, 1.0, 2.0), 1.0,
                MEANS, (0.5,) * 5, MEANS, (MEANS,) * 4, 30, "valueflow-tiny")  # fmt: skip


@pytest.fixture
def promise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Promise:
    """What the dial of the bundled model's prompts promises of its unsteered answers."""
    monkeypatch.setenv("VALUEFLOW_DIALS", str(tmp_path))
    _warn_of_ruler.cache_clear()
    one = dial("prompt", "definition")
    one.save(prompt_dial_file(one.model, one.value, one.identity))
    return one.promise(one.invert(0.0))


def test_a_vector_dial_at_0_promises_and_steers_nothing(
    tmp_path: Path, make_vector: Callable[..., Any]
) -> None:
    make_vector().save(vector_file(tmp_path, "svt/power"))
    one = dial("vector", VectorFolder(tmp_path).vector("svt/power").fingerprint)
    one.save(dial_file(tmp_path, "svt/power"))
    spec = read_steer(STEER, str(tmp_path))
    assert spec == SteeringSpec(promises=(one.promise(one.invert(0.0)),))
    assert spec.is_unsteered


def test_lm_eval_keeps_the_promise_of_a_dial_at_0(
    promise: Promise, run_lm_eval: Any, quick: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    found = run_lm_eval(
        "valueflow_profile", limit=1, model="valueflow-hf", values="svt/power", **quick,
        arguments={"model_args": {"pretrained": "bundled", "device": "cpu", "steer": STEER}},
    )  # fmt: skip
    said = found["config"]
    assert SteeringSpec.from_dict(said["valueflow_steering"]).promises == (promise,)
    assert said["valueflow_steering_fingerprint"] is None
    assert "does not hold for this ruler" in caplog.text


def test_inspect_keeps_the_promise_of_a_dial_at_0(
    promise: Promise, run_inspect: Any, quick: dict[str, str]
) -> None:
    log = run_inspect(
        valueflow_profile(values="svt/power", **quick), model="valueflow/hf/bundled", limit=1,
        model_args={"device": "cpu", "steer": STEER},
    )  # fmt: skip
    assert log.status == "success", log.error
    (run,) = load_runs(log.location).runs
    assert run.spec == SteeringSpec(promises=(promise,))
    assert run.steering == ""
