"""One batch, many specs: every row of a forward pass or of `generate` steered by its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from valueflow_scorers import ValueFlowError

from ._spec import SteeringSpec
from ._steer import steer
from ._vector import SteeringVector

if TYPE_CHECKING:
    from torch import Tensor, nn


class VectorLibrary:
    """Vectors that specs name, each file read once and checked against its fingerprint."""

    def __init__(self) -> None:
        """Start empty."""
        self._known: dict[str, SteeringVector] = {}

    def add(self, vector: SteeringVector) -> None:
        """Know a vector that lies in no file."""
        self._known[vector.fingerprint] = vector

    def of(self, spec: SteeringSpec) -> list[SteeringVector]:
        """The vectors of a spec, in its order.

        Raises:
            ValueFlowError: if a file is missing or holds another vector than the spec names.
        """
        if any(dose.fingerprint not in self._known for dose in spec.vectors):
            for vector in spec.load_vectors():
                self._known[vector.fingerprint] = vector
        return [self._known[dose.fingerprint] for dose in spec.vectors]


@contextmanager
def steer_rows(
    model: nn.Module,
    specs: Sequence[SteeringSpec | None],
    library: VectorLibrary,
    prompt_lengths: Sequence[int] | Tensor | None = None,
    *,
    model_id: str | None = None,
) -> Iterator[None]:
    """Steer each row by the vectors of its own spec; prompts are the caller's affair.

    Rows of different operators, scopes or units share the batch: each kind is a context of its
    own, in which the other rows are left alone.

    Args:
        model: as in `steer`.
        specs: one per row, None for an unsteered row, [batch].
        library: where vectors come from.
        prompt_lengths: as in `steer`.
        model_id: as in `steer`.

    Raises:
        ValueFlowError: as `steer` and `VectorLibrary.of`.
    """
    acting = [spec if spec is not None and spec.acting_vectors else None for spec in specs]
    kinds = dict.fromkeys((s.unit, s.scope, s.operator) for s in acting if s is not None)
    with ExitStack() as stack:
        for unit, scope, operator in kinds:
            mine = [
                spec
                if spec is not None
                and (spec.unit, spec.scope, spec.operator) == (unit, scope, operator)
                else None
                for spec in acting
            ]
            vectors, coefficients = _table(mine, library)
            stack.enter_context(
                steer(
                    model,
                    vectors,
                    coefficients,
                    unit,
                    scope,
                    operator,
                    prompt_lengths,
                    model_id=model_id,
                )
            )
        yield


def _table(
    specs: Sequence[SteeringSpec | None], library: VectorLibrary
) -> tuple[list[SteeringVector], list[list[float | None]]]:
    """All vectors of the rows, and each row's coefficients, None where a vector is not its own.

    A row's vectors stand in its own order, in which they act: a vector that stands too early for
    a row is there a second time.
    """
    vectors: list[SteeringVector] = []
    rows: list[dict[int, float]] = []
    for spec in specs:
        row: dict[int, float] = {}
        place = 0
        for vector, dose in zip(
            library.of(spec) if spec else (), spec.vectors if spec else (), strict=True
        ):
            later = range(place, len(vectors))
            column = next((c for c in later if vectors[c] == vector), len(vectors))
            if column == len(vectors):
                vectors.append(vector)
            row[column], place = dose.coefficient, column + 1
        rows.append(row)
    return vectors, [[row.get(column) for column in range(len(vectors))] for row in rows]


def check_prompt_free(specs: Sequence[SteeringSpec | None]) -> None:
    """Refuse specs whose prompt would have to be put into a text that is already rendered.

    Raises:
        ValueFlowError: naming the first.
    """
    for spec in specs:
        if spec is not None and spec.prompt:
            raise ValueFlowError(
                f"a request carries the steering prompt {spec.prompt!r} beside its text: put it "
                "into the user turn and leave it out of the request's spec"
            )
