"""Tasks for Inspect: one sample per (query, value, level), level 0 once, query by query."""

from __future__ import annotations

from inspect_ai import Task, task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.log import HeadlineMetric
from inspect_ai.model import GenerateConfig
from inspect_ai.viewer import ScoreColorScale, TaskSamplesView, ViewerConfig
from valueflow_scorers import ValueFlowError
from valueflow_scorers._measure import answer_id
from valueflow_scorers._records import SCALE_END
from valueflow_scorers._windows import TWO_PASS
from valueflow_scorers.metrics import value_slug

from ..prompts import GENERATION, LEVELS, steering_text, user_turn
from ..queries import Query
from ..settings import INSTRUMENT, Settings, parse_list
from ._scorer import anchor_intensity, profile, steering
from ._solver import SPEC, answer_as_specified, vector_folder

VERSION = "1-A"
"""Number: comparability of results; letter: interface."""


@task
def valueflow_profile(
    judge: str = "embedded",
    k: int = 6,
    m: int = 3,
    design: str = TWO_PASS,
    seed: int = 0,
    profile: str = "auto",
    journal: str = "auto",
    compat: str | None = None,
    target_stderr: float | None = None,
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
        journal: Folder of a model judge's judgements, `auto` (the user's cache) or `none`.
        compat: `valueflow`: the released evaluator, to compare with.
        target_stderr: Stop asking about an answer once its standard error is this small.
        queries: `core`, `dev`, `test`, `all`, or a path or pattern.
        values: Values or theories; all 32 by default.
    """
    settings = _settings(
        values,
        judge=judge,
        k=k,
        m=m,
        design=design,
        seed=seed,
        profile=profile,
        journal=journal,
        compat=compat,
        target_stderr=target_stderr,
        queries=queries,
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
    design: str = TWO_PASS,
    seed: int = 0,
    profile: str = "auto",
    journal: str = "auto",
    compat: str | None = None,
    target_stderr: float | None = None,
    queries: str = "test",
    off_target: str = "none",
    vectors: str = "",
) -> Task:
    """How far a model can be steered, value by value, at five levels.

    Args:
        theory: All values of this theory.
        values: Values or theories, in place of `theory`; all 32 by default.
        method: `definition` sentences or `exemplars` in the prompt, or `vector`.
        judge: Judge name; a model bound to the role `grader` takes its place.
        k: Items per window.
        m: Windows per answer and value.
        design: Window design.
        seed: Of the windows.
        profile: Judge profile: a path or `auto`.
        journal: Folder of a model judge's judgements, `auto` (the user's cache) or `none`.
        compat: `valueflow`: the released evaluator, to compare with.
        target_stderr: Stop asking about an answer once its standard error is this small.
        queries: `core`, `dev`, `test`, `all`, or a path or pattern.
        off_target: Also measure steered answers on other values: `none`, `theory`, `all`.
        vectors: Folder of fitted vectors, for `method=vector` with `valueflow/hf/<model>`; its
            values are the default of `values`.
    """
    if theory and values:
        raise ValueFlowError("give theory= or values=, not both: values= takes theories too")
    folder = vector_folder(method, vectors)
    settings = _settings(
        theory or values or (list(folder.vectors) if folder else None),
        judge=judge,
        k=k,
        m=m,
        design=design,
        seed=seed,
        profile=profile,
        journal=journal,
        compat=compat,
        target_stderr=target_stderr,
        queries=queries,
        method=method,
        off_target=off_target,
        vectors=vectors,
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
                    text = "" if folder else steering_text(value, level, method)
                    spec = folder.spec({value: level}).to_dict() if folder else None
                    measure = settings.measured_on(value)
                    samples.append(_sample(query, value, level, text, measure, spec))
    return _task("valueflow_steer", settings, samples, everything)


def _settings(values: str | list[str] | None, **given: object) -> Settings:
    named = {} if values is None else {"values": parse_list(values)}
    return Settings.parse({**given, **named})


def _sample(
    query: Query,
    target: str | None,
    level: int,
    steering: str,
    measure: tuple[str, ...],
    spec: dict[str, object] | None = None,
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
                **({SPEC: spec} if spec else {}),
            }
        },
    )


def _task(name: str, settings: Settings, samples: list[Sample], values: tuple[str, ...]) -> Task:
    knobs = {name: getattr(settings, name) for name in INSTRUMENT}
    scored = anchor_intensity(**knobs, values=list(settings.values))
    steered = name == "valueflow_steer"
    scale = ScoreColorScale(palette="diverging", min=-SCALE_END, max=SCALE_END)
    return Task(
        dataset=MemoryDataset(samples, name=name),
        solver=answer_as_specified(),
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
