"""A steering vector: a unit direction, the layer it belongs to, and where it comes from."""

from __future__ import annotations

import json
import math
import operator
import os
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from valueflow_scorers import ValueFlowError

from ._canonical import canonical_json, sha256
from ._installed import check_installed
from ._words import HOOK_POINT, Unit

if TYPE_CHECKING:
    import torch

FORMAT = "valueflow-steering-vector-1"
"""Named in every file, so that a file of another kind is refused."""

UNIT_TOLERANCE = 2e-7
"""A direction this close to unit norm is stored as given: rounding a unit vector to float32
moves its norm by up to 6e-8, and a vector that was saved must load with the same bits."""

_TEXTS = ("model_id", "model_revision", "hook_point", "value", "method")


@dataclass(frozen=True, eq=False)
class SteeringVector:
    """A direction in the residual stream of one decoder layer of one model.

    Two vectors are equal when their fingerprints are.

    Raises:
        ValueFlowError: for a direction that is not one-dimensional, is zero or holds a NaN or
            an infinity, a layer below zero, a residual norm that is not above zero, an unknown
            hook point, or fit information that JSON cannot hold.
    """

    direction: torch.Tensor
    """Float32 on the CPU, unit norm, [d_model]; any tensor or sequence is accepted."""
    layer: int
    """Decoder layer whose output is steered, counted from 0."""
    _: KW_ONLY
    residual_norm: float | None = None
    """Mean L2 norm of the residual stream at the layer's output; what one unit of dose is."""
    model_id: str = ""
    """The model it was fitted on; empty: not known."""
    model_revision: str = ""
    """That model's revision (commit); empty: not known."""
    n_layers: int | None = None
    """How many decoder layers that model has; None: not known."""
    hook_point: str = HOOK_POINT
    """Where it acts: always the output of the layer."""
    value: str = ""
    """The value it moves, such as `svt/benevolence`; empty: not known."""
    method: str = ""
    """How it was fitted, such as `mean-difference`, or the format that it was read from."""
    fit: Mapping[str, Any] = field(default_factory=dict)
    """Whatever else is known of the fit (texts, seed, layers tried), as JSON."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "direction", _unit(self.direction))
        object.__setattr__(self, "layer", _whole(self.layer, "layer", least=0))
        if self.n_layers is not None:
            least = self.layer + 1
            object.__setattr__(self, "n_layers", _whole(self.n_layers, "n_layers", least=least))
        if self.residual_norm is not None:
            norm = float(self.residual_norm)
            if not (math.isfinite(norm) and norm > 0):
                raise ValueFlowError(
                    f"residual_norm is {norm}; it is a norm above 0, or None if it was not measured"
                )
            object.__setattr__(self, "residual_norm", norm)
        for name in _TEXTS:
            if not isinstance(getattr(self, name), str):
                raise ValueFlowError(f"{name} is {getattr(self, name)!r}; it must be text")
        if self.hook_point != HOOK_POINT:
            raise ValueFlowError(
                f"hook point {self.hook_point!r} is not supported; vectors act on {HOOK_POINT!r}"
            )
        # Through JSON and back: a deep copy, and proof that it can be saved.
        object.__setattr__(self, "fit", json.loads(canonical_json(dict(self.fit), "fit")))

    @property
    def d_model(self) -> int:
        """Width of the residual stream."""
        return int(self.direction.shape[0])

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the direction and all that is said of it, 64 hex digits."""
        data = self.direction.numpy().astype("<f4").tobytes()
        return sha256(canonical_json(self._description(), "vector"), data)

    def scale(self, unit: Unit) -> float:
        """Length that one unit of coefficient adds to the residual stream.

        Raises:
            ValueFlowError: if the unit is `residual` and the residual norm is not known.
        """
        if unit == "raw":
            return 1.0
        if self.residual_norm is None:
            raise ValueFlowError(
                f"the vector{self._name()} at layer {self.layer} carries no residual_norm, so a "
                "dose in unit='residual' has no length: measure the norm, or use unit='raw'"
            )
        return self.residual_norm

    def save(self, path: str | Path) -> Path:
        """Write the vector as safetensors, its description in the file's metadata: whole, or not.

        Returns:
            the path written.

        Raises:
            ValueFlowError: if it cannot be written.
        """
        from safetensors import SafetensorError
        from safetensors.torch import save_file

        target = Path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_name(f"{target.name}.{os.getpid()}.partial")
        # One key: safetensors writes several in an order that changes from run to run.
        text = canonical_json({"format": FORMAT, **self._description()}, "vector")
        try:
            tensors = {"direction": self.direction.contiguous()}
            save_file(tensors, partial, metadata={"valueflow": text})
            return partial.replace(target)
        except SafetensorError as error:  # a full disk, a folder that nobody may write to
            raise ValueFlowError(f"{target} cannot be written: {error}") from None
        finally:
            partial.unlink(missing_ok=True)

    @classmethod
    def load(cls, path: str | Path) -> SteeringVector:
        """Read a vector that `save` wrote; its fingerprint is the one it was saved with.

        Raises:
            ValueFlowError: if there is no such file, or it is not a vector of this format.
        """
        check_installed()
        from safetensors import SafetensorError, safe_open

        source = Path(path)
        if not source.is_file():
            raise ValueFlowError(f"no steering vector at {source}: give the path of a file")
        try:
            with safe_open(source, framework="pt") as file:
                text = (file.metadata() or {}).get("valueflow", "{}")
                direction = file.get_tensor("direction") if "direction" in file.keys() else None  # noqa: SIM118
        except SafetensorError as error:
            raise ValueFlowError(f"{source} is not a safetensors file: {error}") from error
        try:
            described = dict(json.loads(text))
            if described.pop("format", None) != FORMAT or direction is None:
                raise ValueError("another format")
            return cls(direction, **described)
        except (TypeError, ValueError) as error:  # no JSON, no object, or other entries
            raise ValueFlowError(
                f"{source} is safetensors but not a steering vector ({FORMAT}; {error}): "
                "write one with SteeringVector.save"
            ) from None

    def _description(self) -> dict[str, Any]:
        numbers = {"layer": self.layer, "residual_norm": self.residual_norm}
        texts = {name: getattr(self, name) for name in _TEXTS}
        return {**numbers, "n_layers": self.n_layers, **texts, "fit": dict(self.fit)}

    def _name(self) -> str:
        return f" for {self.value}" if self.value else ""

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, SteeringVector):
            return NotImplemented
        return self.fingerprint == other.fingerprint

    def __hash__(self) -> int:
        return hash(self.fingerprint)


def _whole(given: object, name: str, least: int) -> int:
    try:
        number = operator.index(given)  # type: ignore[arg-type]  # numpy's integers are whole too
    except TypeError:
        number = least - 1
    if isinstance(given, bool) or number < least:
        raise ValueFlowError(f"{name} is {given!r}; it must be a whole number of at least {least}")
    return number


def _unit(direction: torch.Tensor | Sequence[float]) -> torch.Tensor:
    """The direction as float32 at unit norm on the CPU, [d_model]."""
    import torch

    given = torch.as_tensor(direction).detach().to("cpu", torch.float64)
    if given.ndim != 1 or given.numel() == 0:
        raise ValueFlowError(
            f"a direction has the shape [d_model]; this one has {list(given.shape)}"
        )
    # Scaling by the largest entry first keeps the squares from overflowing or vanishing.
    largest = float(given.abs().max())
    if not math.isfinite(largest) or largest == 0:
        kind = "is zero" if largest == 0 else "holds a NaN or an infinity"
        raise ValueFlowError(f"the direction {kind}: it points nowhere, so nothing can be steered")
    norm = float((given / largest).norm()) * largest
    unit = given if abs(norm - 1) <= UNIT_TOLERANCE else (given / largest) / (norm / largest)
    return unit.to(torch.float32).clone()
