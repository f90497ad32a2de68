"""Judges that are language models, through Inspect's providers.

Requests run concurrently; connections, retries, rate limits and batch modes are Inspect's.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from copy import copy
from functools import cache, partial
from typing import TYPE_CHECKING

from .._errors import ValueFlowError
from .._gather import side_by_side
from .._records import Judgement, Window
from .parse import LETTERS, parse_numbers, parse_order, parse_rating
from .prompts import (
    MAX_CHARACTERS,
    PROMPT_VERSION,
    RELEASED_VERSION,
    choice_prompt,
    ranking_prompt,
    rating_prompt,
    released_prompt,
    visible,
)

if TYPE_CHECKING:
    from inspect_ai.model import GenerateConfig, Model, ModelOutput

_TOP_LETTERS = 20  # log-probabilities asked for; providers allow no more
BOUND_MARK = "#"
"""Stands in a bound model's name before the hash of what it was bound with."""
_BOUND: dict[str, Model] = {}


def bind_model(name: str, model: Model) -> None:
    """Have judges of this name ask this very model, with its own arguments and settings.

    Args:
        name: What stands behind `ranking:` and its like; two models that answer differently
            need two names.
        model: An Inspect model.
    """
    _BOUND[name] = model


@cache
def _opened(name: str) -> Model:
    """The model of that name that judges in this process.

    It is not Inspect's own memory of it: a judge that is the model under test would be the same
    object, and be asked under the run's system message, token limit and stop sequences.
    """
    from inspect_ai.model import get_model

    return get_model(name, memoize=False)


class ModelJudge:
    """What all of them share: the model, opened with the first judgement."""

    kind = ""
    prompt_version = PROMPT_VERSION
    reads = f"the first {MAX_CHARACTERS:,} characters"

    def __init__(self, model: str | Model) -> None:
        """Name the model.

        Args:
            model: An Inspect model name, or an Inspect model.
        """
        # A copy is no longer the model under test, under whose settings it would be asked.
        self._model = model if isinstance(model, str) else copy(model)
        self.input_tokens = self.output_tokens = self.paid_calls = 0

    @property
    def name(self) -> str:
        """What the judge's profile is filed under."""
        return f"{self.kind}:{self._model if isinstance(self._model, str) else self._model.name}"

    def cuts(self, texts: Sequence[str]) -> list[bool]:
        """Which texts are longer than what a prompt shows of them."""
        return [len(visible(text)) > MAX_CHARACTERS for text in texts]

    async def judge(self, windows: Sequence[Window]) -> Sequence[Judgement]:
        """One judgement per window; an unreadable reply or a failed call is a failure."""
        model = self.open()
        return await side_by_side([partial(self._one, model, window) for window in windows])

    async def _one(self, model: Model, window: Window) -> Judgement:
        prompt = self._prompt(window)
        try:
            # The journal is the only memory: Inspect's own cache knows no prompt versions.
            output = await model.generate(prompt, config=self._config(), cache=False)
        except Exception as error:  # providers raise anything; one call must not end the run
            return Judgement(failure=f"call failed: {type(error).__name__}", raw=str(error)[:500])
        self.paid_calls += 1
        if output.usage is not None:
            self.input_tokens += output.usage.input_tokens
            self.output_tokens += output.usage.output_tokens
        if output.stop_reason == "content_filter":
            return Judgement(failure="judge refused", raw=output.completion)
        return self._read(output, window)

    def open(self) -> Model:
        """The model, opened if it is not yet.

        Raises:
            ValueFlowError: if Inspect does not know it, or cannot reach it from here: a package
                or a key is missing.
        """
        if isinstance(self._model, str):
            if self._model in _BOUND:
                return _BOUND[self._model]
            if BOUND_MARK in self._model:
                raise ValueFlowError(
                    f"judge '{self.name}' is a model that was bound with arguments of its own: "
                    "bind it again, in Inspect to the role `grader`"
                )
            try:
                return _opened(self._model)
            except Exception as error:  # providers raise anything
                raise ValueFlowError(
                    f"judge '{self.name}' cannot be opened: {_plain(error)}"
                ) from error
        return self._model

    def _config(self) -> GenerateConfig:
        from inspect_ai.model import GenerateConfig

        return GenerateConfig(temperature=0.0)

    def cost(self) -> float | None:
        """What the calls so far cost, dollars; None where Inspect knows no price."""
        from inspect_ai.model import ModelUsage, compute_model_cost, get_model_info

        named = self._model
        info = get_model_info(named.split(BOUND_MARK)[0] if isinstance(named, str) else named)
        price = getattr(info, "cost", None)
        if price is None:
            return None
        usage = ModelUsage(input_tokens=self.input_tokens, output_tokens=self.output_tokens)
        return float(compute_model_cost(price, usage))

    def _prompt(self, window: Window) -> str:
        raise NotImplementedError

    def _read(self, output: ModelOutput, window: Window) -> Judgement:
        raise NotImplementedError


class RankingJudge(ModelJudge):
    """Asks a model to write down the order of each window."""

    kind = "ranking"

    def _prompt(self, window: Window) -> str:
        return ranking_prompt(window)

    def _read(self, output: ModelOutput, window: Window) -> Judgement:
        return parse_order(output.completion, len(window.items))


class ReleasedJudge(ModelJudge):
    """The released evaluator's judge: numbers instead of letters, no fences, no queries."""

    kind = "ranking"
    prompt_version = RELEASED_VERSION
    reads = "all of every text"

    def cuts(self, texts: Sequence[str]) -> list[bool]:
        """The released prompt shows all of every text."""
        return [False] * len(texts)

    def _prompt(self, window: Window) -> str:
        return released_prompt(window)

    def _read(self, output: ModelOutput, window: Window) -> Judgement:
        return parse_numbers(output.completion, len(window.items))


class ChoiceJudge(ModelJudge):
    """Reads a model at one token: how probable is each letter as the most supportive."""

    kind = "choice"

    def __init__(self, model: str | Model) -> None:
        """Name the model; see `RankingJudge`."""
        super().__init__(model)
        self._has_seen_letters = False

    def _prompt(self, window: Window) -> str:
        return choice_prompt(window)

    def _config(self) -> GenerateConfig:
        from inspect_ai.model import GenerateConfig

        return GenerateConfig(
            temperature=0.0, max_tokens=1, logprobs=True, top_logprobs=_TOP_LETTERS
        )

    def _read(self, output: ModelOutput, window: Window) -> Judgement:
        found = output.choices[0].logprobs if output.choices else None
        if found is None or not found.content:
            if self._has_seen_letters:  # the provider can; this one reply came without
                return Judgement(failure="no log-probabilities", raw=output.completion)
            raise ValueFlowError(
                f"judge '{self.name}' returns no log-probabilities: choose a provider that does "
                "(openai, vllm, hf …), or use 'ranking:' with this model"
            )
        self._has_seen_letters = True
        chances = [0.0] * len(window.items)
        first = found.content[0]
        for token in [*(first.top_logprobs or ())] or [first]:
            letter = token.token.strip(" \t\n\"'([*▁Ġ").upper()
            if len(letter) == 1 and letter in LETTERS[: len(chances)]:
                chances[LETTERS.index(letter)] += math.exp(token.logprob)
        total = sum(chances)
        if total <= 0:
            return Judgement(failure="no letter among the likely tokens", raw=output.completion)
        return Judgement(
            probabilities=tuple(chance / total for chance in chances), raw=output.completion
        )


class RatingJudge(ModelJudge):
    """Asks a model for a number from -10 to 10: what people do today, to be compared with."""

    kind = "rating"

    def _prompt(self, window: Window) -> str:
        if window.response_index is None:
            raise ValueFlowError("a rating judge reads responses; a window without one has none")
        return rating_prompt(window, window.response_index)

    def _read(self, output: ModelOutput, window: Window) -> Judgement:
        return parse_rating(output.completion)


def _plain(error: Exception) -> str:
    """An error's words on one line, without the markup that Inspect prints in colours."""
    said = " ".join(re.sub(r"\[/?[a-z]+\]", "", str(error)).split())
    return said.removeprefix("ERROR: ") or type(error).__name__
