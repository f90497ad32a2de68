"""Answers at a dose: their mean, how it scatters with queries, and how they are drawn."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from valueflow_scorers import ValueFlowError
from valueflow_scorers._estimated import IntensityEstimate
from valueflow_scorers._measure import Measured
from valueflow_scorers._plackett_luce import GRID

from valueflow_tasks.prompts import steering_text
from valueflow_tasks.queries import Query, load_queries
from valueflow_tasks.settings import Settings
from valueflow_tasks.steering._answer import Sampling, answer, load_model
from valueflow_tasks.steering._trial import Condition, Trial, run_trial


def noisy_trial(
    samples: int, seed: int, between: float, within: float, kinds: int = 1, apart: float = 0.0
) -> Trial:
    """Thirty queries; intensities scatter between them and among the answers to each.

    Those of one kind are so many points apart from those of the next.
    """
    rng = np.random.default_rng(seed)
    measured = []
    for place in range(30):
        own = between * rng.normal() + apart * (place % kinds - (kinds - 1) / 2)
        for number in range(samples):
            seen = own + within * rng.normal()
            estimate = IntensityEstimate(
                float(np.clip(seen, -10, 10)), 0.5, value="svt/power",
                sentences={f"{place} {number}": 1},
                log_likelihood=-0.5 * ((GRID - seen) / 0.5) ** 2,
                sensitivities=np.zeros(1), label_covariance=np.zeros((1, 1)),
            )  # fmt: skip
            measured.append(Measured(str(place), None, 0.0, False, {"svt/power": estimate}))
    queries = tuple(Query(str(i), "?", f"kind {i % kinds}", "dev") for i in range(30))
    texts = [""] * len(measured)
    return Trial("svt/power", queries, {0.0: texts}, {0.0: [0.0] * len(texts)}, {0.0: measured},
                 Sampling(samples, 1.0))  # fmt: skip


def test_more_answers_per_query_make_up_for_a_noisy_judge() -> None:
    one, eight = (noisy_trial(samples, 0, 1.0, 6.0).mean(0.0)[1] for samples in (1, 8))
    assert eight < 0.6 * one


def test_answers_to_one_query_are_no_independent_draws() -> None:
    """Resampled one by one, they would state half the error."""
    found = [noisy_trial(4, seed, 5.0, 1.0).mean(0.0) for seed in range(60)]
    stated = np.mean([error for _, error, _ in found])
    assert stated == pytest.approx(np.std([point for point, _, _ in found]), rel=0.3)


@pytest.mark.parametrize(("kinds", "apart"), [(1, 0.0), (3, 3.0), (15, 0.4)])
def test_new_queries_are_of_the_same_kinds(kinds: int, apart: float) -> None:
    """How far kinds are apart is no scatter, and few queries of a kind state no less of it."""
    found = [noisy_trial(1, seed, 1.5, 0.5, kinds, apart).mean(0.0) for seed in range(100)]
    stated = np.sqrt(np.mean([error**2 for _, error, _ in found]))
    assert stated == pytest.approx(np.std([point for point, _, _ in found]), rel=0.15)


def test_kinds_of_one_query_each_are_one_kind() -> None:
    alone = noisy_trial(1, 0, 1.5, 0.5, kinds=30)
    together = replace(alone, queries=tuple(replace(own, kind="") for own in alone.queries))
    assert alone.mean(0.0)[1] == together.mean(0.0)[1]
    assert alone.mean(0.0)[1] > 1.5 / np.sqrt(30) * 0.8


def test_a_dose_where_all_answers_are_one_text_promises_what_the_judge_will_read_again() -> None:
    """However badly it reads that text, it reads it alike in the answers to new queries."""
    trial = noisy_trial(4, 0, 0.0, 0.0)
    one = replace(
        trial.measured[0.0][0].estimates["svt/power"], misreading=3.0, sentences={"same": 9}
    )
    told = [Measured(own.query_id, None, 0.0, False, {"svt/power": one})
            for own in trial.measured[0.0]]  # fmt: skip
    point, error, means = replace(trial, measured={0.0: told}).mean(0.0, 50)
    assert error == pytest.approx(3.0, abs=0.1)
    assert means == pytest.approx(np.full(50, point), abs=1e-3)


def test_every_query_is_answered_as_often_as_asked() -> None:
    loaded = load_model("bundled", device="cpu")
    queries = load_queries("dev")[:2]
    conditions = {float(n): Condition(prompt=steering_text("svt/power", n)) for n in (0, 2)}
    trial = run_trial(loaded, "svt/power", queries, conditions,
                      Settings(judge="simulated:noise=1:text=0").instrument(),
                      sampling=Sampling(3, 1.0))  # fmt: skip
    for dose in (0.0, 2.0):
        asked = [one.query_id for one in trial.measured[dose]]
        assert asked == [query.id for query in queries for _ in range(3)]
        assert len(trial.answers[dose]) == len(trial.losses[dose]) == 6
    assert len(set(trial.answers[2.0])) > 2
    assert trial.share_unscored(0.0) in (0.0, 1.0)


def test_several_answers_are_drawn_alike_every_time_and_differ() -> None:
    loaded = load_model("bundled", device="cpu")
    turns = ["Would you lead the group?"] * 4
    hot = Sampling(4, 1.0)
    drawn = answer(loaded, turns, sampling=hot, max_new_tokens=24)
    assert len(set(drawn)) > 1
    assert answer(loaded, turns, sampling=hot, max_new_tokens=24) == drawn
    assert answer(loaded, turns, sampling=replace(hot, seed=1), max_new_tokens=24) != drawn
    assert len(set(answer(loaded, turns, max_new_tokens=24))) == 1


def test_several_greedy_answers_are_refused() -> None:
    with pytest.raises(ValueFlowError, match="all alike: give a temperature"):
        Sampling(8)
    with pytest.raises(ValueFlowError, match="at least one answer"):
        Sampling(0)
