"""Coefficients as the user gives them, as tensors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from valueflow_scorers import ValueFlowError

if TYPE_CHECKING:
    import torch

Coefficients: TypeAlias = "torch.Tensor | Sequence[float | None] | Sequence[Sequence[float | None]]"
"""[n_vectors] for every row, or [batch, n_vectors]; None: this vector leaves this row alone."""


@dataclass(frozen=True)
class Dosage:
    """How much of each vector each row gets."""

    amounts: torch.Tensor
    """Coefficients, float32 on the CPU, 0 where a vector is left out, [rows, n_vectors]."""
    given: torch.Tensor
    """False where the coefficient is None, [rows, n_vectors]."""
    rows: int | None
    """How many rows a batch has; None: one line of coefficients that holds for every row."""


def read_coefficients(coefficients: Coefficients, n_vectors: int) -> Dosage:
    """Check coefficients and bring them into one form.

    Args:
        coefficients: tensor, array or nested list, [n_vectors] or [batch, n_vectors].
        n_vectors: how many vectors there are.

    Raises:
        ValueFlowError: for another shape, a NaN, or an infinity.
    """
    import torch

    given = _lists(coefficients)
    try:
        values = torch.tensor(_numbers(given), dtype=torch.float32)
        present = torch.tensor(_present(given), dtype=torch.bool)
    except (TypeError, ValueError) as error:
        raise ValueFlowError(f"{_shapes(n_vectors)}; these are {coefficients!r}") from error
    fits = values.ndim in (1, 2) and values.shape[-1] == n_vectors
    if not fits or (values.ndim == 2 and values.shape[0] == 0):
        raise ValueFlowError(f"{_shapes(n_vectors)}; these have {list(values.shape)}")
    if not bool(torch.isfinite(values).all()):
        raise ValueFlowError(
            f"coefficients must be finite, these are {given}; to leave a row alone give None in "
            "a list"
        )
    if values.ndim == 1:
        return Dosage(values.unsqueeze(0), present.unsqueeze(0), None)
    return Dosage(values, present, int(values.shape[0]))


def _shapes(n_vectors: int) -> str:
    return (
        f"{n_vectors} vectors take coefficients of the shape [{n_vectors}] (the same for every "
        f"row) or [batch, {n_vectors}]"
    )


def _lists(given: Any) -> Any:
    """Tensors, arrays and tuples as lists."""
    if hasattr(given, "tolist"):
        return given.tolist()
    return [_lists(item) for item in given] if isinstance(given, list | tuple) else given


def _numbers(given: Any) -> Any:
    """The same lists with None as 0."""
    if isinstance(given, list):
        return [_numbers(item) for item in given]
    return 0.0 if given is None else float(given)


def _present(given: Any) -> Any:
    return [_present(item) for item in given] if isinstance(given, list) else given is not None
