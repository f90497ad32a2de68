"""The knobs of a measurement, and the identity of what was measured."""

from __future__ import annotations

import inspect
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from valueflow_scorers import JudgeProfile, ValueFlowError

from valueflow_tasks import settings
from valueflow_tasks.prompts import GENERATION
from valueflow_tasks.queries import load_queries
from valueflow_tasks.settings import INSTRUMENT, Settings, measurable_values, parse_list
from valueflow_tasks.theories import evaluated_values

PRIOR = "simulated:noise=1"


def test_the_defaults_are_those_of_the_design():
    found = Settings()
    assert (found.queries, found.judge, found.k, found.m, found.method) == (
        "test", "embedded", 6, 3, "definition",
    )  # fmt: skip
    assert found.design == "two-pass"
    assert found.off_target == "none"
    assert found.values == measurable_values() == evaluated_values()


def test_every_way_in_has_the_same_knobs_with_the_same_defaults():
    pytest.importorskip("inspect_ai")
    from valueflow_scorers._measure import Instrument

    from valueflow_tasks import inspect_tasks
    from valueflow_tasks.cli._score import score

    own = {name: getattr(Settings, name) for name in INSTRUMENT}
    assert {name: getattr(Instrument, name) for name in INSTRUMENT} == own
    options = {one.name: one.default for one in score.params}
    assert {name: options[name] for name in INSTRUMENT} == own
    for make in (
        inspect_tasks.anchor_intensity,
        inspect_tasks.valueflow_profile,
        inspect_tasks.valueflow_steer,
        inspect_tasks.valueflow_compose,
    ):
        given = inspect.signature(make).parameters
        assert {name: given[name].default for name in INSTRUMENT} == own


def test_tasks_of_inspect_take_every_setting_that_means_something_to_them():
    pytest.importorskip("inspect_ai")
    from valueflow_tasks import inspect_tasks

    for make, meaningless in (
        (inspect_tasks.valueflow_profile, {"off_target"}),  # it has no target
        (inspect_tasks.valueflow_steer, {"value_profile"}),  # it has targets of its own
        (inspect_tasks.valueflow_compose, {"value_profile"}),
    ):
        given = inspect.signature(make).parameters
        assert set(Settings.names()) - set(given) == meaningless, make.__name__


def test_every_setting_is_in_the_readme(repository):
    table = (repository / "README.md").read_text("utf-8").partition("| setting |")[2]
    named = [line.split("|")[1] for line in table.partition("\n\n")[0].splitlines()[2:]]
    assert {name for cell in named for name in re.findall(r"`(\w+)`", cell)} == set(
        Settings.names()
    )


@pytest.mark.parametrize(
    "raw",
    [
        "[svt/power,mft/care]",
        "[ svt/power , mft/care ]",
        '["svt/power", "mft/care"]',
        "['svt/power', 'mft/care']",
        "svt/power,mft/care",
        ["svt/power", "mft/care"],
        ("svt/power", "mft/care"),
    ],
)
def test_lists_are_brackets_json_sequences_or_names(raw):
    assert Settings.parse({"values": raw}).values == ("svt/power", "mft/care")


def test_one_name_is_a_list_of_one():
    assert parse_list("svt/power") == ("svt/power",)


@pytest.mark.parametrize("raw", ["", "[]", []])
def test_no_names_mean_every_value_that_can_be_measured(raw):
    assert Settings.parse({"values": raw}).values == measurable_values()


def test_a_theory_stands_for_its_values_and_release_names_are_known():
    assert Settings.parse({"values": "pvq"}).values == evaluated_values("svt")
    assert Settings.parse({"values": "[duty/self_improvement]"}).values == (
        "duties/self-improvement",
    )


@pytest.mark.parametrize("raw", [3, {"a": 1}, ["svt/power", 3], '["svt/power", 3]'])
def test_what_is_no_list_of_names_is_refused_and_shown(raw):
    with pytest.raises(ValueFlowError, match="names such as"):
        Settings.parse({"values": raw})


@pytest.mark.parametrize("raw", [4, "4", 4.0, "4.0", " 4 "])
@pytest.mark.parametrize("name", ["k", "m", "seed"])
def test_whole_numbers_come_as_numbers_or_words(name, raw):
    found = getattr(Settings.parse({name: raw}), name)
    assert found == 4
    assert isinstance(found, int)


@pytest.mark.parametrize(
    "raw",
    [
        "4.5", 4.5, "four", "", None, [4], "nan",
        "inf",
    ],
)  # fmt: skip
@pytest.mark.parametrize("name", ["k", "m", "seed"])
def test_what_is_no_whole_number_is_refused_with_its_name(name, raw):
    with pytest.raises(ValueFlowError, match=rf"{name}=.*whole number"):
        Settings.parse({name: raw})


@pytest.mark.parametrize(("raw", "found"), [("0.5", 0.5), (1, 1.0), ("none", None), (None, None)])
def test_a_target_error_is_a_number_or_none(raw, found):
    assert Settings.parse({"target_stderr": raw}).target_stderr == found


def test_a_target_error_that_is_no_number_is_refused():
    with pytest.raises(ValueFlowError, match=r"target_stderr='small'"):
        Settings.parse({"target_stderr": "small"})


@pytest.mark.parametrize("raw", [None, "none", "None"])
def test_none_stands_only_where_it_means_something(raw):
    for name, found in {
        "compat": None, "target_stderr": None, "journal": "none", "off_target": "none",
    }.items():  # fmt: skip
        assert getattr(Settings.parse({name: raw}), name) == found
    for name in ("design", "judge", "method", "queries", "profile", "layout"):
        with pytest.raises(ValueFlowError, match=f"{name}=none"):
            Settings.parse({name: raw})


def test_a_file_that_is_no_profile_of_either_kind_is_not_called_one(tmp_path):
    broken = tmp_path / "broken.json"
    broken.write_text("{", "utf-8")
    with pytest.raises(ValueFlowError, match=r"broken\.json is no valid JSON"):
        Settings.parse({"profile": str(broken)})


def test_a_named_profile_in_a_file_is_a_value_profile_whether_or_not_it_is_there():
    found = Settings.parse({"profile": "nowhere.json#women"})
    assert (found.profile, found.value_profile) == ("auto", "nowhere.json#women")


@pytest.mark.parametrize("raw", ["svt", "svt/power", "duty", "mft/Care"])
def test_names_win_over_folders_of_the_same_name(raw, tmp_path, monkeypatch):
    plain = Settings.parse({"values": raw})
    (tmp_path / raw).mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert Settings.parse({"values": raw}) == plain
    assert Settings.parse(plain.to_dict()) == plain


@pytest.mark.parametrize(("raw", "found"), [("valueflow", "valueflow"), ("none", None)])
def test_compat_is_named_or_none(raw, found):
    assert Settings.parse({"compat": raw}).compat == found


@pytest.mark.parametrize(
    ("given", "nearest"),
    [
        ({"juge": "embedded"}, "judge"),
        ({"query": "core"}, "queries"),
        ({"value": "svt/power"}, "values"),
        ({"values": "svt/powr"}, "svt/power"),
        ({"values": "svtt"}, "svt"),
        ({"method": "exemplar"}, "exemplars"),
        ({"off_target": "al"}, "all"),
    ],
)
def test_an_unknown_name_is_refused_with_the_nearest(given, nearest):
    with pytest.raises(ValueFlowError, match="unknown") as refused:
        Settings.parse(given)
    assert nearest in str(refused.value)


def test_steering_by_vector_needs_a_folder_and_says_how_to_make_one():
    with pytest.raises(ValueFlowError, match="valueflow vectors fit"):
        Settings.parse({"method": "vector"})


def test_settings_survive_their_json():
    one = Settings.parse(
        {"judge": PRIOR, "k": 5, "target_stderr": "0.7", "values": "mft", "off_target": "theory"}
    )
    assert Settings.parse(json.loads(json.dumps(one.to_dict()))) == one


def test_the_values_measured_besides_the_target_are_named_by_off_target():
    target = "mft/care"
    measured = {
        name: Settings.parse({"off_target": name}).measured_on(target)
        for name in ("none", "theory", "all")
    }
    assert measured["none"] == (target,)
    assert measured["theory"][0] == measured["all"][0] == target
    assert set(measured["theory"]) == set(evaluated_values("mft"))
    assert set(measured["all"]) == set(evaluated_values())
    assert len(measured["all"]) == 32


def test_equal_settings_share_one_instrument():
    assert Settings(judge=PRIOR).instrument() is Settings(judge=PRIOR, queries="dev").instrument()
    assert Settings(judge=PRIOR).instrument() is not Settings(judge=PRIOR, m=2).instrument()


# -- the protocol


@pytest.fixture(scope="module")
def profile(tmp_path_factory):
    """A profile in a file: nothing has to be fitted for a fingerprint."""
    path = tmp_path_factory.mktemp("profile") / "profile.json"
    JudgeProfile("simulated:noise=1:text=0", tau=1.0, omegas=(0.1,), calibrated=True).save(path)
    return str(path)


def _protocol(profile, values=("svt/power",), queries=None, chat=False, generation=None, **knobs):
    settings = Settings.parse({"judge": PRIOR, "profile": profile, **knobs})
    asked = queries if queries is not None else settings.query_set()
    return settings.protocol(values, asked, chat_template=chat, generation=generation or GENERATION)


def test_the_protocol_is_the_same_for_the_same_measurement(profile):
    assert _protocol(profile) == _protocol(profile)
    assert len(_protocol(profile)) == 16


def test_everything_that_can_move_a_result_changes_the_protocol(profile, tmp_path, monkeypatch):
    other = tmp_path / "other.json"
    JudgeProfile("simulated:noise=1:text=0", tau=1.1, omegas=(0.1,), calibrated=True).save(other)
    last = tmp_path / "last.json"
    told = JudgeProfile.load(profile)
    replace(told, layout="response-last").save(last)
    found = {
        "as it is": _protocol(profile),
        "queries": _protocol(profile, queries=load_queries("core")),
        "fewer queries": _protocol(profile, queries=load_queries("test")[:10]),
        "panels": _protocol(profile, values=("svt/face",)),
        "more panels": _protocol(profile, values=("svt/power", "svt/face")),
        "profile": _protocol(str(other)),
        "k": _protocol(profile, k=5),
        "m": _protocol(profile, m=4),
        "design": _protocol(profile, design="bucket"),
        "seed": _protocol(profile, seed=1),
        "target error": _protocol(profile, target_stderr=0.5),
        "layout": _protocol(str(last), layout="response-last"),
        "released evaluator": _protocol(profile, compat="valueflow"),
        "chat template": _protocol(profile, chat=True),
        "longer answers": _protocol(profile, generation={**GENERATION, "max_tokens": 320}),
        "temperature": _protocol(profile, generation={**GENERATION, "temperature": 1.0}),
    }
    monkeypatch.setattr(settings, "RESULTS_VERSION", settings.RESULTS_VERSION + 1)
    found["another version of the tasks"] = _protocol(profile)
    assert len(set(found.values())) == len(found), found


def test_how_a_model_is_steered_does_not_enter_the_protocol(profile, tmp_path):
    plain = _protocol(profile)
    assert plain == _protocol(profile, method="exemplars")
    assert plain == _protocol(profile, method="vector", vectors=str(tmp_path))


def test_nothing_that_cannot_move_a_result_enters_the_protocol(profile, tmp_path):
    plain = _protocol(profile)
    assert plain == _protocol(profile, journal=str(tmp_path / "elsewhere"))
    moved = tmp_path / "copy.json"
    moved.write_bytes(Path(profile).read_bytes())
    assert plain == _protocol(str(moved))
    both = ("svt/power", "svt/face")
    assert _protocol(profile, values=both) == _protocol(profile, values=both[::-1])
    reordered = dict(reversed(list(GENERATION.items())))
    assert plain == _protocol(profile, generation=reordered)
