"""Paths in a study file, which are relative to the file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..queries import SETS
from ..vidb._values import _is_name

_TRUTH = ":truth="
_NO_PATH = ("auto", "none")


def queries_path(given: str, folder: Path) -> str:
    """The name of a query set as it is, a file or pattern beside the study."""
    return given if given in SETS else str(folder / given)


def value_path(given: str, folder: Path) -> str:
    """The name of a value or theory as it is, the folder of a value of one's own."""
    return str(folder / given) if not _is_name(given) and (folder / given).is_dir() else given


def judge_path(given: str, folder: Path) -> str:
    """A judge's name; the file of a simulated judge's truth lies beside the study."""
    name, mark, truth = given.partition(_TRUTH)
    path, colon, rest = truth.partition(":")
    return f"{name}{mark}{folder / path}{colon}{rest}" if mark else given


def knob_paths(knobs: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """A judge's knobs with its profile, journal and truth beside the study."""
    found = {**knobs, "judge": judge_path(str(knobs["judge"]), folder)}
    for name in ("profile", "journal"):
        if (given := found.get(name)) is not None and given not in _NO_PATH:
            found[name] = str(folder / str(given))
    return found
