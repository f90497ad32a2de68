"""Which anchors a response meets, and in which order they are presented.

Everything is drawn from a hash of (seed, response id, value, window number, attempt), so
that a window does not depend on what else is measured in the same run. In the layout
`response-last` the response's id stays out of it wherever windows are not aimed: all responses
then meet the same anchors in the same order, and prompts share what comes before the response.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Mapping, Sequence

from ._checks import check_whole
from ._errors import ValueFlowError, unknown
from ._records import (
    LAYOUTS,
    RESPONSE_LAST,
    SCALE_END,
    SHUFFLED,
    Anchor,
    Panel,
    Response,
    Window,
)

Draw = Callable[[random.Random, Sequence[Anchor], int], list[Anchor]]
"""(generator, candidates, how many) -> that many anchors."""

TWO_PASS = "two-pass"
_WIDE_END = 6.0  # anchors of a first window lie between -6 and 6, evenly
_JITTER = 1.0  # points by which aims move at random, so that windows differ
_REUSE = 0.6  # points of distance that an anchor is set back per window it was already in
_READERS = ("embedded", "rating")  # kinds of judges that see no anchors


def _bucket(rng: random.Random, candidates: Sequence[Anchor], count: int) -> list[Anchor]:
    """One anchor from each of `count` equal parts of the scale.

    An empty part gives way to the unused anchor nearest to its middle.
    """
    width = 2 * SCALE_END / count
    chosen: list[Anchor] = []
    empty: list[float] = []
    for bucket in range(count):
        low = -SCALE_END + bucket * width
        last = bucket == count - 1
        inside = [
            anchor
            for anchor in candidates
            if low <= anchor.intensity and (anchor.intensity < low + width or last)
        ]
        if inside:
            chosen.append(rng.choice(inside))
        else:
            empty.append(low + width / 2)
    for middle in empty:
        unused = [anchor for anchor in candidates if anchor not in chosen]
        chosen.append(min(unused, key=lambda anchor: abs(anchor.intensity - middle)))
    return chosen


def _random(rng: random.Random, candidates: Sequence[Anchor], count: int) -> list[Anchor]:
    """Any anchors, each as likely as the next."""
    return rng.sample(list(candidates), count)


def _fixed(rng: random.Random, candidates: Sequence[Anchor], count: int) -> list[Anchor]:
    """The same evenly spread anchors in every window."""
    ordered = sorted(candidates, key=lambda anchor: anchor.intensity)
    if count == 1:
        return [ordered[len(ordered) // 2]]
    return [ordered[round(i * (len(ordered) - 1) / (count - 1))] for i in range(count)]


def _wide(rng: random.Random, candidates: Sequence[Anchor], count: int) -> list[Anchor]:
    """A first window: anchors spread evenly over the middle of the scale."""
    aims = [0.0] if count == 1 else [
        -_WIDE_END + 2 * _WIDE_END * i / (count - 1) for i in range(count)
    ]  # fmt: skip
    return aimed(rng, candidates, aims, {})


def aimed(
    rng: random.Random,
    candidates: Sequence[Anchor],
    aims: Sequence[float],
    used: Mapping[str, int],
) -> list[Anchor]:
    """The anchors nearest to jittered aims, preferring those not yet met.

    Args:
        rng: Of the window.
        candidates: Anchors to choose from.
        aims: Where anchors are wanted, points.
        used: In how many windows of this response each anchor was already.
    """
    chosen: list[Anchor] = []
    for aim in rng.sample(list(aims), len(aims)):
        target = aim + rng.uniform(-_JITTER, _JITTER)
        left = [anchor for anchor in candidates if anchor not in chosen]
        chosen.append(
            min(left, key=lambda a: abs(a.intensity - target) + _REUSE * used.get(a.key, 0))
        )
    return chosen


DESIGNS: Mapping[str, Draw] = {
    TWO_PASS: _wide,
    "bucket": _bucket,
    "random": _random,
    "fixed": _fixed,
}


def check_design(panel: Panel, k: int, m: int, design: str) -> None:
    """Refuse a window design that cannot be drawn.

    Raises:
        ValueFlowError: for an unknown design, numbers that are not whole, k outside [2, 10],
            m < 1, or too few anchors.
    """
    if design not in DESIGNS:
        raise unknown("design", design, DESIGNS)
    check_whole("k", k)
    check_whole("m", m)
    if not 2 <= k <= 10:
        raise ValueFlowError(f"k={k}: a window holds 2 to 10 items; k=6 is the default")
    if m < 1:
        raise ValueFlowError(f"m={m}: a response needs at least one window; m=3 is the default")
    if len(panel.anchors) < k - 1:
        raise ValueFlowError(
            f"panel {panel.value!r} has {len(panel.anchors)} anchors and k={k} needs at least "
            f"{k - 1}: choose k <= {len(panel.anchors) + 1} or a larger panel"
        )


def check_layout(layout: str, judge: str) -> None:
    """Refuse a layout that is unknown, or that means nothing to a judge.

    Args:
        layout: One of LAYOUTS.
        judge: Name of the judge.

    Raises:
        ValueFlowError: naming what is allowed.
    """
    if layout not in LAYOUTS:
        raise unknown("layout", layout, LAYOUTS)
    if layout == RESPONSE_LAST and is_reader(judge):
        raise reads_no_windows(judge)


def is_reader(judge: str) -> bool:
    """Whether a judge of ours, by its name, reads responses one by one."""
    return judge.partition(":")[0] in _READERS


def reads_no_windows(judge: str) -> ValueFlowError:
    """What to say of a layout for a judge that sees no anchors."""
    return ValueFlowError(
        f"layout={RESPONSE_LAST!r}: the judge {judge!r} reads responses one by one, without "
        f"anchors; use layout={SHUFFLED!r}, or a judge such as 'choice:' or 'ranking:'"
    )


def seeded(*parts: object) -> random.Random:
    """A generator that depends on the parts and on nothing else."""
    text = "\x1f".join(map(str, parts))
    return random.Random(int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big"))


def draw_window(
    panel: Panel,
    response: Response,
    number: int,
    *,
    k: int,
    design: str,
    seed: int,
    attempt: int = 0,
    aims: Sequence[float] | None = None,
    used: Mapping[str, int] | None = None,
    layout: str = SHUFFLED,
) -> Window:
    """One response among k-1 anchors, shuffled or after them.

    An anchor with the response's own words is left out where the panel allows it: a text is
    no evidence about itself.

    Args:
        panel: Where anchors come from.
        response: What is measured.
        number: Of the window, from 0.
        k: Items.
        design: How anchors are drawn.
        seed: Of the measurement.
        attempt: Counts retries; each is shuffled anew.
        aims: Where anchors are wanted, points; None: as the design says.
        used: With `aims`: in how many windows of this response each anchor was already.
        layout: One of LAYOUTS.
    """
    shared = layout == RESPONSE_LAST and aims is None
    whose = () if shared else (response.key,)
    rng = seeded(seed, *whose, panel.value, number, attempt)
    others = [anchor for anchor in panel.anchors if anchor.text != response.text]
    candidates = others if len(others) >= k - 1 else list(panel.anchors)
    if aims is None:
        anchors = DESIGNS[design](rng, candidates, k - 1)
    else:
        anchors = aimed(rng, candidates, aims, used or {})
    if layout == RESPONSE_LAST:
        rng.shuffle(anchors)
        return Window(panel.value, panel.definition, (*anchors, response), k - 1, layout)
    items: list[Anchor | Response] = [*anchors, response]
    rng.shuffle(items)
    slot = next(i for i, item in enumerate(items) if item is response)
    return Window(panel.value, panel.definition, tuple(items), slot)
