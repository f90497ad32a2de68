"""Ask a judge, and hold it to its contract."""

from __future__ import annotations

from collections.abc import Sequence
from inspect import isawaitable

from ._errors import ValueFlowError
from ._records import Judge, Judgement, Window


async def judge_all(judge: Judge, windows: Sequence[Window]) -> Sequence[Judgement]:
    """Ask a judge, and insist on one judgement per window.

    Raises:
        ValueFlowError: if the judge cannot be awaited, or returns another number of judgements
            or anything else.
    """
    if not windows:
        return []
    answer = judge.judge(windows)
    if not isawaitable(answer):
        raise ValueFlowError(
            f"{type(judge).__name__}.judge returned {type(answer).__name__!r}, which cannot be "
            "awaited: define it as `async def judge(self, windows)`, and return a list"
        )
    found = await answer
    if not isinstance(found, Sequence):
        raise ValueFlowError(
            f"the judge returned {type(found).__name__!r}: return a list of judgements, one per "
            "window"
        )
    if len(found) != len(windows):
        raise ValueFlowError(
            f"the judge returned {len(found)} judgements for {len(windows)} windows: "
            "return exactly one per window, in the same order"
        )
    for one in found:
        if not isinstance(one, Judgement):
            raise ValueFlowError(
                f"the judge returned {one!r} for a window: return a `Judgement`, with `failure=` "
                "where there is no verdict"
            )
    return found


def ranked(judgement: Judgement) -> tuple[int, ...] | None:
    """The order that a judgement implies: its own, or that of its probabilities."""
    if judgement.probabilities is None:
        return judgement.order
    chances = judgement.probabilities
    return tuple(sorted(range(len(chances)), key=lambda slot: -chances[slot]))
