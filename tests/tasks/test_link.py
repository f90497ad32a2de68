"""How plain `lm_eval` finds the tasks: a copy on request, and nothing in anybody's package."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

pytest.importorskip("lm_eval")

import lm_eval
from valueflow_scorers import ValueFlowError, panel_values

from valueflow_tasks.lm_eval_tasks import _link
from valueflow_tasks.settings import measurable_values
from valueflow_tasks.theories import THEORIES


@pytest.fixture
def target(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A tasks folder of our own in place of the harness's."""
    folder = tmp_path / "lm_eval" / "tasks" / "valueflow"
    folder.parent.mkdir(parents=True)
    monkeypatch.setattr(_link, "linked_folder", lambda: folder)
    return folder


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_the_task_files_are_where_the_package_says():
    found = _link.config_folder()
    assert {"valueflow.yaml", "valueflow_profile.yaml", "_valueflow_common"} <= names(found)
    assert len(list(found.glob("valueflow_steer_*_*.yaml"))) == len(measurable_values())


def test_the_copy_goes_into_the_tasks_of_the_harness_that_imports():
    expected = Path(lm_eval.__path__[0]) / "tasks" / "valueflow"
    assert _link.linked_folder() == expected


def test_without_the_harness_the_remedy_is_named(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ValueFlowError, match="pip install lm-eval"):
        _link.linked_folder()


def test_linking_copies_every_file_and_checking_says_so(target):
    assert not _link.is_linked()
    assert _link.link() == target
    assert _link.is_linked()
    for path in _link.config_folder().iterdir():
        if path.is_file():
            assert (target / path.name).read_bytes() == path.read_bytes()


def test_the_copy_is_a_tasks_folder_that_the_harness_reads(target):
    from lm_eval.tasks import TaskManager

    _link.link()
    manager = TaskManager(
        include_path=str(target.parent),
        include_defaults=False,
        metadata={"judge": "simulated:noise=1", "queries": "core"},
    )
    assert {"valueflow", *(f"valueflow_steer_{name}" for name in THEORIES)} <= set(
        manager.all_groups
    )
    task = manager.load(["valueflow_profile"])["tasks"]["valueflow_profile"]
    assert len(task.eval_docs) == 20


def test_undoing_removes_the_copy_and_nothing_else(target):
    beside = target.parent / "hellaswag"
    beside.mkdir()
    (beside / "hellaswag.yaml").write_text("task: hellaswag\n")
    _link.link()
    assert _link.unlink() == target
    assert not target.exists()
    assert not _link.is_linked()
    assert names(target.parent) == {"hellaswag"}
    assert names(beside) == {"hellaswag.yaml"}


def test_undoing_what_was_never_done_does_no_harm(target):
    assert _link.unlink() is None
    assert not target.exists()


def test_linking_again_brings_an_old_copy_up_to_date(target):
    _link.link()
    (target / "valueflow.yaml").write_text("old\n")
    assert not _link.is_linked()
    (target / "valueflow_gone.yaml").write_text("task: valueflow_gone\n")
    _link.link()
    assert _link.is_linked()
    assert "valueflow_gone.yaml" not in names(target)


def test_a_copy_that_lacks_a_file_is_not_current(target):
    _link.link()
    (target / "valueflow_steer_svt_power.yaml").unlink()
    assert not _link.is_linked()


def test_a_copy_with_a_task_that_no_longer_ships_is_not_current(target):
    _link.link()
    (target / "valueflow_steer_svt_gone.yaml").write_text("task: valueflow_steer_svt_gone\n")
    assert not _link.is_linked()


@pytest.mark.parametrize("act", [_link.link, _link.unlink])
def test_a_folder_of_that_name_that_is_not_ours_is_left_alone(target, act):
    target.mkdir()
    (target / "theirs.yaml").write_text("task: theirs\n")
    with pytest.raises(ValueFlowError, match="left alone"):
        act()
    assert names(target) == {"theirs.yaml"}
    assert (target / "theirs.yaml").read_text() == "task: theirs\n"


def test_a_folder_that_cannot_be_written_names_the_other_ways(target, monkeypatch):
    def denied(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(_link.shutil, "copytree", denied)
    with pytest.raises(ValueFlowError, match=r"Permission denied.*valueflow lm-eval.*include_path"):
        _link.link()


def test_a_copy_that_was_interrupted_can_be_undone_and_made_again(target, monkeypatch):
    def interrupted(source: Path, to: Path, **_: object) -> None:
        (to / "valueflow.yaml").write_text("half\n")
        raise KeyboardInterrupt

    monkeypatch.setattr(_link.shutil, "copytree", interrupted)
    with pytest.raises(KeyboardInterrupt):
        _link.link()
    monkeypatch.undo()
    monkeypatch.setattr(_link, "linked_folder", lambda: target)
    assert not _link.is_linked()
    assert _link.unlink() == target
    assert not target.exists()
    _link.link()
    assert _link.is_linked()


def test_a_copy_that_cannot_be_removed_is_not_said_to_be(target, monkeypatch):
    def denied(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    _link.link()
    monkeypatch.setattr(_link.shutil, "rmtree", denied)
    with pytest.raises(ValueFlowError, match="cannot remove"):
        _link.unlink()


# -- what is installed


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Path:
    if importlib.util.find_spec("hatchling") is None:
        pytest.skip("hatchling is not installed")
    source = request.config.rootpath
    if not (source / "pyproject.toml").exists():
        pytest.skip("not a source tree")
    folder = tmp_path_factory.mktemp("wheel")
    command = [
        sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation",
        "--no-index", "--wheel-dir", str(folder), str(source),
    ]  # fmt: skip
    subprocess.run(command, check=True, timeout=300)
    (built,) = folder.glob("*.whl")
    return built


@pytest.mark.slow
def test_a_wheel_holds_tasks_and_panels_and_nothing_in_other_packages(wheel):
    held = zipfile.ZipFile(wheel).namelist()
    tops = {name.partition("/")[0] for name in held}
    assert {top for top in tops if not top.endswith(".dist-info")} == {
        "valueflow_tasks", "valueflow_scorers",
    }  # fmt: skip
    assert not [name for name in held if name.startswith(("lm_eval/", "scorers/", "tests/"))]
    for path in _link.config_folder().iterdir():
        if path.is_file():
            assert f"valueflow_tasks/task_configs/{path.name}" in held
    for value in panel_values():
        for kind in ("panels", "texts", "ratings"):
            assert f"valueflow_scorers/data/{kind}/{value.replace('/', '-', 1)}.jsonl" in held
    assert "valueflow_scorers/data/profiles/embedded.json" in held
    assert "valueflow_scorers/data/attacks.jsonl" in held
    assert any(name.startswith("valueflow_scorers/data/embeddings/") for name in held)
    for theory in THEORIES:
        assert f"valueflow_tasks/theories/data/{theory}.json" in held
    assert "valueflow_tasks/queries/data/queries.jsonl" in held
    assert "valueflow_tasks/py.typed" in held
    assert "valueflow_scorers/py.typed" in held


@pytest.mark.slow
def test_an_installed_wheel_finds_its_own_data_from_another_folder(wheel, tmp_path):
    zipfile.ZipFile(wheel).extractall(tmp_path / "site")
    program = (
        "from valueflow_tasks.lm_eval_tasks._link import config_folder\n"
        "from valueflow_tasks.queries import load_queries\n"
        "from valueflow_tasks.settings import measurable_values\n"
        "print(config_folder(), len(load_queries()), len(measurable_values()))\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "site")}
    ended = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    configs, queries, values = ended.stdout.split()
    assert Path(configs) == tmp_path / "site" / "valueflow_tasks" / "task_configs"
    assert (queries, values) == ("70", "32")


@pytest.mark.slow
def test_entry_points_name_what_exists(wheel):
    archive = zipfile.ZipFile(wheel)
    (name,) = [name for name in archive.namelist() if name.endswith("entry_points.txt")]
    points = [
        line.split(" = ")[1] for line in archive.read(name).decode().splitlines() if " = " in line
    ]
    assert len(points) >= 4
    for point in points:
        module, _, attribute = point.partition(":")
        if "_steered" in module and importlib.util.find_spec("torch") is None:
            continue
        found = importlib.import_module(module)
        assert not attribute or hasattr(found, attribute), point
