"""Checks of what a caller hands in, where its type alone would fail late or not at all."""

from __future__ import annotations

from operator import index

from ._errors import ValueFlowError


def check_whole(name: str, given: object) -> None:
    """Insist on a whole number.

    Raises:
        ValueFlowError: for anything else, `2.5` and `"6"` among it.
    """
    try:
        index(given)  # type: ignore[arg-type]
    except TypeError:
        raise ValueFlowError(f"{name}={given!r}: give a whole number") from None


def check_words(record: str, name: str, given: object) -> None:
    """Insist on text that can be written down, hashed and sent.

    Args:
        record: What the text belongs to, as errors say it.
        name: Which text of it.
        given: The text.

    Raises:
        ValueFlowError: for anything that is no string, and for half of a surrogate pair.
    """
    if not isinstance(given, str):
        raise ValueFlowError(f"{record} with {name}={given!r}: give a string")
    try:
        given.encode()
    except UnicodeEncodeError:
        raise ValueFlowError(
            f"{record} with {name}={given[:60]!a}: it holds half of a surrogate pair (an emoji cut "
            "in two?), which is no text: mend or remove it"
        ) from None
