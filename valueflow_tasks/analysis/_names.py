"""One name per model, whatever the harness calls it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

CONTROL = "valueflow-control"
_LOCAL = ("valueflow/hf/", "hf/")
_WHERE = ("pretrained", "model", "model_path")
"""Arguments that name the weights."""
_REVISION = "revision"
_IDENTITY = (
    "subfolder", "gguf_file", "peft", "delta", "lora_local_path", "quantization",
    "quantization_config", "load_in_8bit", "load_in_4bit", "autogptq", "gptqmodel",
)  # fmt: skip
"""Arguments that make another model of the same name, in the order in which a name has them."""
_DEFAULTS = ("", "none", "false", "main")
"""What such an argument is where nobody gave it."""


def is_control(name: str) -> bool:
    """Whether a model's name, as `model_name` gives it, is that of a control model."""
    return name.startswith(CONTROL)


def model_name(model: str, arguments: Mapping[str, Any]) -> str:
    """The model's name without provider where it is a local one, and without steering.

    What makes another model of it is part of the name: `org/model@step1000+peft=org/adapter`.

    Args:
        model: As the harness calls it: `hf`, `valueflow-hf`, `valueflow/control`, `openai/gpt-4o`.
        arguments: What it was made with.
    """
    if model in (CONTROL, "valueflow/control"):
        return f"{CONTROL}-{arguments.get('mode', 'oracle')}"
    given = {
        name: value
        for name, value in arguments.items()
        if str(value).strip().lower() not in _DEFAULTS
    }
    revision = f"@{given[_REVISION]}" if _REVISION in given else ""
    more = "".join(f"+{name}={given[name]}" for name in _IDENTITY if name in given)
    return _plain(model, given) + revision + more


def _plain(model: str, given: Mapping[str, Any]) -> str:
    named = next((str(given[name]) for name in _WHERE if name in given), None)
    if named is not None:
        return named
    prefix = next((one for one in _LOCAL if model.startswith(one)), "")
    return model.removeprefix(prefix)


def parse_arguments(given: Any) -> dict[str, Any]:
    """Model arguments as a mapping; lm-eval keeps what it was given, also `a=b,c=d`."""
    if isinstance(given, Mapping):
        return dict(given)
    if not isinstance(given, str):
        return {}
    pairs = (part.partition("=") for part in given.split(",") if part)
    return {key.strip(): value for key, _, value in pairs}
