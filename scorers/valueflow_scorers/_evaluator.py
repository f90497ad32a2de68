"""Measure responses: draw windows, have them judged, aim the next ones, estimate."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from numbers import Real

import numpy as np

from ._errors import ValueFlowError
from ._estimate import estimate
from ._estimated import IntensityEstimate, JudgedWindow, unscored
from ._judging import judge_all
from ._lapses import without_lapses
from ._plackett_luce import SCALE
from ._portal import run_sync
from ._posterior import smoothed
from ._profile import JudgeProfile
from ._profile_fit import own_profile
from ._records import SHUFFLED, FloatArray, Judge, Panel, Response, Window
from ._sentences import sentence_words
from ._windows import TWO_PASS, check_design, check_layout, draw_window
from .judges import resolve_judge
from .judges.prompts import visible

_AIM_WIDENING = 1.3
"""Aims are quantiles of the posterior blurred by this many taus: a text a good deal weaker or
stronger than the response still tells something, a text exactly as strong tells little more."""


@dataclass
class _Progress:
    """A response on its way: what was judged so far, and where to look next."""

    response: Response
    windows: list[JudgedWindow] = field(default_factory=list)
    reads: bool = False
    drawn: int = 0
    aims: list[float] | None = None
    stderr: float = float("inf")

    @property
    def used(self) -> Counter[str]:
        """In how many windows each anchor was."""
        return Counter(key for window in self.windows for key in window.items)


class AnchorEvaluator:
    """Ranks each response among anchors and places it on [-10, 10].

    An estimate depends on the response's own windows and on the judge profile, and on
    nothing else that is measured in the same call.
    """

    def __init__(
        self,
        panel: Panel,
        judge: Judge | str,
        *,
        k: int = 6,
        m: int = 3,
        design: str = TWO_PASS,
        seed: int = 0,
        profile: JudgeProfile | None = None,
        compat: str | None = None,
        target_stderr: float | None = None,
        layout: str = SHUFFLED,
    ) -> None:
        """Set up a measurement.

        Args:
            panel: The ruler.
            judge: Any object with an async `judge(windows)`, or a judge's name such as
                `embedded`, `simulated:noise=1` or `ranking:openai/gpt-4o`.
            k: Items per window, the response included; 2 to 10.
            m: Windows per response at most. A judge that returns readings is asked once.
            design: `two-pass` aims all windows but the first at what is already known;
                `bucket`, `random` and `fixed` do not.
            seed: Enters the draw of every window.
            profile: The judge's measured errors; None: fitted from this call's own windows.
            compat: `valueflow`: the released evaluator, faults included, to compare with;
                `design`, `profile`, `target_stderr` and `layout` then play no part.
            target_stderr: Stop asking about a response once its standard error is this small,
                points; `len(estimate.windows)` tells the calls used.
            layout: `shuffled`, or `response-last`: anchors first, the same ones in the same
                order for all responses wherever windows are not aimed, so that a provider's
                prefix cache applies. Needs a profile that was fitted in this layout.

        Raises:
            ValueFlowError: for an unknown judge, design or layout, numbers out of range, too
                few anchors, or a profile of another judge, panel, k or layout.
        """
        check_design(panel, k, m, design)
        if compat not in (None, "valueflow"):
            raise ValueFlowError(f"compat={compat!r}: only 'valueflow' (the released evaluator)")
        if target_stderr is not None and not (
            isinstance(target_stderr, Real) and target_stderr > 0
        ):
            raise ValueFlowError(f"target_stderr={target_stderr!r}: give a number > 0, in points")
        if k == 2 and compat is None and not (profile and profile.calibrated):
            raise ValueFlowError(
                "k=2 windows hold one anchor, from which a judge's noise cannot be told: "
                "calibrate the judge first (`valueflow judge calibrate`) and pass its profile"
            )
        self.panel, self.k, self.m, self.design, self.seed = panel, k, m, design, seed
        self.compat, self.target_stderr = compat, target_stderr
        resolved = resolve_judge(judge, [panel], released=compat is not None)
        self.judge, self.judge_name = resolved.judge, resolved.name
        self.profile, self.layout = profile, layout
        check_layout(layout, resolved.name)
        if compat is None:
            (profile or JudgeProfile(resolved.name)).check_layout(layout)
        if profile is not None and compat is None:
            profile.check_judge(resolved.name, resolved.prompt_version)
            profile.bias(k)
            profile.view(panel)

    def score(self, responses: Sequence[Response]) -> list[IntensityEstimate]:
        """Measure responses; safe inside a running event loop.

        Args:
            responses: Ids must differ; responses without an id get one from their words.

        Returns:
            One estimate per response, in the same order. An empty response, or one on
            which every window failed, has a NaN intensity and a `reason`.

        Raises:
            ValueFlowError: if two different responses share an id.
        """
        return run_sync(lambda: self.ascore(responses))

    async def ascore(self, responses: Sequence[Response]) -> list[IntensityEstimate]:
        """Async twin of `score`."""
        texts: dict[str, Response] = {}
        for response in responses:
            if texts.setdefault(response.key, response) != response:
                raise ValueFlowError(
                    f"two different responses have the id {response.key!r}: ids must differ, "
                    "since windows are drawn from them"
                )
        scorable = {key: one for key, one in texts.items() if visible(one.text).strip()}
        if self.compat:
            from ._compat import released_scores

            results = await released_scores(self, scorable)
            profile = JudgeProfile(self.judge_name)
        else:
            results, profile = await self._measure(scorable)
        return [
            results.get(response.key)
            or unscored(self.panel, profile, response.key, "empty response")
            for response in responses
        ]

    async def _measure(
        self, responses: dict[str, Response]
    ) -> tuple[dict[str, IntensityEstimate], JudgeProfile]:
        under_way = {key: _Progress(one) for key, one in responses.items()}
        # Aims need a profile before a call's own windows can be fitted; they only aim.
        aiming = self.profile or JudgeProfile(self.judge_name)
        for count in self._passes():
            active = [one for one in under_way.values() if self._goes_on(one)]
            if not active:
                break
            if self.design == TWO_PASS and active[0].drawn:
                self._aim(active, aiming)
            await self._pass(active, count)
            if self.target_stderr is not None:
                self._aim(active, aiming)
        judged = {key: one.windows for key, one in under_way.items()}
        profile = self.profile or own_profile(self.panel, self.judge_name, judged, self.k)
        sentences = {key: sentence_words(one.response.text) for key, one in under_way.items()}
        found = estimate(self.panel, profile, judged, sentences)
        return {one.response_id: one for one in found}, profile

    def _passes(self) -> Iterator[int]:
        """How many windows each pass judges: one, then two by two where passes are aimed."""
        yield 1
        left = self.m - 1
        step = 2 if self.design == TWO_PASS or self.target_stderr is not None else left
        while left > 0:
            yield min(step, left)
            left -= step

    def _goes_on(self, one: _Progress) -> bool:
        return not one.reads and (self.target_stderr is None or one.stderr > self.target_stderr)

    def _aim(self, active: Sequence[_Progress], profile: JudgeProfile) -> None:
        """Set where the next windows' anchors are wanted: quantiles of what is believed."""
        judged = {one.response.key: one.windows for one in active}
        found = estimate(self.panel, profile, judged)
        rows = [i for i, one in enumerate(found) if one.log_likelihood is not None]
        if not rows:
            return
        table = np.stack([found[i].log_likelihood for i in rows])  # type: ignore[misc]
        errors = np.array([found[i].label_error for i in rows])
        widths = np.hypot(errors, _AIM_WIDENING * profile.tau)
        quantiles = _quantiles(smoothed(table, widths, profile.omegas), self.k - 1)
        for row, i in enumerate(rows):
            active[i].aims = quantiles[row].tolist()
            active[i].stderr = found[i].stderr

    async def _pass(self, active: Sequence[_Progress], count: int) -> None:
        """Judge `count` windows of every response in one batch; retry failures once."""
        asked = [(one, one.drawn + i) for one in active for i in range(count)]
        for one in active:
            one.drawn += count
        for attempt in (0, 1):
            windows = [self._window(one, number, attempt) for one, number in asked]
            judgements = await judge_all(self.judge, windows)
            judged = [JudgedWindow.of(*pair) for pair in zip(windows, judgements, strict=True)]
            if self.profile is not None:
                judged = without_lapses(self.panel, self.profile, judged)
            failed = []
            for job, window in zip(asked, judged, strict=True):
                job[0].windows.append(window)
                job[0].reads |= window.judgement.reading is not None
                if window.judgement.failure is not None:
                    failed.append(job)
            asked = failed
            if not asked:
                return

    def _window(self, one: _Progress, number: int, attempt: int) -> Window:
        aimed = self.design == TWO_PASS and one.aims is not None
        return draw_window(
            self.panel,
            one.response,
            number,
            k=self.k,
            design=self.design,
            seed=self.seed,
            attempt=attempt,
            aims=one.aims if aimed else None,
            used=one.used if aimed else None,
            layout=self.layout,
        )


def _quantiles(weights: FloatArray, count: int) -> FloatArray:
    """Evenly spaced quantiles of weights on SCALE, [n, len(SCALE)] -> [n, count], points."""
    levels = (np.arange(count) + 0.5) / count
    cumulative = np.cumsum(weights, axis=1)
    return np.stack([np.interp(levels, row, SCALE) for row in cumulative])
