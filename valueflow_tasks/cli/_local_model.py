"""A model on this machine, as commands take it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click
from valueflow_scorers import ValueFlowError

if TYPE_CHECKING:
    from ..steering._answer import Loaded

_BETWEEN = re.compile(r",(?![^{]*\})(?![^\[]*\])")  # commas outside braces and brackets
_TEXTS = ("revision", "token")
"""Arguments that are text even where they look like a number."""
_WORDS = {"true": True, "false": False, "none": None}
_DEVICE_HELP = "cpu, cuda …; CUDA if there is one."
_ARGS_HELP = (
    "k=v,… for from_pretrained: dtype=bfloat16, device_map=auto, revision=…, "
    'quantization_config={"load_in_4bit":true}.'
)


def model_args(command: Callable[..., None]) -> Callable[..., None]:
    """Add the option `--model-args`."""
    return click.option("--model-args", default="", metavar="K=V,…", help=_ARGS_HELP)(command)


def answering(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options of a command whose model answers: arguments, device, batch size."""
    for option in (
        click.option("--device", default=None, help=_DEVICE_HELP),
        model_args,
        click.option(
            "--batch-size", type=click.IntRange(min=1), default=32, show_default=True,
            help="Answers per batch.",
        ),
    ):  # fmt: skip
        command = option(command)
    return command


def load(model: str, device: str | None, arguments: str) -> Loaded:
    """The model behind the options.

    Raises:
        ValueFlowError: for arguments that cannot be read, a model that cannot be loaded with
            them, or without torch.
    """
    from ..steering._answer import load_model

    given = read_arguments(arguments)
    try:
        return load_model(model, **{"device": device, **given})
    except ValueFlowError:
        raise
    # What torch and transformers raise for options they do not know is of any of these kinds.
    except (TypeError, ImportError, AttributeError, RuntimeError, ValueError, AssertionError) as e:
        options = f" --model-args {arguments!r}" * bool(arguments)
        options += f" --device {device}" * bool(device)
        raise ValueFlowError(f"--model {model}{options} cannot be loaded: {e}") from None


def read_arguments(text: str) -> dict[str, Any]:
    """`k=v,k=v` as keyword arguments: numbers, true, false, none and JSON objects are such.

    Raises:
        ValueFlowError: for an entry without `=`.
    """
    given = {}
    for entry in _BETWEEN.split(text) if text else ():
        name, separator, value = entry.partition("=")
        if not separator or not name.strip():
            raise ValueFlowError(f"--model-args: {entry!r} is no k=v, such as dtype=bfloat16")
        named, told = name.strip(), value.strip()
        given[named] = told if named in _TEXTS else _value(told)
    return given


def _value(text: str) -> Any:
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text
