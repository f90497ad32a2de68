"""A value profile: how strongly somebody stands for each value, and what that was read from."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import Any

from scipy.stats import norm
from valueflow_scorers import ValueFlowError
from valueflow_scorers._errors import unknown
from valueflow_scorers._records import SCALE_END, fingerprint

from ..theories import evaluated_values
from ..vidb._values import given_name, named_values

_Z90 = float(norm.ppf(0.95))
VAGUE = 4.5
"""Half of what a 90 % interval reaches of which nothing is known (±9 points)."""


@dataclass(frozen=True)
class ValueScore:
    """What is known of one value."""

    intensity: float
    """Points on [-10, 10], drawn toward the population as far as texts are few."""
    stderr: float = 0.0
    """Its standard error, points; 0 where the intensity was declared, not measured."""
    mean: float | None = None
    """Mean of the texts before it was drawn toward anything; None: declared."""
    mean_stderr: float | None = None
    """Standard error of that mean, label error of the ruler included."""
    texts: int = 0
    """Texts that entered."""
    weight: float = 0.0
    """Sum of how relevant they are, each 0 to 1."""
    others: float | None = None
    """Mean intensity of the other profiles that were made together, by the same judge."""
    distance: float | None = None
    """Mean HiVES distance of the texts that entered; None: they name the value themselves."""

    def __post_init__(self) -> None:
        for one in fields(self):
            number = getattr(self, one.name)
            if number is None and one.default is None:
                continue
            if isinstance(number, bool) or not isinstance(number, int | float):
                raise ValueFlowError(f"{one.name} {number!r} is no number")
        if not abs(self.intensity) <= SCALE_END:
            raise ValueFlowError(f"intensity {self.intensity}: give a number from -10 to 10")
        if not (math.isfinite(self.stderr) and self.stderr >= 0):
            raise ValueFlowError(f"stderr {self.stderr}: give a number >= 0")

    @property
    def raw(self) -> tuple[float, float]:
        """Mean of the texts and its error; of a declared score the intensity itself."""
        if self.mean is None or self.mean_stderr is None:
            return self.intensity, self.stderr
        return self.mean, self.mean_stderr

    @property
    def separation(self) -> float:
        """Points between this and the other profiles' mean; 0 without others."""
        return 0.0 if self.others is None else self.intensity - self.others

    def interval(self, mass: float = 0.9) -> tuple[float, float]:
        """Intensity ± z·stderr, inside the scale."""
        half = float(norm.ppf(0.5 + mass / 2)) * self.stderr
        return max(-SCALE_END, self.intensity - half), min(SCALE_END, self.intensity + half)

    @property
    def vague(self) -> bool:
        """Whether it may be either side of neutral, and hardly any place of the scale is ruled out.

        Its 90 % interval holds 0 and reaches VAGUE points to each side, or more.
        """
        low, high = self.interval()
        return low <= 0 <= high and _Z90 * self.stderr >= VAGUE

    def to_dict(self) -> dict[str, Any]:
        """JSON-serialisable content; empty fields are left out."""
        content: dict[str, Any] = {"intensity": round(self.intensity, 4)}
        for name in [one.name for one in fields(self)][1:]:
            number = getattr(self, name)
            if number is not None and (number or name == "mean"):
                content[name] = round(number, 4)
        return content


@dataclass(frozen=True)
class BuiltFrom:
    """What a profile was read from, as hashes: enough to tell whether it has seen a question."""

    sentences: frozenset[str] | None = frozenset()
    """Keys (see `sentence_keys`) of every text and every question that it answers; None: its
    sources do not hold all of them."""
    ids: frozenset[str] = frozenset()
    """Ids of the texts, as their file gives them."""
    judge: str | None = None
    """Name of the judge; None: declared, nothing was measured."""
    judge_profile: str | None = None
    """Fingerprint of the judge's profile."""
    encoder: str | None = None
    """What decided which values a text is about; None: the file did."""

    @property
    def measured_by(self) -> tuple[str | None, str | None]:
        """Judge and judge profile: numbers are comparable where these agree."""
        return self.judge, self.judge_profile

    def to_dict(self) -> dict[str, Any]:
        """JSON-serialisable content."""
        return {
            "sentences": None if self.sentences is None else sorted(self.sentences),
            "ids": sorted(self.ids),
            "judge": self.judge,
            "judge_profile": self.judge_profile,
            "encoder": self.encoder,
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> BuiltFrom:
        """What `to_dict` wrote.

        Raises:
            KeyError, TypeError: if it is something else.
        """
        told = content["sentences"]
        names = (content.get(name) for name in ("judge", "judge_profile", "encoder"))
        return cls(
            None if told is None else _set(told),
            _set(content["ids"]),
            *(None if name is None else str(name) for name in names),
        )


def _set(given: Any) -> frozenset[str]:
    if not isinstance(given, list):
        raise TypeError(f"{given!r} is no list")
    return frozenset(map(str, given))


@dataclass(frozen=True)
class ValueProfile:
    """How strongly a person, a group or a model stands for each value."""

    name: str
    """Of whom it is; the group's name where texts were grouped."""
    scores: Mapping[str, ValueScore]
    """By value; values that no text is about are missing."""
    built_from: BuiltFrom | None = None
    """None: the file does not say, so it may have seen anything."""
    attribute: str = ""
    """How the group is called in a prompt; empty: by its name."""
    texts: int = 0
    """Texts that were read."""
    unused: Mapping[str, int] = field(default_factory=dict)
    """Texts that entered no value, by reason."""

    def __post_init__(self) -> None:
        if not self.scores:
            raise ValueFlowError(f"profile {self.name!r} has no value: there is nothing to tell")

    @property
    def vague(self) -> int:
        """How many values it says next to nothing of; see `ValueScore.vague`."""
        return sum(one.vague for one in self.scores.values())

    @cached_property
    def fingerprint(self) -> str:
        """Identity of whom it describes and how."""
        return fingerprint([self.name, {v: one.to_dict() for v, one in self.scores.items()}])

    def to_dict(self) -> dict[str, Any]:
        """JSON-serialisable content."""
        content: dict[str, Any] = {"name": self.name}
        if self.attribute:
            content["attribute"] = self.attribute
        content |= {"texts": self.texts, "unused": dict(self.unused)}
        content["values"] = {given_name(v): one.to_dict() for v, one in self.scores.items()}
        content["built_from"] = None if self.built_from is None else self.built_from.to_dict()
        return content

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> ValueProfile:
        """What `to_dict` wrote, or somebody by hand.

        Raises:
            ValueFlowError: for a value or a number that is none.
        """
        name = content.get("name")
        values, built = content.get("values"), content.get("built_from")
        if not isinstance(name, str) or not isinstance(values, Mapping):
            raise ValueFlowError("a profile is an object with 'name' and 'values'")
        try:
            scores = _scores(values)
            told = None if built is None else BuiltFrom.from_dict(built)
            texts = int(content.get("texts") or 0)
            unused = {str(why): int(n) for why, n in (content.get("unused") or {}).items()}
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            lacks = f"lacks {error}" if isinstance(error, KeyError) else str(error)
            raise ValueFlowError(
                f"profile {name!r}: not as `save_profiles` writes it ({lacks})"
            ) from None
        except ValueFlowError as error:
            raise ValueFlowError(f"profile {name!r}: {error}") from None
        return cls(name, scores, told, str(content.get("attribute") or ""), texts, unused)


def _scores(values: Mapping[str, Any]) -> dict[str, ValueScore]:
    scores: dict[str, ValueScore] = {}
    for name, content in values.items():
        value, *more = named_values([name], evaluated_values())
        if more or value in scores:
            wrong = "is a theory" if more else f"is {value}, which stands there already"
            raise ValueFlowError(f"{name!r} {wrong}: name each value once")
        scores[value] = _score(value, content)
    return scores


def _score(value: str, content: Any) -> ValueScore:
    given = content if isinstance(content, Mapping) else {"intensity": content}
    known = [one.name for one in fields(ValueScore)]
    for name in given:
        if name not in known:
            raise unknown(f"field of {value}", name, known)
    if "intensity" not in given:
        raise ValueFlowError(f"{value} is missing its intensity")
    try:
        return ValueScore(**given)
    except ValueFlowError as error:
        raise ValueFlowError(f"{value}: {error}") from None
