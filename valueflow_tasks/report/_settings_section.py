"""The protocol, and every setting of every run."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..analysis import Run
from ..analysis._differences import aspects
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


def titles(parts: Sequence[Part]) -> list[str]:
    """Headings of the parts of a page: the judge, and what sets apart those that share it."""
    by_judge: dict[str, list[dict[str, str]]] = {}
    for part in parts:
        by_judge.setdefault(part.judge, []).append(_aspects(part))
    found = [_title(part, by_judge[part.judge]) for part in parts]
    often = Counter(found)
    # Logs that say little, or much, can leave two alike.
    return [
        title if often[title] == 1 else f"{title}, setting {part.setting[:6]}"
        for part, title in zip(parts, found, strict=True)
    ]


_NAMED = 2
"""Aspects that a heading names."""


def _title(part: Part, alike: Sequence[Mapping[str, str]]) -> str:
    """A heading, given the aspects of all parts of its judge: first what few of them share."""
    sharing = {
        f"{name} {own}": sum(_shares(one, name, own) for one in alike)
        for name, own in _aspects(part).items()
    }
    told = sorted((one for one, n in sharing.items() if n < len(alike)), key=sharing.__getitem__)
    more = [f"{len(told) - _NAMED} more"] if told[_NAMED:] else []
    judge = f"Judge {part.judge}" if part.judge else "Judge not named in the logs"
    return ", ".join([judge, *told[:_NAMED], *more])


def _shares(other: Mapping[str, str], name: str, own: str) -> bool:
    # The ruler of a value that one part alone measured sets it apart from nothing.
    return other.get(name, own if name.startswith("panel of ") else MISSING) == own


def _aspects(part: Part) -> dict[str, str]:
    """What decides with what a part's runs can be compared, in short; levels set no parts apart."""
    found: dict[str, dict[str, None]] = {}
    for run in part.runs:
        told = aspects(run)
        generation = {f"generation: {key}": one for key, one in told.pop("generation").items()}
        for name, value in (told | generation).items():
            if name != "levels":
                words = _told(value)
                short = words if len(words) <= _LONG else f"{words[:_LONG]}…"
                found.setdefault(name, {})[short] = None
    return {name: " or ".join(own) for name, own in found.items()}


_LONG = 32
"""Characters of an aspect that a heading has room for."""
