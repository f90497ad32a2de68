"""The task for Inspect that predicts groups' opinions: one sample per question and ask."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np
from inspect_ai import Task, task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.log import HeadlineMetric
from inspect_ai.model import GenerateConfig, ModelOutput
from inspect_ai.scorer import Metric as InspectMetric
from inspect_ai.scorer import SampleScore, Score, Scorer, Target, Value, metric, scorer
from inspect_ai.solver import TaskState, generate
from valueflow_scorers import ValueFlowError

from ..opinions._metrics import HEADLINE, Shares, metric_names, opinion_metrics
from ..opinions._plan import Ask, OpinionSettings, Plan, make_plan
from ..opinions._prompt import letters, opinion_turn, own_order, read_letter
from ..opinions._survey import Question
from ..settings import parse_list
from ._mistakes import told_in_words
from ._scorer import flat
from ._tasks import VERSION, known

OWN = "valueflow_opinions"
"""Key of a sample's and a log's metadata under which our entries stand."""
_TOP = 20
"""Tokens whose log-probabilities are asked for; the most that providers give."""
_MAX_TOKENS = 32


@task
@told_in_words()
def valueflow_opinions(
    survey: str = OpinionSettings.survey,
    questions: str = OpinionSettings.questions,
    profile: str = OpinionSettings.profile,
    groups: str | list[str] | None = None,
    arms: str | list[str] | None = None,
    answer: str = "letter",
    **unknown: Any,
) -> Task:
    """How well groups' opinions are predicted from their value profiles.

    Args:
        survey: `synthetic`, a file of items, or `hub:<owner>/<name>`.
        questions: `test`, `dev` (to choose by) or `all`.
        profile: File of value profiles that bear the groups' names.
        groups: The groups; all that have a profile by default.
        arms: Of `default`, `attribute`, `profile` and `wrong`; all by default.
        answer: The `letter` that the model writes, or the `loglikelihood` of each letter as its
            first token, for models that give log-probabilities.
        unknown: Refused.
    """
    known(locals())
    named = {"groups": groups, "arms": arms}
    listed = {name: parse_list(one) for name, one in named.items() if one is not None}
    plain = {"survey": survey, "questions": questions, "profile": profile, "answer": answer}
    plan = make_plan(OpinionSettings.parse({**plain, **listed}))
    return Task(
        dataset=MemoryDataset(
            [_sample(question, ask) for question in plan.questions for ask in plan.asks], name=OWN
        ),
        solver=generate(),
        scorer=chosen_option(**plan.settings.to_dict()),
        config=_config(plan),
        name=OWN,
        version=VERSION,
        metadata={OWN: plan.described()},
        headline_metric=HeadlineMetric(scorer="chosen_option", metric=_headline(plan)),
    )


def _headline(plan: Plan) -> str:
    names = metric_names(plan)
    return HEADLINE if HEADLINE in names else names[0]


def _sample(question: Question, ask: Ask) -> Sample:
    return Sample(
        id=f"{question.id}:{ask.id}",
        input=opinion_turn(question, ask.steering),
        metadata={OWN: {"question_id": question.id, "ask": ask.id}},
    )


def _config(plan: Plan) -> GenerateConfig:
    if plan.settings.answer == "letter":
        return GenerateConfig(temperature=0.0, max_tokens=_MAX_TOKENS)
    return GenerateConfig(temperature=0.0, max_tokens=1, logprobs=True, top_logprobs=_TOP)


@metric(scores="unreduced")  # answers of several epochs are averaged as distributions
def opinions() -> InspectMetric:
    """Accuracy, distance, and what a profile adds; headline: beyond another group's profile."""

    def compute(scores: list[SampleScore]) -> Value:
        if not scores:
            return flat({}, HEADLINE)
        told = [one.score.metadata or {} for one in scores]
        plan = make_plan(OpinionSettings.parse(told[0]["settings"]))
        drawn: dict[str, dict[str, list[Shares]]] = defaultdict(lambda: defaultdict(list))
        for one in told:
            own = drawn[one["question_id"]][one["ask"]]
            own += [] if one["shares"] is None else [one["shares"]]
        answers = {
            name: {ask: np.mean(rows, axis=0).tolist() if rows else None
                   for ask, rows in asks.items()}
            for name, asks in drawn.items()
        }  # fmt: skip
        found = opinion_metrics(plan, answers)
        return flat(found, _headline(plan))

    return compute


@scorer(metrics=[opinions()], name="chosen_option")
@told_in_words()
def chosen_option(
    survey: str = OpinionSettings.survey,
    questions: str = OpinionSettings.questions,
    profile: str = OpinionSettings.profile,
    groups: str | list[str] | None = None,
    arms: str | list[str] | None = None,
    answer: str = "letter",
) -> Scorer:
    """Read the option that an answer names, or the shares of all.

    Args:
        survey: As the task's.
        questions: As the task's.
        profile: As the task's.
        groups: As the task's.
        arms: As the task's.
        answer: As the task's.
    """
    given = {key: one for key, one in locals().items() if one is not None}
    settings = OpinionSettings.parse(given)

    async def score(state: TaskState, target: Target) -> Score:
        own = state.metadata.get(OWN)
        if own is None:
            raise ValueFlowError(
                f"sample {state.sample_id!r} is no opinion question: `chosen_option` scores the "
                "task valueflow_opinions"
            )
        question = make_plan(settings).question[own["question_id"]]
        shares = _shares(question, state.output, settings.answer)
        named = None if shares is None else question.options[int(np.argmax(shares))]
        return Score(
            value=named or "no option",
            answer=state.output.completion,
            explanation=None if named else "the answer names no option: counted, not scored",
            metadata={
                **own,
                "shares": None if shares is None else list(shares),
                "settings": settings.to_dict(),
            },
        )

    return score


def _shares(question: Question, output: ModelOutput, answer: str) -> Shares | None:
    """Shares of the options in their own order; None where none is named."""
    if answer == "letter":
        chosen = read_letter(question, output.completion)
        if chosen is None:
            return None
        return [float(place == chosen) for place in range(len(question.options))]
    told = output.choices[0].logprobs if output.choices else None
    if told is None or not told.content:
        raise ValueFlowError(
            "answer=loglikelihood needs a model that gives log-probabilities, which "
            f"{output.model} does not: use answer=letter"
        )
    return letter_shares(question, told.content[0].top_logprobs or [])


def letter_shares(question: Question, tokens: Sequence[Any]) -> Shares | None:
    """Shares of the letters among the likeliest first tokens; a letter that is not there has 0."""
    mass = dict.fromkeys(letters(question), 0.0)
    for one in tokens:
        if (letter := one.token.strip()) in mass:
            mass[letter] += math.exp(one.logprob)
    whole = sum(mass.values())
    if whole <= 0:
        return None
    return own_order(question, [one / whole for one in mass.values()])
