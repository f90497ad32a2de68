"""Distances between profiles, with intervals that hold the truth."""

from __future__ import annotations

import numpy as np
import pytest
from valueflow_scorers import ValueFlowError

from valueflow_tasks.profiles import BuiltFrom, ValueProfile, ValueScore, distance
from valueflow_tasks.theories import evaluated_values


def seen(
    true: np.ndarray, error: float, rng: np.random.Generator, judge: str = "j"
) -> ValueProfile:
    noisy = np.clip(true + error * rng.standard_normal(len(true)), -10, 10)
    scores = {
        value: ValueScore(float(x), error, float(x), error, 5)
        for value, x in zip(evaluated_values(), noisy, strict=True)
    }
    return ValueProfile("p", scores, BuiltFrom(judge=judge, judge_profile="f"))


@pytest.mark.parametrize("apart", [0.0, 0.5, 1.0, 4.0])
def test_the_interval_holds_the_true_distance_and_noise_adds_none(apart):
    rng = np.random.default_rng(1)
    inside, values = [], []
    for _ in range(60):
        first = rng.normal(0, 2, 32)
        gap = apart * rng.choice([-1.0, 1.0], 32)
        found = distance(seen(first, 1.0, rng), seen(first + gap, 1.0, rng))
        inside.append(found.low <= apart <= found.high)
        values.append(found.value)
    # The plain root mean square of two noisy profiles that are the same would be 1.41.
    assert abs(np.mean(values) - apart) < (0.6 if apart == 0 else 0.45)
    assert np.mean(inside) >= 0.85


def test_the_interval_is_narrower_with_less_error():
    rng = np.random.default_rng(2)
    true, gap = rng.normal(0, 2, 32), rng.normal(0, 3, 32)
    sharp = distance(seen(true, 0.3, rng), seen(true + gap, 0.3, rng))
    blurred = distance(seen(true, 2.0, rng), seen(true + gap, 2.0, rng))
    assert sharp.high - sharp.low < 0.5 * (blurred.high - blurred.low)


def test_profiles_that_may_be_the_same_have_an_interval_from_0():
    same = seen(np.ones(32), 0.0, np.random.default_rng(0))
    found = distance(same, same)
    assert found.low == 0 <= found.value <= found.high < 0.01


def test_only_what_both_have_enters():
    one = ValueProfile("a", {"svt/power": ValueScore(4.0), "mft/care": ValueScore(1.0)})
    other = ValueProfile("b", {"svt/power": ValueScore(-2.0)})
    found = distance(one, other)
    assert found.values == 1
    assert found.value == pytest.approx(6.0, abs=0.01)
    with pytest.raises(ValueFlowError, match="share no value"):
        distance(one, other, ["mft/care"])


def test_profiles_of_two_judges_are_not_compared():
    rng = np.random.default_rng(0)
    with pytest.raises(ValueFlowError, match="measured by different judges"):
        distance(seen(np.zeros(32), 1.0, rng), seen(np.zeros(32), 1.0, rng, "other"))
