"""The first phase: answers, through Inspect's `eval_set`."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from valueflow_scorers import ValueFlowError
from valueflow_scorers._records import fingerprint

from ..queries import query_set_fingerprint
from ._meter import METER
from ._open import check_models, open_model
from ._spend import set_prices
from ._study import Arms, Study, StudyModel

if TYPE_CHECKING:
    from inspect_ai import Task
    from inspect_ai.log import EvalLog
    from inspect_ai.model import Model

_ASKED = ("arms", "method")
_UNSTEERED = "unsteered"
ANSWERS = "answers"
"""Folder of the answers within a study's folder."""


def generate(
    study: Study, folder: Path, *, budget: float | None = None, display: str = "none"
) -> None:
    """Generate what is missing of a study's answers.

    Finished samples are never generated again, whatever stopped the last call. Models behind an
    API run side by side; local ones take turns, each in a set of its own.

    Args:
        study: What to ask.
        folder: Where the study lives.
        budget: Dollars that this call may spend; calls under way when it is reached are finished.
        display: Inspect's display.

    Raises:
        BudgetSpentError: if the budget ran out.
        ValueFlowError: if a model cannot be opened, or a task failed; what is finished is kept.
        KeyboardInterrupt: on Ctrl-C, once Inspect has saved what is finished.
    """
    set_prices(study.prices)
    check_models(study.models)
    METER.reset(budget)
    try:
        for name, models in _groups(study):
            _run(study, models, folder / ANSWERS / name, display)
    finally:
        METER.budget = None  # it holds for studies only


def _run(study: Study, models: Sequence[StudyModel], folder: Path, display: str) -> None:
    made = [open_model(one) for one in models]
    sets: dict[str, list[Task]] = {}
    for arms in study.tasks(models[0]):
        sets.setdefault(content_of(study, arms), []).append(_task(study, arms))
    for content, tasks in sets.items():
        # A set of its own: what Inspect finds finished in a folder it never asks for again.
        _evaluate(tasks, made, folder.with_name(f"{folder.name}-{content}"), display)


def _evaluate(tasks: Sequence[Task], models: Sequence[Model], folder: Path, display: str) -> None:
    from inspect_ai import eval_set
    from inspect_ai.util import cost_limit

    # Inspect's limit is looked at before every call; the solver turns it into an error, since a
    # sample that a limit ended would count as finished.
    with cost_limit(METER.left):
        finished, logs = eval_set(
            list(tasks),
            model=list(models),
            log_dir=str(folder),
            score=False,
            display=display,  # type: ignore[arg-type]
            retry_attempts=0,
            retry_immediate=False,  # else Inspect warns that there is nothing to retry
            log_dir_allow_dirty=True,
            ctl_server=False,
        )
    if len(logs) < len(tasks) * len(models) or any(log.status == "cancelled" for log in logs):
        # Inspect saves what it has and returns as if nothing had happened: a task that Ctrl-C
        # stopped has no log among those it hands back, and of none all are a success.
        raise KeyboardInterrupt
    if not finished:
        METER.check()
        raise ValueFlowError(_why(logs))


def _why(logs: Sequence[EvalLog]) -> str:
    """Which models lack which answers, and what stopped them."""
    failed: dict[tuple[str, str], list[str]] = {}
    for log in logs:
        if log.status != "success":
            model = StudyModel(log.eval.model, log.eval.model_args).shown
            why = log.error.message if log.error else log.status
            steered = list(log.eval.task_args["arms"]) != ["0"]
            failed.setdefault((model, why), []).append(
                log.eval.task_args["method"] if steered else _UNSTEERED
            )
    told = [f"{model} ({', '.join(asked)}): {why}" for (model, why), asked in failed.items()]
    return (
        f"not all answers could be generated: {'; '.join(told)}; what is finished is kept: "
        "run the same command again to go on"
    )


def _groups(study: Study) -> Iterator[tuple[str, list[StudyModel]]]:
    """Models that run side by side: those that ask for the same over an API."""
    together: dict[tuple[str, ...], list[StudyModel]] = {}
    for model in study.models:
        if model.local:
            yield model.label, [model]
        else:
            together.setdefault(study.methods_of(model), []).append(model)
    for methods, models in together.items():
        yield f"api-{'-'.join(methods)}", models


def _task(study: Study, arms: Arms) -> Task:
    from ..inspect_tasks import valueflow_answers

    return valueflow_answers(**task_arguments(study, arms))


def task_arguments(study: Study, arms: Arms) -> dict[str, Any]:
    """What the answers' task is given."""
    return {
        "arms": {name: list(values) for name, values in arms.measure.items()},
        "method": arms.method or "definition",
        "queries": study.settings.queries,
        "vectors": study.settings.vectors if arms.method == "vector" else "",
    }


def content_of(study: Study, arms: Arms) -> str:
    """Identity of the questions, and of the vectors where they steer; names do not tell it.

    Raises:
        ValueFlowError: if a vector cannot be read.
    """
    vectors = []
    if arms.method == "vector":
        for path in sorted(Path(study.settings.vectors).glob("*.safetensors")):
            try:
                vectors.append([path.name, hashlib.sha256(path.read_bytes()).hexdigest()])
            except OSError as error:
                raise ValueFlowError(f"cannot read the vector {path}: {error}") from None
    return fingerprint([query_set_fingerprint(study.settings.query_set()), vectors])[:8]


class Answers:
    """The answer logs of a study's folder."""

    def __init__(self, folder: Path) -> None:
        """Read the headers of what is there; files that cannot be read are passed over."""
        from inspect_ai.log import list_eval_logs, read_eval_log

        self.headers: list[EvalLog] = []
        root = folder / ANSWERS
        for info in list_eval_logs(str(root)) if root.is_dir() else []:
            try:
                self.headers.append(read_eval_log(info.name, header_only=True))
            except Exception:  # a file that a kill left behind; eval_set mends or replaces it
                continue

    def find(self, study: Study, model: StudyModel, arms: Arms) -> EvalLog | None:
        """The header of one task's finished log; None: there is none yet."""
        wanted, content = task_arguments(study, arms), content_of(study, arms)
        for header in self.headers:
            asked = PurePosixPath(header.location).parent.name.endswith(f"-{content}")
            if header.status == "success" and asked and _is(header, model, wanted):
                return header
        return None


def unanswered(study: Study, folder: Path) -> list[str]:
    """The models that lack answers, each with what it is still to be asked."""
    answers, found = Answers(folder), []
    for model in study.models:
        missing = [
            arms.method or _UNSTEERED
            for arms in study.tasks(model)
            if answers.find(study, model, arms) is None
        ]
        if missing:
            found.append(f"{model.shown} ({', '.join(missing)})")
    return found


def _is(header: EvalLog, model: StudyModel, wanted: Mapping[str, Any]) -> bool:
    same_model = (header.eval.model, header.eval.model_args) == (model.name, dict(model.args))
    # Where questions and vectors lie does not matter: their content was compared already.
    return same_model and all(header.eval.task_args.get(key) == wanted[key] for key in _ASKED)
