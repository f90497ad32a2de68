"""What `valueflow vectors fit` and `calibrate` are given, checked before a model is loaded."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, get_args

from valueflow_scorers import ValueFlowError
from valueflow_scorers._errors import unknown

if TYPE_CHECKING:
    from valueflow_scorers._measure import Instrument

    from ..steering.fit import Tried


def resolved(values: tuple[str, ...]) -> tuple[str, ...]:
    """The values of `--value`, theories spelled out."""
    from ..settings import measurable_values
    from ..theories import resolve_values

    return resolve_values(values, measurable_values())


def instrument_for(judge: str, values: Iterable[str]) -> Instrument:
    """The instrument of a judge, made ready for the values: it refuses what it cannot measure."""
    from ..settings import Settings

    made = Settings(judge=judge).instrument()
    for value in values:
        made.evaluator(value)
    return made


def check_method(method: str) -> None:
    """Refuse a way of fitting that is none.

    Raises:
        ValueFlowError: naming the ways that there are.
    """
    from ..steering._directions import FitMethod

    if method not in get_args(FitMethod):
        raise unknown("fit method", method, get_args(FitMethod))


def check_texts(source: str) -> None:
    """Refuse contrast texts that cannot be read.

    Raises:
        ValueFlowError: as `own_texts`.
    """
    from ..steering._contrast import own_texts

    own_texts(source)


def check_targets(targets: Sequence[float]) -> None:
    """Refuse targets that no dial can reach.

    Raises:
        ValueFlowError: for the first that is no intensity.
    """
    from valueflow_scorers._records import SCALE_END

    for target in targets:
        if not -SCALE_END <= target <= SCALE_END:  # NaN neither
            raise ValueFlowError(
                f"--target {target:g}: intensities lie between {-SCALE_END:+g} and {SCALE_END:+g}"
            )


def read_doses(text: str) -> tuple[float, ...]:
    """The numbers of `--doses`.

    Raises:
        ValueFlowError: for anything but finite numbers above 0.
    """
    try:
        found = tuple(float(part) for part in text.split(","))
    except ValueError:
        raise ValueFlowError(f"--doses {text!r}: give numbers such as 0.05,0.1") from None
    if not all(0 < dose < math.inf for dose in found):  # NaN neither
        raise ValueFlowError(f"--doses {text!r}: doses are above 0 and finite, such as 0.05,0.1")
    return found


def read_layers(text: str) -> tuple[int, ...] | None:
    """The numbers of `--layers`; None for `auto`.

    Raises:
        ValueFlowError: for anything else.
    """
    if text == "auto":
        return None
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise ValueFlowError(f"--layers {text!r}: give auto, or numbers such as 3,5") from None


def doubt_of(value: str, best: Tried, tried: Iterable[Tried], texts: str, sides: str) -> str:
    """Why a vector may not steer, and what to try; empty where nothing says so.

    Args:
        value: The value.
        best: What was chosen.
        tried: All layers and doses.
        texts: Contrast texts that it was fitted from.
        sides: `one` or `two`.
    """
    if _is_clear(best):
        return ""
    if any(map(_is_clear, tried)):
        return (
            f"the gain of {value} is not clear of 0 on development queries; where it is, see "
            "above, more fluency or more answers are lost: choose with --layers and --doses"
        )
    options = {"--texts prompts": texts == "exemplars", "--sides two": sides == "one"}
    untried = " ".join(option for option, is_new in options.items() if is_new)
    return (
        f"nothing that was tried has a gain of {value} clear of 0 on development queries, so this "
        f"vector is not known to steer: try {untried or 'other --layers, --doses or --texts'}"
    )


def _is_clear(one: Tried) -> bool:
    """Whether 0 lies outside the 95 % interval of a gain, and below it."""
    return one.gain > 1.96 * one.stderr
