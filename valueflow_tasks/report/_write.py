"""Write a report: the page, its pictures and tables as files, and all answers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from valueflow_scorers import ValueFlowError

if TYPE_CHECKING:
    from ..analysis import Runs
    from ._parts import Contents

TABLES = ("cells", "overall", "regimes", "points", "composed", "leakage", "effects", "outcomes",
          "failures")  # fmt: skip
"""Tables of a part that are written as CSV, by attribute."""
_PART = re.compile(r"^judge-\d+-")
"""In front of the figures of every part but the first."""


def write_report(runs: Runs, folder: Path) -> Path:
    """Write everything into a folder.

    Args:
        runs: What was measured.
        folder: For `index.html` (which needs none of the rest), `figures/`, `tables/` and
            `answers.jsonl`; files of an earlier report are replaced.

    Returns:
        The page.

    Raises:
        ValueFlowError: if the folder is a file, or a package for drawing is not installed.
    """
    from ._answers import write_answers
    from ._page import render
    from ._parts import gather
    from ._pictures import pictures

    if folder.exists() and not folder.is_dir():
        raise ValueFlowError(f"{folder} is a file: name a folder for the report")
    for name in ("figures", "tables"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    contents = gather(runs)
    drawn = [
        pictures(part, f"judge-{place + 1}-" if place else "")
        for place, part in enumerate(contents.parts)
    ]
    lines = write_answers(contents.parts, folder / "answers.jsonl")
    page = folder / "index.html"
    page.write_text(render(contents, runs, drawn, lines), "utf-8")
    for old in _figures(folder / "figures"):  # of an earlier report
        old.unlink()
    for part, one in zip(contents.parts, drawn, strict=True):
        one.save(part, folder / "figures")
    _write_tables(contents, folder / "tables")
    return page


def _figures(folder: Path) -> Iterator[Path]:
    """Files that have the name of a figure; others are not ours to remove."""
    from ._pictures import NAMES

    for path in folder.iterdir():
        name = _PART.sub("", path.stem)
        if path.suffix in (".png", ".svg") and name in NAMES:
            yield path


def _write_tables(contents: Contents, folder: Path) -> None:
    import pandas as pd

    for name in TABLES:
        found = [
            getattr(part, name).assign(setting=part.setting, judge=part.judge)
            for part in contents.parts
            if len(getattr(part, name))
        ]
        path = folder / f"{name}.csv"
        if found:
            pd.concat(found).to_csv(path, index=False)
        else:
            path.unlink(missing_ok=True)  # of an earlier report
