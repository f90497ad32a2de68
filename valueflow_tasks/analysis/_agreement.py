"""Two judges on the same responses."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.stats import pearsonr, spearmanr
from scipy.stats import t as student
from valueflow_scorers._agreement import alpha

from ._conditions import records
from ._runs import Runs

if TYPE_CHECKING:
    import pandas as pd

_SIDE = 1.0
"""Points from neutral that a reading must be for its sign to be asked for."""
_FEWEST = 3


def agreement(runs: Runs, mass: float = 0.95) -> pd.DataFrame:
    """How far judges agree on responses that both measured.

    Responses are the same if model, arm, method, query, words and version of the tasks are.

    Returns:
        One row per pair of judges (`a`, `b`: name and profile) and `value`, and one with `value`
        empty over all: `n` responses, `pearson`, `spearman`, `alpha` (Krippendorff's, interval),
        `bias` (mean of b minus a, points, with `bias_low`, `bias_high` over queries), `sd` of the
        differences, `same_sign` (share of responses that both put at least one point from
        neutral), `excess` (mean squared difference over what the stated errors explain: 1 if
        they are right and independent).
    """
    frame = runs.frame
    scored = frame[frame["intensity"].notna() & frame["response"].notna()]
    judges = scored.assign(
        who=[f"{judge} {profile}" for judge, profile in zip(scored["judge"], scored["profile"],
                                                            strict=True)],
        version=scored["run"].map({run.id: run.results_version or 0 for run in runs.runs}),
    ).drop_duplicates(["who", *_SAME])  # fmt: skip
    wide = judges.pivot(index=_SAME, columns="who", values=["intensity", "stderr"])

    def rows() -> Iterator[dict[str, Any]]:
        for a, b in combinations(sorted(judges["who"].unique()), 2):
            columns = {"x": ("intensity", a), "y": ("intensity", b),
                       "sx": ("stderr", a), "sy": ("stderr", b)}  # fmt: skip
            both = records([])
            for name, column in columns.items():
                both[name] = wide[column]
            both = both.dropna()
            values = both.index.get_level_values("value")
            for value in ["", *dict.fromkeys(values)]:
                own = both if not value else both[values == value]
                if len(own) >= _FEWEST:
                    yield {"a": a, "b": b, "value": value, **_agree(own, mass)}

    return records(rows())


_SAME = ["version", "model", "arm", "method", "query_id", "repeat", "response", "value"]


def _agree(both: Any, mass: float) -> dict[str, Any]:
    x, y = both["x"].to_numpy(), both["y"].to_numpy()
    gaps = y - x
    bias, error, queries = _clustered(gaps, both.index.get_level_values("query_id"))
    half = float(student.ppf(0.5 + mass / 2, max(queries - 1, 1))) * error
    clear = (np.abs(x) >= _SIDE) & (np.abs(y) >= _SIDE)
    varied = np.ptp(x) > 0 and np.ptp(y) > 0
    together = alpha(np.stack([x, y]))
    return {
        "n": len(x),
        "pearson": float(pearsonr(x, y).statistic) if varied else math.nan,
        "spearman": float(spearmanr(x, y).statistic) if varied else math.nan,
        "alpha": math.nan if together is None else together,
        "bias": bias,
        "bias_low": bias - half,
        "bias_high": bias + half,
        "sd": float(np.std(gaps, ddof=1)),
        "same_sign": float(np.mean(np.sign(x[clear]) == np.sign(y[clear])))
        if clear.any()
        else math.nan,
        "excess": float(np.mean(gaps**2 / (both["sx"] ** 2 + both["sy"] ** 2))),
    }


def _clustered(numbers: Any, clusters: Any) -> tuple[float, float, int]:
    """Mean, its standard error when only clusters are independent, and how many there are."""
    names, places = np.unique(np.asarray(clusters, dtype=str), return_inverse=True)
    mean = float(np.mean(numbers))
    sums = np.bincount(places, weights=numbers - mean)
    g = len(names)
    if g < 2:
        return mean, math.nan, g
    return mean, float(np.sqrt(np.sum(sums**2) * g / (g - 1)) / len(numbers)), g
