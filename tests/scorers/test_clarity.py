"""Readings with doubt: planted mixtures come back, and doubt protects means."""

from __future__ import annotations

import numpy as np
import pytest
from valueflow_scorers import Cell, Judgement, Response
from valueflow_scorers._evaluator import AnchorEvaluator
from valueflow_scorers._profile import JudgeProfile
from valueflow_scorers.judges._clarity import Clarity


def planted(n: int, share: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Predictions: a share of texts is read with slope 0.7 and sd 1.5, others not at all."""
    rng = np.random.default_rng(seed)
    labels = rng.uniform(-9, 9, n)
    opened = rng.random(n) < share
    read = np.where(opened, 0.7 * labels + 1.5 * rng.normal(size=n), 2.5 * rng.normal(size=n))
    return read + 0.4, labels


def test_a_planted_mixture_is_recovered():
    found = Clarity.fit(*planted(3000, 0.6, 0))
    assert found.share == pytest.approx(0.6, abs=0.05)
    assert found.slope == pytest.approx(0.7, abs=0.03)
    assert (found.sd, found.opaque_sd) == pytest.approx((1.5, 2.5), abs=0.2)
    assert found.offset == pytest.approx(0.4, abs=0.15)


def test_one_line_stands_where_a_mixture_explains_no_more():
    found = Clarity.fit(*planted(800, 1.0, 1))
    assert found.share == 1
    assert found.judgement(3.9).doubt == 0
    assert found.judgement(3.9).reading == pytest.approx((5.0, 1.5 / 0.7), abs=0.3)


def test_a_predictor_that_knows_nothing_says_so():
    rng = np.random.default_rng(2)
    found = Clarity.fit(rng.normal(size=800), rng.uniform(-9, 9, 800))
    assert found.judgement(2.0).reading[1] > 15


def test_doubt_is_large_near_neutral_and_small_far_from_it():
    found = Clarity.fit(*planted(3000, 0.6, 3))
    doubts = [found.judgement(x).doubt for x in (0.4, 2.0, 4.0, 7.5)]
    assert doubts == sorted(doubts, reverse=True)
    assert doubts[0] > 0.5
    assert doubts[-1] < 0.1


class Reader:
    """Reads each text as it is told."""

    name = "reader"

    def __init__(self, said: dict[str, Judgement]) -> None:
        self.said = said

    async def judge(self, windows):
        return [self.said[window.items[window.response_index].text] for window in windows]


def estimates(panel, judgements):
    said = {f"text {i}": one for i, one in enumerate(judgements)}
    profile = JudgeProfile("reader", omegas=(0.0,), calibrated=True)
    evaluator = AnchorEvaluator(panel, Reader(said), profile=profile)
    return evaluator.score([Response(text, "q?") for text in said])


def test_doubt_widens_intervals_and_takes_no_side(make_panel):
    panel = make_panel("house/own", np.linspace(-9, 9, 24))
    sure, doubted = estimates(
        panel, [Judgement(reading=(6.0, 1.0)), Judgement(reading=(6.0, 1.0), doubt=0.5)]
    )
    assert sure.intensity > doubted.intensity > 0
    assert doubted.stderr > 2 * sure.stderr


def test_a_mean_of_open_and_opaque_texts_is_that_of_the_open_ones(make_panel):
    """Opaque texts read near neutral; without doubt they would draw the mean there."""
    panel = make_panel("house/own", np.linspace(-9, 9, 24))
    clarity = Clarity(0.6, 0.7, 1.5, 2.5, 0.0)
    rng = np.random.default_rng(4)
    truth = 6.0 + rng.normal(size=120)
    opened = rng.random(120) < 0.6
    x = np.where(opened, 0.7 * truth + 1.5 * rng.normal(size=120), 2.5 * rng.normal(size=120))
    with_doubt = Cell(estimates(panel, [clarity.judgement(float(one)) for one in x])).mean()
    bare = [Judgement(reading=clarity.judgement(float(one)).reading) for one in x]
    without = Cell(estimates(panel, bare)).mean()
    assert abs(with_doubt.mean - 6.0) < 1.0
    assert without.mean < 4.5


@pytest.mark.parametrize("doubt", [-0.1, 1.0, float("nan")])
def test_a_doubt_that_is_no_probability_is_a_failure(doubt):
    assert "doubt" in str(Judgement(reading=(1.0, 1.0), doubt=doubt).checked(6).failure)


def test_doubt_is_saved_where_there_is_any():
    one = Judgement(reading=(1.0, 2.0), doubt=0.25)
    assert Judgement.from_dict(one.to_dict()) == one
    assert "doubt" not in Judgement(reading=(1.0, 2.0)).to_dict()
