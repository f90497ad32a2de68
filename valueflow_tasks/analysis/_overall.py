"""The headline numbers of every model: over all its targets, and target by target."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from valueflow_scorers import IntensityEstimate
from valueflow_scorers._measure import Measured
from valueflow_scorers.metrics import (
    Metric,
    Place,
    places,
    profile_metrics,
    steering_metrics,
    value_slug,
)

from ._conditions import Condition, finite, records
from ._runs import Runs

if TYPE_CHECKING:
    import pandas as pd

_Key = tuple[str, str, str, str]


def overall(runs: Runs, mass: float = 0.9, *, leakage: bool = True) -> pd.DataFrame:
    """Metrics over all targets of a model, judge and method, and of each target by itself.

    Args:
        runs: What was measured.
        mass: Of the intervals.
        leakage: Whether to compute it; over many values measured it takes longest by far.

    Returns:
        One row per `model`, `setting`, `judge`, `method`, `target` and `metric`: `estimate`,
        `stderr`, `low`, `high`, `n` queries, `values` that entered. `target` is empty for means
        over targets: the metrics of `steering`, with paired errors. `method` is empty for what
        unsteered answers show: `strength`, `refusal`, `unscored`.
    """

    def rows() -> Iterator[dict[str, Any]]:
        for one in runs.unsteered:
            key = (one.model, one.setting, one.judge, "")
            found = profile_metrics(one.measured(runs), one.values(), runs.draw)
            known = {name: found[name] for name in _PLAIN if name in found}
            yield from _rows(key, {"": known}, len(one.values()), mass)
        groups: dict[_Key, list[Condition]] = {}
        for one in runs.conditions:
            if one.target:
                key = (one.model, one.setting, one.judge, one.method)
                groups.setdefault(key, []).append(one)
        for key, own in groups.items():
            targets = [one.target for one in own]
            found = steering_metrics(_merged(runs, own, leakage), targets, runs.draw)
            yield from _rows(key, _by_target(found, targets), len(targets), mass)

    return records(rows())


_PLAIN = ("strength", "refusal", "unscored")


def _merged(runs: Runs, own: Sequence[Condition], off_target: bool) -> list[Measured]:
    """Answers of several targets; level 0, which they share, once."""
    plain: dict[Place, tuple[bool, dict[str, IntensityEstimate]]] = {}
    steered: list[Measured] = []
    for one in own:
        for place, answer in places(one.measured(runs, None if off_target else [one.target])):
            if answer.level:
                steered.append(answer)
            else:
                _, known = plain.setdefault(place, (answer.refused, {}))
                for value, estimate in answer.estimates.items():
                    known.setdefault(value, estimate)
    zero = [Measured(query, None, 0.0, no, found) for (query, _), (no, found) in plain.items()]
    return zero + steered


def _by_target(
    found: Mapping[str, Metric], targets: Sequence[str]
) -> dict[str, Mapping[str, Metric]]:
    """Metrics by target; the mean over targets under the empty name."""
    whole = {name: metric for name, metric in found.items() if "/" not in name}
    if len(targets) == 1:
        return {"": whole, targets[0]: whole}
    named: dict[str, Mapping[str, Metric]] = {"": whole}
    for target in targets:
        start = f"{value_slug(target)}/"
        named[target] = {
            name.removeprefix(start): metric
            for name, metric in found.items()
            if name.startswith(start)
        }
    return named


def _rows(
    key: _Key, found: Mapping[str, Mapping[str, Metric]], values: int, mass: float
) -> Iterator[dict[str, Any]]:
    names = dict(zip(("model", "setting", "judge", "method"), key, strict=True))
    for target, metrics in found.items():
        for name, metric in metrics.items():
            low, high = metric.interval(mass) or (float("nan"), float("nan"))
            yield {
                **names,
                "target": target,
                "metric": name,
                "estimate": metric.value,
                "stderr": finite(metric.stderr),
                "low": low,
                "high": high,
                "n": metric.n,
                "values": 1 if target else values,
            }
