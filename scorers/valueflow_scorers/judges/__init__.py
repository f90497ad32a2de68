"""Judges by name: `embedded`, `ranking:<model>`, `simulated:noise=1:text=0`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from .._errors import ValueFlowError, unknown
from .._records import Judge, Panel


@dataclass(frozen=True)
class ResolvedJudge:
    """A judge with the name and prompt version that its profile is filed under."""

    name: str
    prompt_version: str
    judge: Judge


def _simulated(options: str, panels: Sequence[Panel]) -> ResolvedJudge:
    from .simulated import SimulatedJudge

    judge = SimulatedJudge.parse(options, panels)
    return ResolvedJudge(judge.name, "", judge)


def _embedded(options: str, panels: Sequence[Panel]) -> ResolvedJudge:
    from .embedded import METHOD_VERSION, EmbeddedJudge

    if options:
        raise ValueFlowError(f"judge 'embedded' takes no options; got {options!r}")
    return ResolvedJudge("embedded", METHOD_VERSION, EmbeddedJudge(panels))


def _ranking(model: str, panels: Sequence[Panel]) -> ResolvedJudge:
    from .model import PROMPT_VERSION, RankingJudge

    if not model:
        raise ValueFlowError(
            "judge 'ranking' needs a model: 'ranking:<Inspect model name>', such as "
            "'ranking:openai/gpt-4o' or 'ranking:vllm/google/gemma-3-27b-it'"
        )
    return ResolvedJudge(f"ranking:{model}", PROMPT_VERSION, RankingJudge(model))


_MAKERS: Mapping[str, Callable[[str, Sequence[Panel]], ResolvedJudge]] = {
    "embedded": _embedded,
    "ranking": _ranking,
    "simulated": _simulated,
}


def resolve_judge(judge: Judge | str, panels: Sequence[Panel]) -> ResolvedJudge:
    """The judge of that name, or the given judge with its own name.

    Args:
        judge: A name (`kind[:options]`, colons only), or any object with an async
            `judge(windows)`; it may carry `name` and `prompt_version`.
        panels: The panels that it will be used with.

    Raises:
        ValueFlowError: for an unknown kind or wrong options, or an object that is no judge.
    """
    if isinstance(judge, str):
        kind, _, options = judge.partition(":")
        if kind not in _MAKERS:
            raise unknown("judge", kind, _MAKERS)
        return _MAKERS[kind](options, panels)
    if not isinstance(judge, Judge):
        raise ValueFlowError(
            f"{judge!r} is no judge: give a name such as 'embedded', or an object with "
            "`async def judge(self, windows)`"
        )
    name = str(getattr(judge, "name", type(judge).__name__))
    return ResolvedJudge(name, str(getattr(judge, "prompt_version", "")), judge)
