"""Runs of both harnesses in this process, and nothing that belongs to whoever runs the tests."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from valueflow_scorers import JudgeProfile

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(scope="session", autouse=True)
def own_folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """No test reads or writes the journal, the profiles or the logs of whoever runs it."""
    folder = tmp_path_factory.mktemp("own")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VALUEFLOW_JOURNAL", str(folder / "journal"))
        patch.setenv("VALUEFLOW_PROFILES", str(folder / "profiles"))
        patch.setenv("INSPECT_LOG_DIR", str(folder / "logs"))
        yield folder


@pytest.fixture(scope="session")
def repository() -> Path:
    """The source tree."""
    return REPOSITORY


@pytest.fixture(scope="session")
def quick(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Settings under which nothing has to be fitted first."""
    path = tmp_path_factory.mktemp("profile") / "profile.json"
    JudgeProfile("simulated:noise=1:text=0", tau=1.0, omegas=(0.1,), calibrated=True).save(path)
    return {"judge": "simulated:noise=1", "profile": str(path)}


class Ended(NamedTuple):
    """What came of a command."""

    code: int
    out: str
    err: str


@pytest.fixture
def valueflow(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Ended]:
    """Run the command in this process: exit code and what was printed.

    valueflow("score", path, "-o", output)
    """
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments: object) -> Ended:
        from valueflow_tasks.cli import main

        monkeypatch.setattr(sys, "argv", ["valueflow", *map(str, arguments)])
        code = 0
        capsys.readouterr()
        try:
            main()
        except SystemExit as ended:
            code = int(ended.code or 0)
        return Ended(code, *capsys.readouterr())

    return run


@pytest.fixture
def run_lm_eval() -> Callable[..., dict[str, Any]]:
    """The harness's own entry point, as `lm_eval --model valueflow-control` uses it.

    run(tasks, mode="oracle", limit=None, arguments={}, **metadata)
    """

    def run(
        tasks: str | list[str],
        mode: str = "oracle",
        limit: int | None = None,
        arguments: dict[str, Any] | None = None,
        model: Any = None,
        **metadata: Any,
    ) -> dict[str, Any]:
        pytest.importorskip("lm_eval")
        import lm_eval
        import lm_eval.models
        from lm_eval.tasks import TaskManager

        import valueflow_tasks.lm_eval_tasks  # noqa: F401  registers ours
        from valueflow_tasks.lm_eval_tasks._link import config_folder

        manager = TaskManager(
            include_path=str(config_folder()), include_defaults=False, metadata=metadata
        )
        return lm_eval.simple_evaluate(
            model=model or "valueflow-control",
            tasks=[tasks] if isinstance(tasks, str) else tasks,
            task_manager=manager,
            limit=limit,
            log_samples=True,
            **{"model_args": None if model else {"mode": mode}, **(arguments or {})},
        )

    return run


@pytest.fixture
def run_inspect(tmp_path: Path) -> Callable[..., Any]:
    """`inspect eval` with a control model; the log it wrote.

    run(task, mode="oracle", **arguments of inspect_ai.eval)
    """

    def run(task: Any, mode: str = "oracle", **given: Any) -> Any:
        pytest.importorskip("inspect_ai")
        from inspect_ai import eval as inspect_eval

        model = given.pop("model", "valueflow/control")
        arguments = {"mode": mode} if model == "valueflow/control" else {}
        arguments |= given.pop("model_args", {})
        (log,) = inspect_eval(
            task,
            model=model,
            model_args=arguments,
            log_dir=given.pop("log_dir", str(tmp_path / "logs")),
            display="none",
            **given,
        )
        return log

    return run


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """The folder of a value of one's own with its ruler, under an id that no other test has."""
    folder = tmp_path / "own"
    name = re.sub(r"[^a-z0-9]+", "-", tmp_path.name.lower())
    shutil.copytree(REPOSITORY / "docs" / "examples" / "es" / "loyalty", folder)
    for file in ("value.yaml", "es-loyalty.jsonl"):
        text = (folder / file).read_text("utf-8").replace("es/loyalty", f"own/{name}")
        (folder / file).unlink()
        (folder / file.replace("es-loyalty", f"own-{name}")).write_text(text, "utf-8")
    return folder
