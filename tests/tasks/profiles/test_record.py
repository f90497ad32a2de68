"""Profiles in files: ours, and the release's."""

from __future__ import annotations

import json

import pytest
from valueflow_scorers import ValueFlowError

from valueflow_tasks.profiles import (
    BuiltFrom,
    ValueProfile,
    ValueScore,
    load_profile,
    load_profiles,
    save_profiles,
    write_release,
)
from valueflow_tasks.profiles._files import is_profile_file


def some(name: str = "a", **scores: float) -> ValueProfile:
    given = scores or {"power": 3.2, "tradition": -1.0}
    return ValueProfile(name, {f"svt/{k}": ValueScore(v) for k, v in given.items()}, BuiltFrom())


def test_a_file_gives_back_what_was_saved(tmp_path):
    built = BuiltFrom(frozenset({"k1", "k2"}), frozenset({"t1"}), "embedded", "f00", "hives-mini")
    score = ValueScore(2.5, 1.25, 3.0, 1.5, 4, 2.75, -0.5, 0.625)
    profile = ValueProfile("x", {"mft/care": score}, built, "people", 9, {"refusal": 2})
    path = save_profiles(tmp_path / "p.json", [profile, some("y")])
    again = load_profiles(path)
    assert again == {"x": profile, "y": some("y")}
    assert again["x"].fingerprint == profile.fingerprint
    assert load_profile(f"{path}#y").name == "y"
    with pytest.raises(ValueFlowError, match="holds the profiles x, y: name one"):
        load_profile(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "no valid JSON"),
        ("{}", "holds no value profile"),
        ('{"format": "valueflow-profile-1", "profiles": []}', "at least one profile"),
        (
            '{"format": "valueflow-profile-1", "profiles":'
            ' [{"name": "a", "values": {"svt/x": 1}}]}',
            "unknown value",
        ),
        (
            '{"format": "valueflow-profile-1", "profiles":'
            ' [{"name": "a", "values": {"svt/power": 11}}]}',
            "from -10 to 10",
        ),
        (
            '{"format": "valueflow-profile-1", "profiles":'
            ' [{"name": "a", "values": {"svt/power": {"intensity": "high"}}}]}',
            "is no number",
        ),
        (
            '{"format": "valueflow-profile-1", "profiles":'
            ' [{"name": "a", "values": {"svt/power": {"mean": 1}}}]}',
            "svt/power is missing its intensity",
        ),
    ],
)
def test_what_is_no_profile_is_refused_with_the_reason(tmp_path, content, message):
    path = tmp_path / "p.json"
    path.write_text(content, "utf-8")
    with pytest.raises(ValueFlowError, match=message):
        load_profiles(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"values": {"svt": 1}}, "'svt' is a theory: name each value once"),
        ({"values": {"svt/power": 1, "pvq/power": 2}}, "'pvq/power' is svt/power, which stands"),
        ({"values": {"svt/power": {"intensity": 1, "mean": "1"}}}, "svt/power: mean '1' is no num"),
        ({"values": {"svt/power": {"intensity": 1, "txts": 3}}}, "unknown field of .*texts"),
        ({"texts": "many"}, "not as `save_profiles` writes it"),
        ({"unused": [1]}, "not as `save_profiles` writes it"),
        ({"unused": {"refusal": None}}, "not as `save_profiles` writes it"),
        ({"built_from": "nothing"}, "not as `save_profiles` writes it"),
        ({"built_from": {"sentences": []}}, "lacks 'ids'"),
        ({"built_from": {"sentences": "abc", "ids": []}}, "'abc' is no list"),
    ],
)
def test_a_field_of_another_kind_is_named(tmp_path, change, message):
    path = tmp_path / "p.json"
    content = {"name": "a", "values": {"svt/power": 1}, **change}
    path.write_text(json.dumps({"format": "valueflow-profile-1", "profiles": [content]}), "utf-8")
    with pytest.raises(ValueFlowError, match=message):
        load_profiles(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"theories": [1]}, "'theories' is no object but"),
        ({"theories": {"pvq": [1]}}, "pvq is no object but"),
        ({"theories": {"pvq": {"high": {"power": 1}}}}, "band 'high' of pvq is no list"),
        ({"n_total": "many"}, "n_total is no number of texts but 'many'"),
    ],
)
def test_a_release_of_another_form_is_refused(tmp_path, change, message):
    path = tmp_path / "r.json"
    path.write_text(json.dumps(release({"power": 0.4}) | change), "utf-8")
    with pytest.raises(ValueFlowError, match=message):
        load_profile(path)


def test_a_profile_by_name_is_one_even_where_its_file_is_broken(tmp_path):
    path = tmp_path / "p.json"
    assert is_profile_file(f"{path}#ann")
    path.write_text("{", "utf-8")
    assert is_profile_file(f"{path}#ann")
    assert not is_profile_file(str(path))


def release(scores: dict[str, float]) -> dict[str, object]:
    entries = [
        {"score": x, "definition_raw": "", "definition_prompt": "", "column": c, "value_key": c}
        for c, x in scores.items()
    ]
    return {
        "attribute": "Some group",
        "n_total": 12,
        "n_used": 10,
        "bin_thresholds": {"high": 1},
        "theories": {
            "pvq": {"very_high": [], "high": entries, "medium": [], "low": [], "very_low": []},
            "duty": {"high": [{"score": 2, "column": "non_maleficence", "value_key": "x"}]},
        },
    }


def test_the_release_form_is_read_and_its_source_is_unknown(tmp_path):
    path = tmp_path / "r.json"
    path.write_text(json.dumps(release({"self_direction": 0.9, "power": 0.4})), "utf-8")
    profile = load_profile(path)
    assert profile.name == profile.attribute == "Some group"
    assert {v: one.intensity for v, one in profile.scores.items()} == {
        "svt/self-direction": 0.9,
        "svt/power": 0.4,
        "duties/non-maleficence": 2.0,
    }
    assert profile.built_from is None
    assert is_profile_file(str(path))


def test_scores_below_one_point_keep_their_order(tmp_path):
    """In the release `int(score)` zeroes the sort key."""
    scores = {"power": 0.2, "tradition": 0.9, "face": -0.7, "security": 0.5, "humility": -0.1}
    path = write_release(some("s", **scores), tmp_path / "s.json")
    written = json.loads(path.read_text("utf-8"))["theories"]["pvq"]["medium"]
    assert [entry["score"] for entry in written] == [0.9, 0.5, 0.2, -0.1, -0.7]
    assert {v: one.intensity for v, one in load_profile(path).scores.items()} == {
        f"svt/{k}": v for k, v in scores.items()
    }


def test_what_we_write_for_the_release_is_what_we_read(tmp_path):
    profile = some("g", power=7.0, tradition=-6.0, face=2.0, security=-2.0)
    path = write_release(profile, tmp_path / "g.json")
    content = json.loads(path.read_text("utf-8"))
    bands = content["theories"]["pvq"]
    assert [len(bands[name]) for name in bands] == [1, 1, 0, 1, 1]
    assert bands["very_high"][0]["definition_prompt"].startswith("You are a person who strongly")
    assert set(content["theories"]) == {"pvq", "mft", "duty", "rights"}
    again = load_profile(path)
    assert {v: one.intensity for v, one in again.scores.items()} == {
        v: one.intensity for v, one in profile.scores.items()
    }


def test_an_entry_of_the_release_that_names_no_value_is_refused(tmp_path):
    path = tmp_path / "r.json"
    path.write_text(json.dumps(release({"sincerity": 1.0})), "utf-8")
    with pytest.raises(ValueFlowError, match="names no value that we know"):
        load_profile(path)


def test_an_empty_profile_cannot_be_made():
    with pytest.raises(ValueFlowError, match="has no value"):
        ValueProfile("nobody", {})
