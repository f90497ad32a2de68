"""Scorer and metrics for Inspect."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from inspect_ai.scorer import Metric as InspectMetric
from inspect_ai.scorer import SampleScore, Score, Scorer, Target, Value, metric, scorer
from inspect_ai.solver import TaskState
from valueflow_scorers import ValueFlowError
from valueflow_scorers._measure import Answer, Measured
from valueflow_scorers.metrics import Metric, steering_metrics, value_slug

from ..profiles._agreement import answered_profile_metrics
from ..settings import Settings, parse_list
from ..side_effects import side_effects, told_from
from ..steer_request import check_promises
from ..steering import SteeringSpec
from ._grader import with_grader
from ._mistakes import told_in_words
from ._solver import WHOLE_RUN, check_obeyed


def restore(scores: Sequence[SampleScore]) -> tuple[list[Measured], Settings]:
    """Measurements out of scores; likelihoods are recomputed from the saved windows."""
    contents = [score.score.metadata or {} for score in scores]
    settings = Settings.parse(contents[0]["settings"])
    return settings.instrument().restore([one["measured"] for one in contents]), settings


def flat(found: Mapping[str, Metric], headline: str) -> Value:
    """Metrics as one dict; the headline's error stands under `stderr`, as Inspect reads it.

    A headline without a number is NaN: were it left out, Inspect would take another metric for it.
    """
    flat: dict[str, str | int | float | bool | None] = {headline: math.nan}
    for name, one in sorted(found.items(), key=lambda item: item[0] != headline):
        flat[name] = one.value
        if one.stderr is not None:
            flat["stderr" if name == headline else f"{name}_stderr"] = one.stderr
    return flat


@metric(scores="unreduced")  # epochs are averaged per query, not by Inspect
def profile(value_profile: str = "") -> InspectMetric:
    """Intensities of answers that were all given in one way; headline `strength`.

    Args:
        value_profile: File of the value profile as which they were given.
    """

    def compute(scores: list[SampleScore]) -> Value:
        if not scores:
            return flat({}, "strength")
        measured, settings = restore(scores)
        seen = {value for one in measured for value in one.estimates}
        values = [value for value in settings.values if value in seen]
        told = replace(settings, values=tuple(values), value_profile=value_profile)
        return flat(answered_profile_metrics(measured, told), "strength")

    return compute


@metric(scores="unreduced")
def steering() -> InspectMetric:
    """Steerability, tracking, gain and the rest; headline `steerability`."""

    def compute(scores: list[SampleScore]) -> Value:
        if not scores:
            return flat({}, "steerability")
        measured, settings = restore(scores)
        steered = {one.target for one in measured}
        values = [value for value in settings.values if value in steered]
        found = steering_metrics(measured, values) | _side_effects(scores, values)
        return flat(found, "steerability")

    return compute


def _side_effects(scores: Sequence[SampleScore], values: Sequence[str]) -> dict[str, Metric]:
    """Side effects; over several values each stands under the value's own name."""
    told = [
        told_from(content["measured"], one.score.answer or "", content.get("loss"))
        for one in scores
        if (content := one.score.metadata or {})
    ]
    return {
        f"{value_slug(value)}/{name}" if len(values) > 1 else name: number
        for value in values
        for name, number in side_effects(told, value).items()
    }


def _steered(scores: Sequence[SampleScore]) -> bool:
    """Whether any answer was steered."""
    return any((score.score.metadata or {})["measured"]["target"] for score in scores)


@metric(scores="unreduced")
def intensities() -> InspectMetric:
    """`steering` where any answer was steered, else `profile`."""

    def compute(scores: list[SampleScore]) -> Value:
        chosen = steering() if _steered(scores) else profile()
        return chosen(scores)  # type: ignore[arg-type]

    return compute


@scorer(metrics=[intensities()], name="anchor_intensity")
@told_in_words()
def anchor_intensity(
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
    values: str | list[str] | None = None,
) -> Scorer:
    """Place each answer among texts of known intensity.

    Args:
        judge: Judge name. A model bound to the role `grader` takes its place.
        k: Items per window.
        m: Windows per answer and value.
        design: Window design.
        seed: Of the windows.
        profile: Judge profile: a path or `auto`.
        journal: Folder of a model judge's judgements, `auto` or `none`.
        compat: `valueflow`: the released evaluator, to compare with.
        target_stderr: Stop asking about an answer once its standard error is this small.
        layout: Of windows: `shuffled`, or `response-last`, which prefix caches make cheaper.
        values: What to measure samples on that are not ValueFlow's own: values or theories.

    Returns:
        A scorer whose score is a dict, `<theory>_<value>` -> intensity (NaN where there is
        none, with the reason in the score), and whose metadata holds every window.
    """
    # The arguments bear the settings' names.
    given = {name: one for name, one in locals().items() if name != "values"}
    own = Settings.parse(given if values is None else {**given, "values": parse_list(values)})

    async def score(state: TaskState, target: Target) -> Score:
        settings = with_grader(own)
        answer = _answer(state, settings.values if values is not None else ())
        (measured,) = await settings.instrument().ameasure([answer])
        loss = (state.output.metadata or {}).get("valueflow_loss")
        if told := (state.metadata.get("valueflow") or {}).get(WHOLE_RUN):
            check_promises(SteeringSpec.from_dict(told), settings)
        return make_score(answer, measured, settings, loss)

    return score


def _answer(state: TaskState, foreign: tuple[str, ...]) -> Answer:
    """The sample's answer; samples of other tasks are measured on the values in `foreign`."""
    filtered = state.output.stop_reason == "content_filter"
    text = state.output.completion
    own = state.metadata.get("valueflow")
    if own is not None:
        check_obeyed(own, state.sample_id)
        return Answer(
            own["query_id"],
            own["query"],
            text,
            tuple(own["measure"]),
            own["target"],
            float(own["level"] or 0.0),
            filtered,
            own.get("targets") or {},
            state.epoch - 1,
        )
    if not foreign:
        raise ValueFlowError(
            f"sample {state.sample_id!r} is none of ValueFlow's: name what to measure it on, "
            "for example -S values=svt/power"
        )
    return Answer(
        str(state.sample_id),
        state.input_text,
        text,
        foreign,
        filtered=filtered,
        repeat=state.epoch - 1,
    )


def make_score(
    answer: Answer, measured: Measured, settings: Settings, loss: float | None = None
) -> Score:
    """What Inspect keeps of a measurement."""
    found = measured.estimates
    value: dict[str, str | int | float | bool | None] = {
        value_slug(name): found[name].intensity if name in found else math.nan
        for name in answer.values
    }
    reason, explanation = None, None
    if measured.refused:
        reason, explanation = "refusal", "the answer is a refusal: counted, not scored"
    elif missing := {name: one.reason for name, one in found.items() if not one.scored}:
        empty = all(text == "empty response" for text in missing.values())
        reason = "no_response" if empty else "grader_failed"
        explanation = "; ".join(f"{name}: {text}" for name, text in missing.items())
    return Score(
        value=value,
        answer=answer.text,
        reason=reason,
        explanation=explanation,
        metadata={
            "measured": measured.to_dict(),
            "settings": settings.to_dict(),
            **({} if loss is None else {"loss": loss}),
        },
    )
