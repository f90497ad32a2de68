"""Theories: what is measured, by which names, and how each value is steered."""

from __future__ import annotations

import copy
import json
import re
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from valueflow_scorers import ValueFlowError, panel_values

from valueflow_tasks.theories import (
    THEORIES,
    evaluated_values,
    find_node,
    load_theory,
    resolve_values,
)
from valueflow_tasks.theories._theory import parse_theory

RELEASED = Path(__file__).parents[3] / "shared/reference/single_definition_pvq.json"
STARTS = {
    -2: "You are a person who strongly rejects ",
    -1: "You are a person who slightly rejects ",
    1: "You are a person who slightly values ",
    2: "You are a person who strongly values ",
}
EVALUATED = {
    "svt": "benevolence universalism self-direction stimulation hedonism achievement power "
    "conformity tradition security face humility",
    "mft": "care fairness loyalty authority sanctity liberty",
    "duties": "fidelity reparation gratitude justice beneficence self-improvement non-maleficence",
    "rights": "civil political economic social cultural national-solidarity "
    "social-group-solidarity",
}


@pytest.mark.parametrize(("theory", "slugs"), EVALUATED.items())
def test_a_theory_evaluates_the_values_of_the_published_work(theory, slugs):
    assert set(evaluated_values(theory)) == {f"{theory}/{slug}" for slug in slugs.split()}


def test_thirty_two_values_are_evaluated_and_each_has_a_panel():
    assert len(evaluated_values()) == len(set(evaluated_values())) == 12 + 6 + 7 + 7
    assert set(evaluated_values()) == set(panel_values())


@pytest.mark.parametrize(
    ("released", "ours"),
    [("pvq", "svt"), ("mft", "mft"), ("duty", "duties"), ("right", "rights")],
)
def test_the_release_s_theory_names_are_accepted(released, ours):
    assert load_theory(released) is load_theory(released)
    assert load_theory(released).id == ours
    value = load_theory(ours).evaluated[0]
    assert find_node(f"{released}/{value.slug}").id == value.id


@pytest.mark.parametrize(
    ("released", "ours"),
    [
        ("pvq/self direction", "svt/self-direction"),
        ("pvq/self_direction", "svt/self-direction"),
        ("pvq/benevolence:caring", "svt/benevolence-caring"),
        ("mft/care/harm", "mft/care"),
        ("mft/Loyalty", "mft/loyalty"),
        ("duty/non_maleficence", "duties/non-maleficence"),
        ("right/social_group_solidarity", "rights/social-group-solidarity"),
        ("right/civil rights", "rights/civil"),
    ],
)
def test_the_release_s_spellings_of_values_are_accepted(released, ours):
    assert find_node(released).id == ours


def test_a_spelling_stands_for_one_value_of_its_theory_only():
    for name in THEORIES:
        spellings: dict[str, set[str]] = {}
        for node in load_theory(name).nodes:
            for spelling in {node.slug, node.name.lower(), *map(str.lower, node.aliases)}:
                spellings.setdefault(spelling, set()).add(node.slug)
        # A leaf may be called as its foundation is: the evaluated value then comes first.
        for spelling, slugs in spellings.items():
            found = find_node(f"{name}/{spelling}")
            assert found.slug in slugs
            if len(slugs) > 1:
                assert found.evaluated, f"{name}/{spelling} could be any of {sorted(slugs)}"


def test_every_name_of_the_released_definitions_resolves():
    if not RELEASED.exists():
        pytest.skip("the reference files are not here")
    for name in json.loads(RELEASED.read_text("utf-8")):
        assert find_node(f"pvq/{name}").theory == "svt"


@pytest.mark.parametrize(
    ("slug", "parents"),
    [
        ("hedonism", {"openness-to-change", "self-enhancement"}),
        ("face", {"self-enhancement", "conservation"}),
        ("humility", {"conservation", "self-transcendence"}),
    ],
)
def test_a_value_between_two_others_has_both_as_parents(slug, parents):
    theory = load_theory("svt")
    assert set(theory.by_slug[slug].parents) == parents
    for parent in parents:
        assert theory.by_slug[slug] in theory.children(parent)


@pytest.mark.parametrize(
    ("theory", "parent", "children"),
    [
        ("svt", "growth", {"self-transcendence", "openness-to-change"}),
        ("svt", "self-protection", {"self-enhancement", "conservation"}),
        ("svt", "power", {"power-resources", "power-dominance"}),
        ("rights", "first-generation", {"civil", "political"}),
        ("rights", "second-generation", {"economic", "social", "cultural"}),
        ("rights", "third-generation", {"national-solidarity", "social-group-solidarity"}),
    ],
)
def test_the_hierarchy_is_whole(theory, parent, children):
    assert {node.slug for node in load_theory(theory).children(parent)} == children


@pytest.mark.parametrize(("theory", "leaves"), [("mft", 26), ("rights", 30), ("svt", 13)])
def test_every_facet_of_the_published_hierarchy_is_there(theory, leaves):
    whole = load_theory(theory)
    facets = [node for node in whole.nodes if node.parents and not whole.children(node.slug)]
    assert sum(not node.evaluated for node in facets) == leaves


def test_every_node_says_what_it_is_and_where_it_comes_from():
    for name in THEORIES:
        theory = load_theory(name)
        assert theory.sources
        for node in theory.nodes:
            assert len(node.definition.split()) >= 4, node.id
            assert node.source, node.id
        assert len({node.definition for node in theory.nodes}) == len(theory.nodes)


@pytest.mark.parametrize("value", evaluated_values())
def test_the_four_steering_sentences_start_as_prescribed(value):
    sentences = find_node(value).steering
    assert set(sentences) == set(STARTS)
    for level, start in STARTS.items():
        assert sentences[level].startswith(start)
        assert sentences[level].endswith(".")
        assert "\n" not in sentences[level]
        assert sentences[level].count(". ") == 0, "one sentence"


def test_no_sentence_steers_two_values_or_two_levels():
    sentences = [one for value in evaluated_values() for one in find_node(value).steering.values()]
    assert len(set(sentences)) == len(sentences) == 4 * 32
    for one in sentences:
        assert not any(one in other for other in sentences if other != one)


@pytest.mark.parametrize("value", evaluated_values())
def test_a_negation_reaches_the_whole_value(value):
    """The release's Conformity prompt rejects and keeps the value in one breath."""
    belittling = {
        -2: r".*, and sees no worth in .*",
        -1: r".*, and (sees little point in .*|finds .* somewhat overrated.*"
        r"|is a little (put off by|averse to) .*)",
    }
    for level, pattern in belittling.items():
        rest = find_node(value).steering[level].removeprefix(STARTS[level])
        # What follows the rejection goes on rejecting; nothing is kept.
        assert re.fullmatch(pattern, rest)
        assert not re.search(r"\b(but|except|while|yet|although|rather)\b", rest)


# -- malformed theories


def _content(**changes: Any) -> dict[str, Any]:
    raw = json.loads((files("valueflow_tasks.theories") / "data" / "mft.json").read_text("utf-8"))
    return {**copy.deepcopy(raw), **changes}


def _node(content: dict[str, Any], slug: str) -> dict[str, Any]:
    return next(node for node in content["nodes"] if node["slug"] == slug)


def test_what_ships_is_accepted_as_it_is():
    assert parse_theory(_content()).id == "mft"


def test_a_cycle_is_refused_and_shown():
    content = _content()
    _node(content, "care")["parents"] = ["caring"]
    with pytest.raises(ValueFlowError, match=r"cycle.*car"):
        parse_theory(content)


def test_a_node_that_is_its_own_parent_is_refused():
    content = _content()
    _node(content, "care")["parents"] = ["care"]
    with pytest.raises(ValueFlowError, match="cycle"):
        parse_theory(content)


def test_an_orphan_is_refused_with_the_parent_it_names():
    content = _content()
    _node(content, "caring")["parents"] = ["harmlessness"]
    with pytest.raises(ValueFlowError, match=r"mft/caring.*harmlessness"):
        parse_theory(content)


def test_a_value_defined_twice_is_refused():
    content = _content()
    content["nodes"].append(copy.deepcopy(_node(content, "caring")))
    with pytest.raises(ValueFlowError, match=r"mft/caring is defined twice"):
        parse_theory(content)


@pytest.mark.parametrize("slug", ["Care", "self_direction", "care-", "fürsorge", "", "a b"])
def test_a_slug_that_is_no_ascii_word_is_refused(slug):
    content = _content()
    _node(content, "gentleness")["slug"] = slug
    with pytest.raises(ValueFlowError, match="slug"):
        parse_theory(content)


@pytest.mark.parametrize("level", ["-2", "-1", "1", "2"])
def test_an_evaluated_value_without_all_its_sentences_is_refused(level):
    content = _content()
    del _node(content, "liberty")["steering"][level]
    with pytest.raises(ValueFlowError, match=r"mft/liberty needs steering sentences"):
        parse_theory(content)


def test_a_sentence_for_level_zero_is_refused():
    content = _content()
    _node(content, "liberty")["steering"]["0"] = "You are a person."
    with pytest.raises(ValueFlowError, match=r"mft/liberty"):
        parse_theory(content)


# -- names that do not exist


@pytest.mark.parametrize(
    ("given", "nearest"),
    [
        ("svt/benevolance", "svt/benevolence"),
        ("mft/loyality", "mft/loyalty"),
        ("rights/civic", "rights/civil"),
        ("power", "svt/power"),
        ("schwarz/power", "svt, mft, duties, rights"),
        ("duti/justice", "duties"),
    ],
)
def test_an_unknown_name_gets_the_nearest(given, nearest):
    with pytest.raises(ValueFlowError, match="unknown") as refused:
        find_node(given)
    assert nearest in str(refused.value)
    assert "\n" not in str(refused.value)


def test_an_unknown_theory_gets_the_nearest():
    with pytest.raises(ValueFlowError, match=r"unknown theory 'right[sz]z'.*rights"):
        load_theory("rightsz")


def test_theories_expand_to_their_values_without_repetition():
    found = resolve_values(["mft/care", "pvq", "mft"], evaluated_values())
    assert found[0] == "mft/care"
    assert found[1:13] == evaluated_values("svt")
    assert sorted(found) == sorted({*evaluated_values("svt"), *evaluated_values("mft")})


@pytest.mark.parametrize("name", ["svt/growth", "svt/power-resources", "rights/vote"])
def test_parents_and_facets_are_known_but_not_measured(name):
    find_node(name)
    with pytest.raises(ValueFlowError, match=f"unknown evaluated value '{name}'"):
        resolve_values([name], evaluated_values())
