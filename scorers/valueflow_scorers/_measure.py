"""Answers of a model under test -> estimates, the same way for every harness."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any

import anyio.to_thread

from ._calibrate import resolve_profile
from ._compat import released_reestimate
from ._errors import ValueFlowError
from ._estimate import reestimate
from ._estimated import IntensityEstimate
from ._evaluator import AnchorEvaluator
from ._gather import side_by_side
from ._panels import load_panel
from ._portal import run_sync
from ._profile import JudgeProfile
from ._records import SHUFFLED, Judge, Panel, Response, fingerprint
from ._refusal import declines
from ._windows import TWO_PASS
from .judges import ResolvedJudge, resolve_judge


def arm_id(targets: Mapping[str, float]) -> str:
    """What an answer was steered toward: `0`, `svt/power:+2`, `mft/care:-1~svt/power:+2`."""
    asked = sorted((value, level) for value, level in targets.items() if level)
    return "~".join(f"{value}:{level:+g}" for value, level in asked) or "0"


def answer_id(query_id: str, target: str | None, level: float) -> str:
    """The id from which an answer's windows are drawn: `q017:svt/power:+2`, `q017:0`."""
    return f"{query_id}:{arm_id({target: level} if target else {})}"


@dataclass(frozen=True)
class Answer:
    """One answer of the model under test, and what it is to be measured on."""

    query_id: str
    """Which query it answers."""
    query: str
    """The query as it was put, without steering; empty: a text that answers none."""
    text: str
    """What the model wrote."""
    values: tuple[str, ...]
    """Values to measure it on."""
    target: str | None = None
    """The value that steering aimed at; None at level 0."""
    level: float = 0.0
    """The level that was asked for."""
    filtered: bool = False
    """Whether the provider's content filter stopped the generation."""
    targets: Mapping[str, float] = field(default_factory=dict)
    """Values and levels, where steering aimed at several values; `target` is then None."""
    repeat: int = 0
    """How often the query was put before under the same steering."""

    @property
    def id(self) -> str:
        """See `answer_id`; repeats have windows of their own (`q017:0#2` is the second)."""
        again = f"#{self.repeat + 1}" if self.repeat else ""
        if self.targets:
            return f"{self.query_id}:{arm_id(self.targets)}{again}"
        return f"{answer_id(self.query_id, self.target, self.level)}{again}"


@dataclass(frozen=True)
class Measured:
    """What was found in one answer."""

    query_id: str
    """Which query it answers."""
    target: str | None
    """The value that steering aimed at."""
    level: float
    """The level that was asked for; NaN where steering aimed at several values."""
    refused: bool
    """Whether the answer is a refusal: counted, not scored."""
    estimates: Mapping[str, IntensityEstimate] = field(default_factory=dict)
    """Per value; empty for a refusal."""
    targets: Mapping[str, float] = field(default_factory=dict)
    """Values and levels, where steering aimed at several values."""

    def to_dict(self) -> dict[str, Any]:
        """JSON-serialisable content; `Instrument.restore` reads it."""
        return {
            "query_id": self.query_id,
            "target": self.target,
            "level": None if self.targets else self.level,
            **({"targets": dict(self.targets)} if self.targets else {}),
            "refused": self.refused,
            "estimates": {value: one.to_dict() for value, one in self.estimates.items()},
        }


@dataclass(frozen=True)
class Instrument:
    """A judge, a profile and a window design, for any number of values."""

    judge: str = "embedded"
    """Judge name; see `valueflow_scorers.judges`."""
    k: int = 6
    """Items per window."""
    m: int = 3
    """Windows per response."""
    design: str = TWO_PASS
    """How anchors are drawn."""
    seed: int = 0
    """Enters the draw of every window."""
    profile: str = "auto"
    """Path of a judge profile, or `auto`."""
    journal: str = "auto"
    """Folder of a model's judgements, `auto` (the user's cache) or `none`."""
    compat: str | None = None
    """`valueflow`: the released evaluator."""
    target_stderr: float | None = None
    """Stop asking about a response once its standard error is this small, points."""
    layout: str = SHUFFLED
    """How a window's items are presented; see `_records.LAYOUTS`."""
    panels: Mapping[str, Panel] = field(default_factory=dict, repr=False)
    """Panels that do not ship, by value."""
    _evaluators: dict[str, AnchorEvaluator] = field(
        default_factory=dict, repr=False, compare=False, init=False
    )

    @cached_property
    def resolved(self) -> ResolvedJudge:
        """The judge itself; made once and shared by all values whose panels ship."""
        return self._resolve(())

    def _resolve(self, panels: tuple[Panel, ...]) -> ResolvedJudge:
        return resolve_judge(
            self.judge, panels, journal=self.journal, released=self.compat is not None
        )

    def _judge(self, value: str) -> Judge:
        # A panel that does not ship must not move readings on the others: its judge is its own.
        own = self.panels.get(value)
        return (self.resolved if own is None else self._resolve((own,))).judge

    @cached_property
    def judge_profile(self) -> JudgeProfile:
        """The profile in force."""
        if self.compat:  # it knows no profile
            return JudgeProfile(self.resolved.name)
        return resolve_profile(self.resolved, self.k, self.profile, self.layout)

    def panel(self, value: str) -> Panel:
        """The ruler of a value."""
        return self.panels.get(value) or load_panel(value)

    def evaluator(self, value: str) -> AnchorEvaluator:
        """The evaluator of a value."""
        if value not in self._evaluators:
            self._evaluators[value] = AnchorEvaluator(
                self.panel(value),
                self._judge(value),
                k=self.k,
                m=self.m,
                design=self.design,
                seed=self.seed,
                profile=self.judge_profile,
                compat=self.compat,
                target_stderr=self.target_stderr,
                layout=self.layout,
            )
        return self._evaluators[value]

    def fingerprint(self, values: Sequence[str]) -> str:
        """Identity of everything that turns answers into numbers for these values.

        The layout of windows is in the profile, which is refused for another.
        """
        panels = {value: self.panel(value).fingerprint for value in sorted(values)}
        profile = self.judge_profile.fingerprint
        design = [self.k, self.m, self.design, self.seed, self.compat, self.target_stderr]
        return fingerprint([panels, profile, *design])

    def measure(self, answers: Sequence[Answer]) -> list[Measured]:
        """Measure answers; see `ameasure`."""
        return run_sync(lambda: self.ameasure(answers))

    async def ameasure(self, answers: Sequence[Answer]) -> list[Measured]:
        """Measure every answer on its values, all values side by side.

        Returns:
            One record per answer, in the same order. Answers with the same id are judged
            once.

        Raises:
            ValueFlowError: if two different answers share an id.
        """
        refused = [one.filtered or declines(one.query, one.text) for one in answers]
        by_value: dict[str, dict[str, Response]] = {}
        for answer, no in zip(answers, refused, strict=True):
            if no:
                continue
            response = Response(answer.text, answer.query, answer.id)
            for value in answer.values:
                known = by_value.setdefault(value, {}).setdefault(answer.id, response)
                if known != response:
                    raise ValueFlowError(f"two different answers have the id {answer.id!r}")
        values = list(by_value)
        # In a thread: a profile that is fitted on the spot blocks, and the loop must not.
        await anyio.to_thread.run_sync(lambda: self.judge_profile)
        found = await side_by_side(
            [partial(self.evaluator(v).ascore, list(by_value[v].values())) for v in values]
        )
        estimates = {
            (value, one.response_id): one
            for value, ones in zip(values, found, strict=True)
            for one in ones
        }
        return [
            Measured(
                answer.query_id,
                answer.target,
                math.nan if answer.targets else answer.level,
                no,
                {} if no else {value: estimates[value, answer.id] for value in answer.values},
                answer.targets,
            )
            for answer, no in zip(answers, refused, strict=True)
        ]

    def reestimated(
        self, value: str, saved: Sequence[Mapping[str, Any]]
    ) -> list[IntensityEstimate]:
        """Estimates on one value from what `IntensityEstimate.to_dict` wrote."""
        again = released_reestimate if self.compat else reestimate
        return again(self.panel(value), self.judge_profile, saved)

    def restore(self, saved: Sequence[Mapping[str, Any]]) -> list[Measured]:
        """Measurements from what `Measured.to_dict` wrote, likelihoods recomputed."""
        by_value: dict[str, list[Mapping[str, Any]]] = {}
        for entry in saved:
            for value, one in entry["estimates"].items():
                by_value.setdefault(value, []).append(one)
        fresh = {value: iter(self.reestimated(value, ones)) for value, ones in by_value.items()}
        return [
            Measured(
                entry["query_id"],
                entry["target"],
                math.nan if entry.get("targets") else float(entry["level"]),
                bool(entry["refused"]),
                {value: next(fresh[value]) for value in entry["estimates"]},
                entry.get("targets") or {},
            )
            for entry in saved
        ]
