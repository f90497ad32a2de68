"""Runs that were read together, as a table and as estimates."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from valueflow_scorers import (
    CellMean,
    IntensityEstimate,
    JudgeProfile,
    Panel,
    ValueFlowError,
    cell_mean,
    reestimate,
)
from valueflow_scorers._calibrate import _shipped_profile as shipped_profile
from valueflow_scorers._cells import Cell, CellDraws
from valueflow_scorers._compat import released_reestimate
from valueflow_scorers._errors import unknown
from valueflow_scorers._plackett_luce import GRID
from valueflow_scorers._records import FloatArray
from valueflow_scorers._sentences import sentences_of

from ..settings import Settings
from ._conditions import Condition, conditions, unsteered
from ._frame import tidy
from ._parts import ODD
from ._run import Problem, Run

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Runs:
    """What `load_runs` found."""

    runs: tuple[Run, ...]
    """One per task, model and judge."""
    problems: tuple[Problem, ...] = ()
    """What could not be read; everything else was."""
    profiles: Mapping[str, JudgeProfile] = field(default_factory=dict, repr=False)
    """Judge profiles that came with the runs, by fingerprint; others are looked up here."""
    panels: Mapping[str, Panel] = field(default_factory=dict, repr=False)
    """Panels that came with the runs, by fingerprint; others are looked up here."""

    @cached_property
    def _tidy(self) -> tuple[pd.DataFrame, list[Mapping[str, Any] | None]]:
        return tidy(self.runs)

    @property
    def frame(self) -> pd.DataFrame:
        """One row per run, answer and value measured; the columns are those of `COLUMNS`."""
        return self._tidy[0]

    @cached_property
    def known(self) -> Sequence[bool]:
        """Whether each row of `frame` has a number."""
        return self.frame["intensity"].notna().tolist()

    @cached_property
    def conditions(self) -> list[Condition]:
        """Everything that was measured at one target or none."""
        return conditions(self.frame)

    @cached_property
    def unsteered(self) -> list[Condition]:
        """Level 0 of every model and setting, once."""
        return unsteered(self.conditions)

    @cached_property
    def _by_id(self) -> dict[str, Run]:
        return {run.id: run for run in self.runs}

    def run(self, name: str) -> Run:
        """The run of that id.

        Raises:
            ValueFlowError: if there is none.
        """
        if name not in self._by_id:
            raise unknown("run", name, self._by_id)
        return self._by_id[name]

    def profile(self, run: Run) -> JudgeProfile:
        """The judge profile that a run was measured with.

        Raises:
            ValueFlowError: if it is not on this machine: the judge has another one by now, or
                none.
        """
        if run.judge_profile is not None and run.judge_profile in self.profiles:
            return self.profiles[run.judge_profile]
        if run.settings is None:
            raise ValueFlowError(f"{run.source} does not say which judge it had")
        found = _judge_profile(run.settings)
        if run.judge_profile is not None and found.fingerprint != run.judge_profile:
            raise ValueFlowError(
                f"{run.source} was measured with the profile {run.judge_profile} of judge "
                f"{run.judge}, here it has {found.fingerprint}: bring that profile here "
                "(VALUEFLOW_PROFILES names the folder)"
            )
        return found

    def panel(self, run: Run, value: str, name: object = None) -> Panel:
        """The panel of a value that a run was measured with.

        Args:
            run: The run.
            value: The value.
            name: The panel's fingerprint, where it is known.

        Raises:
            ValueFlowError: if the run does not say its settings, or there is no such value.
        """
        if (given := self.panels.get(str(name))) is not None:
            return given
        if run.settings is None:
            raise ValueFlowError(f"{run.source} does not say which rulers it had")
        return run.settings.instrument().panel(value)

    @cached_property
    def _estimates(self) -> list[IntensityEstimate | None]:
        return [None] * len(self.frame)

    @cached_property
    def _drawn(self) -> dict[tuple[int, ...], tuple[tuple[IntensityEstimate, ...], CellDraws]]:
        return {}

    @cached_property
    def _means(self) -> dict[tuple[int, ...], CellMean]:
        return {}

    def draw(self, estimates: Sequence[IntensityEstimate], counts: FloatArray) -> CellDraws:
        """A cell's draws, as `draw_cell`, kept: several tables rest on the same cells.

        Args:
            estimates: Of one cell.
            counts: How often each enters each replicate, [replicates, n].
        """
        names = tuple(map(id, estimates))
        key = (hash(counts.tobytes()), *names)
        if key not in self._drawn:
            cell = Cell(estimates)
            # With the estimates, so that their identities stay theirs.
            self._drawn[key] = tuple(estimates), cell.draws(counts)
            if names not in self._means:
                self._means[names] = cell.mean()
        return self._drawn[key][1]

    def mean(self, estimates: Sequence[IntensityEstimate]) -> CellMean:
        """A cell's mean, as `cell_mean`; where the cell was drawn, what is known since.

        Args:
            estimates: Of one cell.
        """
        known = self._means.get(tuple(map(id, estimates)))
        return cell_mean(estimates) if known is None else known

    def estimates(self, rows: Iterable[int] | None = None) -> list[IntensityEstimate]:
        """Estimates with their likelihoods, recomputed from the saved windows.

        Where a run's profile or panel is not on this machine, the saved number and its error
        stand in for the likelihood, and the error of the ruler's labels is left out; `inexact`
        then names the run.

        Args:
            rows: Index labels of `frame`; None: all. Rows without an estimate are refused.

        Returns:
            One per row, in order. They are kept, so that asking twice costs once.

        Raises:
            ValueFlowError: if a row has no estimate.
        """
        wanted = range(len(self._estimates)) if rows is None else list(rows)
        fresh = [row for row in wanted if self._estimates[row] is None]
        if fresh:
            self._restore(fresh)
        return [one for row in wanted if (one := self._estimates[row]) is not None]

    def _restore(self, rows: Sequence[int]) -> None:
        frame, saved = self._tidy
        chosen = frame.loc[list(rows)]
        groups: dict[tuple[str, str], list[int]] = {}
        for row, run, value in zip(rows, chosen["run"], chosen["value"], strict=True):
            if saved[row] is None:
                raise ValueFlowError(
                    f"row {row} has no estimate ({frame.reason[row]}): select rows with one"
                )
            groups.setdefault((str(run), str(value)), []).append(row)
        for (name, value), members in groups.items():
            found = self._restored(self.run(name), value, [saved[row] or {} for row in members])
            for row, one in zip(members, found, strict=True):
                self._estimates[row] = one

    def _restored(
        self, run: Run, value: str, saved: Sequence[Mapping[str, Any]]
    ) -> list[IntensityEstimate]:
        if run.id in self.inexact:
            return [stand_in(one) for one in saved]
        try:
            profile, panel = self.profile(run), self.panel(run, value, saved[0].get("panel"))
            compat = run.settings is not None and run.settings.compat
            return (released_reestimate if compat else reestimate)(panel, profile, saved)
        except ODD as error:
            told = str(error) if isinstance(error, ValueFlowError) else f"damaged windows ({error})"
            self.inexact[run.id] = Problem(run.source, f"its errors are not exact: {told}")
            return [stand_in(one) for one in saved]

    @cached_property
    def inexact(self) -> dict[str, Problem]:
        """Runs whose likelihoods could not be recomputed, as far as they were asked for, by id."""
        return {}


def _judge_profile(settings: Settings) -> JudgeProfile:
    """The profile that settings lead to on this machine."""
    if (settings.judge, settings.profile, settings.compat) == ("embedded", "auto", None):
        # It ships; the judge itself, with its encoder, is not needed to read what it said.
        return shipped_profile("embedded")
    return replace(settings, journal="none").instrument().judge_profile


def stand_in(saved: Mapping[str, Any]) -> IntensityEstimate:
    """A saved estimate with a normal likelihood in place of the one its windows would give.

    Exact where the posterior is normal and away from the ends of the scale; label error is left
    out.
    """
    scored = "intensity" in saved
    mean, sd = float(saved.get("intensity", math.nan)), float(saved.get("stderr", math.nan))
    likelihood = -0.5 * ((GRID - mean) / max(sd, 0.05)) ** 2 if scored else None
    return IntensityEstimate(
        mean,
        sd,
        reason=None if scored else str(saved.get("reason", "")),
        response_id=str(saved.get("response_id", "")),
        sentences=sentences_of(saved),
        value=str(saved.get("value", "")),
        panel=str(saved.get("panel", "")),
        profile=str(saved.get("profile", "")),
        log_likelihood=likelihood,
        sensitivities=np.zeros(1) if scored else None,
    )
