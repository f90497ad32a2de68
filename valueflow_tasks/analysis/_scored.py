"""Runs out of what `valueflow score` wrote."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from valueflow_scorers import Response
from valueflow_scorers._records import fingerprint
from valueflow_scorers._refusal import REFUSED

from ..answers import read_answers
from ..score import described_file
from ._names import is_control
from ._parts import ODD, json_lines, read_settings, saved_estimates
from ._run import Answered, Problem, Run


def is_score_file(path: Path) -> bool:
    """Whether a JSON Lines file is an output of `valueflow score`."""
    try:
        with path.open(encoding="utf-8") as handle:
            return handle.readline().startswith('{"response_id": ')
    except (OSError, UnicodeDecodeError):
        return False


def read_scores(path: Path) -> tuple[list[Run], list[Problem]]:
    """The run of one file of estimates; the settings stand in the file beside it."""
    problems: list[Problem] = []
    said = _described(path, problems)
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        return [], [Problem(str(path), f"cannot be read ({error}); left out")]
    texts = _texts(said, problems)
    answers, profiles = [], set()
    for number, row in json_lines(text):
        where = f"{path}, line {number}"
        try:
            if isinstance(row, json.JSONDecodeError):
                raise ValueError(row.msg)
            answers.append(_answer(row, texts))
            profiles.add(row["profile"])
        except ODD as error:
            problems.append(Problem(where, f"is damaged and was left out ({error})"))
    settings = read_settings(said.get("settings"), str(path), problems)
    model = str(said.get("model") or path.stem)
    return [
        Run(
            id=fingerprint([said, text])[:12],
            source=str(path),
            harness="score",
            task="valueflow_score",
            model=model,
            model_args={},
            control=is_control(model),
            settings=settings,
            protocol=None,
            judge=None if settings is None else settings.judge,
            judge_profile=profiles.pop() if len(profiles) == 1 else None,
            calibrated=said.get("calibrated"),
            generation={},
            chat_template=None,
            answers=tuple(answers),
            versions={"valueflow-tasks": said["version"]} if "version" in said else {},
            complete=not problems,
            problems=tuple(problems),
        )
    ], []


def _described(path: Path, problems: list[Problem]) -> dict[str, Any]:
    beside = described_file(path)
    try:
        return dict(json.loads(beside.read_text("utf-8")))
    except (OSError, ValueError, TypeError) as error:
        told = f"cannot be read ({error}), so judge and settings are not known"
        problems.append(Problem(str(beside), told))
        return {}


def _texts(said: dict[str, Any], problems: list[Problem]) -> dict[str, Response]:
    """The answers that were measured, by id; the estimates do not repeat them."""
    source = said.get("source")
    if not source:
        return {}
    try:
        values = (said.get("settings") or {}).get("values") or [None]
        # A file whose lines name no value was measured with --value, on that one.
        lines = read_answers(Path(source), values[0] if len(values) == 1 else None)
        return {line.response.key: line.response for line in lines}
    except (OSError, *ODD) as error:
        problems.append(Problem(str(source), f"the answers cannot be shown ({error})"))
        return {}


def _answer(row: Any, texts: dict[str, Response]) -> Answered:
    refused = row.get("reason") == REFUSED
    estimates = {} if refused else saved_estimates({row["value"]: row})
    response = texts.get(row["response_id"])
    return Answered(
        query_id=str(row["response_id"]),
        query="" if response is None else response.query or "",
        kind="",
        targets={},
        text=None if response is None else response.text,
        measure=(row["value"],),
        estimates=estimates,
        refused=refused,
    )
