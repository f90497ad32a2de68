"""The released evaluator, reproduced from its description so that it can be compared with.

Per window one anchor from each of five equal parts of the scale; the response is always text
1, the anchors ascend; all orders of a response enter one Plackett-Luce likelihood with the
anchors fixed and a noise of one point per logit; theta is found by bisection under a prior
of weight 1e-3 and clamped to the drawn anchors' range (no wins: the lowest drawn, all wins: the
highest). Windows without a verdict vanish. There is no standard error. Its faults are the
point: position confounded with role, ceiling, fixed noise.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.optimize import bisect

from ._estimated import IntensityEstimate, JudgedWindow
from ._judging import judge_all
from ._plackett_luce import GRID
from ._profile import JudgeProfile
from ._records import SCALE_END, FloatArray, Panel, Response, Window
from ._sentences import sentence_words, sentences_of
from ._windows import DESIGNS, seeded

if TYPE_CHECKING:
    from ._evaluator import AnchorEvaluator

_PRIOR = 1e-3
_SHARP = 0.25  # width of the stand-in likelihood by which metrics see the bare number, points


async def released_scores(
    evaluator: AnchorEvaluator, responses: Mapping[str, Response]
) -> dict[str, IntensityEstimate]:
    """Score responses as the release does.

    Args:
        evaluator: Panel, judge, k, m and seed; the rest of it plays no part.
        responses: By id.
    """
    windows = [
        (key, _window(evaluator, response, number))
        for key, response in responses.items()
        for number in range(evaluator.m)
    ]
    judgements = await judge_all(evaluator.judge, [window for _, window in windows])
    judged: dict[str, list[JudgedWindow]] = {key: [] for key in responses}
    for (key, window), judgement in zip(windows, judgements, strict=True):
        judged[key].append(JudgedWindow.of(window, judgement))
    profile = JudgeProfile(evaluator.judge_name)
    return {
        key: _released(evaluator.panel, profile, key, sentence_words(response.text), judged[key])
        for key, response in responses.items()
    }


def released_reestimate(
    panel: Panel, profile: JudgeProfile, saved: Sequence[Mapping[str, Any]]
) -> list[IntensityEstimate]:
    """Recompute saved estimates of the released evaluator; compare `reestimate`."""
    return [
        _released(
            panel,
            profile,
            entry["response_id"],
            sentences_of(entry),
            [JudgedWindow.from_dict(window) for window in entry["windows"]],
        )
        for entry in saved
    ]


def _window(evaluator: AnchorEvaluator, response: Response, number: int) -> Window:
    panel = evaluator.panel
    rng = seeded("compat", evaluator.seed, response.key, panel.value, number)
    anchors = DESIGNS["bucket"](rng, panel.anchors, evaluator.k - 1)
    ascending = sorted(anchors, key=lambda anchor: anchor.intensity)
    return Window(panel.value, panel.definition, (response, *ascending), 0)


def _released(
    panel: Panel,
    profile: JudgeProfile,
    name: str,
    sentences: Mapping[str, int],
    windows: Sequence[JudgedWindow],
) -> IntensityEstimate:
    """One response's intensity as the release computes it; NaN if no window has an order."""
    tails: list[FloatArray] = []
    drawn: list[float] = []
    wins = last = 0
    for window in windows:
        order = window.judgement.order
        if order is None:
            continue
        ranked = [
            math.nan
            if slot == window.slot
            else panel.texts[panel.index(window.items[slot])].intensity
            for slot in order
        ]
        place = order.index(window.slot)
        last += place == len(order) - 1
        wins += place < len(order) - 1
        drawn.extend(value for value in ranked if not math.isnan(value))
        tails.extend(
            np.array([value for value in ranked[stage:] if not math.isnan(value)])
            for stage in range(min(place, len(order) - 2) + 1)
        )
    if not drawn:
        return IntensityEstimate(
            math.nan, math.nan, tuple(windows), reason="no window has an order",
            response_id=name, sentences=sentences, value=panel.value, panel=panel.fingerprint,
            profile=profile.fingerprint,
        )  # fmt: skip

    def slope(theta: float) -> float:
        lost = sum(1 / (1 + float(np.exp(tail - theta).sum())) for tail in tails)
        return wins - lost - 2 * _PRIOR * theta

    low, high = -3 * SCALE_END, 3 * SCALE_END
    theta = low if slope(low) < 0 else high if slope(high) > 0 else float(bisect(slope, low, high))
    intensity = min(max(theta, min(drawn)), max(drawn))
    return IntensityEstimate(
        intensity,
        math.nan,
        tuple(windows),
        response_id=name,
        sentences=sentences,
        value=panel.value,
        panel=panel.fingerprint,
        profile=profile.fingerprint,
        log_likelihood=-0.5 * ((GRID - intensity) / _SHARP) ** 2,
        sensitivities=np.zeros(len(panel.texts)),
        label_covariance=np.zeros((len(panel.texts),) * 2),
    )
