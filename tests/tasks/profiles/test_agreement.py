"""How near answers come to the profile that they were to express."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pytest
from valueflow_scorers import IntensityEstimate
from valueflow_scorers._measure import Measured
from valueflow_scorers._plackett_luce import GRID

from valueflow_tasks.profiles import (
    ValueProfile,
    ValueScore,
    Written,
    save_profiles,
)
from valueflow_tasks.profiles._agreement import agreement, described
from valueflow_tasks.profiles._readings import built_from
from valueflow_tasks.settings import Settings

ASKED = {"svt/power": 5.0, "svt/face": 1.0, "svt/security": -3.0, "svt/tradition": -6.0}
PROFILE = ValueProfile("p", {v: ValueScore(x) for v, x in ASKED.items()})


def estimate(value: str, mean: float, noise: float, label: float = 0.0) -> IntensityEstimate:
    return IntensityEstimate(
        mean, noise, value=value, sentences={f"{mean}": 1}, sensitivities=np.ones(1),
        log_likelihood=-0.5 * ((GRID - mean) / noise) ** 2, label_covariance=np.full((1, 1), label),
    )  # fmt: skip


def answered(
    rows: Sequence[Mapping[str, float]], noise: float = 0.5, label: float = 0.0
) -> list[Measured]:
    return [
        Measured(f"q{place}", None, 0.0, False,
                 {v: estimate(v, x, noise, label) for v, x in row.items()})
        for place, row in enumerate(rows)
    ]  # fmt: skip


def along(slope: float) -> list[dict[str, float]]:
    return [{v: slope * x + 0.1 * i for v, x in ASKED.items()} for i in range(5)]


def strayed(spread: float, seed: int = 0) -> list[dict[str, float]]:
    rng = np.random.default_rng(seed)
    return [
        {v: x / 4 + spread * rng.standard_normal() for v, x in ASKED.items()} for _ in range(10)
    ]


def test_agreement_is_the_rank_correlation_with_what_was_asked():
    assert agreement(answered(along(0.3)), PROFILE).value == pytest.approx(1.0)
    assert agreement(answered(along(-0.3)), PROFILE).value == pytest.approx(-1.0)
    assert agreement(answered(along(0.0)), PROFILE) is None
    assert agreement([], PROFILE) is None


def test_the_same_answers_again_do_not_make_it_surer():
    """Queries are resampled, not answers: epochs are no new questions."""
    once = answered(strayed(3.0))
    first, nine = agreement(once, PROFILE), agreement(once * 9, PROFILE)
    assert first.n == nine.n == 10
    assert nine.stderr > 0.8 * first.stderr


def test_errors_of_the_rulers_labels_are_in_it():
    rows = strayed(0.5)
    sure, unsure = (agreement(answered(rows, label=x), PROFILE) for x in (0.0, 9.0))
    assert sure.value == unsure.value
    assert unsure.stderr > 2 * sure.stderr


def test_means_are_of_cells_and_not_of_posterior_means():
    """Estimates of blurred answers lie near the middle; their likelihoods do not."""
    told = answered(along(1.0))
    for one in told:
        shrunk = replace(one.estimates["svt/power"], intensity=0.0)
        one.estimates["svt/power"] = shrunk  # type: ignore[index]
    assert agreement(told, PROFILE).value == pytest.approx(1.0)


def test_results_say_how_many_of_the_questions_the_profile_has_seen(tmp_path):
    settings = Settings(queries="core")
    asked = settings.query_set()[0]
    for built, seen in (
        (built_from([Written("We share.", query=asked.text)], "j", "f", None), 1),
        (built_from([Written("We share.")], "j", "f", None), 0),
        (built_from([Written("", known=False)], "j", "f", None), None),
        (None, None),
    ):
        path = save_profiles(tmp_path / "p.json", [replace(PROFILE, built_from=built)])
        told = described(replace(settings, value_profile=str(path)))
        assert told["value_profile_seen"] == seen
    assert described(settings) == {}
