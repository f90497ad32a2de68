"""How good is a judge? Everything `valueflow judge calibrate` reports, as data."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from ._agreement import (
    Ordered,
    alpha,
    kendall,
    noise_by_region,
    ordered,
    pairwise,
    repeated_places,
    sign_flips,
)
from ._calibrate import CALIBRATION_WINDOWS, calibrated
from ._judging import judge_all
from ._lapses import LAPSE
from ._portal import run_sync
from ._profile import JudgeProfile
from ._records import SHUFFLED, Judgement, Panel, Window
from ._sentinels import SIGNED, Pairs, SentinelCheck, check, halved, measure_sentinels
from ._windows import is_reader
from .judges import ResolvedJudge

_FEW, _MANY = 3, 20  # windows per sentinel
_REPEATED = 100  # calibration windows, about, of which shuffles are judged


@dataclass(frozen=True)
class JudgeReport:
    """What was found out about a judge."""

    profile: JudgeProfile
    """Its measured errors."""
    sentinels: tuple[SentinelCheck, ...]
    """At m=3 and m=20; a judge that reads is asked once per text, so m says nothing of it."""
    sign_flips: float | None
    """Share of sentinels whose sign differs between two disjoint sets of windows, or between two
    readings."""
    repeat_agreement: float | None
    """Krippendorff's alpha (interval) of a text's place over shuffles of one window, or of two
    readings."""
    window_kendall: float | None
    """Mean Kendall tau-b of a window's order and the labels."""
    pairwise_agreement: float | None
    """Share of pairs that a window puts in the labels' order."""
    noise_by_region: dict[str, float] = field(default_factory=dict)
    """Observed over expected swaps of neighbours, by where on the scale they are; 1: as the
    profile says."""
    failures: dict[str, int] = field(default_factory=dict)
    """Windows without a verdict, by reason; lapses as they were found among the sentinels'."""
    calls: int = 0
    """Windows judged in all."""
    tokens_per_call: tuple[float, float] | None = None
    """Input and output tokens of a paid call; None for judges without tokens."""
    dollars_per_1000: float | None = None
    """Cost of 1,000 responses at m=3; None where no price is known."""

    @property
    def failure_rate(self) -> float:
        """Share of windows without a verdict."""
        return sum(self.failures.values()) / max(self.calls, 1)

    def to_dict(self) -> dict[str, Any]:
        """JSON-serialisable content."""
        return {
            "judge": self.profile.judge,
            "prompt_version": self.profile.prompt_version,
            "fingerprint": self.profile.fingerprint,
            "tau": self.profile.tau,
            "slot_bias": list(self.profile.slot_bias),
            "omega": self.profile.omega,
            "slope": self.profile.slope,
            "residual": self.profile.residual,
            "probabilities_as": self.profile.probabilities_as,
            "layout": self.profile.layout,
            "sentinels": [
                {key: _known(value) for key, value in asdict(one).items() if key != "points"}
                for one in self.sentinels
            ],
            "sign_flips": self.sign_flips,
            "repeat_agreement": self.repeat_agreement,
            "window_kendall": self.window_kendall,
            "pairwise_agreement": self.pairwise_agreement,
            "noise_by_region": self.noise_by_region,
            "failures": self.failures,
            "failure_rate": self.failure_rate,
            "calls": self.calls,
            "tokens_per_call": self.tokens_per_call,
            "dollars_per_1000": self.dollars_per_1000,
        }


class _AskedOnce:
    """The judge, asked nothing twice, with everything that it was asked counted.

    The first windows of a sentinel are the same at m=3 and at m=20.
    """

    def __init__(self, judge: ResolvedJudge) -> None:
        self.name, self.prompt_version, self._judge = judge.name, judge.prompt_version, judge.judge
        self._said: dict[Window, Judgement] = {}

    async def judge(self, windows: Sequence[Window]) -> Sequence[Judgement]:
        fresh = [window for window in dict.fromkeys(windows) if window not in self._said]
        self._said.update(zip(fresh, await judge_all(self._judge, fresh), strict=True))
        return [self._said[window] for window in windows]

    @property
    def calls(self) -> int:
        return len(self._said)

    @property
    def failures(self) -> Counter[str]:
        return Counter(one.failure for one in self._said.values() if one.failure is not None)


def judge_report(
    judge: ResolvedJudge,
    panels: Sequence[Panel],
    *,
    k: int = 6,
    windows: int = CALIBRATION_WINDOWS,
    seed: int = 0,
    layout: str = SHUFFLED,
) -> JudgeReport:
    """Calibrate a judge and check it on the sentinels.

    Args:
        judge: The judge.
        panels: What to measure it on.
        k: Items per window.
        windows: Calibration windows in all.
        seed: Of all windows.
        layout: Of all windows.

    Raises:
        ValueFlowError: as `fit_profile`.
    """
    return run_sync(lambda: _report(judge, panels, k, windows, seed, layout))


async def _report(
    resolved: ResolvedJudge,
    panels: Sequence[Panel],
    k: int,
    windows: int,
    seed: int,
    layout: str,
) -> JudgeReport:
    judge = _AskedOnce(resolved)
    found = await calibrated(judge, panels, k, windows, seed, layout)
    profile = found.profile
    few = await measure_sentinels(judge, panels, profile, k, _FEW, seed)
    measured: dict[int, Pairs] = {_FEW: few}
    orders: tuple[Ordered, ...] = ()
    if any(one.reading is not None for _, one in found.judged):
        # Calibration read each sentinel too, among other anchors: they are not shown, but the code
        # of the fence hashes them, so that the two prompts differ.
        again = same = np.array([_readings([[one] for _, one in found.judged]), _readings(
            [[window.judgement for window in one.windows] for _, one in few]
        )])  # fmt: skip
    else:
        many = measured[_MANY] = await measure_sentinels(judge, panels, profile, k, _MANY, seed)
        again = halved(panels, profile, many)
        asked = [window for window, _ in found.judged]
        same = await repeated_places(judge, asked[:: max(1, len(asked) // _REPEATED)], seed)
        orders = ordered(panels, found.judged)
    return JudgeReport(
        profile,
        tuple(check(pairs, m) for m, pairs in measured.items()),
        sign_flips(np.array([text.intensity for text, _ in few]), again, SIGNED),
        alpha(same),
        kendall(orders) if orders else None,
        pairwise(orders) if orders else None,
        noise_by_region(orders, profile),
        dict(judge.failures + _lapses(measured)),
        judge.calls,
        *_prices(resolved),
    )


def _readings(judgements: Sequence[Sequence[Judgement]]) -> list[float]:
    """The first reading among each text's judgements; NaN where there is none."""
    return [
        next((one.reading[0] for one in ones if one.reading is not None), math.nan)
        for ones in judgements
    ]


def _lapses(measured: Mapping[int, Pairs]) -> Counter[str]:
    """Windows that the judge answered, and that the evaluator found to be lapses."""
    return Counter(
        window.judgement.failure
        for pairs in measured.values()
        for _, one in pairs
        for window in one.windows
        if window.judgement.failure == LAPSE
    )


def _prices(judge: ResolvedJudge) -> tuple[tuple[float, float] | None, float | None]:
    """Tokens per paid call, and dollars per 1,000 responses at m=3."""
    asked = judge.asked
    paid = getattr(asked, "paid_calls", 0)
    if not paid:
        return None, None
    cost = asked.cost()
    per_response = 1 if is_reader(judge.name) else _FEW
    return (
        (asked.input_tokens / paid, asked.output_tokens / paid),
        None if cost is None else 1000 * per_response * cost / paid,
    )


def _known(number: float) -> float | None:
    """The number, None for NaN: JSON has none."""
    return None if math.isnan(number) else number
