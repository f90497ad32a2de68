"""An entry of the inspect_evals register, with its evaluation report."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.resources import files
from typing import Any

from ..analysis import Run
from ._submission import HOMEPAGE, SUMMARY, Submission
from ._systems import System
from ._text import to_yaml

NEEDS = ("repository", "commit", "maintainers", "contributors", "models")
FOLDER = "inspect-register"
PATH = f"{FOLDER}/valueflow/eval.yaml"
TASK = "valueflow_steer"
TASK_PATH = "valueflow_tasks/inspect_tasks/_tasks.py"
_TITLE = "ValueFlow: Value Intensity and Steerability"


def unsuitable(submission: Submission) -> str | None:
    """Why this place cannot take it; None: it can."""
    if not any(_of_inspect(one) for one in submission.systems):
        return "the register reports runs of Inspect, and these are of lm-eval: run inspect eval"
    return None


def _of_inspect(system: System) -> list[Run]:
    return [run for run in system.runs if run.harness == "inspect" and run.task == TASK]


def render(submission: Submission) -> dict[str, str]:
    """The entry; the register names it after its folder."""
    facts = submission.facts
    shown = [one for one in submission.systems if _of_inspect(one)]
    draft = "draft: " if submission.draft else ""
    entry: dict[str, Any] = {
        "full_title": f"{draft}{_TITLE}",
        "common_title": f"{draft}ValueFlow",
        "description": SUMMARY,
        "arxiv": HOMEPAGE,
        "contributors": list(facts.contributors) or ["draft"],
        "tags": ["values", "steering"],
        "tasks": [
            {
                "name": TASK,
                "dataset_samples": _samples(_of_inspect(shown[0])[0]),
                "task_path": TASK_PATH,
                "comment": "A sample is a query unsteered, or at one of four levels of one value.",
            }
        ],
        "source": {
            "repository_url": facts.repository or "https://github.com/draft/draft",
            "repository_commit": facts.commit or "0" * 40,
            "maintainers": list(facts.maintainers) or ["draft"],
        },
        "evaluation_report": {
            "results": [_row(submission, one) for one in shown],
            "commit": facts.commit or "0" * 40,
            "version": _of_inspect(shown[0])[0].task_version,
            "command": shown[0].commands()[0],
            "timestamp": max(one.created for one in shown),
            "notes": _notes(submission, shown),
            "protocol": shown[0].headline.protocol,
            "judge": submission.judge_facts(),
            "settings": submission.knobs(),
        },
    }
    return {PATH: to_yaml(entry)}


def _samples(run: Run) -> int:
    return len({(one.query_id, *sorted(one.targets.items())) for one in run.answers})


def _row(submission: Submission, system: System) -> dict[str, Any]:
    by_scope = [one for one in system.scores if one.scope == system.headline.scope]
    metrics: list[dict[str, Any]] = []
    for score in by_scope:
        own = score.to_dict()
        metrics += [
            {"key": score.metric, "value": own["value"]},
            {"key": f"{score.metric}_stderr", "value": own["stderr"]},
            {"key": f"{score.metric}_low", "value": own["low"]},
            {"key": f"{score.metric}_high", "value": own["high"]},
        ]
    known = submission.facts.model(system.model)
    return {
        "model": submission.facts.model_id(system.model),
        **({"provider": known.platform} if known.platform else {}),
        "task": TASK,
        "date": system.created[:10],
        "metrics": metrics,
        "values": list(system.values),
        "protocol": system.headline.protocol,
        "steering": {"method": system.method, "fingerprint": system.fingerprint},
        "versions": system.versions(),
        "command": "\n".join(system.commands()),
        "by_scope": [one.to_dict() for one in system.scores],
        "unranked_intensities": [one.to_dict() for one in system.intensities],
    }


def _notes(submission: Submission, shown: list[System]) -> list[str]:
    return [
        *(f"draft: {reason}" for reason in submission.drafts),
        "steerability is the share of the scale's remaining room that strong steering uses; "
        "tracking is Kendall's tau-b of level asked and intensity measured; both reach from -1 "
        "to 1.",
        "low and high bound 90 % intervals that hold the judge's noise, the spread of queries "
        "and the errors of the rulers' labels.",
        f"{submission.settings.queries} queries, {len(shown[0].values)} values; intensities are "
        "not ranked.",
    ]


def validate(path: str, content: Any) -> Iterator[str]:
    """What the register's definition finds wrong: its schema, and its own code if installed."""
    from jsonschema import Draft202012Validator, FormatChecker

    # The register takes the id from the folder.
    entry = {**content, "id": path.split("/")[-2]} if isinstance(content, dict) else content
    validator = Draft202012Validator(schema(), format_checker=FormatChecker())
    errors = [f"{path}: {one.json_path} {one.message}" for one in validator.iter_errors(entry)]
    yield from errors
    if errors:
        return
    tasks = {one["name"]: one for one in entry["tasks"]}
    yield from (f"{path}: task {name} needs a task_path" for name, one in tasks.items()
                if not one.get("task_path"))  # fmt: skip
    rows = (entry.get("evaluation_report") or {}).get("results", [])
    for task in {row.get("task") for row in rows} - {None, *tasks}:
        yield f"{path}: the report is about {task}, which is no task of the entry"
    try:
        from inspect_evals.metadata import ExternalEvalMetadata
    except ImportError:
        return
    try:
        ExternalEvalMetadata(**entry)
    except ValueError as error:  # pydantic's
        yield f"{path}: the register refuses it: {error}"


def schema() -> Any:
    """The register's schema, as inspect_evals' own model states it."""
    folder = files(__package__) / "schemas" / "inspect_evals"
    return json.loads((folder / "register.schema.json").read_text("utf-8"))
