"""The YAML that the harness finds the tasks and their groups by."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest
import yaml
from lm_eval.tasks import TaskManager

from valueflow_tasks.lm_eval_tasks._link import config_folder
from valueflow_tasks.settings import RESULTS_VERSION, measurable_values
from valueflow_tasks.theories import THEORIES


def _yaml() -> dict[str, dict[str, Any]]:
    class Loader(yaml.SafeLoader):
        pass

    Loader.add_constructor("!function", lambda loader, node: loader.construct_scalar(node))
    return {
        path.name: yaml.load(path.read_text("utf-8"), Loader)
        for path in config_folder().iterdir()
        if path.is_file()
    }


def _contents(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text("utf-8") for path in folder.iterdir() if path.is_file()}


def test_every_file_and_inspect_s_tasks_have_one_version():
    versions = {
        name: one["metadata"]["version"] for name, one in _yaml().items() if "metadata" in one
    }
    assert {"_valueflow_common", "valueflow.yaml", "valueflow_opinions.yaml"} <= set(versions)
    assert set(versions.values()) == {float(RESULTS_VERSION)}


def test_a_theory_s_group_means_its_values_and_aggregates_only_what_has_a_direction(
    run_lm_eval, quick, task_name, numbers
):
    found = run_lm_eval("valueflow_steer_mft", limit=1, **quick)
    tasks = [task_name(value) for value in measurable_values() if value.startswith("mft/")]
    assert set(found["results"]) == {"valueflow_steer_mft", *tasks}
    group = numbers(found, "valueflow_steer_mft")
    assert {name for name in group if not name.endswith("_stderr")} == {"steerability", "tracking"}
    for name in ("steerability", "tracking"):
        own = [numbers(found, task)[name] for task in tasks]
        assert group[name] == pytest.approx(sum(own) / 6)


def test_there_is_a_steer_task_for_every_measurable_value_and_no_other(task_name):
    steered = {
        one["dataset_kwargs"]["value"]: one["task"]
        for one in _yaml().values()
        if "SteerTask" in str(one.get("class"))
    }
    steered.pop("own", None)  # a value of one's own, named by its folder
    assert steered == {value: task_name(value) for value in measurable_values()}


def test_the_groups_hold_their_theories_and_the_whole_holds_the_groups(task_name):
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
