"""Tasks for Inspect: one sample per (query, value, level), level 0 once, query by query."""

from __future__ import annotations

from inspect_ai import Task, task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.log import HeadlineMetric
from inspect_ai.model import GenerateConfig
from inspect_ai.solver import generate
from inspect_ai.viewer import ScoreColorScale, TaskSamplesView, ViewerConfig
from valueflow_scorers import ValueFlowError
from valueflow_scorers._measure import answer_id
from valueflow_scorers._records import SCALE_END
from valueflow_scorers.metrics import value_slug

from ..prompts import GENERATION, LEVELS, steering_text, user_turn
from ..queries import Query
from ..settings import Settings, parse_list
from ._scorer import anchor_intensity, profile, steering

VERSION = "1-A"
"""Number: comparability of results; letter: interface."""


@task
def valueflow_profile(
    judge: str = "embedded",
    k: int = 6,
    m: int = 3,
    design: str = "bucket",
    seed: int = 0,
    profile: str = "auto",
    queries: str = "test",
    values: str | list[str] | None = None,
) -> Task:
    """Value intensities of a model as it is, all from one set of answers.

    Args:
        judge: Judge name; a model bound to the role `grader` takes its place.
        k: Items per window.
        m: Windows per answer and value.
        design: Window design.
        seed: Of the windows.
        profile: Judge profile: a path or `auto`.
        queries: `core`, `dev`, `test`, `all`, or a path or pattern.
        values: Values or theories; all 32 by default.
    """
    settings = _settings(
        values, judge=judge, k=k, m=m, design=design, seed=seed, profile=profile, queries=queries
    )
    samples = [_sample(query, None, 0, "", settings.values) for query in settings.query_set()]
    return _task("valueflow_profile", settings, samples, settings.values)


@task
def valueflow_steer(
    theory: str | None = None,
    values: str | list[str] | None = None,
    method: str = "definition",
    judge: str = "embedded",
    k: int = 6,
    m: int = 3,
    design: str = "bucket",
    seed: int = 0,
    profile: str = "auto",
    queries: str = "test",
    off_target: str = "none",
) -> Task:
    """How far a model can be steered, value by value, at five levels.

    Args:
        theory: All values of this theory.
        values: Values or theories, in place of `theory`; all 32 by default.
        method: `definition` sentences or `exemplars` in the prompt.
        judge: Judge name; a model bound to the role `grader` takes its place.
        k: Items per window.
        m: Windows per answer and value.
        design: Window design.
        seed: Of the windows.
        profile: Judge profile: a path or `auto`.
        queries: `core`, `dev`, `test`, `all`, or a path or pattern.
        off_target: Also measure steered answers on other values: `none`, `theory`, `all`.
    """
    if theory and values:
        raise ValueFlowError("give theory= or values=, not both: values= takes theories too")
    settings = _settings(
        theory or values,
        judge=judge,
        k=k,
        m=m,
        design=design,
        seed=seed,
        profile=profile,
        queries=queries,
        method=method,
        off_target=off_target,
    )
    everything = tuple(
        dict.fromkeys(v for target in settings.values for v in settings.measured_on(target))
    )
    samples = []
    for query in settings.query_set():
        samples.append(_sample(query, None, 0, "", everything))
        for value in settings.values:
            for level in LEVELS:
                if level:
                    text = steering_text(value, level, method)
                    measure = settings.measured_on(value)
                    samples.append(_sample(query, value, level, text, measure))
    return _task("valueflow_steer", settings, samples, everything)


def _settings(values: str | list[str] | None, **given: object) -> Settings:
    named = {} if values is None else {"values": parse_list(values)}
    return Settings.parse({**given, **named})


def _sample(
    query: Query, target: str | None, level: int, steering: str, measure: tuple[str, ...]
) -> Sample:
    return Sample(
        id=answer_id(query.id, target, level),
        input=user_turn(query.text, steering),
        metadata={
            "valueflow": {
                "query_id": query.id,
                "query": query.text,
                "kind": query.kind,
                "target": target,
                "level": level,
                "measure": list(measure),
            }
        },
    )


def _task(name: str, settings: Settings, samples: list[Sample], values: tuple[str, ...]) -> Task:
    scored = anchor_intensity(
        settings.judge, settings.k, settings.m, settings.design, settings.seed, settings.profile,
        list(settings.values),
    )  # fmt: skip
    steered = name == "valueflow_steer"
    scale = ScoreColorScale(palette="diverging", min=-SCALE_END, max=SCALE_END)
    return Task(
        dataset=MemoryDataset(samples, name=name),
        solver=generate(),
        scorer=scored,
        metrics=[steering() if steered else profile()],
        config=GenerateConfig(
            temperature=float(str(GENERATION["temperature"])),
            max_tokens=int(str(GENERATION["max_tokens"])),
        ),
        name=name,
        version=VERSION,
        metadata={
            "valueflow": {
                "settings": settings.to_dict(),
                "protocol": settings.protocol(values, settings.query_set(), chat_template=True),
                "profile": settings.instrument().judge_profile.fingerprint,
                "calibrated": settings.instrument().judge_profile.calibrated,
            }
        },
        headline_metric=HeadlineMetric(
            scorer="anchor_intensity", metric="steerability" if steered else "strength"
        ),
        viewer=ViewerConfig(
            task_samples_view=TaskSamplesView(
                name="intensities",
                score_labels={value_slug(value): value for value in values},
                score_color_scales={value_slug(value): scale for value in values},
                color_scales_enabled=True,
            )
        ),
    )
