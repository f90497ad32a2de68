"""Inspect's generation settings as transformers takes them."""

from __future__ import annotations

import itertools
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

from inspect_ai.model import GenerateConfig
from valueflow_scorers import ValueFlowError

_ALONE = itertools.count()
_UNKNOWN = ("frequency_penalty", "presence_penalty", "logit_bias", "best_of")


@dataclass(frozen=True)
class Sampling:
    """How one request is generated."""

    max_tokens: int
    """Longest answer, tokens."""
    temperature: float
    """0: greedy."""
    top_p: float | None
    """Nucleus, if any."""
    top_k: int | None
    """Most likely tokens kept, if any."""
    stops: tuple[str, ...]
    """Strings at which an answer ends."""
    seed: int | None
    """Of sampling."""
    logprobs: bool
    """Whether log-probabilities are wanted."""
    top: int
    """How many alternatives per token."""

    @classmethod
    def of(cls, config: GenerateConfig, max_tokens: int | None) -> Sampling:
        """Read a configuration; without a temperature answers are greedy.

        Raises:
            ValueFlowError: for a setting that would change the answers and that is not known here.
        """
        given = {name: getattr(config, name, None) for name in _UNKNOWN}
        if asked := [f"{name}={value}" for name, value in given.items() if value]:
            raise ValueFlowError(
                f"valueflow/hf does not know {', '.join(asked)}: leave it out (several answers "
                "are --epochs)"
            )
        if (config.num_choices or 1) > 1:
            raise ValueFlowError(
                f"num_choices={config.num_choices}: valueflow/hf gives one answer per request; "
                "take --epochs"
            )
        return cls(
            config.max_tokens or max_tokens or 160,
            config.temperature or 0.0,
            config.top_p,
            config.top_k,
            tuple(config.stop_seqs or ()),
            config.seed,
            bool(config.logprobs),
            config.top_logprobs or 0,
        )

    def kind(self) -> Hashable:
        """Requests of one kind share a batch; a seeded sample stands alone.

        In a batch the random numbers of a row depend on the other rows, so a seed would
        promise nothing.
        """
        alone = next(_ALONE) if self.temperature and self.seed is not None else None
        return self, alone

    def arguments(self, tokenizer: Any) -> dict[str, Any]:
        """For `generate`."""
        given: dict[str, Any] = {"max_new_tokens": self.max_tokens, "do_sample": False}
        if self.temperature:
            given |= {"do_sample": True, "temperature": self.temperature}
            given |= {} if self.top_p is None else {"top_p": self.top_p}
            # Without this the model's own default of 50 would apply.
            given["top_k"] = self.top_k or 0
        if self.stops:
            given |= {"stop_strings": list(self.stops), "tokenizer": tokenizer}
        return given

    def cut(self, text: str) -> str:
        """The text up to the first stop string."""
        return min((text.split(stop, 1)[0] for stop in self.stops), key=len, default=text)
