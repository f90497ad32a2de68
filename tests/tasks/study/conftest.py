"""What the tests of studies share."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest


class Ended(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture
def queries(tmp_path: Path) -> Path:
    """Four questions."""
    path = tmp_path / "few.csv"
    path.write_text("query\n" + "".join(f"What matters on day {i}?\n" for i in range(4)), "utf-8")
    return path


@pytest.fixture
def run_study(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Ended]:
    """`valueflow study run` in this process, into `out`: exit code and what was printed.

    run("study.yaml", "--only", "judgements")
    """

    def run(source: str, *options: str) -> Ended:
        from valueflow_tasks.cli import main

        given = [str(tmp_path / source), "-o", str(tmp_path / "out"), *options]
        monkeypatch.setattr(sys, "argv", ["valueflow", "study", "run", *given])
        capsys.readouterr()
        code = 0
        try:
            main()
        except SystemExit as ended:
            code = int(ended.code or 0)
        return Ended(code, *capsys.readouterr())

    return run
