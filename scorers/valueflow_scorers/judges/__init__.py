"""Judges by name: `embedded`, `simulated:…`, and `ranking|choice|rating:<Inspect model>`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .._errors import ValueFlowError, unknown
from .._records import Judge, Panel
from .._windows import is_reader


@dataclass(frozen=True)
class ResolvedJudge:
    """A judge with the name and prompt version that its profile is filed under."""

    name: str
    prompt_version: str
    judge: Judge

    @property
    def asked(self) -> Any:
        """The judge behind the journal, if there is one."""
        return getattr(self.judge, "inner", self.judge)

    def cuts(self, texts: Sequence[str]) -> list[bool]:
        """Of which texts it reads only the beginning; none where it has no `cuts(texts)`."""
        tell = getattr(self.asked, "cuts", None)
        return [False] * len(texts) if tell is None else list(tell(texts))

    def cut_note(self, cut: int, total: int) -> str:
        """What to tell of texts that it cut: how many they are, and how much it `reads`."""
        reads = getattr(self.asked, "reads", "")
        so_much = f" ({reads})" if reads else ""
        return (
            f"{cut} of {total} texts are longer than what judge {self.name} reads{so_much} and "
            "were measured by their beginning; split them, or leave them out"
        )

    def open(self) -> None:
        """Open the model that judges, if it is one: what is missing shows before any work.

        Raises:
            ValueFlowError: if it cannot be opened.
        """
        from .model import ModelJudge

        if isinstance(self.asked, ModelJudge):
            self.asked.open()


def _simulated(options: str, panels: Sequence[Panel]) -> Judge:
    from .simulated import SimulatedJudge

    return SimulatedJudge.parse(options, panels)


def _embedded(options: str, panels: Sequence[Panel]) -> Judge:
    from .embedded import EmbeddedJudge

    if options:
        raise ValueFlowError(f"judge 'embedded' takes no options; got {options!r}")
    return EmbeddedJudge(panels)


_LOCAL: Mapping[str, Callable[[str, Sequence[Panel]], Judge]] = {
    "embedded": _embedded,
    "simulated": _simulated,
}
_MODEL_KINDS = ("ranking", "choice", "rating")


def resolve_judge(
    judge: Judge | str,
    panels: Sequence[Panel],
    *,
    journal: str = "auto",
    released: bool = False,
) -> ResolvedJudge:
    """The judge of that name, or the given judge with its own name.

    Args:
        judge: A name (`kind[:options]`, colons only), or any object with an async
            `judge(windows)`; it may carry `name` and `prompt_version`.
        panels: The panels that it will be used with.
        journal: Folder in which a model's judgements are kept and looked up; `auto`: see
            `valueflow_scorers._journal.default_folder`; `none`: nowhere. Judges that cost
            nothing, and objects, are not journalled.
        released: Ask as the released evaluator did (`ranking` only).

    Raises:
        ValueFlowError: for an unknown kind or wrong options, an object that is no judge, or a
            judge that the released evaluator has no use for.
    """
    resolved = _resolve(judge, panels, journal, released)
    if released and is_reader(resolved.name):
        raise ValueFlowError(
            f"compat asks for orders, and the judge {resolved.name!r} reads responses one by one: "
            "use 'ranking:<model>' or 'simulated'"
        )
    return resolved


def _resolve(
    judge: Judge | str, panels: Sequence[Panel], journal: str, released: bool
) -> ResolvedJudge:
    if not isinstance(judge, str):
        if not isinstance(judge, Judge):
            raise ValueFlowError(
                f"{judge!r} is no judge: give a name such as 'embedded', or an object with "
                "`async def judge(self, windows)`"
            )
        return _named(judge)
    kind, _, options = judge.partition(":")
    if kind in _LOCAL:
        return _named(_LOCAL[kind](options, panels))
    if kind not in _MODEL_KINDS:
        raise unknown("judge", kind, [*_LOCAL, *_MODEL_KINDS])
    return _journalled(_named(_model_judge(kind, options, released)), journal)


def _named(judge: Judge) -> ResolvedJudge:
    name = str(getattr(judge, "name", type(judge).__name__))
    return ResolvedJudge(name, str(getattr(judge, "prompt_version", "")), judge)


def _model_judge(kind: str, model: str, released: bool) -> Judge:
    from . import model as judges

    if not model:
        raise ValueFlowError(
            f"judge '{kind}' needs a model: '{kind}:<Inspect model name>', such as "
            f"'{kind}:openai/gpt-4o' or '{kind}:vllm/google/gemma-3-27b-it'"
        )
    if released and kind != "ranking":
        raise ValueFlowError(f"compat asks for orders: use 'ranking:{model}', not '{kind}:'")
    if released:
        return judges.ReleasedJudge(model)
    classes = {
        "ranking": judges.RankingJudge,
        "choice": judges.ChoiceJudge,
        "rating": judges.RatingJudge,
    }
    return classes[kind](model)


def _journalled(resolved: ResolvedJudge, journal: str) -> ResolvedJudge:
    if journal == "none":
        return resolved
    from .._journal import JournaledJudge, default_folder, open_journal

    folder = default_folder() if journal == "auto" else journal
    name, version = resolved.name, resolved.prompt_version
    judge = JournaledJudge(resolved.judge, name, version, open_journal(str(folder)))
    return ResolvedJudge(name, version, judge)
