"""The command that repeats a run, made from what its log says."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from typing import Any

from ..compose import OWN_SETTINGS
from ..prompts import GENERATION
from ..settings import Settings


def lm_eval_command(
    model: str,
    arguments: Mapping[str, Any],
    task: str,
    settings: Settings,
    config: Mapping[str, Any],
    *,
    metadata: Mapping[str, Any],
    results: Mapping[str, Any],
) -> str:
    """The command that repeats an lm-eval run.

    Args:
        model: As the harness calls it.
        arguments: What it was made with, without secrets.
        task: Name of the task.
        settings: Of the measurement.
        config: The results' `config`.
        metadata: The task's `metadata`.
        results: The whole results.
    """
    words = ["valueflow", "lm-eval", "--model", model]
    if arguments:
        words += ["--model_args", _pairs(arguments)]
    words += ["--tasks", task]
    own = _changed(settings) | {
        name: metadata[name] for name in OWN_SETTINGS if metadata.get(name) is not None
    }
    if own:
        words += ["--metadata", *(f"{key}={_told(value)}" for key, value in own.items())]
    said = metadata.get("valueflow") or {}
    if said.get("chat_template", results.get("chat_template")):
        words += ["--apply_chat_template"]
    if system := results.get("system_instruction"):
        words += ["--system_instruction", str(system)]
    if generation := config.get("gen_kwargs"):
        told = generation if isinstance(generation, str) else _pairs(generation)
        words += ["--gen_kwargs", told]
    if (limit := config.get("limit")) is not None:
        words += ["--limit", f"{float(limit):g}"]
    return shlex.join([*words, "--log_samples", "--output_path", "results"])


def inspect_command(
    model: str,
    arguments: Mapping[str, Any],
    task: str,
    given: Mapping[str, Any],
    *,
    generation: Mapping[str, Any],
    epochs: int | None,
    limit: object,
) -> str:
    """The command that repeats an Inspect run.

    Args:
        model: As the harness calls it.
        arguments: What it was made with, without secrets.
        task: Name of the task.
        given: The task's arguments.
        generation: Generation settings in force.
        epochs: How often every sample was put.
        limit: As the log has it.
    """
    words = ["inspect", "eval", task]
    for key, value in given.items():
        words += ["-T", f"{key}={_told(value)}"]
    words += ["--model", model]
    for key, value in arguments.items():
        words += ["-M", f"{key}={_told(value)}"]
    for key, value in generation.items():
        plain = isinstance(value, str | int | float) and not isinstance(value, bool)
        if plain and GENERATION.get(key) != value:
            words += [f"--{key.replace('_', '-')}", str(value)]
    if epochs is not None and epochs > 1:
        words += ["--epochs", str(epochs)]
    if limit is not None:
        bounds = limit if isinstance(limit, list | tuple) else [limit]
        words += ["--limit", "-".join(str(bound) for bound in bounds)]
    return shlex.join(words)


def _changed(settings: Settings) -> dict[str, Any]:
    default = Settings().to_dict()
    return {key: value for key, value in settings.to_dict().items() if value != default[key]}


def _pairs(given: Mapping[str, Any]) -> str:
    return ",".join(f"{key}={value}" for key, value in given.items())


def _told(value: Any) -> str:
    if isinstance(value, list | tuple):
        return f"[{','.join(map(str, value))}]"
    return value if isinstance(value, str) else json.dumps(value)
