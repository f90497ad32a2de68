"""The task for Inspect that steers toward several values at once."""

from __future__ import annotations

from typing import Any

from inspect_ai import Task, task
from inspect_ai.scorer import Metric as InspectMetric
from inspect_ai.scorer import SampleScore, Value, metric

from ..compose import OWN_SETTINGS, compose_arms, composition_metrics, narrowed, plan
from ..settings import Settings
from ._mistakes import told_in_words
from ._scorer import flat, restore
from ._solver import check_vectors
from ._tasks import known, make_settings, make_task


@metric(scores="unreduced")
def composition() -> InspectMetric:
    """Additivity, dominance and the rest; headline `additivity`."""

    def compute(scores: list[SampleScore]) -> Value:
        if not scores:
            return flat({}, "additivity")
        measured, _ = restore(scores)
        return flat(composition_metrics(measured), "additivity")

    return compute


@task
@told_in_words()
def valueflow_compose(
    sets: str | None = None,
    targets: str | list[str] | None = None,
    size: int | None = None,
    count: int | None = None,
    draw: int | None = None,
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
    """What comes of several targets at once, compared with each by itself.

    Args:
        sets: `pairs` (the default: both kinds), `similar`, `conflicting`, or `random`.
        targets: Sets of one's own in place of `sets`, such as `svt/power:+2~mft/care:-1`.
        size: Values in a random set, 2 to 5.
        count: How many random sets.
        draw: Seed of random sets.
        values: Values or theories that may be put together; all 32 by default.
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
        vectors: Folder of fitted vectors, for `method=vector` with `valueflow/hf/<model>`.
        links: File of `valueflow vidb link`: the log then says that units are linked.
        unknown: Refused.
    """
    given = known(locals())
    asked = {name: given.pop(name) for name in OWN_SETTINGS}
    check_vectors(method, vectors)
    settings = make_settings(**given)
    chosen = plan(settings, asked)
    arms = compose_arms(settings, chosen)
    return make_task(
        "valueflow_compose", narrowed(settings, chosen), arms, composition(), "additivity"
    )
