"""What sets runs apart that cannot be compared."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ._protocols import panels_of
from ._run import Run
from ._runs import Runs

_KNOBS = ("queries", "k", "m", "design", "seed", "compat", "target_stderr", "layout")


def protocol_differences(runs: Runs) -> list[str]:
    """What sets runs apart that cannot be compared, one line per respect; empty: nothing.

    Models, values and steering do not count: they are what is compared. The levels that were
    asked for do.
    """
    respects: dict[str, dict[str, list[str]]] = {}
    for run in runs.runs:
        for respect, told in aspects(run).items():
            respects.setdefault(respect, {}).setdefault(str(told), []).append(run.source)
    return [
        f"{respect}: " + "; ".join(_where(told, sources) for told, sources in own.items())
        for respect, own in respects.items()
        if len(own) > 1
    ]


def aspects(run: Run) -> dict[str, Any]:
    """What decides what a run can be compared with, by respect."""
    knobs: Mapping[str, Any] = {} if run.settings is None else vars(run.settings)
    levels = sorted(set(_levels(run)))
    version = run.results_version
    return {
        "task version": "not said" if version is None else version,
        "judge": run.judge,
        "judge profile": run.judge_profile,
        "generation": dict(sorted(run.generation.items())),
        "chat template": run.chat_template,
        **{name: knobs[name] for name in _KNOBS if name in knobs},
        "queries put": _put(run),
        **({"levels": [f"{level:+g}" for level in levels]} if levels else {}),
        **{f"panel of {value}": panel for value, panel in panels_of(run).items()},
    }


def _put(run: Run) -> str:
    if run.limit is None and not run.chosen:
        return "all"
    return f"{len({one.query_id for one in run.answers})} chosen"


def _levels(run: Run) -> Iterator[float]:
    """Of steering toward one value; several at once are compared with nothing else."""
    for one in run.answers:
        if len(one.targets) == 1:
            yield from one.targets.values()


def _where(told: str, sources: Sequence[str]) -> str:
    return f"{told} in {sources[0]}" + (f" and {len(sources) - 1} more" if sources[1:] else "")
