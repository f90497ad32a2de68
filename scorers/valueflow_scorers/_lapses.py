"""Windows in which a judge did not do its work.

The order of the anchors among themselves is known in advance, up to the judge's noise. An
order that chance explains better than the judge's profile does is a lapse: a failure, retried.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ._calibration import ranking_log_likelihoods
from ._estimated import JudgedWindow
from ._profile import JudgeProfile
from ._records import Judgement, Panel

LAPSE = "lapse"
"""The failure that such a window becomes."""
PRIOR = 0.05
"""How many windows are taken to lapse before anything is seen."""
CERTAIN = 0.95
"""P(lapse) above which a window is one."""
_GUMBEL_PER_NORMAL = 0.78  # sqrt(6) / pi: the Gumbel scale with the sd of a unit normal


def without_lapses(
    panel: Panel, profile: JudgeProfile, judged: Sequence[JudgedWindow]
) -> list[JudgedWindow]:
    """The windows, lapses turned into failures that keep what the judge wrote."""
    result = list(judged)
    locations, covariance = profile.view(panel)
    # What is misread in a text blurs its place as noise does.
    blur = _GUMBEL_PER_NORMAL * math.sqrt(float(np.diag(covariance).mean()))
    tau = math.hypot(profile.tau, blur)
    for size in {len(one.items) for one in judged}:
        index = [
            i
            for i, one in enumerate(judged)
            if len(one.items) == size and one.judgement.order is not None
        ]
        if size < 3 or not index:
            continue
        slots = np.array([_without(judged[i].judgement.order, judged[i].slot) for i in index])
        places = np.array(
            [[panel.index(judged[i].items[slot]) for slot in row]
             for i, row in zip(index, slots, strict=True)]
        )  # fmt: skip
        bias = profile.bias(size)
        fits = np.exp(ranking_log_likelihoods((locations[places] + bias[slots]) / tau))
        chance = PRIOR / math.factorial(size - 1)
        lapsed = chance / (chance + (1 - PRIOR) * fits) > CERTAIN
        for i in np.array(index)[lapsed]:
            raw = judged[i].judgement.raw
            result[i] = replace(judged[i], judgement=Judgement(failure=LAPSE, raw=raw))
    return result


def _without(order: tuple[int, ...] | None, slot: int) -> list[int]:
    return [place for place in order or () if place != slot]
