"""Refusals by stated patterns.

A refusal is the model declining to answer, in the first words of an answer. Declining within
a story, an apology, or explaining why one would say no to a request is an answer.
"""

from __future__ import annotations

import re

REFUSED = "refusal"
"""Reason of an answer that is not scored since it is one."""
_CANNOT = r"(?:can'?t|cannot|can not|won'?t|will not|(?:am|'m) (?:un|not )able to|must decline to)"
_ANSWER = (
    r"(?:help|assist|answer|respond|provide|comply|fulfil|engage|discuss|participate|continue|"
    r"role-?play|generate|create|write)\b(?! (?:\w+ing|but|it|his|her|their|my|him|them)\b)"
)
_SORRY = r"(?:(?:i'?m|i am) (?:very |so |really )?sorry|sorry|apologies|unfortunately)"
_AI = r"as an? (?:ai|artificial intelligence|(?:large )?language model)\b"

PATTERNS: tuple[str, ...] = (
    rf"(?:{_SORRY},? (?:but )?)?(?:{_AI},? )?i ?{_CANNOT} {_ANSWER}",
    r"i (?:must|have to|need to) (?:respectfully )?(?:decline|refuse) to (?:answer|respond)\b",
    r"i'?d (?:rather|prefer) not (?:to )?(?:answer|respond)\b",
    rf"(?:{_SORRY},? (?:but )?)?{_AI}.{{0,40}}(?:don'?t|do not) have "
    r"(?:personal |any )?(?:opinions|feelings|beliefs|preferences|experiences)",
)
"""Matched, without regard to case, at the start of the answer."""

_REFUSAL = re.compile("|".join(f"(?:{one})" for one in PATTERNS), re.IGNORECASE | re.DOTALL)


def is_refusal(text: str) -> bool:
    """Whether an answer opens by declining to answer."""
    return _REFUSAL.match(text.lstrip(" \t\n\"'*").replace("’", "'")) is not None


def declines(query: str | None, text: str) -> bool:
    """Whether a text declines to answer its query.

    A text without a query is no answer and declines nothing: a person may open with what he
    cannot do, and mean it.
    """
    return bool(query and query.strip()) and is_refusal(text)
