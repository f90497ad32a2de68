"""A folder of fitted vectors: a safetensors file per value, doses included.

Toward support and against it the same vector may serve with a sign, or a second one may stand
beside it (`….against.safetensors`), which then takes all levels below 0 with their size.

`valueflow vectors fit -o DIR` writes it; `vectors=DIR` reads it in both harnesses. The dose of
one level stands in the vector's own `fit` entry, and so do its unit and scope where they are not
the usual ones: a file says by itself how it is to be used.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from valueflow_scorers import ValueFlowError
from valueflow_scorers._errors import unknown

from ._canonical import sha256
from ._spec import Promise, SteeringSpec, Target, VectorDose
from ._vector import SteeringVector

DOSE = "dose_per_level"
"""Entry of a vector's `fit`: the coefficient that one level is worth, in residual norms unless
the entry `unit` says `raw`."""
_AGAINST = ".against"


def vector_file(folder: str | Path, value: str) -> Path:
    """Where a value's vector lies in a folder."""
    return Path(folder) / f"{value.replace('/', '-')}.safetensors"


def against_file(folder: str | Path, value: str) -> Path:
    """Where the vector for levels below 0 lies, if the value has one of its own."""
    return _beside(vector_file(folder, value))


def _beside(path: Path) -> Path:
    return path.with_name(f"{path.stem}{_AGAINST}{path.suffix}")


def dial_file(folder: str | Path, value: str) -> Path:
    """Where a value's dose-response curve lies in a folder."""
    return Path(folder) / f"{value.replace('/', '-')}.dial.json"


def prompt_dial_file(model: str, value: str, method: str) -> Path:
    """Where `valueflow vectors calibrate --arm prompt` keeps the curve of a model's prompts.

    The environment variable VALUEFLOW_DIALS, else the user's cache folder.

    Args:
        model: Its short name.
        value: The value.
        method: How the prompts steer.
    """
    from platformdirs import user_cache_path

    given = os.environ.get("VALUEFLOW_DIALS")
    store = Path(given) if given else user_cache_path("valueflow") / "dials"
    return dial_file(store / model.replace("/", "--") / method, value)


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
    def how(self) -> dict[str, Any]:
        """Unit of its doses, and the tokens it acts on."""
        fit = self.vector.fit
        return {"unit": str(fit.get("unit", "residual")), "scope": str(fit.get("scope", "all"))}

    @property
    def dose_per_level(self) -> float:
        """Coefficient of one level, in the vector's unit.

        Raises:
            ValueFlowError: if the vector says nothing of its dose.
        """
        if DOSE not in self.vector.fit:
            raise ValueFlowError(
                f"the vector of {self.value} carries no {DOSE}: fit it with `valueflow vectors "
                "fit`, or give --dose on export, a coefficient in a JSON spec"
            )
        return float(self.vector.fit[DOSE])

    def dosed(self, dose: float) -> tuple[SteeringVector, float]:
        """The vector that acts at a signed dose, and its coefficient."""
        if dose < 0 and self.against is not None:
            return self.against, -dose
        return self.vector, dose


def load_fitted(path: str | Path) -> Fitted:
    """The vector of a file, and the one against that lies beside it, if there is one.

    Raises:
        ValueFlowError: if a file is missing or no vector, or the two were not fitted together.
    """
    other = _beside(Path(path))
    one = Fitted(SteeringVector.load(path))
    if not other.is_file():
        return one
    against = Fitted(SteeringVector.load(other))
    if _made(one) != _made(against):
        raise ValueFlowError(
            f"{path} and {other.name} beside it were not fitted together "
            f"({_made(one)} and {_made(against)}): fit the value again, or remove {other.name}"
        )
    return replace(one, against=against.vector)


def _made(one: Fitted) -> dict[str, Any]:
    """What the two vectors of a pair have in common."""
    vector = one.vector
    names = ("value", "model_id", "model_revision", "n_layers", "layer", "method")
    return (
        {name: getattr(vector, name) for name in names}
        | one.how
        | {name: vector.fit.get(name) for name in (DOSE, "source", "texts")}
    )


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
            if path.stem.endswith(_AGAINST):
                continue
            fitted = load_fitted(path)
            vector = fitted.vector
            if path != vector_file(self.folder, vector.value):
                raise ValueFlowError(
                    f"{path} holds the vector of {vector.value or 'no value'!r}; it must be called "
                    f"{vector_file(self.folder, vector.value or 'theory/value').name}"
                )
            self.vectors[vector.value] = fitted
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
        """Coefficient of a level, in the vector's unit.

        Raises:
            ValueFlowError: if the vector says nothing of its dose.
        """
        return level * self.vector(value).dose_per_level

    def spec(self, targets: dict[str, float]) -> SteeringSpec:
        """What steers toward levels (real numbers) of one or several values.

        Raises:
            ValueFlowError: for a value without a vector, or vectors of different scopes or units.
        """
        return self.dosed(targets, {v: self.dose(v, level) for v, level in targets.items()})

    def dosed(
        self,
        targets: Mapping[str, float],
        doses: Mapping[str, float],
        promises: Iterable[Promise] = (),
    ) -> SteeringSpec:
        """What steers with these coefficients; `targets` says what is asked for by them.

        Args:
            targets: Levels, by value.
            doses: Coefficients, by value.
            promises: What dials say of them.

        Raises:
            ValueFlowError: for a value without a vector, or vectors of different scopes or units.
        """
        hows = [self.vector(value).how for value in targets]
        if any(how != hows[0] for how in hows):
            raise ValueFlowError(
                f"the vectors of {', '.join(targets)} act in different ways "
                f"({', '.join(' '.join(how.values()) for how in hows)}): a spec has one unit and "
                "one scope"
            )
        return SteeringSpec(
            targets=tuple(Target(value, level) for value, level in targets.items()),
            vectors=tuple(self._dose(value, doses[value]) for value in targets),
            promises=tuple(promises),
            **(hows[0] if hows else {}),
        )

    def _dose(self, value: str, dose: float) -> VectorDose:
        fitted = self.vector(value)
        vector, coefficient = fitted.dosed(dose)
        place = against_file if vector is fitted.against else vector_file
        path = place(self.folder, value).resolve()
        return VectorDose(str(path), vector.fingerprint, coefficient)
