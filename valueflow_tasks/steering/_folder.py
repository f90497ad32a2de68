"""A folder of fitted vectors: a safetensors file per value, doses included.

Toward support and against it the same vector may serve with a sign, or a second one may stand
beside it (`….against.safetensors`), which then takes all levels below 0 with their size.

`valueflow vectors fit -o DIR` writes it; `vectors=DIR` reads it in both harnesses. The dose of
one level stands in the vector's own `fit` entry, so a file says by itself how it is to be used.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from valueflow_scorers import ValueFlowError
from valueflow_scorers._errors import unknown

from ._canonical import sha256
from ._spec import SteeringSpec, Target, VectorDose
from ._vector import SteeringVector

DOSE = "dose_per_level"
"""Entry of a vector's `fit`: the coefficient, in residual norms, that one level is worth."""


def vector_file(folder: str | Path, value: str) -> Path:
    """Where a value's vector lies in a folder."""
    return Path(folder) / f"{value.replace('/', '-')}.safetensors"


def against_file(folder: str | Path, value: str) -> Path:
    """Where the vector for levels below 0 lies, if the value has one of its own."""
    return Path(folder) / f"{value.replace('/', '-')}.against.safetensors"


def dial_file(folder: str | Path, value: str) -> Path:
    """Where a value's dose-response curve lies in a folder."""
    return Path(folder) / f"{value.replace('/', '-')}.dial.json"


@dataclass(frozen=True)
class Fitted:
    """What steers one value."""

    vector: SteeringVector
    """Points toward support."""
    against: SteeringVector | None = None
    """Points toward opposition; None: `vector` with the other sign."""

    @property
    def value(self) -> str:
        """The value."""
        return self.vector.value

    @property
    def fingerprint(self) -> str:
        """Of the one vector, or of both."""
        if self.against is None:
            return self.vector.fingerprint
        return sha256(self.vector.fingerprint, self.against.fingerprint)

    @property
    def dose_per_level(self) -> float:
        """Coefficient of one level, in residual norms.

        Raises:
            ValueFlowError: if the vector says nothing of its dose.
        """
        if DOSE not in self.vector.fit:
            raise ValueFlowError(
                f"the vector of {self.value} carries no {DOSE}: fit it with `valueflow vectors "
                "fit`, or steer by a JSON spec with a coefficient of your own"
            )
        return float(self.vector.fit[DOSE])

    def dosed(self, dose: float) -> tuple[SteeringVector, float]:
        """The vector that acts at a signed dose, and its coefficient."""
        if dose < 0 and self.against is not None:
            return self.against, -dose
        return self.vector, dose


class VectorFolder:
    """The vectors of a folder, by value."""

    def __init__(self, folder: str | Path) -> None:
        """Read what is there.

        Raises:
            ValueFlowError: if it is no folder or holds no vector with a value.
        """
        self.folder = Path(folder)
        if not self.folder.is_dir():
            raise ValueFlowError(
                f"vectors={str(folder)!r} is no folder: make one with "
                "`valueflow vectors fit -o DIR`"
            )
        self.vectors: dict[str, Fitted] = {}
        for path in sorted(self.folder.glob("*.safetensors")):
            if path.name.endswith(".against.safetensors"):
                continue
            vector = SteeringVector.load(path)
            if path != vector_file(self.folder, vector.value):
                raise ValueFlowError(
                    f"{path} holds the vector of {vector.value or 'no value'!r}; it must be called "
                    f"{vector_file(self.folder, vector.value or 'theory/value').name}"
                )
            other = against_file(self.folder, vector.value)
            against = SteeringVector.load(other) if other.is_file() else None
            self.vectors[vector.value] = Fitted(vector, against)
        if not self.vectors:
            raise ValueFlowError(f"no steering vector (*.safetensors) in {self.folder}")

    def vector(self, value: str) -> Fitted:
        """What steers a value.

        Raises:
            ValueFlowError: if the folder has none.
        """
        if value not in self.vectors:
            raise unknown(f"value in {self.folder}", value, self.vectors)
        return self.vectors[value]

    def dose(self, value: str, level: float) -> float:
        """Coefficient of a level, in residual norms.

        Raises:
            ValueFlowError: if the vector says nothing of its dose.
        """
        return level * self.vector(value).dose_per_level

    def spec(self, targets: dict[str, float]) -> SteeringSpec:
        """What steers toward levels (real numbers) of one or several values.

        Raises:
            ValueFlowError: for a value without a vector, or vectors of different scopes.
        """
        return self.dosed(targets, {v: self.dose(v, level) for v, level in targets.items()})

    def dosed(self, targets: dict[str, float], doses: dict[str, float]) -> SteeringSpec:
        """What steers with these coefficients; `targets` says what is asked for by them.

        Raises:
            ValueFlowError: for a value without a vector, or vectors of different scopes.
        """
        scopes = {str(self.vector(value).vector.fit.get("scope", "all")) for value in targets}
        if len(scopes) > 1:
            raise ValueFlowError(
                f"the vectors of {list(targets)} act on different tokens: {scopes}"
            )
        (scope,) = scopes or {"all"}
        return SteeringSpec(
            targets=tuple(Target(value, level) for value, level in targets.items()),
            vectors=tuple(self._dose(value, doses[value]) for value in targets),
            scope=scope,  # type: ignore[arg-type]  # checked on construction
        )

    def _dose(self, value: str, dose: float) -> VectorDose:
        fitted = self.vector(value)
        vector, coefficient = fitted.dosed(dose)
        place = against_file if vector is fitted.against else vector_file
        path = place(self.folder, value).resolve()
        return VectorDose(str(path), vector.fingerprint, coefficient)
