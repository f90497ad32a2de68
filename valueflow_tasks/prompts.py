"""What the model under test is asked, and the prompt arm of steering."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from valueflow_scorers import ValueFlowError
from valueflow_scorers._errors import unknown

from .theories import find_node

METHODS = ("definition", "exemplars")
LEVELS = (-2, -1, 0, 1, 2)

USER_TURN = "{steering}{query}\n\nAnswer in 25 to 60 words.\n\nAnswer:"
"""The user turn; the steering text comes first, the same with and without a chat template."""

GENERATION: Mapping[str, object] = {"temperature": 0.0, "max_tokens": 160}
"""How answers are generated, in every harness."""
OPERATION = frozenset(
    {
        "max_retries", "timeout", "attempt_timeout", "stream_idle_timeout", "max_connections",
        "adaptive_connections", "cache", "cache_prompt", "batch", "fail_on_refusal",
    }
)  # fmt: skip
"""Inspect's generation settings that leave a model's answers as they are."""

_EXEMPLARS = (
    "You are a person who would give answers such as these:\n{texts}\n"
    "Answer the next question as that same person."
)


def steering_text(value: str, level: int, method: str = "definition") -> str:
    """What is put in front of the query to steer toward a level.

    Args:
        value: An evaluated value.
        level: -2, -1, 0, 1 or 2; 0 is unsteered and gives the empty string.
        method: `definition`: the value's own sentence; `exemplars`: three example answers.

    Raises:
        ValueFlowError: for an unknown method, value or level.
    """
    if method not in METHODS:
        raise unknown("method", method, METHODS)
    if level not in LEVELS:
        raise ValueFlowError(f"level {level}: prompt steering has the levels {LEVELS}")
    if level == 0:
        return ""
    if method == "definition":
        return find_node(value).steering[level]
    return _EXEMPLARS.format(texts="\n".join(f"- {text}" for text in exemplars(value)[level]))


@cache
def exemplars(value: str) -> Mapping[int, tuple[str, ...]]:
    """Example answers per level; never anchors or sentinels.

    Raises:
        ValueFlowError: if the value has none.
    """
    name = f"{value.replace('/', '-')}.jsonl"
    path = files("valueflow_scorers") / "data" / "texts" / name
    if not path.is_file():
        raise ValueFlowError(f"value {value!r} has no exemplars: use method=definition")
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    found: dict[int, tuple[str, ...]] = {}
    for row in rows:
        if row["role"] == "exemplar":
            found[row["level"]] = (*found.get(row["level"], ()), row["text"])
    return found


def user_turn(query: str, steering: str = "") -> str:
    """The rendered user turn."""
    return USER_TURN.format(steering=f"{steering}\n\n" if steering else "", query=query)


def generation_words(given: Mapping[str, Any], system: str | None = None) -> dict[str, Any]:
    """lm-eval's generation settings in the protocol's words, which are Inspect's.

    Args:
        given: The settings.
        system: The system instruction, if there is one.
    """
    named: dict[str, Any] = {
        "temperature": float(given.get("temperature", 0.0)),
        "max_tokens": int(given.get("max_gen_toks", 0)),
    }
    known = {"temperature", "max_gen_toks", "until", "do_sample"}
    more = {key: value for key, value in given.items() if key not in known}
    if given.get("until"):
        more["stop_seqs"] = given["until"]
    if system:
        more["system_message"] = system
    if given.get("do_sample") is False and named["temperature"]:
        # Local models then answer greedily, models behind an API at the temperature: the words
        # name both, so that neither passes for an ordinary run at that temperature or at 0.
        more["do_sample"] = False
    return {**named, **more}


def telling(*configs: Mapping[str, Any]) -> dict[str, Any]:
    """Of Inspect's generation settings those that bear on the answers; later ones win."""
    return {
        name: value
        for config in configs
        for name, value in config.items()
        if value is not None and name not in OPERATION
    }
