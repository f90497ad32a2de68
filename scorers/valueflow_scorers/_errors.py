"""One error for everything a user can mend."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class ValueFlowError(ValueError):
    """Bad input: says what was given, what is allowed and what to do."""


def unknown(kind: str, given: str, allowed: Iterable[str]) -> ValueFlowError:
    """The error for a name that does not exist, with the nearest names that do."""
    names = list(allowed)
    near = difflib.get_close_matches(given, names, n=3, cutoff=0.4)
    hint = f"did you mean {' or '.join(near)}?" if near else f"choose one of {', '.join(names)}"
    return ValueFlowError(f"unknown {kind} {given!r}: {hint}")
