"""What is asked, and what is made of the answers."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import wasserstein_distance
from valueflow_scorers import ValueFlowError

from valueflow_tasks.opinions import (
    OpinionSettings,
    load_survey,
    make_plan,
    option_distance,
)
from valueflow_tasks.opinions._metrics import (
    majority_hit,
    metric_names,
    opinion_metrics,
    question_numbers,
)
from valueflow_tasks.profiles import (
    BuiltFrom,
    ValueProfile,
    ValueScore,
    Written,
    profile_text,
    save_profiles,
)
from valueflow_tasks.profiles._readings import built_from


def test_distances_of_options_are_shares_of_the_way_from_end_to_end():
    assert option_distance([1, 0, 0], [0, 0, 1]) == 1
    assert option_distance([0.2, 0.5, 0.3], [0.2, 0.5, 0.3]) == 0
    p, q = [0.1, 0.2, 0.3, 0.4], [0.4, 0.3, 0.2, 0.1]
    # On a line it is the area between the cumulated shares.
    assert option_distance(p, q) == pytest.approx(
        np.abs(np.cumsum(p) - np.cumsum(q))[:-1].sum() / 3
    )
    assert option_distance(p, q) == pytest.approx(
        wasserstein_distance(range(4), range(4), p, q) / 3
    )


def test_the_majority_option_counts_ties_fairly():
    assert majority_hit([0.1, 0.9], [0.3, 0.7]) == 1
    assert majority_hit([0.9, 0.1], [0.3, 0.7]) == 0
    assert majority_hit([0.5, 0.5], [0.3, 0.7]) == 0.5
    assert majority_hit([0.9, 0.1], [0.5, 0.5]) == 1


def test_every_question_is_put_once_by_default_and_wrong_is_anothers_right():
    plan = make_plan(OpinionSettings())
    assert len(plan.asks) == 1 + 2 * len(plan.groups)
    assert plan.ask_of("default", "climbers") == "default"
    for group in plan.groups:
        assert plan.ask_of("profile", group) == f"profile:{group}"
        assert plan.ask_of("wrong", group) != plan.ask_of("profile", group)
        assert plan.ask_of("wrong", group) in {ask.id for ask in plan.asks}
    assert len(set(plan.wrong.values())) == len(plan.groups)
    steering = {ask.id: ask.steering for ask in plan.asks}
    assert steering["default"] == ""
    attribute, profile = steering["attribute:climbers"], steering["profile:climbers"]
    assert "free climbers who live in vans" in attribute
    assert profile == profile_text(plan.profiles["climbers"])
    assert "climb" not in profile


def test_numbers_are_paired_within_a_question_and_a_group():
    plan = make_plan(OpinionSettings(groups=("climbers", "founders")))
    rng = np.random.default_rng(0)
    answers = {
        one.id: {ask.id: rng.dirichlet(np.ones(len(one.options))).tolist() for ask in plan.asks}
        for one in plan.questions
    }
    found = opinion_metrics(plan, answers)
    assert set(found) == set(metric_names(plan))
    for kind in ("accuracy", "distance"):
        for arm in ("default", "attribute", "wrong"):
            difference = found[f"{kind}_profile_minus_{arm}"]
            gap = found[f"{kind}_profile"].value - found[f"{kind}_{arm}"].value
            assert difference.value == pytest.approx(gap)
            per_question = [
                question_numbers(plan, plan.question[name], own)[f"{kind}_profile_minus_{arm}"]
                for name, own in answers.items()
            ]
            error = np.std(per_question, ddof=1) / math.sqrt(len(per_question))
            assert difference.stderr == pytest.approx(error)
            assert difference.n == 40


def test_errors_do_not_grow_with_how_hard_questions_are():
    """Paired over questions: an arm that always adds the same has no error, whatever it adds to."""
    plan = make_plan(OpinionSettings(groups=("climbers", "founders"), arms=("default", "profile")))
    answers = {}
    for place, one in enumerate(plan.questions):
        right = place % 2 == 0
        shares = {}
        for ask in plan.asks:
            group = ask.id.partition(":")[2] or "climbers"
            best = int(np.argmax(one.answers[group]))
            row = np.zeros(len(one.options))
            row[best if right else best - 1] = 1.0
            shares[ask.id] = row.tolist()
        shares["profile:founders"] = shares["default"]
        shares["profile:climbers"] = shares["default"]
        answers[one.id] = shares
    found = opinion_metrics(plan, answers)
    assert found["accuracy_profile"].stderr > 0.02
    assert found["accuracy_profile_minus_default"].stderr == 0


def test_answers_without_an_option_are_counted_and_left_out():
    plan = make_plan(OpinionSettings(groups=("climbers", "founders")))
    one = plan.questions[0]
    shares = [1.0] + [0.0] * (len(one.options) - 1)
    answers = {ask.id: None if ask.id.startswith("profile") else shares for ask in plan.asks}
    numbers = question_numbers(plan, one, answers)
    assert numbers["unanswered"] == pytest.approx(2 / 5)
    assert (numbers["unanswered_profile"], numbers["unanswered_wrong"]) == (1, 1)
    assert (numbers["unanswered_default"], numbers["unanswered_attribute"]) == (0, 0)
    assert "accuracy_profile" not in numbers
    assert "accuracy_default" in numbers
    found = opinion_metrics(plan, {one.id: answers})
    assert set(found) < set(metric_names(plan))
    assert found["unanswered_profile"].value == 1


def test_a_profile_that_has_seen_a_question_is_refused(tmp_path):
    survey = load_survey()
    scores = {"svt/tradition": ValueScore(6.0)}
    for split, refused in (("dev", False), ("test", True)):
        asked = survey.part(split)[0]
        seen = built_from([Written("We keep it.", query=asked.text)], "j", "f", None)
        profiles = [ValueProfile(name, scores, seen) for name in survey.groups]
        path = save_profiles(tmp_path / f"{split}.json", profiles)
        settings = OpinionSettings(profile=str(path))
        if refused:
            with pytest.raises(ValueFlowError, match=f"built from 1 of the 40 .*{asked.id}"):
                make_plan(settings)
        else:
            assert make_plan(settings).groups == survey.groups
            with pytest.raises(ValueFlowError, match="built from 1 of the 11"):
                make_plan(OpinionSettings(profile=str(path), questions="dev"))


def test_a_profile_of_the_release_says_nothing_of_its_sources_and_is_refused(tmp_path):
    from valueflow_tasks.profiles import write_release

    profile = ValueProfile("climbers", {"svt/tradition": ValueScore(6.0)}, BuiltFrom())
    path = write_release(profile, tmp_path / "r.json")
    with pytest.raises(ValueFlowError, match="does not say what it was built from"):
        make_plan(OpinionSettings(profile=str(path), arms=("default", "profile")))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"answers": "letter"}, "unknown setting of valueflow_opinions 'answers'.*answer"),
        ({"answer": "letters"}, "unknown answer 'letters'.*letter"),
        ({"arms": "[default,profil]"}, "unknown arm 'profil'.*profile"),
        ({"groups": "[climber]"}, "unknown group in survey synthetic 'climber'.*climbers"),
        ({"groups": "[climbers]"}, "the arm `wrong` needs a second group"),
        ({"judge": "embedded"}, "unknown setting of valueflow_opinions 'judge'"),
    ],
)
def test_impossible_settings_say_what_is_allowed(given, message):
    with pytest.raises(ValueFlowError, match=message):
        make_plan(OpinionSettings.parse(given))


def test_profiles_that_fit_no_group_are_refused(tmp_path):
    stranger = ValueProfile("stranger", {"svt/tradition": ValueScore(6.0)}, BuiltFrom())
    path = save_profiles(tmp_path / "p.json", [stranger])
    with pytest.raises(ValueFlowError, match="bear the name of no group"):
        make_plan(OpinionSettings(profile=str(path)))
    with pytest.raises(ValueFlowError, match="no profile of climbers, founders: give profile=FILE"):
        make_plan(OpinionSettings(profile=str(path), groups=("climbers", "founders")))


def test_results_name_the_split_the_profiles_and_the_control():
    told = make_plan(OpinionSettings()).described()
    survey = load_survey()
    assert told["split"] == survey.split_fingerprint
    assert set(told["profiles"]) == set(survey.groups) == set(told["wrong"])
    dev = make_plan(OpinionSettings(questions="dev")).described()
    assert dev["split"] == told["split"]
    assert dev["scored_questions"] != told["scored_questions"]
