"""Sets of targets and their arms."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from valueflow_scorers import ValueFlowError

from valueflow_tasks.compose import CONFLICTING, SIMILAR, compose_arms, kind_of, plan, read_arm
from valueflow_tasks.prompts import steering_text
from valueflow_tasks.settings import Settings, measurable_values

SETS = "mft/care:+2~mft/loyalty:+1"


def test_pairs_are_of_one_theory_and_measurable() -> None:
    for first, second in (*SIMILAR, *CONFLICTING):
        assert first.partition("/")[0] == second.partition("/")[0]
        assert {first, second} <= set(measurable_values())
        assert first != second
    pairs = [frozenset(pair) for pair in (*SIMILAR, *CONFLICTING)]
    assert len(set(pairs)) == len(pairs)
    for theory in ("svt", "mft", "duties", "rights"):
        for kind in (SIMILAR, CONFLICTING):
            assert sum(pair[0].startswith(f"{theory}/") for pair in kind) >= 3


def test_a_pair_is_asked_as_strong_and_either_one_stronger() -> None:
    sets = plan(Settings(values=("mft",)), {"sets": "conflicting"})
    own = [one for one in sets if set(one) == {"mft/liberty", "mft/authority"}]
    assert sorted(tuple(one.values()) for one in own) == [(1, 2), (2, 1), (2, 2)]
    assert {kind_of(one) for one in sets} == {"conflicting"}


def test_random_sets_follow_their_seed_and_have_one_strongest() -> None:
    settings = Settings(values=("svt",))
    first = plan(settings, {"sets": "random", "count": 5})
    assert first == plan(settings, {"sets": "random", "count": "5", "draw": 0})
    assert first != plan(settings, {"sets": "random", "count": 5, "draw": 1})
    for one in first:
        assert sorted(map(abs, one.values())) == [1, 1, 1, 1, 2]


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"sets": "likewise"}, "unknown sets"),
        ({"targets": "mft/care:+2"}, "1 values; 2 to 5"),
        ({"targets": "mft/care:+2~mft/care:-1"}, "twice"),
        ({"targets": "mft/care:+2~mft/loyalty:0"}, "level 0"),
        ({"targets": "care and loyalty"}, "no value and level"),
        ({"targets": SETS, "sets": "similar"}, "leave out sets"),
        ({"sets": "random", "size": 9}, "2 to 5 values"),
        ({"sets": "similar", "size": 3}, "only sets=random"),
        ({"sets": "random", "count": "many"}, "whole number"),
        ({"sets": "random", "draw": -1}, "seed >= 0"),
        ({"targets": "mft:+2~mft/loyalty:+1"}, "'mft' is no value"),
        ({"targets": "svt:+2~mft/loyalty:+1"}, "'svt' is no value"),
        ({"targets": "svt/power:+2~mft/loyalty:+1"}, "unknown evaluated value 'svt/power'"),
        ({"targets": "[]"}, "names no set"),
        ({"targets": []}, "names no set"),
    ],
)
def test_impossible_sets_are_refused(given: Mapping[str, Any], says: str) -> None:
    with pytest.raises(ValueFlowError, match=says):
        plan(Settings(values=("mft",)), given)


def test_two_names_of_one_value_are_no_two_targets() -> None:
    with pytest.raises(ValueFlowError, match="names a value twice, by two of its names"):
        plan(Settings(values=("svt",)), {"targets": "svt/power:+2~pvq/power:-2~svt/face:+1"})


def test_a_pair_is_of_the_other_kind_where_one_target_is_asked_against() -> None:
    assert kind_of({"svt/power": 2, "svt/universalism": 1}) == "conflicting"
    assert kind_of({"svt/power": -2, "svt/universalism": -2}) == "conflicting"
    assert kind_of({"svt/power": 2, "svt/universalism": -2}) == "similar"
    assert kind_of({"svt/power": 2, "svt/achievement": -1}) == "conflicting"
    assert kind_of({"svt/power": 2, "mft/care": -1}) == ""


def test_values_without_a_pair_are_refused() -> None:
    with pytest.raises(ValueFlowError, match="no pair"):
        plan(Settings(values=("mft/care", "svt/power")), {})


def test_single_arms_are_asked_once_and_measured_on_the_whole_set() -> None:
    settings = Settings(values=("mft",))
    sets = plan(settings, {"targets": f"[{SETS},mft/care:+2~mft/liberty:-1]"})
    arms = {arm.id: arm for arm in compose_arms(settings, sets)}
    assert len(arms) == 1 + 3 + 2
    assert set(arms["mft/care:+2"].measure) == {"mft/care", "mft/loyalty", "mft/liberty"}
    assert arms["mft/care:+2"].prompt == steering_text("mft/care", 2)
    both = arms["mft/care:+2~mft/loyalty:+1"]
    assert both.prompt.split("\n") == [
        steering_text("mft/care", 2),
        steering_text("mft/loyalty", 1),
    ]
    assert read_arm(both.id) == both.targets


def test_levels_without_wording_are_refused() -> None:
    settings = Settings(values=("mft",))
    with pytest.raises(ValueFlowError, match="wording is not interpolated"):
        compose_arms(settings, plan(settings, {"targets": "mft/care:+1.5~mft/loyalty:+1"}))
