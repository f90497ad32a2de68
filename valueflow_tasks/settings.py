"""The knobs of a measurement, the same in both harnesses."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any

from valueflow_scorers import ValueFlowError, panel_values
from valueflow_scorers._errors import unknown
from valueflow_scorers._measure import Instrument
from valueflow_scorers._records import SHUFFLED, fingerprint
from valueflow_scorers._windows import TWO_PASS

from .profiles._files import is_profile_file, read_json
from .prompts import GENERATION, METHODS, user_turn
from .queries import Query, load_queries, query_set_fingerprint
from .theories import evaluated_values
from .vidb._values import given_name, known_own_values, named_values, own_panels

RESULTS_VERSION = 4
"""Of the tasks in both harnesses: another number, other results from the same answers."""
OFF_TARGETS = ("none", "theory", "all")
STEERING_METHODS = (*METHODS, "vector")
"""How a task steers: by the prompts of METHODS, or by the vectors of a folder."""
INSTRUMENT = (
    "judge", "k", "m", "design", "seed", "profile", "journal", "compat", "target_stderr", "layout",
)  # fmt: skip
"""The knobs that belong to the instrument."""
_NONE: Mapping[str, str | None] = {
    "compat": None, "target_stderr": None, "journal": "none", "off_target": "none",
}  # fmt: skip
"""Knobs that can be none, and what stands for it."""


def measurable_values() -> tuple[str, ...]:
    """Evaluated values that have a panel, in the theories' order."""
    return tuple(value for value in evaluated_values() if value in panel_values())


@dataclass(frozen=True)
class Settings:
    """How to measure. Lists are given as `[a,b]`, JSON, or one name."""

    judge: str = "embedded"
    """Judge name: `embedded`, `simulated:…`, `ranking:<model>`, `choice:…`, `rating:…`."""
    k: int = 6
    """Items per window."""
    m: int = 3
    """Windows per response."""
    design: str = TWO_PASS
    """Window design."""
    seed: int = 0
    """Of the windows."""
    profile: str = "auto"
    """Judge profile: a path or `auto`; the file of a value profile is read as `value_profile`."""
    journal: str = "auto"
    """Folder of a model judge's judgements, `auto` (the user's cache) or `none`."""
    compat: str | None = None
    """`valueflow`: the released evaluator, to compare with."""
    target_stderr: float | None = None
    """Stop asking about an answer once its standard error is this small, points."""
    layout: str = SHUFFLED
    """Of windows: `shuffled`, or `response-last`, which prefix caches make cheaper."""
    queries: str = "test"
    """`core`, `dev`, `calibration`, `test`, `all`, or a path or pattern."""
    values: tuple[str, ...] = ()
    """Values, theories, and folders of values of one's own; empty: all that have a panel."""
    method: str = "definition"
    """How tasks steer: by prompt, `definition` or `exemplars`, or by `vector`."""
    vectors: str = ""
    """Folder of fitted vectors, for `method=vector`."""
    off_target: str = "none"
    """Values on which steered answers are measured besides their target: `none`, `theory`
    (the target's theory) or `all`."""
    value_profile: str = ""
    """File of a value profile (`FILE` or `FILE#NAME`) as which every answer is to be given."""
    links: str = ""
    """File of `valueflow vidb link`; results then say that the values' units are linked."""

    def __post_init__(self) -> None:
        if self.method not in STEERING_METHODS:
            raise unknown("method", self.method, STEERING_METHODS)
        if self.method == "vector" and not self.vectors:
            raise ValueFlowError(
                "method=vector needs vectors=DIR: make one with `valueflow vectors fit -o DIR`"
            )
        if self.off_target not in OFF_TARGETS:
            raise unknown("off_target", self.off_target, OFF_TARGETS)
        resolved = named_values(self.values, measurable_values())
        object.__setattr__(self, "values", resolved or measurable_values())
        if self.links:
            self.link_state(self.values)  # refused before a model is asked anything

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """Names of the knobs."""
        return tuple(field.name for field in fields(cls))

    @classmethod
    def parse(cls, given: Mapping[str, Any]) -> Settings:
        """Settings from strings, numbers and lists as command lines deliver them.

        Raises:
            ValueFlowError: for an unknown name (naming the nearest) or a value of the wrong
                kind.
        """
        content: dict[str, Any] = {}
        for name, raw in given.items():
            if name not in cls.names():
                raise unknown("setting", name, cls.names())
            if name == "value_profile" or (name == "profile" and _of_values(str(raw))):
                content.update({"value_profile": str(raw)} if raw else {})
            elif name == "values":
                content[name] = parse_list(raw)
            elif name in ("k", "m", "seed"):
                content[name] = _whole(name, raw)
            elif raw is None or str(raw).lower() == "none":
                content[name] = _none(name)
            elif name == "target_stderr":
                content[name] = _number(name, raw)
            else:
                content[name] = str(raw)
        return cls(**content)

    def to_dict(self) -> dict[str, Any]:
        """JSON-serialisable content; `parse` reads it."""
        return {**asdict(self), "values": [given_name(value) for value in self.values]}

    def instrument(self) -> Instrument:
        """The instrument of these settings; one per process."""
        # A ruler that was built again while this process runs is another ruler.
        own = tuple((v, one.built) for v, one in known_own_values().items() if v in self.values)
        return _instrument(tuple(getattr(self, name) for name in INSTRUMENT), own)

    @property
    def instrument_knobs(self) -> dict[str, Any]:
        """The knobs that belong to the instrument."""
        return {name: getattr(self, name) for name in INSTRUMENT}

    def link_state(self, values: Sequence[str]) -> dict[str, Any]:
        """Whether the units of these values are linked, as results say it; see `vidb._links`."""
        from .vidb._links import link_state

        return link_state(self.links, {value: self.instrument().panel(value) for value in values})

    def query_set(self) -> tuple[Query, ...]:
        """The questions to ask."""
        return load_queries(self.queries)

    def measured_on(self, target: str) -> tuple[str, ...]:
        """The values on which an answer that was steered toward `target` is measured."""
        others: tuple[str, ...] = ()
        if self.off_target == "theory":
            theory = target.partition("/")[0]
            others = tuple(v for v in measurable_values() if v.startswith(f"{theory}/"))
        elif self.off_target == "all":
            others = measurable_values()
        return tuple(dict.fromkeys([target, *others]))

    def protocol(
        self,
        values: Sequence[str],
        queries: Sequence[Query],
        *,
        chat_template: bool,
        generation: Mapping[str, Any] = GENERATION,
    ) -> str:
        """Fingerprint of the protocol; how a model was steered does not enter.

        Two results are comparable exactly when their protocol fingerprints agree.
        """
        return fingerprint(
            [
                query_set_fingerprint(queries),
                self.instrument().fingerprint(values),
                user_turn("{query}"),
                chat_template,
                {key: generation[key] for key in sorted(generation)},
                RESULTS_VERSION,
            ]
        )


@cache
def _instrument(knobs: tuple[Any, ...], own: tuple[tuple[str, int], ...]) -> Instrument:
    panels = own_panels(value for value, _ in own)
    return Instrument(**dict(zip(INSTRUMENT, knobs, strict=True)), panels=panels)


def parse_list(raw: Any) -> tuple[str, ...]:
    """`[a,b]`, JSON, a sequence, or one name -> names.

    Raises:
        ValueFlowError: for anything else.
    """
    if isinstance(raw, str):
        text = raw.strip()
        if text.startswith("["):
            try:
                raw = json.loads(text)
            except json.JSONDecodeError:
                raw = [part.strip(" '\"") for part in text.strip("[]").split(",")]
        else:
            raw = text.split(",")
    if not isinstance(raw, Sequence) or not all(isinstance(name, str) for name in raw):
        raise ValueFlowError(f"expected names such as [svt/power,mft/care]; got {raw!r}")
    return tuple(name.strip() for name in raw if name.strip())


def _of_values(given: str) -> bool:
    """Whether `profile=` names a value profile; two kinds of file are called a profile.

    Raises:
        ValueFlowError: for a file that is of neither kind, since it is no JSON.
    """
    path = Path(given)
    if path.suffix == ".json" and path.is_file():
        read_json(path)
    # No judge profile is called `FILE#NAME`.
    return is_profile_file(given) or ("#" in given and not path.is_file())


def _none(name: str) -> str | None:
    if name not in _NONE:
        raise ValueFlowError(
            f"{name}=none: leave it out for the default; only {', '.join(_NONE)} can be none"
        )
    return _NONE[name]


def _number(name: str, raw: Any) -> float:
    try:
        return float(raw)
    except (TypeError, ValueError):
        raise ValueFlowError(f"{name}={raw!r}: give a number") from None


def _whole(name: str, raw: Any) -> int:
    try:
        if float(raw) != int(float(raw)):
            raise ValueError
        return int(float(raw))
    except (TypeError, ValueError, OverflowError):
        raise ValueFlowError(f"{name}={raw!r}: give a whole number") from None
