"""Which column of somebody else's table holds texts, scores and values, told by content."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from valueflow_scorers._records import SCALE_END

Rows = Sequence[Mapping[str, Any]]
_TEXT_NAMES = ("text", "sentence", "scenario", "content", "statement", "item")
_NUMBER_NAMES = ("final_rating", "intensity", "rating", "score", "label", "value_score")
_VALUE_NAMES = ("value", "value_name", "value_id", "dimension", "category")


def text_column(rows: Rows, names: Sequence[str]) -> str | None:
    """The column of sentences."""
    return _pick(names, _TEXT_NAMES, lambda name: _wordiness(rows, name))


def number_column(rows: Rows, names: Sequence[str]) -> str | None:
    """The column of scores."""
    return _pick(names, _NUMBER_NAMES, lambda name: _numeric(rows, name))


def value_column(rows: Rows, names: Sequence[str], known: Callable[[str], bool]) -> str | None:
    """The column that names values.

    Args:
        rows: The table.
        names: Columns to choose from.
        known: Whether a name is that of a value.
    """
    return _pick(names, _VALUE_NAMES, lambda name: _value_share(rows, name, known))


def odd_score(rows: Rows, names: Sequence[str]) -> str:
    """What keeps a column that is named like scores from being one."""
    for name in (one for one in names if one.strip().lower() in _NUMBER_NAMES):
        for position, row in enumerate(rows, 1):
            score = number(row.get(name))
            if score is None or abs(score) > SCALE_END:
                return f", or mend it (in {name!r}, row {position} has {str(row.get(name))[:40]!r})"
    return ""


def number(raw: Any) -> float | None:
    """The finite number that a cell holds, or None."""
    if isinstance(raw, bool) or raw is None:
        return None
    try:
        found = float(raw)
    except (TypeError, ValueError, OverflowError):
        return None
    return found if math.isfinite(found) else None


def _pick(
    names: Sequence[str], preferred: Sequence[str], score: Callable[[str], float]
) -> str | None:
    """The column whose content fits best; among those that fit, a telling name wins."""
    fits = {name: score(name) for name in names}
    fits = {name: fit for name, fit in fits.items() if fit > 0}
    for wanted in preferred:
        for name in fits:
            if name.strip().lower() == wanted:
                return name
    return max(fits, key=lambda name: fits[name], default=None)


def _some(rows: Rows, name: str) -> list[Any]:
    step = max(1, len(rows) // 500)
    return [row.get(name) for row in rows[::step]]


def _wordiness(rows: Rows, name: str) -> float:
    """Mean words of a column of sentences; 0 for anything else."""
    seen = [one for one in _some(rows, name) if isinstance(one, str) and one.strip()]
    if len(seen) < 0.5 * len(_some(rows, name)) or _numeric(rows, name):
        return 0.0
    words = sum(len(one.split()) for one in seen) / max(len(seen), 1)
    return words if words >= 2 else 0.0


def _numeric(rows: Rows, name: str) -> float:
    """How many distinct numbers on -10 … 10 a column holds; 0 for anything else.

    Without a negative one, only the name "intensity" tells them from counts and other scales.
    """
    seen = [number(one) for one in _some(rows, name)]
    inside = [one for one in seen if one is not None and abs(one) <= SCALE_END]
    if len(inside) < 0.8 * len(seen) or not inside:
        return 0.0
    if min(inside) >= 0 and name.strip().lower() != "intensity":
        return 0.0
    return float(len(set(inside)))


def _value_share(rows: Rows, name: str, known: Callable[[str], bool]) -> float:
    """Share of a column's rows that name a known value."""
    seen = [one for one in _some(rows, name) if isinstance(one, str)]
    fits = {one: known(one) for one in set(seen)}
    share = sum(fits[one] for one in seen) / max(len(seen), 1)
    return share if share >= 0.5 or name.strip().lower() in _VALUE_NAMES else 0.0
