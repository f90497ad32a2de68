"""Findings in words, as far as the intervals support them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from markupsafe import Markup

from ._labels import number, rows_of, value_name
from ._parts import Condition, Part

_MOST = 3
"""Values that are named."""

Row = Mapping[str, Any]
"""A row of the table of metrics over all targets."""


def findings(part: Part) -> Iterator[Markup]:
    """Sentences that the intervals support."""
    found = wholes(part, "steerability")
    real = {key: row for key, row in found.items() if key[0] not in part.controls}
    if found:
        yield from _steered(part, real or found)
    else:
        yield from _leaning(part)


def wholes(part: Part, metric: str) -> dict[Condition, Row]:
    """A metric over all targets, by condition, largest first."""
    table = part.overall
    if not len(table):
        return {}
    rows = table[(table["metric"] == metric) & (table["target"] == "")]
    ordered = rows.sort_values("estimate", ascending=False, kind="stable")
    return {(one["model"], one["method"]): one for one in rows_of(ordered)}


def _steered(part: Part, found: Mapping[Condition, Row]) -> Iterator[Markup]:
    first, best = next(iter(found.items()))
    many = f"{best['values']} values" if best["values"] > 1 else value_name(part.steered[0])
    yield Markup(
        "<b>{}</b> uses <b>{}</b> of the room that steering has ({}), mean over {}."
    ).format(part.condition_name(first), share_in_words(best["estimate"]), _ends(best), many)
    yield from _resisting(part, first)
    alike = {key: row for key, row in found.items() if _values(part, key) == _values(part, first)}
    yield from _ordered(part, alike)


def _values(part: Part, condition: Condition) -> frozenset[str]:
    """The values that a condition's mean is over; means over others are another number."""
    table = part.overall
    own = (table["model"] == condition[0]) & (table["method"] == condition[1])
    return frozenset(table[own & (table["metric"] == "steerability")]["target"]) - {""}


def _ordered(part: Part, alike: Mapping[Condition, Row]) -> Iterator[Markup]:
    """What the intervals say about the order of conditions, largest first."""
    if len(alike) < 2:
        return
    first, last = next(iter(alike)), list(alike)[-1]
    worst = alike[last]
    if max(row["low"] for row in alike.values()) <= min(row["high"] for row in alike.values()):
        yield Markup("All {} intervals overlap: nothing here puts the conditions in order.").format(
            len(alike)
        )
    elif worst["high"] < alike[first]["low"]:
        yield Markup("The least, <b>{}</b>, uses <b>{}</b> ({}).").format(
            part.condition_name(last), share_in_words(worst["estimate"]), _ends(worst)
        )
    else:
        yield Markup("Some of the {} intervals do not overlap: the table has them.").format(
            len(alike)
        )


def share_in_words(value: float) -> str:
    """`62 %`; below zero a true minus."""
    return f"{100 * value:.0f}\u00a0%".replace("-0\u00a0", "0\u00a0").replace("-", "−")


def _ends(row: Row) -> str:
    low, high = share_in_words(row["low"]), share_in_words(row["high"])
    return f"90 % interval {low} to {high}"


def _resisting(part: Part, condition: Condition) -> Iterator[Markup]:
    """Which values a condition moves, and which resist it."""
    if not len(part.regimes):
        return
    model, method = condition
    own = part.regimes[(part.regimes["model"] == model) & (part.regimes["method"] == method)]
    kinds = own.groupby("type")["target"].apply(list).to_dict()
    told = [f"{len(kinds[kind])} {words}" for kind, words in _KINDS.items() if kind in kinds]
    if len(told) == 1:
        yield Markup("All {}.").format(told[0].replace(" ", " values ", 1))
    elif told:
        yield Markup("Of {} values {}.").format(len(own), _listed(told))
    if "hard" in kinds and len(told) > 1:
        hard = _listed([value_name(value) for value in kinds["hard"]])
        yield Markup("It resists on {}.").format(hard)


_KINDS = {
    "bidirectional": "move both ways",
    "asymmetric": "move one way far better than the other",
    "hard": "resist both ways",
    "undetermined": "remain undecided",
}


def _leaning(part: Part) -> Iterator[Markup]:
    models = [one for one in part.models if one not in part.controls] or part.models
    plain = part.cells[part.cells["level"] == 0] if len(part.cells) else part.cells
    for model in models[:_MOST]:
        own = plain[plain["model"] == model] if len(plain) else plain
        known = own[own["mean"].notna()] if len(own) else own
        if not len(known):
            continue
        up = known[known["low"] > 0].sort_values("mean", ascending=False)[:_MOST]
        down = known[known["high"] < 0].sort_values("mean")[:_MOST]
        clear = int(((known["low"] > 0) | (known["high"] < 0)).sum())
        parts = [
            f"{word} {_listed([_valued(row) for row in rows_of(rows)])}"
            for word, rows in (("supports", up), ("opposes", down))
            if len(rows)
        ]
        said = "; it ".join(parts) if parts else "takes no clear side"
        yield Markup("Unsteered, <b>{}</b> {}. {} of {} intervals leave out neutral.").format(
            part.named[model], said, clear, len(known)
        )


def _valued(row: Row) -> str:
    return f"{value_name(row['value'])} ({number(row['mean'], 1, sign=True)})"


def _listed(words: Sequence[str]) -> str:
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} and {words[-1]}"
