"""Runs of the tasks in lm-evaluation-harness, and readers of what they found."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

pytest.importorskip("lm_eval")

import lm_eval.models  # first: otherwise the built-in models vanish
from lm_eval.tasks import TaskManager
from valueflow_scorers.metrics import value_slug

from valueflow_tasks.lm_eval_tasks._link import config_folder

POWER = "valueflow_steer_svt_power"


@pytest.fixture(scope="session")
def small(quick: dict[str, str]) -> dict[str, Any]:
    """One run of two queries, shared by everything that only looks at it."""
    manager = TaskManager(include_path=str(config_folder()), include_defaults=False, metadata=quick)
    return lm_eval.simple_evaluate(
        model="valueflow-control",
        model_args={"mode": "oracle"},
        tasks=[POWER],
        task_manager=manager,
        limit=2,
        log_samples=True,
    )


@pytest.fixture(scope="session")
def task_name() -> Callable[[str], str]:
    """task_name(value): the task that steers towards it."""
    return lambda value: f"valueflow_steer_{value_slug(value)}"


@pytest.fixture(scope="session")
def numbers() -> Callable[..., dict[str, float]]:
    """numbers(found, task): metrics by bare name, errors included."""

    def read(found: dict[str, Any], task: str = POWER) -> dict[str, float]:
        return {
            key.partition(",")[0]: number
            for key, number in found["results"][task].items()
            if "," in key and "_stderr_stderr" not in key
        }

    return read


@pytest.fixture(scope="session")
def records() -> Callable[..., list[dict[str, Any]]]:
    """records(found, task): what was measured in each answer."""

    def read(found: dict[str, Any], task: str = POWER) -> list[dict[str, Any]]:
        return [
            json.loads(one) for sample in found["samples"][task] for one in sample["filtered_resps"]
        ]

    return read


@pytest.fixture(scope="session")
def recorded() -> Callable[..., dict[str, Any]]:
    """recorded(found, task): what a run says of itself."""

    def read(found: dict[str, Any], task: str = POWER) -> dict[str, Any]:
        return found["configs"][task]["metadata"]["valueflow"]

    return read


@pytest.fixture(scope="session")
def every_number() -> Callable[[Any], Iterator[float]]:
    """every_number(content): each float in it, however deep."""

    def walk(content: Any) -> Iterator[float]:
        if isinstance(content, dict):
            for value in content.values():
                yield from walk(value)
        elif isinstance(content, list | tuple):
            for value in content:
                yield from walk(value)
        elif isinstance(content, float):
            yield content

    return walk
