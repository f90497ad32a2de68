"""What the exchange formats share: vectors with their doses, and one sum per layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from valueflow_scorers import ValueFlowError

from ._vector import SteeringVector
from ._words import Operator, Scope, Unit

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class ExchangedVectors:
    """Vectors read from a format that stores lengths: one vector per layer, with its dose.

    To steer as the file says: `steer(model, read.vectors, read.coefficients, unit="raw",
    operator=read.operator)`.
    """

    vectors: tuple[SteeringVector, ...]
    """One per layer, by layer; unit directions without a residual norm."""
    coefficients: tuple[float, ...]
    """Their lengths in the file, in unit "raw"."""
    operator: Operator = "add"
    """What the file says they do."""


def one_per_layer(
    vectors: Sequence[SteeringVector], coefficients: Sequence[float], unit: Unit
) -> dict[int, tuple[torch.Tensor, float]]:
    """Everything that is added at each layer, as a unit direction and a length.

    Args:
        vectors: what steers.
        coefficients: [n_vectors].
        unit: of the coefficients.

    Returns:
        (direction [d_model], length) by layer; a layer with one vector keeps it and its sign.

    Raises:
        ValueFlowError: if nothing would be added, widths differ, or a norm is missing.
    """
    from ._coefficients import read_coefficients

    dosage = read_coefficients(list(coefficients), len(vectors))
    if dosage.rows is not None:
        raise ValueFlowError("a file holds one dose per vector: coefficients [n_vectors]")
    if len({vector.d_model for vector in vectors}) > 1:
        raise ValueFlowError(f"vectors differ in width: {[v.d_model for v in vectors]}")
    doses: dict[int, list[tuple[torch.Tensor, float]]] = {}
    for vector, coefficient in zip(vectors, coefficients, strict=True):
        if coefficient:
            length = float(coefficient) * vector.scale(unit)
            doses.setdefault(vector.layer, []).append((vector.direction, length))
    summed = {layer: _sum(parts) for layer, parts in sorted(doses.items())}
    kept = {layer: part for layer, part in summed.items() if part[1] != 0}
    if not kept:
        raise ValueFlowError("all coefficients are 0 (or the vectors cancel): nothing to export")
    return kept


def _sum(parts: list[tuple[torch.Tensor, float]]) -> tuple[torch.Tensor, float]:
    import torch

    if len(parts) == 1:
        return parts[0]
    total = torch.stack([length * direction.double() for direction, length in parts]).sum(0)
    norm = float(total.norm())
    if norm < 1e-6 * max(abs(length) for _, length in parts):
        return parts[0][0], 0.0
    return (total / norm).float(), norm


def from_lengths(
    lengths: Mapping[int, torch.Tensor], method: str, fit: Mapping[str, Any], model_id: str = ""
) -> ExchangedVectors:
    """Vectors out of what a file adds at each layer; layers where that is zero are left out.

    Args:
        lengths: direction times length by layer, [d_model].
        method: name of the format.
        fit: what else the file says.
        model_id: the model it names.

    Raises:
        ValueFlowError: if there is nothing in it, or something that is not finite.
    """
    vectors, coefficients = [], []
    for layer, raw in sorted(lengths.items()):
        if bool((raw == 0).all()):
            continue
        vectors.append(SteeringVector(raw, layer, model_id=model_id, method=method, fit=fit))
        coefficients.append(float(raw.double().norm()))
    if not vectors:
        raise ValueFlowError(f"the {method} file holds no direction that is not zero")
    return ExchangedVectors(tuple(vectors), tuple(coefficients))


def check_always_added(what: str, scope: Scope, operator: Operator) -> None:
    """Refuse what a constant added at every token cannot do.

    Raises:
        ValueFlowError: unless scope is `all` and operator `add`.
    """
    if scope != "all" or operator != "add":
        raise ValueFlowError(
            f"{what} adds a constant at every token: it can hold scope='all' and operator='add' "
            f"only, not scope={scope!r} and operator={operator!r}"
        )
