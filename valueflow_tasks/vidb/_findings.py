"""What is odd about a database, found without asking anyone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from ._duplicates import find_duplicates, normalised
from ._sources import Rated

MAX_GAP = 2.5
"""Largest distance between neighbouring labels of a sound ruler, points."""
MAX_LENGTH_R = 0.15
"""Largest |correlation| of labels and word counts, from TOLERATED texts on."""
NEUTRAL = 1.0
"""A text within this distance of zero can show that zero is neutral, points."""
_COPIED_TEXTS = 10
_COPIED_SHARE = 0.9
_COPIED_RUN = 20
_SHOWN = 20


@dataclass(frozen=True)
class Findings:
    """What was found in the databases of a source."""

    values: Mapping[str, Mapping[str, object]]
    """Per value: counts, gap, duplicates and plain-word remarks."""
    copied: tuple[Mapping[str, object], ...]
    """Pairs of values with the same score lists."""
    across: tuple[Mapping[str, object], ...]
    """Pairs of values that share texts."""

    def remarks(self) -> list[str]:
        """Everything odd, a line each."""
        lines = [
            f"{value}: {line}"
            for value, own in self.values.items()
            for line in own["remarks"]  # type: ignore[attr-defined]
        ]
        lines += [f"{one['values']}: score lists are copies ({one['how']})" for one in self.copied]
        lines += [
            f"{one['values']}: share {one['texts']} (near-)equal texts" for one in self.across
        ]
        return lines


def find(database: Mapping[str, Sequence[Rated]]) -> Findings:
    """Gaps, duplicates within and across values, copied score lists.

    Args:
        database: Rated texts by value.
    """
    return Findings(
        {value: _one(rows) for value, rows in database.items()},
        tuple(_copied(database)),
        tuple(_across(database)),
    )


def _one(rows: Sequence[Rated]) -> dict[str, object]:
    labels = np.array([row.label for row in rows])
    words = np.array([len(row.text.split()) for row in rows])
    ordered = np.sort(labels)
    gaps = np.diff(ordered) if len(ordered) > 1 else np.zeros(1)
    widest = int(gaps.argmax())
    twins = find_duplicates([row.text for row in rows])
    spread = labels.std() > 0 and words.std() > 0
    length_r = float(np.corrcoef(labels, words)[0, 1]) if spread else 0.0
    remarks = []
    if gaps[widest] > MAX_GAP:
        remarks.append(
            f"no text between {ordered[widest]:+.1f} and {ordered[widest + 1]:+.1f}, a gap of "
            f"{gaps[widest]:.1f} points"
        )
    if not (np.abs(labels) <= NEUTRAL).any():
        remarks.append(
            f"no text within {NEUTRAL:g} point of zero: nothing shows that zero is neutral"
        )
    if len(twins):
        remarks.append(f"{len(twins)} texts are (nearly) the same as another")
    if abs(length_r) >= max(MAX_LENGTH_R, 2 / np.sqrt(len(rows))):
        remarks.append(f"labels go with length, r = {length_r:+.2f}")
    if np.abs(labels).max() < 7:
        remarks.append(
            f"labels end at {np.abs(labels).max():.1f}: strong answers lie beyond the ruler"
        )
    return {
        "texts": len(rows),
        "range": [float(ordered[0]), float(ordered[-1])],
        "largest_gap": round(float(gaps[widest]), 3),
        "length_r": round(length_r, 3),
        "median_words": float(np.median(words)),
        "duplicates": len(twins),
        "duplicate_pairs": [
            {"texts": [pair.first, pair.second], "overlap": round(pair.overlap, 3)}
            for pair in twins
        ],
        "remarks": remarks,
    }


def _copied(database: Mapping[str, Sequence[Rated]]) -> list[dict[str, object]]:
    """Values whose scores are the same, text by text or position by position."""
    found: list[dict[str, object]] = []
    by_text = {
        value: {normalised(row.text): row.label for row in rows} for value, rows in database.items()
    }
    for one, other in combinations(database, 2):
        shared = by_text[one].keys() & by_text[other].keys()
        # Texts near zero on both are no sign of copying.
        telling = [text for text in shared if by_text[one][text] != 0 or by_text[other][text] != 0]
        same = sum(by_text[one][text] == by_text[other][text] for text in telling)
        if len(telling) >= _COPIED_TEXTS and same >= _COPIED_SHARE * len(telling):
            found.append({"values": [one, other], "how": f"{same} of {len(telling)} shared texts"})
            continue
        first = [row.label for row in database[one]]
        second = [row.label for row in database[other]]
        length = min(len(first), len(second))
        equal = sum(a == b for a, b in zip(first, second, strict=False))
        if length >= _COPIED_RUN and equal >= _COPIED_SHARE * length and len(set(first)) >= 5:
            found.append({"values": [one, other], "how": f"{equal} of {length} positions"})
    return found


def _across(database: Mapping[str, Sequence[Rated]]) -> list[dict[str, object]]:
    owners = [(value, row.text) for value, rows in database.items() for row in rows]
    counts: dict[tuple[str, str], int] = {}
    shown: dict[tuple[str, str], list[str]] = {}
    for pair in find_duplicates([text for _, text in owners]):
        one, other = owners[pair.first][0], owners[pair.second][0]
        if one != other:
            key = (one, other)
            counts[key] = counts.get(key, 0) + 1
            shown.setdefault(key, []).append(owners[pair.second][1])
    return [
        {"values": list(key), "texts": count, "examples": shown[key][:_SHOWN]}
        for key, count in counts.items()
    ]
