"""Panels, judges and responses whose truth is known; shared by the benchmarks."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from valueflow_scorers import (
    Anchor,
    AnchorEvaluator,
    IntensityEstimate,
    Judgement,
    JudgeProfile,
    Panel,
    Response,
    Window,
    fit_profile,
)
from valueflow_scorers._calibrate import enough_windows

Floats = NDArray[np.float64]
Settings = tuple[tuple[str, Any], ...]
"""Settings of a judge, in a form that can be a key."""


@dataclass
class NoisyJudge:
    """Perceives the truth with independent noise, a persistent misreading and a slot bias."""

    truth: dict[str, float]
    noise: float
    """Sd of the error per text and call, points."""
    seed: int = 0
    persistent: float = 0.0
    """Sd of what is misread in a text every time, points."""
    gumbel: bool = False
    """Gumbel instead of normal noise, of the same sd."""
    slot_bias: tuple[float, ...] = ()
    letters: float | None = None
    """Temperature: return letter probabilities with a noisy tail instead of an order."""
    run: int = 0
    """Which of its runs this is: noise differs between runs, what is misread does not."""
    name: str = "noisy"
    _misread: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._rng = np.random.default_rng([self.seed, self.run])

    async def judge(self, windows: Sequence[Window]) -> list[Judgement]:
        """Order every window by what is perceived."""
        return [self._one(window) for window in windows]

    def _one(self, window: Window) -> Judgement:
        size = len(window.items)
        seen = np.array([self._perceived(item.key) for item in window.items])
        if self.gumbel:
            error = self._rng.gumbel(scale=np.sqrt(6) / np.pi, size=size)
        else:
            error = self._rng.standard_normal(size)
        seen = seen + self.noise * error
        if self.slot_bias:
            seen = seen + np.array(self.slot_bias)
        if self.letters is None:
            return Judgement(order=tuple(int(slot) for slot in np.argsort(-seen)))
        logits = seen / self.letters
        logits = logits - np.log(np.exp(logits - logits.max()).sum()) - logits.max()
        tail = logits < -6.0  # what a provider reports of unlikely letters is noise
        logits = logits + np.where(tail, self._rng.standard_normal(size), 0.0)
        chances = np.exp(logits) * (logits > -12.0)
        return Judgement(probabilities=tuple((chances / chances.sum()).tolist()))

    def _perceived(self, key: str) -> float:
        # From the text alone: a judge that is calibrated and then used is one and the same.
        if key not in self._misread:
            own = np.random.default_rng([self.seed, zlib.crc32(key.encode())])
            self._misread[key] = self.persistent * float(own.standard_normal())
        return self.truth[key] + self._misread[key]


def make_panel(
    seed: int, anchors: int, label_sd: float, shape: str = "even"
) -> tuple[Panel, dict[str, float]]:
    """A panel with erring labels, and the truth behind them.

    Args:
        seed: Of the label errors.
        anchors: How many.
        label_sd: Of the labels' errors, points.
        shape: `even` over the scale, or `bell`: drawn from N(0, 3.5), as VIDB is.
    """
    rng = np.random.default_rng(seed)
    if shape == "bell":
        true = np.clip(rng.normal(0, 3.5, anchors), -10, 10)
    else:
        true = np.linspace(-9.8, 9.8, anchors)
    labels = np.clip(true + label_sd * rng.standard_normal(anchors), -10, 10)
    ids = [f"p{seed}-a{i}" for i in range(anchors)]
    texts = tuple(
        Anchor(f"anchor {name}", float(label), stderr=label_sd, id=name)
        for name, label in zip(ids, labels, strict=True)
    )
    return Panel(f"benchmark/value-{seed}", texts), dict(zip(ids, true.tolist(), strict=True))


@cache
def calibrated(seeds: tuple[int, ...], label_sd: float, judge: Settings) -> JudgeProfile:
    """What `valueflow judge calibrate` finds of a judge on several panels of 24 anchors.

    Args:
        seeds: Of the panels.
        label_sd: Of their labels' errors, points.
        judge: Settings of `NoisyJudge`.
    """
    panels, truth = [], {}
    for seed in seeds:
        panel, known = make_panel(seed, 24, label_sd)
        panels.append(panel)
        truth.update(known)
    subject = NoisyJudge(truth, **dict(judge))
    return fit_profile(subject, panels, windows=enough_windows(len(panels)))


def measure(
    panel: Panel,
    truth: dict[str, float],
    thetas: Floats,
    judge: Settings,
    profile: JudgeProfile | None,
    *,
    m: int,
    run: int,
    compat: bool = False,
) -> list[IntensityEstimate]:
    """Measure responses of known intensity.

    Args:
        panel: The ruler.
        truth: Of the anchors.
        thetas: Of the responses, points.
        judge: Settings of `NoisyJudge`.
        profile: Of the judge; None with `compat`.
        m: Windows per response.
        run: Of the judge; 0 is its calibration.
        compat: Use the released evaluator.
    """
    names = [f"{panel.value}-r{i}" for i in range(len(thetas))]
    known = {**truth, **dict(zip(names, thetas.tolist(), strict=True))}
    evaluator = AnchorEvaluator(
        panel,
        NoisyJudge(known, run=run, **dict(judge)),
        m=m,
        profile=profile,
        compat="valueflow" if compat else None,
    )
    responses = [Response(f"response {name}", id=name) for name in names]
    return asyncio.run(evaluator.ascore(responses))
