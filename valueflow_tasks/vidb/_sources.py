"""Read other people's databases, whatever their columns are called."""

from __future__ import annotations

import csv
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from valueflow_scorers import ValueFlowError
from valueflow_scorers._records import SCALE_END

from ..theories import THEORIES, find_node, load_theory
from ._licence import Terms, stated_terms, vidb_terms
from ._texts import _rows

HUB_DATASET = "snu-aidas/vidb-filtered"
_RELEASE = re.compile(r"(?P<value>.+)_(?P<theory>[a-z]+)_flag_aggregated$")
_TEXT_NAMES = ("text", "sentence", "scenario", "content", "statement", "item")
_NUMBER_NAMES = ("final_rating", "intensity", "rating", "score", "label", "value_score")
_VALUE_NAMES = ("value", "value_name", "value_id", "dimension", "category")
_LEVELS = {"-2", "-1", "0", "1", "2"}


@dataclass(frozen=True)
class Rated:
    """A text as somebody else rated it."""

    text: str
    """The words."""
    label: float
    """Their score, on their scale."""


@dataclass
class Source:
    """What was found in a source."""

    terms: Terms
    """Under which it may be used."""
    columns: dict[str, str] = field(default_factory=dict)
    """Which column was taken for what."""
    values: dict[str, list[Rated]] = field(default_factory=dict)
    """Rated texts by value id."""
    skipped: list[str] = field(default_factory=list)
    """Rows left out, with the reason."""

    def add(self, value: str, text: Any, label: Any, where: str) -> None:
        """Take one row, or note why not."""
        number = _number(label)
        if not isinstance(text, str) or not text.strip():
            self.skipped.append(f"{where}: no text")
        elif number is None:
            self.skipped.append(f"{where}: {label!r} is no finite number")
        elif abs(number) > SCALE_END:
            self.skipped.append(f"{where}: {number:g} lies outside -10 … 10")
        else:
            self.values.setdefault(value, []).append(Rated(text, number))


def terms_of(source: str, licence: str = "") -> Terms:
    """The terms of a source, known from its form without loading it."""
    path = Path(source)
    if source == HUB_DATASET or (path.suffix == ".csv" and _RELEASE.match(path.stem)):
        return vidb_terms(source)
    if path.suffix == ".json":
        return vidb_terms(source)
    return stated_terms(source, licence)


def read_source(source: str, *, value: str | None = None, licence: str = "") -> Source:
    """Rated texts of a source.

    Args:
        source: The release's CSV or few-shot JSON; a JSONL, CSV or parquet file with a
            text and a number; or a dataset on the hub (`owner/name`).
        value: The value of all rows, for files that do not say.
        licence: The terms of a file that is not of the release.

    Raises:
        ValueFlowError: if it cannot be read, or no text and number column can be told.
    """
    found = Source(terms_of(source, licence))
    path = Path(source)
    if path.suffix == ".json" and path.is_file():
        _few_shot(path, found)
    elif path.is_file():
        named = _RELEASE.match(path.stem)
        if named and value is None:
            value = value_id(named["value"], named["theory"])
        _table(_read_rows(path), found, value, source)
    elif re.fullmatch(r"[\w.-]+/[\w.-]+", source) and not path.exists():
        _table(_hub_rows(source), found, value, source)
    else:
        raise ValueFlowError(
            f"there is no file {source!r}; a hub dataset is named owner/name, such as {HUB_DATASET}"
        )
    if not found.values:
        raise ValueFlowError(
            f"{source} holds no rated text"
            + (f" ({len(found.skipped)} rows skipped: {found.skipped[0]})" if found.skipped else "")
        )
    return found


def value_id(name: str, theory: str | None = None) -> str:
    """The id of a value named without or with its theory; unknown ones become `imported/…`."""
    spelt = name.strip()
    if "/" in spelt and spelt.partition("/")[0] in THEORIES:
        return find_node(spelt).id
    theories = [load_theory(theory).id] if theory else list(THEORIES)
    for evaluated in (True, False):
        for one in theories:
            try:
                node = find_node(f"{one}/{spelt.replace('_', ' ').lower()}")
            except ValueFlowError:
                continue
            if node.evaluated == evaluated:
                return node.id
    slug = re.sub(r"[^a-z0-9]+", "-", spelt.lower()).strip("-") or "unnamed"
    return f"imported/{slug}"


def _few_shot(path: Path, found: Source) -> None:
    try:
        content = json.loads(path.read_text("utf-8"))
        for name, levels in content.items():
            if not set(levels) <= _LEVELS:
                raise TypeError
            for level, rows in levels.items():
                for number, row in enumerate(rows, 1):
                    where = f"{name}, level {level}, text {number}"
                    found.add(value_id(name), row["text"], row["intensity"], where)
    except (json.JSONDecodeError, AttributeError, KeyError, TypeError):
        raise ValueFlowError(
            f"{path} is no few-shot file: expected {{value: {{level: [{{text, intensity}}]}}}}"
        ) from None
    found.columns = {"text": "text", "number": "intensity", "value": "key of the file"}


def _read_rows(path: Path) -> list[Mapping[str, Any]]:
    if path.suffix == ".csv":
        with path.open(encoding="utf-8-sig", newline="") as handle:
            return [dict(row) for row in csv.DictReader(handle)]
    if path.suffix not in (".jsonl", ".parquet"):
        raise ValueFlowError(f"{path}: give a .csv, .jsonl, .parquet or few-shot .json file")
    return [row for _, row in _rows(path) if isinstance(row, Mapping)]


def _hub_rows(name: str) -> list[Mapping[str, Any]]:
    import datasets

    try:
        loaded = datasets.load_dataset(name)
    except Exception as error:  # the hub client raises many kinds; the remedy is the same
        raise ValueFlowError(
            f"cannot load {name!r} from the hub ({type(error).__name__}: {str(error)[:200]}): "
            "check name and network, or download a file and give its path"
        ) from None
    return [dict(row) for split in loaded.values() for row in split]


def _table(
    rows: Sequence[Mapping[str, Any]], found: Source, value: str | None, source: str
) -> None:
    if not rows:
        return
    names = [name for name in rows[0] if name is not None]
    text = _pick(names, _TEXT_NAMES, lambda name: _wordiness(rows, name))
    number = _pick(names, _NUMBER_NAMES, lambda name: _numeric(rows, name))
    if text is None or number is None:
        raise ValueFlowError(
            f"{source}: no column of {names} looks like "
            f"{'a text' if text is None else 'a score on -10 … 10'}: rename it to "
            f"{'text' if text is None else 'intensity'}"
        )
    column = None
    if value is None:
        candidates = [name for name in names if name not in (text, number)]
        column = _pick(candidates, _VALUE_NAMES, lambda name: _value_share(rows, name))
        if column is None:
            raise ValueFlowError(f"{source}: no column of {names} names values: give --value")
    theory = "theory" if "theory" in names and "theory" not in (text, number, column) else None
    found.columns = {"text": text, "number": number, "value": column or f"all {value}"}
    known: dict[tuple[str, str | None], str] = {}
    for position, row in enumerate(rows, 1):
        if column is None:
            own = str(value)
        else:
            key = (str(row.get(column)), str(row[theory]) if theory else None)
            if key not in known:
                known[key] = value_id(*key)
            own = known[key]
        found.add(own, row.get(text), row.get(number), f"row {position}")


def _pick(names: Sequence[str], preferred: Sequence[str], score: Any) -> str | None:
    """The column whose content fits best; among those that fit, a telling name wins."""
    fits = {name: score(name) for name in names}
    fits = {name: fit for name, fit in fits.items() if fit > 0}
    for wanted in preferred:
        for name in fits:
            if name.strip().lower() == wanted:
                return name
    return max(fits, key=lambda name: fits[name], default=None)


def _some(rows: Sequence[Mapping[str, Any]], name: str) -> list[Any]:
    step = max(1, len(rows) // 500)
    return [row.get(name) for row in rows[::step]]


def _wordiness(rows: Sequence[Mapping[str, Any]], name: str) -> float:
    """Mean words of a column of sentences; 0 for anything else."""
    seen = [one for one in _some(rows, name) if isinstance(one, str) and one.strip()]
    if len(seen) < 0.5 * len(_some(rows, name)) or _numeric(rows, name):
        return 0.0
    words = sum(len(one.split()) for one in seen) / max(len(seen), 1)
    return words if words >= 2 else 0.0


def _numeric(rows: Sequence[Mapping[str, Any]], name: str) -> float:
    """How many distinct numbers on -10 … 10 of both signs a column holds; 0 for anything else."""
    seen = [_number(one) for one in _some(rows, name)]
    inside = [one for one in seen if one is not None and abs(one) <= SCALE_END]
    if len(inside) < 0.8 * len(seen) or not inside or min(inside) >= 0:
        return 0.0
    return float(len(set(inside)))


def _value_share(rows: Sequence[Mapping[str, Any]], name: str) -> float:
    """Share of a column's rows that name a known value."""
    seen = [one for one in _some(rows, name) if isinstance(one, str)]
    known = {one: not value_id(one).startswith("imported/") for one in set(seen)}
    share = sum(known[one] for one in seen) / max(len(seen), 1)
    return share if share >= 0.5 or name.strip().lower() in _VALUE_NAMES else 0.0


def _number(raw: Any) -> float | None:
    if isinstance(raw, bool) or raw is None:
        return None
    try:
        number = float(raw)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None
