"""The words that say how a vector acts, and the check that a word is one of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

from valueflow_scorers import ValueFlowError

Unit = Literal["residual", "raw"]
"""What one unit of a coefficient is: the layer's residual norm, or the unit direction."""
Scope = Literal["all", "prompt", "response"]
"""Which tokens are steered; padding never is."""
Operator = Literal["add", "project", "ablate", "rotate"]
"""What is done to the residual stream; the formulas are in `_operators`."""

HOOK_POINT = "layer_output"
"""The only hook point: the residual stream as a decoder layer returns it."""


def check_words(unit: str, scope: str, operator: str) -> None:
    """Refuse a unit, scope or operator that does not exist.

    Raises:
        ValueFlowError: naming the word given and the words allowed.
    """
    for kind, given, allowed in (
        ("unit", unit, get_args(Unit)),
        ("scope", scope, get_args(Scope)),
        ("operator", operator, get_args(Operator)),
    ):
        _check_word(kind, given, allowed)


def _check_word(kind: str, given: str, allowed: Sequence[str]) -> None:
    if given not in allowed:
        raise ValueFlowError(f"unknown {kind} {given!r}: choose one of {', '.join(allowed)}")
