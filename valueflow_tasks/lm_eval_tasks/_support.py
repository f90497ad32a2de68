"""Which models of this process can steer single requests."""

from __future__ import annotations

from typing import Any
from weakref import WeakSet

from valueflow_scorers import ValueFlowError

from ._carriers import SteeredAnswer

_ABLE: WeakSet[Any] = WeakSet()


def declare_support(model: Any) -> None:
    """Say that a model steers requests that carry a spec."""
    _ABLE.add(model)


def check_support() -> None:
    """Refuse to ask for steered requests where no model can serve them.

    The harness does not tell a task which model it will meet, so this looks at those that are
    loaded; `check_answers` then looks at what came back.

    Raises:
        ValueFlowError: if none is.
    """
    if not len(_ABLE):
        raise ValueFlowError(
            "method=vector steers each request by its own spec, which this model does not "
            "understand: use --model valueflow-hf"
        )


def check_answers(answers: list[tuple[str, Any]]) -> None:
    """Refuse answers that were not steered as they were to be.

    Args:
        answers: Pairs of the fingerprint that was asked for, and the answer.

    Raises:
        ValueFlowError: for the first that does not say that it was.
    """
    for wanted, answer in answers:
        if not isinstance(answer, SteeredAnswer) or answer.fingerprint != wanted:
            raise ValueFlowError(
                f"the model answered without the steering {wanted[:8]} that the request carried: "
                "use --model valueflow-hf, which steers single requests"
            )
