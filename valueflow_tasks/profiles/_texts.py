"""What people wrote, out of JSON Lines."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from valueflow_scorers import ValueFlowError
from valueflow_scorers._records import text_key

from ..answers import _whole
from ..settings import measurable_values
from ..vidb._values import named_values

EVERYONE = "all"
"""Name of the one group where texts are not grouped."""


@dataclass(frozen=True)
class Written:
    """One text of somebody."""

    text: str
    """The words."""
    group: str = EVERYONE
    """Whose it is."""
    query: str = ""
    """The question it answers, if any."""
    id: str = ""
    """Its name; empty: the file gives none."""
    values: tuple[str, ...] = ()
    """The values that it is known to be about; empty: its distance from each decides."""
    known: bool = True
    """Whether its words and its question are known: some logs hold only what was measured."""

    @property
    def key(self) -> str:
        """What it is judged as, and its windows are drawn from: its id and its words.

        Files of two people may both number their texts from 1.
        """
        words = text_key(self.query or None, self.text)
        return f"{self.id}#{words}" if self.id else words


def read_written(path: str | Path, group_by: str | None = None) -> list[Written]:
    """The texts of a file, checked line by line.

    Args:
        path: JSON Lines with `text` (or `response`), and optionally `query`, `id`, and `value`
            or `values`: what the text is known to be about.
        group_by: Field that says whose a text is; None: all are one group's.

    Raises:
        ValueFlowError: for a malformed line, with its number, or a file without texts.
    """
    source = Path(path)
    found: list[Written] = []
    try:
        with source.open(encoding="utf-8-sig") as lines:
            for number, line in enumerate(lines, 1):
                if line.strip():
                    where = f"{source}, line {number}"
                    found.append(_written(_content(line, where), where, group_by))
    except (OSError, UnicodeDecodeError) as error:
        raise ValueFlowError(f"cannot read texts from {source}: {error}") from None
    if not found:
        raise ValueFlowError(f"{source} holds no texts")
    named: dict[str, Written] = {}
    for one in found:
        if one.id and named.setdefault(one.id, one).key != one.key:
            raise ValueFlowError(f"{source}: the id {one.id!r} stands for two different texts")
    return found


def _content(line: str, where: str) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        raise ValueFlowError(f"{where}: no valid JSON") from None


def _written(row: Any, where: str, group_by: str | None) -> Written:
    text = row.get("text", row.get("response")) if isinstance(row, Mapping) else None
    if not isinstance(text, str):
        raise ValueFlowError(f"{where}: expected an object with a string 'text' (or 'response')")
    group = EVERYONE
    if group_by is not None:
        if row.get(group_by) in (None, ""):
            has = ", ".join(map(str, row))
            raise ValueFlowError(
                f"{where}: no {group_by!r} to group by; the line has {has}: add it, take the line "
                "out, or group by another field (nothing was measured)"
            )
        group = str(row[group_by])
    query, name = ("" if row.get(key) is None else str(row[key]) for key in ("query", "id"))
    if not all(map(_whole, (text, query, name, group))):
        raise ValueFlowError(
            f"{where}: holds half of a surrogate pair (an emoji cut in two?): mend or remove it"
        )
    return Written(text, group, query, name, _named(row, where))


def _named(row: Mapping[str, Any], where: str) -> tuple[str, ...]:
    """The values that a line says it is about."""
    given = row.get("values", row.get("value"))
    if given in (None, ""):
        return ()
    named = [given] if isinstance(given, str) else given
    if not isinstance(named, list) or not all(isinstance(one, str) for one in named):
        raise ValueFlowError(
            f"{where}: 'value' is {given!r}; give a value id such as svt/power, or a list of them"
        )
    try:
        return named_values(named, measurable_values())
    except ValueFlowError as error:
        raise ValueFlowError(f"{where}: {error}") from None
