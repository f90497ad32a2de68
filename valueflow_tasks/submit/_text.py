"""YAML and JSON as they are written, and how two files are compared."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any, TypeGuard

import yaml
from valueflow_scorers import ValueFlowError

TOLERANCE = 2e-4
"""Between numbers that were rounded to four digits on two machines."""
_DECIMAL = re.compile(r"-?\d+\.\d+")
_FRONT = re.compile(r"---\n(.*?)\n---\n(.*)", re.S)


def to_yaml(content: Any) -> str:
    """YAML in the order given."""
    return str(yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=100))


def to_json(content: Any) -> str:
    """JSON, indented; refuses NaN.

    Raises:
        ValueError: for a number that JSON does not have.
    """
    return json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON number")


def parsed(path: str, text: str) -> Any:
    """What a file says, by the ending of its name; Markdown is front matter and text.

    Raises:
        ValueFlowError: if it is no valid file of its kind.
    """
    suffix = PurePosixPath(path).suffix
    try:
        if suffix == ".json":
            return json.loads(text, parse_constant=_no_constant)
        if suffix == ".jsonl":
            # Not `splitlines`: texts may hold separators that JSON leaves as they are.
            rows = [row for row in text.split("\n") if row.strip()]
            return [json.loads(row, parse_constant=_no_constant) for row in rows]
        if suffix in (".yaml", ".yml"):
            return yaml.safe_load(text)
        if suffix == ".md" and (found := _FRONT.fullmatch(text)):
            return {"front matter": yaml.safe_load(found[1]), "text": found[2].splitlines()}
    except (ValueError, yaml.YAMLError) as error:
        told = " ".join(str(error).split())
        raise ValueFlowError(f"{path} cannot be read: {told}") from None
    return text.splitlines()


def differences(found: Any, wanted: Any, where: str = "", *, words: bool = True) -> Iterator[str]:
    """Where two contents differ, numbers beyond TOLERANCE; one line each.

    Args:
        found: One content.
        wanted: The other.
        where: What both are.
        words: Whether sentences have to agree in their words, too, or in their numbers only.
    """
    if isinstance(found, Mapping) and isinstance(wanted, Mapping):
        for key in dict.fromkeys([*wanted, *found]):
            place = f"{where}.{key}" if where else str(key)
            if key not in found:
                yield f"{place} is missing"
            elif key not in wanted:
                yield f"{place} does not belong there"
            else:
                yield from differences(found[key], wanted[key], place, words=words)
    elif isinstance(found, list) and isinstance(wanted, list):
        if not words:
            found, wanted = _without_prose(found), _without_prose(wanted)
        if len(found) != len(wanted):
            yield f"{where} has {len(found)} entries, and should have {len(wanted)}"
        for index, (a, b) in enumerate(zip(found, wanted, strict=False)):
            yield from differences(a, b, f"{where}[{index}]", words=words)
    elif not _same(found, wanted, words):
        yield f"{where} is {_short(found)}, and should be {_short(wanted)}"


def _without_prose(content: list[Any]) -> list[Any]:
    return [one for one in content if not _is_prose(one) or _DECIMAL.search(one)]


def _is_prose(content: Any) -> TypeGuard[str]:
    return isinstance(content, str) and (not content or " " in content)


def _same(found: Any, wanted: Any, words: bool) -> bool:
    if isinstance(found, bool) or isinstance(wanted, bool):
        return found is wanted
    if isinstance(found, int | float) and isinstance(wanted, int | float):
        return math.isclose(found, wanted, abs_tol=TOLERANCE, rel_tol=1e-9)
    if isinstance(found, str) and isinstance(wanted, str):
        prose = not words and _is_prose(found) and _is_prose(wanted)
        # A rounded number inside a text may fall the other way on another machine.
        return found == wanted or (
            (prose or _DECIMAL.sub("#", found) == _DECIMAL.sub("#", wanted))
            and _close(_DECIMAL.findall(found), _DECIMAL.findall(wanted))
        )
    return bool(found == wanted)


def _close(found: list[str], wanted: list[str]) -> bool:
    return len(found) == len(wanted) and all(
        math.isclose(float(a), float(b), abs_tol=TOLERANCE)
        for a, b in zip(found, wanted, strict=True)
    )


def _short(content: Any) -> str:
    told = json.dumps(content, ensure_ascii=False, default=str)
    return told if len(told) <= 80 else f"{told[:77]}…"
