"""What a document hands to the harness's aggregation, and what that hands on to groups."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


class Own(float):
    """A document's own number in the samples file; it carries what the aggregate needs."""

    records: Sequence[dict[str, Any]]

    @classmethod
    def of(cls, number: float, records: Sequence[dict[str, Any]]) -> Own:
        """Attach the records to a number."""
        made = cls(number)
        made.records = records
        return made


class Missing:
    """Stands where a document has no number of its own."""

    def __init__(
        self, records: Sequence[dict[str, Any]], why: str = "not computable for this query"
    ) -> None:
        self.records, self.why = records, why

    def __str__(self) -> str:
        return self.why


class NoNumber(str):
    """Stands where a task has no number: a group that computes with it has none either."""

    def _itself(self, _: object) -> NoNumber:
        return self

    __add__ = __radd__ = __mul__ = __rmul__ = __truediv__ = _itself


NO_NUMBER = NoNumber("N/A")
"""As the harness writes it."""
