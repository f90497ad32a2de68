"""Read other people's databases, whatever their columns are called."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from valueflow_scorers import ValueFlowError
from valueflow_scorers._records import SCALE_END

from ._columns import number, number_column, odd_score, text_column, value_column
from ._licence import Terms, recorded_terms, stated_terms, vidb_terms
from ._naming import HUB_DATASET, IMPORTED, named_value, source_file, value_id
from ._rows import broken, each_row, parsed, words_of

_RELEASE = re.compile(r"(?P<value>.+)_(?P<theory>[a-z]+)_flag_aggregated$")
_LEVELS = {"-2", "-1", "0", "1", "2"}
_NO_ROW = "no JSON object in UTF-8"


@dataclass(frozen=True)
class Rated:
    """A text as somebody else rated it."""

    text: str
    """The words."""
    label: float
    """Their score, on their scale."""
    query: str | None = None
    """The question it answers, if any."""
    id: str | None = None
    """Their name for it."""
    stderr: float | None = None
    """Of the score, if stated."""
    neutral: bool = False
    """Whether they call it a neutral reference text."""


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

    def add(self, value: str, text: Any, label: Any, row: Mapping[str, Any], where: str) -> None:
        """Take one row, or note why not."""
        score, error = number(label), number(row.get("stderr"))
        query, name = row.get("query"), row.get("id")
        if not isinstance(text, str) or not text.strip():
            self.skipped.append(f"{where}: no text")
        elif any(broken(str(one)) for one in (text, query, name)):
            self.skipped.append(f"{where}: holds half of a surrogate pair")
        elif score is None:
            self.skipped.append(f"{where}: {str(label)[:40]!r} is no finite number")
        elif abs(score) > SCALE_END:
            self.skipped.append(f"{where}: {score:g} lies outside -10 … 10")
        else:
            self.values.setdefault(value, []).append(
                Rated(
                    text,
                    score,
                    str(query) if query else None,
                    str(name) if name else None,
                    error if error is not None and error >= 0 else None,
                    row.get("neutral") is True,
                )
            )


def terms_of(source: str, licence: str = "") -> Terms:
    """The terms of a source, known from its form or its first line without loading it.

    Raises:
        ValueFlowError: if it is neither a file that can be read nor named as a dataset on the hub.
    """
    path = source_file(source)
    if path is None:
        return vidb_terms(source) if source == HUB_DATASET else stated_terms(source, licence)
    if path.suffix == ".json" or (path.suffix == ".csv" and _RELEASE.match(path.stem)):
        return vidb_terms(source)
    head = _head(path) or {}
    return recorded_terms(source, head) or stated_terms(source, licence or head.get("licence", ""))


def read_source(source: str, *, value: str | None = None, licence: str = "") -> Source:
    """Rated texts of a source.

    Args:
        source: The release's CSV or few-shot JSON; a JSONL, CSV or parquet file with a
            text and a number; or a dataset on the hub (`owner/name`).
        value: The value of all rows, for files that do not say; or the folder of a value of
            one's own.
        licence: The terms of a file that is not of the release.

    Raises:
        ValueFlowError: if it cannot be read, or no text and number column can be told.
    """
    found = Source(terms_of(source, licence))
    path = source_file(source)
    own = None if value is None else named_value(value)
    if path is None:
        _table(_hub_rows(source), found, own, source)
    elif path.suffix == ".json":
        _few_shot(path, found)
    else:
        release, head = _RELEASE.match(path.stem), _head(path)
        if own is None and release:
            own = value_id(release["value"], release["theory"])
        if own is None and head:
            own = named_value(str(head["value"]))
        _table(_read_rows(path), found, own, source)
    if not found.values:
        raise ValueFlowError(
            f"{source} holds no rated text"
            + (f" ({len(found.skipped)} rows skipped: {found.skipped[0]})" if found.skipped else "")
        )
    return found


def _head(path: Path) -> dict[str, Any] | None:
    """The first line of a database or panel of ours; None for other files."""
    if path.suffix != ".jsonl" or not path.is_file():
        return None
    with path.open(encoding="utf-8", errors="replace") as handle:
        try:
            first = parsed(handle.readline())
        except ValueError:
            return None
    ours = isinstance(first, dict) and "value" in first and "text" not in first
    return first if ours and "definition" in first else None


def _few_shot(path: Path, found: Source) -> None:
    raw = words_of(path)
    try:
        content = parsed(raw)
        for name, levels in content.items():
            if not set(levels) <= _LEVELS:
                raise TypeError
            for level, rows in levels.items():
                for position, row in enumerate(rows, 1):
                    where = f"{name}, level {level}, text {position}"
                    found.add(value_id(name), row["text"], row["intensity"], {}, where)
    except (ValueError, AttributeError, KeyError, TypeError):
        raise ValueFlowError(
            f"{path} is no few-shot file: expected {{value: {{level: [{{text, intensity}}]}}}}"
        ) from None
    found.columns = {"text": "text", "number": "intensity", "value": "key of the file"}


def _read_rows(path: Path) -> list[Any]:
    skip = 1 if _head(path) else 0
    return [row for at, row in each_row(path) if at > skip]


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


def _table(given: Sequence[Any], found: Source, value: str | None, source: str) -> None:
    rows = [row for row in given if isinstance(row, Mapping)]
    if not rows:
        found.skipped += [f"row {position}: {_NO_ROW}" for position, _ in enumerate(given, 1)]
        return
    names = [name for name in rows[0] if name is not None]
    text = text_column(rows, [name for name in names if name != "query"])
    score = number_column(rows, names)
    if text is None:
        raise ValueFlowError(f"{source}: no column of {names} looks like a text: rename it to text")
    if score is None:
        raise ValueFlowError(
            f"{source}: no column of {names} looks like a score on -10 … 10: rename it to "
            f"intensity{odd_score(rows, names)}"
        )
    column = None
    if value is None:
        left = [name for name in names if name not in (text, score)]
        column = value_column(rows, left, lambda one: not value_id(one).startswith(f"{IMPORTED}/"))
        if column is None:
            raise ValueFlowError(f"{source}: no column of {names} names values: give --value")
    theory = "theory" if "theory" in names and "theory" not in (text, score, column) else None
    found.columns = {"text": text, "number": score, "value": column or f"all {value}"}
    known: dict[tuple[str, str | None], str] = {}
    for position, row in enumerate(given, 1):
        if not isinstance(row, Mapping):
            found.skipped.append(f"row {position}: {_NO_ROW}")
            continue
        own = value
        if column is not None:
            key = (str(row.get(column)), str(row[theory]) if theory else None)
            if key not in known:
                known[key] = value_id(*key)
            own = known[key]
        found.add(str(own), row.get(text), row.get(score), row, f"row {position}")
