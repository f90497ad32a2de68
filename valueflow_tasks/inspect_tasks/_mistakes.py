"""A user's mistake, as Inspect tells it: in a sentence, without a traceback."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.markup import escape
from valueflow_scorers import ValueFlowError

try:
    from inspect_ai._util.error import PrerequisiteError
except ImportError:  # it has no public name; without it mistakes come with a traceback
    PrerequisiteError = Exception  # type: ignore[assignment, misc]


class MistakeError(ValueFlowError, PrerequisiteError):
    """A `ValueFlowError` that Inspect's command line prints by its words alone."""

    def __init__(self, words: str) -> None:
        """Say what is wrong; Inspect prints `message` as markup, in which `[x]` is a style."""
        super().__init__(words)
        self.message = escape(words)


@contextmanager
def told_in_words() -> Iterator[None]:
    """Around or above what is built from a user's arguments: let mistakes in them be told so."""
    try:
        yield
    except ValueFlowError as error:
        raise MistakeError(str(error)) from None
