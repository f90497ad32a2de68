"""A steering spec: everything that steers a request, as JSON, with a fingerprint."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any

from valueflow_scorers import ValueFlowError

from ._canonical import canonical_json, sha256
from ._vector import SteeringVector
from ._words import Operator, Scope, Unit, check_words

VERSION = 1
"""Of the JSON form and of what enters the fingerprint."""


@dataclass(frozen=True)
class Target:
    """A value and how strongly it is asked for."""

    value: str
    """Id of the value, such as `svt/benevolence`."""
    level: float
    """Requested dose: -2 to 2 for prompts, any number for vectors; 0 is unsteered."""

    def __post_init__(self) -> None:
        if not self.value:
            raise ValueFlowError("a target needs the id of a value, such as 'svt/benevolence'")
        object.__setattr__(self, "level", _finite(self.level, f"level of {self.value}"))


@dataclass(frozen=True)
class VectorDose:
    """A vector file, the fingerprint it must have, and how much of it."""

    path: str
    """Where the safetensors file lies; no part of the spec's fingerprint."""
    fingerprint: str
    """Of the vector in it."""
    coefficient: float
    """In the spec's unit (radians for `rotate`, a share for `ablate`)."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "path", str(self.path))
        name = f"coefficient of {self.path}"
        object.__setattr__(self, "coefficient", _finite(self.coefficient, name))


@dataclass(frozen=True)
class Promise:
    """What a dial said of an intensity that was asked for; nothing of it steers."""

    value: str
    """The value."""
    asked: float
    """The intensity that was asked for, points."""
    expected: float
    """The intensity that the dial's curve gives where it stands, points."""
    low: float
    """Lower end of the 90 % interval of the mean over `queries` new queries."""
    high: float
    """Upper end."""
    queries: int
    """Over how many new queries the interval is stated."""
    judge: str
    """The judge that the dial was measured with."""
    profile: str
    """Fingerprint of that judge's profile."""
    samples: int = 1
    """Answers per query that the interval is stated for."""
    temperature: float = 0.0
    """At which they are drawn; 0: greedy."""


@dataclass(frozen=True)
class SteeringSpec:
    """What steers one request: a prompt, vectors, or both.

    Raises:
        ValueFlowError: for unknown words, a value named twice, a prompt at level 0, or a target
            that nothing steers toward (it would be run unsteered and reported as steered).
    """

    targets: tuple[Target, ...] = ()
    """What is asked for, in the order of the request."""
    prompt: str = ""
    """The steering sentence, as it goes into the user turn; empty: no prompt steering."""
    vectors: tuple[VectorDose, ...] = ()
    """The vectors, in the order in which they act."""
    unit: Unit = "residual"
    """Unit of the coefficients."""
    scope: Scope = "all"
    """Tokens that the vectors act on."""
    operator: Operator = "add"
    """What the vectors do."""
    promises: tuple[Promise, ...] = ()
    """What dials promise of it; no part of the fingerprint."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "targets", tuple(self.targets))
        object.__setattr__(self, "vectors", tuple(self.vectors))
        object.__setattr__(self, "promises", tuple(self.promises))
        check_words(self.unit, self.scope, self.operator)
        if not isinstance(self.prompt, str):
            raise ValueFlowError(
                f"prompt is {self.prompt!r}; it must be text, empty for no prompt steering"
            )
        names = [target.value for target in self.targets]
        if len(set(names)) < len(names):
            raise ValueFlowError(f"a value is targeted twice in {names}: give it one level")
        asked = any(target.level != 0 for target in self.targets)
        if asked and self.is_unsteered:
            raise ValueFlowError(
                f"targets {[(t.value, t.level) for t in self.targets]} with neither a prompt nor "
                "a vector that acts: nothing would steer"
            )
        if self.targets and not asked and self.prompt:
            raise ValueFlowError(
                f"all targets are at level 0, which is unsteered, yet there is the prompt "
                f"{self.prompt!r}: leave it out, or name no targets"
            )

    @property
    def acting_vectors(self) -> tuple[VectorDose, ...]:
        """The vectors that do something; a coefficient of 0 does, for `project`."""
        if self.operator == "project":
            return self.vectors
        return tuple(dose for dose in self.vectors if dose.coefficient != 0)

    @property
    def is_unsteered(self) -> bool:
        """True when a model under this spec does what it does without it."""
        return not self.prompt and not self.acting_vectors

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of what the spec does, 64 hex digits.

        Where a file lies, what a dial promises, the order of targets, vectors without effect, and
        the words of vectors that are not there do not enter; all unsteered specs share one
        fingerprint.
        """
        vectors = [[dose.fingerprint, dose.coefficient] for dose in self.acting_vectors]
        content: dict[str, Any] = {"version": VERSION}
        if not self.is_unsteered:
            content["targets"] = sorted([t.value, t.level] for t in self.targets if t.level != 0)
            content["prompt"] = self.prompt
        if vectors:
            content["vectors"] = vectors
            content["how"] = [self.unit, self.scope, self.operator]
        return sha256(canonical_json(content, "spec"))

    def load_vectors(self, root: str | Path = ".") -> list[SteeringVector]:
        """Read the vectors, in the order of `vectors`.

        Args:
            root: folder that relative paths are relative to.

        Raises:
            ValueFlowError: if a file is missing, or holds another vector than the spec names.
        """
        loaded = []
        for dose in self.vectors:
            vector = SteeringVector.load(Path(root) / dose.path)
            if vector.fingerprint != dose.fingerprint:
                raise ValueFlowError(
                    f"the vector in {dose.path} is {vector.fingerprint}, the spec was written for "
                    f"{dose.fingerprint}: restore the file, or write the spec again"
                )
            loaded.append(vector)
        return loaded

    def to_dict(self) -> dict[str, Any]:
        """The spec as JSON data; `from_dict` reads it."""
        data = json.loads(canonical_json(asdict(self), "spec"))
        if not self.promises:
            del data["promises"]
        return {"version": VERSION, **data}

    def to_json(self) -> str:
        """The spec as canonical JSON: one text for one spec."""
        return canonical_json(self.to_dict(), "spec")

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> SteeringSpec:
        """Read a spec; keys that are left out have their defaults.

        Raises:
            ValueFlowError: for another version, an unknown key, a bad entry, or no mapping.
        """
        if not isinstance(data, Mapping):
            raise ValueFlowError(f"a steering spec is a JSON object; given {data!r}")
        given = dict(data)
        version = given.pop("version", VERSION)
        if version != VERSION:
            raise ValueFlowError(f"steering spec of version {version!r}; this reads {VERSION}")
        allowed = [field.name for field in fields(cls)]
        if extra := set(given) - set(allowed):
            raise ValueFlowError(
                f"a steering spec has no {', '.join(sorted(extra))}; it has {', '.join(allowed)}"
            )
        try:
            given["targets"] = tuple(Target(**item) for item in given.get("targets", ()))
            given["vectors"] = tuple(VectorDose(**item) for item in given.get("vectors", ()))
            given["promises"] = tuple(Promise(**item) for item in given.get("promises", ()))
        except TypeError as error:
            raise ValueFlowError(
                "targets are objects with value and level, vectors objects with path, fingerprint "
                f"and coefficient, promises as a dial made them: {error}"
            ) from error
        return cls(**given)

    @classmethod
    def from_json(cls, text: str) -> SteeringSpec:
        """Read a spec from JSON text.

        Raises:
            ValueFlowError: if it is not a JSON object, and as `from_dict`.
        """
        try:
            data = json.loads(text)
        except json.JSONDecodeError as error:
            raise ValueFlowError(f"a steering spec must be JSON: {error}") from error
        return cls.from_dict(data)


def _finite(given: object, name: str) -> float:
    if isinstance(given, bool) or not isinstance(given, int | float) or not math.isfinite(given):
        raise ValueFlowError(f"{name} is {given!r}; it must be a finite number")
    return float(given) + 0.0  # -0.0 would be another fingerprint for the same dose
