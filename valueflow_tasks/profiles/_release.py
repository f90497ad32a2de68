"""Profiles in the form of the released VALUEFLOW code."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from valueflow_scorers import ValueFlowError

from ..theories import THEORIES, evaluated_values, find_node
from ._prompt import BANDS, band, level_of
from ._record import ValueProfile, ValueScore

_THEIR_NAME = {"svt": "pvq", "mft": "mft", "duties": "duty", "rights": "rights"}


def parse_release(content: Mapping[str, Any], source: str) -> ValueProfile:
    """A profile of the release.

    It says nothing of what it was built from (the released ones were built from the gold answers
    of the questions they are scored on), so tasks that score questions refuse it.

    Args:
        content: Its JSON.
        source: Named in errors.

    Raises:
        ValueFlowError: for an entry without a value that we know, or without a number, and where
            the file has another form.
    """
    scores: dict[str, ValueScore] = {}
    for theory, bands in _mapping(content["theories"], "'theories'", source).items():
        for name, entries in _mapping(bands, str(theory), source).items():
            if not isinstance(entries, list):
                raise ValueFlowError(f"{source}: band {name!r} of {theory} is no list: {entries!r}")
            for entry in entries:
                value = _value(str(theory), entry, source)
                if value in scores:
                    raise ValueFlowError(f"{source}: {value} stands there twice")
                scores[value] = ValueScore(_number(entry, value, source))
    ordered = {value: scores[value] for value in evaluated_values() if value in scores}
    attribute = str(content["attribute"])
    used, total = (_count(content.get(name), name, source) for name in ("n_used", "n_total"))
    return ValueProfile(
        attribute,
        ordered,
        None,
        attribute,
        total,
        {"not used by its maker": total - used} if total > used else {},
    )


def _mapping(given: Any, what: str, source: str) -> Mapping[str, Any]:
    if not isinstance(given, Mapping):
        raise ValueFlowError(f"{source}: {what} is no object but {given!r}")
    return given


def _count(given: Any, what: str, source: str) -> int:
    try:
        return int(given or 0)
    except (TypeError, ValueError):
        raise ValueFlowError(f"{source}: {what} is no number of texts but {given!r}") from None


def _value(theory: str, entry: Any, source: str) -> str:
    names = (entry.get("value_key"), entry.get("column")) if isinstance(entry, Mapping) else ()
    for name in map(str, filter(None, names)):
        for spelled in (name, name.replace("_", " "), name.replace("_", "-")):
            with suppress(ValueFlowError):
                node = find_node(f"{theory}/{spelled}")
                if node.evaluated:
                    return node.id
    raise ValueFlowError(
        f"{source}: an entry of {theory} names no value that we know in value_key or column: "
        f"{entry!r}"
    )


def _number(entry: Mapping[str, Any], value: str, source: str) -> float:
    score = entry.get("score")
    number = isinstance(score, int | float) and not isinstance(score, bool)
    if not number or not math.isfinite(score) or abs(score) > 10:  # type: ignore[arg-type]
        raise ValueFlowError(f"{source}: score {score!r} of {value}; give a number from -10 to 10")
    return float(score)  # type: ignore[arg-type]


def release_content(profile: ValueProfile) -> dict[str, Any]:
    """A profile as the released code reads it; in each band by score, strongest first.

    Values of one's own are left out: the released code knows the four theories alone.
    """
    theories: dict[str, dict[str, list[dict[str, Any]]]] = {
        _THEIR_NAME[theory]: {name: [] for name in BANDS} for theory in THEORIES
    }
    strongest_first = sorted(profile.scores.items(), key=lambda item: -item[1].intensity)
    for value, score in strongest_first:
        node = find_node(value)
        if node.theory not in _THEIR_NAME:
            continue
        theories[_THEIR_NAME[node.theory]][band(score.intensity)].append(
            {
                "score": round(score.intensity, 4),
                "definition_raw": node.definition,
                "definition_prompt": node.steering.get(level_of(score.intensity), ""),
                "column": node.slug.replace("-", "_"),
                "value_key": node.slug,
            }
        )
    return {
        "attribute": profile.attribute or profile.name,
        "n_total": profile.texts,
        "n_used": profile.texts - sum(profile.unused.values()),
        "bin_thresholds": {name: low for name, low in BANDS.items() if math.isfinite(low)},
        "theories": theories,
    }


def write_release(profile: ValueProfile, path: str | Path) -> Path:
    """Write a profile in the form of the released code."""
    target = Path(path)
    text = json.dumps(release_content(profile), indent=1, ensure_ascii=False)
    target.write_text(text + "\n", "utf-8")
    return target
