"""Runs out of lm-eval's results folders: `results_*.json` and the `samples_*.jsonl` beside it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from valueflow_scorers._measure import arm_id
from valueflow_scorers._records import fingerprint

from ..prompts import generation_words
from ._commands import lm_eval_command
from ._names import is_control, model_name, parse_arguments
from ._parts import (
    NOT_JUDGED,
    ODD,
    json_lines,
    measured_answer,
    read_metrics,
    read_settings,
    read_spec,
    targets_of,
    values_of,
    words_of,
)
from ._public import public
from ._run import Answered, Problem, Run

_FILTER = ",valueflow"
_DAMAGED = "is damaged and was left out"


def read_results(path: Path) -> tuple[list[Run], list[Problem]]:
    """The runs of one results file: one per ValueFlow task in it.

    Returns:
        The runs, and what is wrong with files as a whole; what is wrong within a run stands in it.
    """
    try:
        results: Any = json.loads(path.read_text("utf-8"))
        configs, numbers, config = (results[name] for name in ("configs", "results", "config"))
        if not all(isinstance(one, Mapping) for one in (configs, numbers, config)):
            raise TypeError
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        return [], [Problem(str(path), f"no valid lm-eval results ({error}); left out")]
    except (KeyError, TypeError):
        return [], [Problem(str(path), "no lm-eval results: no configs, results and config in it")]
    runs, problems = [], []
    for task, own in configs.items():
        metadata = own.get("metadata") if isinstance(own, Mapping) else None
        if not isinstance(metadata, Mapping) or not _ours(str(task), metadata):
            continue
        try:
            runs.append(_Reader(path, results, str(task)).run(own, metadata, numbers, config))
        except ODD as error:
            told = f"{type(error).__name__}: {error}"
            problems.append(Problem(f"{path}, task {task}", f"{_DAMAGED} ({told})"))
    return runs, problems


def _ours(task: str, metadata: Mapping[str, Any]) -> bool:
    opinions = "valueflow_opinions" in metadata  # measures no intensity
    return "valueflow" in metadata or (task.startswith("valueflow_") and not opinions)


@dataclass
class _Reader:
    path: Path
    results: Mapping[str, Any]
    task: str

    def __post_init__(self) -> None:
        self.problems: list[Problem] = []
        self._lines = math.inf
        date = self.path.stem.removeprefix("results_")
        self.samples = self.path.with_name(f"samples_{self.task}_{date}.jsonl")

    def run(
        self,
        own: Mapping[str, Any],
        metadata: Mapping[str, Any],
        numbers: Mapping[str, Any],
        config: Mapping[str, Any],
    ) -> Run:
        source, said = str(self.path), metadata.get("valueflow") or {}
        settings = read_settings(said.get("settings") or metadata, source, self.problems)
        arguments = public(parse_arguments(config.get("model_args")))
        model = model_name(str(config.get("model")), arguments)
        text = self._samples_text()
        answers = self._answers(text or "", said.get("arms") or (), said.get("steering") or {})
        sizes = (self.results.get("n-samples") or {}).get(self.task) or {}
        total = sizes.get("original")
        generation = own.get("generation_kwargs") or {}
        limit = config.get("limit")
        reported = numbers.get(self.task, {})
        names = [key.removesuffix(_FILTER) for key in reported if key.endswith(_FILTER)]
        plain = [name for name in names if not name.endswith("_stderr")]
        versions = {
            "lm_eval": self.results.get("lm_eval_version"),
            "transformers": self.results.get("transformers_version"),
            "valueflow-tasks": said.get("version"),
        }
        return Run(
            id=fingerprint([self.results.get("date"), config, self.task, text])[:12],
            source=source,
            harness="lm-eval",
            task=self.task,
            model=model,
            model_args=arguments,
            control=is_control(model),
            settings=settings,
            protocol=said.get("protocol"),
            judge=None if settings is None else settings.judge,
            judge_profile=said.get("profile"),
            calibrated=said.get("calibrated"),
            generation=generation_words(generation, self.results.get("system_instruction")),
            # The harness's own entry is empty for a model behind an API.
            chat_template=bool(said.get("chat_template", self.results.get("chat_template"))),
            answers=answers,
            spec=read_spec(config.get("valueflow_steering"), source, self.problems),
            metrics=read_metrics(
                {name: reported[name + _FILTER] for name in plain},
                {name: reported.get(f"{name}_stderr{_FILTER}") for name in plain},
            ),
            versions={name: str(version) for name, version in versions.items() if version},
            task_version=str((self.results.get("versions") or {}).get(self.task, "")),
            limit=None if limit is None else float(limit),
            chosen=limit is None and self._lines < (total or 0),
            queries_total=total,
            complete=not self.problems,
            created=_time(self.results.get("date")),
            seconds=_seconds(self.results.get("total_evaluation_time_seconds")),
            command=None
            if settings is None
            else lm_eval_command(
                str(config.get("model")),
                arguments,
                self.task,
                settings,
                config,
                metadata=metadata,
                results=self.results,
            ),
            problems=tuple(self.problems),
        )

    def _samples_text(self) -> str | None:
        where = str(self.samples)
        try:
            return self.samples.read_text("utf-8")
        except FileNotFoundError:
            advice = "is missing, so there are totals only: run with --log_samples"
            self.problems.append(Problem(where, advice))
        except (OSError, UnicodeDecodeError) as error:
            self.problems.append(Problem(where, f"cannot be read ({error}): totals only"))
        return None

    def _answers(
        self, text: str, arms: Sequence[Mapping[str, Any]], specs: Mapping[str, Any]
    ) -> tuple[Answered, ...]:
        carried = {}
        for arm, content in specs.items():
            spec = read_spec(content, str(self.path), self.problems)
            if spec is not None:
                carried[arm] = spec.fingerprint
        answers: list[Answered] = []
        rows = json_lines(text)
        if rows:
            self._lines = len(rows)
        for number, row in rows:
            try:
                if isinstance(row, json.JSONDecodeError):
                    raise ValueError(row.msg)
                answers += _answered(row, arms, carried)
            except ODD as error:
                self.problems.append(
                    Problem(f"{self.samples}, line {number}", f"{_DAMAGED} ({error})")
                )
        return tuple(answers)


def _answered(
    row: Mapping[str, Any], arms: Sequence[Mapping[str, Any]], carried: Mapping[str, str]
) -> list[Answered]:
    """The answers to one query, in the order of the arms."""
    doc = row["doc"]
    query, kind = words_of(doc["query"]) or "", str(doc.get("kind", ""))
    records = [_record(told) for told in row["filtered_resps"]]
    # Only steered answers carry losses; each also that of the unsteered answer.
    plain = [record["losses"][1] for record in records if record and record.get("losses")]
    unsteered = next((loss for loss in plain if loss is not None), None)
    found = []
    for index, record in enumerate(records):
        if record is None:  # --predict_only
            targets, measure = targets_of(arms[index]), values_of(arms[index]["measure"])
            text = words_of(row["filtered_resps"][index])
            found.append(
                Answered(str(doc["query_id"]), query, kind, targets, text, measure,
                         missing=NOT_JUDGED)
            )  # fmt: skip
            continue
        targets = targets_of(record)
        found.append(
            measured_answer(
                record,
                query=query,
                kind=kind,
                text=record.get("answer"),
                measure=record.get("measure") or (),
                loss=(record.get("losses") or (None,))[0] if targets else unsteered,
                steering=carried.get(arm_id(targets)),
            )
        )
    return found


def _record(told: Any) -> dict[str, Any] | None:
    """What the filter wrote; None for an answer that was not judged."""
    try:
        record = json.loads(told)
    except (TypeError, json.JSONDecodeError):
        return None
    return record if isinstance(record, dict) and "query_id" in record else None


def _time(date: Any) -> str:
    if not isinstance(date, int | float):
        return ""
    return datetime.fromtimestamp(date, timezone.utc).isoformat(timespec="seconds")


def _seconds(given: Any) -> float | None:
    try:
        return float(given)
    except (TypeError, ValueError):
        return None
