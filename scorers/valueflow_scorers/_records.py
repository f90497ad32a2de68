"""The instrument's records: what is put into a window, what a judge returns.

Every record is immutable. Validation happens on construction, so that a record that
exists is a record that can be used.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from ._checks import check_words
from ._errors import ValueFlowError

SCALE_END = 10.0
"""Intensities lie on [-SCALE_END, SCALE_END]."""

SHUFFLED = "shuffled"
RESPONSE_LAST = "response-last"
LAYOUTS = (SHUFFLED, RESPONSE_LAST)
"""How a window's items are presented: in random order, or anchors first and the response last."""

FloatArray = NDArray[np.float64]


def fingerprint(content: Any) -> str:
    """The first 16 hex digits of the SHA-256 of a value's canonical JSON."""
    canonical = json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]


def words_key(text: str) -> str:
    """The same for every copy of a text, whatever it answers."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def text_key(query: str | None, text: str) -> str:
    """An id for a text that has none: a hash of its query and its words."""
    return "t" + hashlib.sha256(f"{query or ''}\x1f{text}".encode()).hexdigest()[:15]


@dataclass(frozen=True)
class Anchor:
    """A text whose intensity for one value is known."""

    text: str
    """The answer that was rated."""
    intensity: float
    """Its intensity, points on [-10, 10]."""
    query: str | None = None
    """The question it answers."""
    stderr: float = 0.0
    """Standard error of the intensity, points."""
    id: str | None = None
    """Its name within the panel; derived from query and text when not given."""

    def __post_init__(self) -> None:
        _check_text(self)
        # Whole numbers and numpy's are numbers too, and must give the same fingerprint.
        object.__setattr__(self, "intensity", float(self.intensity))
        object.__setattr__(self, "stderr", float(self.stderr))
        if not math.isfinite(self.intensity) or abs(self.intensity) > SCALE_END:
            raise ValueFlowError(
                f"anchor {self.key!r} has intensity {self.intensity}; "
                "intensities are numbers from -10 to 10: correct the label"
            )
        if not math.isfinite(self.stderr) or self.stderr < 0:
            raise ValueFlowError(
                f"anchor {self.key!r} has stderr {self.stderr}; give a number >= 0"
            )

    @property
    def key(self) -> str:
        """The anchor's id, or one derived from its words."""
        return self.id or text_key(self.query, self.text)


@dataclass(frozen=True)
class Response:
    """What the model under test answered; measured together with its query."""

    text: str
    """The answer."""
    query: str | None = None
    """The question that was put to the model."""
    id: str | None = None
    """Its name, from which windows are drawn; derived from query and text when not given."""

    def __post_init__(self) -> None:
        _check_text(self)

    @property
    def key(self) -> str:
        """The response's id, or one derived from its words."""
        return self.id or text_key(self.query, self.text)


def _check_text(one: Anchor | Response) -> None:
    record = "an Anchor" if isinstance(one, Anchor) else "a Response"
    check_words(record, "text", one.text)
    for name, words in (("query", one.query), ("id", one.id)):
        if words is not None:
            check_words(record, name, words)


@dataclass(frozen=True)
class Panel:
    """The ruler of one value: texts of known intensity, and sentinels that check it."""

    value: str
    """The value that is measured, `theory/slug`."""
    anchors: tuple[Anchor, ...]
    """Texts that are shown in windows."""
    sentinels: tuple[Anchor, ...] = ()
    """Texts never shown as anchors; they check judges and the ruler itself."""
    definition: str = ""
    """What the value means, as judges read it."""
    licence: str = ""
    """Terms under which the texts may be used."""
    source: str = ""
    """Where texts and labels come from."""
    draws: Any = field(default=None, repr=False)
    """Plausible label sets, array-like [n_draws, anchors + sentinels], points; None: the
    labels err independently by their standard errors."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "anchors", tuple(self.anchors))
        object.__setattr__(self, "sentinels", tuple(self.sentinels))
        keys = [text.key for text in self.texts]
        if twice := {key for key in keys if keys.count(key) > 1}:
            raise ValueFlowError(
                f"panel {self.value!r} holds {sorted(twice)} more than once; ids must differ"
            )
        intensities = {anchor.intensity for anchor in self.anchors}
        if len(self.anchors) > 1 and len(intensities) == 1:
            raise ValueFlowError(
                f"panel {self.value!r}: all {len(self.anchors)} anchors have the intensity "
                f"{intensities.pop()}; a ruler needs at least two different ones"
            )
        if self.draws is not None:
            draws = np.asarray(self.draws, dtype=float)
            if draws.ndim != 2 or draws.shape[1] != len(keys) or not np.isfinite(draws).all():
                raise ValueFlowError(
                    f"panel {self.value!r}: draws of shape {draws.shape}; expected finite "
                    f"numbers of shape [n_draws, {len(keys)}], anchors first, then sentinels"
                )
            draws.setflags(write=False)
            object.__setattr__(self, "draws", draws)

    @property
    def texts(self) -> tuple[Anchor, ...]:
        """Anchors, then sentinels: the order of `draws`."""
        return self.anchors + self.sentinels

    @cached_property
    def fingerprint(self) -> str:
        """Identity of everything in the panel that can move an estimate."""
        draws = None if self.draws is None else np.round(self.draws, 6).tolist()
        texts = [[asdict(text) for text in role] for role in (self.anchors, self.sentinels)]
        return fingerprint([self.value, self.definition, texts, draws])

    @cached_property
    def label_covariance(self) -> FloatArray:
        """Covariance of the labels' errors, points², [texts, texts]: from `draws` if given."""
        if self.draws is None:
            return np.diag([text.stderr**2 for text in self.texts])
        return np.atleast_2d(np.cov(self.draws, rowvar=False))

    def index(self, key: str) -> int:
        """Position of a text in `texts`.

        Raises:
            ValueFlowError: if the panel has no such text.
        """
        try:
            return self._positions[key]
        except KeyError:
            raise ValueFlowError(f"panel {self.value!r} has no text {key!r}") from None

    @cached_property
    def _positions(self) -> dict[str, int]:
        return {text.key: position for position, text in enumerate(self.texts)}


@dataclass(frozen=True)
class Window:
    """The items a judge is asked to order, in the order in which they are presented."""

    value: str
    """The value by which to order."""
    definition: str
    """What that value means."""
    items: tuple[Anchor | Response, ...]
    """Items in presented order."""
    response_index: int | None
    """Slot of the response; None when every item is to be treated as unknown."""
    layout: str = SHUFFLED
    """One of LAYOUTS; with `response-last` the last item is the response, or in calibration a
    text that stands in for one."""


@dataclass(frozen=True)
class Judgement:
    """What a judge returned for one window: exactly one of the four forms."""

    order: tuple[int, ...] | None = None
    """Item indices of the window, most supportive first."""
    probabilities: tuple[float, ...] | None = None
    """P(item is the most supportive), in presented order."""
    reading: tuple[float, float] | None = None
    """(intensity, sd) of the response itself, points."""
    doubt: float = 0.0
    """Probability that the reading says nothing of the response, [0, 1)."""
    raw: str = ""
    """The judge's own words."""
    failure: str | None = None
    """A short reason why there is no verdict."""

    def __post_init__(self) -> None:
        # Judges are made with numpy; what is saved must be plain.
        if self.order is not None:
            order = (int(slot) if hasattr(slot, "__index__") else slot for slot in self.order)
            object.__setattr__(self, "order", tuple(order))
        if self.probabilities is not None:
            object.__setattr__(self, "probabilities", tuple(map(float, self.probabilities)))
        if self.reading is not None:
            value, sd = self.reading
            object.__setattr__(self, "reading", (float(value), float(sd)))
            object.__setattr__(self, "doubt", float(self.doubt))
        forms = (self.order, self.probabilities, self.reading, self.failure)
        if sum(form is not None for form in forms) != 1:
            raise ValueFlowError(
                "a judgement carries exactly one of order, probabilities, reading, failure; "
                f"got {sum(form is not None for form in forms)}"
            )

    def to_dict(self) -> dict[str, Any]:
        """JSON-serialisable content; empty fields are left out."""
        forms = {
            "order": self.order,
            "probabilities": self.probabilities,
            "reading": self.reading,
        }
        content: dict[str, Any] = {
            name: list(form) for name, form in forms.items() if form is not None
        }
        if self.doubt:
            content["doubt"] = self.doubt
        if self.failure is not None:
            content["failure"] = self.failure
        if self.raw:
            content["raw"] = self.raw
        return content

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Judgement:
        """The judgement that `to_dict` wrote; other keys are ignored."""
        forms = {
            name: tuple(content[name])
            for name in ("order", "probabilities", "reading")
            if name in content
        }
        return cls(
            **forms,
            doubt=float(content.get("doubt", 0.0)),
            failure=content.get("failure"),
            raw=str(content.get("raw", "")),
        )

    def checked(self, size: int) -> Judgement:
        """The judgement, or a failure if it does not fit a window of `size` items."""
        if self.order is not None and not _is_permutation(self.order, size):
            return Judgement(failure="order is no permutation of the window", raw=self.raw)
        if self.probabilities is not None and not _is_distribution(self.probabilities, size):
            return Judgement(failure="probabilities do not fit the window", raw=self.raw)
        if self.reading is not None:
            value, sd = self.reading
            if not (math.isfinite(value) and math.isfinite(sd) and sd > 0):
                return Judgement(failure="reading is not finite", raw=self.raw)
            if not 0 <= self.doubt < 1:
                return Judgement(failure="doubt is no probability below 1", raw=self.raw)
        return self


def _is_permutation(order: Sequence[Any], size: int) -> bool:
    return all(isinstance(slot, int) for slot in order) and sorted(order) == list(range(size))


def _is_distribution(probabilities: Iterable[float], size: int) -> bool:
    values = list(probabilities)
    return (
        len(values) == size
        and all(math.isfinite(p) and p >= 0 for p in values)
        and math.isclose(sum(values), 1.0, abs_tol=1e-3)
    )


@runtime_checkable
class Judge(Protocol):
    """Whatever orders windows: an LLM, an embedding, a simulation, a function of yours."""

    async def judge(self, windows: Sequence[Window]) -> Sequence[Judgement]:
        """One judgement per window, in the same order."""
        ...
