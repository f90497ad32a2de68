"""What of a task's metadata is a setting of ours."""

from __future__ import annotations

import difflib
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from lm_eval._cli.utils import split_top_level
from lm_eval.config.evaluate_config import EvaluatorConfig
from valueflow_scorers import ValueFlowError
from valueflow_scorers._errors import unknown

from ..settings import Settings

_OURS = ("version", "config_source", "valueflow")


def own_settings(metadata: Mapping[str, Any], more: Sequence[str] = ()) -> dict[str, Any]:
    """The entries that are settings.

    The harness merges model arguments into the metadata. So an unknown key is an error only if
    it was given with --metadata, or looks like a misspelt setting; and a key that was given
    with --model_args alone is the model's own, whatever its name (`seed` of vLLM, `vectors` of
    a steered model). Both can be told on a command line only.

    Args:
        metadata: Of the task.
        more: Settings that the task has besides those of `Settings`.

    Raises:
        ValueFlowError: for an unknown key, naming the nearest.
    """
    known = (*Settings.names(), *more)
    line = _command_line()
    named = given_keys(line, "metadata")
    models = given_keys(line, "model_args") - named
    for key in metadata:
        if key in known or key in _OURS or key in models:
            continue
        if key in named or difflib.get_close_matches(key, known, n=1, cutoff=0.85):
            raise unknown("setting in --metadata", key, known)
    if "vectors" in named and metadata.get("method") != "vector":
        raise ValueFlowError("--metadata vectors=DIR steers only with method=vector: give both")
    return {key: value for key, value in metadata.items() if key in known and key not in models}


def _command_line() -> list[str]:
    """The harness's arguments; none where another program calls it, whose options are its own."""
    program = Path(sys.argv[0])
    name = program.parent.name if program.stem == "__main__" else program.stem
    return sys.argv[1:] if name in ("lm_eval", "lm-eval") else []


def given_keys(arguments: Sequence[str], name: str) -> set[str]:
    """The keys that a command line gives to `--metadata` or `--model_args`.

    Args:
        arguments: Of the command line.
        name: `metadata` or `model_args`.

    Returns:
        The keys, those in the file behind --config included: the harness takes them from there
        unless the option itself is given.
    """
    flags = {"metadata": ("--metadata",), "model_args": ("--model_args", "-a")}[name]
    keys = {key for text in _behind(arguments, flags) for key in _keys(text)}
    if keys:
        return keys
    return {key for text in _behind(arguments, ("--config", "-C")) for key in _filed(text, name)}


def _behind(arguments: Sequence[str], flags: Sequence[str]) -> Iterator[str]:
    """The words behind options: `--flag word word`, `--flag=word`, `-a word`."""
    inside = False
    for argument in arguments:
        if argument.startswith("-"):
            flag, _, inline = argument.partition("=")
            inside = flag in flags
            argument = inline
        if inside and argument:
            yield argument


def _keys(text: str) -> Iterator[str]:
    """The keys of `a=1,b=[x,y]` or of a JSON object."""
    try:
        content = json.loads(text)
    except json.JSONDecodeError:
        content = dict.fromkeys(part.partition("=")[0] for part in split_top_level(text))
    if isinstance(content, dict):
        yield from content


def _filed(path: str, name: str) -> Iterator[str]:
    try:
        content = EvaluatorConfig.load_yaml_config(path).get(name)
    except (OSError, ValueError, TypeError):  # the harness says what is wrong with it
        return
    if isinstance(content, dict):
        yield from content
    elif content:
        yield from _keys(str(content))
