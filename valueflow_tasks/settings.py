"""The knobs of a measurement, the same in both harnesses."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from functools import cache
from typing import Any

from valueflow_scorers import ValueFlowError, panel_values
from valueflow_scorers._errors import unknown
from valueflow_scorers._measure import Instrument
from valueflow_scorers._records import fingerprint

from .prompts import GENERATION, METHODS, user_turn
from .queries import Query, load_queries, query_set_fingerprint
from .theories import evaluated_values, resolve_values

OFF_TARGETS = ("none", "theory", "all")


def measurable_values() -> tuple[str, ...]:
    """Evaluated values that have a panel, in the theories' order."""
    return tuple(value for value in evaluated_values() if value in panel_values())


@dataclass(frozen=True)
class Settings:
    """How to measure. Lists are given as `[a,b]`, JSON, or one name."""

    judge: str = "embedded"
    """Judge name: `embedded`, `simulated:…`, `ranking:<model>`."""
    k: int = 6
    """Items per window."""
    m: int = 3
    """Windows per response."""
    design: str = "bucket"
    """Window design."""
    seed: int = 0
    """Of the windows."""
    profile: str = "auto"
    """Judge profile: a path or `auto`."""
    queries: str = "test"
    """`core`, `dev`, `test`, `all`, or a path or pattern."""
    values: tuple[str, ...] = ()
    """Values or theories; empty: all that have a panel."""
    method: str = "definition"
    """How prompts steer: `definition` or `exemplars`."""
    off_target: str = "none"
    """Values on which steered answers are measured besides their target: `none`, `theory`
    (the target's theory) or `all`."""

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise unknown("method", self.method, METHODS)
        if self.off_target not in OFF_TARGETS:
            raise unknown("off_target", self.off_target, OFF_TARGETS)
        resolved = resolve_values(self.values, measurable_values())
        object.__setattr__(self, "values", resolved or measurable_values())

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
            if name == "values":
                content[name] = parse_list(raw)
            elif name in ("k", "m", "seed"):
                content[name] = _whole(name, raw)
            else:
                content[name] = str(raw)
        return cls(**content)

    def to_dict(self) -> dict[str, Any]:
        """JSON-serialisable content; `parse` reads it."""
        return {**asdict(self), "values": list(self.values)}

    def instrument(self) -> Instrument:
        """The instrument of these settings; one per process."""
        return _instrument(self.judge, self.k, self.m, self.design, self.seed, self.profile)

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
            ]
        )


@cache
def _instrument(judge: str, k: int, m: int, design: str, seed: int, profile: str) -> Instrument:
    return Instrument(judge, k, m, design, seed, profile)


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


def _whole(name: str, raw: Any) -> int:
    try:
        if float(raw) != int(float(raw)):
            raise ValueError
        return int(float(raw))
    except (TypeError, ValueError):
        raise ValueFlowError(f"{name}={raw!r}: give a whole number") from None
