"""The second phase: every answer measured by every judge, as complete Inspect logs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from valueflow_scorers._records import fingerprint

from .. import __version__
from ..analysis._inspect_file import chat_template
from ._generate import Answers
from ._jobs import JudgeJob, jobs, judge_name, safe_name
from ._judge_lm_eval import judge_results, unjudged
from ._judged_log import judged_log, write_log
from ._meter import METER
from ._spend import set_prices
from ._study import Study

if TYPE_CHECKING:
    from inspect_ai.log import EvalLog

    from ..analysis import Runs

JUDGED = "judged"
"""Folder of the judged logs within a study's folder."""


def judge(
    study: Study,
    folder: Path,
    *,
    budget: float | None = None,
    done: Callable[[str, str], None] = lambda file, state: None,
) -> list[Path]:
    """Judge what is not judged yet.

    A log that was written from the same answers with the same instrument is left alone; a model's
    judgements that were bought before an interruption come out of the journal.

    Args:
        study: With which judges.
        folder: Where the study lives.
        budget: Dollars that this call may spend.
        done: Told of each log, by its path under `judged`: `written`, `there`, or `no answers yet`;
            and of each problem with what the study includes, by its file.

    Returns:
        The logs that are there now, those the study includes among them.

    Raises:
        BudgetSpentError: if the budget ran out.
    """
    set_prices(study.prices)
    METER.reset(budget)
    answers = Answers(folder)
    found = []
    for job in jobs(study):
        path = folder / JUDGED / job.file
        sources = answers_of(study, job, answers)
        if sources is None:
            done(job.file, "no answers yet")
            continue
        identity = _wanted(study, job, sources)
        if _identity(path) == identity:
            done(job.file, "there")
        else:
            settings = study.judged_by(job.judge, job.method)
            write_log(path, judged_log(job, sources, settings, identity))
            done(job.file, "written")
        found.append(path)
    return [*found, *_included(study, folder, done)]


def _included(study: Study, folder: Path, done: Callable[[str, str], None]) -> Iterator[Path]:
    """What the study takes in: judged runs as they are, answers of lm-eval judged now."""
    runs = included(study)
    for problem in runs.problems:
        done(problem.source, problem.message)
    for run in runs.runs:
        if not unjudged(run):
            yield Path(run.source)
            continue
        for judge in study.judges:
            path, state = judge_results(run, judge, place_of(folder, judge))
            done(str(path.relative_to(folder / JUDGED)), state)
            yield path


def included(study: Study) -> Runs:
    """The runs that a study takes in."""
    from ..analysis import Runs, load_runs

    return load_runs(study.include) if study.include else Runs(())


def place_of(folder: Path, judge: Mapping[str, Any]) -> Path:
    """Where a judge's logs lie."""
    return folder / JUDGED / safe_name(judge_name(judge))


def answers_of(study: Study, job: JudgeJob, answers: Answers) -> list[EvalLog] | None:
    """Headers of the answer logs of a job; None while one is missing."""
    wanted = [one for one in study.tasks(job.model) if one.method in ("", job.method)]
    found = [answers.find(study, job.model, arms) for arms in wanted]
    there = [one for one in found if one is not None]
    return there if len(there) == len(wanted) else None


def is_judged(study: Study, folder: Path, job: JudgeJob, answers: Answers) -> bool:
    """Whether a job's log is there, made from the answers that are there."""
    there, sources = _identity(folder / JUDGED / job.file), answers_of(study, job, answers)
    return None not in (there, sources) and there == _wanted(study, job, sources or [])


def _wanted(study: Study, job: JudgeJob, sources: Sequence[EvalLog]) -> str:
    """Identity of what a job's log holds: which answers, and how they were measured."""
    settings = study.judged_by(job.judge, job.method)
    asked = [log.eval.eval_id for log in sources]
    arms = sorted(job.arms.items())
    protocol = job.protocol(settings, chat_template=chat_template(sources[-1].eval))
    return fingerprint([asked, settings.to_dict(), arms, protocol, __version__])


def _identity(path: Path) -> str | None:
    from inspect_ai.log import read_eval_log

    if not path.exists():
        return None
    header = read_eval_log(str(path), header_only=True)
    return ((header.eval.metadata or {}).get("valueflow") or {}).get("judged")
