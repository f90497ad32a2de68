"""What is to be judged: one log per judge, model, task and method."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..compose import read_arm
from ..prompts import GENERATION
from ..settings import Settings
from ._study import Study, StudyModel

PROFILE, STEER, COMPOSE = "valueflow_profile", "valueflow_steer", "valueflow_compose"


@dataclass(frozen=True)
class JudgeJob:
    """One log to be written."""

    judge: Mapping[str, Any]
    """Knobs of the instrument."""
    model: StudyModel
    task: str
    """PROFILE, STEER or COMPOSE."""
    method: str
    """How it was steered; empty: not at all."""
    arms: Mapping[str, tuple[str, ...]]
    """Values to measure, by arm; unsteered answers among them."""

    @property
    def values(self) -> tuple[str, ...]:
        """Everything that is measured."""
        return tuple(dict.fromkeys(value for own in self.arms.values() for value in own))

    @property
    def levels(self) -> list[float]:
        """The levels that its arms ask for, ascending."""
        return sorted({level for name in self.arms for level in read_arm(name).values()} | {0.0})

    def protocol(
        self,
        settings: Settings,
        generation: Mapping[str, Any] = GENERATION,
        *,
        chat_template: bool,
    ) -> str:
        """Fingerprint of the protocol, rulers and judge profile included."""
        return settings.protocol(
            self.values, settings.query_set(), chat_template=chat_template, generation=generation
        )

    @property
    def file(self) -> str:
        """Where its log goes, under `judged`."""
        parts = [self.model.label, self.task.removeprefix("valueflow_"), self.method]
        return (
            f"{safe_name(judge_name(self.judge))}/{'_'.join(part for part in parts if part)}.eval"
        )


def judge_name(judge: Mapping[str, Any]) -> str:
    """A judge and what sets it apart."""
    more = [f"{key}-{value}" for key, value in judge.items() if key != "judge"]
    return "_".join([str(judge["judge"]), *more])


def safe_name(name: str) -> str:
    """A name for a folder."""
    return "".join(c if c.isalnum() or c in "-._" else "-" for c in name)


def jobs(study: Study) -> Iterator[JudgeJob]:
    """Everything that is to be judged."""
    for judge in study.judges:
        for model in study.models:
            if model.judges and judge["judge"] not in model.judges:
                continue
            if not study.steered and not study.composed:
                yield JudgeJob(judge, model, PROFILE, "", study.plain)
            for method in study.methods_of(model):
                for task, arms in ((STEER, study.steered), (COMPOSE, study.composed)):
                    if arms:
                        values = dict.fromkeys(value for own in arms.values() for value in own)
                        whole = {"0": tuple(values), **arms}
                        yield JudgeJob(judge, model, task, method, whole)
