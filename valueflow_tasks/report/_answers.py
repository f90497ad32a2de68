"""Answers: the median and both extremes for the page, all of them for a file beside it."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ._labels import in_order, level_name, rows_of
from ._outcomes import ANSWER
from ._parts import Part

if TYPE_CHECKING:
    import pandas as pd

_LONGEST = 420
"""Characters of an answer on the page; the file has all."""
_QUERY = 140
BUDGET = 2_000_000
"""Characters of answers on the page."""


@dataclass(frozen=True)
class Shown:
    """One answer on the page."""

    role: str
    """`lowest`, `median` or `highest` of its cell."""
    text: str
    query: str
    intensity: float
    low: float
    high: float


@dataclass(frozen=True)
class Level:
    """The answers of one cell."""

    level: str
    scored: int
    """How many answers the cell has with a number."""
    answers: tuple[Shown, ...]


@dataclass(frozen=True)
class Shelf:
    """The answers of one model and method on one value."""

    value: str
    model: str
    method: str
    levels: tuple[Level, ...]

    @property
    def size(self) -> int:
        """Characters."""
        return sum(len(one.text) + len(one.query) for own in self.levels for one in own.answers)


def shelves(part: Part) -> Iterator[Shelf]:
    """Median and extremes per value, model, method and level, value by value."""
    rows = part.rows
    known = rows[rows["intensity"].notna() & rows["response"].notna() & rows["level"].notna()]
    known = known[(known["level"] == 0) | (known["target"] == known["value"])]
    known = known.drop_duplicates(["model", "method", "level", "value", "query_id", "repeat"])
    columns = ["model", "method", "level", "value", "intensity", "low", "high", "response", "query"]
    cells: dict[tuple[str, str, str], dict[float, pd.DataFrame]] = {}
    for (model, method, level, value), own in known[columns].groupby(columns[:4], sort=True):
        cells.setdefault((value, model, method), {})[float(level)] = own
    for value in in_order([*part.steered, *part.profiled]):
        for model in part.models:
            plain = cells.get((value, model, ""), {})
            steered = [(m, own) for m in part.methods if (own := cells.get((value, model, m)))]
            for method, levels_of in steered or [("", {})]:
                own = {**plain, **levels_of}
                if not own:
                    continue
                levels = tuple(_level(level, own[level]) for level in sorted(own))
                yield Shelf(value, model, method, levels)


def _level(level: float, rows: pd.DataFrame) -> Level:
    ordered = rows_of(rows.sort_values("intensity", kind="stable"))
    places = {"lowest": 0, "median": (len(ordered) - 1) // 2, "highest": len(ordered) - 1}
    chosen: dict[int, str] = {}
    for role, place in places.items():
        chosen.setdefault(place, role)
    return Level(
        level_name(level),
        len(ordered),
        tuple(_shown(role, ordered[place]) for place, role in chosen.items()),
    )


def _shown(role: str, row: Any) -> Shown:
    return Shown(
        role,
        _cut(row["response"].strip(), _LONGEST),
        _cut(row["query"], _QUERY),
        float(row["intensity"]),
        float(row["low"]),
        float(row["high"]),
    )


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1].rstrip() + "…"


def write_answers(parts: tuple[Part, ...], path: Path) -> int:
    """Write every answer with what was measured on it, one JSON line each.

    Returns:
        How many lines.
    """
    count = 0
    names = [*ANSWER, "query", "response", "refused", "level", "targets"]
    with path.open("w", encoding="utf-8") as handle:
        for part in parts:
            rows = part.rows[[*names, "value", "intensity", "stderr", "low", "high", "reason"]]
            last: tuple[Any, ...] | None = None
            line: dict[str, Any] = {}
            # Rows of one answer stand together in the tidy table.
            for row in rows.itertuples(index=False, name=None):
                key = row[: len(ANSWER)]
                if key != last:
                    if line:
                        handle.write(json.dumps(line, ensure_ascii=False) + "\n")
                    line, last, count = _line(names, row, part.judge), key, count + 1
                value, intensity, stderr, low, high, reason = row[len(names) :]
                line["measured"][value] = (
                    {"reason": reason}
                    if math.isnan(intensity)
                    else {"intensity": intensity, "stderr": stderr, "low": low, "high": high}
                )
            if line:
                handle.write(json.dumps(line, ensure_ascii=False) + "\n")
    return count


def _line(names: list[str], row: tuple[Any, ...], judge: str) -> dict[str, Any]:
    told = dict(zip(names, row, strict=False))
    told["level"] = None if math.isnan(told["level"]) else told["level"]
    told["refused"] = bool(told["refused"])
    return {**told, "judge": judge, "measured": {}}
