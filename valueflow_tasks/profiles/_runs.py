"""Answers of models, measured already, read as anybody's texts: logs of both harnesses."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from valueflow_scorers import ValueFlowError

from ..analysis import load_runs
from ..analysis._scored import is_score_file
from ..hives import HivesEncoder
from ..settings import measurable_values
from ..vidb._values import known_own_values
from ._readings import ABOUT_NONE, Read, Reading, built_from, encoder_name, weigh
from ._texts import Written

_SAMPLES = "samples_"


def is_run(path: Path) -> bool:
    """Whether a path is a log, a folder of logs, or an output of `valueflow score`."""
    if path.is_dir() or path.suffix in (".eval", ".json"):
        return True
    return path.suffix == ".jsonl" and (_is_samples(path) or is_score_file(path))


def _is_samples(path: Path) -> bool:
    return path.name.startswith(_SAMPLES) and _results(path).is_file()


def _results(samples: Path) -> Path:
    """The results file beside lm-eval's samples: the date is what follows the last underscore."""
    date = samples.stem.rpartition("_")[2]
    return samples.with_name(f"results_{date}.json")


def read_runs(
    paths: Sequence[Path],
    group_by: str | None,
    values: Sequence[str] | None,
    encoder: HivesEncoder | str = "hives-mini",
) -> tuple[Read, list[str]]:
    """Measured answers, as far as each is about the values that it was measured on.

    Args:
        paths: Logs, folders, outputs of `valueflow score`, or samples files of lm-eval.
        group_by: A column of `Runs.frame`, such as `model` or `task`; anything else (which is
            noted) and None: by model, each way of steering apart.
        values: The values that may enter; None: all that answers were measured on.
        encoder: Decides what an answer is about; outputs of `score` say so themselves.

    Returns:
        What was read, and what could not be.

    Raises:
        ValueFlowError: if there is no run, or none of its answers was judged.
    """
    runs = load_runs([_results(one) if _is_samples(one) else one for one in paths])
    frame = runs.frame
    wanted = (*measurable_values(), *known_own_values()) if values is None else values
    rows = frame[frame.value.isin(list(wanted)) & frame.intensity.notna()].reset_index()
    if rows.empty:
        raise ValueFlowError(
            f"no judged answer on these values in {', '.join(map(str, paths))}: judge the answers "
            "first, or give their words as JSON lines with 'text'"
        )
    column = group_by if group_by in rows.columns else None
    found = list(rows.to_dict("records"))
    groups = _group_names(found)
    answers: dict[_Key, Written] = {}
    measured_on: dict[_Key, dict[str, int]] = defaultdict(dict)
    for row in found:
        key = _key(row)
        group = str(row[column]) if column else groups[_way(row)]
        # A table has NaN where a log does not say.
        text, query = (
            one if isinstance(one, str) else "" for one in (row["response"], row["query"])
        )
        # The lines of `valueflow score` name their value; so does an answer whose words are lost.
        scored = row["harness"] == "score"
        named = scored or not text
        seen = answers.get(key)
        own = (*(seen.values if seen else ()), str(row["value"])) if named else ()
        # What was scored from a file may answer no question; what a harness put is one.
        answers[key] = Written(text, group, query, "", own, bool(text and (query or scored)))
        measured_on[key][str(row["value"])] = int(row["index"])
    about = dict(zip(answers, weigh(list(answers.values()), wanted, encoder), strict=True))
    pairs = [
        (key, value, row)
        for key, own in measured_on.items()
        for value, row in own.items()
        if value in about[key]
    ]
    estimates = runs.estimates([row for _, _, row in pairs])
    readings = [
        Reading(
            answers[key].group,
            value,
            about[key][value].weight,
            estimate,
            about[key][value].distance,
        )
        for (key, value, _), estimate in zip(pairs, estimates, strict=True)
    ]
    used = {key for key, _, _ in pairs}
    problems = [str(one) for one in (*runs.problems, *runs.inexact.values())]
    if group_by is not None and column is None:
        problems.append(f"judged answers have no {group_by!r}: they are grouped by model")
    return _gathered(answers, used, readings, _judges(found, answers), encoder), problems


_Row = Mapping[Any, Any]
_Key = tuple[str, ...]
"""Run, query, arm, steering and repeat of an answer."""
_PARTS = ("run", "query_id", "arm", "steering", "repeat")


def _key(row: _Row) -> _Key:
    return tuple(str(row[part]) for part in _PARTS)


def _way(row: _Row) -> tuple[str, str, str]:
    """A model and what steered it."""
    return str(row["model"]), str(row["arm"]), str(row["steering"])


def _group_names(rows: Sequence[_Row]) -> dict[tuple[str, str, str], str]:
    """Model and arm; also the method, and what steered, where several share an arm."""
    ways: dict[tuple[str, str], dict[str, str]] = defaultdict(dict)
    for row in rows:
        model, arm, steering = _way(row)
        ways[model, arm][steering] = str(row["method"])
    found = {}
    for (model, arm), own in ways.items():
        methods = Counter(own.values())
        for steering, method in own.items():
            told = [model, arm if arm != "0" else "", method if len(own) > 1 else ""]
            told.append(steering[:8] if methods[method] > 1 else "")
            found[model, arm, steering] = " ".join(filter(None, told))
    return found


def _judges(rows: Sequence[_Row], answers: Mapping[_Key, Written]) -> dict[str, tuple[str, str]]:
    """Judge and judge profile by group.

    Raises:
        ValueFlowError: if a group was measured by several.
    """
    found: dict[str, tuple[str, str]] = {}
    for row in rows:
        group = answers[_key(row)].group
        own = (str(row["judge"]), str(row["profile"]))
        if found.setdefault(group, own) != own:
            raise ValueFlowError(
                f"{group!r} was measured by {found[group][0]} and by {own[0]}, or with two "
                "profiles of one judge: read one of them, or --group-by judge"
            )
    return found


def _gathered(
    answers: Mapping[_Key, Written],
    used: set[_Key],
    readings: Sequence[Reading],
    judges: Mapping[str, tuple[str, str]],
    encoder: HivesEncoder | str,
) -> Read:
    by_group: dict[str, list[Written]] = defaultdict(list)
    unused: dict[str, Counter[str]] = defaultdict(Counter)
    for key, one in answers.items():
        by_group[one.group].append(one)
        if key not in used:
            unused[one.group][ABOUT_NONE] += 1
    return Read(
        tuple(readings),
        {
            group: built_from(
                own,
                *judges[group],
                None if all(one.values for one in own) else encoder_name(encoder),
            )
            for group, own in by_group.items()
        },
        {group: len(own) for group, own in by_group.items()},
        {group: dict(unused[group]) for group in by_group},
    )
