"""Cross-theory anchors and user-friendly phrases."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._levels import Hierarchy


@dataclass(frozen=True)
class Concept:
    """Something that two or more theories speak of."""

    id: str
    """Its name."""
    text: str
    """In plain words."""
    leaves: tuple[str, ...]
    """Where it is found, in at least two theories."""


@dataclass(frozen=True)
class Phrase:
    """A value, a right or a duty as people say it."""

    text: str
    """The phrase."""
    kind: str
    """`value`, `right` or `duty`."""
    leaf: str
    """The leaf that it belongs to."""


def _rows(name: str) -> list[dict[str, Any]]:
    content = (files("valueflow_tasks.hives") / "data" / name).read_text("utf-8")
    return [json.loads(line) for line in content.splitlines()]


@cache
def load_concepts() -> tuple[Concept, ...]:
    """The cross-theory anchors that ship."""
    rows = _rows("anchors.jsonl")
    return tuple(Concept(row["id"], row["concept"], tuple(row["nodes"])) for row in rows)


@cache
def load_phrases() -> tuple[Phrase, ...]:
    """The phrases that ship."""
    return tuple(Phrase(row["phrase"], row["kind"], row["value"]) for row in _rows("phrases.jsonl"))


@cache
def linked_leaves() -> Mapping[str, frozenset[str]]:
    """Per leaf, the leaves of other theories that share a concept with it."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for concept in load_concepts():
        for leaf in concept.leaves:
            theory = leaf.partition("/")[0]
            found[leaf].update(
                other for other in concept.leaves if other.partition("/")[0] != theory
            )
    return {leaf: frozenset(others) for leaf, others in found.items()}


def unrelated_values(hierarchy: Hierarchy) -> NDArray[np.bool_]:
    """Pairs of values that share neither a group nor a concept, [values, values]."""
    related = np.eye(len(hierarchy.values), dtype=bool)
    for one, first in enumerate(hierarchy.places):
        linked = linked_leaves().get(first.leaf, frozenset())
        for other, second in enumerate(hierarchy.places):
            if hierarchy.shared[one, other] or second.leaf in linked:
                related[hierarchy.value_of[one], hierarchy.value_of[other]] = True
    return np.asarray(~(related | related.T))
