"""What a person names: a source of rated texts, and a value."""

from __future__ import annotations

import os
import re
from pathlib import Path

from valueflow_scorers import ValueFlowError

from ..theories import THEORIES, find_node, load_theory
from ._values import is_own_value, load_value

HUB_DATASET = "snu-aidas/vidb-filtered"
FORMS = (".csv", ".jsonl", ".parquet", ".json")
"""Endings of files that can be loaded."""
IMPORTED = "imported"
"""Stands in the place of a theory for values that are none of ours."""
_ID = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*/[a-z0-9]+(-[a-z0-9]+)*")


def source_file(source: str) -> Path | None:
    """The file of a source; None for a dataset on the hub.

    Raises:
        ValueFlowError: if it is neither.
    """
    path = Path(source)
    if path.is_dir():
        inside = sorted(one for one in path.iterdir() if one.suffix in FORMS and one.is_file())
        raise ValueFlowError(
            f"{source} is a folder: give one file of rated texts ({', '.join(FORMS)})"
            + (f", such as {inside[0]}" if inside else "")
            + ("; a value of your own goes behind --value" if is_own_value(source) else "")
        )
    if path.is_file():
        if path.suffix not in FORMS:
            raise ValueFlowError(f"{path}: give a .csv, .jsonl, .parquet or few-shot .json file")
        if not path.stat().st_size:
            raise ValueFlowError(f"{path} is empty: give a file of rated texts")
        return path
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", source):
        raise ValueFlowError(
            f"there is no file {source!r}; a hub dataset is named owner/name, such as {HUB_DATASET}"
        )
    return None


def named_value(name: str) -> str:
    """The id of the value that a person names.

    Args:
        name: An id, a name with or without its theory, or the folder of a value of one's own.

    Raises:
        ValueFlowError: for a theory, one that has no such value (naming the nearest), or a folder
            without a value.
    """
    if is_own_value(name):
        return load_value(name).id
    aliases = [alias for one in THEORIES for alias in (one, *load_theory(one).aliases)]
    theory, nested, _ = name.partition("/")
    if theory in aliases and not nested:
        raise ValueFlowError(f"{name!r} is a theory: name one of its values, such as svt/power")
    if theory in aliases:
        return find_node(name).id
    found = name if _ID.fullmatch(name) else value_id(name)
    if found.partition("/")[0] not in THEORIES and os.path.isdir(name):
        load_value(name)  # raises, and says what the folder lacks
    return found


def value_id(name: str, theory: str | None = None) -> str:
    """The id of a value named without or with its theory; unknown ones become `imported/…`."""
    spelt = name.strip().replace("_", " ").lower()
    theories = [load_theory(theory).id] if theory else list(THEORIES)
    spellings = [spelt] if "/" in spelt else []
    spellings += [f"{one}/{spelt}" for one in theories]
    for evaluated in (True, False):
        for spelling in spellings:
            try:
                node = find_node(spelling)
            except ValueFlowError:
                continue
            if node.evaluated == evaluated:
                return node.id
    slug = re.sub(r"[^a-z0-9]+", "-", spelt).strip("-") or "unnamed"
    return f"{IMPORTED}/{slug}"
