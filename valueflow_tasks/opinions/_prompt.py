"""How an opinion question is put, and how an answer is read."""

from __future__ import annotations

import re
import string
from collections.abc import Callable, Sequence

from ..vidb._duplicates import normalised
from ._survey import Question

TURN = "{steering}{question}\n\n{options}\n\nAnswer with the letter of one option.\n\nAnswer:"
"""The user turn; what steers comes first, the same in every arm."""
ATTRIBUTE = "You are one of the {attribute}. Answer as most of them would."
"""What steers in the arm that tells the group's name and nothing of its values."""
_MARKS = r"[\s:*_(\[{<$\"'“‘`]*"
"""What may stand before a letter."""
_AFFIRMED = r"(?:is|seems|would be) (?:my|(?:the )?(?:best|right|correct|closest|most))"
_DENIED = r"(?:is|was|isn['’]t|seems) (?:not|wrong|the wrong|less)"
_ALONE = re.compile(
    rf"{_MARKS}(?:([A-Z])(?:[).:,;*_`\"”\]}}>$]|['’](?!\w)|\s+[-–—]\s|\s*\n|\s*$"
    rf"|\s+(?:because|since|{_AFFIRMED})\b)"
    r"|([a-z])(?:[).:*_`\"”\]}>$](?!\w)|['’](?!\w)|\s*$))"
)
"""A letter that stands by itself; a small one is a word unless a mark closes it."""
_BEFORE_WORDS = re.compile(rf"{_MARKS}([A-Z])\s+")
_LOOSE = re.compile(rf"{_MARKS}([A-HJ-Z])\b(?!\s+(?:or|and|nor|{_DENIED})\b|\s*/)")
_CUES = (
    (r"\\boxed\{(?:\\text\{)?", False),
    (r"\b(?:answer|choice)\b(?: (?:is|would be)\b|[*_ ]*:| )", True),
    (r"(?<!not )(?<!n['’]t )(?<!never )\b(?:choose|chose|select|pick|go with)\b", True),
    (r"\b(?:option|letter)\b(?: is\b|[*_ ]*:)?", False),
)
"""What comes before the letter of an answer, surest first; and whether any words may follow it."""
_BREAK = re.compile(r"[^\w\s]|\n|$")


def shown_options(question: Question) -> tuple[str, ...]:
    """Options in the order in which they are shown."""
    return question.options[::-1] if question.reversed else question.options


def letters(question: Question) -> str:
    """The letters of the options as shown."""
    return string.ascii_uppercase[: len(question.options)]


def opinion_turn(question: Question, steering: str = "") -> str:
    """The user turn of a question under some steering text."""
    lines = "\n".join(
        f"{letter}. {option}"
        for letter, option in zip(letters(question), shown_options(question), strict=True)
    )
    before = f"{steering}\n\n" if steering else ""
    return TURN.format(steering=before, question=question.text, options=lines)


def read_letter(question: Question, answer: str) -> int | None:
    """The place of the option that an answer names, in the question's own order.

    An answer names an option if it begins with its letter as a list does (`B`, `(b)`, `B - Agree`)
    or with its words, or says which one it is (`the answer is B`, `I'd choose B`). None: neither,
    or the surest way in which it says so names several.
    """
    found = _letter(question, answer)
    if found is None:
        found = _longest(question, lambda option: f"{normalised(answer)} ".startswith(f"{option} "))
    if found is not None:
        return found
    for cue, loose in _CUES:
        rests = [answer[one.end() :] for one in re.finditer(cue, answer, re.IGNORECASE)]
        named = {_said(question, rest, loose) for rest in rests} - {None}
        if named:
            return named.pop() if len(named) == 1 else None
    return None


def _letter(question: Question, text: str) -> int | None:
    """The option whose letter a text begins with, by itself or before that option's words."""
    if (found := _ALONE.match(text)) is not None:
        return _place(question, (found[1] or found[2]).upper())
    if (found := _BEFORE_WORDS.match(text)) is not None:
        place = _place(question, found[1])
        words = f"{normalised(text[found.end() :])} "
        # `A friend would know` names nothing.
        if place is not None and words.startswith(f"{normalised(question.options[place])} "):
            return place
    return None


def _said(question: Question, rest: str, loose: bool) -> int | None:
    """The option that is named right after a cue, by its letter or its words."""
    if (found := _letter(question, rest)) is not None:
        return found
    # `no` in `no, because`, not in `no such question`.
    heads = {normalised(rest[: one.start()]) for one in _BREAK.finditer(rest)}
    if (found := _longest(question, heads.__contains__)) is not None:
        return found
    letter = _LOOSE.match(rest) if loose else None
    return None if letter is None else _place(question, letter[1])


def _longest(question: Question, fits: Callable[[str], bool]) -> int | None:
    """The longest option whose words, normalised, fit."""
    named = [
        (len(option), place)
        for place, option in enumerate(question.options)
        if fits(normalised(option))
    ]
    return max(named)[1] if named else None


def _place(question: Question, letter: str) -> int | None:
    allowed = letters(question)
    return own_place(question, allowed.index(letter)) if letter in allowed else None


def own_place(question: Question, shown: int) -> int:
    """The place in the question's own order of what is shown at a place."""
    return len(question.options) - 1 - shown if question.reversed else shown


def own_order(question: Question, shown: Sequence[float]) -> tuple[float, ...]:
    """Numbers per shown option, in the question's own order."""
    return tuple(shown[::-1] if question.reversed else shown)
