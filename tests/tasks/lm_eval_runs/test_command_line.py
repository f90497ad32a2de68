"""Which words of the harness's command line are settings of the tasks, and which are not."""

from __future__ import annotations

import sys

import pytest
from valueflow_scorers import ValueFlowError

from valueflow_tasks.lm_eval_tasks._metadata import given_keys, own_settings

POWER = "valueflow_steer_svt_power"


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
def test_another_program_s_command_line_is_its_own(
    run_lm_eval, quick, monkeypatch, given, recorded
):
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


def test_model_arguments_are_not_taken_for_settings(run_lm_eval, quick, monkeypatch, recorded):
    argv = ["lm_eval", "--model_args", "pretrained=gpt2,dtype=float16", "--metadata", "k=5"]
    monkeypatch.setattr(sys, "argv", argv)
    # The harness merges both into the tasks' metadata.
    found = run_lm_eval(POWER, limit=1, pretrained="gpt2", dtype="float16", k=5, **quick)
    assert recorded(found)["settings"]["k"] == 5


def test_the_model_s_own_seed_is_not_the_seed_of_the_windows(
    run_lm_eval, quick, monkeypatch, recorded
):
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
    run_lm_eval, quick, monkeypatch, tmp_path, line, seed, recorded
):
    config = tmp_path / "run.yaml"
    config.write_text("model: vllm\nmodel_args:\n  seed: 5\n", "utf-8")
    argv = ["lm_eval", *(str(config) if one == "RUN.yaml" else one for one in line)]
    monkeypatch.setattr(sys, "argv", argv)
    found = run_lm_eval(POWER, limit=1, seed=5, **quick)
    assert recorded(found)["settings"]["seed"] == seed


def test_a_model_s_own_vectors_do_not_make_the_task_steer_by_vector(
    run_lm_eval, quick, monkeypatch, recorded
):
    argv = ["lm_eval", "--model_args", "pretrained=M,steer=svt/power:+2,vectors=folder"]
    monkeypatch.setattr(sys, "argv", argv)
    found = run_lm_eval("valueflow_profile", limit=1, values="svt/power", vectors="folder", **quick)
    assert recorded(found, "valueflow_profile")["settings"]["vectors"] == ""
