"""Answers that lm-eval generated with --predict_only, judged later: a results folder again."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from valueflow_scorers import ValueFlowError
from valueflow_scorers._measure import Answer, arm_id
from valueflow_scorers._records import fingerprint

from ..analysis import Answered, Run
from ..analysis._parts import NOT_JUDGED, ODD, json_lines, targets_of
from ..settings import RESULTS_VERSION, Settings
from ._meter import METER

_BATCH = 256


def unjudged(run: Run) -> bool:
    """Whether a run holds answers of lm-eval that nobody has judged."""
    return run.harness == "lm-eval" and any(one.missing == NOT_JUDGED for one in run.answers)


def judge_results(run: Run, knobs: Mapping[str, Any], folder: Path) -> tuple[Path, str]:
    """Write a copy of a run's results with every answer measured.

    Args:
        run: Answers only, out of lm-eval.
        knobs: Of the instrument, with a `judge`.
        folder: Where the copy goes, in a folder of its own.

    Returns:
        The results file, and `written`, or `there` if it was made from the same answers by the
        same instrument.

    Raises:
        ValueFlowError: if the log does not say how it was made.
        BudgetSpentError: if the budget ran out.
    """
    settings, target = _settings(run, knobs), _target(run, folder)
    identity = _identity(run, settings)
    if _judged(target, run) == identity:
        return target, "there"
    results = json.loads(Path(run.source).read_text("utf-8"))
    profile = settings.instrument().judge_profile
    values = _values(run)
    _said(results, run).update(
        {
            "settings": settings.to_dict(),
            "protocol": _protocol(run, settings),
            "profile": profile.fingerprint,
            "calibrated": profile.calibrated,
            **settings.link_state(values),
            "judged": identity,
        }
    )
    results["configs"] = {run.task: results["configs"][run.task]}
    results["versions"] = {run.task: float(RESULTS_VERSION)}  # of those who judge
    results["results"] = {run.task: {}}  # totals follow from the samples
    samples = f"samples_{run.task}_{target.stem.removeprefix('results_')}.jsonl"
    arms = [arm_id(targets_of(arm)) for arm in _said(results, run)["arms"]]
    text = Path(run.source).with_name(samples).read_text("utf-8")
    lines = list(_filled(text, arms, _records(run, settings)))
    target.parent.mkdir(parents=True, exist_ok=True)
    target.with_name(samples).write_text("".join(f"{line}\n" for line in lines), "utf-8")
    partial = target.with_suffix(".partial")
    partial.write_text(json.dumps(results, ensure_ascii=False), "utf-8")
    os.replace(partial, target)  # last: with it the copy is whole
    return target, "written"


def is_judged(run: Run, knobs: Mapping[str, Any], folder: Path) -> bool:
    """Whether `judge_results` has nothing left to do."""
    there = _judged(_target(run, folder), run)
    return there is not None and there == _identity(run, _settings(run, knobs))


def _settings(run: Run, knobs: Mapping[str, Any]) -> Settings:
    if run.settings is None:
        raise ValueFlowError(f"{run.source} does not say its settings: it cannot be judged")
    return Settings.parse({**run.settings.to_dict(), **knobs})


def _target(run: Run, folder: Path) -> Path:
    return folder / f"{run.task}-{run.id}" / Path(run.source).name


def _values(run: Run) -> tuple[str, ...]:
    return tuple(dict.fromkeys(value for one in run.answers for value in one.measure))


def _protocol(run: Run, settings: Settings) -> str:
    put = {one.query_id for one in run.answers}
    return settings.protocol(
        _values(run),
        [query for query in settings.query_set() if query.id in put],
        chat_template=bool(run.chat_template),
        generation=run.generation,
    )


def _identity(run: Run, settings: Settings) -> str:
    return fingerprint([run.id, settings.to_dict(), _protocol(run, settings)])


def _judged(target: Path, run: Run) -> str | None:
    """Identity of what was judged into a file; None: there is none that can be read."""
    try:
        found: str | None = _said(json.loads(target.read_text("utf-8")), run).get("judged")
    except (OSError, *ODD):
        return None
    return found


def _said(results: Mapping[str, Any], run: Run) -> dict[str, Any]:
    said: dict[str, Any] = results["configs"][run.task]["metadata"]["valueflow"]
    return said


def _filled(
    text: str, arms: Sequence[str], records: Mapping[tuple[str, str], str]
) -> Iterator[str]:
    """The lines of a samples file with records; a line without one for every arm is left out.

    The run's own problems name it.
    """
    for _, row in json_lines(text):
        try:
            query = str(row["doc"]["query_id"])
            row["filtered_resps"] = [records[query, arm] for arm in arms]
        except ODD:
            continue
        yield json.dumps(row, ensure_ascii=False)


def _records(run: Run, settings: Settings) -> dict[tuple[str, str], str]:
    """What the filter would have written, by query and arm."""
    found = {}
    for start in range(0, len(run.answers), _BATCH):
        METER.check()
        part = run.answers[start : start + _BATCH]
        answers = [_answer(one) for one in part]
        measured = settings.instrument().measure(answers)
        for one, answer, own in zip(part, answers, measured, strict=True):
            record = {**own.to_dict(), "measure": list(answer.values), "answer": answer.text}
            record["losses"] = [None, None]
            found[one.query_id, arm_id(one.targets)] = json.dumps(record, ensure_ascii=False)
    return found


def _answer(one: Answered) -> Answer:
    several = len(one.targets) > 1
    target, level = next(iter(one.targets.items()), (None, 0.0)) if not several else (None, 0.0)
    return Answer(
        one.query_id,
        one.query,
        one.text or "",
        tuple(one.measure),
        target,
        level,
        targets=one.targets if several else {},
    )
