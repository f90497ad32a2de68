"""What a study file says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from valueflow_scorers._measure import arm_id

from ..compose import compose_arms, plan
from ..prompts import LEVELS
from ..settings import Settings


@dataclass(frozen=True)
class StudyModel:
    """A model of the study, as Inspect names it."""

    name: str
    """Inspect's name: `openai/gpt-4o-mini`, `valueflow/hf/<hub name>`."""
    args: Mapping[str, Any] = field(default_factory=dict)
    """What it is made with, as behind `-M`."""
    methods: tuple[str, ...] = ()
    """The methods it is steered by; empty: all of the study."""
    judges: tuple[str, ...] = ()
    """The judges that measure it, by name; empty: all of the study."""

    @property
    def shown(self) -> str:
        """Its name and what it is made with, for people."""
        return " ".join([self.name, *(f"{key}={value}" for key, value in self.args.items())])

    @property
    def label(self) -> str:
        """A name for files: the same for the same model and arguments."""
        told = "-".join([self.name, *(f"{key}-{value}" for key, value in self.args.items())])
        return "".join(c if c.isalnum() or c in "-._" else "-" for c in told)

    @property
    def local(self) -> bool:
        """Whether it lives in this machine's memory, so that models have to take turns."""
        return self.name.startswith(("hf/", "valueflow/hf/", "vllm/", "sglang/", "llama-cpp"))


@dataclass(frozen=True)
class Arms:
    """What one task of the first phase asks of a model."""

    method: str
    """How it is steered; empty: not at all."""
    measure: Mapping[str, tuple[str, ...]]
    """Values to measure, by arm."""


@dataclass(frozen=True)
class Study:
    """Models × methods × values × levels, measured by judges."""

    name: str
    """Of the study."""
    models: tuple[StudyModel, ...]
    """The models under test."""
    settings: Settings
    """Values, queries and vectors; its judge plays no part."""
    methods: tuple[str, ...] = ("definition",)
    """How models are steered."""
    levels: tuple[float, ...] = LEVELS
    """Levels of every value; 0 is always among them."""
    judges: tuple[Mapping[str, Any], ...] = ({"judge": "embedded"},)
    """Knobs of the instrument, each with a `judge`."""
    compose: Mapping[str, Any] | None = None
    """Settings of `valueflow_compose`; None: no composition."""
    include: tuple[str, ...] = ()
    """lm-eval results, Inspect logs or score files that belong to the study."""
    prices: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """Dollars per million tokens by model, `input` and `output`."""

    def methods_of(self, model: StudyModel) -> tuple[str, ...]:
        """How a model is steered."""
        return model.methods or self.methods

    @cached_property
    def steered(self) -> dict[str, tuple[str, ...]]:
        """Arms of one target each, and the values they are measured on."""
        return {
            arm_id({value: float(level)}): self.settings.measured_on(value)
            for value in self.settings.values
            for level in self.levels
            if level
        }

    @cached_property
    def composed(self) -> dict[str, tuple[str, ...]]:
        """Arms of the composition, its single targets among them."""
        if self.compose is None:
            return {}
        made = compose_arms(self.settings, plan(self.settings, self.compose))
        return {arm.id: arm.measure for arm in made if arm.targets}

    @cached_property
    def plain(self) -> dict[str, tuple[str, ...]]:
        """The unsteered arm, measured on everything that any other is."""
        measured = [*self.steered.values(), *self.composed.values()]
        values = dict.fromkeys(value for own in measured for value in own)
        return {"0": tuple(values) or self.settings.values}

    def tasks(self, model: StudyModel) -> Iterator[Arms]:
        """What is asked of a model: unsteered answers once, then every method."""
        yield Arms("", self.plain)
        arms = {name: dict.fromkeys(values) for name, values in self.steered.items()}
        for name, values in self.composed.items():
            arms.setdefault(name, {}).update(dict.fromkeys(values))
        if arms:
            for method in self.methods_of(model):
                yield Arms(method, {name: tuple(own) for name, own in arms.items()})

    def judged_by(self, judge: Mapping[str, Any], method: str) -> Settings:
        """The settings of one judge and method."""
        steer = {"method": method} if method else {}
        base = {**self.settings.to_dict(), **judge, **steer}
        if base["method"] != "vector":
            base["vectors"] = ""
        return Settings.parse(base)
