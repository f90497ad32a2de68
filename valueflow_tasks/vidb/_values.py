"""Values of one's own: a folder with `value.yaml`, `texts.jsonl` and, once built, a panel."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from valueflow_scorers import Panel, ValueFlowError, load_panel

from ..theories import Node, find_node, load_theory, register, resolve_values
from ..theories._theory import LEVELS, THEORIES

VALUE_FILE = "value.yaml"
OWN = "own"
"""What lm-eval's task `valueflow_steer_own` names as its value."""
TEXTS_FILE = "texts.jsonl"
_FIELDS = {"id", "name", "definition", "steering", "source", "licence"}


@dataclass(frozen=True)
class OwnValue:
    """A value outside the four theories, as its folder describes it."""

    folder: Path
    """Where it lies."""
    node: Node
    """Name, definition and steering sentences."""
    licence: str
    """Terms of its texts."""

    @property
    def id(self) -> str:
        """`<theory>/<slug>`."""
        return self.node.id

    @property
    def panel_file(self) -> Path:
        """Where its ruler lies."""
        return panel_path(self.folder, self.id)

    @property
    def built(self) -> int:
        """When its ruler was written, in nanoseconds; 0: there is none yet."""
        return self.panel_file.stat().st_mtime_ns if self.panel_file.is_file() else 0

    def panel(self) -> Panel:
        """Its ruler.

        Raises:
            ValueFlowError: if there is none yet, saying how to build it.
        """
        if not self.panel_file.is_file():
            raise ValueFlowError(
                f"{self.folder} has no ruler {self.panel_file.name}: build it with `valueflow "
                f"vidb rank {self.folder / TEXTS_FILE} --value {self.folder} …`, `valueflow vidb "
                "fit` and `valueflow vidb panel`"
            )
        panel = load_panel(self.panel_file)
        if panel.value != self.id:
            raise ValueFlowError(
                f"{self.panel_file} is a ruler of {panel.value!r}, {VALUE_FILE} says {self.id!r}"
            )
        return panel


_KNOWN: dict[str, OwnValue] = {}


def own_value(name: str) -> OwnValue | None:
    """The value in a folder, made known to this process; None if `name` is no folder.

    The name of a value or theory is that, whatever folders lie here: `./svt` is the folder.

    Raises:
        ValueFlowError: if the folder holds no value, or another folder's value has its id.
    """
    if _is_name(name) or not os.path.isdir(name):  # which takes a name of any length and sign
        return None
    found = load_value(name)
    known = _KNOWN.get(found.id, found)
    if known.folder != found.folder:
        raise ValueFlowError(
            f"{known.folder} and {found.folder} both hold a value {found.id!r}: change the id in "
            f"the {VALUE_FILE} of one"
        )
    register(found.node)
    return _KNOWN.setdefault(found.id, found)


def named_values(given: Sequence[str], allowed: Sequence[str]) -> tuple[str, ...]:
    """Expand theories and folders of values of one's own, and check values.

    Args:
        given: Ids of values and theories, aliases included, and folders.
        allowed: The values of the four theories that may be given.

    Returns:
        Value ids, without repetition, in the order given.

    Raises:
        ValueFlowError: for a name that is none of these, and as `own_value`.
    """
    named = [own.id if (own := own_value(name)) else _plausible(name) for name in given]
    return resolve_values(named, allowed)


def _plausible(name: str) -> str:
    """A name, unless it can be meant for nothing but a folder that is not there."""
    theory, nested, _ = name.partition("/")
    if nested and not (_is_name(name) or _is_theory(theory)):
        raise ValueFlowError(
            f"{name!r} is no value of {', '.join(THEORIES)}, and there is no folder of that name: "
            "give a value such as svt/power, or the folder of a value of your own"
        )
    return name


def given_name(value: str) -> str:
    """How another process is told of a value: its folder if it is one's own, or its id."""
    return str(_KNOWN[value].folder) if value in _KNOWN else value


def own_panels(values: Iterable[str]) -> dict[str, Panel]:
    """Rulers of those of the values that are one's own.

    Raises:
        ValueFlowError: if one has none yet.
    """
    return {value: _KNOWN[value].panel() for value in values if value in _KNOWN}


def known_own_values() -> Mapping[str, OwnValue]:
    """Values of one's own that were named in this process, by id."""
    return _KNOWN


def only_own_value(values: Sequence[str]) -> str:
    """The one value of one's own among these.

    Raises:
        ValueFlowError: if there is none, or more than one.
    """
    found = [value for value in values if value in _KNOWN]
    if len(found) != 1:
        raise ValueFlowError(
            f"task valueflow_steer_own steers one value of your own and got {found or 'none'}: "
            "give its folder, --metadata values=DIR"
        )
    return found[0]


def panel_path(folder: Path, value: str) -> Path:
    """Where the panel of a value lies: `<theory>-<value>.jsonl`."""
    return folder / f"{value.replace('/', '-', 1)}.jsonl"


def is_own_value(name: str) -> bool:
    """Whether a name is the folder of a value of one's own."""
    return not _is_name(name) and (Path(name) / VALUE_FILE).is_file()


def _is_name(name: str) -> bool:
    """Whether a name is that of a value or theory, values of one's own that are known included."""
    if "/" not in name:
        return _is_theory(name)
    try:
        find_node(name)
    except ValueFlowError:
        return False
    return True


def _is_theory(name: str) -> bool:
    try:
        load_theory(name)
    except ValueFlowError:
        return False
    return True


def load_value(folder: str | Path) -> OwnValue:
    """Read `value.yaml`.

    It holds `id` (`theory/slug`, the theory being none of the four), `name`, `definition`,
    `steering` (a sentence for each of -2, -1, 1, 2) and optionally `source` and `licence`.

    Raises:
        ValueFlowError: for a missing file or field, or an id that is taken.
    """
    return _load(Path(folder).resolve())


@cache
def _load(folder: Path) -> OwnValue:
    import yaml

    path = folder / VALUE_FILE
    try:
        content = yaml.safe_load(path.read_text("utf-8"))
    except OSError:
        raise ValueFlowError(f"{folder} has no {VALUE_FILE}: see docs/vidb.md") from None
    except yaml.YAMLError as error:
        raise ValueFlowError(f"{path} is no YAML: {error}") from None
    if not isinstance(content, Mapping):
        raise ValueFlowError(f"{path}: expected the fields {sorted(_FIELDS)}")
    if strange := set(content) - _FIELDS:
        raise ValueFlowError(f"{path}: unknown fields {sorted(strange)}; known: {sorted(_FIELDS)}")
    return OwnValue(folder, _node(path, content), str(content.get("licence", "")))


def _node(path: Path, content: Mapping[str, Any]) -> Node:
    for name in ("id", "definition", "steering"):
        if name not in content:
            raise ValueFlowError(f"{path}: the field {name!r} is missing")
    theory, _, slug = str(content["id"]).partition("/")
    allowed = set("abcdefghijklmnopqrstuvwxyz0123456789-")
    if not theory or not slug or not set(theory + slug) <= allowed:
        raise ValueFlowError(
            f"{path}: id {content['id']!r}: give <theory>/<slug> in lower-case ASCII and hyphens, "
            "for example own/curiosity"
        )
    if theory in THEORIES:
        raise ValueFlowError(f"{path}: the theory {theory!r} is taken: use another, such as own/")
    given = content["steering"]
    levels = {str(key): text for key, text in given.items()} if isinstance(given, Mapping) else {}
    if set(levels) != set(map(str, LEVELS)) or not all(
        isinstance(one, str) for one in levels.values()
    ):
        raise ValueFlowError(f"{path}: steering needs one sentence for each level of {LEVELS}")
    name = str(content.get("name") or slug.replace("-", " ").capitalize())
    return Node(
        theory,
        slug,
        name,
        str(content["definition"]).strip(),
        (),
        True,
        (),
        str(content.get("source", "")),
        {level: levels[str(level)].strip() for level in LEVELS},
    )


def described(value: str) -> tuple[str, str]:
    """Id and definition of a value: one of the four theories', or a folder.

    Raises:
        ValueFlowError: for an unknown value, naming the nearest, or a folder that holds none.
    """
    own = os.path.isdir(value) and not _is_name(value)
    node = load_value(value).node if own else find_node(_plausible(value))
    return node.id, node.definition
