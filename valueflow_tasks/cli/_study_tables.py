"""What `valueflow study run` prints: tables whose rows can be told apart in 80 columns.

The first column folds and the numbers never do. What several rows have in common stands once
above them, and what all rows have in common stands below the table.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE_HEAD
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from ..study import Estimate

_KEYS = ("model", "judge", "method", "value")
_METRICS = ("steerability", "tracking")
_Row = tuple[tuple[str, ...], str, Sequence[str]]
"""What it shares with its neighbours, what it is itself, and its numbers."""


def costs(lines: Sequence[Estimate]) -> Table:
    """What a study takes, by model."""
    known = sum(one.dollars or 0.0 for one in lines)
    more = " and what is unknown" if any(one.dollars is None for one in lines) else ""
    return _table(
        "what it takes (tokens and cost are estimates of what is left)",
        ("model", "for"),
        ("calls", "there", "tokens in", "tokens out", "cost"),
        [((f"{one.phase}: {one.model}",), one.what, _numbers(one)) for one in lines],
        f"together ${known:.2f}{more}",
    )


def _numbers(one: Estimate) -> list[str]:
    cost = "unknown" if one.dollars is None else f"${one.dollars:.2f}"
    return [*(f"{n:,}" for n in (one.calls, one.there, one.tokens_in, one.tokens_out)), cost]


def results(paths: Sequence[Path]) -> Table:
    """Steerability and tracking of every condition.

    Args:
        paths: Judged logs, at least one.
    """
    from ..analysis import load_runs, steering

    found: list[Any] = steering(load_runs(paths)).to_dict("records")
    names = _names(found)
    cells: dict[tuple[str, ...], dict[str, str]] = {}
    for row, name in zip(found, names, strict=True):
        cells.setdefault(name, {})[row["metric"]] = _with_interval(row)
    values = {key: {name[i] for name in cells} for i, key in enumerate(_KEYS)}
    # Of a single row everything is the same: its value is its name.
    *above, own = [key for key in _KEYS if len(values[key]) > 1] or ["value"]
    same = [f"{key} {min(values[key])}" for key in _KEYS if cells and key not in (*above, own)]
    rows = []
    for name, numbers in cells.items():
        told = dict(zip(_KEYS, name, strict=True))
        shown = [numbers.get(metric, "-") for metric in _METRICS]
        rows.append((tuple(told[key] for key in above), told[own], shown))
    return _table(
        "steerability and tracking, with 90 % intervals",
        (" · ".join(above), own),
        _METRICS,
        rows,
        f"all rows: {', '.join(same)}" if same else "",
    )


def _names(found: Sequence[Mapping[str, Any]]) -> list[tuple[str, ...]]:
    """Model, judge, method and value of each row, no two conditions alike."""
    keys = ("model", "judge", "method", "target")
    plain = [tuple(str(row[key]) for key in keys) for row in found]
    settings: dict[tuple[str, ...], set[str]] = {}
    for row, name in zip(found, plain, strict=True):
        settings.setdefault(name, set()).add(row["setting"])
    return [
        # The same judge with other knobs; the tables of `valueflow_tasks.analysis` name it so.
        (name[0], f"{name[1]} (setting {row['setting'][:8]})", *name[2:])
        if len(settings[name]) > 1
        else name
        for name, row in zip(plain, found, strict=True)
    ]


def _with_interval(row: Mapping[str, Any]) -> str:
    estimate = f"{row['estimate']:+.2f}"
    if math.isnan(row["low"]):
        return estimate
    return f"{estimate} ({row['low']:+.2f} … {row['high']:+.2f})"


def _table(
    title: str, headings: tuple[str, str], columns: Iterable[str], rows: Iterable[_Row], below: str
) -> Table:
    """One folding column, with what rows have in common above them, and columns of numbers."""
    above, own = headings
    table = Table(title=title, caption=below or None, box=SIMPLE_HEAD, show_edge=False)
    table.add_column(f"{above}\n  {own}" if above else own, overflow="fold")
    for column in columns:
        table.add_column(column, justify="right", no_wrap=True)
    last: tuple[str, ...] = ()
    for shared, name, numbers in rows:
        if shared != last:
            table.add_row(Text(" · ".join(shared), style="bold"))
        table.add_row(Padding(Text(name), (0, 0, 0, 2 if shared else 0)), *numbers)
        last = shared
    return table
