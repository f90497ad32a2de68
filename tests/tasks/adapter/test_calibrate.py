"""Where doses are measured: evenly first, then where the curve is steep."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from scipy.stats import norm
from valueflow_scorers import ValueFlowError

from valueflow_tasks.queries import load_queries
from valueflow_tasks.steering import calibrate
from valueflow_tasks.steering._answer import GREEDY, Loaded
from valueflow_tasks.steering._curve import halved
from valueflow_tasks.steering._folder import Fitted
from valueflow_tasks.steering.calibrate import MOST, STEEP, STEPS, calibrate_vector

PROFILE = SimpleNamespace(judge="known", fingerprint="0" * 16)


QUERIES = len(load_queries("calibration"))
DRAWN = np.random.default_rng(0).multinomial(QUERIES, np.full(QUERIES, 1 / QUERIES), 200) / QUERIES


class Known:
    """Answers to each query that are known at every dose."""

    value, sampling = "svt/power", GREEDY
    broken: tuple[float, ...] = ()
    kinds = (0,) * QUERIES

    def __init__(self, truth: Callable[[float], Any], queries: Any, doses: Any) -> None:
        self.truth, self.queries = truth, queries
        self.rows = {dose: truth(dose) + np.zeros(QUERIES) for dose in doses}

    @property
    def doses(self) -> tuple[float, ...]:
        return tuple(sorted(self.rows))

    def joined(self, other: Known) -> Known:
        assert not set(self.doses) & set(other.doses), "a dose is measured once"
        found = Known(self.truth, self.queries, ())
        found.rows = {**self.rows, **other.rows}
        return found

    def mean(self, dose: float, draws: int) -> tuple[float, float, Any]:
        row = self.rows[dose]
        point, error = row.mean(), row.std(ddof=1) / np.sqrt(QUERIES)
        means = DRAWN[:draws] @ row - point
        return float(point), float(error), point + means * (error / max(means.std(), 1e-9))

    def share_unscored(self, dose: float) -> float:
        return float(any(abs(dose - one) < 1e-9 for one in self.broken))


@pytest.fixture
def calibrated(
    make_vector: Any, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[Any, list[tuple[float, ...]]]]:
    """A dial on a known curve, and the doses of each batch of answers."""

    def run(truth: Callable[[float], Any], **given: Any) -> tuple[Any, list[tuple[float, ...]]]:
        batches: list[tuple[float, ...]] = []

        def answered(_: Any, __: str, queries: Any, conditions: Mapping[float, Any], *___: Any,
                     **____: Any) -> Known:  # fmt: skip
            batches.append(tuple(conditions))
            return Known(truth, queries, conditions)

        monkeypatch.setattr(calibrate, "run_trial", answered)
        monkeypatch.setattr(calibrate, "trial_spec", lambda *_: None)
        loaded: Any = Loaded(SimpleNamespace(name_or_path="m"), None, None)  # type: ignore[arg-type]
        instrument: Any = SimpleNamespace(judge_profile=PROFILE)
        dial, _ = calibrate_vector(loaded, Fitted(make_vector()), instrument, **given)
        return dial, batches

    return run


def test_a_flat_curve_needs_no_more_doses(calibrated: Any) -> None:
    dial, batches = calibrated(lambda dose: 3 * dose)
    assert len(batches) == 1
    assert len(batches[0]) == STEPS
    assert 0.0 in batches[0]
    assert dial.queries == QUERIES == 150


def test_doses_are_added_where_the_curve_is_steep(calibrated: Any) -> None:
    """A step of 16 points within a tenth of a level: doses crowd around it."""
    dial, batches = calibrated(lambda dose: 8 * float(np.tanh((dose - 0.4) / 0.02)))
    assert len(batches) > 2
    assert len(dial.doses) <= MOST
    added = [dose for batch in batches[1:] for dose in batch]
    assert all(0.3 < dose < 0.6 for dose in added)
    setting = dial.invert(2.0)
    assert setting.dose == pytest.approx(0.4 + 0.02 * np.arctanh(0.25), abs=0.02)
    few, _ = calibrated(lambda dose: 8 * float(np.tanh((dose - 0.4) / 0.02)),
                        levels=[-3, -2.25, -1.5, -0.75, 0.75, 1.5, 2.25, 3])  # fmt: skip
    assert len(few.doses) == STEPS, "levels that are given are all that is measured"
    assert abs(few.invert(2.0).dose - 0.405) > 0.02


def test_a_dose_that_breaks_the_answers_is_not_tried_again(
    calibrated: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Known, "broken", (0.45,))
    dial, batches = calibrated(lambda dose: 8 * float(np.tanh((dose - 0.4) / 0.02)))
    assert len(batches) == 2
    assert batches[1] == pytest.approx((0.45,))
    assert len(dial.doses) == STEPS


def test_stated_intervals_hold_on_steep_curves(calibrated: Any) -> None:
    """How likely 70 new queries are to fall within, exactly, where one step of dose is a leap.

    Thirteen doses spaced evenly would hold 78 % of what is stated to be 90 %.
    """
    many = np.random.default_rng(1)
    new_place, new_reach = many.normal(0, 0.1, 20_000), many.normal(8, 1, 20_000)
    covered = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        middle = rng.uniform(-0.4, 0.4)
        place, reach = middle + rng.normal(0, 0.1, QUERIES), rng.normal(8, 1, QUERIES)

        def truth(dose: float, place=place, reach=reach, rng=rng) -> Any:  # type: ignore[no-untyped-def]
            return reach * np.tanh((dose - place) / 0.1) + 1.8 * rng.normal(size=QUERIES)

        dial, _ = calibrated(truth)
        low, high = dial.reach
        for share in (0.2, 0.5, 0.8):
            setting = dial.invert(low + share * (high - low))
            curve = new_reach * np.tanh((setting.dose - middle - new_place) / 0.1)
            new = norm(curve.mean(), np.sqrt((curve.var() + 1.8**2) / 70))
            covered.append(new.cdf(setting.high) - new.cdf(setting.low))
    assert 0.87 <= np.mean(covered) <= 0.93


def test_no_piece_stays_steep_while_doses_are_left(calibrated: Any) -> None:
    dial, _ = calibrated(lambda dose: 9 * float(np.tanh(2 * dose)))
    assert len(dial.doses) < MOST
    assert max(np.diff(dial.curve)) <= STEEP


def test_pieces_are_halved_steepest_first() -> None:
    assert halved([0.0, 1.0, 2.0, 4.0], [0.0, 3.0, 4.0, 9.0], 2.5) == [3.0, 0.5]
    assert halved([0.0, 1.0], [0.0, 2.5], 2.5) == []


def test_test_queries_set_no_dial(calibrated: Any) -> None:
    with pytest.raises(ValueFlowError, match="test query"):
        calibrated(lambda dose: dose, queries=load_queries("core")[:2])
