"""What a training run is told, from a YAML file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar

from valueflow_scorers import ValueFlowError
from valueflow_scorers._errors import unknown

CONFIGS = ("hives-mini", "qwen3-embedding-0.6b")
"""Configurations that ship."""
AXES_PARTS = ("statements", "answers")
"""Parts that train the values' axes alone."""
PARTS = ("hierarchy", *AXES_PARTS, "concepts", "phrases")
_Made = TypeVar("_Made")


@dataclass(frozen=True)
class Stage:
    """One run of the trainer."""

    epochs: float
    """Passes over the hierarchy part, or over all parts together."""
    batch_size: int
    """Texts per device and step."""
    learning_rate: float
    """At its highest, after the warm-up; falls to 0 along a cosine."""
    parts: Mapping[str, float]
    """Weight per part: `hierarchy`, `statements` and `answers` (with axes), and in stage 2
    `concepts` and `phrases`."""

    def __post_init__(self) -> None:
        for name in self.parts:
            if name not in PARTS:
                raise unknown("part of a stage", name, PARTS)
        if "hierarchy" not in self.parts:
            raise ValueFlowError("a stage needs the part 'hierarchy': without it, it forgets it")


@dataclass(frozen=True)
class TrainConfig:
    """A whole run."""

    base: str
    """`minilm`, a model of the hub, or a folder."""
    stages: tuple[Stage, ...]
    """In order; each continues the one before."""
    corpus: str = "package"
    """`package`, or training files of the release, separated by commas."""
    prompt: str = ""
    """Put before every text, in training and ever after; stored with the model."""
    lora_rank: int = 0
    """Rank of the adapters; 0 trains every weight."""
    lora_targets: str = "all-linear"
    """Which layers carry one: `all-linear`, or a regular expression that matches whole names."""
    lora_dropout: float = 0.1
    """On the adapters' input."""
    axes_weight: float = 1.0
    """Of the strength on the value's axis; 0: no axes."""
    axes_elsewhere: float = 0.0
    """Of reading 0 on values that have nothing to do with a text's own, relative to that."""
    axes_learning_rate: float = 0.02
    """Of the axes, which start at 0."""
    levels: tuple[float, float, float] = (0.5, 0.75, 1.0)
    """Weights of group, value, leaf."""
    temperature: float = 0.1
    """Of the hierarchical loss."""
    opposition: float = 2.0
    """How many strangers an opposite text of the same leaf repels like; at least 1."""
    bound: float = 0.5
    """Weight of the fine-to-coarse bound."""
    concept_temperature: float = 0.07
    """Of both contrastive parts of stage 2."""
    max_tokens: int = 128
    """Longer texts are cut; shorter ones are padded to their batch only."""
    bf16: bool = True
    """Automatic mixed precision."""
    seed: int = 0
    """Of everything that is drawn."""
    checkpoint_steps: int = 100
    """Steps between checkpoints, from which an interrupted run goes on."""
    extra: Mapping[str, Any] = field(default_factory=dict)
    """Further arguments of the library's training arguments, by their names."""

    def __post_init__(self) -> None:
        if not self.stages:
            raise ValueFlowError("a training configuration needs at least one stage")
        if self.opposition < 1:
            raise ValueFlowError(
                f"opposition is {self.opposition}: opposites must not repel less than strangers; "
                "give 1 or more"
            )


def load_config(name_or_path: str | Path) -> TrainConfig:
    """A configuration that ships, or a YAML file.

    Raises:
        ValueFlowError: for an unknown name, a file that is no YAML, or a key that does not exist.
    """
    import yaml

    name = str(name_or_path)
    if name in CONFIGS:
        content = (files("valueflow_tasks.hives") / "data" / f"{name}.yaml").read_text("utf-8")
    elif Path(name).is_file():
        content = Path(name).read_text("utf-8")
    else:
        raise unknown("configuration or file", name, CONFIGS)
    try:
        given = yaml.safe_load(content)
    except yaml.YAMLError as error:
        raise ValueFlowError(f"{name} is no YAML: {error}") from None
    if not isinstance(given, dict) or not isinstance(given.get("stages"), list):
        raise ValueFlowError(f"{name}: expected a mapping with 'base' and a list of 'stages'")
    stages = tuple(_made(Stage, stage, f"{name}, a stage") for stage in given["stages"])
    if "levels" in given:
        given = {**given, "levels": tuple(given["levels"])}
    return _made(TrainConfig, {**given, "stages": stages}, name)


def _made(kind: type[_Made], given: Any, where: str) -> _Made:
    names = [one.name for one in fields(kind)]  # type: ignore[arg-type]
    for key in given:
        if key not in names:
            raise unknown(f"setting in {where}", str(key), names)
    try:
        return kind(**given)
    except TypeError as error:
        raise ValueFlowError(f"{where}: {error}; settings are {', '.join(names)}") from None
