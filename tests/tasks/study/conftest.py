"""What the tests of studies share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def queries(tmp_path: Path) -> Path:
    """Four questions."""
    path = tmp_path / "few.csv"
    path.write_text("query\n" + "".join(f"What matters on day {i}?\n" for i in range(4)), "utf-8")
    return path


@pytest.fixture
def run_study(tmp_path: Path, valueflow: Callable[..., Any]) -> Callable[..., Any]:
    """`valueflow study run`, into `out`; see `valueflow`.

    run("study.yaml", "--only", "judgements")
    """
    return lambda source, *options: valueflow(
        "study", "run", tmp_path / source, "-o", tmp_path / "out", *options
    )
