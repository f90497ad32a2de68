"""Records of what a log says: a run, an answer, and what is wrong with a file."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from valueflow_scorers.metrics import Metric

from ..settings import Settings
from ..steering import SteeringSpec


@dataclass(frozen=True)
class Problem:
    """Something in a file that could not be used; the rest of the file still is."""

    source: str
    """The file, and the line where there is one."""
    message: str
    """What is wrong, and what that leaves out."""

    def __str__(self) -> str:
        return f"{self.source}: {self.message}"


@dataclass(frozen=True)
class Answered:
    """One answer of the model under test, as its log has it."""

    query_id: str
    """Which query it answers."""
    query: str
    """The query as it was put, without steering; empty where the log does not say."""
    kind: str
    """Kind of query."""
    targets: Mapping[str, float]
    """The values that the task steered toward and the levels; empty: not steered by the task."""
    text: str | None
    """What the model wrote; None: nothing, or the log does not say."""
    measure: Sequence[str]
    """The values it was to be measured on."""
    estimates: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """What `IntensityEstimate.to_dict` wrote, by value; empty for a refusal."""
    refused: bool = False
    """Whether it is a refusal: counted, not scored."""
    missing: str | None = None
    """Why there are no estimates, where it is not a refusal."""
    loss: float | None = None
    """Its surprise to the unsteered model under the plain query, nats per token."""
    steering: str | None = None
    """Fingerprint of the spec the answer carried; None: it follows from targets and method."""
    filtered: bool = False
    """Whether the provider's content filter stopped the generation."""
    repeat: int = 0
    """How often the query was put before under the same steering."""


@dataclass(frozen=True)
class Run:
    """One task on one model: everything that its log says about it as a whole."""

    id: str
    """Identity of the log's content, 12 hex digits; `Runs.frame.run` refers to it."""
    source: str
    """The file it was read from."""
    harness: str
    """`lm-eval`, `inspect` or `score`."""
    task: str
    """Name of the task."""
    model: str
    """The model, the same name in both harnesses; how it was steered is not part of it."""
    model_args: Mapping[str, Any]
    """What the model was made with, steering included and secrets left out."""
    control: bool
    """Whether it is a model of known truth, which belongs on no leaderboard."""
    settings: Settings | None
    """The knobs of the measurement; None where the log does not say."""
    protocol: str | None
    """The protocol's fingerprint: runs are comparable exactly when theirs agree."""
    judge: str | None
    """The judge's name."""
    judge_profile: str | None
    """Fingerprint of the judge's profile."""
    calibrated: bool | None
    """Whether the judge was calibrated; None where the log does not say."""
    generation: Mapping[str, Any]
    """Generation settings, in the protocol's words."""
    chat_template: bool | None
    """Whether a chat template was applied; None where the log does not say."""
    answers: Sequence[Answered] = field(default=(), repr=False)
    """What the model answered."""
    spec: SteeringSpec | None = None
    """What steered the model in every answer."""
    metrics: Mapping[str, Metric] = field(default_factory=dict)
    """What the harness reported, by name; errors where it has them."""
    versions: Mapping[str, str] = field(default_factory=dict)
    """Of packages, by name on PyPI."""
    task_version: str = ""
    """Of the task: `4.0` in lm-eval, `4-A` in Inspect."""
    limit: float | None = None
    """What `--limit` was given, if anything."""
    chosen: bool = False
    """Whether somebody chose which queries are put (`--sample-id`, `--samples`)."""
    queries_total: int | None = None
    """How many queries the protocol has."""
    complete: bool = True
    """Whether the run came to its end and its file is whole."""
    created: str = ""
    """When it was made, ISO 8601."""
    seconds: float | None = None
    """How long it took."""
    command: str | None = None
    """A command line that repeats it, made from what the log says; None: there is none."""
    usage: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """Tokens and cost by model, where the log has them."""
    problems: Sequence[Problem] = ()
    """What could not be used."""

    @property
    def limited(self) -> bool:
        """Whether fewer queries were put than the protocol has."""
        put = len({one.query_id for one in self.answers})
        return self.limit is not None or self.chosen or (self.queries_total or 0) > put > 0

    @property
    def results_version(self) -> int | None:
        """Number of the task's version: another number, other results; None: the log says none."""
        return version_number(self.task_version)

    @property
    def method(self) -> str:
        """How the task steered: `definition`, `exemplars`, `vector`; empty: it did not."""
        if self.settings is None or not any(one.targets for one in self.answers):
            return ""
        return self.settings.method

    @property
    def steering(self) -> str:
        """Fingerprint of what steered every answer; empty: nothing."""
        return "" if self.spec is None or self.spec.is_unsteered else self.spec.fingerprint


def version_number(task_version: str) -> int | None:
    """The number in a task's version, `4.0` or `4-A`; None: there is none."""
    found = re.match(r"\d+", task_version)
    return None if found is None else int(found[0])
