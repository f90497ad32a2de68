"""Runs out of Inspect's logs, `.eval` and `.json`: one per score that is ours."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from valueflow_scorers import ValueFlowError
from valueflow_scorers._records import fingerprint
from valueflow_scorers.metrics import Metric

from ..prompts import LEVELS, telling
from ..settings import Settings
from ..steer_request import read_steer
from ..steering import SteeringSpec
from ._commands import inspect_command
from ._inspect_file import (
    chat_template,
    message_text,
    our_scores,
    query_count,
    query_of,
    read_samples,
    reported_metrics,
    seconds,
)
from ._names import is_control, model_name
from ._parts import (
    NOT_JUDGED,
    ODD,
    measured_answer,
    read_settings,
    read_spec,
    targets_of,
    values_of,
    words_of,
)
from ._public import public
from ._run import Answered, Problem, Run

if TYPE_CHECKING:
    from inspect_ai.log import EvalLog

_WHOLE_RUN = "whole_run"


def read_log(path: Path) -> tuple[list[Run], list[Problem]]:
    """The runs of one log, none if it is of another task: one per score of ours.

    Returns:
        The runs, and what is wrong with the file as a whole.
    """
    from inspect_ai.log import read_eval_log

    try:
        header = read_eval_log(str(path), header_only=True)
    except Exception as error:  # of zip, JSON, pydantic or the file system
        told = str(error).splitlines()[0] if str(error) else type(error).__name__
        return [], [Problem(str(path), f"no readable Inspect log ({told}); left out")]
    own = (header.eval.metadata or {}).get("valueflow")
    if own is None:
        return [], []
    problems: list[Problem] = []
    try:
        samples = list(read_samples(path, problems))
        names = {name for sample in samples for name in our_scores(sample)}
        return [
            _Reader(path, header, own, samples, name, list(problems)).run()
            for name in sorted(names) or [""]
        ], []
    except ODD as error:
        told = f"is damaged and was left out ({type(error).__name__}: {error})"
        return [], [*problems, Problem(str(path), told)]


@dataclass
class _Reader:
    path: Path
    header: EvalLog
    own: Mapping[str, Any]
    samples: Sequence[Mapping[str, Any]]
    score: str
    """Name of the score that is read; empty: there is none, nothing was judged."""
    problems: list[Problem]

    def run(self) -> Run:
        evaluated, source = self.header.eval, str(self.path)
        settings, judged_as_planned = self._settings()
        answers = tuple(self._answers())
        model = model_name(evaluated.model, evaluated.model_args)
        if self.header.status != "success":
            told = f"the run did not come to its end (status {self.header.status})"
            self.problems.append(Problem(source, told))
        limit, chosen = evaluated.config.limit, evaluated.config.sample_id is not None
        count = limit if isinstance(limit, int) or limit is None else limit[1] - limit[0]
        profiles = {e["profile"] for one in answers for e in one.estimates.values()}
        return Run(
            id=fingerprint([evaluated.eval_id, self.score, self.own, len(answers)])[:12],
            source=source,
            harness="inspect",
            task=evaluated.task.rpartition("/")[2],
            model=model,
            model_args=public(evaluated.model_args),
            control=is_control(model),
            settings=settings,
            protocol=self.own.get("protocol") if judged_as_planned else None,
            judge=None if settings is None else settings.judge,
            judge_profile=next(iter(profiles)) if len(profiles) == 1 else self.own.get("profile"),
            calibrated=self.own.get("calibrated") if judged_as_planned else None,
            generation=self._generation(),
            chat_template=chat_template(evaluated),
            answers=answers,
            spec=self._spec(),
            metrics=self._metrics(),
            versions=dict(evaluated.packages),
            task_version=str(evaluated.task_version),
            limit=None if count is None else float(count),
            chosen=chosen,
            queries_total=query_count(settings) or self._put(),
            complete=not self.problems,
            created=str(evaluated.created),
            seconds=seconds(self.header),
            command=self._command(),
            usage=self._usage(),
            problems=tuple(self.problems),
        )

    def _put(self) -> int:
        """How many queries were to be put."""
        return len({query_of(name) for name in self.header.eval.dataset.sample_ids or []})

    def _command(self) -> str | None:
        evaluated = self.header.eval
        if self.own.get("levels", list(LEVELS)) != list(LEVELS):
            return None  # a study's, and no task can be asked for them
        return inspect_command(
            evaluated.model,
            public(evaluated.model_args),
            evaluated.task_registry_name or evaluated.task,
            public(evaluated.task_args_passed),
            generation=self._generation(),
            epochs=evaluated.config.epochs,
            limit=evaluated.config.limit,
        )

    def _settings(self) -> tuple[Settings | None, bool]:
        """Settings that the score was made with; whether they are those the task announced."""
        planned = read_settings(self.own.get("settings"), str(self.path), self.problems)
        said = next(
            (
                sample["scores"][self.score]["metadata"].get("settings")
                for sample in self.samples
                if self.score in (sample.get("scores") or {})
            ),
            None,
        )
        if said is None or planned is None:
            return planned, True
        actual = read_settings(said, str(self.path), self.problems)
        same = actual is not None and actual.instrument_knobs == planned.instrument_knobs
        # A scorer knows its own knobs only; how the task steered stands in the announcement.
        return (planned, True) if same else (_judged_by(planned, actual), False)

    def _generation(self) -> dict[str, Any]:
        own, plan = self.header.eval.model_generate_config, self.header.plan.config
        return telling(own.model_dump(), plan.model_dump())

    def _usage(self) -> dict[str, dict[str, float]]:
        return {
            name: {key: float(number) for key, number in one.model_dump(exclude_none=True).items()}
            for name, one in self.header.stats.model_usage.items()
        }

    def _metrics(self) -> dict[str, Metric]:
        found: dict[str, Metric] = {}
        results = self.header.results
        for score in results.scores if results is not None else []:
            if score.name == self.score:
                found |= reported_metrics(score)
        return found

    def _spec(self) -> SteeringSpec | None:
        source = str(self.path)
        for sample in self.samples:
            said = (sample.get("metadata") or {}).get("valueflow", {}).get(_WHOLE_RUN)
            if said is not None:
                return read_spec(said, source, self.problems)
        given = self.header.eval.model_args
        if not given.get("steer"):
            return None
        try:
            return read_steer(
                str(given["steer"]), given.get("vectors"), given.get("method") or "definition"
            )
        except ValueFlowError as error:
            self.problems.append(Problem(source, f"what steered the model is not known: {error}"))
            return SteeringSpec(prompt=f"unknown: steer={given['steer']}")

    def _answers(self) -> Iterator[Answered]:
        for sample in self.samples:
            where = f"{self.path}, sample {sample.get('id')}"
            try:
                yield self._answer(sample)
            except ODD as error:
                told = f"is damaged and was left out ({type(error).__name__}: {error})"
                self.problems.append(Problem(where, told))

    def _answer(self, sample: Mapping[str, Any]) -> Answered:
        own = sample["metadata"]["valueflow"]
        output = sample.get("output") or {}
        choices = output.get("choices") or []
        text = message_text(choices[0]["message"]["content"]) if choices else None
        spec = read_spec(own.get("spec"), str(self.path), self.problems)
        steering = None if spec is None else spec.fingerprint
        repeat = int(sample.get("epoch") or 1) - 1
        score = (sample.get("scores") or {}).get(self.score) if self.score else None
        content = (score or {}).get("metadata") or {}
        if "measured" in content:
            return measured_answer(
                content["measured"],
                query=str(own["query"]),
                kind=str(own.get("kind", "")),
                text=text,
                measure=own["measure"],
                loss=content.get("loss"),
                steering=steering,
                repeat=repeat,
            )
        error = sample.get("error")
        return Answered(
            str(own["query_id"]),
            str(own["query"]),
            str(own.get("kind", "")),
            targets_of(own),
            words_of(text),
            values_of(own["measure"]),
            missing=f"error: {error['message']}" if error else NOT_JUDGED,
            loss=(output.get("metadata") or {}).get("valueflow_loss"),
            steering=steering,
            filtered=bool(choices) and choices[0].get("stop_reason") == "content_filter",
            repeat=repeat,
        )


def _judged_by(planned: Settings, actual: Settings | None) -> Settings:
    return planned if actual is None else replace(planned, **actual.instrument_knobs)
