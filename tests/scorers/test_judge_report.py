"""What is reported of a judge is what was planted in it, whichever form its judgements have."""

from __future__ import annotations

import hashlib
import json
from collections import Counter

import krippendorff
import numpy as np
import pytest
from valueflow_scorers import Judgement
from valueflow_scorers._agreement import Ordered, alpha, noise_by_region, pairwise, sign_flips
from valueflow_scorers._judge_report import judge_report
from valueflow_scorers._profile import JudgeProfile
from valueflow_scorers._sentinels import check
from valueflow_scorers.judges import ResolvedJudge

SENTINELS = (-8.0, -4.0, 0.0, 4.0, 8.0, 2.0)


@pytest.fixture(scope="module")
def panels(make_panel):
    return [make_panel(f"test/v{i}", sentinels=SENTINELS) for i in range(2)]


def _truth(panels):
    return {text.text: text.intensity for panel in panels for text in panel.texts}


def _report(judge, panels, windows=120):
    return judge_report(ResolvedJudge(judge.name, "", judge), panels, windows=windows)


@pytest.fixture(scope="module")
def letters(planted_judge, panels):
    """A judge of letters, and its report."""

    class Letters(planted_judge):
        """Log-probabilities half a point of which is one point of intensity, with noise."""

        def one(self, window):
            seed = "\x1f".join(item.key for item in window.items).encode()
            rng = np.random.default_rng(list(hashlib.sha256(seed).digest()[:8]))
            seen = [self.perceived(item.text, None) for item in window.items]
            logits = 0.5 * (np.array(seen) + rng.normal(0, 1.0, len(seen)))
            chances = np.exp(logits - logits.max())
            return Judgement(probabilities=tuple(chances / chances.sum()))

    return _report(Letters(truth=_truth(panels)), panels)


def test_a_judge_of_letters_is_compared_by_the_order_of_its_probabilities(letters):
    assert letters.profile.probabilities_as == "log-ratio"
    assert 0.7 < letters.repeat_agreement <= 1
    assert 0.7 < letters.window_kendall <= 1
    assert 0.8 < letters.pairwise_agreement <= 1
    assert letters.sign_flips < 0.1


def test_the_noise_of_letters_is_what_their_profile_says_all_over_the_scale(letters):
    assert set(letters.noise_by_region) == {"opposing", "middle", "supporting"}
    assert all(0.6 < one < 1.5 for one in letters.noise_by_region.values())


def test_no_window_is_paid_for_twice(planted_judge, panels):
    asked = Counter()

    class Counting(planted_judge):
        async def judge(self, windows):
            asked.update(windows)
            return await super().judge(windows)

    report = _report(Counting(truth=_truth(panels)), panels)
    assert set(asked.values()) == {1}
    assert report.calls == asked.total()


class Reading:
    """Reads a text, and errs anew with every prompt."""

    name = "rating:some/model"

    def __init__(self, truth, error):
        self.truth, self.error, self.prompts = truth, error, Counter()

    async def judge(self, windows):
        return [self.one(window) for window in windows]

    def one(self, window):
        from valueflow_scorers.judges.prompts import rating_prompt

        prompt = rating_prompt(window, window.response_index)
        self.prompts[prompt] += 1
        rng = np.random.default_rng(list(hashlib.sha256(prompt.encode()).digest()[:8]))
        truth = self.truth[window.items[window.response_index].text]
        return Judgement(reading=(truth + self.error * rng.standard_normal(), 0.3))


@pytest.mark.parametrize(("error", "agrees", "flips"), [(0.2, (0.99, 1), 0), (8.0, (-1, 0.9), 0.1)])
def test_a_judge_that_reads_is_asked_twice_in_other_words_and_compared(
    panels, error, agrees, flips
):
    judge = Reading(_truth(panels), error)
    report = _report(judge, panels)
    assert agrees[0] <= report.repeat_agreement <= agrees[1]
    assert report.sign_flips >= flips
    assert error > 1 or report.sign_flips == 0
    assert [one.m for one in report.sentinels] == [3]
    assert report.window_kendall is report.pairwise_agreement is None
    sentinels = [p for p in judge.prompts if any(f"Answer: {s.text}\n" in p for s in
                 (*panels[0].sentinels, *panels[1].sentinels))]  # fmt: skip
    assert len(sentinels) >= 2 * len(SENTINELS)


def test_windows_ordered_by_chance_are_counted_as_lapses(planted_judge, panels):
    class Lapsing(planted_judge):
        def one(self, window):
            seed = "\x1f".join(item.key for item in window.items).encode()
            rng = np.random.default_rng(list(hashlib.sha256(seed).digest()[:8]))
            if rng.random() < 0.1:
                return Judgement(order=tuple(rng.permutation(len(window.items))))
            return super().one(window)

    report = _report(Lapsing(tau=0.3, truth=_truth(panels)), panels, windows=240)
    assert report.failures["lapse"] > 5
    assert report.failure_rate == sum(report.failures.values()) / report.calls


def test_the_label_s_own_error_is_part_of_the_interval_that_shall_hold_it(make_panel, read):
    """A judge that knows the truth misses labels that err by more than its own error."""
    panel = make_panel(stderr=1.5, sentinels=np.linspace(-7, 7, 200))
    errors = np.random.default_rng(0).normal(0, 1.5, 200)
    truth = np.array([one.intensity for one in panel.sentinels]) + errors
    found = list(zip(panel.sentinels, read(panel, [(one, 0.2) for one in truth]), strict=True))
    assert check(found, 3).coverage == pytest.approx(0.9, abs=0.05)


def test_ties_share_their_ranks(make_panel, read):
    """Half the labels are alike, and so are the readings of the others."""
    panel = make_panel(sentinels=(1.0, 1.0, 1.0, 1.0, 5.0, 6.0))
    numbers = [(4.0, 1.0), (3.0, 1.0), (2.0, 1.0), (1.0, 1.0), (6.0, 1.0), (6.0, 1.0)]
    found = list(zip(panel.sentinels, read(panel, numbers), strict=True))
    from scipy.stats import spearmanr

    expected = spearmanr([1, 1, 1, 1, 5, 6], [4, 3, 2, 1, 6, 6]).statistic
    assert check(found, 3).spearman == pytest.approx(expected)
    assert np.isnan(check(found[:4], 3).spearman)


def test_what_cannot_be_told_is_null_in_json(make_panel, read):
    from valueflow_scorers._judge_report import JudgeReport

    nothing = check([], 3)
    assert nothing.scored == 0
    report = JudgeReport(JudgeProfile("j"), (nothing,), None, None, None, None)
    written = json.loads(json.dumps(report.to_dict(), allow_nan=False))
    assert written["sentinels"][0]["coverage"] is None


def test_alpha_is_that_of_the_package_and_bears_thousands_of_numbers():
    rng = np.random.default_rng(0)
    for repeats, missing in ((2, 0.0), (4, 0.3)):
        table = rng.standard_normal(60) + 0.5 * rng.standard_normal((repeats, 60))
        table[rng.random(table.shape) < missing] = np.nan
        expected = krippendorff.alpha(table, level_of_measurement="interval")
        assert alpha(table) == pytest.approx(expected, abs=1e-12)
    many = rng.standard_normal((2, 50_000))
    assert abs(alpha(many)) < 0.02


def test_agreement_with_oneself_needs_things_that_were_said_twice():
    nan = np.nan
    assert alpha(np.array([[1.0, 2.0, 3.0], [1.0, 2.0, 3.0]])) == pytest.approx(1)
    assert alpha(np.array([[1.0, nan, 3.0], [nan, 2.0, nan]])) is None
    assert alpha(np.array([[1.0, 1.0, nan], [1.0, 1.0, nan]])) is None
    labels = np.array([5.0, -5.0, 0.5, 5.0])
    table = np.array([[1.0, -1.0, 1.0, nan], [1.0, 1.0, -1.0, -1.0]])
    assert sign_flips(labels, table, 2.0) == 0.5
    assert sign_flips(labels[2:], table[:, 2:], 2.0) is None


def test_pairs_and_swaps_are_counted_from_the_judged_order(make_panel):
    panel = make_panel("test/p", intensities=(-2.0, 0.0, 2.0))
    assert pairwise([Ordered(panel, (2, 0, 1), False)]) == pytest.approx(2 / 3)
    profile = JudgeProfile("j", tau=1.0, omegas=(0.0,))
    seen = noise_by_region([Ordered(panel, (2, 0, 1), False)], profile)
    expected = 2 / (1 + np.exp(2)) + 1 / (1 + np.exp(4))
    assert seen == {"middle": pytest.approx(1 / expected, abs=1e-3)}
