"""The files that go with a submission: runs, judge profile and panels.

From them every number can be computed again, with nothing else at hand.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from types import NoneType
from typing import Any

import jsonlines
import numpy as np
from valueflow_scorers import JudgeProfile, Panel, ValueFlowError, load_panel

from ..analysis import Answered, Run, Runs
from ..analysis._parts import ODD, saved_estimates, targets_of, values_of, words_of
from ..settings import Settings
from ..steering import SteeringSpec
from ._gates import other_version

SAMPLES = "samples"
"""Folder of the runs, one file each: the first line is the run, then its answers."""
PANELS = "panels"
"""Folder of the panels, in the form in which they ship."""
PROFILE = "judge-profile.json"
_TEXT, _MAYBE, _FLAG = (str,), (str, NoneType), (bool,)
_NUMBER = (int, float, NoneType)
_PLAIN: Mapping[str, tuple[type, ...]] = {
    "id": _TEXT, "source": _TEXT, "harness": _TEXT, "task": _TEXT, "model": _TEXT,
    "control": _FLAG, "protocol": _MAYBE, "judge": _MAYBE, "judge_profile": _MAYBE,
    "calibrated": (bool, NoneType), "chat_template": (bool, NoneType), "task_version": _TEXT,
    "limit": _NUMBER, "chosen": _FLAG, "queries_total": (int, NoneType), "complete": _FLAG,
    "created": _TEXT, "seconds": _NUMBER, "command": _MAYBE,
    "model_args": (dict,), "generation": (dict,), "versions": (dict,),
}  # fmt: skip
"""What the first line says as it is, and of which type it is."""


def attachments(runs: Runs) -> dict[str, str]:
    """The attached files, by path, from what `attachable` gave."""
    (profile,) = runs.profiles.values()
    samples = {
        f"{SAMPLES}/{run.id}.jsonl": _json_lines(_lines(run), ascii=False) for run in runs.runs
    }
    panels = {
        f"{PANELS}/{panel.value.replace('/', '-')}.jsonl": _json_lines(_texts(panel), ascii=True)
        for panel in runs.panels.values()
    }
    return {**samples, **panels, PROFILE: json.dumps(profile.to_dict(), ensure_ascii=False) + "\n"}


def _json_lines(rows: Iterator[Mapping[str, Any]], ascii: bool) -> str:
    return "".join(json.dumps(row, ensure_ascii=ascii) + "\n" for row in rows)


def _lines(run: Run) -> Iterator[dict[str, Any]]:
    yield {
        **{name: getattr(run, name) for name in _PLAIN},
        "settings": None if run.settings is None else run.settings.to_dict(),
        "spec": None if run.spec is None else run.spec.to_dict(),
    }
    for one in run.answers:
        yield {
            key: value
            for key, value in asdict(one).items()
            if value is not None and value is not False
        }


def _texts(panel: Panel) -> Iterator[dict[str, Any]]:
    """A panel as `load_panel` reads it."""
    yield {name: getattr(panel, name) for name in ("value", "definition", "licence", "source")}
    draws = None if panel.draws is None else np.asarray(panel.draws)
    for place, text in enumerate(panel.texts):
        role = "anchor" if place < len(panel.anchors) else "sentinel"
        more = {} if draws is None else {"draws": draws[:, place].tolist()}
        yield {**asdict(text), "role": role, **more}


def read_samples(folder: Path) -> Runs:
    """The runs that go with a submission, with their judge profile and panels.

    Raises:
        ValueFlowError: if a file is missing or damaged, or another version of the tasks made it.
    """
    paths = sorted((folder / SAMPLES).glob("*.jsonl"))
    if not paths:
        raise ValueFlowError(f"{folder / SAMPLES} holds no samples: nothing can be checked")
    # First: what another version wrote may look damaged to this one.
    runs = tuple(_read(path) for path in paths)
    profile = JudgeProfile.load(folder / PROFILE)
    panels = [load_panel(path) for path in sorted((folder / PANELS).glob("*.jsonl"))]
    return Runs(
        runs,
        (),
        {profile.fingerprint: profile},
        {panel.fingerprint: panel for panel in panels},
    )


def _read(path: Path) -> Run:
    try:
        with jsonlines.open(path) as lines:
            head, *rows = lines
        other = other_version(head["source"], head["task_version"])
        if other is None:
            return _run(head, rows)
    except (OSError, jsonlines.Error, *ODD) as error:
        raise ValueFlowError(f"the samples in {path} are damaged: {error}") from None
    raise ValueFlowError(other)


def _run(head: Any, rows: list[Any]) -> Run:
    for name, kinds in _PLAIN.items():
        if not isinstance(head[name], kinds):
            raise TypeError(f"{name} is {head[name]!r}")
    return Run(
        **{name: head[name] for name in _PLAIN},
        settings=Settings.parse(head["settings"]),
        spec=None if head["spec"] is None else SteeringSpec.from_dict(head["spec"]),
        answers=tuple(_answer(row) for row in rows),
    )


def _answer(row: Any) -> Answered:
    loss = row.get("loss")
    return Answered(
        query_id=_text(row["query_id"]),
        query=_text(row["query"]),
        kind=_text(row["kind"]),
        targets=targets_of({"targets": row["targets"]}),
        text=words_of(row.get("text")),
        measure=values_of(row["measure"]),
        estimates=saved_estimates(row["estimates"]),
        refused=bool(row.get("refused")),
        missing=words_of(row.get("missing")),
        loss=None if loss is None else float(loss),
        steering=words_of(row.get("steering")),
        filtered=bool(row.get("filtered")),
        repeat=int(row.get("repeat", 0)),
    )


def _text(given: Any) -> str:
    if not isinstance(given, str):
        raise TypeError(f"{given!r} is no text")
    return given
