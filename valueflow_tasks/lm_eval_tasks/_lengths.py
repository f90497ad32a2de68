"""Where the prompt ends in the rows of a log-likelihood batch.

The harness hands its model rows padded on the right with 0 and says nothing of prompt or
padding. A row is recognised by its tokens, which are noted before the call.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from valueflow_scorers import ValueFlowError

_Request = tuple[Any, list[int], list[int]]
"""(texts, context tokens, continuation tokens), as the harness has it."""


class PromptLengths:
    """Prompt lengths by the tokens of the rows of the call in progress."""

    def __init__(self) -> None:
        """Nothing noted."""
        self._known: dict[tuple[int, ...], int] = {}
        self._probing = False

    @contextmanager
    def probing(self) -> Iterator[None]:
        """While the harness looks for a batch size with rows that are nobody's."""
        self._probing = True
        try:
            yield
        finally:
            self._probing = False

    def in_rounds(
        self,
        requests: Sequence[_Request],
        max_length: int,
        run: Callable[..., list[Any]],
        kwargs: Mapping[str, Any],
    ) -> list[Any]:
        """Run requests so that in each round a row's tokens tell where its prompt ends.

        Args:
            requests: All of them.
            max_length: Tokens that the model takes; longer rows lose their beginning.
            run: The harness's own function, on some of the requests.
            kwargs: Passed on.

        Returns:
            What `run` returned, in the order of the requests.
        """
        left = list(range(len(requests)))
        results: list[Any] = [None] * len(requests)
        while left:
            self._known = {}
            now: list[int] = []
            later: list[int] = []
            for index in left:
                tokens, length = _row(requests[index], max_length)
                fits = self._known.setdefault(tokens, length) == length
                (now if fits else later).append(index)
            found = run([requests[index] for index in now], **kwargs)
            for index, one in zip(now, found, strict=True):
                results[index] = one
            left = later
        return results

    def of(self, rows: Any) -> list[int]:
        """Prompt tokens of each row, the last of which chooses the first response token.

        Args:
            rows: Token ids padded on the right with 0, [batch, tokens].

        Raises:
            ValueFlowError: if a row was not noted.
        """
        return [self._length(row) for row in rows.tolist()]

    def _length(self, row: list[int]) -> int:
        if self._probing:
            return len(row)
        for end in range(len(row), 0, -1):
            if (length := self._known.get(tuple(row[:end]))) is not None:
                return length
            if row[end - 1] != 0:  # not padding: nothing shorter can be this row
                break
        raise ValueFlowError(
            "a log-likelihood row is none of the requests: steer with scope 'all', or report this"
        )


def _row(request: _Request, max_length: int) -> tuple[tuple[int, ...], int]:
    """A row as the harness cuts it, and the tokens of its prompt."""
    _, context, continuation = request
    tokens = (context + continuation)[-(max_length + 1) :][:-1]
    return tuple(tokens), len(tokens) - len(continuation) + 1
