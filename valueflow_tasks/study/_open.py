"""What a study asks, opened before anything is spent: a missing package or key shows at once."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.util import find_spec
from typing import TYPE_CHECKING

from valueflow_scorers import ValueFlowError
from valueflow_scorers.judges.model import _plain

from ._study import Study, StudyModel

if TYPE_CHECKING:
    from inspect_ai.model import Model

_LOCAL_NEEDS = {
    "hf": ("transformers", "torch transformers accelerate"),
    "valueflow": ("transformers", "'valueflow-tasks[hf]'"),
    "vllm": ("openai", "openai vllm"),
    "sglang": ("openai", "openai sglang"),
    "llama-cpp-python": ("openai", "openai"),
}
"""By provider of models on this machine: what none of them does without, and what to install."""


def open_model(model: StudyModel) -> Model:
    """The model of that name and arguments.

    Raises:
        ValueFlowError: if Inspect does not know it, or cannot reach it from here.
    """
    from inspect_ai.model import get_model

    try:
        return get_model(model.name, **model.args)
    except Exception as error:  # providers raise anything
        unknown = type(error) is ValueError  # what Inspect raises for a name it knows nothing of
        hint = " Models are named as in Inspect: openai/gpt-4o-mini" if unknown else ""
        raise _refused(model, f"{_plain(error)}{hint}") from error


def check_models(models: Iterable[StudyModel]) -> None:
    """Refuse models that cannot be opened from here.

    Those of this machine are not loaded, since its memory may hold one at a time only.

    Raises:
        ValueFlowError: for the first of them.
    """
    for model in models:
        if not model.local:
            open_model(model)
            continue
        package, install = _LOCAL_NEEDS.get(model.name.partition("/")[0], ("", ""))
        if package and find_spec(package) is None:
            raise _refused(model, f"it needs the package {package}: pip install {install}")


def check_judges(study: Study) -> None:
    """Refuse models that judge and cannot be opened from here; see `check_models`.

    Raises:
        ValueFlowError: for the first of them.
    """
    for judge in study.judges:
        asked = StudyModel(judge["judge"].partition(":")[2])
        if asked.local:
            check_models([asked])
        else:
            study.judged_by(judge, "").instrument().resolved.open()


def _refused(model: StudyModel, why: str) -> ValueFlowError:
    return ValueFlowError(f"the model {model.shown} cannot be opened: {why}")
