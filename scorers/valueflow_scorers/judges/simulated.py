"""A judge of known truth: Plackett-Luce noise around known intensities."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import jsonlines
import numpy as np

from .._errors import ValueFlowError, unknown
from .._records import Anchor, Judgement, Panel, Response, Window

_OPTIONS = ("noise", "text", "truth")


@dataclass
class SimulatedJudge:
    """Orders windows by true intensity plus noise.

    The true intensity of a panel text is its label; a text of another value's panel is 0 on
    this value; a text of the truth file is what the file says. Of other texts it knows
    nothing, and says so.
    """

    panels: Sequence[Panel]
    noise: float = 1.0
    """Gumbel scale of the noise per window and item, points."""
    text: float = 0.0
    """Sd of what is persistently misread in a text, points."""
    truth: Path | None = None
    """JSON Lines with `text` and `intensity`."""
    _known: dict[tuple[str, str], float] = field(default_factory=dict, repr=False)
    _foreign: set[str] = field(default_factory=set, repr=False)
    _told: dict[str, float] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        from .._panels import load_panel, panel_values

        own = {panel.value for panel in self.panels}
        shipped = [load_panel(value) for value in panel_values() if value not in own]
        for panel in [*shipped, *self.panels]:
            for one in panel.texts:
                self._known[panel.value, one.text] = one.intensity
                self._foreign.add(one.text)
        if self.truth is not None:
            self._told = _read_truth(self.truth)

    @property
    def name(self) -> str:
        """The spec that makes this judge again."""
        truth = "" if self.truth is None else f":truth={_digest(self.truth)}"
        return f"simulated:noise={self.noise:g}:text={self.text:g}{truth}"

    @classmethod
    def parse(cls, options: str, panels: Sequence[Panel]) -> SimulatedJudge:
        """The judge that `noise=1:text=0:truth=FILE` describes.

        Raises:
            ValueFlowError: for an unknown option or a value that is no number >= 0.
        """
        given = dict(part.partition("=")[::2] for part in options.split(":") if part)
        for key in given:
            if key not in _OPTIONS:
                raise unknown("option of judge 'simulated'", key, _OPTIONS)
        return cls(
            panels,
            noise=_number("noise", given.get("noise", "1")),
            text=_number("text", given.get("text", "0")),
            truth=Path(given["truth"]) if "truth" in given else None,
        )

    async def judge(self, windows: Sequence[Window]) -> Sequence[Judgement]:
        """Order each window; the same window is always ordered alike."""
        return [self._one(window) for window in windows]

    def _one(self, window: Window) -> Judgement:
        seen = [self._perceived(window.value, item) for item in window.items]
        utilities = np.array([math.nan if one is None else one for one in seen], dtype=float)
        if np.isnan(utilities).any():
            return Judgement(failure="unknown text")
        parts = [window.value, *(f"{item.key}\x1f{item.text}" for item in window.items)]
        rng = np.random.default_rng(_seed("window", *parts))
        utilities += self.noise * rng.gumbel(size=len(utilities))
        return Judgement(order=tuple(int(slot) for slot in np.argsort(-utilities, kind="stable")))

    def _perceived(self, value: str, item: Anchor | Response) -> float | None:
        if isinstance(item, Anchor):
            true: float | None = item.intensity
        else:
            true = self._known.get((value, item.text), self._told.get(item.text))
            if true is None and item.text in self._foreign:
                true = 0.0
        if true is None or not self.text:
            return true
        rng = np.random.default_rng(_seed("text", value, item.text))
        return true + self.text * float(rng.standard_normal())


def _seed(*parts: str) -> int:
    return int.from_bytes(hashlib.sha256("\x1e".join(parts).encode()).digest()[:8], "big")


def _number(key: str, given: str) -> float:
    try:
        number = float(given)
    except ValueError:
        number = math.nan
    if not (math.isfinite(number) and number >= 0):
        raise ValueFlowError(f"judge 'simulated': {key}={given!r} is no number >= 0")
    return number


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12]


def _read_truth(path: Path) -> dict[str, float]:
    told = {}
    try:
        with jsonlines.open(path) as lines:
            for number, line in enumerate(lines, 1):
                try:
                    intensity = float(line["intensity"])
                    told[str(line["text"])] = intensity
                except (KeyError, TypeError, ValueError):
                    intensity = math.nan
                if not math.isfinite(intensity):
                    raise ValueFlowError(
                        f"{path}, line {number}: expected an object with 'text' and a number "
                        "'intensity'"
                    )
    except (OSError, UnicodeDecodeError) as error:
        raise ValueFlowError(f"cannot read the truth file {path}: {error}") from None
    except jsonlines.InvalidLineError as error:
        raise ValueFlowError(f"{path}, line {error.lineno}: no valid JSON") from None
    return told
