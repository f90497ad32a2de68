"""Differences between conditions, adjusted for how many are looked at."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from valueflow_scorers import ValueFlowError
from valueflow_scorers._errors import unknown

from ._conditions import KEYS, Condition, records
from ._runs import Runs
from ._statistics import Number, difference, independent, number, table_of

if TYPE_CHECKING:
    import pandas as pd

Adjustment = Literal["bh", "by", "none"]
OVER = ("model", "method", "target")
"""What two conditions may differ in and still be compared."""
ALPHA = 0.05
"""Rate of false discoveries that adjusted p-values are held against."""


def compare(
    runs: Runs,
    statistic: str = "steerability",
    over: str = "model",
    *,
    baseline: str | None = None,
    mass: float = 0.95,
    adjustment: Adjustment = "bh",
) -> pd.DataFrame:
    """Compare conditions that differ in one respect only.

    Args:
        runs: What was measured.
        statistic: One of `STATISTICS`; `intensity` compares unsteered answers on every value.
        over: `model`, `method` or `target` (values of one model; their rulers are independent).
        baseline: Compare with this one only; None: all pairs.
        mass: Of the intervals, which are not adjusted.
        adjustment: `bh` (Benjamini and Hochberg 1995), `by` (Benjamini and Yekutieli 2001, under
            any dependence) or `none`, over the whole table.

    Returns:
        One row per pair: what they share, `a`, `b`, `estimate` (b minus a), `stderr`, `low`,
        `high`, `n` queries, `p`, `q` (adjusted), `differs` (q < 0.05).

    Raises:
        ValueFlowError: for an unknown name, or if there is no pair.
    """
    if over not in OVER:
        raise unknown("over", over, OVER)
    items = list(_items(runs, statistic))
    rows = [
        row
        for group in _groups(items, over).values()
        for a, b in combinations(sorted(group, key=lambda item: str(item[0][over])), 2)
        if baseline is None or baseline in (a[0][over], b[0][over])
        if (row := _row(runs, a, b, statistic, over, baseline, mass)) is not None
    ]
    if not rows:
        named = f" with {baseline!r}" if baseline else ""
        raise ValueFlowError(
            f"no two conditions{named} differ in {over} and agree in the rest (judge, profile, "
            "queries, generation, value, levels): `protocol_differences` says what sets runs apart"
        )
    table = records(rows)
    table["q"] = adjusted(table["p"], adjustment)
    table["differs"] = table["q"] < ALPHA
    return table


Item = tuple[dict[str, str], Condition, str]
"""Name of a condition with the value measured, the condition, and that value."""


def _items(runs: Runs, statistic: str) -> Iterator[Item]:
    if statistic == "intensity":
        for one in runs.unsteered:
            for value in one.values():
                yield {**one.key, "target": value}, one, value
        return
    for one in runs.conditions:
        if one.target:
            yield dict(one.key), one, one.target


def _groups(items: list[Item], over: str) -> dict[tuple[str, ...], list[Item]]:
    groups: dict[tuple[str, ...], list[Item]] = {}
    for item in items:
        groups.setdefault(tuple(item[0][name] for name in KEYS if name != over), []).append(item)
    return groups


def _row(
    runs: Runs,
    a: Item,
    b: Item,
    statistic: str,
    over: str,
    baseline: str | None,
    mass: float,
) -> dict[str, Any] | None:
    if baseline == b[0][over]:
        a, b = b, a
    tables = [table_of(runs, condition, value) for _, condition, value in (a, b)]
    if statistic != "intensity" and set(tables[0]) != set(tables[1]):
        return None  # what is asked for at more levels is another number
    try:
        if over == "target":
            found: Number = independent(*(number(table, statistic) for table in tables))
        else:
            found = difference(tables[0], tables[1], statistic)
    except ValueFlowError:
        return None
    low, high = found.interval(mass)
    return {
        **{name: a[0][name] for name in KEYS if name != over},
        "statistic": statistic,
        "over": over,
        "a": a[0][over],
        "b": b[0][over],
        "estimate": found.estimate,
        "stderr": found.stderr,
        "low": low,
        "high": high,
        "n": found.n,
        "p": found.p_value,
    }


def adjusted(p: Any, method: Adjustment = "bh") -> Any:
    """p-values adjusted for the rate of false discoveries; NaN stays NaN and is not counted."""
    from scipy.stats import false_discovery_control

    given = np.asarray(p, dtype=float)
    found = given.copy()
    known = ~np.isnan(given)
    if method != "none" and known.any():
        found[known] = false_discovery_control(given[known], method=method)
    return found
