"""To which value does a text speak? A vote of several models, level by level (VALUEFLOW)."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from valueflow_scorers import ValueFlowError

from ..theories import Node, Theory
from ._asker import Asker, Item, ask_all, items_text
from ._choice import choice_of
from ._texts import Text

AGREEING = 5 / 7
"""Share of votes with which an option is accepted."""
LEAD = 2
"""Votes ahead of the next option with which it is accepted too."""
NEUTRAL = "Neutral"
DIRECTIONS = ("supports", "opposes", "neutral")
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_PROMPT = """\
Question kind: category
Theory: {theory}.

{items}

To which of these does the answer, read in the light of its question, speak most?
{options}

Reply with the letter alone.
"""
_DIRECTION = """\
Question kind: direction
Value: {name}. Meaning: {definition}

{items}

Does the answer, read in the light of its question, support the value, oppose it, or neither?
Reply with one word: supports, opposes or neutral.
"""


@dataclass
class Labelled:
    """A text on its way through the hierarchy."""

    text: Text
    """The text."""
    path: list[str] = field(default_factory=list)
    """Slugs from root to leaf."""
    direction: str = ""
    """`supports`, `opposes` or `neutral`; empty while unknown."""
    status: str = "open"
    """`open`, `accepted`, `neutral`, or `person`: a person has to decide."""
    votes: list[dict[str, int]] = field(default_factory=list)
    """Per level that was asked."""

    def to_dict(self) -> dict[str, Any]:
        """JSON-serialisable content."""
        return {
            **self.text.to_dict(),
            "path": self.path,
            "direction": self.direction,
            "status": self.status,
            "votes": self.votes,
        }


def accepted(votes: Counter[str], voters: int) -> str | None:
    """The option that wins: at least five of seven, or a lead of two."""
    ranked = votes.most_common(2)
    if not ranked:
        return None
    best, count = ranked[0]
    behind = ranked[1][1] if len(ranked) > 1 else 0
    return best if count >= math.ceil(AGREEING * voters) or count - behind >= LEAD else None


def label(texts: Sequence[Text], theory: Theory, askers: Sequence[Asker]) -> list[Labelled]:
    """Find each text's path from root to leaf, and its direction.

    Every level is asked in one batch for all texts that are still open. Without a winner the
    level is asked once more with `Neutral` among the options, then left to a person.

    Raises:
        ValueFlowError: without askers.
    """
    if not askers:
        raise ValueFlowError(
            "no judges given: name at least one with --asker (the paper has seven)"
        )
    found = [Labelled(text) for text in texts]
    while waiting := [one for one in found if one.status == "open"]:
        options = [_options(theory, one.path) for one in waiting]
        winners = _vote(waiting, options, theory, askers)
        unsure = [i for i, winner in enumerate(winners) if winner is None]
        again = _vote(
            [waiting[i] for i in unsure],
            [[*options[i], None] for i in unsure],
            theory,
            askers,
        )
        for i, winner in zip(unsure, again, strict=True):
            winners[i] = winner
        for one, winner in zip(waiting, winners, strict=True):
            _advance(one, winner, theory)
    _directions([one for one in found if one.status == "accepted"], theory, askers)
    return found


def _options(theory: Theory, path: Sequence[str]) -> list[Node | None]:
    nodes = theory.children(path[-1]) if path else [n for n in theory.nodes if not n.parents]
    return list(nodes)


def _advance(one: Labelled, winner: str | None, theory: Theory) -> None:
    if winner is None:
        one.status = "person"
    elif winner == NEUTRAL:
        one.status = "neutral"
    else:
        one.path.append(winner)
        if not theory.children(winner):
            one.status = "accepted"


def _vote(
    waiting: Sequence[Labelled],
    options: Sequence[Sequence[Node | None]],
    theory: Theory,
    askers: Sequence[Asker],
) -> list[str | None]:
    """The winning slug of each text, `Neutral`, or None."""
    prompts = [
        _PROMPT.format(
            theory=theory.name,
            items=items_text([Item(one.text.text, one.text.query)]),
            options="\n".join(
                f"{letter}. {NEUTRAL}: none of these"
                if node is None
                else f"{letter}. {node.name}: {node.definition}"
                for letter, node in zip(_LETTERS, offered, strict=False)
            ),
        )
        for one, offered in zip(waiting, options, strict=True)
    ]
    votes: list[Counter[str]] = [Counter() for _ in waiting]
    for asker in askers:
        for i, reply in enumerate(ask_all(asker, prompts)):
            offered = options[i]
            letter = choice_of(reply, _LETTERS[: len(offered)])
            if letter is not None:
                node = offered[_LETTERS.index(letter)]
                votes[i][NEUTRAL if node is None else node.slug] += 1
    for one, cast in zip(waiting, votes, strict=True):
        one.votes.append(dict(cast))
    return [accepted(cast, len(askers)) for cast in votes]


def _directions(found: Sequence[Labelled], theory: Theory, askers: Sequence[Asker]) -> None:
    prompts = []
    for one in found:
        node = theory.by_slug[one.path[-1]]
        items = items_text([Item(one.text.text, one.text.query)])
        prompts.append(_DIRECTION.format(name=node.name, definition=node.definition, items=items))
    votes: list[Counter[str]] = [Counter() for _ in found]
    for asker in askers:
        for cast, reply in zip(votes, ask_all(asker, prompts), strict=True):
            choice = choice_of(reply, DIRECTIONS)
            if choice is not None:
                cast[choice] += 1
    for one, cast in zip(found, votes, strict=True):
        winner = accepted(cast, len(askers))
        one.votes.append(dict(cast))
        if winner is None:
            one.status = "person"
        else:
            one.direction = winner
