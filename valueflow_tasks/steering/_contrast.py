"""Contrast texts: what opposes, what is neutral, and what supports a value."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from valueflow_scorers import ValueFlowError
from valueflow_scorers._errors import unknown

from ..prompts import exemplars, steering_text, user_turn
from ..queries import Query, load_queries
from ._answer import Loaded, answer

STRONG = (-2, 0, 2)
"""Levels at which the model is asked for contrast texts: mild answers blur the sides."""
SOURCES = ("exemplars", "prompts")
"""Where contrast texts come from: the value's exemplars, or the model's own answers to prompts
that ask for both sides. A path of JSON Lines is a third: texts of the user's own."""
_ENDINGS = (".jsonl", ".json")


@dataclass(frozen=True)
class Contrast:
    """Texts on both sides of a value."""

    turns: tuple[str, ...]
    """User turns; with the steering prompt where that is what made the text."""
    texts: tuple[str, ...]
    """An answer to each."""
    levels: tuple[float, ...]
    """How strongly each supports the value."""
    source: str
    """Where they come from."""


def contrast_texts(loaded: Loaded, value: str, source: str, queries: Sequence[Query]) -> Contrast:
    """Texts that oppose and support a value; never anchors or sentinels.

    Args:
        loaded: The model; it answers where `source` is `prompts`.
        value: The value.
        source: `exemplars`, `prompts`, or a JSON Lines file of `{"text", "level", "query"?}`.
        queries: Development queries, for `prompts`.

    Raises:
        ValueFlowError: for an unknown source, a malformed file, a text of the panel, or a text
            that answers a test query.
    """
    if source == "prompts":
        asked = [(query, level) for query in queries for level in STRONG]
        turns = [user_turn(query.text, steering_text(value, level)) for query, level in asked]
        told = answer(loaded, turns)
        kept = [index for index, text in enumerate(told) if text.strip()]
        return Contrast(
            tuple(turns[index] for index in kept),
            tuple(told[index] for index in kept),
            tuple(float(asked[index][1]) for index in kept),
            source,
        )
    if source == "exemplars":
        rows = [("", text, float(n)) for n, texts in exemplars(value).items() for text in texts]
    else:
        rows = own_texts(source)
    _refuse_panel_texts(value, [text for _, text, _ in rows])
    # Without a question of its own a text answers a development query, the same on both sides.
    turns = [user_turn(q or queries[i % len(queries)].text) for i, (q, _, _) in enumerate(rows)]
    texts = [f" {text}" for _, text, _ in rows]
    levels = [level for _, _, level in rows]
    if 0.0 not in levels:  # the model's own unsteered answers are the neutral side
        plain = [user_turn(query.text) for query in queries]
        told = answer(loaded, plain)
        own = [index for index, text in enumerate(told) if text.strip()]
        turns += [plain[index] for index in own]
        texts += [told[index] for index in own]
        levels += [0.0] * len(own)
    return Contrast(tuple(turns), tuple(texts), tuple(levels), source)


def own_texts(source: str) -> list[tuple[str, str, float]]:
    """Query, text and level of every line of a user's own file; none for a source that has a name.

    Args:
        source: See `contrast_texts`.

    Raises:
        ValueFlowError: for an unknown source, a malformed file, or a text that answers a test
            query.
    """
    if source in SOURCES:
        return []
    path = Path(source)
    if path.suffix not in _ENDINGS:
        if not path.is_file():
            raise unknown("source of contrast texts", source, [*SOURCES, "FILE.jsonl"])
        raise ValueFlowError(
            f"contrast texts {source}: give a JSON Lines file whose name ends in "
            f"{' or '.join(_ENDINGS)}, or one of {', '.join(SOURCES)}"
        )
    rows = _read(path)
    refuse_test_queries([Query(query, query) for query, _, _ in rows])
    return rows


def _read(path: Path) -> list[tuple[str, str, float]]:
    rows = []
    try:
        lines = path.read_text("utf-8-sig").splitlines()
    except OSError as error:
        raise ValueFlowError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ValueFlowError(f"{path} is no UTF-8: save it as UTF-8") from None
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            level = float(row["level"])
            if not math.isfinite(level):
                raise ValueError
            rows.append((str(row.get("query") or ""), str(row["text"]), level))
        except (KeyError, TypeError, ValueError, AttributeError):
            raise ValueFlowError(
                f'{path}, line {number}: expected {{"text": …, "level": -2 … 2, "query"?: …}}'
            ) from None
    return rows


def _refuse_panel_texts(value: str, texts: Sequence[str]) -> None:
    """What measures must not have been fitted on."""
    from valueflow_scorers import load_panel

    known = {_words(text.text) for text in load_panel(value).texts}
    for text in texts:
        if _words(text) in known:
            raise ValueFlowError(
                f"the contrast text {text[:60]!r}… is an anchor or sentinel of {value}: it would "
                "be fitted and measured with; leave it out"
            )


def refuse_test_queries(queries: Sequence[Query]) -> None:
    """Whatever is fitted or chosen must not see the queries that are reported.

    Raises:
        ValueFlowError: for the first test query.
    """
    reported = {_words(query.text) for query in load_queries("test")}
    for query in queries:
        if _words(query.text) in reported:
            raise ValueFlowError(
                f"query {query.id!r} is a test query: what is fitted or chosen sees `dev` only"
            )


def _words(text: str) -> str:
    """A text without what copying changes: case and the width of spaces."""
    return " ".join(text.casefold().split())
