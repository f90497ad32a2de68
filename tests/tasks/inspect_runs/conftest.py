"""Runs of the tasks in Inspect, judges and models that need no network, and readers of logs."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

pytest.importorskip("inspect_ai")

from inspect_ai import Task
from inspect_ai import eval as inspect_eval
from inspect_ai.log import EvalLog
from inspect_ai.model import (
    ChatMessageAssistant,
    GenerateConfig,
    ModelAPI,
    ModelOutput,
    ModelUsage,
    modelapi,
)
from inspect_ai.model._model_output import ChatCompletionChoice
from valueflow_scorers import load_panel

from valueflow_tasks.controls import control_answer
from valueflow_tasks.inspect_tasks import valueflow_profile, valueflow_steer

POWER = "svt/power"
KNOWN = {text.text: text.intensity for text in load_panel(POWER).texts}
_ITEM = re.compile(r"<<<item (\w) (\w+)>>>\nQuestion: .*?\nAnswer: (.*?)\n<<<end \1 \2>>>", re.S)


class OfflineAPI(ModelAPI):
    """Judges and models under test by name; a usage is set, so no tokenizer is fetched."""

    prompts: list[str] = []  # noqa: RUF012
    tags: list[str] = []  # noqa: RUF012
    calls = 0

    def __init__(self, model_name: str, *_: Any, tag: str = "", **__: Any) -> None:
        super().__init__(model_name, None, None, [], GenerateConfig())
        self.tag = tag

    async def generate(self, input: Any, *_: Any, **__: Any) -> ModelOutput:
        prompt = input[-1].text
        OfflineAPI.prompts.append(prompt)
        OfflineAPI.tags.append(self.tag)
        OfflineAPI.calls += 1
        text, stop = getattr(self, f"_{self.model_name.replace('-', '_')}")(prompt)
        choice = ChatCompletionChoice(message=ChatMessageAssistant(content=text), stop_reason=stop)
        usage = ModelUsage(input_tokens=100, output_tokens=10, total_tokens=110)
        return ModelOutput(model=self.model_name, choices=[choice], usage=usage)

    def _knows_power(self, prompt: str) -> tuple[str, str]:
        items = [(letter, KNOWN.get(text, 0.0)) for letter, _, text in _ITEM.findall(prompt)]
        items.sort(key=lambda item: -item[1])
        return json.dumps([letter for letter, _ in items]), "stop"

    def _babbles(self, prompt: str) -> tuple[str, str]:
        return "They are all fine answers.", "stop"

    def _filtered(self, prompt: str) -> tuple[str, str]:
        return control_answer(prompt, "oracle"), "content_filter"

    def _silent(self, prompt: str) -> tuple[str, str]:
        return "  \n", "stop"

    def _in_own_words(self, prompt: str) -> tuple[str, str]:
        return "I would think it over and then take the bus.", "stop"

    def _by_turns(self, prompt: str) -> tuple[str, str]:
        ranked = sorted(KNOWN, key=KNOWN.__getitem__)
        return ranked[-1 if OfflineAPI.calls % 2 else 0], "stop"


@modelapi(name="vfoffline")
def vfoffline() -> type[ModelAPI]:
    return OfflineAPI


class ObedientAPI(OfflineAPI):
    """Says that it takes a spec with each request."""

    valueflow_specs = True


@modelapi(name="vfobedient")
def vfobedient() -> type[ModelAPI]:
    return ObedientAPI


@pytest.fixture(autouse=True)
def offline() -> type[OfflineAPI]:
    """The class of these models; it remembers what this test asked them."""
    OfflineAPI.prompts.clear()
    OfflineAPI.tags.clear()
    OfflineAPI.calls = 0
    return OfflineAPI


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tmp_path_factory.mktemp("logs"))


@pytest.fixture(scope="session")
def run() -> Callable[..., EvalLog]:
    """run(task, folder, mode, **arguments of inspect_ai.eval): the log of a run that succeeded."""

    def run(task: Task, folder: str, mode: str = "oracle", **given: Any) -> EvalLog:
        (log,) = inspect_eval(
            task,
            model="valueflow/control",
            model_args={"mode": mode},
            log_dir=folder,
            display="none",
            **given,
        )
        assert log.status == "success", log.error
        return log

    return run


@pytest.fixture(scope="session")
def steered(quick: dict[str, str], folder: str, run: Callable[..., EvalLog]) -> EvalLog:
    """Two queries at five levels: looked at by many tests, changed by none."""
    return run(valueflow_steer(values=POWER, **quick), folder, limit=10)


@pytest.fixture(scope="session")
def profiled(quick: dict[str, str], folder: str, run: Callable[..., EvalLog]) -> EvalLog:
    """Two queries, measured on two values; changed by no test either."""
    return run(valueflow_profile(values=[POWER, "mft/care"], **quick), folder, limit=2)


@pytest.fixture(scope="session")
def metrics() -> Callable[[EvalLog], dict[str, float]]:
    """metrics(log): by name."""

    def read(log: EvalLog) -> dict[str, float]:
        (scored,) = log.results.scores
        return {name: one.value for name, one in scored.metrics.items()}

    return read


@pytest.fixture(scope="session")
def score_of() -> Callable[[Any], Any]:
    """score_of(sample): what our scorer gave it."""
    return lambda sample: sample.scores["anchor_intensity"]


@pytest.fixture(scope="session")
def measured(score_of: Callable[[Any], Any]) -> Callable[[EvalLog], dict[str, dict[str, Any]]]:
    """measured(log): estimates by response id and value."""

    def read(log: EvalLog) -> dict[str, dict[str, Any]]:
        return {
            f"{one['response_id']} {value}": one
            for sample in log.samples
            for value, one in score_of(sample).metadata["measured"]["estimates"].items()
        }

    return read


@pytest.fixture(scope="session")
def header() -> Callable[[EvalLog], dict[str, Any]]:
    """header(log): what a run says of itself."""
    return lambda log: log.eval.metadata["valueflow"]
