from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from valueflow_tasks.vidb import Text, TextFile


@pytest.fixture
def truth_of(tmp_path: Path) -> Callable[[int], tuple[TextFile, np.ndarray, str]]:
    """Texts of evenly spread known intensity, and the judge that knows them."""

    def make(n: int, noise: float = 1.0) -> tuple[TextFile, np.ndarray, str]:
        truth = np.linspace(-9.5, 9.5, n)
        near = np.argsort(np.abs(truth))[:5]
        truth[near] = 0.0
        texts = tuple(Text(f"t{i}", f"text number {i}", neutral=i in near) for i in range(n))
        path = tmp_path / "truth.jsonl"
        rows = [
            {"text": text.text, "intensity": float(x)} for text, x in zip(texts, truth, strict=True)
        ]
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return TextFile(texts, ()), truth, f"simulated:noise={noise}:truth={path}"

    return make
