"""What the metrics of composition say about models of known truth."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace

import numpy as np
import pytest
from valueflow_scorers import IntensityEstimate
from valueflow_scorers._measure import Measured
from valueflow_scorers._plackett_luce import GRID

from valueflow_tasks.compose import composition_metrics, query_composition, read_arm

SUM = {
    "0": {"a/x": 0.0, "a/y": 0.0},
    "a/x:+2": {"a/x": 2.0, "a/y": 0.0},
    "a/y:+1": {"a/x": 0.0, "a/y": 2.0},
    "a/x:+2~a/y:+1": {"a/x": 2.0, "a/y": 2.0},
}
"""A model whose shifts add up."""


def _measured(
    shifts: Mapping[str, Mapping[str, float]],
    noise: float = 0.4,
    hard: float = 0.5,
    refused: Callable[[int, str], bool] = lambda number, arm: False,
) -> list[Measured]:
    """Answers whose means are exactly what is given: arm -> value -> intensity.

    Every second query lies `hard` above, the others as far below, in all arms alike.
    """
    values = list(next(iter(shifts.values())))
    found = []
    for number in range(12):
        for arm, means in shifts.items():
            targets = read_arm(arm)
            estimates = {}
            for value in values:
                mean = means[value] + (1 if number % 2 else -1) * hard
                estimates[value] = IntensityEstimate(
                    mean, noise, value=value, response_id=f"{number}:{arm}",
                    sentences={f"{number}{arm}": 1},
                    log_likelihood=-0.5 * ((GRID - mean) / noise) ** 2, sensitivities=np.zeros(1),
                )  # fmt: skip
            single = len(targets) == 1
            target, level = next(iter(targets.items())) if single else (None, 0.0)
            several = targets if len(targets) > 1 else {}
            level = math.nan if several else level
            no = refused(number, arm)
            found.append(
                Measured(f"q{number}", target, level, no, {} if no else estimates, several)
            )
    return found


def test_shifts_that_add_up_have_slope_one() -> None:
    found = composition_metrics(
        _measured(
            {
                "0": {"a/x": 0, "a/y": 0},
                "a/x:+2": {"a/x": 4, "a/y": 1},
                "a/y:+1": {"a/x": 0.5, "a/y": 2},
                "a/x:+2~a/y:+1": {"a/x": 4.5, "a/y": 3},
            }
        )
    )
    assert found["additivity"].value == pytest.approx(1, abs=0.02)
    assert found["additivity_r2"].value == pytest.approx(1, abs=0.02)
    assert found["dominance"].value == pytest.approx(4.5 / 7.5, abs=0.02)
    assert found["retained_others"].value == pytest.approx(1.5, abs=0.03)
    assert found["sign_agreement"].value == 1
    assert found["all_met"].value > 0.9


def test_a_target_that_takes_all_dominates() -> None:
    found = composition_metrics(
        _measured(
            {
                "0": {"a/x": 0, "a/y": 0},
                "a/x:+2": {"a/x": 4, "a/y": 0},
                "a/y:-1": {"a/x": 0, "a/y": -2},
                "a/x:+2~a/y:-1": {"a/x": 4, "a/y": 0},
            }
        )
    )
    assert found["dominance"].value == pytest.approx(1, abs=0.02)
    assert found["retained_strongest"].value == pytest.approx(1, abs=0.02)
    assert found["retained_others"].value == pytest.approx(0, abs=0.03)
    assert found["additivity"].value == pytest.approx(16 / 20, abs=0.02)
    assert found["all_met"].value < 0.1


def test_a_model_that_does_not_move_has_no_slope_and_no_dominance() -> None:
    nothing = {"a/x": 0.0, "a/y": 0.0}
    found = composition_metrics(
        _measured(dict.fromkeys(["0", "a/x:+2", "a/y:+1", "a/x:+2~a/y:+1"], nothing))
    )
    assert not {"additivity", "dominance", "retained_strongest"} & set(found)
    assert found["sign_agreement"].value == 0.5


def test_equal_targets_have_no_strongest() -> None:
    found = composition_metrics(
        _measured(
            {
                "0": {"a/x": 0, "a/y": 0},
                "a/x:+2": {"a/x": 4, "a/y": 0},
                "a/y:+2": {"a/x": 0, "a/y": 4},
                "a/x:+2~a/y:+2": {"a/x": 2, "a/y": 2},
            }
        )
    )
    assert found["additivity"].value == pytest.approx(0.5, abs=0.02)
    assert not {"dominance", "retained_others"} & set(found)


@pytest.mark.parametrize("arm", ["0", "a/x:+2", "a/x:+2~a/y:+1"])
def test_a_refusal_in_one_arm_takes_its_query_out_of_the_others(arm: str) -> None:
    """Else what makes its query hard passes for an effect of the arm."""
    whole = composition_metrics(_measured(SUM, hard=3.0))
    told = _measured(SUM, hard=3.0, refused=lambda number, own: own == arm and number % 2 == 0)
    found = composition_metrics(told)
    for name in ("additivity", "retained_strongest", "retained_others"):
        assert found[name].value == pytest.approx(whole[name].value, abs=0.06)
        assert found[name].value == pytest.approx(1, abs=0.06)
    assert (whole["additivity"].n, found["additivity"].n) == (12, 6)


def test_a_set_that_is_often_refused_does_not_thin_out_the_others() -> None:
    shifts = {arm: {**means, "a/z": 0.0} for arm, means in SUM.items()}
    shifts["a/z:-1"] = {"a/x": 0.0, "a/y": 0.0, "a/z": -2.0}
    shifts["a/x:+2~a/z:-1"] = {"a/x": 2.0, "a/y": 0.0, "a/z": -2.0}
    told = _measured(shifts, refused=lambda number, arm: arm == "a/x:+2~a/z:-1" and number > 1)
    found = composition_metrics(told)
    assert found["additivity"].n == 12
    assert found["additivity"].value == pytest.approx(1, abs=0.06)


def _without(told: list[Measured], value: str, queries: Collection[str]) -> list[Measured]:
    """The same, with failed judgements of unsteered answers on a value."""
    failed = IntensityEstimate(math.nan, math.nan, reason="judge failed", value=value)
    return [
        replace(one, estimates={**one.estimates, value: failed})
        if one.query_id in queries and one.target is None and not one.targets
        else one
        for one in told
    ]


def test_a_query_without_its_unsteered_judgement_says_what_it_can() -> None:
    own = [one for one in _measured(SUM) if one.query_id == "q1"]
    found = query_composition(_without(own, "a/y", ["q1"]))
    assert found["all_met"] > 0
    assert found["sign_agreement"] == 1  # of a/x alone


def test_a_value_without_any_unsteered_judgement_has_no_shifts() -> None:
    told = _without(_measured(SUM), "a/y", [f"q{i}" for i in range(12)])
    found = composition_metrics(told)
    assert found["retained_strongest"].value == pytest.approx(1, abs=0.06)
    assert "retained_others" not in found
    assert found["unscored"].value > 0
