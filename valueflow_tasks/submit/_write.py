"""Runs -> a folder that can be submitted."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from valueflow_scorers import ValueFlowError

from ..analysis import Runs, load_runs
from ._attached import attachments
from ._facts import Facts
from ._formats import ALL, needs, render, unsuitable, validate, wanted
from ._gates import check_logs, control_reasons
from ._register import TASK
from ._samples import attachable
from ._submission import RECORD, Submission
from ._systems import systems
from ._text import parsed, to_json

_SEVERAL = "valueflow_compose"
"""The task that steers toward several targets at once."""


@dataclass(frozen=True)
class Written:
    """What was written."""

    submission: Submission
    """The numbers and what is known about them."""
    files: tuple[Path, ...]
    """All files."""
    left_out: tuple[str, ...]
    """Formats that cannot take it and runs that are not ranked, and why."""


def write_submission(
    logs: str | Path | Iterable[str | Path],
    output: str | Path,
    to: Iterable[str] = (ALL,),
    meta: str | Path | None = None,
) -> Written:
    """Turn runs into the files that leaderboards accept.

    Args:
        logs: Logs of either harness: files or folders.
        output: A folder that does not exist or is empty.
        to: Formats: `hf-evals`, `every-eval-ever`, `inspect-register`, `model-index`, `all`.
        meta: YAML file of facts that no log holds; what it does not say makes a draft.

    Raises:
        ValueFlowError: if the runs must not be submitted, a format cannot take them, or the
            folder is in use. Nothing is written then.
    """
    folder = Path(output)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ValueFlowError(f"{folder} is in use: give a new folder")
    names, facts = wanted(to), Facts.read(meta)
    runs, passed_over = _ranked(load_runs(logs))
    check_logs(runs)
    attached = attachable(runs)
    submission = assemble(attached, facts, names, int(time.time()))
    refused = {name: why for name in names if (why := unsuitable(submission, name))}
    if refused and ALL not in to:
        raise ValueFlowError("; ".join(f"{name}: {why}" for name, why in refused.items()))
    if kept := tuple(name for name in names if name not in refused):
        submission = assemble(attached, facts, kept, submission.made)
    files = {**all_files(submission), **attachments(attached)}
    for path, text in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, "utf-8")
    told = (*passed_over, *(f"{name}: {why}" for name, why in refused.items()))
    return Written(submission, tuple(folder / path for path in files), told)


def _ranked(runs: Runs) -> tuple[Runs, tuple[str, ...]]:
    """The runs that can be ranked, and why others are left out.

    A study judges the same answers for `valueflow_steer` and `valueflow_compose`.
    """
    several = [run for run in runs.runs if run.task == _SEVERAL]
    others = [problem for run in several for problem in run.problems]
    kept = tuple(run for run in runs.runs if run.task != _SEVERAL)
    if not kept:
        raise ValueFlowError(f"{_SEVERAL} is not ranked, and there is no other run: run {TASK}")
    problems = tuple(one for one in runs.problems if one not in others)
    told = tuple(f"{run.source}: several targets at once are not ranked" for run in several)
    return replace(runs, runs=kept, problems=problems), told


def assemble(runs: Runs, facts: Facts, formats: tuple[str, ...], made: int) -> Submission:
    """The submission that some attached runs make."""
    found = tuple(systems(runs))
    missing = facts.missing(needs(formats), dict.fromkeys(one.model for one in found))
    told = [f"no --meta says {', '.join(missing)}"] if missing else []
    (profile,) = runs.profiles.values()
    often = Counter((facts.model_id(one.model), one.method) for one in found)
    for (model, method), count in often.items():
        if count > 1:
            raise ValueFlowError(
                f"{count} models would be submitted as {model} by {method}: give each an id of its "
                "own in --meta, or submit them apart"
            )
    return Submission(found, profile, facts, formats, (*control_reasons(runs), *told), made)


def all_files(submission: Submission) -> dict[str, str]:
    """The record and the files of every format, each checked by its receiver's definition.

    Raises:
        ValueFlowError: if one is not valid.
    """
    files = {RECORD: to_json(submission.to_dict())}
    for name in submission.formats:
        for path, text in render(submission, name).items():
            wrong = list(validate(name, path, parsed(path, text)))
            if wrong:
                raise ValueFlowError(f"{name} would refuse this: {'; '.join(wrong[:3])}")
            files[path] = text
    return files
