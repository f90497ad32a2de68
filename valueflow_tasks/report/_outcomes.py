"""What became of every answer, and what steering does besides moving it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from ..analysis._conditions import records

if TYPE_CHECKING:
    import pandas as pd

ANSWER = ["model", "method", "arm", "query_id", "repeat", "run"]
"""What names an answer: the rows that share it are its measurements."""
EFFECTS = {
    "words": "words per answer",
    "distinct_2": "share of different word pairs",
    "refused": "refused",
    "no_op": "word for word the unsteered answer",
    "loss": "surprise to the unsteered model, nats per token",
}
"""Side effects, by column of the tidy table."""
SIDES = ("down", "plain", "up")


def outcomes(rows: pd.DataFrame) -> pd.DataFrame:
    """Measurements by what became of them.

    Returns:
        One row per `model`, `method` and `level` (NaN: several targets): `answers`,
        `measurements`, of which `scored`, `refused` and `unscored`; `reasons` (a mapping, of the
        unscored).
    """

    def found() -> Iterator[dict[str, Any]]:
        keys = ["model", "method", "level"]
        for (model, method, level), own in rows.groupby(keys, sort=False, dropna=False):
            scored = own["intensity"].notna()
            refused = own["refused"].astype(bool)
            lost = own[~scored & ~refused]
            yield {
                "model": model,
                "method": method,
                "level": float(str(level)),
                "answers": len(own[ANSWER].drop_duplicates()),
                "measurements": len(own),
                "scored": int(scored.sum()),
                "refused": int(refused.sum()),
                "unscored": len(lost),
                "reasons": dict(Counter(lost["reason"])),
            }

    return records(list(found()))


def window_failures(rows: pd.DataFrame) -> pd.DataFrame:
    """Windows without a verdict.

    Returns:
        One row per `model`: `windows` judged, `failed`, and `reasons` (a mapping).
    """

    def found() -> Iterator[dict[str, Any]]:
        for model, own in rows.groupby("model", sort=False):
            reasons: Counter[str] = Counter()
            for one in own["failures"]:
                reasons.update(one)
            failed = sum(reasons.values())
            judged = int(own["windows"].map(len).sum())
            yield {"model": model, "windows": judged, "failed": failed, "reasons": dict(reasons)}

    return records(list(found()))


def side_effects(rows: pd.DataFrame) -> pd.DataFrame:
    """Means over queries, by direction of steering.

    Returns:
        One row per `model`, `method`, `side` (`down`, `plain`, `up`; `plain` stands under every
        method of its model) and `effect` of EFFECTS: `mean` over queries of each query's mean,
        `stderr` over queries, `n` queries. What no log says has no row.
    """
    single = rows[rows["level"].notna()]
    answers = single.drop_duplicates(ANSWER)

    def found() -> Iterator[dict[str, Any]]:
        steered = answers[answers["level"] != 0]
        for (model, method), own in steered.groupby(["model", "method"], sort=False):
            plain = answers[(answers["model"] == model) & (answers["level"] == 0)]
            sides = {"down": own[own["level"] < 0], "plain": plain, "up": own[own["level"] > 0]}
            for side, ones in sides.items():
                for effect in EFFECTS:
                    by_query = ones.groupby("query_id")[effect].mean().dropna().astype(float)
                    if len(by_query):
                        yield {
                            "model": model,
                            "method": method,
                            "side": side,
                            "effect": effect,
                            "mean": float(by_query.mean()),
                            "stderr": _error(by_query.to_numpy()),
                            "n": len(by_query),
                        }

    return records(list(found()))


def _error(numbers: Any) -> float:
    n = len(numbers)
    return float(np.std(numbers, ddof=1) / np.sqrt(n)) if n > 1 else float("nan")
