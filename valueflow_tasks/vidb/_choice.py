"""Which of the options a reply in words names."""

from __future__ import annotations

import re
from collections.abc import Sequence

_ALONE = r"({any})(?!\w)(?!\s*(?:[,/]|or\b|and\b|,\s*(?:or|and)\b)\s*[\W_]*(?:{any})(?!\w))"
_SIGN_AFTER = r"(?=[*_\"'”’]*(?:\s*$|[.:;,)\]](?!\d)|\s+[-–—(]))"
_STATED = r"(?i:\b(?:answer|choice|verdict|final)\b[\W_]*(?:(?:is|are)\b[\W_]*)?)"
_MARKED = r"\*\*({any})\*\*|\(({any})\)"


def choice_of(reply: str, options: Sequence[str]) -> str | None:
    """The option that opens a reply or is stated as its answer; else the one that is marked.

    A vote that is misread does more harm than one that is lost. What merely occurs in a
    sentence ("it is not weird") or opens one ("A text about …") is therefore no choice, nor is
    one of two that differ ("A or B", or **A** here and **B** there). Letters are told by case.

    Args:
        reply: What was replied.
        options: Letters, digits or words.
    """
    lines = [line for line in reply.split("\n") if line.strip()]
    if not lines:
        return None
    short = all(len(option) == 1 for option in options)
    named = "|".join(map(re.escape, options))
    alone, case = _ALONE.format(any=named), "" if short else "(?i)"
    opens = re.match(rf"{case}[\W_]*{alone}{_SIGN_AFTER if short else '(?![?])'}", lines[0])
    found = re.findall(f"{case}{_STATED}{alone}", reply)
    if opens:
        found.append(opens[1])
    if not found:
        found = ["".join(one) for one in re.findall(case + _MARKED.format(any=named), reply)]
    chosen = {one.lower() for one in found}
    if len(chosen) != 1:
        return None
    return next(option for option in options if option.lower() in chosen)
