"""The parts of an Inspect log, as they lie in its file and its header."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from valueflow_scorers import ValueFlowError
from valueflow_scorers.metrics import Metric

from ..settings import Settings
from ._parts import read_metrics
from ._run import Problem

if TYPE_CHECKING:
    from inspect_ai.log import EvalLog, EvalScore, EvalSpec


def read_samples(path: Path, problems: list[Problem]) -> Iterator[dict[str, Any]]:
    """Samples as they are in the file; building the harness's own objects takes ten times longer.

    Importing the harness's log module has taught `zipfile` to read its compression. Its JSON
    reader comes with it, and is four times as fast as Python's.
    """
    from pydantic_core import from_json

    if path.suffix == ".json":
        yield from from_json(path.read_bytes()).get("samples") or []
        return
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            if name.startswith("samples/") and name.endswith(".json"):
                try:
                    yield from_json(archive.read(name))
                except (ValueError, zipfile.BadZipFile, OSError, RuntimeError) as error:
                    problems.append(
                        Problem(f"{path}, {name}", f"is damaged and was left out ({error})")
                    )


def our_scores(sample: Mapping[str, Any]) -> list[str]:
    """Names of a sample's scores that are ours."""
    scores = sample.get("scores") or {}
    return [name for name, score in scores.items() if "measured" in (score.get("metadata") or ())]


def message_text(content: Any) -> str:
    """A message's words; its content is a string or a list of parts."""
    if isinstance(content, str):
        return content
    return "\n".join(str(part.get("text", "")) for part in content if part.get("type") == "text")


def reported_metrics(score: EvalScore) -> dict[str, Metric]:
    """What the harness computed from a score."""
    numbers = {name: one.value for name, one in score.metrics.items()}
    plain = [name for name in numbers if name != "stderr" and not name.endswith("_stderr")]
    errors = {name: numbers.get(f"{name}_stderr") for name in plain}
    if plain:  # the headline comes first, and its error under a name of its own
        errors[plain[0]] = numbers.get("stderr")
    return read_metrics({name: numbers[name] for name in plain}, errors)


def chat_template(evaluated: EvalSpec) -> bool:
    """Whether a chat template was applied, as the header says; old headers say what was asked."""
    own = (evaluated.metadata or {}).get("valueflow") or {}
    asked = evaluated.model_args.get("chat_template") is not False
    return bool(own.get("chat_template", asked))


def query_of(sample_id: object) -> str:
    """The query in a sample's id."""
    return str(sample_id).partition(":")[0]


def query_count(settings: Settings | None) -> int | None:
    """How many queries the settings name; None: not known here."""
    try:
        return None if settings is None else len(settings.query_set())
    except ValueFlowError:  # a file of queries that is not here
        return None


def seconds(header: EvalLog) -> float | None:
    """How long a run took; None: the log does not say."""
    try:
        began = datetime.fromisoformat(str(header.stats.started_at))
        return (datetime.fromisoformat(str(header.stats.completed_at)) - began).total_seconds()
    except ValueError:
        return None
