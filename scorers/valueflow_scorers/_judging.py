"""Ask a judge, and hold it to its contract."""

from __future__ import annotations

from collections.abc import Sequence

from ._errors import ValueFlowError
from ._records import Judge, Judgement, Window


async def judge_all(judge: Judge, windows: Sequence[Window]) -> Sequence[Judgement]:
    """Ask a judge, and insist on one judgement per window.

    Raises:
        ValueFlowError: if the judge returns another number of judgements.
    """
    if not windows:
        return []
    judgements = await judge.judge(windows)
    if len(judgements) != len(windows):
        raise ValueFlowError(
            f"the judge returned {len(judgements)} judgements for {len(windows)} windows: "
            "return exactly one per window, in the same order"
        )
    return judgements
