"""The protocol, and every setting of every run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..analysis import Run
from ._blocks import Block, Column, Section, Table
from ._labels import MISSING, number
from ._parts import Contents, Part


@dataclass(frozen=True)
class Sheet:
    """Everything that a log says about a run, folded."""

    title: str
    note: str
    rows: tuple[tuple[str, str], ...]
    command: str
    kind: str = field(default="sheet", init=False)


def settings(contents: Contents) -> Section:
    """Fingerprints, and a sheet per run."""
    blocks: list[Block] = [_fingerprints(contents)]
    blocks += [sheet(run) for run in contents.runs]
    return Section("settings", "Protocol and settings", blocks, short="Settings")


def _fingerprints(contents: Contents) -> Table:
    rows: list[tuple[Any, ...]] = []
    for run in contents.runs:
        rows.append(
            (
                run.model,
                run.task,
                run.harness,
                run.protocol or MISSING,
                run.judge or MISSING,
                run.judge_profile or MISSING,
                run.steering or MISSING,
            )
        )
    headings = (
        "model",
        "task",
        "harness",
        "protocol",
        "judge",
        "judge profile",
        "whole run steered",
    )
    return Table(
        "Two results are comparable exactly when their protocol fingerprints agree; for one value, "
        "also across tasks, when setting in tables/cells.csv does. A dash: not in the log.",
        tuple(Column(heading, text=True) for heading in headings),
        tuple(rows),
        "fingerprints of all runs" if len(rows) > 6 else "",
    )


def sheet(run: Run) -> Sheet:
    """One run."""
    rows: list[tuple[str, str]] = [("file", run.source)]
    rows += [(name, _told(getattr(run, name))) for name in _FACTS]
    if run.settings is not None:
        rows += [(f"setting: {key}", _told(one)) for key, one in run.settings.to_dict().items()]
    rows += [(f"generation: {key}", _told(one)) for key, one in sorted(run.generation.items())]
    rows += [(f"version: {key}", one) for key, one in sorted(run.versions.items())]
    rows += [(f"usage: {key}", _told(one)) for key, one in run.usage.items()]
    rows += [
        (f"reported: {name}", number(one.value, 4) + (f" ± {one.stderr:.4f}" if one.stderr else ""))
        for name, one in run.metrics.items()
    ]
    return Sheet(f"{run.model}: {run.task}", run.harness, tuple(rows), run.command or "")


_FACTS = ("task_version", "model_args", "control", "protocol", "judge", "judge_profile",
          "calibrated", "chat_template", "steering", "limit", "queries_total", "complete",
          "created", "seconds")  # fmt: skip


def _told(value: Any) -> str:
    if value is None or value == "" or value == {}:
        return MISSING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping | list | tuple):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)


def in_short(part: Part) -> str:
    """A part's heading."""
    return f"Judge {part.judge}" if part.judge else "Judge not named in the logs"
