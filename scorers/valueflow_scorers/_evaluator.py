"""Measure responses: draw windows, have them judged, estimate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ._calibrate import own_profile
from ._errors import ValueFlowError
from ._estimate import IntensityEstimate, JudgedWindow, estimate, unscored
from ._portal import run_sync
from ._profile import JudgeProfile
from ._records import Judge, Judgement, Panel, Response, Window, words_key
from ._windows import check_design, draw_window
from .judges import resolve_judge


@dataclass
class _Progress:
    """A response on its way: what was judged so far."""

    response: Response
    windows: list[JudgedWindow] = field(default_factory=list)
    reads: bool = False


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
        design: str = "bucket",
        seed: int = 0,
        profile: JudgeProfile | None = None,
    ) -> None:
        """Set up a measurement.

        Args:
            panel: The ruler.
            judge: Any object with an async `judge(windows)`, or a judge's name such as
                `embedded`, `simulated:noise=1` or `ranking:openai/gpt-4o`.
            k: Items per window, the response included; 2 to 10.
            m: Windows per response. A judge that returns readings is asked once.
            design: How anchors are drawn: `bucket`, `random` or `fixed`.
            seed: Enters the draw of every window.
            profile: The judge's measured errors; None: fitted from this call's own windows.

        Raises:
            ValueFlowError: for an unknown judge or design, numbers out of range, too few
                anchors, or a profile of another judge, panel or k.
        """
        check_design(panel, k, m, design)
        self.panel, self.k, self.m, self.design, self.seed = panel, k, m, design, seed
        resolved = resolve_judge(judge, [panel])
        self.judge, self.judge_name = resolved.judge, resolved.name
        self.profile = profile
        if profile is not None:
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
        under_way = {key: _Progress(one) for key, one in texts.items() if one.text.strip()}
        await self._pass(list(under_way.values()), [0])
        ranked = [one for one in under_way.values() if not one.reads]
        await self._pass(ranked, list(range(1, self.m)))
        judged = {key: one.windows for key, one in under_way.items()}
        profile = self.profile or own_profile(self.panel, self.judge_name, judged, self.k)
        copies = {key: words_key(one.response.text) for key, one in under_way.items()}
        found = estimate(self.panel, profile, judged, copies)
        results = {one.response_id: one for one in found}
        return [
            results.get(response.key)
            or unscored(self.panel, profile, response.key, "empty response")
            for response in responses
        ]

    async def _pass(self, progress: Sequence[_Progress], numbers: Sequence[int]) -> None:
        """Judge these window numbers of all responses in one batch; retry failures once."""
        asked = [(one, number) for one in progress for number in numbers]
        for attempt in (0, 1):
            windows = [self._window(one.response, number, attempt) for one, number in asked]
            judgements = await judge_all(self.judge, windows)
            failed = []
            for job, window, judgement in zip(asked, windows, judgements, strict=True):
                judged = JudgedWindow.of(window, judgement)
                job[0].windows.append(judged)
                job[0].reads |= judged.judgement.reading is not None
                if judged.judgement.failure is not None:
                    failed.append(job)
            asked = failed
            if not asked:
                return

    def _window(self, response: Response, number: int, attempt: int) -> Window:
        return draw_window(
            self.panel,
            response,
            number,
            k=self.k,
            design=self.design,
            seed=self.seed,
            attempt=attempt,
        )


async def judge_all(judge: Judge, windows: Sequence[Window]) -> Sequence[Judgement]:
    """Ask a judge, and insist on one judgement per window.

    Raises:
        ValueFlowError: if the judge returns another number of judgements.
    """
    if not windows:
        return []
    judgements = await judge.judge(windows)
    if len(judgements) != len(windows):
        raise ValueFlowError(
            f"the judge returned {len(judgements)} judgements for {len(windows)} windows: "
            "return exactly one per window, in the same order"
        )
    return judgements
