"""What one query's answers say of several targets at once."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from scipy.stats import norm
from valueflow_scorers import IntensityEstimate
from valueflow_scorers._curves import Metric, bootstrap_counts
from valueflow_scorers._measure import Measured, arm_id

from ._shifts import BOUNDS, Shifts

MET = 1.0
"""Points on the asked side of neutral from which a target counts as met."""


def per_query(shifts: Shifts) -> dict[str, Metric | None]:
    """Means over queries of `sign_agreement` and `all_met`."""
    agreed: dict[str, list[float]] = {}
    met: dict[str, list[float]] = {}
    for targets in {arm_id(point.targets): point.targets for point in shifts.points}.values():
        tables = {value: shifts.tables.get(value, {}) for value in targets}
        steered = {value: table.get(arm_id(targets), {}) for value, table in tables.items()}
        for place in set.intersection(*(set(row) for row in steered.values())):
            now = {value: row[place] for value, row in steered.items()}
            met.setdefault(place[0], []).append(all_met(now, targets))
            for value, table in tables.items():
                if (plain := table.get("0", {}).get(place)) is not None:
                    shift = now[value].intensity - plain.intensity
                    agreed.setdefault(place[0], []).append(moved(shift, targets[value]))
    return {
        "sign_agreement": _mean("sign_agreement", agreed),
        "all_met": _mean("all_met", met),
    }


def moved(shift: float, level: float) -> float:
    """1 if a shift goes as asked, 0 if against it, ½ if there is none."""
    return 0.5 if abs(shift) < 1e-3 else float((shift > 0) == (level > 0))


def all_met(estimates: Mapping[str, IntensityEstimate], targets: Mapping[str, float]) -> float:
    """Probability that an answer stands at least MET points on the asked side for every target."""
    chances = [
        norm.cdf(
            (math.copysign(1.0, level) * estimates[value].intensity - MET)
            / max(estimates[value].stderr, 1e-6)
        )
        for value, level in targets.items()
    ]
    return float(np.prod(chances))


def _mean(name: str, by_query: Mapping[str, Sequence[float]]) -> Metric | None:
    if not by_query:
        return None
    means = np.array([np.mean(own) for own in by_query.values()])
    n = len(means)
    error = float(np.std(means, ddof=1)) / math.sqrt(n) if n > 1 else None
    return Metric(float(np.mean(means)), error, n, BOUNDS[name])


def query_composition(measured: Sequence[Measured]) -> dict[str, float]:
    """Plain numbers of one query's answers, for people who read samples."""
    shifts = Shifts(measured, bootstrap_counts(one.query_id for one in measured))
    found = per_query(shifts)
    return {name: one.value for name, one in found.items() if one is not None}
