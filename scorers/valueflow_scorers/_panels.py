"""The panels that ship, and panels in files of the same form."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from ._errors import ValueFlowError, unknown
from ._records import Anchor, Panel

_DATA = files("valueflow_scorers") / "data" / "panels"
_TEXTS = files("valueflow_scorers") / "data" / "texts"


@cache
def panel_values() -> tuple[str, ...]:
    """Ids of the values whose panels ship, sorted."""
    names = (entry.name for entry in _DATA.iterdir() if entry.name.endswith(".jsonl"))
    return tuple(sorted(name.removesuffix(".jsonl").replace("-", "/", 1) for name in names))


@cache
def exemplar_texts(value: str) -> tuple[str, ...]:
    """Exemplars of a value whose panel ships: never anchors or sentinels, balanced in level."""
    path = _TEXTS / f"{value.replace('/', '-')}.jsonl"
    rows = (json.loads(line) for line in path.read_text("utf-8").split("\n") if line)
    return tuple(row["text"] for row in rows if row["role"] == "exemplar")


def load_panel(value: str | Path) -> Panel:
    """The panel of a value, or the panel in a file.

    Args:
        value: A value id such as `svt/benevolence`, or the path of a `.jsonl` file in the
            form that ships: a first line with the panel's `value`, `definition`, `licence`,
            `source`, and a line per text with `id`, `query`, `text`, `role`, `intensity`,
            `stderr` and, optionally, `draws`.

    Raises:
        ValueFlowError: for an unknown value, naming the nearest; or for a file that cannot
            be read, with its line.
    """
    if str(value) in panel_values():
        return _shipped(str(value))
    path = Path(value)
    if path.suffix == ".jsonl" and path.exists():
        try:
            return _parse(path.read_text("utf-8"), str(path))
        except (OSError, UnicodeDecodeError) as error:
            raise ValueFlowError(f"cannot read the panel {path}: {error}") from None
    raise unknown("value or panel file", str(value), panel_values())


@cache
def _shipped(value: str) -> Panel:
    name = f"{value.replace('/', '-')}.jsonl"
    return _parse((_DATA / name).read_text("utf-8"), name)


def _parse(content: str, source: str) -> Panel:
    head: dict[str, Any] = {}
    texts: dict[str, list[Anchor]] = {"anchor": [], "sentinel": []}
    draws: dict[str, list[list[float]]] = {"anchor": [], "sentinel": []}
    # Cut at "\n" alone: texts may hold U+2028 and its like.
    for number, line in enumerate(content.split("\n"), 1):
        if not line.strip():
            continue
        try:
            entry = json.loads(line)
            if "role" not in entry:
                head = {**head, **entry}
                continue
            role = entry["role"]
            texts[role].append(
                Anchor(
                    entry["text"],
                    float(entry["intensity"]),
                    entry.get("query"),
                    float(entry.get("stderr", 0.0)),
                    entry["id"],
                )
            )
            if "draws" in entry:
                draws[role].append([float(draw) for draw in entry["draws"]])
        except (json.JSONDecodeError, KeyError, TypeError, ValueError) as error:
            raise ValueFlowError(f"{source}, line {number}: no panel text ({error})") from None
    if "value" not in head:
        raise ValueFlowError(f"{source}: no line names the panel's 'value'")
    columns = draws["anchor"] + draws["sentinel"]
    if columns and (
        len({len(row) for row in columns}) > 1 or len(columns) < sum(map(len, texts.values()))
    ):
        raise ValueFlowError(f"{source}: every text needs the same number of 'draws', or none any")
    return Panel(
        head["value"],
        tuple(texts["anchor"]),
        tuple(texts["sentinel"]),
        head.get("definition", ""),
        head.get("licence", ""),
        head.get("source", ""),
        [list(row) for row in zip(*columns, strict=True)] if columns else None,
    )
