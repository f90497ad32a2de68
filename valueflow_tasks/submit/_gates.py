"""What must hold before anything is submitted; each refusal says what to do."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator

from valueflow_scorers import ValueFlowError

from ..analysis import Condition, Run, Runs, protocol_differences
from ..analysis._protocols import panels_of, protocol_of
from ..analysis._run import version_number
from ..bundled import is_bundled
from ..prompts import LEVELS
from ..settings import RESULTS_VERSION, measurable_values

MOST_FAILURES = 0.1
"""Share of failed windows, or of measurements without a number, above which none is ranked."""
_QUERY_SETS = ("core", "test")
Gate = Callable[[Runs], Iterator[str]]
"""Finds reasons to refuse."""


def check(runs: Runs) -> None:
    """Refuse runs that no leaderboard should have.

    Raises:
        ValueFlowError: for the first reason, in one sentence with its remedy.
    """
    _refuse(_GATES, runs)


def check_logs(runs: Runs) -> None:
    """`check`, and what can be asked of whole logs only, not of what a submission keeps of them.

    Raises:
        ValueFlowError: see `check`.
    """
    _refuse((*_GATES, _as_announced), runs)


def _refuse(gates: Iterable[Gate], runs: Runs) -> None:
    for gate in gates:
        for told in gate(runs):
            raise ValueFlowError(told)


def control_reasons(runs: Runs) -> list[str]:
    """Why runs measure nothing about any real model; empty: they do."""
    controls = sorted({run.model for run in runs.runs if run.control})
    shipped = sorted({run.model for run in runs.runs if _bundled(run)})
    judges = sorted({run.judge or "" for run in runs.runs if _simulated(run)})
    return [
        *(f"{name} is a control model" for name in controls),
        *(f"{name} is the bundled model, which ships for demonstrations" for name in shipped),
        *(f"the judge {name} knows the panels' labels" for name in judges),
    ]


def _bundled(run: Run) -> bool:
    return is_bundled(run.model, (one.text or "" for one in run.answers))


def _simulated(run: Run) -> bool:
    return (run.judge or "").partition(":")[0] == "simulated"


def _steered(runs: Runs) -> Iterator[str]:
    if not ((runs.frame["target"] != "") & runs.frame["on_target"]).any():
        yield (
            "there are no steered answers, and intensities alone are not ranked: "
            "run valueflow_steer"
        )


def _of_tasks(runs: Runs) -> Iterator[str]:
    for run in runs.runs:
        if run.harness == "score":
            yield (
                f"{run.source} is an output of `valueflow score`, which is no task result: run "
                "valueflow_steer in a harness and submit its logs"
            )


def other_version(source: str, task_version: str) -> str | None:
    """Why numbers of a run cannot be computed again here; None: this version of the tasks made it.

    Args:
        source: What holds the run.
        task_version: As its log has it.
    """
    made = version_number(task_version)
    if made == RESULTS_VERSION:
        return None
    return (
        f"{source} was made by task version {'?' if made is None else made}; this package computes "
        f"version {RESULTS_VERSION}: run it again, then submit again"
    )


def _version(runs: Runs) -> Iterator[str]:
    for run in runs.runs:
        if told := other_version(run.source, run.task_version):
            yield told


def _told(runs: Runs) -> Iterator[str]:
    for run in runs.runs:
        if run.settings is None or not run.answers:
            yield (
                f"{run.source} does not hold its settings and answers: "
                "run again and keep samples (lm-eval: --log_samples)"
            )


def _whole(runs: Runs) -> Iterator[str]:
    for problem in runs.problems:
        yield f"{problem.source} {problem.message}: submit runs that are whole, or run it again"
    for run in runs.runs:
        if run.limited:
            yield (
                f"{run.source} put a part of its queries: run it again without --limit, --samples "
                "or --sample-id"
            )
        if not run.complete:
            yield f"{run.source} is damaged or did not come to its end: run it again"


def _calibrated(runs: Runs) -> Iterator[str]:
    for run in runs.runs:
        if run.settings is not None and run.settings.compat:
            yield f"{run.source} used the released evaluator: run it again without compat"
        # A log that was judged again does not say it; the profile does.
        calibrated = run.calibrated
        if calibrated is None and run.settings is not None:
            calibrated = runs.profile(run).calibrated
        if not calibrated:
            yield (
                f"the judge {run.judge} of {run.source} is not calibrated: "
                f"run `valueflow judge calibrate {run.judge} …`, then measure again"
            )


def _questions(runs: Runs) -> Iterator[str]:
    for run in runs.runs:
        asked = run.settings.queries if run.settings else ""
        if asked not in _QUERY_SETS:
            yield (
                f"{run.source} has queries={asked}, and dev queries are for choosing and your "
                "own are known to nobody else: run it with queries=test or queries=core"
            )
    known = set(measurable_values())
    for value in dict.fromkeys(runs.frame.loc[runs.frame["on_target"], "value"]):
        if value not in known:
            yield f"{value} is a value of your own, which nobody else can check: leave it out"


def _one_protocol(runs: Runs) -> Iterator[str]:
    if runs.frame["setting"].nunique() > 1:
        told = "; ".join(protocol_differences(runs)) or "their protocol fingerprints differ"
        yield f"the runs do not share one protocol ({told}): submit them apart"
    panels = runs.frame.dropna(subset=["panel"]).groupby("value")["panel"].nunique()
    for value in panels[panels > 1].index:
        yield f"the runs measured {value} with different rulers: measure again with one version"


def _levels(runs: Runs) -> Iterator[str]:
    """Fewer levels are easier to track: every query has to be put at each."""
    for one in runs.conditions:
        if not one.target:
            continue
        put = {level: set(own.get(one.target, ())) for level, own in one.rows.items()}
        everything = set().union(*put.values())
        if sorted(put) != [float(level) for level in LEVELS]:
            told = ", ".join(f"{level:g}" for level in put)
            yield (
                f"{_who(one)} has the levels {told}, and only {', '.join(map(str, LEVELS))} are "
                "ranked: run valueflow_steer"
            )
        elif less := [f"{level:+g}" for level, own in put.items() if own != everything]:
            yield f"{_who(one)} lacks queries at {', '.join(less)}: put every query at every level"


def _who(one: Condition) -> str:
    return f"{one.model} steered by {one.method} toward {one.target}"


def _as_announced(runs: Runs) -> Iterator[str]:
    for run in runs.runs:
        known = panels_of(run)
        panels = {
            value: known.get(value) or runs.panel(run, value).fingerprint
            for value in dict.fromkeys(value for one in run.answers for value in one.measure)
        }
        again = protocol_of(run, panels)
        if None not in (run.protocol, again) and run.protocol != again:
            yield (
                f"{run.source} announced the protocol {run.protocol} and holds answers of {again}: "
                "its queries, rulers or generation settings are others: run it again"
            )


def _once(runs: Runs) -> Iterator[str]:
    steered = runs.frame[(runs.frame["target"] != "") & runs.frame["on_target"]]
    keys = ["model", "method", "target", "level"]
    for (model, method, target, level), rows in steered.groupby(keys, sort=False)["run"]:
        if rows.nunique() > 1:
            one, other = [runs.run(name).source for name in rows.unique()[:2]]
            yield (
                f"{one} and {other} both measured {model} steered by {method} toward {target} at "
                f"{level:+g}: submit one of them, chosen before looking"
            )


def _failures(runs: Runs) -> Iterator[str]:
    frame = runs.frame[runs.frame["on_target"]]
    for model, rows in frame.groupby("model", sort=False):
        windows = sum(map(len, rows["windows"]))
        failed = sum(sum(own.values()) for own in rows["failures"])
        wanted = rows[~rows["refused"]]
        without = float(wanted["intensity"].isna().mean()) if len(wanted) else math.nan
        for share, what in (
            (failed / windows if windows else 0.0, "windows have no verdict"),
            (without, "measurements have no number"),
        ):
            if not share <= MOST_FAILURES:  # NaN: every answer was refused
                yield (
                    f"{share:.0%} of {model}'s {what}, more than {MOST_FAILURES:.0%}: look at "
                    "the reasons in the logs, then measure again or with a judge that copes"
                )


def _exact(runs: Runs) -> Iterator[str]:
    frame = runs.frame
    runs.estimates(frame.index[frame["on_target"] & frame["intensity"].notna()])
    for problem in runs.inexact.values():
        yield f"{problem.message} ({problem.source})"


_GATES: tuple[Gate, ...] = (
    _of_tasks, _version, _told, _whole, _questions, _calibrated, _one_protocol, _steered, _once,
    _levels, _failures, _exact,
)  # fmt: skip
