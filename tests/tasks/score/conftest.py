"""What the tests of `valueflow score` share."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from valueflow_scorers import Anchor, Judgement, JudgeProfile, Window
from valueflow_scorers.judges import ResolvedJudge

from valueflow_tasks.score import Scoring, summary_table


class CountingJudge:
    """Orders by truth, remembers whom it was asked about, and can be made to break."""

    name = "counting"
    prompt_version = "1"

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self.texts: list[str] = []
        self.reads_as: dict[str, float] = {}
        self.breaks_after: int | None = None

    async def judge(self, windows: Sequence[Window]) -> list[Judgement]:
        return [self._one(window) for window in windows]

    def _one(self, window: Window) -> Judgement:
        if self.breaks_after is not None and sum(self.asked.values()) >= self.breaks_after:
            raise ConnectionError("the judge is gone")
        response = window.items[window.response_index or 0]
        self.asked[response.key] += 1
        self.texts.append(response.text)
        own = self.reads_as.get(response.text, 0.5)
        seen = [one.intensity if isinstance(one, Anchor) else own for one in window.items]
        order = sorted(range(len(seen)), key=lambda slot: -seen[slot])
        return Judgement(order=tuple(order), raw="Größe → klein: ✓")


@pytest.fixture
def counting() -> CountingJudge:
    """A judge that counts."""
    return CountingJudge()


@pytest.fixture
def judge(counting: CountingJudge, monkeypatch: pytest.MonkeyPatch) -> CountingJudge:
    """Stands in for whatever judge is named."""
    resolved = ResolvedJudge(counting.name, counting.prompt_version, counting)
    monkeypatch.setattr("valueflow_scorers._measure.resolve_judge", lambda *_, **__: resolved)
    return counting


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """A file of answers: dicts, or lines as they are."""

    def make(*lines: dict[str, Any] | str, name: str = "answers.jsonl") -> Path:
        path = tmp_path / name
        rows = [line if isinstance(line, str) else json.dumps(line) for line in lines]
        path.write_text("".join(row + "\n" for row in rows), "utf-8")
        return path

    return make


@pytest.fixture
def quick(tmp_path: Path) -> dict[str, str]:
    """As for all tests, with a profile of the test's own."""
    path = tmp_path / "profile.json"
    JudgeProfile("simulated:noise=1:text=0", tau=1.0, omegas=(0.1,), calibrated=True).save(path)
    return {"judge": "simulated:noise=1", "profile": str(path)}


@pytest.fixture
def answers() -> Callable[..., list[dict[str, Any]]]:
    """So many answers to one query: answers(count, value="svt/power")."""

    def make(count: int, value: str = "svt/power") -> list[dict[str, Any]]:
        return [
            {"value": value, "response": f"Answer number {i}.", "query": "Who?", "id": f"a{i}"}
            for i in range(count)
        ]

    return make


@pytest.fixture
def read() -> Callable[[Path], list[dict[str, Any]]]:
    """The entries of an output."""
    return lambda path: [json.loads(line) for line in path.read_text("utf-8").splitlines()]


@pytest.fixture
def finish(read: Callable[[Path], list[dict[str, Any]]]) -> Callable[..., list[dict[str, Any]]]:
    """Score whatever is left, and read the output: finish(scoring, batch=64)."""

    def run(scoring: Scoring, batch: int = 64) -> list[dict[str, Any]]:
        assert sum(scoring.run(batch)) >= 0
        return read(scoring.output)

    return run


@pytest.fixture
def shown(tmp_path: Path) -> Callable[[Scoring], list[str]]:
    """The cells of the one row of the summary; the first is empty."""

    def cells(scoring: Scoring) -> list[str]:
        console = Console(width=200, record=True, file=(tmp_path / "table").open("w"))
        console.print(summary_table(scoring))
        (row,) = [
            line for line in console.export_text().splitlines() if "/" in line and "│" in line
        ]
        return ["", *(cell.strip() for cell in row.split("│")[1:])]

    return cells
