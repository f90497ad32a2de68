"""What a report shows, gathered from runs: one part per setting, within which all compares."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from ..analysis import (
    Problem,
    Run,
    Runs,
    cells,
    composition,
    composition_metrics,
    overall,
    protocol_differences,
    regimes,
)
from ._labels import in_order, short_models
from ._leakage import leakage
from ._outcomes import outcomes, side_effects, window_failures
from ._reliability import Reliability, reliability

if TYPE_CHECKING:
    import pandas as pd

MASS = 0.9
"""Of all intervals in the report."""

Condition = tuple[str, str]
"""Model and method."""


@dataclass(frozen=True)
class Part:
    """Everything that was measured in one setting by one judge: comparable throughout."""

    setting: str
    """Fingerprint of the protocol without its values."""
    judge: str
    """The judge's name; empty: the logs do not say."""
    runs: tuple[Run, ...]
    """The runs it comes from."""
    rows: pd.DataFrame
    """Their rows of the tidy table."""
    cells: pd.DataFrame
    """Mean intensities: `analysis.cells`."""
    overall: pd.DataFrame
    """Metrics over targets and target by target: `analysis.overall`."""
    regimes: pd.DataFrame
    """How far each condition moves: `analysis.regimes`."""
    points: pd.DataFrame
    """Shifts under several targets: `analysis.composition`."""
    composed: pd.DataFrame
    """Their metrics: `analysis.composition_metrics`."""
    leakage: pd.DataFrame
    """Slope of every value under steering toward every other: `leakage`."""
    effects: pd.DataFrame
    """Side effects by condition and direction: `side_effects`."""
    outcomes: pd.DataFrame
    """Scored, refused and unscored answers: `outcomes`."""
    failures: pd.DataFrame
    """Windows without a verdict: `window_failures`."""
    reliability: Reliability
    """How far the judge can be trusted."""

    @cached_property
    def models(self) -> list[str]:
        """Models, in the order of the runs; control models last."""
        control = {run.model: run.control for run in self.runs}
        return sorted(dict.fromkeys(run.model for run in self.runs), key=lambda one: control[one])

    @cached_property
    def controls(self) -> set[str]:
        """Models of known truth."""
        return {run.model for run in self.runs if run.control}

    @cached_property
    def conditions(self) -> list[Condition]:
        """Models and methods that steered one target, in the order of the models."""
        if not len(self.overall):
            return []
        steered = self.overall[self.overall["method"] != ""]
        found = dict.fromkeys(zip(steered["model"], steered["method"], strict=True))
        place = {model: i for i, model in enumerate(self.models)}
        return sorted(found, key=lambda one: place[one[0]])

    @cached_property
    def methods(self) -> list[str]:
        """Methods of steering."""
        return list(dict.fromkeys(method for _, method in self.conditions))

    @cached_property
    def named(self) -> dict[str, str]:
        """Short names of the models, for figures."""
        return short_models(self.models)

    def condition_name(self, condition: Condition) -> str:
        """A condition's name in figures; the method stands in it where there are several."""
        model, method = condition
        return f"{self.named[model]}, {method}" if len(self.methods) > 1 else self.named[model]

    @cached_property
    def profiled(self) -> list[str]:
        """Values on which unsteered answers were measured."""
        plain = self.cells[self.cells["level"] == 0] if len(self.cells) else self.cells
        return in_order(plain["value"]) if len(plain) else []

    @cached_property
    def steered(self) -> list[str]:
        """Values that were steered, one at a time."""
        targets = self.overall["target"] if len(self.overall) else ()
        return in_order(target for target in targets if target)


@dataclass(frozen=True)
class Contents:
    """A whole report."""

    parts: tuple[Part, ...]
    """One per setting and judge, that with most measurements first."""
    runs: tuple[Run, ...]
    """All runs, also those of which there are totals only."""
    problems: tuple[Problem, ...]
    """What could not be read, or not be used to the full."""
    differences: tuple[str, ...]
    """What sets the parts apart."""
    totals: tuple[Run, ...]
    """Runs without answers: what their harness reported is all there is."""


def gather(runs: Runs) -> Contents:
    """Compute everything that a report shows.

    Args:
        runs: What was measured.
    """
    frame = runs.frame
    tables = _Tables(runs)
    parts = []
    # An answer measured by a judge that no log names stands in a part of its own.
    keys = list(zip(frame["setting"], frame["judge"].fillna(""), strict=True))
    for setting, judge in dict.fromkeys(keys):
        chosen = frame[[key == (setting, judge) for key in keys]]
        parts.append(tables.part(setting, judge, chosen))
    parts.sort(key=lambda part: -len(part.rows))
    seen = set(frame["run"])
    return Contents(
        tuple(parts),
        runs.runs,
        (*runs.problems, *runs.inexact.values()),
        tuple(protocol_differences(runs)) if len(parts) > 1 else (),
        tuple(run for run in runs.runs if run.id not in seen),
    )


class _Tables:
    """The tables of all parts, computed once and cut apart."""

    def __init__(self, runs: Runs) -> None:
        self.runs = runs
        self.overall = overall(runs, MASS, leakage=False)
        self.cells = cells(runs, MASS)  # after it: whose cells were drawn have their means
        self.regimes = regimes(runs, MASS)
        self.points = composition(runs, MASS)
        self.composed = composition_metrics(runs, MASS)

    def part(self, setting: str, judge: str, rows: pd.DataFrame) -> Part:
        """What of it belongs to one setting and judge."""

        def own(table: pd.DataFrame) -> pd.DataFrame:
            if not len(table):
                return table
            chosen: pd.DataFrame = table[(table["setting"] == setting) & (table["judge"] == judge)]
            return chosen

        members = set(rows["run"])
        runs: Sequence[Run] = tuple(run for run in self.runs.runs if run.id in members)
        cell_means = own(self.cells)
        return Part(
            setting,
            judge,
            tuple(runs),
            rows,
            cell_means,
            own(self.overall),
            own(self.regimes),
            own(self.points),
            own(self.composed),
            leakage(cell_means),
            side_effects(rows),
            outcomes(rows),
            window_failures(rows),
            reliability(self.runs, runs[0], in_order(rows["value"])),
        )
