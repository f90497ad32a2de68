"""The tasks in lm-evaluation-harness, run through the harness's own entry points."""

from __future__ import annotations

import importlib.util
import json
import math
import pickle
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("lm_eval")

import lm_eval.models  # first: otherwise the built-in models vanish
import yaml
from lm_eval.evaluator import evaluate
from lm_eval.tasks import TaskManager
from lm_eval.utils import handle_non_serializable
from valueflow_scorers import JudgeProfile, ValueFlowError, load_panel
from valueflow_scorers._measure import Instrument
from valueflow_scorers.metrics import value_slug

from valueflow_tasks.controls import MODES, neutral_answer
from valueflow_tasks.lm_eval_tasks import ControlLM, SteerTask
from valueflow_tasks.lm_eval_tasks._link import config_folder
from valueflow_tasks.lm_eval_tasks._metadata import given_keys, own_settings
from valueflow_tasks.prompts import LEVELS, exemplars, steering_text
from valueflow_tasks.queries import load_queries
from valueflow_tasks.settings import RESULTS_VERSION, Settings, measurable_values
from valueflow_tasks.theories import THEORIES

JUDGE = "simulated:noise=1"
POWER = "valueflow_steer_svt_power"
STEER_METRICS = {
    "steerability", "steerability_up", "steerability_down", "tracking", "gain", "intensity",
    "refusal", "unscored",
}  # fmt: skip


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Settings under which nothing has to be fitted first."""
    path = tmp_path_factory.mktemp("profile") / "profile.json"
    JudgeProfile("simulated:noise=1:text=0", tau=1.0, omegas=(0.1,), calibrated=True).save(path)
    return {"judge": JUDGE, "profile": str(path)}


def task_name(value: str) -> str:
    return f"valueflow_steer_{value_slug(value)}"


def numbers(found: dict[str, Any], task: str = POWER) -> dict[str, float]:
    """Metrics by bare name, errors included."""
    return {
        key.partition(",")[0]: number
        for key, number in found["results"][task].items()
        if "," in key and "_stderr_stderr" not in key
    }


def records(found: dict[str, Any], task: str = POWER) -> list[dict[str, Any]]:
    """What was measured in each answer."""
    return [
        json.loads(one) for sample in found["samples"][task] for one in sample["filtered_resps"]
    ]


def estimates(found: dict[str, Any], task: str = POWER) -> list[dict[str, Any]]:
    return [one for record in records(found, task) for one in record["estimates"].values()]


def recorded(found: dict[str, Any], task: str = POWER) -> dict[str, Any]:
    return found["configs"][task]["metadata"]["valueflow"]


def every_number(content: Any) -> Iterator[float]:
    if isinstance(content, dict):
        for value in content.values():
            yield from every_number(value)
    elif isinstance(content, list | tuple):
        for value in content:
            yield from every_number(value)
    elif isinstance(content, float):
        yield content


# -- what control models must give, under the profile that a user gets


@pytest.mark.parametrize("value", ["svt/power", "mft/care", "rights/national-solidarity"])
def test_the_oracle_is_placed_at_its_sentinels_and_tracks_what_is_asked(value, run_lm_eval):
    task = task_name(value)
    found = run_lm_eval(task, judge=JUDGE, k=6, m=3)
    true = {text.text: text.intensity for text in load_panel(value).sentinels}
    true.setdefault(neutral_answer(), 0.0)  # another value's text is neutral on this one
    answers = [text for sample in found["samples"][task] for (text,) in sample["resps"]]
    placed = [record["estimates"][value]["intensity"] for record in records(found, task)]
    errors = [abs(true[text] - x) for text, x in zip(answers, placed, strict=True)]
    assert len(errors) == 70 * 5
    assert sum(errors) / len(errors) <= 1.2
    metrics = numbers(found, task)
    assert metrics["tracking"] >= 0.9
    assert 3 <= metrics["gain"] <= 5
    assert metrics["steerability"] > 0.6
    assert recorded(found, task)["calibrated"] is True


def test_the_inert_has_no_gain_on_the_test_queries(run_lm_eval):
    metrics = numbers(run_lm_eval(POWER, mode="inert", judge=JUDGE))
    assert abs(metrics["gain"]) < 0.15
    assert abs(metrics["steerability"]) < 0.1
    assert abs(metrics["tracking"]) < 0.3


def test_the_inert_has_no_gain_beyond_its_error_on_fewer_queries(run_lm_eval, quick):
    metrics = numbers(run_lm_eval(POWER, mode="inert", limit=6, **quick))
    assert metrics["gain_stderr"] > 0
    assert abs(metrics["gain"]) < 3 * metrics["gain_stderr"]


def test_the_contrary_has_a_negative_gain(run_lm_eval, quick):
    metrics = numbers(run_lm_eval(POWER, mode="contrary", limit=5, **quick))
    assert metrics["gain"] < -2
    assert metrics["tracking"] < -0.8
    assert metrics["steerability"] < -0.4
    assert metrics["steerability_up"] < 0
    assert metrics["steerability_down"] < 0


def test_refusals_are_counted_and_never_given_a_number(run_lm_eval, quick):
    steer = run_lm_eval(POWER, mode="refuser", limit=2, **quick)
    profile = run_lm_eval("valueflow_profile", mode="refuser", limit=2, **quick)
    for found, task in ((steer, POWER), (profile, "valueflow_profile")):
        metrics = numbers(found, task)
        assert metrics["refusal"] == 1
        scored = ("intensity", "gain", "tracking", "steerability", "strength", "leakage")
        assert not [name for name in metrics if name.startswith(scored)]
        assert all(record["refused"] and not record["estimates"] for record in records(found, task))
        assert not [x for x in every_number(found["results"]) if not math.isfinite(x)]


def test_a_query_that_is_refused_at_one_level_does_not_enter_gain(run_lm_eval, quick, monkeypatch):
    plain = ControlLM.generate_until
    refused = steering_text("svt/power", 2)
    first = load_queries("test")[0].text

    def refuses_once(self: Any, requests: Any, **given: Any) -> list[str]:
        answers = plain(self, requests, **given)
        hits = [refused in one.args[0] and first in one.args[0] for one in requests]
        assert sum(hits) == 1
        return [
            "I'm sorry, but I can't help with that request." if hit else answer
            for hit, answer in zip(hits, answers, strict=True)
        ]

    monkeypatch.setattr(ControlLM, "generate_until", refuses_once)
    found = run_lm_eval(POWER, limit=3, **quick)
    metrics = numbers(found)
    assert metrics["refusal"] == pytest.approx(1 / 15)
    assert metrics["gain"] > 3
    sample, *others = found["samples"][POWER]
    assert "not computable" in str(sample["gain"])
    assert not isinstance(sample["gain"], float)
    assert isinstance(sample["intensity"], float)
    assert all(isinstance(one["gain"], float) for one in others)


# -- what the results hold


@pytest.fixture(scope="module")
def small(quick):
    """One run of two queries, shared by everything that only looks at it."""
    manager = TaskManager(include_path=str(config_folder()), include_defaults=False, metadata=quick)
    return lm_eval.simple_evaluate(
        model="valueflow-control",
        model_args={"mode": "oracle"},
        tasks=[POWER],
        task_manager=manager,
        limit=2,
        log_samples=True,
    )


def test_steer_tasks_emit_the_metrics_of_the_design_with_their_errors(small):
    metrics = numbers(small)
    assert set(metrics) >= STEER_METRICS | {f"{name}_stderr" for name in STEER_METRICS}
    assert all(isinstance(one, float) and math.isfinite(one) for one in metrics.values())
    assert metrics["gain_stderr"] > 0
    assert -1 <= metrics["steerability"] <= 1
    assert "leakage" not in metrics


def test_the_errors_stand_where_the_harness_prints_errors(small):
    from lm_eval.utils import make_table

    table = make_table(small)
    (row,) = [line for line in table.splitlines() if "|gain" in line.replace(" ", "")]
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    error = float(cells[-1])
    assert error == pytest.approx(numbers(small)["gain_stderr"], abs=1e-3)


def test_only_steerability_and_tracking_have_a_good_direction(small):
    better = small["higher_is_better"][POWER]
    assert {name for name, up in better.items() if up} == {
        "steerability", "steerability_up", "steerability_down", "tracking",
    }  # fmt: skip
    assert better["intensity"] is None
    assert better["gain"] is None


def test_limit_counts_queries_not_levels(small):
    assert small["n-samples"][POWER]["effective"] == 2
    assert len(small["samples"][POWER]) == 2
    assert len(records(small)) == 2 * len(LEVELS)


def test_samples_hold_the_raw_answers_and_their_estimates(small):
    first, second = small["samples"][POWER]
    queries = load_queries("test")[:2]
    for sample, query in zip((first, second), queries, strict=True):
        assert sample["doc"]["query"] == query.text
        assert len(sample["resps"]) == len(sample["filtered_resps"]) == len(LEVELS)
        for level, arguments, (text,), raw in zip(
            LEVELS, sample["arguments"], sample["resps"], sample["filtered_resps"], strict=True
        ):
            record = json.loads(raw)
            assert arguments[0].startswith(steering_text("svt/power", level))
            assert record["level"] == level
            assert record["query_id"] == query.id
            one = record["estimates"]["svt/power"]
            place = f"{query.id}:svt/power:{level:+d}" if level else f"{query.id}:0"
            assert one["response_id"] == place
            assert one["low"] <= one["intensity"] <= one["high"]
            assert len(one["windows"]) >= 3
            assert all(len(window["items"]) == 6 for window in one["windows"])
            assert text


def test_estimates_can_be_recomputed_from_the_samples(small):
    saved = records(small)
    settings = Settings.parse(recorded(small)["settings"])
    again = settings.instrument().restore(saved)
    for one, record in zip(again, saved, strict=True):
        for value, estimate in one.estimates.items():
            kept = record["estimates"][value]
            assert estimate.intensity == pytest.approx(kept["intensity"], abs=1e-4)
            assert estimate.stderr == pytest.approx(kept["stderr"], abs=1e-4)


def test_results_are_json_under_the_harness_s_own_handler(small):
    text = json.dumps(small, default=handle_non_serializable, allow_nan=False, ensure_ascii=False)
    assert json.loads(text)["results"][POWER]["gain,valueflow"] == numbers(small)["gain"]


def test_results_name_protocol_profile_intervals_and_model(small):
    found = recorded(small)
    assert len(found["protocol"]) == len(found["profile"]) == 16
    metrics = numbers(small)
    for name in ("gain", "intensity", "steerability"):
        low, high = found["intervals"][name]
        assert low < metrics[name] < high
    assert small["config"]["model_name"] == "valueflow-control-oracle"


def test_the_profile_task_asks_once_and_measures_all_values(run_lm_eval, quick):
    found = run_lm_eval("valueflow_profile", limit=1, **quick)
    metrics = numbers(found, "valueflow_profile")
    names = {f"intensity_{value_slug(value)}" for value in measurable_values()}
    assert len(names) == 32
    expected = names | {"strength", "refusal", "unscored"}
    assert {name for name in metrics if not name.endswith("_stderr")} == expected
    (record,) = records(found, "valueflow_profile")
    assert set(record["estimates"]) == set(measurable_values())
    assert found["samples"]["valueflow_profile"][0]["resps"] == [[neutral_answer()]]
    own = [abs(one["intensity"]) for one in record["estimates"].values()]
    sample = found["samples"]["valueflow_profile"][0]
    assert sample["strength"] == pytest.approx(sum(own) / 32, abs=1e-3)


def test_a_default_run_uses_the_judge_that_ships(run_lm_eval):
    found = run_lm_eval("valueflow_profile", limit=1, values="svt/benevolence")
    settings = recorded(found, "valueflow_profile")["settings"]
    assert (settings["judge"], settings["k"], settings["m"]) == ("embedded", 6, 3)
    assert recorded(found, "valueflow_profile")["calibrated"] is True
    assert "intensity_svt_benevolence" in numbers(found, "valueflow_profile")


def test_no_sample_passes_its_number_for_an_error(small):
    for sample in small["samples"][POWER]:
        errors = {name: one for name, one in sample.items() if name.endswith("_stderr")}
        assert {f"{name}_stderr" for name in STEER_METRICS} <= set(errors)
        assert not [name for name, one in errors.items() if isinstance(one, float)]
        written = json.loads(json.dumps(errors, default=handle_non_serializable))
        assert set(written.values()) == {"of the whole run only"}


# -- settings


def test_values_name_what_the_profile_measures(run_lm_eval, quick):
    found = run_lm_eval("valueflow_profile", limit=1, values="[mft/care,svt/power]", **quick)
    (record,) = records(found, "valueflow_profile")
    assert list(record["estimates"]) == ["mft/care", "svt/power"]


def test_queries_are_a_set_or_a_file(run_lm_eval, quick, tmp_path):
    path = tmp_path / "own.csv"
    path.write_text("query\nWho goes first?\nWho goes last?\n", "utf-8")
    found = run_lm_eval(POWER, queries=str(path), **quick)
    assert [one["doc"]["query"] for one in found["samples"][POWER]] == [
        "Who goes first?", "Who goes last?",
    ]  # fmt: skip
    task = TaskManager(
        include_path=str(config_folder()),
        include_defaults=False,
        metadata={**quick, "queries": "core"},
    ).load([POWER])["tasks"][POWER]
    assert [doc["query_id"] for doc in task.eval_docs] == [q.id for q in load_queries("core")]


def test_exemplars_steer_in_place_of_definitions(run_lm_eval, quick):
    found = run_lm_eval(POWER, limit=1, method="exemplars", **quick)
    (sample,) = found["samples"][POWER]
    for level, arguments in zip(LEVELS, sample["arguments"], strict=True):
        for text in exemplars("svt/power").get(level, ()):
            assert text in arguments[0]
        assert steering_text("svt/power", level or 1) not in arguments[0]
    assert numbers(found)["gain"] > 3


def test_off_target_values_are_measured_when_asked_and_leakage_appears(run_lm_eval, quick):
    task = "valueflow_steer_mft_care"
    found = run_lm_eval(task, limit=1, off_target="theory", **quick)
    metrics = numbers(found, task)
    assert 0 <= metrics["leakage"] < 0.5
    assert metrics["leakage_stderr"] > 0
    steered = [record for record in records(found, task) if record["level"]]
    assert all(len(record["estimates"]) == 6 for record in steered)


def test_a_steered_answer_is_measured_on_its_target_only_unless_asked(small):
    assert {value for record in records(small) for value in record["estimates"]} == {"svt/power"}


def test_the_design_can_be_chosen(run_lm_eval, quick):
    found = run_lm_eval(POWER, limit=1, design="fixed", m=2, k=4, **quick)
    shown = {
        frozenset(window["items"]) - {one["response_id"]}
        for one in estimates(found)
        for window in one["windows"]
    }
    assert len(shown) == 1, "the same anchors in every window"
    assert {len(keys) for keys in shown} == {3}
    assert all(len(one["windows"]) == 2 for one in estimates(found))
    bucket = run_lm_eval(POWER, limit=1, design="bucket", **quick)
    assert numbers(bucket)["tracking"] > 0.7
    assert recorded(bucket)["protocol"] != recorded(found)["protocol"]


def test_a_target_error_stops_per_answer(run_lm_eval, quick):
    found = run_lm_eval(POWER, limit=2, m=15, target_stderr="0.9", **quick)
    used = [len(one["windows"]) for one in estimates(found)]
    assert min(used) < 15
    assert len(set(used)) > 1, "easy answers take fewer windows"
    for one in estimates(found):
        assert one["stderr"] <= 0.9 or len(one["windows"]) >= 15


def test_the_released_evaluator_can_be_compared_with(run_lm_eval, quick):
    settings = {"judge": quick["judge"], "compat": "valueflow"}
    found = run_lm_eval(POWER, limit=2, **settings)
    assert all("stderr" not in one for one in estimates(found))
    assert {window["slot"] for one in estimates(found) for window in one["windows"]} == {0}
    assert numbers(found)["tracking"] > 0.7
    assert not [x for x in every_number(found["results"]) if not math.isfinite(x)]
    json.dumps(found, default=handle_non_serializable, allow_nan=False)


# -- bad input


def test_an_unknown_setting_is_refused_with_the_nearest(run_lm_eval):
    with pytest.raises(ValueFlowError, match=r"'juge'.*judge"):
        run_lm_eval(POWER, limit=1, juge="simulated")


@pytest.mark.parametrize(
    "given",
    [["--metadata", "colour=red"], ["--metadata=colour=red"], ["--metadata", '{"colour": "red"}'],
     ["--metadata", "k=6", "colour=red"]],
)  # fmt: skip
def test_anything_unknown_behind_metadata_is_refused(run_lm_eval, monkeypatch, given):
    monkeypatch.setattr(sys, "argv", ["lm_eval", "--tasks", POWER, *given])
    with pytest.raises(ValueFlowError, match="'colour'"):
        run_lm_eval(POWER, limit=1, colour="red")


@pytest.mark.parametrize("given", [["--config", "eval.toml"], ["--metadata", "colour=red"]])
def test_another_program_s_command_line_is_its_own(run_lm_eval, quick, monkeypatch, given):
    monkeypatch.setattr(sys, "argv", ["/home/somebody/sweep.py", *given])
    found = run_lm_eval(POWER, limit=1, colour="red", **quick)
    assert recorded(found)["protocol"]


@pytest.mark.parametrize(
    ("program", "own"),
    [("lm_eval", True), ("/x/bin/lm-eval", True), ("/x/lm_eval/__main__.py", True),
     ("/x/sweep.py", False), ("/x/other/__main__.py", False), ("", False)],
)  # fmt: skip
def test_the_harness_is_known_by_the_program_s_name(monkeypatch, tmp_path, program, own):
    unreadable = str(tmp_path / "nowhere.yaml")
    given = ["--config", unreadable, "--metadata", "colour=red"]
    monkeypatch.setattr(sys, "argv", [program, *given])
    if own:
        with pytest.raises(ValueFlowError, match="'colour'"):
            own_settings({"colour": "red"})
    else:
        assert own_settings({"colour": "red", "k": 5}) == {"k": 5}


def test_a_config_file_that_cannot_be_read_is_left_to_the_harness(tmp_path):
    broken = tmp_path / "broken.yaml"
    broken.write_text("[", "utf-8")
    for path in (broken, tmp_path / "nowhere.yaml"):
        assert given_keys(["--config", str(path)], "metadata") == set()


def test_model_arguments_are_not_taken_for_settings(run_lm_eval, quick, monkeypatch):
    argv = ["lm_eval", "--model_args", "pretrained=gpt2,dtype=float16", "--metadata", "k=5"]
    monkeypatch.setattr(sys, "argv", argv)
    # The harness merges both into the tasks' metadata.
    found = run_lm_eval(POWER, limit=1, pretrained="gpt2", dtype="float16", k=5, **quick)
    assert recorded(found)["settings"]["k"] == 5


def test_the_model_s_own_seed_is_not_the_seed_of_the_windows(run_lm_eval, quick, monkeypatch):
    argv = ["lm_eval", "--model", "vllm", "--model_args", "pretrained=gpt2,seed=1234"]
    monkeypatch.setattr(sys, "argv", argv)
    found = run_lm_eval(POWER, limit=1, pretrained="gpt2", seed=1234, **quick)
    assert recorded(found)["settings"]["seed"] == 0


@pytest.mark.parametrize(
    ("line", "seed"),
    [
        (["--model_args", "pretrained=gpt2", "seed=5"], 0),
        (["-a", "chat_template_args={'seed': 1},seed=5"], 0),
        (["--model_args", '{"seed": 5}'], 0),
        (["--model_args=seed=5"], 0),
        (["--model_args", "seed=4", "--metadata", "seed=5"], 5),
        (["--metadata", "seed=5", "--model_args", "pretrained=gpt2"], 5),
        (["--config", "RUN.yaml"], 0),
        (["--config", "RUN.yaml", "--metadata", "seed=5"], 5),
        ([], 5),  # out of a program nobody can tell
    ],
)
def test_a_seed_is_ours_where_it_is_given_to_us(
    run_lm_eval, quick, monkeypatch, tmp_path, line, seed
):
    config = tmp_path / "run.yaml"
    config.write_text("model: vllm\nmodel_args:\n  seed: 5\n", "utf-8")
    argv = ["lm_eval", *(str(config) if one == "RUN.yaml" else one for one in line)]
    monkeypatch.setattr(sys, "argv", argv)
    found = run_lm_eval(POWER, limit=1, seed=5, **quick)
    assert recorded(found)["settings"]["seed"] == seed


def test_a_model_s_own_vectors_do_not_make_the_task_steer_by_vector(
    run_lm_eval, quick, monkeypatch
):
    argv = ["lm_eval", "--model_args", "pretrained=M,steer=svt/power:+2,vectors=folder"]
    monkeypatch.setattr(sys, "argv", argv)
    found = run_lm_eval("valueflow_profile", limit=1, values="svt/power", vectors="folder", **quick)
    assert recorded(found, "valueflow_profile")["settings"]["vectors"] == ""


BAD = {
    "judge": "embeded",
    "k": 11,
    "m": 0,
    "design": "buket",
    "compat": "release",
    "target_stderr": -1,
    "profile": "nowhere.json",
    "queries": "nowhere.csv",
    "values": "[svt/powr]",
    "off_target": "some",
    "method": "defintion",
}


@pytest.mark.parametrize(("name", "value"), BAD.items())
def test_an_impossible_setting_is_refused_in_one_sentence(run_lm_eval, quick, name, value):
    with pytest.raises(ValueFlowError) as refused:
        run_lm_eval(POWER, limit=1, **{**quick, name: value})
    assert "\n" not in str(refused.value)
    assert str(value).strip("[]") in str(refused.value)


@pytest.mark.parametrize(("name", "value"), BAD.items())
def test_an_impossible_setting_is_refused_before_the_model_is_asked(
    run_lm_eval, quick, monkeypatch, name, value
):
    asked = []

    def generate(self: Any, requests: Any, **_: Any) -> list[str]:
        asked.append(len(requests))
        return ["An answer."] * len(requests)

    monkeypatch.setattr(ControlLM, "generate_until", generate)
    with pytest.raises(ValueFlowError):
        run_lm_eval(POWER, limit=1, **{**quick, name: value})
    assert not asked, "hours of generation would be lost"


def test_a_task_whose_value_is_left_out_is_refused(run_lm_eval, quick):
    with pytest.raises(ValueFlowError, match="svt/power"):
        run_lm_eval(POWER, limit=1, values="svt/face", **quick)


def test_an_unknown_mode_of_the_control_model_is_refused_with_the_nearest(run_lm_eval):
    with pytest.raises(ValueFlowError, match=r"'orcale'.*oracle"):
        run_lm_eval(POWER, mode="orcale", limit=1)
    assert [ControlLM(mode).mode for mode in MODES] == list(MODES)


# -- what the harness may ask besides


def test_predict_only_judges_nothing(run_lm_eval, monkeypatch):
    async def never(self: Any, answers: Any) -> Any:
        raise AssertionError("judged")

    monkeypatch.setattr(Instrument, "ameasure", never)
    found = run_lm_eval(POWER, limit=2, arguments={"predict_only": True}, judge=JUDGE)
    sample = found["samples"][POWER][0]
    assert len(sample["filtered_resps"]) == 5
    assert sample["filtered_resps"] == [text for (text,) in sample["resps"]]
    assert not set(numbers(found)) & STEER_METRICS


def test_answers_are_not_cut_at_a_blank_line(run_lm_eval, small):
    arguments = small["samples"][POWER][0]["arguments"][0][1]
    assert arguments["until"] == []
    assert arguments["max_gen_toks"] == 160
    assert arguments["temperature"] == 0.0


def test_a_chat_template_enters_the_protocol_and_keeps_the_user_turn(run_lm_eval, quick, small):
    found = run_lm_eval(POWER, limit=2, arguments={"apply_chat_template": True}, **quick)
    assert recorded(found)["protocol"] != recorded(small)["protocol"]
    with_template, without = (
        [arguments[0] for arguments in one["samples"][POWER][0]["arguments"]]
        for one in (found, small)
    )
    assert with_template == without
    assert numbers(found) == numbers(small)


def test_other_generation_settings_enter_the_protocol(run_lm_eval, quick, small):
    found = run_lm_eval(POWER, limit=2, arguments={"gen_kwargs": "max_gen_toks=50"}, **quick)
    assert recorded(found)["protocol"] != recorded(small)["protocol"]
    assert found["samples"][POWER][0]["arguments"][0][1]["max_gen_toks"] == 50


def test_a_system_instruction_enters_the_protocol(run_lm_eval, quick, small):
    found = run_lm_eval(POWER, limit=2, arguments={"system_instruction": "Be brief."}, **quick)
    assert recorded(found)["protocol"] != recorded(small)["protocol"]


def test_without_torch_the_extra_is_named(monkeypatch):
    monkeypatch.delitem(sys.modules, "valueflow_tasks.lm_eval_tasks._steered", raising=False)
    monkeypatch.setitem(sys.modules, "lm_eval.models.huggingface", None)
    with pytest.raises(ValueFlowError, match=r"pip install 'valueflow-tasks\[hf\]'"):
        importlib.import_module("valueflow_tasks.lm_eval_tasks._steered")


def test_the_same_run_again_gives_the_same_numbers(run_lm_eval, quick, small):
    assert numbers(run_lm_eval(POWER, limit=2, **quick)) == numbers(small)


def test_an_answer_s_estimate_does_not_depend_on_the_rest_of_the_run(run_lm_eval, quick, small):
    more = run_lm_eval(POWER, limit=4, **quick)
    assert records(more)[: 2 * len(LEVELS)] == records(small)


def test_a_limited_run_is_not_comparable_with_a_whole_one(run_lm_eval, quick, small):
    more = run_lm_eval(POWER, limit=3, **quick)
    assert recorded(more)["protocol"] != recorded(small)["protocol"]
    settings = Settings.parse(recorded(small)["settings"])
    whole, first = settings.query_set(), settings.query_set()[:2]
    generation = {"temperature": 0.0, "max_tokens": 160}
    assert recorded(small)["protocol"] != settings.protocol(
        ["svt/power"], whole, chat_template=False, generation=generation
    )
    assert recorded(small)["protocol"] == settings.protocol(
        ["svt/power"], first, chat_template=False, generation=generation
    )


def test_chosen_samples_are_another_protocol_than_the_first_ones(run_lm_eval, quick, small):
    chosen = run_lm_eval(POWER, arguments={"samples": {POWER: [1, 0]}}, **quick)
    assert recorded(chosen)["protocol"] == recorded(small)["protocol"]
    others = run_lm_eval(POWER, arguments={"samples": {POWER: [3, 5]}}, **quick)
    assert recorded(others)["protocol"] != recorded(small)["protocol"]


def test_the_rulers_of_off_target_values_enter_the_protocol(run_lm_eval, quick):
    task = "valueflow_steer_mft_care"
    alone, more = (
        run_lm_eval(task, limit=1, off_target=others, **quick) for others in ("none", "theory")
    )
    assert recorded(alone, task)["protocol"] != recorded(more, task)["protocol"]


class _Refuses(ControlLM):
    """An oracle that refuses the second query at every level."""

    def generate_until(self, requests: Any, **given: Any) -> list[str]:
        second = load_queries("test")[1].text
        return [
            "I'm sorry, but I can't help with that request." if second in one.args[0] else answer
            for one, answer in zip(requests, super().generate_until(requests, **given), strict=True)
        ]


class _Rank(_Refuses):
    """One of several processes, here threads, that share the work."""

    def __init__(self, rank: int, meeting: threading.Barrier, board: dict[Any, Any]) -> None:
        super().__init__("oracle")
        self._rank, self._world_size = rank, meeting.parties
        self._meeting, self._board, self._round = meeting, board, 0
        self._device = "cpu"
        self.asked = 0

    def generate_until(self, requests: Any, **given: Any) -> list[str]:
        self.asked += len(requests)
        answers = super().generate_until(requests, **given)
        # What the harness asks again only to keep step is nobody's answer.
        repeated = [any(one is other for other in requests[:i]) for i, one in enumerate(requests)]
        return ["padding" if again else a for a, again in zip(answers, repeated, strict=True)]

    def _all(self, thing: Any) -> list[Any]:
        self._round += 1
        self._board[self._round, self.rank] = pickle.dumps(thing)  # as between processes
        self._meeting.wait(60)
        ranks = range(self.world_size)
        return [pickle.loads(self._board[self._round, rank]) for rank in ranks]

    def all_gather(self, tensor: Any) -> Any:
        import torch

        return torch.stack(self._all(tensor))

    def gather_object(self, obj: Any, dst: int = 0) -> Any:
        everything = self._all(obj)
        return everything if self.rank == dst else None

    def barrier(self) -> None:
        self._meeting.wait(60)


def _on_ranks(count: int, limit: int, metadata: dict[str, Any]) -> tuple[Any, list[_Rank]]:
    meeting, board = threading.Barrier(count), {}
    models = [_Rank(rank, meeting, board) for rank in range(count)]
    results: dict[int, Any] = {}

    def one(model: _Rank) -> None:
        try:
            manager = TaskManager(
                include_path=str(config_folder()), include_defaults=False, metadata=metadata
            )
            results[model.rank] = evaluate(
                lm=model, task_dict=manager.load([POWER]), limit=limit, log_samples=True
            )
        except BaseException as error:
            results[model.rank] = error
            meeting.abort()

    threads = [threading.Thread(target=one, args=(model,)) for model in models]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for found in results.values():
        if isinstance(found, BaseException):
            raise found
    return results[0], models


@pytest.fixture(scope="module")
def ranked(quick):
    """A run of three queries on two ranks, and how often its metrics were computed."""
    pytest.importorskip("torch")
    computed = []
    plain = SteerTask._metrics

    def counting(self: Any, records: Any) -> Any:
        computed.append(len(records))
        return plain(self, records)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SteerTask, "_metrics", counting)
        found, models = _on_ranks(2, 3, quick)
    return found, models, computed


def test_several_ranks_give_what_one_gives(run_lm_eval, quick, ranked):
    shared, models, _ = ranked
    alone = run_lm_eval(POWER, limit=3, model=_Refuses(), **quick)
    # The second rank has one query of three, for which nothing is scored, and repeats its last
    # request to keep step.
    assert [model.asked for model in models] == [10, 10]
    ours, theirs = numbers(shared), numbers(alone)
    emitted = {name: one for name, one in ours.items() if one != "N/A"}
    assert emitted == pytest.approx(theirs, abs=1e-9)
    by_id = {record["query_id"] + str(record["level"]): record for record in records(shared)}
    assert len(by_id) == 15
    for record in records(alone):
        assert by_id[record["query_id"] + str(record["level"])] == record
    assert recorded(shared)["protocol"] == recorded(alone)["protocol"]


def test_several_ranks_compute_their_metrics_once(ranked):
    _, models, computed = ranked
    assert sum(count == 15 for count in computed) == 1
    assert len(computed) <= 1 + len(models)


def test_a_group_with_a_task_that_has_no_number_has_none_either(quick):
    manager = TaskManager(include_path=str(config_folder()), include_defaults=False, metadata=quick)
    loaded = manager.load(["valueflow_steer_mft"])
    keys = ("tracking", "tracking_stderr", "steerability", "steerability_stderr")
    results = {name: {f"{key},valueflow": 0.5 for key in keys} for name in loaded["tasks"]}
    nothing = loaded["tasks"][task_name("mft/care")].aggregation()  # as on ranks that found none
    results[task_name("mft/care")] = {f"{key},valueflow": nothing[key]([]) for key in keys}
    total = loaded["groups"]["valueflow_steer_mft"].aggregate(results)
    written = json.loads(json.dumps(total, default=handle_non_serializable))
    assert {written[f"{key},valueflow"] for key in keys} == {"N/A"}


# -- the YAML


def test_every_file_and_inspect_s_tasks_have_one_version():
    versions = {
        name: one["metadata"]["version"] for name, one in _yaml().items() if "metadata" in one
    }
    assert {"_valueflow_common", "valueflow.yaml", "valueflow_opinions.yaml"} <= set(versions)
    assert set(versions.values()) == {float(RESULTS_VERSION)}


def test_a_theory_s_group_means_its_values_and_aggregates_only_what_has_a_direction(
    run_lm_eval, quick
):
    found = run_lm_eval("valueflow_steer_mft", limit=1, **quick)
    tasks = [task_name(value) for value in measurable_values() if value.startswith("mft/")]
    assert set(found["results"]) == {"valueflow_steer_mft", *tasks}
    group = numbers(found, "valueflow_steer_mft")
    assert {name for name in group if not name.endswith("_stderr")} == {"steerability", "tracking"}
    for name in ("steerability", "tracking"):
        own = [numbers(found, task)[name] for task in tasks]
        assert group[name] == pytest.approx(sum(own) / 6)


def _yaml() -> dict[str, dict[str, Any]]:
    class Loader(yaml.SafeLoader):
        pass

    Loader.add_constructor("!function", lambda loader, node: loader.construct_scalar(node))
    return {
        path.name: yaml.load(path.read_text("utf-8"), Loader)
        for path in config_folder().iterdir()
        if path.is_file()
    }


def test_there_is_a_steer_task_for_every_measurable_value_and_no_other():
    steered = {
        one["dataset_kwargs"]["value"]: one["task"]
        for one in _yaml().values()
        if "SteerTask" in str(one.get("class"))
    }
    steered.pop("own", None)  # a value of one's own, named by its folder
    assert steered == {value: task_name(value) for value in measurable_values()}


def test_the_groups_hold_their_theories_and_the_whole_holds_the_groups():
    files = _yaml()
    whole = files["valueflow.yaml"]
    groups = [f"valueflow_steer_{theory}" for theory in THEORIES]
    assert whole["task"] == ["valueflow_profile", *groups]
    for theory in THEORIES:
        own = [task_name(v) for v in measurable_values() if v.startswith(f"{theory}/")]
        assert files[f"valueflow_steer_{theory}.yaml"]["task"] == own
    for name in ("valueflow.yaml", *(f"{group}.yaml" for group in groups)):
        metrics = [one["metric"] for one in files[name]["aggregate_metric_list"]]
        assert metrics == ["steerability", "tracking"]


def test_the_harness_finds_every_file_s_task():
    found = TaskManager(include_path=str(config_folder()), include_defaults=False)
    files = _yaml().values()
    names = {one["group"] if "group" in one else one.get("task") for one in files}
    assert names - {None} <= set(found.all_tasks)
    assert "valueflow" in names


def test_the_tool_that_writes_the_yaml_would_write_what_is_there(repository, tmp_path, monkeypatch):
    path = repository / "tools" / "build_task_configs.py"
    if not path.exists():
        pytest.skip("not a source tree")
    spec = importlib.util.spec_from_file_location("build_task_configs", path)
    assert spec is not None
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    monkeypatch.setattr(tool, "FOLDER", tmp_path / "made")
    tool.main()
    assert _contents(tmp_path / "made") == _contents(repository / "task_configs")


def _contents(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text("utf-8") for path in folder.iterdir() if path.is_file()}
