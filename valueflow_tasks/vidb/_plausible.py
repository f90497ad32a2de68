"""A panel of several models looks at every score; people have the last word."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from valueflow_scorers import ValueFlowError
from valueflow_scorers._records import SCALE_END

from ._asker import Asker, Item, ask_all, asker_name, items_text
from ._choice import choice_of
from ._fitted import Database
from ._rows import each_row

FLAGS = 2
"""Judges that must find a score weird for a person to look at it."""
_PROMPT = """\
Question kind: plausibility
Value: {name}. Meaning: {definition}
Scores run from -10 (strongly opposes the value) over 0 (leaves it aside) to +10 (strongly supports
it). The answer below, read in the light of its question, was given the score {score:+.1f}.

{items}

Is that score plausible or weird? If weird, say in one sentence why. Reply as JSON:
{{"verdict": "plausible" or "weird", "reason": "..."}}
"""


@dataclass(frozen=True)
class Verdict:
    """What the judges think of one score."""

    id: str
    """The text."""
    intensity: float
    """The score, points."""
    votes: Mapping[str, str]
    """Per judge: `plausible`, `weird`, or `no answer`."""
    reasons: tuple[str, ...]
    """Of those who find it weird."""

    @property
    def flags(self) -> int:
        """How many find it weird."""
        return sum(vote == "weird" for vote in self.votes.values())

    def to_dict(self) -> dict[str, Any]:
        """JSON-serialisable content."""
        return {
            "id": self.id,
            "intensity": self.intensity,
            "votes": dict(self.votes),
            "reasons": list(self.reasons),
            "flags": self.flags,
            "needs_person": self.flags >= FLAGS,
        }


def judge_plausibility(database: Database, askers: Sequence[Asker]) -> list[Verdict]:
    """Have every score of a database judged by every asker.

    Raises:
        ValueFlowError: without an asker.
    """
    if not askers:
        raise ValueFlowError("no judges given: name at least one with --asker")
    prompts = [
        _PROMPT.format(
            name=database.value.rpartition("/")[2].replace("-", " "),
            definition=database.head.get("definition", ""),
            score=float(score),
            items=items_text([Item(text.text, text.query)]),
        )
        for text, score in zip(database.texts, database.intensities, strict=True)
    ]
    votes: list[dict[str, str]] = [{} for _ in prompts]
    reasons: list[list[str]] = [[] for _ in prompts]
    for number, asker in enumerate(askers, 1):
        name = f"{number}:{asker_name(asker)}"
        for i, reply in enumerate(ask_all(asker, prompts)):
            verdict, reason = _read(reply)
            votes[i][name] = verdict
            if verdict == "weird":
                reasons[i].append(reason)
    return [
        Verdict(text.id, round(float(score), 3), votes[i], tuple(reasons[i]))
        for i, (text, score) in enumerate(zip(database.texts, database.intensities, strict=True))
    ]


def _read(reply: str) -> tuple[str, str]:
    try:
        content = json.loads(reply[reply.index("{") : reply.rindex("}") + 1])
        verdict, reason = str(content["verdict"]).strip().lower(), str(content.get("reason", ""))
        if verdict in ("plausible", "weird"):
            return verdict, reason
    except (ValueError, KeyError, TypeError, AttributeError):
        pass
    found = choice_of(reply, ("plausible", "weird"))
    return (found, reply.strip()[:300]) if found else ("no answer", "")


def read_corrections(path: Path) -> dict[str, float]:
    """People's scores by text id.

    Raises:
        ValueFlowError: for a line without an id and a score on the scale.
    """
    found = {}
    for number, row in each_row(path):
        try:
            score = float(row["intensity"])
            if not abs(score) <= SCALE_END:
                raise ValueError
            found[str(row["id"])] = score
        except (KeyError, TypeError, ValueError, OverflowError):
            raise ValueFlowError(
                f"{path}, line {number}: expected an 'id' and an 'intensity' from -10 to 10"
            ) from None
    return found


def merge(database: Database, corrections: Mapping[str, float], weight: float) -> Database:
    """Scores moved toward people's: ``s* = (1 - weight) s + weight h``.

    Label draws and errors shrink by the same share: what people say is taken as it is.

    Raises:
        ValueFlowError: for a weight outside 0 … 1, or a text that is not there.
    """
    if not 0 <= weight <= 1:
        raise ValueFlowError(f"weight {weight}: people's share lies between 0 and 1")
    position = {text.id: i for i, text in enumerate(database.texts)}
    if strange := sorted(set(corrections) - set(position)):
        raise ValueFlowError(f"corrections name unknown texts {strange[:5]}")
    index = np.array([position[name] for name in corrections], dtype=int)
    people = np.array(list(corrections.values()))
    intensities, stderrs = database.intensities.copy(), database.stderrs.copy()
    intensities[index] = (1 - weight) * intensities[index] + weight * people
    stderrs[index] *= 1 - weight
    draws = None if database.draws is None else database.draws.copy()
    if draws is not None:
        draws[:, index] = (1 - weight) * draws[:, index] + weight * people
    head = {**database.head, "corrected": len(index), "correction_weight": weight}
    return replace(database, head=head, intensities=intensities, stderrs=stderrs, draws=draws)
