"""What the readers of all kinds of log share."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any, TypeGuard

from valueflow_scorers import ValueFlowError
from valueflow_scorers.metrics import Metric

from ..settings import Settings
from ..steering import SteeringSpec
from ._run import Answered, Problem

ODD = (LookupError, TypeError, ValueError, AttributeError, OverflowError)
"""What reading something of another form than expected raises."""
NOT_JUDGED = "not judged"
"""Reason of an answer that was generated and never measured."""


def read_settings(content: Any, source: str, problems: list[Problem]) -> Settings | None:
    """A run's settings; None, and a problem, where they cannot be read."""
    if not isinstance(content, Mapping):
        return None
    known = {key: value for key, value in content.items() if key in Settings.names()}
    try:
        return Settings.parse(known)
    except ValueFlowError as error:
        problems.append(Problem(source, f"its settings cannot be used here: {error}"))
        return None


def read_spec(content: Any, source: str, problems: list[Problem]) -> SteeringSpec | None:
    """A spec; None, and a problem, where it cannot be read."""
    if not isinstance(content, Mapping):
        return None
    try:
        return SteeringSpec.from_dict(content)
    except ValueFlowError as error:
        problems.append(Problem(source, f"its steering spec cannot be used here: {error}"))
        return None


def read_metrics(numbers: Mapping[str, Any], errors: Mapping[str, Any]) -> dict[str, Metric]:
    """What a harness reported; what is no finite number is left out."""
    found = {}
    for name, number in numbers.items():
        if _finite(number):
            error = errors.get(name)
            found[name] = Metric(float(number), float(error) if _finite(error) else None, 0)
    return found


def _finite(number: Any) -> TypeGuard[float]:
    plain = isinstance(number, int | float) and not isinstance(number, bool)
    return plain and math.isfinite(number)


def measured_answer(
    record: Mapping[str, Any],
    *,
    query: str,
    kind: str,
    text: Any,
    measure: Any,
    loss: Any,
    steering: str | None,
    repeat: int = 0,
) -> Answered:
    """An answer out of what `Measured.to_dict` wrote.

    Raises:
        LookupError, TypeError, ValueError, AttributeError: if it is none.
    """
    estimates = saved_estimates(record["estimates"])
    return Answered(
        query_id=str(record["query_id"]),
        query=query,
        kind=kind,
        targets=targets_of(record),
        text=words_of(text),
        measure=values_of(measure) or tuple(estimates),
        estimates=estimates,
        refused=bool(record["refused"]),
        loss=float(loss) if _finite(loss) else None,
        steering=steering,
        repeat=repeat,
    )


_NUMBERS = ("intensity", "stderr", "low", "high")


def saved_estimates(given: Any) -> dict[str, Mapping[str, Any]]:
    """What `IntensityEstimate.to_dict` wrote, by value.

    Raises:
        TypeError, ValueError: if it did not.
    """
    if not isinstance(given, Mapping):
        raise TypeError("estimates that are no mapping")
    for one in given.values():
        windows = one.get("windows") if isinstance(one, Mapping) else None
        if not isinstance(windows, list) or "profile" not in one:
            raise ValueError("an estimate without windows")
        if not all(isinstance(own, Mapping) and "items" in own for own in windows):
            raise ValueError("a window without items")
        if wrong := [name for name in _NUMBERS if name in one and not _finite(one[name])]:
            raise ValueError(f"{wrong[0]} is {one[wrong[0]]!r}, and should be a number")
        failures = one.get("failures", {})
        if not isinstance(failures, Mapping) or not all(map(_finite, failures.values())):
            raise ValueError("failures that are no counts")
        sentences = one.get("sentences", {})
        if not isinstance(sentences, Mapping) or not all(
            _finite(words) and words > 0 for words in sentences.values()
        ):
            raise ValueError("sentences without counts of words")
    return {str(value): one for value, one in given.items()}


def values_of(given: Any) -> tuple[str, ...]:
    """Names of values.

    Raises:
        TypeError: for anything but a list of them.
    """
    if not isinstance(given, list | tuple) or not all(isinstance(one, str) for one in given):
        raise TypeError(f"{given!r} is no list of values")
    return tuple(given)


def words_of(given: Any) -> str | None:
    """A text; halves of characters, which no file can hold, are replaced.

    Raises:
        TypeError: for anything but a text or None.
    """
    if given is None:
        return None
    if not isinstance(given, str):
        raise TypeError(f"{given!r} is no text")
    return given.encode("utf-8", "surrogatepass").decode("utf-8", "replace")


def targets_of(record: Mapping[str, Any]) -> dict[str, float]:
    """What a saved answer was steered toward by its task."""
    if composed := record.get("targets"):
        targets = {str(value): float(level) for value, level in composed.items()}
    else:
        target, level = record.get("target"), float(record.get("level") or 0.0)
        targets = {str(target): level} if target and level else {}
    if not all(map(math.isfinite, targets.values())):
        raise ValueError(f"levels {targets} that are no numbers")
    return targets


def json_lines(text: str) -> list[tuple[int, Any]]:
    """Line numbers and contents; a line that is no JSON has its error in place of content."""
    found: list[tuple[int, Any]] = []
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            try:
                found.append((number, json.loads(line)))
            except json.JSONDecodeError as error:
                found.append((number, error))
    return found
