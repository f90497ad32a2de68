"""Ask a judge to order windows of texts, and see when it cannot be reached."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from valueflow_scorers import Judgement, Window
from valueflow_scorers._judging import judge_all, ranked
from valueflow_scorers._portal import run_sync
from valueflow_scorers.judges import ResolvedJudge

from ._judgements import Place, failed_call

if TYPE_CHECKING:
    from ._rank import Ranking

OUTAGE = 0.5
"""Share of failed calls above which ranking stops."""
_ENOUGH_CALLS = 64  # from which on that share says something before a round is over


def judge_here(ranking: Ranking, places: Sequence[Place]) -> None:
    """Judge windows in this process, batch by batch; stop when the judge cannot be reached."""
    size, lost = ranking.settings.batch, 0
    for start in range(0, len(places), size):
        part = places[start : start + size]
        windows = [ranking.window(place) for place in part]
        found = run_sync(partial(ask, ranking.resolved, windows))
        ranking.file.record(part, found)
        lost += sum(failed_call(one.failure) for one in found)
        if outage(lost, start + len(part)):
            return


def outage(lost: int, asked: int) -> bool:
    """Whether so many calls have failed that it is no use to make the rest."""
    return asked >= _ENOUGH_CALLS and lost > OUTAGE * asked


async def ask(resolved: ResolvedJudge, windows: Sequence[Window]) -> list[Judgement]:
    """One checked order or failure per window; a call that fails is made once more."""
    found = list(await judge_all(resolved.judge, windows))
    again = [i for i, one in enumerate(found) if failed_call(one.failure)]
    renewed = await judge_all(resolved.judge, [windows[i] for i in again])
    for i, one in zip(again, renewed, strict=True):
        found[i] = one
    return [_order(one.checked(len(w.items))) for one, w in zip(found, windows, strict=True)]


def _order(judgement: Judgement) -> Judgement:
    if judgement.probabilities is not None:
        return Judgement(order=ranked(judgement), raw=judgement.raw)
    if judgement.reading is not None:
        return Judgement(failure="a reading orders nothing")
    return judgement
