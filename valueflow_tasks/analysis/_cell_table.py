"""Population means of cells, and the metrics of steering, as tables."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from valueflow_scorers.metrics import steering_metrics

from ._conditions import finite, records
from ._frame import REFUSAL
from ._runs import Runs

if TYPE_CHECKING:
    import pandas as pd

    from ._conditions import Condition


def cells(runs: Runs, mass: float = 0.9) -> pd.DataFrame:
    """Mean intensity of every cell.

    Args:
        runs: What was measured.
        mass: Of the intervals.

    Returns:
        One row per condition (`model setting judge method target`), `level` and `value` measured:
        `mean`, `stderr`, `low`, `high` (population mean and shortest interval, label error of the
        ruler included), `n` scored, `refused`, `unscored`. Level 0 stands once per model and
        setting, with `method` and `target` empty. A cell without a scored answer has NaN.
    """

    def rows() -> Iterator[dict[str, Any]]:
        for one in runs.unsteered:
            yield from _cells(runs, one, mass, steered=False)
        for one in runs.conditions:
            if one.target:
                yield from _cells(runs, one, mass, steered=True)

    return records(rows())


def _cells(runs: Runs, one: Condition, mass: float, steered: bool) -> Iterator[dict[str, Any]]:
    reasons = runs.frame["reason"]
    for value in one.values():
        scored = one.scored(runs, value)
        for level, by_value in one.rows.items():
            if value not in by_value or (level != 0) != steered:
                continue
            # Sorted as the metrics' are, so that both have the same cells.
            found = [estimate for _, estimate in sorted(scored.get(level, {}).items())]
            mean = runs.mean(found) if found else None
            low, high = mean.interval(mass) if mean else (math.nan, math.nan)
            why = reasons.loc[list(by_value[value].values())]
            refused = int((why == REFUSAL).sum())
            yield {
                **one.key,
                "level": level,
                "value": value,
                "mean": mean.mean if mean else math.nan,
                "stderr": mean.stderr if mean else math.nan,
                "low": low,
                "high": high,
                "n": len(found),
                "refused": refused,
                "unscored": len(why) - len(found) - refused,
            }


def steering(runs: Runs, mass: float = 0.9) -> pd.DataFrame:
    """The metrics of steering for every condition.

    Returns:
        One row per condition and `metric` (`steerability`, `steerability_up`,
        `steerability_down`, `tracking`, `gain`, `intensity`, `leakage`, `refusal`, `unscored`):
        `estimate`, `stderr`, `low`, `high`, `n` queries. The numbers are those that the harnesses
        print for the same answers; what cannot be computed has no row.
    """

    def rows() -> Iterator[dict[str, Any]]:
        for one in runs.conditions:
            if not one.target:
                continue
            for name, metric in steering_metrics(
                one.measured(runs), [one.target], runs.draw
            ).items():
                low, high = metric.interval(mass) or (math.nan, math.nan)
                yield {
                    **one.key,
                    "metric": name,
                    "estimate": metric.value,
                    "stderr": finite(metric.stderr),
                    "low": low,
                    "high": high,
                    "n": metric.n,
                }

    return records(rows())
