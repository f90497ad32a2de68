"""Which panel texts a judge is shown to be calibrated, and in which order."""

from __future__ import annotations

import random
from collections.abc import Container, Sequence

from ._checks import check_whole
from ._errors import ValueFlowError
from ._records import RESPONSE_LAST, SHUFFLED, Panel, Window
from ._windows import check_design, check_layout, seeded

_TRIES = 10  # draws per wanted window, of which many may have come up before


def check_calibration(
    judge: str, panels: Sequence[Panel], k: int, windows: int, layout: str
) -> None:
    """Refuse a calibration that cannot be drawn, before a judge is asked anything.

    Raises:
        ValueFlowError: for no panels, k outside [2, 10], no windows, panels that are too
            small, or a layout that is unknown or means nothing to the judge.
    """
    check_layout(layout, judge)
    if not panels:
        raise ValueFlowError("no panels given: a judge is calibrated on at least one")
    check_whole("windows", windows)
    if windows < 1:
        raise ValueFlowError(f"windows={windows}: a profile is fitted from at least 1 window")
    for panel in panels:
        check_design(panel, k, 1, "random")
        if len(panel.texts) < k:
            raise ValueFlowError(
                f"panel {panel.value!r} has {len(panel.texts)} texts; k={k} needs at least {k}"
            )
        if layout == RESPONSE_LAST and len(panel.anchors) < k:
            raise ValueFlowError(
                f"panel {panel.value!r} has {len(panel.anchors)} anchors; with "
                f"layout={RESPONSE_LAST!r}, of which one is held out, k={k} needs at least {k}"
            )


def draw_calibration(
    panels: Sequence[Panel], k: int, windows: int, seed: int, layout: str = SHUFFLED
) -> list[tuple[list[int], Window]]:
    """Calibration windows, spread evenly: the panel texts of each, and the window.

    All differ: a judge that answers alike both times has told nothing the second time, and
    would pass for one with less noise and more misreading than it has. A small panel has fewer
    windows of two than may be wanted; then there are fewer.
    """
    share = -(-windows // len(panels))
    return [
        (
            list(members),
            Window(
                panel.value,
                panel.definition,
                tuple(panel.texts[member] for member in members),
                None,
                layout,
            ),
        )
        for panel in panels
        for members in _balanced(panel, k, share, seed, layout)
    ]


def _balanced(panel: Panel, k: int, count: int, seed: int, layout: str) -> list[tuple[int, ...]]:
    """`count` windows in which every text is shown about equally often.

    With `response-last` each text of the panel comes last about equally often, after anchors,
    of which each is shown about equally often.
    """
    rng = seeded("calibration", seed, panel.value)
    queue: list[int] = []
    lasts: list[int] = []
    drawn: dict[tuple[int, ...], None] = {}
    for _ in range(_TRIES * count):
        if len(drawn) == count:
            break
        if layout == RESPONSE_LAST:
            last = _deal(rng, lasts, len(panel.texts), 1)
            window = _deal(rng, queue, len(panel.anchors), k - 1, without=last)
        else:
            last = []
            window = _deal(rng, queue, len(panel.texts), k)
        rng.shuffle(window)
        drawn[tuple(window + last)] = None
    return list(drawn)


def _deal(
    rng: random.Random, queue: list[int], n: int, count: int, without: Container[int] = ()
) -> list[int]:
    """Take the next `count` different members of range(n) off a queue, which is refilled."""
    dealt: list[int] = []
    while len(dealt) < count:
        if not any(member not in dealt and member not in without for member in queue):
            queue.extend(rng.sample(range(n), n))
        member = next(one for one in queue if one not in dealt and one not in without)
        dealt.append(member)
        queue.remove(member)
    return dealt
