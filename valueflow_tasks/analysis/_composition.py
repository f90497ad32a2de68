"""Several targets at once: shifts point by point, and the metrics, as tables."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from valueflow_scorers._curves import bootstrap_counts
from valueflow_scorers._measure import Measured, arm_id
from valueflow_scorers._records import FloatArray

from ..compose import composition_metrics as metrics_of
from ..compose import kind_of
from ..compose._shifts import MEASURED, Shifts
from ._conditions import finite, records
from ._runs import Runs

if TYPE_CHECKING:
    import pandas as pd

_BASE = ["model", "setting", "judge"]


def composition(runs: Runs, mass: float = 0.9) -> pd.DataFrame:
    """What every target of every set does alone and in company.

    Args:
        runs: What was measured.
        mass: Of the intervals.

    Returns:
        One row per model, setting, judge, method, set (`arm`) and target: `targets` (a mapping),
        `kind` (`similar`, `conflicting` or empty), `value`, `asked` (its level), `single` (shift
        that it causes alone, points), `expected` (sum of the shifts of all targets alone),
        `measured` (shift under the whole set) with `stderr`, `low`, `high`; `n` queries.
    """

    def rows() -> Iterator[dict[str, Any]]:
        for key, measured in _groups(runs):
            shifts = Shifts(measured, bootstrap_counts(one.query_id for one in measured))
            errors = np.sqrt(shifts.covariance(MEASURED, MEASURED)) if shifts.points else ()
            for place, point in enumerate(shifts.points):
                now = shifts.metric("", _Measured(place))
                low, high = (now.interval(mass) if now else None) or (math.nan, math.nan)
                yield {
                    **key,
                    "arm": arm_id(point.targets),
                    "targets": dict(point.targets),
                    "kind": kind_of(point.targets),
                    "value": point.value,
                    "asked": point.targets[point.value],
                    "single": float(shifts.single[0][place]),
                    "expected": float(shifts.expected[0][place]),
                    "measured": float(shifts.measured[0][place]),
                    "stderr": float(errors[place]),
                    "low": low,
                    "high": high,
                    "n": shifts.n,
                }

    return records(rows())


def composition_metrics(runs: Runs, mass: float = 0.9) -> pd.DataFrame:
    """The metrics of composition (`valueflow_tasks.compose`) for every model, judge and method.

    Returns:
        One row per model, setting, judge, method and `metric`: `estimate`, `stderr`, `low`, `high`,
        `n` queries.
    """

    def rows() -> Iterator[dict[str, Any]]:
        for key, measured in _groups(runs):
            for name, metric in metrics_of(measured).items():
                low, high = metric.interval(mass) or (math.nan, math.nan)
                yield {
                    **key,
                    "metric": name,
                    "estimate": metric.value,
                    "stderr": finite(metric.stderr),
                    "low": low,
                    "high": high,
                    "n": metric.n,
                }

    return records(rows())


@dataclass(frozen=True)
class _Measured:
    """The measured shift at one point."""

    place: int

    def __call__(self, now: tuple[FloatArray, ...], _: float) -> float:
        return float(now[MEASURED][self.place])


def _groups(runs: Runs) -> Iterator[tuple[dict[str, str], list[Measured]]]:
    """Answers of one model, setting, judge and method with several targets, and what they need.

    That is unsteered answers, and those of every target by itself, from whichever run has them.
    """
    frame = runs.frame
    several = frame["targets"].map(len) > 1
    for key, rows in frame[several].groupby([*_BASE, "method"], sort=False):
        model, setting, judge, method = (str(one) for one in key)
        same = (frame["model"] == model) & (frame["setting"] == setting)
        plain = (frame["level"] == 0) & (frame["steering"] == "")
        wanted = set(rows["arm"]) | {
            arm_id({value: level}) for own in rows["targets"] for value, level in own.items()
        }
        steered = (frame["method"] == method) & frame["arm"].isin(list(wanted))
        chosen = frame[same & (plain | steered)]
        # The runs with several targets come first where runs answered the same.
        first = chosen["run"].isin(set(rows["run"]))
        chosen = chosen.loc[[*chosen[first].index, *chosen[~first].index]]
        chosen = chosen.drop_duplicates(["arm", "query_id", "repeat", "value"])
        name = {"model": model, "setting": setting, "judge": judge, "method": method}
        yield name, _measured(runs, chosen)


def _measured(runs: Runs, rows: pd.DataFrame) -> list[Measured]:
    found: list[Measured] = []
    scored = rows.index[rows["intensity"].notna()]
    estimates: Mapping[Any, Any] = dict(zip(scored, runs.estimates(scored), strict=True))
    for (_, query, _), own in rows.groupby(["arm", "query_id", "repeat"], sort=False):
        targets: Mapping[str, float] = own["targets"].iloc[0]
        single = next(iter(targets.items())) if len(targets) == 1 else (None, 0.0)
        several = targets if len(targets) > 1 else {}
        found.append(
            Measured(
                str(query),
                single[0],
                math.nan if several else single[1],
                bool(own["refused"].iloc[0]),
                {v: estimates[i] for i, v in own["value"].items() if i in estimates},
                several,
            )
        )
    return found
