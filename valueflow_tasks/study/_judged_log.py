"""Answers and what a judge said of them, as one complete Inspect log."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from valueflow_scorers._measure import Answer, Measured

from ..analysis._inspect_file import chat_template
from ..compose import read_arm
from ..prompts import telling
from ..settings import Settings
from ._jobs import COMPOSE, STEER, JudgeJob
from ._meter import METER

if TYPE_CHECKING:
    from inspect_ai.log import EvalLog, EvalSample
    from inspect_ai.scorer import Score

_BATCH = 512
"""Answers judged between two looks at the budget; 64 where a model judges."""


def judged_log(
    job: JudgeJob, sources: Sequence[EvalLog], settings: Settings, identity: str
) -> EvalLog:
    """The answers of a job, scored."""
    from inspect_ai import score
    from inspect_ai.log import read_eval_log

    logs = [read_eval_log(header.location) for header in sources]
    samples = [
        sample
        for log in logs
        for sample in log.samples or []
        if str(sample.id).partition(":")[2] in job.arms
    ]
    order = {
        query: place
        for place, query in enumerate(
            dict.fromkeys(sample.metadata["valueflow"]["query_id"] for sample in samples)
        )
    }
    samples.sort(key=lambda sample: order[sample.metadata["valueflow"]["query_id"]])
    for sample in samples:
        arm = str(sample.id).partition(":")[2]
        sample.metadata["valueflow"]["measure"] = list(job.arms[arm])
    scores = _measure(samples, settings)
    log = logs[-1]
    log.samples = samples
    _describe(log, job, settings, identity)
    return score(
        log,
        _looked_up(scores),
        metrics=[_metric(job.task)],
        model="none/none",
        action="overwrite",
        display="none",
        copy=False,
    )


def _measure(samples: Sequence[EvalSample], settings: Settings) -> dict[str, Score]:
    from ..inspect_tasks._scorer import make_score

    answers = [_answer(sample) for sample in samples]
    batch = 64 if ":" in settings.judge and not settings.judge.startswith("simulated") else _BATCH
    scores = {}
    for start in range(0, len(answers), batch):
        METER.check()
        part = answers[start : start + batch]
        found: list[Measured] = settings.instrument().measure(part)
        for answer, measured, sample in zip(part, found, samples[start:], strict=False):
            loss = (sample.output.metadata or {}).get("valueflow_loss")
            scores[str(sample.id)] = make_score(answer, measured, settings, loss)
    return scores


def _answer(sample: EvalSample) -> Answer:
    own = sample.metadata["valueflow"]
    return Answer(
        own["query_id"],
        own["query"],
        sample.output.completion,
        tuple(own["measure"]),
        own["target"],
        float(own["level"] or 0.0),
        sample.output.stop_reason == "content_filter",
        own.get("targets") or {},
    )


def _looked_up(scores: Mapping[str, Score]) -> Any:
    """A scorer that hands out what was measured in one batch."""
    from inspect_ai.scorer import Target, scorer
    from inspect_ai.solver import TaskState

    @scorer(metrics=[], name="anchor_intensity")
    def looked_up() -> Any:
        async def one(state: TaskState, target: Target) -> Score:
            return scores[str(state.sample_id)]

        return one

    return looked_up()


def _metric(task: str) -> Any:
    from ..inspect_tasks import composition, profile, steering

    kinds = {COMPOSE: composition, STEER: steering}
    return kinds.get(task, profile)()


def _describe(log: EvalLog, job: JudgeJob, settings: Settings, identity: str) -> None:
    """Say in the log what it has become."""
    from ..inspect_tasks._tasks import VERSION

    profile = settings.instrument().judge_profile
    generation = telling(
        log.eval.model_generate_config.model_dump(mode="json"),
        log.plan.config.model_dump(mode="json"),
    )
    template = chat_template(log.eval)
    samples = log.samples or []
    log.eval.task = log.eval.task_display_name = job.task
    log.eval.task_registry_name = f"valueflow_tasks/{job.task}"
    log.eval.task_version = VERSION  # of those who judge, whoever generated
    log.eval.task_args = log.eval.task_args_passed = _arguments(job, settings)
    log.eval.dataset.name = job.task
    log.eval.dataset.samples = len(samples)
    log.eval.dataset.sample_ids = [sample.id for sample in samples]
    log.eval.metadata = {
        "valueflow": {
            "settings": settings.to_dict(),
            "chat_template": template,
            "protocol": job.protocol(settings, generation, chat_template=template),
            "profile": profile.fingerprint,
            "calibrated": profile.calibrated,
            **settings.link_state(job.values),
            **({"levels": job.levels} if job.task == STEER else {}),
            "judged": identity,
        }
    }


def _arguments(job: JudgeJob, settings: Settings) -> dict[str, Any]:
    """What the task would be given to ask for the same."""
    steered: dict[str, Any] = {"off_target": settings.off_target} if job.method else {}
    if job.task == COMPOSE:
        steered["targets"] = [name for name in job.arms if len(read_arm(name)) > 1]
    return {
        "values": list(settings.values),
        "method": job.method or "definition",
        "queries": settings.queries,
        "vectors": settings.vectors,
        **steered,
        **job.judge,
    }


def write_log(path: Path, log: EvalLog) -> None:
    """Whole or not at all."""
    from inspect_ai.log import write_eval_log

    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.stem}.partial.eval")
    write_eval_log(log, str(partial))
    os.replace(partial, path)
