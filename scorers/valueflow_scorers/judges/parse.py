"""Read an order of letters, or a number, out of what a model wrote.

Orders are accepted alone or after any reasoning: a bracketed list (`[C, A, B]`, `["C", "A", "B"]`,
in a code fence or inside JSON), a chain (`C > A > B`, `C, A, B` on a line of its own), and
lines of letters numbered 1, 2, 3 … The last complete order counts. A number is accepted alone on
the reply's last line. Anything else is a failure with a reason, never a guess.

Every pattern begins where no other match of it can be under way, and the next character tells
whether a repetition goes on: a reply is read in time proportional to its length.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from .._records import SCALE_END, Judgement

LETTERS = "ABCDEFGHIJ"
MAX_READ = 100_000
"""Characters at the end of a reply that are read: an order stands at its end."""

ROUNDING_SD = 0.3
"""Of a number given in whole points; what it errs besides is fitted."""

_BRACKETS = re.compile(r"\[([^\[\]]{1,200})\]")
_CHAIN = re.compile(r"(?<![A-Za-z])[A-Za-z](?:[ \t]*(?:>|≻|›)[ \t]*[A-Za-z](?![A-Za-z]))+")
_LINE = re.compile(r"^[ \t]*[A-Za-z](?:[ \t]*,[ \t]*[A-Za-z])+[ \t.]*$", re.MULTILINE)
_NUMBERED = re.compile(
    r"(?:^[ \t]*\d{1,2}[.):][ \t]*\**[(\[]?([A-Za-z])[)\]]?\**[ \t.]*(?:$|[-–—:].*$)\n?){2,}",
    re.MULTILINE,
)
_NUMBERS = re.compile(r"\[[\d\s,]+\]|(?<!\d)\d+\s*[,>]\s*(?:\d+\s*[,>]\s*)*\d+")
_NUMBERED_ITEM = re.compile(r"^[ \t]*(\d{1,2})[.):][ \t]*\**[(\[]?([A-Za-z])", re.MULTILINE)
_MARKS = " \t\r\n*_`\"'"  # stand around a number and mean nothing: white space, markdown, quotes
_RATING = re.compile(
    r"(?:(?:my |final |the )*(?:answer|number|rating|score)[*_ ]*[:=][*_ ]*)?"
    r"([-−–+]?\d{1,3}(?:\.\d{1,9}|,\d{1,2})?)",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class _Found:
    """Something that could be an order."""

    end: int
    """Where it ends."""
    tokens: Sequence[str]
    in_order: bool = True
    """Whether its lines, if they are numbered, are numbered 1, 2, 3 …"""


def _lists(text: str) -> Iterator[_Found]:
    for match in _BRACKETS.finditer(text):
        tokens = [token.strip(" \t\n\"'`*") for token in re.split(r"[,;>]", match.group(1))]
        if all(re.fullmatch(r"[A-Za-z]", token) for token in tokens):
            yield _Found(match.end(), tokens)
    for pattern in (_CHAIN, _LINE):
        for match in pattern.finditer(text):
            yield _Found(match.end(), re.findall(r"[A-Za-z]", match.group()))
    for match in _NUMBERED.finditer(text):
        numbers, letters = zip(*_NUMBERED_ITEM.findall(match.group()), strict=True)
        in_order = [int(number) for number in numbers] == list(range(1, len(numbers) + 1))
        yield _Found(match.end(), letters, in_order)


def parse_order(text: str, size: int) -> Judgement:
    """The order of `size` letters that a reply ends in.

    Args:
        text: What the model wrote.
        size: How many items the window has.

    Returns:
        A judgement with item indices, most supportive first; or a failure: `empty reply`,
        `no order found`, `letters missing`, `letters repeated`, `unknown letters`,
        `numbers out of order` (is the line numbered 2 the second, or the one written second?).
    """
    if not text.strip():
        return Judgement(failure="empty reply")
    expected = LETTERS[:size]
    reason = "no order found"
    for found in sorted(_lists(text[-MAX_READ:]), key=lambda one: one.end, reverse=True):
        letters = "".join(found.tokens).upper()
        if sorted(letters) == sorted(expected):
            if not found.in_order:
                return Judgement(failure="numbers out of order", raw=text)
            return Judgement(order=tuple(expected.index(letter) for letter in letters), raw=text)
        if reason == "no order found":
            reason = _what_is_wrong(letters, expected)
    return Judgement(failure=reason, raw=text)


def _what_is_wrong(letters: str, expected: str) -> str:
    if set(letters) - set(expected):
        return "unknown letters"
    if len(set(letters)) < len(letters):
        return "letters repeated"
    return "letters missing"


def parse_numbers(text: str, size: int) -> Judgement:
    """The last complete list of the numbers 1 to `size`; read only for the released evaluator.

    A vector of ranks has the same form and is read as an order: one of the release's faults.
    """
    wanted = sorted(str(number) for number in range(1, size + 1))
    for match in reversed(list(_NUMBERS.finditer(text[-MAX_READ:]))):
        numbers = re.findall(r"\d+", match.group())
        if sorted(numbers) == wanted:
            return Judgement(order=tuple(int(number) - 1 for number in numbers), raw=text)
    return Judgement(failure="no order found", raw=text)


def parse_rating(text: str) -> Judgement:
    """The number that a reply's last line consists of.

    Args:
        text: What the model wrote.

    Returns:
        A reading; or a failure: `empty reply`, `no number alone` (in words, of several, as in
        `7/10`), `number outside [-10, 10]`.
    """
    whole = text[-MAX_READ:].strip(_MARKS)
    if not whole:
        return Judgement(failure="empty reply", raw=text)
    line = whole[whole.rfind("\n") + 1 :].lstrip(_MARKS).rstrip(_MARKS + ".")
    match = _RATING.fullmatch(line)
    if match is None:
        return Judgement(failure="no number alone", raw=text)
    value = float(re.sub("[−–]", "-", match.group(1)).replace(",", "."))
    if abs(value) > SCALE_END:
        return Judgement(failure="number outside [-10, 10]", raw=text)
    return Judgement(reading=(value, ROUNDING_SD), raw=text)
