"""What of some runs goes with a submission, and whether their numbers follow from windows."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import PurePath

from ..analysis import Run, Runs
from ..analysis._protocols import panels_of
from ..settings import Settings
from ._attached import SAMPLES

_TOLERANCE = 2e-3
"""Points between an intensity that was saved with four digits and the same recomputed elsewhere."""


def attachable(runs: Runs) -> Runs:
    """The runs with what goes public: no places, and what the submitted numbers need.

    Kept of each run are answers steered toward one value, with their estimates on it, and
    unsteered answers, with their estimates on the values that something is steered toward. The
    judge's profile and the panels come along.
    """
    frame = runs.frame
    targets = {str(one) for one in frame.loc[frame["on_target"], "target"] if one}
    kept = tuple(own for run in runs.runs if (own := _stripped(run, targets)).answers)
    # What a run needed beside its answers is known to be there: the gates asked for it.
    profiles = {run.judge_profile: runs.profile(run) for run in runs.runs if run.judge_profile}
    panels = {
        name: runs.panel(run, value, name) for run in kept for value, name in panels_of(run).items()
    }
    return Runs(kept, (), profiles, panels)


def _stripped(run: Run, targets: set[str]) -> Run:
    answers = []
    for one in run.answers:
        whole = {} if run.spec is None else {t.value: t.level for t in run.spec.targets if t.level}
        steered = {**whole, **one.targets}
        wanted = targets if not steered else set(steered) if len(steered) == 1 else set()
        measure = tuple(value for value in one.measure if value in wanted)
        if measure:
            estimates = {v: e for v, e in one.estimates.items() if v in measure}
            answers.append(replace(one, measure=measure, estimates=estimates))
    return replace(
        run,
        source=PurePath(run.source).name,
        settings=_without_places(run.settings),
        spec=None
        if run.spec is None
        else replace(
            run.spec,
            vectors=tuple(
                replace(dose, path=PurePath(dose.path).name) for dose in run.spec.vectors
            ),
        ),
        answers=tuple(answers),
        metrics={},
        usage={},
        problems=(),
    )


def _without_places(settings: Settings | None) -> Settings | None:
    """Settings without folders of this machine, none of which enters a number."""
    if settings is None:
        return None
    return replace(
        settings,
        profile="auto",
        journal="none",
        links="",
        value_profile="",
        vectors=PurePath(settings.vectors).name,
    )


def misread(runs: Runs) -> list[str]:
    """Saved numbers that do not follow from the windows saved beside them."""
    frame = runs.frame
    scored = frame[frame["intensity"].notna()]
    found = []
    for row, one in zip(scored.index, runs.estimates(scored.index), strict=True):
        at = scored.loc[row]
        for name in ("intensity", "stderr"):
            saved, again = float(at[name]), float(getattr(one, name))
            if not math.isclose(saved, again, abs_tol=_TOLERANCE):
                found.append(
                    f"{SAMPLES}/{at['run']}.jsonl, {at['query_id']}:{at['arm']} on {at['value']}: "
                    f"{name} {saved:g}, but its windows give {again:.4f}"
                )
    return found
