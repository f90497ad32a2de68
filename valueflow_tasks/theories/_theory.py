"""Load and validate the theories."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from graphlib import CycleError, TopologicalSorter
from importlib.resources import files
from typing import Any

from valueflow_scorers import ValueFlowError
from valueflow_scorers._errors import unknown

THEORIES = ("svt", "mft", "duties", "rights")
LEVELS = (-2, -1, 1, 2)
_SLUG = re.compile(r"[a-z]+(-[a-z]+)*")


@dataclass(frozen=True)
class Node:
    """One value: an evaluated value, a parent of some, or a facet of one."""

    theory: str
    """The theory's id."""
    slug: str
    """Unique within the theory."""
    name: str
    """As people write it."""
    definition: str
    """In one sentence."""
    parents: tuple[str, ...]
    """Slugs; a node can have two."""
    evaluated: bool
    """Whether it is one of the 32 that are measured."""
    aliases: tuple[str, ...]
    """Spellings of the released VALUEFLOW code."""
    source: str
    """Where the node comes from."""
    steering: Mapping[int, str]
    """Steering sentence per level -2, -1, 1, 2; empty unless evaluated."""

    @property
    def id(self) -> str:
        """`theory/slug`."""
        return f"{self.theory}/{self.slug}"


@dataclass(frozen=True)
class Theory:
    """A theory of values with its whole hierarchy."""

    id: str
    """`svt`, `mft`, `duties` or `rights`."""
    name: str
    """Full name."""
    aliases: tuple[str, ...]
    """Names in the released code."""
    sources: tuple[str, ...]
    """Citations of the definitions' sources."""
    nodes: tuple[Node, ...]
    """Parents first, then values, then facets."""

    @cached_property
    def by_slug(self) -> Mapping[str, Node]:
        """Nodes by slug."""
        return {node.slug: node for node in self.nodes}

    def children(self, slug: str) -> tuple[Node, ...]:
        """Nodes that name `slug` as a parent."""
        return tuple(node for node in self.nodes if slug in node.parents)

    @property
    def evaluated(self) -> tuple[Node, ...]:
        """The values that are measured."""
        return tuple(node for node in self.nodes if node.evaluated)


def parse_theory(content: Mapping[str, Any]) -> Theory:
    """A theory from its JSON content, validated.

    Raises:
        ValueFlowError: for a repeated or malformed slug, an unknown parent, a cycle, or an
            evaluated value without its four steering sentences.
    """
    theory = content["theory"]
    nodes = tuple(
        Node(
            theory,
            raw["slug"],
            raw["name"],
            raw["definition"],
            tuple(raw["parents"]),
            bool(raw["evaluated"]),
            tuple(raw.get("aliases", ())),
            raw.get("source", ""),
            {int(level): sentence for level, sentence in raw.get("steering", {}).items()},
        )
        for raw in content["nodes"]
    )
    slugs = [node.slug for node in nodes]
    for node in nodes:
        if not _SLUG.fullmatch(node.slug):
            raise ValueFlowError(f"{node.id}: a slug is lower-case ASCII words and hyphens")
        if slugs.count(node.slug) > 1:
            raise ValueFlowError(f"{node.id} is defined twice")
        if orphaned := [parent for parent in node.parents if parent not in slugs]:
            raise ValueFlowError(f"{node.id} names unknown parents {orphaned}")
        if node.evaluated and sorted(node.steering) != list(LEVELS):
            raise ValueFlowError(f"{node.id} needs steering sentences for levels {LEVELS}")
    try:
        TopologicalSorter({node.slug: node.parents for node in nodes}).prepare()
    except CycleError as error:
        raise ValueFlowError(f"theory {theory!r} has a cycle: {error.args[1]}") from None
    return Theory(
        theory, content["name"], tuple(content["aliases"]), tuple(content["sources"]), nodes
    )


@cache
def load_theory(name: str) -> Theory:
    """A theory by its id or by its name in the released code.

    Raises:
        ValueFlowError: for an unknown theory, naming the nearest.
    """
    for theory in THEORIES:
        path = files("valueflow_tasks.theories") / "data" / f"{theory}.json"
        content = json.loads(path.read_text("utf-8"))
        if name == theory or name in content["aliases"]:
            return parse_theory(content)
    raise unknown("theory", name, THEORIES)


def evaluated_values(theory: str | None = None) -> tuple[str, ...]:
    """Ids of the evaluated values, of one theory or of all four."""
    theories = [theory] if theory else THEORIES
    return tuple(node.id for name in theories for node in load_theory(name).evaluated)


def in_order(values: Iterable[str]) -> tuple[str, ...]:
    """Values in the theories' order, those of one's own behind them."""
    given = dict.fromkeys(values)
    known = [value for value in evaluated_values() if value in given]
    return tuple(dict.fromkeys([*known, *given]))


_OWN: dict[str, Node] = {}


def register(node: Node) -> None:
    """Make a value outside the four theories known in this process.

    Raises:
        ValueFlowError: if its id stands for another value already.
    """
    if _OWN.setdefault(node.id, node) != node:
        raise ValueFlowError(f"two different values have the id {node.id!r}: rename one")


def find_node(value: str) -> Node:
    """A node by its id; release spellings and theory aliases are accepted.

    Raises:
        ValueFlowError: for an unknown theory or value, naming the nearest.
    """
    if value in _OWN:
        return _OWN[value]
    theory_name, separator, given = value.partition("/")
    if not separator:
        raise unknown("value", value, evaluated_values())
    theory = load_theory(theory_name)
    wanted = given.strip().lower()
    for node in theory.nodes:
        spellings = (node.slug, node.name.lower(), *(alias.lower() for alias in node.aliases))
        if wanted in spellings:
            return node
    raise unknown("value", value, [node.id for node in theory.nodes])


def resolve_values(given: Sequence[str], allowed: Sequence[str]) -> tuple[str, ...]:
    """Expand theory names and check value names.

    Args:
        given: Value ids and theory names, aliases included.
        allowed: The values that can be measured.

    Returns:
        Value ids, without repetition, in the order given.

    Raises:
        ValueFlowError: for a name that is neither, naming the nearest; for a folder.
    """
    found: list[str] = []
    for name in given:
        try:
            found.extend(_expanded(name, allowed))
        except ValueFlowError:
            if os.path.isdir(name):
                raise ValueFlowError(
                    f"{name!r} is a folder, and values of your own are not taken here: name "
                    f"values and theories of {', '.join(THEORIES)}, such as svt/power"
                ) from None
            raise
    return tuple(dict.fromkeys(found))


def _expanded(name: str, allowed: Sequence[str]) -> list[str]:
    if "/" not in name:
        theory = load_theory(name).id
        return [value for value in allowed if value.startswith(f"{theory}/")]
    value = find_node(name).id
    if value not in allowed and value not in _OWN:
        raise unknown("evaluated value", name, allowed)
    return [value]
