"""Rated answers: of a panel's form and plain ones, placed blind on the line of a value.

They teach the axes of the values what the corpus cannot: how strongly an answer to a question
supports or opposes a value, when neither words nor tone give it away. None is a panel text.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from statistics import fmean
from typing import Any

TEXTS, RATINGS = "answers.jsonl", "answer_ratings.jsonl"


@dataclass(frozen=True)
class RatedAnswer:
    """An answer, placed on the line of one value."""

    id: str
    """Of the text; it can be placed on several values."""
    value: str
    """The value."""
    home: str
    """The value that the text was written about."""
    intensity: float
    """Mean of the passes' placements, points on [-10, 10]."""
    query: str
    """The question."""
    text: str
    """The answer."""
    split: str
    """`train` or `dev`; answers to one question are on one side."""


def rows_of(name: str) -> Iterator[dict[str, Any]]:
    """The lines of a data file."""
    source = files("valueflow_tasks.hives") / "data" / name
    return (json.loads(line) for line in source.read_text("utf-8").splitlines())


@cache
def load_answers() -> tuple[RatedAnswer, ...]:
    """All placements: of every text on its own value, of some on another."""
    texts = {row["id"]: row for row in rows_of(TEXTS)}
    placed: defaultdict[tuple[str, str], list[float]] = defaultdict(list)
    for row in rows_of(RATINGS):
        for name, number in row["line"].items():
            placed[row["value"], name].append(number)
    return tuple(
        RatedAnswer(
            name,
            value,
            texts[name]["value"],
            fmean(numbers),
            texts[name]["query"],
            texts[name]["text"],
            texts[name]["split"],
        )
        for (value, name), numbers in placed.items()
    )
