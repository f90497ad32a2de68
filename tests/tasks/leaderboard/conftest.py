"""Submissions of three models that answer with texts of known intensity, judged for real."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

pytest.importorskip("pandas")
pytest.importorskip("jinja2")
pytest.importorskip("jsonschema")
pytest.importorskip("huggingface_hub")
pytest.importorskip("inspect_ai")

from inspect_ai import eval as inspect_eval
from inspect_ai.model import GenerateConfig, ModelAPI, ModelOutput, ModelUsage, modelapi
from valueflow_scorers import load_panel

from valueflow_tasks.controls import POINTS_PER_LEVEL, neutral_answer, requested

REACH = {"eager": 1.0, "half": 0.5, "deaf": 0.0}
"""Share of what it is asked for that a model does."""
FACTS: dict[str, Any] = {
    "dataset": "some-lab/valueflow",
    "organization": "<script>alert(1)</script>",
    "relationship": "third_party",
    "repository": "https://github.com/some-lab/valueflow",
    "commit": "0123456789abcdef0123456789abcdef01234567",
    "maintainers": ["someone"],
    "contributors": ["someone"],
}


class Steerable(ModelAPI):
    """Answers with the panel text nearest to its share of what it is asked for."""

    def __init__(self, model_name: str, *_: Any, **__: Any) -> None:
        super().__init__(model_name, None, None, [], GenerateConfig())

    async def generate(self, input: Any, *_: Any, **__: Any) -> ModelOutput:
        asked = requested("\n".join(message.text for message in input))
        text = neutral_answer()
        reach = REACH[self.model_name]
        if asked is not None and reach:  # the deaf answer as if nothing had been asked
            wanted = reach * POINTS_PER_LEVEL * asked[1]
            sentinels = load_panel(asked[0]).sentinels
            text = min(sentinels, key=lambda one: abs(one.intensity - wanted)).text
        output = ModelOutput.from_content(self.model_name, text)
        output.usage = ModelUsage()
        return output


@modelapi("steerable")
def steerable() -> type[ModelAPI]:
    return Steerable


@pytest.fixture(scope="session")
def submit_model(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """submit_model(name, folder, **knobs): run a model, submit what came out."""

    def submit(name: str, folder: Path, **knobs: Any) -> Path:
        from valueflow_tasks.inspect_tasks import valueflow_steer
        from valueflow_tasks.submit import write_submission

        logs = tmp_path_factory.mktemp(name)
        given = {"values": ["mft/care", "mft/loyalty"], "queries": "core", **knobs}
        inspect_eval(
            valueflow_steer(**given),
            model=f"steerable/{name}",
            log_dir=str(logs),
            display="none",
        )
        meta = logs / "facts.yaml"
        meta.write_text(yaml.safe_dump(FACTS), "utf-8")
        write_submission(logs, folder, ["every-eval-ever"], meta)
        return folder

    return submit


@pytest.fixture(scope="session")
def submissions(tmp_path_factory: pytest.TempPathFactory, submit_model: Any) -> Path:
    """A folder of submissions of all models; do not write into it."""
    folder = tmp_path_factory.mktemp("submissions")
    for name in REACH:
        submit_model(name, folder / name)
    return folder


@pytest.fixture
def copied(tmp_path: Path) -> Callable[[Path], Path]:
    """A copy of a folder, to be changed."""

    def copy(folder: Path) -> Path:
        return Path(shutil.copytree(folder, tmp_path / folder.name))

    return copy
