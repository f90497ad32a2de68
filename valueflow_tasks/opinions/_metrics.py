"""How well opinions are predicted: per question, and over questions with paired errors.

A question is the unit: the groups that answered it are averaged first, and errors are those of a
mean over questions. A difference between arms is taken within a question and group, so what makes
a question easy is in neither the difference nor its error.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from scipy.stats import wasserstein_distance
from valueflow_scorers.metrics import Metric

from ._plan import ARMS, Plan
from ._survey import Question

Shares = Sequence[float]
"""Shares of the options, in the question's own order."""
_COMPARED = tuple(arm for arm in ARMS if arm != "profile")
HIGHER_IS_BETTER = {"accuracy": True, "distance": False, "unanswered": False}
HEADLINE = "accuracy_profile_minus_wrong"


def majority_hit(predicted: Shares, given: Shares) -> float:
    """1 if the option predicted most is one that most chose; ties of the prediction share it."""
    best = [i for i, one in enumerate(predicted) if math.isclose(one, max(predicted))]
    return sum(math.isclose(given[i], max(given)) for i in best) / len(best)


def option_distance(predicted: Shares, given: Shares) -> float:
    """Wasserstein distance of two distributions over ordered options; 1: from end to end."""
    places = np.arange(len(given))
    return float(wasserstein_distance(places, places, predicted, given)) / (len(given) - 1)


def metric_names(plan: Plan) -> tuple[str, ...]:
    """All metrics that a plan can give."""
    arms = [arm for arm in ARMS if arm in plan.settings.arms]
    pairs = [arm for arm in _COMPARED if arm in arms] if "profile" in arms else []
    return (
        *(f"{kind}_{arm}" for kind in ("accuracy", "distance") for arm in arms),
        *(f"{kind}_profile_minus_{arm}" for kind in ("accuracy", "distance") for arm in pairs),
        "unanswered",
        *(f"unanswered_{arm}" for arm in arms),
    )


def question_numbers(
    plan: Plan, question: Question, answers: Mapping[str, Shares | None]
) -> dict[str, float]:
    """The numbers of one question.

    Args:
        plan: What was asked.
        question: The question.
        answers: Predicted shares by ask; None where no option was named.

    Returns:
        Those of `metric_names` that can be computed: means over the groups that answered it.
    """
    rows: dict[str, list[float]] = {}
    for group in plan.groups:
        given = question.answers.get(group)
        if given is None:
            continue
        own: dict[str, dict[str, float]] = {}
        for arm in plan.settings.arms:
            ask = plan.ask_of(arm, group)
            predicted = answers.get(ask)
            if ask in answers:
                rows.setdefault(f"unanswered_{arm}", []).append(float(predicted is None))
            if predicted is not None:
                own[arm] = {
                    "accuracy": majority_hit(predicted, given),
                    "distance": option_distance(predicted, given),
                }
        for arm, numbers in own.items():
            for kind, number in numbers.items():
                rows.setdefault(f"{kind}_{arm}", []).append(number)
                if arm != "profile" and "profile" in own:
                    difference = own["profile"][kind] - number
                    rows.setdefault(f"{kind}_profile_minus_{arm}", []).append(difference)
    missing = [shares is None for shares in answers.values()]
    found = {name: float(np.mean(row)) for name, row in rows.items()}
    return {**found, "unanswered": float(np.mean(missing))} if missing else found


def mean_over_questions(name: str, numbers: Sequence[float]) -> Metric:
    """A number over questions, with the standard error of their mean.

    Args:
        name: Of the metric.
        numbers: One per question, at least one.
    """
    n = len(numbers)
    error = float(np.std(numbers, ddof=1)) / math.sqrt(n) if n > 1 else None
    bounds = (-1.0, 1.0) if "_minus_" in name else (0.0, 1.0)
    return Metric(float(np.mean(numbers)), error, n, bounds)


def opinion_metrics(
    plan: Plan, answers: Mapping[str, Mapping[str, Shares | None]]
) -> dict[str, Metric]:
    """All metrics.

    Args:
        plan: What was asked.
        answers: Predicted shares by question id and ask.
    """
    per_question = [
        question_numbers(plan, plan.question[name], own) for name, own in answers.items()
    ]
    found = {}
    for name in metric_names(plan):
        known = [numbers[name] for numbers in per_question if name in numbers]
        if known:
            found[name] = mean_over_questions(name, known)
    return found


def better_when_higher(name: str) -> bool | None:
    """Direction of a metric."""
    kind = name.partition("_")[0]
    return HIGHER_IS_BETTER.get(kind)
