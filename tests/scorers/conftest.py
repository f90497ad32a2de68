"""Judges whose errors are planted, and the measurement model written out the slow way."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from valueflow_scorers import (
    AnchorEvaluator,
    IntensityEstimate,
    JudgedWindow,
    Judgement,
    JudgeProfile,
    Panel,
    Response,
    Window,
    estimate,
)
from valueflow_scorers._sentences import sentence_words


def _generator(*parts: object) -> np.random.Generator:
    digest = hashlib.sha256("\x1f".join(map(str, parts)).encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:8], "big"))


class PlantedJudge:
    """Orders by true intensity + persistent misreading + slot bias + Gumbel noise."""

    name = "planted"

    def __init__(
        self,
        tau: float = 1.0,
        omega: float = 0.0,
        bias: Sequence[float] = (),
        truth: Mapping[str, float] | None = None,
        seed: int = 0,
    ) -> None:
        self.tau, self.omega, self.seed = tau, omega, seed
        self.bias = np.array(bias, dtype=float)
        self.truth = dict(truth or {})
        """Intensity by text; an anchor's own label where it is not named."""

    def misreading(self, text: str) -> float:
        return self.omega * float(_generator("text", self.seed, text).standard_normal())

    def perceived(self, text: str, label: float | None) -> float:
        return float(self.truth.get(text, label)) + self.misreading(text)  # type: ignore[arg-type]

    async def judge(self, windows: Sequence[Window]) -> list[Judgement]:
        return [self.one(window) for window in windows]

    def one(self, window: Window) -> Judgement:
        if any(isinstance(i, Response) and i.text not in self.truth for i in window.items):
            return Judgement(failure="unknown text")
        seen = np.array(
            [self.perceived(item.text, getattr(item, "intensity", None)) for item in window.items]
        )
        if len(self.bias):
            seen += self.bias
        rng = _generator("window", self.seed, *(item.key for item in window.items))
        seen += self.tau * rng.gumbel(size=len(seen))
        return Judgement(order=tuple(int(slot) for slot in np.argsort(-seen)))


class ReadingJudge:
    """Reads every response as the planted number plus persistent error; sd as stated."""

    name = "reading"

    def __init__(self, truth: Mapping[str, float], sd: float = 1.0, error: float = 0.0) -> None:
        self.truth, self.sd, self.error, self.asked = dict(truth), sd, error, 0

    async def judge(self, windows: Sequence[Window]) -> list[Judgement]:
        self.asked += len(windows)
        found = []
        for window in windows:
            assert window.response_index is not None
            text = window.items[window.response_index].text
            off = math.hypot(self.sd, self.error) * float(_generator(text).standard_normal())
            found.append(Judgement(reading=(self.truth[text] + off, self.sd)))
        return found


@pytest.fixture(autouse=True)
def own_journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No test reads or writes the journal of whoever runs it."""
    monkeypatch.setenv("VALUEFLOW_JOURNAL", str(tmp_path / "journal"))
    return tmp_path / "journal"


@pytest.fixture(scope="session")
def planted_judge() -> type[PlantedJudge]:
    return PlantedJudge


@pytest.fixture(scope="session")
def reading_judge() -> type[ReadingJudge]:
    return ReadingJudge


@pytest.fixture(scope="session")
def order_log_probability() -> Callable[..., float]:
    """log P(order) under Plackett-Luce, stage by stage as the textbook has it."""

    def log_probability(utilities: Sequence[float], order: Sequence[int], tau: float) -> float:
        total = 0.0
        left = list(order)
        while left:
            scores = [utilities[item] / tau for item in left]
            top = max(scores)
            total += scores[0] - top - math.log(sum(math.exp(score - top) for score in scores))
            left.pop(0)
        return total

    return log_probability


@pytest.fixture(scope="session")
def measure() -> Callable[..., list[IntensityEstimate]]:
    """Estimates of responses with known intensities under a planted judge."""

    def run(
        panel: Panel,
        judge: PlantedJudge,
        thetas: Sequence[float],
        profile: JudgeProfile,
        m: int = 3,
        k: int = 6,
        texts: Sequence[str] | None = None,
    ) -> list[IntensityEstimate]:
        words = texts or [f"response {i}" for i in range(len(thetas))]
        judge.truth.update(zip(words, map(float, thetas), strict=True))
        responses = [Response(text, "q?", f"r{i}") for i, text in enumerate(words)]
        return AnchorEvaluator(panel, judge, k=k, m=m, profile=profile).score(responses)

    return run


@pytest.fixture(scope="session")
def read() -> Callable[..., list[IntensityEstimate]]:
    """Estimates from stated readings (intensity, sd); no profile error on top by default."""

    def run(
        panel: Panel,
        readings: Sequence[tuple[float, float]],
        omega: float = 0.0,
        texts: Mapping[str, str] | None = None,
    ) -> list[IntensityEstimate]:
        judged = {
            f"r{i}": [JudgedWindow((f"r{i}",), 0, Judgement(reading=one))]
            for i, one in enumerate(readings)
        }
        told = {name: sentence_words(text) for name, text in (texts or {}).items()}
        return estimate(panel, JudgeProfile("reading", omegas=(omega,)), judged, told)

    return run
