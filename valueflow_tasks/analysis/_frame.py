"""The tidy table: one row per run, answer and value that it was measured on."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from valueflow_scorers import ValueFlowError
from valueflow_scorers._measure import arm_id
from valueflow_scorers._records import fingerprint

from ..prompts import METHODS
from ..side_effects import distinct_n, words
from ..steer_request import prompt_spec
from ._columns import COLUMNS
from ._protocols import asking, settings_of, value_protocol
from ._run import Answered, Run

if TYPE_CHECKING:
    import pandas as pd

REFUSAL = "refusal"
"""Reason of a refused answer."""


def tidy(runs: Sequence[Run]) -> tuple[pd.DataFrame, list[Mapping[str, Any] | None]]:
    """The table, and the saved estimate behind each of its rows."""
    import pandas as pd

    columns: dict[str, list[Any]] = {name: [] for name in COLUMNS}
    saved: list[Mapping[str, Any] | None] = []
    settings = settings_of(runs)
    for run in runs:
        for row, estimate in _rows(run, settings[run.id]):
            for name, column in columns.items():
                column.append(row[name])
            saved.append(estimate)
    frame = pd.DataFrame(columns)
    for name in ("level", "asked", "intensity", "stderr", "low", "high", "words", "distinct_2",
                 "no_op", "loss"):  # fmt: skip
        frame[name] = frame[name].astype(float)
    return frame, saved


def _rows(run: Run, setting: str) -> Iterator[tuple[dict[str, Any], Mapping[str, Any] | None]]:
    whole = {} if run.spec is None else {t.value: t.level for t in run.spec.targets if t.level}
    plain = {
        (one.query_id, one.repeat): one.text.strip()
        for one in run.answers
        if not one.targets and one.text is not None
    }
    asked = asking(run)
    shared = {
        "run": run.id,
        "harness": run.harness,
        "task": run.task,
        "model": run.model,
        "protocol": run.protocol,
        "setting": setting,
        "judge": run.judge,
        "calibrated": run.calibrated,
    }
    for one in run.answers:
        targets = {**whole, **one.targets}
        own = {**shared, **_asked(run, one, targets), **_told(one, plain)}
        for value in one.measure:
            estimate = one.estimates.get(value)
            yield (
                {**own, **_measured(run, one, value, targets, estimate, asked)},
                estimate,
            )


def _asked(run: Run, one: Answered, targets: Mapping[str, float]) -> dict[str, Any]:
    steering, method = _steering(run, one)
    single = next(iter(targets.items())) if len(targets) == 1 else None
    level = math.nan if steering or targets else 0.0
    return {
        "arm": arm(targets, steering),
        "target": single[0] if single else "",
        "targets": dict(targets),
        "level": single[1] if single else level,
        "method": method,
        "steering": steering,
        "query_id": one.query_id,
        "repeat": one.repeat,
        "query": one.query,
        "kind": one.kind,
    }


def arm(targets: Mapping[str, float], steering: str = "") -> str:
    """What an answer was steered toward, as one word; `?` and a fingerprint where none says."""
    return f"?{steering[:8]}" if steering and not targets else arm_id(targets)


def _steering(run: Run, one: Answered) -> tuple[str, str]:
    """Fingerprint of what steered an answer, and the method."""
    if run.spec is not None and not run.spec.is_unsteered:
        whole = "vector" if run.spec.acting_vectors else _prompt_method(run)
        if not one.targets:
            return run.steering, whole
        return fingerprint([run.steering, _own_steering(run, one)]), f"{whole}+{run.method}"
    return (_own_steering(run, one), run.method) if one.targets else ("", "")


def _prompt_method(run: Run) -> str:
    return str(run.model_args.get("method") or "definition")


def _own_steering(run: Run, one: Answered) -> str:
    if one.steering is not None:
        return one.steering
    if run.method in METHODS:
        return _prompt_steering(tuple(one.targets.items()), run.method)
    return fingerprint([run.method, sorted(one.targets.items())])


@cache
def _prompt_steering(targets: tuple[tuple[str, float], ...], method: str) -> str:
    try:
        return prompt_spec(dict(targets), method).fingerprint
    except ValueFlowError:  # a value of one's own that is not here
        return fingerprint([method, targets])


def _told(one: Answered, plain: Mapping[tuple[str, int], str]) -> dict[str, Any]:
    text = one.text
    if text is None:
        return {"response": None, "words": math.nan, "distinct_2": math.nan, "no_op": math.nan,
                "loss": math.nan}  # fmt: skip
    place = (one.query_id, one.repeat)
    known = one.targets and place in plain
    return {
        "response": text,
        "words": float(words(text)),
        "distinct_2": distinct_n(text),
        "no_op": float(text.strip() == plain[place]) if known else math.nan,
        "loss": math.nan if one.loss is None else one.loss,
    }


def _measured(
    run: Run,
    one: Answered,
    value: str,
    targets: Mapping[str, float],
    estimate: Mapping[str, Any] | None,
    asked: list[Any] | None,
) -> dict[str, Any]:
    found = estimate or {}
    unsteered = not targets and not run.steering
    reason = REFUSAL if one.refused else found.get("reason") or one.missing or ""
    if estimate is None and not reason:
        reason = "not measured"
    panel, profile = found.get("panel"), found.get("profile")
    return {
        "value": value,
        "on_target": unsteered or value in targets,
        "asked": 0.0 if unsteered else targets.get(value, math.nan),
        "intensity": found.get("intensity", math.nan),
        "stderr": found.get("stderr", math.nan),
        "low": found.get("low", math.nan),
        "high": found.get("high", math.nan),
        "refused": one.refused,
        "reason": reason,
        "failures": found.get("failures") or {},
        "windows": found.get("windows") or [],
        "value_protocol": value_protocol(run, value, panel, profile, asked),
        "profile": profile or run.judge_profile,
        "panel": panel,
    }
