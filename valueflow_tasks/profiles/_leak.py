"""A profile never sees a question that it is scored on.

Every text that enters a profile, and every question that it answers, is kept as the hashes of its
sentences. A question leaks if it occurs there as a whole, or if all of its sentences do, whatever
stands around them, case and punctuation aside; or if a text carries the question's id.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from valueflow_scorers import ValueFlowError
from valueflow_scorers._records import words_key

from ..vidb._duplicates import normalised
from ._record import ValueProfile

_SENTENCE = re.compile(r"[.?!:;\n]+")
_FEWEST = 3
"""Words of a sentence that can tell a question; `Why?` tells none."""


def sentence_keys(text: str) -> frozenset[str]:
    """Hashes of a text as a whole and of its sentences."""
    parts = [normalised(part) for part in _SENTENCE.split(text)]
    told = [part for part in parts if len(part.split()) >= _FEWEST]
    return frozenset(map(words_key, [normalised(text), *told]))


def tells_sources(profile: ValueProfile) -> bool:
    """Whether it is known of a profile what it has seen."""
    return profile.built_from is not None and profile.built_from.sentences is not None


def is_leaked(profile: ValueProfile, question_id: str, question: str) -> bool:
    """Whether a profile was built from a question.

    Raises:
        ValueFlowError: if the profile does not say what it was built from, or not all of it.
    """
    built = profile.built_from
    if built is None:
        raise ValueFlowError(
            f"profile {profile.name!r} does not say what it was built from, so it may have seen "
            "the answers that it is scored on: build it with `valueflow profile`, or state in its "
            'file {"built_from": {"sentences": [], "ids": []}} that it was built from no text'
        )
    if built.sentences is None:
        raise ValueFlowError(
            f"profile {profile.name!r} was built from answers whose words or questions its sources "
            "do not hold, so it may have seen the questions that it is scored on: build it again "
            "with the file that `valueflow score` read in its place, or from whole logs"
        )
    if question_id in built.ids:
        return True
    whole = words_key(normalised(question))
    parts = sentence_keys(question) - {whole}
    return whole in built.sentences or (bool(parts) and parts <= built.sentences)


def check_leak(profile: ValueProfile, questions: Iterable[tuple[str, str]]) -> None:
    """Refuse to score a profile on what it was built from.

    Args:
        profile: The profile.
        questions: Ids and texts of the questions that it would be scored on.

    Raises:
        ValueFlowError: naming the questions that leak.
    """
    asked = list(questions)
    leaked = [name for name, text in asked if is_leaked(profile, name, text)]
    if leaked:
        shown = ", ".join(leaked[:5]) + (", …" if len(leaked) > 5 else "")
        raise ValueFlowError(
            f"profile {profile.name!r} was built from {len(leaked)} of the {len(asked)} questions "
            f"that it would be scored on ({shown}): build it from other texts, or from the "
            "development questions alone"
        )
