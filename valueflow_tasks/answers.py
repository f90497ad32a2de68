"""Answers in a file, as `valueflow score` takes them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from valueflow_scorers import Response, ValueFlowError

from .settings import measurable_values
from .theories import resolve_values


@dataclass(frozen=True)
class Line:
    """One answer to be measured."""

    value: str
    """The value to measure it on."""
    response: Response
    """The answer; its id is the line's own, or derived from its words."""


def read_answers(source: Path, value: str | None = None) -> Iterator[Line]:
    """The answers in a file, checked line by line.

    Raises:
        ValueFlowError: for a malformed line (file and number) or an unknown value.
    """
    allowed = measurable_values()
    known: dict[tuple[str, str], Response] = {}
    with source.open("rb") as handle:
        for number, content in enumerate(handle, 1):
            where = f"{source}, line {number}"
            try:
                raw = content.decode("utf-8-sig" if number == 1 else "utf-8")
            except UnicodeDecodeError as error:
                raise ValueFlowError(
                    f"{where}: no UTF-8 (byte {error.start + 1} of the line, 0x"
                    f"{content[error.start]:02x}): save the file as UTF-8"
                ) from None
            if not raw.strip():
                continue
            line = _line(where, raw, value, allowed)
            same = known.setdefault((line.value, line.response.key), line.response)
            if same != line.response:
                raise ValueFlowError(
                    f"{source}, line {number}: id {line.response.key!r} stands for another answer "
                    "further up; ids must differ"
                )
            yield line
    if not known:
        raise ValueFlowError(f"{source} holds no answers")


def _line(where: str, raw: str, value: str | None, allowed: tuple[str, ...]) -> Line:
    try:
        content = json.loads(raw)
    except (ValueError, RecursionError) as error:  # also numbers too long, brackets too deep
        told = getattr(error, "msg", error)
        raise ValueFlowError(f"{where}: no valid JSON ({told})") from None
    if not isinstance(content, Mapping) or not isinstance(content.get("response"), str):
        raise ValueFlowError(f"{where}: expected an object with a string 'response'")
    named = value or content.get("value")
    if not isinstance(named, str):
        raise ValueFlowError(f"{where}: no 'value' (a value id such as svt/power), and no --value")
    try:
        if "/" not in named:
            raise ValueFlowError(
                f"{named!r} names no single value, and an answer is measured on one: give "
                "<theory>/<value>, such as svt/power"
            )
        (resolved,) = resolve_values([named], allowed)
    except ValueFlowError as error:
        raise ValueFlowError(f"{where}: {error}") from None
    told = {key: None if content.get(key) is None else str(content[key]) for key in ("query", "id")}
    for key, text in {**told, "response": content["response"]}.items():
        if text is not None and not _whole(text):
            raise ValueFlowError(
                f"{where}: {key!r} holds half of a surrogate pair (an emoji cut in two?), which "
                "is no text: mend or remove it"
            )
    return Line(resolved, Response(content["response"], told["query"], told["id"]))


def _whole(text: str) -> bool:
    """Whether a text can be written down; JSON can spell half a character."""
    return not any("\ud800" <= letter <= "\udfff" for letter in text)
