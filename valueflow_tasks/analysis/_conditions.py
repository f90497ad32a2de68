"""Rows that belong together: one model, setting and method, steered toward one value or not."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from valueflow_scorers import IntensityEstimate
from valueflow_scorers._measure import Measured
from valueflow_scorers.metrics import Place

if TYPE_CHECKING:
    import pandas as pd

    from ._runs import Runs

KEYS = ("model", "setting", "judge", "method", "target")
"""What names a condition in every table."""
Base = tuple[str, str, str]
"""Model, setting and judge."""
_Entry = tuple[float, str, Place, int]
"""Level, value, place of the answer and row."""


@dataclass(frozen=True)
class Condition:
    """Answers of one model at all levels of one target; level 0 is shared by all targets."""

    model: str
    setting: str
    """Comparable with every other condition of this setting."""
    judge: str
    method: str
    """How it was steered; empty: not at all."""
    target: str
    """The value that was steered; empty: none."""
    rows: Mapping[float, Mapping[str, Mapping[Place, int]]]
    """Row of `Runs.frame` by level, value measured, and query with its repeat."""

    @property
    def key(self) -> dict[str, str]:
        """Its name, as tables have it."""
        return {name: getattr(self, name) for name in KEYS}

    def values(self) -> list[str]:
        """The values it was measured on."""
        return list(dict.fromkeys(value for own in self.rows.values() for value in own))

    def scored(self, runs: Runs, value: str) -> dict[float, dict[Place, IntensityEstimate]]:
        """Estimates with a number: level -> place -> estimate; levels without one are left out."""
        found: dict[float, dict[Place, IntensityEstimate]] = {}
        for level, own in self.rows.items():
            rows = {place: row for place, row in own.get(value, {}).items() if runs.known[row]}
            if rows:
                found[level] = dict(zip(rows, runs.estimates(rows.values()), strict=True))
        return found

    def measured(self, runs: Runs, values: Collection[str] | None = None) -> list[Measured]:
        """The answers as metrics take them, with estimates on `values` (None: on all)."""
        refused = runs.frame["refused"].to_numpy()
        wanted = self.values() if values is None else values
        saved = {value: self.scored(runs, value) for value in wanted}
        answers = []
        for level, own in self.rows.items():
            first: dict[Place, int] = {}
            for rows in own.values():
                for place, row in rows.items():
                    first.setdefault(place, row)
            for place in sorted(first):
                estimates = {
                    value: found[level][place]
                    for value, found in saved.items()
                    if place in found.get(level, {})
                }
                no = bool(refused[first[place]])
                answers.append(Measured(place[0], self.target or None, level, no, estimates))
        return answers


def conditions(frame: pd.DataFrame) -> list[Condition]:
    """Everything that was measured at one target or none; several targets are `composition`'s.

    Where several runs answered the same, the run of the steered answers comes first, then the
    others in their order.
    """
    single = frame[~frame["level"].isna() & ((frame["target"] != "") | (frame["steering"] == ""))]
    plain: dict[Base, dict[str, list[_Entry]]] = {}
    steered: dict[Base, dict[tuple[str, str], dict[str, list[_Entry]]]] = {}
    columns = ["model", "setting", "judge", "method", "target", "level", "value", "query_id",
               "repeat", "run"]  # fmt: skip
    for row, model, setting, judge, method, target, level, value, query, repeat, run in zip(
        single.index, *(single[name] for name in columns), strict=True
    ):
        base: Base = (model, setting, judge or "")
        entry = (float(level), value, (query, int(repeat)), int(row))
        if level == 0:
            plain.setdefault(base, {}).setdefault(run, []).append(entry)
        else:
            own = steered.setdefault(base, {}).setdefault((method, target), {})
            own.setdefault(run, []).append(entry)
    found = []
    for base, by_run in plain.items():
        if base not in steered:
            found.append(Condition(*base, "", "", _nested(by_run.values())))
    for base, by_target in steered.items():
        unsteered = plain.get(base, {})
        for (method, target), by_run in by_target.items():
            order = [*by_run, *(run for run in unsteered if run not in by_run)]
            zero = [unsteered[run] for run in order if run in unsteered]
            found.append(Condition(*base, method, target, _nested([*by_run.values(), *zero])))
    return found


def unsteered(everything: Sequence[Condition]) -> list[Condition]:
    """Level 0 of every model and setting, once."""
    found: dict[tuple[str, str, str], Condition] = {}
    for one in everything:
        base = (one.model, one.setting, one.judge)
        rows = {0.0: dict(one.rows[0.0])} if 0.0 in one.rows else {}
        if not rows:
            continue
        if base in found:  # off-target values may have been measured in some conditions only
            rows = {0.0: {**rows[0.0], **found[base].rows[0.0]}}
        found[base] = Condition(*base, "", "", rows)
    return list(found.values())


def _nested(groups: Iterable[list[_Entry]]) -> dict[float, dict[str, dict[Place, int]]]:
    rows: dict[float, dict[str, dict[Place, int]]] = {}
    for group in groups:
        for level, value, place, row in group:
            rows.setdefault(level, {}).setdefault(value, {}).setdefault(place, row)
    return {level: rows[level] for level in sorted(rows)}


def records(rows: Iterator[dict[str, Any]] | list[dict[str, Any]]) -> pd.DataFrame:
    """A table of records; pandas is loaded only now."""
    import pandas as pd

    table: pd.DataFrame = pd.DataFrame(list(rows))
    return table


def finite(number: float | None) -> float:
    """A number for a table: NaN for none."""
    return math.nan if number is None else float(number)
