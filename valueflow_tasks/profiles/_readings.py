"""Texts -> the values that they are about -> what was measured on each."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from valueflow_scorers import IntensityEstimate, ValueFlowError
from valueflow_scorers._measure import Answer, Instrument
from valueflow_scorers._refusal import REFUSED
from valueflow_scorers.judges import ResolvedJudge

from ..hives import HivesEncoder
from ..settings import measurable_values
from ..theories import evaluated_values
from ._leak import sentence_keys
from ._record import BuiltFrom
from ._relevance import LEAST, relevance
from ._texts import Written

ABOUT_NONE = "about none of the values"


class About(NamedTuple):
    """How far a text is about a value."""

    weight: float
    """How relevant it is, (0, 1]."""
    distance: float | None
    """Its HiVES distance from the value; None: it names the value itself."""


@dataclass(frozen=True)
class Reading:
    """One text measured on one value."""

    group: str
    """Whose text."""
    value: str
    """On what."""
    weight: float
    """How relevant the text is to the value, (0, 1]."""
    estimate: IntensityEstimate
    """What was measured, with its likelihood."""
    distance: float | None = None
    """As `About.distance`."""


@dataclass(frozen=True)
class Read:
    """All that was read of some groups."""

    readings: tuple[Reading, ...]
    """One per text and value that it is about."""
    built_from: Mapping[str, BuiltFrom]
    """By group."""
    texts: Mapping[str, int]
    """Texts of each group."""
    unused: Mapping[str, Mapping[str, int]]
    """Texts that entered no value, by group and reason."""
    notes: tuple[str, ...] = ()
    """What somebody who reads the result has to know of how it was read."""

    @staticmethod
    def joined(parts: Sequence[Read]) -> Read:
        """Readings of several sources together.

        Raises:
            ValueFlowError: if two of them have a group of the same name.
        """
        names = [name for part in parts for name in part.built_from]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueFlowError(
                f"several sources have a group {twice[0]!r}: group them by fields that differ"
            )
        return Read(
            tuple(one for part in parts for one in part.readings),
            {name: one for part in parts for name, one in part.built_from.items()},
            {name: one for part in parts for name, one in part.texts.items()},
            {name: one for part in parts for name, one in part.unused.items()},
            tuple(note for part in parts for note in part.notes),
        )


def weigh(
    texts: Sequence[Written], values: Sequence[str] | None, encoder: HivesEncoder | str
) -> list[dict[str, About]]:
    """The values that each text is about, and how far: those that it names, or by distance.

    HiVES has no distance from a value of one's own: all texts that name no value are about one
    that is wanted, as all answers of a task are.

    Args:
        texts: Of anybody.
        values: The values that are wanted; None: the 32, and whatever a text names.
        encoder: Tells distances.

    Raises:
        ValueFlowError: for an unknown encoder.
    """
    found = [
        {v: About(1.0, None) for v in one.values if values is None or v in values} for one in texts
    ]
    open_ones = [place for place, one in enumerate(texts) if not one.values and one.text.strip()]
    wanted = measurable_values() if values is None else values
    known = [value for value in wanted if value in evaluated_values()]
    for place in open_ones:
        found[place] = {value: About(1.0, None) for value in wanted if value not in known}
    if open_ones and known:
        likely, far = relevance([texts[place].text for place in open_ones], known, encoder)
        for place, weights, distances in zip(open_ones, likely, far, strict=True):
            found[place] |= {
                value: About(float(weight), float(distance))
                for value, weight, distance in zip(known, weights, distances, strict=True)
                if weight >= LEAST
            }
    return found


def read_texts(
    texts: Sequence[Written],
    instrument: Instrument,
    values: Sequence[str] | None,
    encoder: HivesEncoder | str = "hives-mini",
) -> Read:
    """Measure texts on the values that they are about.

    Args:
        texts: Of one or several groups.
        instrument: What measures.
        values: As `weigh`.
        encoder: Decides what a text is about that does not say so itself.

    Raises:
        ValueFlowError: as `weigh` and the instrument do.
    """
    weights = weigh(texts, values, encoder)
    about = [tuple(own) for own in weights]
    answers = [
        Answer(one.key, one.query, one.text, own) for one, own in zip(texts, about, strict=True)
    ]
    asked = {answer.id: answer for answer in answers}
    # The same text may stand in two groups; it is judged once, on all that it is about.
    for answer in answers:
        known = asked[answer.id]
        asked[answer.id] = replace(
            known, values=tuple(dict.fromkeys([*known.values, *answer.values]))
        )
    measured = dict(zip(asked, instrument.measure(list(asked.values())), strict=True))
    readings: list[Reading] = []
    unused: dict[str, Counter[str]] = defaultdict(Counter)
    for one, answer, own in zip(texts, answers, weights, strict=True):
        found = measured[answer.id]
        scored = [value for value in own if not found.refused and found.estimates[value].scored]
        readings += [
            Reading(
                one.group, value, own[value].weight, found.estimates[value], own[value].distance
            )
            for value in scored
        ]
        if not scored:
            unused[one.group][_why(found.refused, own, found.estimates)] += 1
    named = any(not one.values for one in texts)
    groups = dict.fromkeys(one.group for one in texts)
    profile = instrument.judge_profile
    return Read(
        tuple(readings),
        {
            group: built_from(
                [one for one in texts if one.group == group],
                profile.judge,
                profile.fingerprint,
                encoder_name(encoder) if named else None,
            )
            for group in groups
        },
        Counter(one.group for one in texts),
        {group: dict(unused[group]) for group in groups},
        _cut([answer.text for answer in asked.values() if answer.values], instrument.resolved),
    )


def _cut(texts: Sequence[str], judge: ResolvedJudge) -> tuple[str, ...]:
    """That some texts are longer than the judge reads, if any are."""
    cut = sum(judge.cuts(texts))
    return (judge.cut_note(cut, len(texts)),) if cut else ()


def _why(refused: bool, about: Iterable[str], estimates: Mapping[str, IntensityEstimate]) -> str:
    if refused:
        return REFUSED
    reasons = [estimates[value].reason for value in about]
    return str(reasons[0]) if reasons else ABOUT_NONE


def encoder_name(encoder: HivesEncoder | str) -> str:
    """What an encoder was asked for as."""
    return encoder if isinstance(encoder, str) else encoder.name


def built_from(
    texts: Iterable[Written], judge: str | None, judge_profile: str | None, encoder: str | None
) -> BuiltFrom:
    """What a profile is read from, as it is kept."""
    keys: set[str] = set()
    ids: set[str] = set()
    known = True
    for one in texts:
        known &= one.known
        keys |= sentence_keys(one.text)
        keys |= sentence_keys(one.query) if one.query else frozenset()
        ids |= {one.id} if one.id else set()
    return BuiltFrom(
        frozenset(keys) if known else None, frozenset(ids), judge, judge_profile, encoder
    )
