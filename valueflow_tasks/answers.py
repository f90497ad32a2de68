"""Answers in a file, as `valueflow score` takes them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from valueflow_scorers import Response, ValueFlowError
from valueflow_scorers._refusal import declines

from .settings import measurable_values
from .vidb._values import is_own_value, named_values


@dataclass(frozen=True)
class Line:
    """One answer to be measured."""

    value: str
    """The value to measure it on."""
    response: Response
    """The answer; its id is the line's own, or derived from its words."""

    @property
    def refused(self) -> bool:
        """Whether it declines to answer its query: counted, not scored, as in the tasks."""
        return declines(self.response.query, self.response.text)


def read_answers(source: Path, value: str | None = None) -> Iterator[Line]:
    """The answers in a file, checked line by line.

    Args:
        source: JSON Lines: `response`, and optionally `value`, `query`, `id`.
        value: The value of all lines, whatever they say; like theirs, an id or the folder of a
            value of one's own.

    Raises:
        ValueFlowError: for a malformed line (file and number) or an unknown value.
    """
    single = cache(_single_value)
    given = None if value is None else single(value)
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
            line = _line(where, raw, given, single)
            same = known.setdefault((line.value, line.response.key), line.response)
            if same != line.response:
                raise ValueFlowError(
                    f"{source}, line {number}: id {line.response.key!r} stands for another answer "
                    "further up; ids must differ"
                )
            yield line
    if not known:
        raise ValueFlowError(f"{source} holds no answers")


def _single_value(name: str) -> str:
    if "/" not in name and not is_own_value(name):
        raise ValueFlowError(
            f"{name!r} names no single value, and an answer is measured on one: give "
            "<theory>/<value>, such as svt/power, or the folder of a value of your own"
        )
    (found,) = named_values([name], measurable_values())
    return found


def _line(where: str, raw: str, given: str | None, single: Callable[[str], str]) -> Line:
    try:
        content = json.loads(raw)
    except (ValueError, RecursionError) as error:  # also numbers too long, brackets too deep
        told = getattr(error, "msg", error)
        raise ValueFlowError(f"{where}: no valid JSON ({told})") from None
    if not isinstance(content, Mapping) or not isinstance(content.get("response"), str):
        raise ValueFlowError(f"{where}: expected an object with a string 'response'")
    named = given or content.get("value")
    if not isinstance(named, str):
        raise ValueFlowError(f"{where}: no 'value' (a value id such as svt/power), and no --value")
    try:
        resolved = given or single(named)
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
