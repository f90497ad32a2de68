"""Judges that are language models, through Inspect's providers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import anyio

from .._errors import ValueFlowError
from .._records import Judgement, Window
from .parse import parse_order
from .prompts import PROMPT_VERSION, ranking_prompt

if TYPE_CHECKING:
    from inspect_ai.model import GenerateConfig, Model

__all__ = ["PROMPT_VERSION", "RankingJudge"]


class RankingJudge:
    """Asks a model to write down the order of each window.

    Requests run concurrently; connections, retries and rate limits are Inspect's.
    """

    prompt_version = PROMPT_VERSION

    def __init__(self, model: str | Model) -> None:
        """Name the model; it is opened with the first judgement.

        Args:
            model: An Inspect model name, or an Inspect model.
        """
        self._model = model

    @property
    def name(self) -> str:
        """What the judge's profile is filed under."""
        return f"ranking:{self._model if isinstance(self._model, str) else self._model.name}"

    async def judge(self, windows: Sequence[Window]) -> Sequence[Judgement]:
        """One order per window; an unreadable reply or a failed call is a failure."""
        model, config = self._open()
        judgements: list[Judgement] = [Judgement(failure="not asked")] * len(windows)

        async def ask(index: int, window: Window) -> None:
            judgements[index] = await _ask(model, config, window)

        async with anyio.create_task_group() as group:
            for index, window in enumerate(windows):
                group.start_soon(ask, index, window)
        return judgements

    def _open(self) -> tuple[Model, GenerateConfig]:
        from inspect_ai.model import GenerateConfig, get_model

        if isinstance(self._model, str):
            try:
                self._model = get_model(self._model)
            except (ValueError, ImportError) as error:
                raise ValueFlowError(f"judge 'ranking:{self._model}': {error}") from error
        return self._model, GenerateConfig(temperature=0.0)


async def _ask(model: Model, config: GenerateConfig, window: Window) -> Judgement:
    try:
        # The journal is the only memory: Inspect's own cache does not know prompt versions.
        output = await model.generate(ranking_prompt(window), config=config, cache=False)
    except Exception as error:  # a provider may raise anything, and one call must not end the run
        return Judgement(failure=f"call failed: {type(error).__name__}", raw=str(error)[:500])
    if output.stop_reason == "content_filter":
        return Judgement(failure="judge refused", raw=output.completion)
    return parse_order(output.completion, len(window.items))
