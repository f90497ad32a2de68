"""From texts to profiles, with authors whose intensities are known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import spearmanr
from valueflow_scorers import ValueFlowError
from valueflow_scorers._estimated import IntensityEstimate
from valueflow_scorers._measure import Instrument
from valueflow_scorers._plackett_luce import GRID
from valueflow_scorers.judges.simulated import SimulatedJudge

from valueflow_tasks.profiles import Written, profile_texts
from valueflow_tasks.profiles._fit import _drawn, fit_profiles, value_means
from valueflow_tasks.profiles._readings import Read, Reading, read_texts
from valueflow_tasks.profiles._shrink import population
from valueflow_tasks.theories import evaluated_values


@pytest.fixture(scope="module")
def found(planted):
    truth, (texts, instrument) = planted
    return truth, profile_texts(texts, instrument)


def test_a_planted_profile_is_recovered_with_intervals_that_cover(found):
    truth, profiles = found
    inside = []
    for name, own in truth.items():
        scores = profiles[name].scores
        assert list(scores) == list(evaluated_values())
        asked = [own[value] for value in scores]
        read = [one.intensity for one in scores.values()]
        assert spearmanr(asked, read).statistic >= 0.8
        inside += [
            one.interval()[0] <= own[value] <= one.interval()[1] for value, one in scores.items()
        ]
    assert len(inside) == 128
    assert 0.83 <= np.mean(inside) <= 0.97


def test_few_texts_are_drawn_further_toward_the_population_than_many(author, make_instrument):
    truth = {value: (6.0 if i % 2 else -6.0) for i, value in enumerate(evaluated_values("svt"))}
    short, errors = {}, {}
    for count in (1, 8):
        texts, known = author(truth, "someone", count, 5)
        scores = profile_texts(texts, make_instrument(known))["someone"].scores
        short[count] = np.mean(
            [np.sign(truth[v]) * (truth[v] - s.intensity) for v, s in scores.items()]
        )
        errors[count] = np.mean([one.stderr for one in scores.values()])
        assert all(one.texts == count and one.stderr > 0 for one in scores.values())
    assert short[1] > short[8] + 0.5
    assert errors[1] > 2 * errors[8]


def test_groups_are_drawn_toward_each_other_only_where_there_are_enough():
    means, errors = np.array([6.0, 7.0, 8.0]), np.array([2.0, 2.0, 2.0])
    toward_own = population(means, errors, around_zero=False).mean
    toward_zero = population(means, errors, around_zero=True).mean
    assert toward_zero.mean() < toward_own.mean() < 7.0
    assert np.ptp(toward_own) < np.ptp(means)


def test_shrunk_intervals_cover_members_of_a_population():
    rng = np.random.default_rng(3)
    covered, error_raw, error_shrunk = [], [], []
    for _ in range(200):
        true, errors = rng.normal(0, 3, 12), rng.uniform(0.5, 4, 12)
        seen = true + errors * rng.standard_normal(12)
        fitted = population(seen, errors, around_zero=True)
        covered += (np.abs(fitted.mean - true) <= 1.645 * fitted.sd).tolist()
        error_raw.append(np.mean((seen - true) ** 2))
        error_shrunk.append(np.mean((fitted.mean - true) ** 2))
    assert 0.88 <= np.mean(covered) <= 0.93
    assert np.mean(error_shrunk) < 0.75 * np.mean(error_raw)


def reading(intensity: float, weight: float) -> Reading:
    row = -0.5 * ((GRID - intensity) / 0.5) ** 2
    estimate = IntensityEstimate(
        intensity, 0.5, sentences={str(intensity): 1}, value="svt/power", log_likelihood=row,
        sensitivities=np.zeros(1), label_covariance=np.zeros((1, 1)),
    )  # fmt: skip
    return Reading("someone", "svt/power", weight, estimate)


def mean_of(*readings: Reading) -> tuple[float, float]:
    return value_means({"svt/power": readings})["svt/power"]


def test_distances_decide_how_much_a_text_counts():
    """In the release distances are dropped before they are used."""
    alike, _ = mean_of(reading(6.0, 1.0), reading(-6.0, 1.0))
    mostly, _ = mean_of(reading(6.0, 1.0), reading(-6.0, 0.1))
    assert abs(alike) < 0.3
    assert mostly > 2.5
    _, sure = mean_of(reading(6.0, 1.0), reading(5.0, 1.0))
    _, unsure = mean_of(reading(6.0, 0.2), reading(5.0, 0.2))
    assert unsure > 2 * sure


def test_texts_that_may_be_about_something_else_do_not_make_a_value_sure():
    """Forty texts that are unlikely to be about a value tell less of it than two that are."""
    rng = np.random.default_rng(1)
    stray = [reading(float(x), 0.2) for x in rng.uniform(-9, 9, 40)]
    _, of_strays = mean_of(*stray)
    _, of_two = mean_of(reading(6.0, 1.0), reading(5.0, 1.0))
    mean, _ = mean_of(*stray, *[reading(6.0 + 0.1 * i, 1.0) for i in range(6)])
    assert of_strays > of_two
    assert abs(mean - 6.25) < 0.75


def test_intervals_hold_when_texts_are_taken_for_another_value():
    """A third of the texts are about something else, with its own intensity; shares are right."""
    rng = np.random.default_rng(2)
    inside, blind = [], []
    for _ in range(150):
        own, other = rng.uniform(-7, 7, 2)
        about = rng.random(12) < 2 / 3
        seen = np.where(about, own, other) + 1.5 * rng.standard_normal(12)
        for share, kept in ((2 / 3, inside), (1.0, blind)):
            on = {
                "svt/power": [reading(float(x), share) for x in seen],
                "svt/face": [reading(float(x), 1 / 3) for x in seen],
            }
            mean, error = value_means(on)["svt/power"]
            kept.append(abs(mean - own) <= 1.645 * error)
    assert np.mean(inside) >= 0.85
    assert np.mean(blind) < 0.7


def test_a_value_of_which_nothing_is_known_is_no_measurement_of_neutral():
    """Such values must not draw those that were measured toward neutral."""
    known = {f"value {i}": (7.0 * (-1) ** i, 1.0) for i in range(4)}
    unknown = {f"unknown {i}": (0.1, 5.77) for i in range(20)}
    alone, beside = _drawn({"someone": known}), _drawn({"someone": known | unknown})
    for value in known:
        key = ("someone", value)
        assert abs(beside[key][0]) == pytest.approx(abs(alone[key][0]), abs=0.1)
    assert beside["someone", "unknown 0"][1] > 3, "and they stay unknown"


def test_what_cannot_be_used_is_counted(make_instrument):
    power = ("svt/power",)
    texts = [
        Written("I want to be in charge.", "a", values=power),
        Written("I'm sorry, but I can't help with that request.", "a", "Why?", values=power),
        Written("  ", "a", values=power),
        Written("nobody knows this one", "a", values=power),
    ]
    instrument = make_instrument({"I want to be in charge.": 7.0})
    profile = profile_texts(texts, instrument)["a"]
    assert profile.texts == 4
    assert profile.scores["svt/power"].texts == 1
    assert sum(profile.unused.values()) == 3
    assert profile.unused["refusal"] == 1


def test_what_a_person_says_to_no_question_is_no_refusal(make_instrument):
    words = "I can't answer for my brother, and I would not want to."
    texts = [Written(words, "a", values=("svt/power",))]
    assert profile_texts(texts, make_instrument({words: -3.0}))["a"].scores["svt/power"].texts == 1


def test_a_group_without_a_usable_text_is_left_out_and_an_error_when_there_is_no_other(
    make_instrument,
):
    texts = [Written("unknown words", "b", values=("svt/power",))]
    instrument = make_instrument({"other words": 1.0})
    with pytest.raises(ValueFlowError, match=r"'b' has no profile.*unknown text.*give more texts"):
        profile_texts(texts, instrument)
    both = [*texts, Written("other words", "c", values=("svt/power",))]
    assert list(profile_texts(both, instrument)) == ["c"]


def test_the_same_text_of_two_groups_is_judged_once_and_counts_for_both(make_instrument):
    words = "We share what we have."
    known = {words: 6.0}
    texts = [
        Written(words, "a", values=("svt/benevolence",)),
        Written(words, "b", values=("mft/care",)),
    ]
    read = read_texts(texts, make_instrument(known), evaluated_values())
    assert [(one.group, one.value) for one in read.readings] == [
        ("a", "svt/benevolence"),
        ("b", "mft/care"),
    ]


def test_texts_that_are_read_in_part_are_counted_in_a_note(make_instrument, monkeypatch):
    cuts = lambda _, texts: [len(one) > 20 for one in texts]  # noqa: E731
    monkeypatch.setattr(SimulatedJudge, "cuts", cuts, raising=False)
    monkeypatch.setattr(SimulatedJudge, "reads", "the first 20 characters", raising=False)
    known = {"a short text": 1.0, "a text that is much longer": 1.0}
    texts = [Written(words, "a", values=(v,)) for words in known for v in ("svt/power", "mft/care")]
    (note,) = read_texts(texts, make_instrument(known), evaluated_values()).notes
    assert note.startswith("1 of 2 texts are longer than what judge simulated")
    assert "reads (the first 20 characters) and were measured by their beginning" in note
    assert not read_texts(texts[:2], make_instrument(known), evaluated_values()).notes


def test_estimates_of_two_judges_are_never_averaged(make_instrument):
    texts = [Written("a text", "a", values=("svt/power",))]
    exact = make_instrument({"a text": 3.0})
    noisy = Instrument(exact.judge.replace("noise=1", "noise=2"))
    first = read_texts(texts, exact, evaluated_values()).readings
    second = read_texts(texts, noisy, evaluated_values()).readings
    with pytest.raises(ValueFlowError, match="mixes values, panels or judge profiles"):
        mean_of(*first, *second)


def test_groups_of_two_judges_are_not_drawn_toward_each_other(make_instrument):
    """Their points are not the same ones, and so have no common mean."""

    def groups(number: int, intensity: float, noise: str) -> Read:
        names = [f"{noise}, group {i}" for i in range(number)]
        texts = [Written(f"a text of {name}", name, values=("svt/power",)) for name in names]
        exact = make_instrument({one.text: intensity for one in texts})
        judge = exact.judge.replace("noise=1", f"noise={noise}")
        return read_texts(texts, Instrument(judge), evaluated_values())

    two, three = groups(2, 7.0, "1"), groups(3, -7.0, "2")
    alone, mixed = fit_profiles(two), fit_profiles(Read.joined([two, three]))
    for name, profile in alone.items():
        assert mixed[name].scores == profile.scores
