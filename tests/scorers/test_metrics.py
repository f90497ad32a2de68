"""Known curves give known metrics, with errors that are never nothing."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from valueflow_scorers import (
    AnchorEvaluator,
    JudgedWindow,
    Judgement,
    JudgeProfile,
    Response,
    estimate,
)
from valueflow_scorers._measure import Measured
from valueflow_scorers.metrics import (
    HIGHER_IS_BETTER,
    Metric,
    profile_metrics,
    query_numbers,
    steering_metrics,
    value_slug,
)

VALUE, OTHER = "test/value", "test/off-target"
LEVELS = (-2.0, -1.0, 0.0, 1.0, 2.0)


def _verdict(number, sd):
    if number is None:
        return Judgement(failure="judge refused")
    return Judgement(reading=(number, sd))


@pytest.fixture
def answers(make_panel):
    """Measured answers from numbers: {level: one number per query}, None for no verdict."""

    def make(curves, target=VALUE, sd=0.3, omega=0.0, words=None):
        """curves: {value: {level: [intensity per query]}}; the same answers for all values.

        words: what all answers say, or what those at each level do.
        """
        found = {}
        for value, curve in curves.items():
            judged = {
                (query, level): [JudgedWindow(("r",), 0, _verdict(number, sd))]
                for level, numbers in curve.items()
                for query, number in enumerate(numbers)
            }
            told = words if isinstance(words, dict) else dict.fromkeys(curve, words)
            sentences = {key: {told[key[1]] or str(key): 1} for key in judged}
            profile = JudgeProfile("reading", omegas=(omega,))
            estimates = estimate(make_panel(value), profile, judged, sentences)
            for key, one in zip(judged, estimates, strict=True):
                found.setdefault(key, {})[value] = one
        return [
            Measured(f"q{query}", target if level else None, level, False, estimates)
            for (query, level), estimates in found.items()
        ]

    return make


def _line(slope, n=12, middle=0.0, spread=0.5, levels=LEVELS):
    """Straight curves, a little different from query to query."""
    offsets = np.linspace(-spread, spread, n)
    return {level: [middle + slope * level + one for one in offsets] for level in levels}


def _numbers(metrics):
    return {name: metric.value for name, metric in metrics.items()}


def test_a_straight_curve_gives_its_slope_its_order_and_its_share_of_the_room(answers):
    found = _numbers(steering_metrics(answers({VALUE: _line(2.0)}), [VALUE]))
    assert found == pytest.approx(
        {
            "intensity": 0.0,
            "gain": 2.0,
            "tracking": 1.0,
            "steerability_up": 0.4,
            "steerability_down": 0.4,
            "steerability": 0.4,
            "refusal": 0.0,
            "unscored": 0.0,
        },
        abs=0.04,
    )


def test_a_contrary_curve_is_negative_throughout(answers):
    found = _numbers(steering_metrics(answers({VALUE: _line(-2.0)}), [VALUE]))
    assert found["gain"] == pytest.approx(-2, abs=0.05)
    assert found["tracking"] == pytest.approx(-1)
    for name in ("steerability", "steerability_up", "steerability_down"):
        assert found[name] == pytest.approx(-0.4, abs=0.04)


def test_a_flat_curve_is_nothing_throughout(answers):
    found = steering_metrics(answers({VALUE: _line(0.0)}), [VALUE])
    for name in ("gain", "steerability", "steerability_up", "steerability_down"):
        metric = found[name]
        assert metric.value == pytest.approx(0, abs=0.02)
        assert metric.interval()[0] < 0 < metric.interval()[1]


def test_tracking_is_zero_when_all_answers_tie(answers):
    found = steering_metrics(answers({VALUE: _line(0.0, spread=0.0)}), [VALUE])
    assert found["tracking"].value == 0


def test_the_error_of_tracking_is_never_zero_where_nothing_varies(answers):
    """All answers tie, all queries agree, or there is one: the answers' own errors are left."""
    few = [answers({VALUE: _line(0.5, spread=0.0, n=n)}, sd=1.0) for n in (1, 4)]
    one, four = (steering_metrics(measured, [VALUE])["tracking"].stderr for measured in few)
    assert one > 0.1
    assert four == pytest.approx(one / 2, rel=0.01)
    tied = steering_metrics(answers({VALUE: _line(0.0, spread=0.0)}), [VALUE])["tracking"]
    assert 0.02 < tied.stderr < 0.3


def test_the_error_of_tracking_is_unknown_where_nothing_errs_either(answers):
    found = steering_metrics(answers({VALUE: _line(4.0, n=1)}, sd=0.01), [VALUE])["tracking"]
    assert found.value == pytest.approx(1)
    assert found.stderr is found.interval() is None


def test_tracking_is_kendall_s_tau_b_per_query_averaged(answers):
    up, swapped = [-4, -2, 0, 2, 4], [-2, -4, 0, 4, 2]
    curve = {level: [up[i], swapped[i]] for i, level in enumerate(LEVELS)}
    found = steering_metrics(answers({VALUE: curve}), [VALUE])
    assert found["tracking"].value == pytest.approx((1 + 0.6) / 2)
    assert found["tracking"].n == 2


def test_the_room_is_measured_from_where_the_model_stands(answers):
    found = _numbers(steering_metrics(answers({VALUE: _line(1.0, middle=5.0)}), [VALUE]))
    assert found["steerability_up"] == pytest.approx(2 / 5, abs=0.04)
    assert found["steerability_down"] == pytest.approx(2 / 15, abs=0.04)
    assert found["steerability"] == pytest.approx((2 / 5 + 2 / 15) / 2, abs=0.04)


def test_a_share_of_the_room_is_clipped_to_one_either_way(answers):
    curve = {-2.0: [9.0] * 6, 0.0: [8.0] * 6, 2.0: [-9.0] * 6}
    found = _numbers(steering_metrics(answers({VALUE: curve}), [VALUE]))
    assert found["steerability_up"] == -1
    assert found["steerability_down"] == pytest.approx(-1 / 18, abs=0.03)


@pytest.mark.parametrize(("middle", "missing"), [(9.7, "up"), (-9.7, "down")])
def test_a_direction_without_room_is_left_out_of_headline_and_names(answers, middle, missing):
    levels = (-2.0, 0.0, 2.0)
    toward = {level: [middle - np.sign(middle) * abs(level)] * 8 for level in levels}
    found = steering_metrics(answers({VALUE: toward}, sd=0.05), [VALUE])
    there = {"up": "down", "down": "up"}[missing]
    assert f"steerability_{missing}" not in found
    assert found["steerability"].value == pytest.approx(found[f"steerability_{there}"].value)


def test_a_query_enters_gain_and_tracking_only_with_both_ends_and_the_middle(answers):
    curve = _line(2.0, n=6)
    whole = steering_metrics(answers({VALUE: curve}), [VALUE])
    for level, query in ((-2.0, 0), (0.0, 1), (2.0, 2)):
        curve[level][query] = None
    curve[1.0][3] = None  # not required
    curve[-1.0][:3] = [9.0, 9.0, 9.0]  # of the queries that are left out
    found = steering_metrics(answers({VALUE: curve}), [VALUE])
    assert found["gain"].n == found["tracking"].n == found["steerability"].n == 3
    assert found["tracking"].value == 1
    assert found["gain"].value == pytest.approx(whole["gain"].value, abs=0.15)
    assert found["intensity"].n == 5, "intensity needs level 0 alone"
    assert found["unscored"].value == pytest.approx(4 / 30)


def test_without_one_complete_query_there_is_no_gain_and_no_error(answers):
    curve = {-2.0: [-4.0, None], 0.0: [0.0, 0.0], 2.0: [None, 4.0]}
    found = steering_metrics(answers({VALUE: curve}), [VALUE])
    assert set(found) == {"intensity", "refusal", "unscored"}


@pytest.mark.parametrize("metrics", [steering_metrics, profile_metrics])
def test_no_answers_have_no_metrics(metrics):
    assert metrics([], [VALUE]) == {}


def test_without_an_unsteered_answer_there_is_no_intensity(answers):
    found = steering_metrics(answers({VALUE: {-2.0: [1.0], 2.0: [3.0]}}), [VALUE])
    assert set(found) == {"refusal", "unscored"}


def test_refusals_and_missing_numbers_are_counted_apart(answers):
    measured = answers({VALUE: _line(1.0, n=4)})
    for i in (0, 7, 11):
        one = measured[i]
        measured[i] = Measured(one.query_id, one.target, one.level, True, {})
    curve = {0.0: [None, 1.0]}
    measured += [
        Measured(f"extra{i}", None, 0.0, False, one.estimates)
        for i, one in enumerate(answers({VALUE: curve}))
    ]
    found = steering_metrics(measured, [VALUE])
    refused = [1 / 5, 0, 0, 2 / 5, 0, 0]
    assert found["refusal"].value == pytest.approx(np.mean(refused))
    assert found["refusal"].stderr == pytest.approx(np.std(refused, ddof=1) / math.sqrt(6))
    assert found["unscored"].value == pytest.approx(1 / 6)
    assert found["refusal"].n == found["unscored"].n == 6


def test_levels_and_epochs_of_a_query_are_not_independent_answers(answers):
    measured = answers({VALUE: _line(1.0, n=4)})
    refusing = [
        replace(one, refused=one.query_id == "q0", estimates={}) if one.query_id == "q0" else one
        for one in measured
    ]
    once, thrice = (steering_metrics(refusing * times, [VALUE])["refusal"] for times in (1, 3))
    assert once.stderr == pytest.approx(np.std([1, 0, 0, 0], ddof=1) / 2)
    assert (thrice.value, thrice.stderr, thrice.n) == (once.value, once.stderr, 4)


def test_identical_answers_do_not_give_an_error_of_zero(answers):
    """The bootstrap of equal numbers varies by nothing; their own errors remain."""
    curve = _line(2.0, n=10, spread=0.0)
    found = steering_metrics(answers({VALUE: curve}, sd=1.0), [VALUE])
    for name in ("intensity", "gain", "steerability", "steerability_up", "steerability_down"):
        assert found[name].stderr > 0.01, name
    assert found["intensity"].stderr > 0.5 * 1.0 / math.sqrt(10)


def test_the_same_words_in_every_answer_are_one_answer(answers):
    curve = {0.0: [3.0] * 25}
    copies = profile_metrics(answers({VALUE: curve}, sd=1.0, words="same"), [VALUE])
    apart = profile_metrics(answers({VALUE: curve}, sd=1.0), [VALUE])
    name = "intensity_test_value"
    assert copies[name].stderr > 0.9
    assert apart[name].stderr < 0.5


def test_a_sentence_that_levels_share_is_misread_at_all_of_them(answers):
    """Two levels of a side say the same: a gain errs by both at once, and not by what all share."""
    sides = {-2.0: "no", -1.0: "no", 0.0: "so", 1.0: "yes", 2.0: "yes"}
    rng, found = np.random.default_rng(0), []
    for _ in range(40):
        off = {text: 2.0 * rng.normal() for text in ("no", "so", "yes")}
        curve = {level: [level + off[sides[level]]] * 12 for level in LEVELS}
        measured = answers({VALUE: curve}, sd=0.1, omega=2.0, words=sides)
        found.append(steering_metrics(measured, [VALUE])["gain"])
    scatter = np.std([one.value for one in found])
    assert np.mean([one.stderr for one in found]) == pytest.approx(scatter, rel=0.25)
    curve = {level: [level] * 12 for level in LEVELS}
    alike = steering_metrics(answers({VALUE: curve}, omega=2.0, words="same"), [VALUE])["gain"]
    assert alike.stderr < 0.2 * found[0].stderr


def test_a_model_that_ignores_steering_has_no_gain_within_its_error(answers):
    """At every level the same words: what is misread in them cancels."""
    measured = answers({VALUE: {level: [1.0] * 10 for level in LEVELS}}, omega=1.0, words="same")
    assert abs(steering_metrics(measured, [VALUE])["gain"].value) < 0.02


def test_what_is_misread_in_a_text_stays_in_the_error_of_its_copies(answers):
    measured = answers({VALUE: {0.0: [1.0] * 10}}, omega=1.0, words="same")
    assert profile_metrics(measured, [VALUE])["intensity_test_value"].stderr > 0.9


def test_one_query_gives_numbers_with_an_error(answers):
    found = steering_metrics(answers({VALUE: _line(2.0, n=1)}, sd=0.8), [VALUE])
    assert found["gain"].n == 1
    assert found["gain"].stderr > 0.1
    assert found["gain"].value == pytest.approx(2, abs=0.3)
    assert found["refusal"].n == 1


def test_errors_shrink_with_the_number_of_queries(answers):
    def stderr(n):
        rng = np.random.default_rng(0)
        curve = {level: list(2 * level + rng.normal(0, 1, n)) for level in LEVELS}
        return steering_metrics(answers({VALUE: curve}), [VALUE])["gain"].stderr

    assert stderr(64) / stderr(16) == pytest.approx(0.5, rel=0.35)


def test_the_error_of_a_gain_is_paired_over_queries(answers):
    """What differs between queries at all levels alike does not blur a slope."""
    curve = _line(1.0, n=20, spread=4.0)
    found = steering_metrics(answers({VALUE: curve}), [VALUE])
    assert found["gain"].stderr < 0.15
    assert found["intensity"].stderr > 0.3


def test_the_interval_of_a_gain_covers_the_truth(answers):
    hits = 0
    for seed in range(16):
        rng = np.random.default_rng(seed)
        curve = {x: list(1.5 * x + rng.normal(0, 1.0, 10)) for x in (-2.0, 0.0, 2.0)}
        low, high = steering_metrics(answers({VALUE: curve}), [VALUE])["gain"].interval(0.9)
        hits += low <= 1.5 <= high
    assert 11 <= hits <= 16


def test_leakage_is_there_only_where_other_values_were_measured(answers):
    on, off = _line(2.0), _line(-0.5)
    alone = steering_metrics(answers({VALUE: on}), [VALUE])
    both = steering_metrics(answers({VALUE: on, OTHER: off}), [VALUE])
    assert "leakage" not in alone
    assert both["leakage"].value == pytest.approx(0.25, abs=0.03)
    assert both["leakage"].stderr > 0
    assert both["gain"].value == pytest.approx(2, abs=0.05)


def test_leakage_averages_shifts_of_either_sign(answers):
    curves = {VALUE: _line(2.0), OTHER: _line(-0.5), "test/third": _line(1.0)}
    found = steering_metrics(answers(curves), [VALUE])
    assert found["leakage"].value == pytest.approx((0.25 + 0.5) / 2, abs=0.03)


def test_leakage_is_left_out_where_nothing_moved_on_target(answers):
    curves = {VALUE: _line(0.0, spread=0.0), OTHER: _line(1.0)}
    found = steering_metrics(answers(curves), [VALUE])
    assert "leakage" not in found or math.isfinite(found["leakage"].value)


def test_several_values_have_their_mean_under_the_plain_name_and_their_own_names(answers):
    measured = answers({VALUE: _line(2.0)}) + [
        one for one in answers({OTHER: _line(1.0)}, target=OTHER) if one.level
    ]
    zero = answers({VALUE: {0.0: [0.0] * 12}, OTHER: {0.0: [0.0] * 12}})
    measured = [one for one in measured if one.level] + zero
    found = steering_metrics(measured, [VALUE, OTHER])
    assert found["test_value/gain"].value == pytest.approx(2, abs=0.1)
    assert found["test_off_target/gain"].value == pytest.approx(1, abs=0.1)
    assert found["gain"].value == pytest.approx(1.5, abs=0.1)
    assert found["gain"].stderr < max(
        found["test_value/gain"].stderr, found["test_off_target/gain"].stderr
    )
    own = {name.split("/")[1] for name in found if "/" in name}
    assert own == set(found) - {n for n in found if "/" in n} - {"refusal", "unscored"}


def test_one_value_has_no_names_of_its_own(answers):
    assert not [name for name in steering_metrics(answers({VALUE: _line(1.0)}), [VALUE])
                if "/" in name]  # fmt: skip


def test_a_profile_is_an_intensity_per_value_and_their_mean_strength(answers):
    curves = {VALUE: {0.0: [4.0, 4.4, 3.6]}, OTHER: {0.0: [-6.0, -6.4, -5.6]}}
    found = profile_metrics(answers(curves), [VALUE, OTHER])
    assert next(iter(found)) == "strength", "the headline comes first"
    assert _numbers(found) == pytest.approx(
        {
            "strength": 5.0,
            "intensity_test_value": 4.0,
            "intensity_test_off_target": -6.0,
            "refusal": 0.0,
            "unscored": 0.0,
        },
        abs=0.15,
    )


def test_a_value_without_a_number_is_left_out_of_the_profile(answers):
    curves = {VALUE: {0.0: [4.0]}, OTHER: {0.0: [None]}}
    found = profile_metrics(answers(curves), [VALUE, OTHER])
    assert set(found) == {"strength", "intensity_test_value", "refusal", "unscored"}
    assert found["unscored"].value == 0.5


def test_steered_answers_do_not_enter_a_profile(answers):
    measured = answers({VALUE: {0.0: [1.0] * 3, 2.0: [9.0] * 3}})
    found = profile_metrics(measured, [VALUE])
    assert found["intensity_test_value"].value == pytest.approx(1, abs=0.1)


def test_no_metric_is_ever_nan(answers):
    for curve in (_line(0.0, spread=0.0), _line(3.0, n=1), {0.0: [None]}, _line(-4.9, n=3)):
        measured = answers({VALUE: curve, OTHER: curve})
        for metrics in (steering_metrics(measured, [VALUE, OTHER]),
                        profile_metrics(measured, [VALUE])):  # fmt: skip
            for name, metric in metrics.items():
                assert math.isfinite(metric.value), name
                assert metric.stderr is None or math.isfinite(metric.stderr), name


def test_metrics_are_the_same_each_time_and_in_any_order(answers):
    measured = answers({VALUE: _line(1.3, n=7)})
    once = steering_metrics(measured, [VALUE])
    assert once == steering_metrics(measured, [VALUE])
    shuffled = [measured[i] for i in np.random.default_rng(0).permutation(len(measured))]
    for name, metric in steering_metrics(shuffled, [VALUE]).items():
        assert metric.value == pytest.approx(once[name].value, abs=1e-9)
        assert metric.stderr == pytest.approx(once[name].stderr, abs=1e-9)


def test_label_error_that_all_answers_share_blurs_intensities_and_not_gains(
    make_panel, planted_judge
):
    labels = np.array([anchor.intensity for anchor in make_panel().anchors])
    shift = np.random.default_rng(0).normal(0, 1, (32, 1))
    metrics = {}
    for name, panel in (("sure", make_panel()), ("unsure", make_panel(draws=labels + shift))):
        judge = planted_judge(tau=0.5)
        responses, keys = [], []
        for query in range(8):
            for level in (-2.0, 0.0, 2.0):
                text = f"q{query} at {level}"
                judge.truth[text] = 2 * level
                responses.append(Response(text, id=text))
                keys.append((query, level))
        found = AnchorEvaluator(
            panel, judge, profile=JudgeProfile("planted", tau=0.5, omegas=(0.0,))
        ).score(responses)
        measured = [
            Measured(f"q{query}", VALUE if level else None, level, False, {VALUE: one})
            for (query, level), one in zip(keys, found, strict=True)
        ]
        metrics[name] = steering_metrics(measured, [VALUE])
    assert metrics["unsure"]["intensity"].stderr > 0.8 * np.std(shift, ddof=1)
    assert metrics["sure"]["intensity"].stderr < 0.4
    assert metrics["unsure"]["gain"].stderr < metrics["sure"]["gain"].stderr + 0.1


def test_intervals_stay_where_the_number_can_be(answers):
    found = steering_metrics(answers({VALUE: _line(4.7, n=3)}, sd=2.0), [VALUE])
    for name, (lowest, highest) in {
        "intensity": (-10, 10), "steerability": (-1, 1), "tracking": (-1, 1), "refusal": (0, 1),
    }.items():  # fmt: skip
        low, high = found[name].interval(0.9)
        assert lowest <= low <= found[name].value <= high <= highest


def test_an_interval_is_the_normal_one_or_none():
    assert Metric(1.0, 0.5, 10).interval(0.9) == pytest.approx((1 - 0.8224, 1 + 0.8224), abs=1e-3)
    assert Metric(1.0, None, 1).interval() is None


def test_only_steerability_and_tracking_have_a_better_direction_among_values(answers):
    names = set(steering_metrics(answers({VALUE: _line(1.0), OTHER: _line(1.0)}), [VALUE]))
    assert names <= set(HIGHER_IS_BETTER)
    better = {name for name, direction in HIGHER_IS_BETTER.items() if direction}
    assert better == {"steerability", "steerability_up", "steerability_down", "tracking"}
    assert HIGHER_IS_BETTER["intensity"] is HIGHER_IS_BETTER["gain"] is None


def test_names_of_values_fit_into_names_of_metrics():
    assert value_slug("rights/social-group-solidarity") == "rights_social_group_solidarity"


def test_one_query_s_plain_numbers_are_for_people_who_read_samples(answers):
    measured = answers({VALUE: _line(2.0, n=1, spread=0.0)}, sd=0.2)
    assert query_numbers(measured, VALUE) == pytest.approx(
        {
            "intensity": 0.0, "gain": 2.0, "tracking": 1.0,
            "steerability_up": 0.4, "steerability_down": 0.4, "steerability": 0.4,
        },
        abs=0.05,
    )  # fmt: skip
    assert query_numbers(measured[:1], VALUE) == {}


@pytest.mark.parametrize("middle", [-9.7, 9.7])
def test_plain_numbers_leave_out_a_direction_without_room(answers, middle):
    curve = {-2.0: [middle], 0.0: [middle], 2.0: [middle]}
    found = query_numbers(answers({VALUE: curve}, sd=0.05), VALUE)
    assert ("steerability_up" in found) == (middle < 0)
    assert ("steerability_down" in found) == (middle > 0)
    assert found["tracking"] == 0


# -- several answers to a query under the same steering


def test_every_answer_to_a_query_enters(answers):
    level = [-6.0, 2.0, 4.0]
    twice = [*answers({VALUE: {0.0: level}}), *answers({VALUE: {0.0: [one + 4 for one in level]}})]
    (alone, both) = (
        profile_metrics(measured, [VALUE])["intensity_test_value"]
        for measured in (twice[:3], twice)
    )
    assert both.value == pytest.approx(alone.value + 2, abs=0.3)
    assert both.n == 3
    found = query_numbers([one for one in twice if one.query_id == "q0"], VALUE)
    assert found["intensity"] == pytest.approx(-4, abs=0.05)


@pytest.mark.parametrize("name", ["intensity", "gain", "tracking", "steerability"])
def test_asking_each_query_again_is_not_asking_more_queries(answers, name):
    rng = np.random.default_rng(5)
    noise = rng.normal(0, 2, (len(LEVELS), 12))
    curve = {x: list(1.5 * x + own) for x, own in zip(LEVELS, noise, strict=True)}
    once = answers({VALUE: curve}, sd=0.1)
    # Other words that are placed alike, so that nothing but the query is shared.
    again = answers({VALUE: {x: [y + 0.01 for y in own] for x, own in curve.items()}}, sd=0.1)
    alone = steering_metrics(once, [VALUE])[name]
    repeated = steering_metrics([*once, *again], [VALUE])[name]
    assert repeated.n == alone.n == 12
    assert repeated.value == pytest.approx(alone.value, abs=0.1)
    assert repeated.stderr == pytest.approx(alone.stderr, rel=0.15)


def test_an_answer_without_its_counterparts_leaves_the_query_s_others_in(answers):
    whole = answers({VALUE: _line(2.0, n=6)})
    extra = [one for one in whole if one.level == 2.0]
    alone, more = (steering_metrics(own, [VALUE])["gain"] for own in (whole, [*whole, *extra]))
    assert more.value == pytest.approx(alone.value)
    assert more.n == alone.n == 6
