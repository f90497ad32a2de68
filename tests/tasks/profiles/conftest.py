"""Authors of known intensities, and an encoder that takes no time."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from valueflow_scorers import JudgeProfile
from valueflow_scorers._measure import Instrument

from valueflow_tasks.hives import HivesEncoder
from valueflow_tasks.profiles import Written
from valueflow_tasks.theories import evaluated_values

SPREAD = 2.0
"""Standard deviation of an author's texts around what the author stands for, points."""


class WordVectors:
    """Counts of hashed words, weighted by how rare they are: an encoder of the oldest kind."""

    def __init__(self) -> None:
        from sklearn.feature_extraction.text import HashingVectorizer, TfidfTransformer

        from valueflow_tasks.hives import load_corpus

        self.hashing = HashingVectorizer(n_features=2048, alternate_sign=False, norm=None)
        self.weights = TfidfTransformer(sublinear_tf=True)
        texts = [text.text for text in load_corpus().part("train").texts]
        self.weights.fit(self.hashing.transform(texts))

    def encode(self, texts: list[str], **_: Any) -> np.ndarray[Any, Any]:
        rows = self.weights.transform(self.hashing.transform(texts))
        return np.asarray(rows.toarray(), dtype=np.float32)


@pytest.fixture(scope="session")
def quick(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A profile of the simulated judge that need not be fitted."""
    path = tmp_path_factory.mktemp("profile") / "judge.json"
    JudgeProfile("simulated:noise=1:text=0", tau=1.0, omegas=(0.1,), calibrated=True).save(path)
    return str(path)


@pytest.fixture(scope="session")
def word_encoder() -> HivesEncoder:
    pytest.importorskip("sklearn")
    return HivesEncoder("words", WordVectors())


@pytest.fixture(scope="session")
def author() -> Callable[..., list[Written]]:
    """author(truth, folder, name, count, seed): texts, and an instrument that knows them.

    What the author stands for is `truth`; each text strays from it by SPREAD.
    """

    def write(
        truth: Mapping[str, float], name: str, count: int, seed: int
    ) -> tuple[list[Written], dict[str, float]]:
        rng = np.random.default_rng(seed)
        texts, known = [], {}
        for value, mean in truth.items():
            for number in range(count):
                words = f"{name}, on {value}: text number {number}"
                known[words] = float(np.clip(mean + SPREAD * rng.standard_normal(), -9.9, 9.9))
                texts.append(Written(words, name, "", f"{name}-{value}-{number}", (value,)))
        return texts, known

    return write


@pytest.fixture(scope="session")
def make_instrument(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Instrument]:
    """A simulated judge that knows some texts."""

    def make(known: Mapping[str, float]) -> Instrument:
        path = tmp_path_factory.mktemp("truth") / "truth.jsonl"
        lines = (json.dumps({"text": t, "intensity": x}) + "\n" for t, x in known.items())
        path.write_text("".join(lines), "utf-8")
        return Instrument(f"simulated:noise=1:truth={path}")

    return make


@pytest.fixture(scope="session")
def planted(author: Any, make_instrument: Any) -> tuple[dict[str, dict[str, float]], Any]:
    """Four authors with three texts per value: what they stand for, and their texts."""
    rng = np.random.default_rng(11)
    truth = {
        f"author {i}": {v: float(np.clip(rng.normal(0, 4), -8, 8)) for v in evaluated_values()}
        for i in range(4)
    }
    texts: list[Written] = []
    known: dict[str, float] = {}
    for seed, (name, own) in enumerate(truth.items()):
        written, more = author(own, name, 3, seed)
        texts += written
        known |= more
    return truth, (texts, make_instrument(known))


@pytest.fixture(scope="session")
def source(planted: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A file of four authors' texts, and the judge that knows them."""
    _, (texts, instrument) = planted
    path = tmp_path_factory.mktemp("texts") / "texts.jsonl"
    rows = [
        {"text": one.text, "author": one.group, "id": one.id, "value": one.values[0]}
        for one in texts
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path, instrument.judge


@pytest.fixture
def profile_file(tmp_path: Path) -> Path:
    """A profile that was declared, in a file."""
    from valueflow_tasks.profiles import BuiltFrom, ValueProfile, ValueScore, save_profiles

    scores = {
        "svt/tradition": ValueScore(8.0),
        "svt/hedonism": ValueScore(-4.0),
        "mft/care": ValueScore(4.0),
        "svt/power": ValueScore(0.5),
    }
    return save_profiles(tmp_path / "own.json", [ValueProfile("own", scores, BuiltFrom())])
