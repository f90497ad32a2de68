"""Tasks for Inspect: one sample per (query, value, level), level 0 once, query by query."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from inspect_ai import Task, task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.log import HeadlineMetric
from inspect_ai.model import GenerateConfig
from inspect_ai.scorer import Metric
from inspect_ai.viewer import ScoreColorScale, TaskSamplesView, ViewerConfig
from valueflow_scorers import ValueFlowError
from valueflow_scorers._errors import unknown
from valueflow_scorers._records import SCALE_END
from valueflow_scorers.metrics import value_slug

from ..arms import Arm, profile_arm, steer_arms
from ..profiles._agreement import described
from ..prompts import GENERATION, user_turn
from ..queries import Query
from ..settings import RESULTS_VERSION, Settings, parse_list
from ..steering._folder import VectorFolder
from ._grader import with_grader
from ._mistakes import told_in_words
from ._scorer import anchor_intensity, steering
from ._scorer import profile as answered
from ._solver import SPEC, answer_as_specified, check_vectors

VERSION = f"{RESULTS_VERSION}-A"
"""Number: comparability of results; letter: interface."""


@task
@told_in_words()
def valueflow_profile(
    judge: str = Settings.judge,
    k: int = Settings.k,
    m: int = Settings.m,
    design: str = Settings.design,
    seed: int = Settings.seed,
    profile: str = Settings.profile,
    journal: str = Settings.journal,
    compat: str | None = Settings.compat,
    target_stderr: float | None = Settings.target_stderr,
    layout: str = Settings.layout,
    queries: str = Settings.queries,
    values: str | list[str] | None = None,
    links: str = Settings.links,
    value_profile: str = Settings.value_profile,
    method: str = Settings.method,
    vectors: str = Settings.vectors,
    **unknown: Any,
) -> Task:
    """Value intensities of a model as it is, or as a value profile, from one set of answers.

    Args:
        judge: Judge name; a model bound to the role `grader` takes its place.
        k: Items per window.
        m: Windows per answer and value.
        design: Window design.
        seed: Of the windows.
        profile: Judge profile, a path or `auto`; or the file of a value profile.
        journal: Folder of a model judge's judgements, `auto` (the user's cache) or `none`.
        compat: `valueflow`: the released evaluator, to compare with.
        target_stderr: Stop asking about an answer once its standard error is this small.
        layout: Of windows: `shuffled`, or `response-last`, which prefix caches make cheaper.
        queries: `core`, `dev`, `calibration`, `test`, `all`, or a path or pattern.
        values: Values or theories; all 32 by default.
        links: File of `valueflow vidb link`: the log then says that units are linked.
        value_profile: File of a value profile as which every answer is to be given; `FILE#NAME`
            where it holds several.
        method: How a value profile steers: `definition`, `exemplars` or `vector`.
        vectors: Folder of fitted vectors with dials, for `method=vector`.
        unknown: Refused.
    """
    given = known(locals())
    check_vectors(method, vectors)
    settings = make_settings(**given)
    numbers = answered(settings.value_profile)
    return make_task("valueflow_profile", settings, [profile_arm(settings)], numbers, "strength")


@task
@told_in_words()
def valueflow_steer(
    theory: str | None = None,
    values: str | list[str] | None = None,
    method: str = Settings.method,
    judge: str = Settings.judge,
    k: int = Settings.k,
    m: int = Settings.m,
    design: str = Settings.design,
    seed: int = Settings.seed,
    profile: str = Settings.profile,
    journal: str = Settings.journal,
    compat: str | None = Settings.compat,
    target_stderr: float | None = Settings.target_stderr,
    layout: str = Settings.layout,
    queries: str = Settings.queries,
    off_target: str = Settings.off_target,
    vectors: str = Settings.vectors,
    links: str = Settings.links,
    **unknown: Any,
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
        layout: Of windows: `shuffled`, or `response-last`, which prefix caches make cheaper.
        queries: `core`, `dev`, `calibration`, `test`, `all`, or a path or pattern.
        off_target: Also measure steered answers on other values: `none`, `theory`, `all`.
        vectors: Folder of fitted vectors, for `method=vector` with `valueflow/hf/<model>`; its
            values are the default of `values`.
        links: File of `valueflow vidb link`: the log then says that units are linked.
        unknown: Refused.
    """
    given = known(locals())
    if (named := given.pop("theory")) and values:
        raise ValueFlowError("give theory= or values=, not both: values= takes theories too")
    check_vectors(method, vectors)
    if not named and not values and method == "vector" and vectors:
        named = list(VectorFolder(vectors).vectors)
    settings = make_settings(**{**given, "values": named or values})
    return make_task("valueflow_steer", settings, steer_arms(settings, settings.values))


def known(given: dict[str, Any]) -> dict[str, Any]:
    """A task's own arguments; Inspect drops others with a warning unless a task takes them.

    Raises:
        ValueFlowError: for one in `unknown`, naming the nearest.
    """
    for name in given.pop("unknown"):
        raise unknown("setting", name, given)
    return given


def make_settings(values: str | list[str] | None = None, **given: object) -> Settings:
    """Settings out of a task's arguments, which bear the settings' names."""
    named = {} if values is None else {"values": parse_list(values)}
    return Settings.parse({**given, **named})


def make_sample(query: Query, arm: Arm) -> Sample:
    """A query in an arm, as a sample whose id is the answer's."""
    return Sample(
        id=f"{query.id}:{arm.id}",
        input=user_turn(query.text, arm.prompt),
        metadata={
            "valueflow": {
                "query_id": query.id,
                "query": query.text,
                "kind": query.kind,
                **arm.asked,
                "measure": list(arm.measure),
                **({SPEC: arm.spec.to_dict()} if arm.spec is not None else {}),
            }
        },
    )


def generation_config() -> GenerateConfig:
    """How answers are generated."""
    return GenerateConfig(
        temperature=float(str(GENERATION["temperature"])),
        max_tokens=int(str(GENERATION["max_tokens"])),
    )


def make_task(
    name: str,
    settings: Settings,
    arms: Sequence[Arm],
    metrics: Metric | None = None,
    headline: str = "",
) -> Task:
    """A task: every query in every arm, query by query.

    Args:
        name: Of the task.
        settings: How to measure.
        arms: Ways of steering.
        metrics: Its metrics; None: those of steering where an arm steers, else of a profile.
        headline: The metric shown first; empty: theirs.

    Raises:
        ValueFlowError: for what cannot be measured with these settings, before any model is
            asked anything.
    """
    # Not at the top: Inspect lists hooks that it finds when it starts, in everybody's runs.
    from ._announce import HEADER, announcement

    values = tuple(dict.fromkeys(value for arm in arms for value in arm.measure))
    judged = with_grader(settings)
    for value in values:
        judged.instrument().evaluator(value)
    samples = [make_sample(query, arm) for query in settings.query_set() for arm in arms]
    # Folders and not ids: a process that scores the log again has to find values of one's own.
    scored = anchor_intensity(**settings.instrument_knobs, values=settings.to_dict()["values"])
    steered = any(arm.targets for arm in arms)
    own = metrics or (steering() if steered else answered())
    shown = headline or ("steerability" if steered else "strength")
    scale = ScoreColorScale(palette="diverging", min=-SCALE_END, max=SCALE_END)
    return Task(
        dataset=MemoryDataset(samples, name=name),
        solver=answer_as_specified(),
        scorer=scored,
        metrics=[own],
        config=generation_config(),
        name=name,
        version=VERSION,
        metadata={
            HEADER: {
                **announcement(judged, values, settings.query_set()),
                **described(settings),
            }
        },
        headline_metric=HeadlineMetric(scorer="anchor_intensity", metric=shown),
        viewer=ViewerConfig(
            task_samples_view=TaskSamplesView(
                name="intensities",
                score_labels={value_slug(value): value for value in values},
                score_color_scales={value_slug(value): scale for value in values},
                color_scales_enabled=True,
            )
        ),
    )
