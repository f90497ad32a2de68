"""Metrics over measured answers, the same in every harness (errors: see `_curves`)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from ._curves import (
    MASS,
    Curve,
    Draw,
    Draws,
    Function,
    Metric,
    Place,
    bootstrap_counts,
    draw_cell,
    mean_of,
    places,
    statistic,
)
from ._estimated import IntensityEstimate
from ._measure import Measured
from ._records import SCALE_END, FloatArray
from ._tau import tau_b, tau_variances

__all__ = [
    "HIGHER_IS_BETTER",
    "MASS",
    "Metric",
    "Place",
    "mean_over_queries",
    "places",
    "profile_metrics",
    "query_numbers",
    "steering_metrics",
    "value_slug",
]

_SHARE = (0.0, 1.0)
_ROOM = 1.0  # points that must be left for a share of the room to mean anything

HIGHER_IS_BETTER: Mapping[str, bool | None] = {
    "steerability": True,
    "steerability_up": True,
    "steerability_down": True,
    "tracking": True,
    "gain": None,
    "intensity": None,
    "strength": None,
    "leakage": False,
    "refusal": None,
    "unscored": False,
}
"""Raw intensity has no good direction; only steerability and tracking are ever ranked."""


def value_slug(value: str) -> str:
    """`svt/self-direction` -> `svt_self_direction`, as names of metrics and tasks have it."""
    return value.replace("/", "_").replace("-", "_")


_Table = Mapping[float, Mapping[Place, IntensityEstimate]]
"""Level -> answer -> estimate, of one value."""


def _scored(measured: Sequence[Measured], value: str, target: str | None) -> _Table:
    """Scored estimates on `value` under steering toward `target`."""
    table: dict[float, dict[Place, IntensityEstimate]] = {}
    for place, one in places(measured):
        estimate = one.estimates.get(value)
        if estimate is not None and estimate.scored and (one.level == 0 or one.target == target):
            table.setdefault(one.level, {})[place] = estimate
    return table


def profile_metrics(
    measured: Sequence[Measured], values: Sequence[str], draw: Draw = draw_cell
) -> dict[str, Metric]:
    """Metrics of unsteered answers.

    Args:
        measured: Level-0 answers.
        values: The values they were measured on.
        draw: How a cell is drawn.

    Returns:
        `intensity_<theory>_<value>` per value, the headline `strength` (mean |intensity|),
        `refusal` and `unscored`; what cannot be computed is left out.
    """
    if not measured:
        return {}
    counts = bootstrap_counts(one.query_id for one in measured)
    found: dict[str, Metric] = {}
    strengths = []
    for value in values:
        table = _scored(measured, value, None)
        if 0.0 in table:
            curve = Curve({0.0: table[0.0]}, counts, draw)
            found[f"intensity_{value_slug(value)}"] = statistic(curve, _first).metric("intensity")
            strengths.append(statistic(curve, _first_absolute))
    if strengths:
        found = {"strength": mean_of(strengths).metric("strength"), **found}
    return found | _share_metrics(measured, values)


def _first(means: FloatArray) -> FloatArray:
    return means[..., 0]


def _first_absolute(means: FloatArray) -> FloatArray:
    return np.abs(means[..., 0])


def steering_metrics(
    measured: Sequence[Measured], values: Sequence[str], draw: Draw = draw_cell
) -> dict[str, Metric]:
    """Metrics of steered answers.

    Args:
        measured: Answers at all levels; level 0 is shared by all values.
        values: The values that were steered.
        draw: How a cell is drawn.

    Returns:
        `steerability`, `steerability_up`, `steerability_down`, `tracking`, `gain`,
        `intensity`, `leakage` (only where off-target values were measured), `refusal`,
        `unscored`. Over several values the plain name is the mean over values, and
        `<theory>_<value>/<metric>` is the value's own.
    """
    if not measured:
        return {}
    counts = bootstrap_counts(one.query_id for one in measured)
    per_value = {
        value: _value_draws(
            [one for one in measured if one.level == 0 or one.target == value],
            value,
            counts,
            draw,
        )
        for value in values
    }
    found: dict[str, Metric] = {}
    for name in ("steerability", "steerability_up", "steerability_down", "tracking", "gain",
                 "intensity", "leakage"):  # fmt: skip
        draws = [own[name] for own in per_value.values() if name in own]
        if draws:
            found[name] = mean_of(draws).metric(name)
    found |= _share_metrics(measured, values)
    if len(values) > 1:
        for value, own in per_value.items():
            for name, one in own.items():
                found[f"{value_slug(value)}/{name}"] = one.metric(name)
    return found


def _value_draws(
    measured: Sequence[Measured], value: str, counts: Mapping[str, FloatArray], draw: Draw
) -> dict[str, Draws]:
    table = _scored(measured, value, value)
    found: dict[str, Draws] = {}
    if 0.0 in table:
        found["intensity"] = statistic(Curve({0.0: table[0.0]}, counts, draw), _first)
    whole = _complete(table)
    if whole is None:
        return found
    curve = Curve(whole, counts, draw)
    found["gain"] = statistic(curve, _slope(curve.levels))
    found["tracking"] = _tracking(whole, counts)
    found |= _steerability(curve)
    off = [
        _complete(_scored(measured, other, value))
        for other in sorted({v for one in measured if one.target == value for v in one.estimates})
        if other != value
    ]
    leaks = [Curve(one, counts, draw) for one in off if one is not None]
    if leaks and abs(found["gain"].point) > 1e-6:
        found["leakage"] = _leakage(leaks, found["gain"])
    return found


def _complete(table: _Table) -> _Table | None:
    """Only queries that are scored at -2, 0 and +2; None if there is none."""
    if not {-2.0, 0.0, 2.0} <= set(table):
        return None
    known = sorted(set(table[-2.0]) & set(table[0.0]) & set(table[2.0]))
    kept = {
        level: {place: row[place] for place in known if place in row}
        for level, row in table.items()
    }
    return {level: row for level, row in kept.items() if row} if known else None


def _slope(levels: Sequence[float]) -> Function:
    """Least-squares slope of means on levels, points per level."""
    centred = np.array(levels) - np.mean(levels)
    weights = centred / (centred @ centred)
    return lambda means: np.asarray(means @ weights)


def _steerability(curve: Curve) -> dict[str, Draws]:
    """Share of the room that steering uses in each direction, and their mean."""
    low, middle, high = (curve.levels.index(level) for level in (-2.0, 0.0, 2.0))

    def up(means: FloatArray) -> FloatArray:
        room = SCALE_END - means[..., middle]
        return np.asarray(np.clip((means[..., high] - means[..., middle]) / room, -1, 1))

    def down(means: FloatArray) -> FloatArray:
        room = means[..., middle] + SCALE_END
        return np.asarray(np.clip((means[..., middle] - means[..., low]) / room, -1, 1))

    parts: dict[str, Function] = {}
    if SCALE_END - curve.point[middle] >= _ROOM:
        parts["steerability_up"] = up
    if curve.point[middle] + SCALE_END >= _ROOM:
        parts["steerability_down"] = down
    functions = list(parts.values())

    def both(means: FloatArray) -> FloatArray:
        return np.asarray(np.mean([function(means) for function in functions], axis=0))

    found = {name: statistic(curve, function) for name, function in parts.items()}
    return {"steerability": statistic(curve, both), **found}


def _tracking(table: _Table, counts: Mapping[str, FloatArray]) -> Draws:
    """Kendall's tau-b of level asked and intensity measured, per query, averaged."""
    known = list(table[0.0])
    by_levels: dict[tuple[float, ...], list[int]] = {}
    for place, name in enumerate(known):
        levels = tuple(level for level in sorted(table) if name in table[level])
        by_levels.setdefault(levels, []).append(place)
    taus, variances = np.zeros(len(known)), np.zeros(len(known))
    for levels, rows in by_levels.items():
        answers = [[table[level][known[place]] for level in levels] for place in rows]
        # Rounded, so that copies of one text tie whatever the last bits of their estimates are.
        points = [[round(one.intensity, 3) for one in own] for own in answers]
        taus[rows] = tau_b(np.array(points))
        variances[rows] = tau_variances(
            np.array([[one.intensity for one in own] for own in answers]),
            np.nan_to_num([[one.stderr for one in own] for own in answers]),  # `compat` knows none
        )
    weights = np.stack([counts[query] for query, _ in known], axis=1)
    totals = np.maximum(weights.sum(axis=1), 1)
    queries = len({query for query, _ in known})
    least = float(sum(variances)) / len(known) ** 2
    return Draws(float(np.mean(taus)), weights @ taus / totals, 0.0, least, queries)


def _leakage(off: Sequence[Curve], on: Draws) -> Draws:
    """Mean |off-target slope| per point of on-target slope."""
    slopes = [statistic(curve, _slope(curve.levels)) for curve in off]
    shift = np.mean([np.abs(one.replicates) for one in slopes], axis=0)
    target = np.maximum(np.abs(on.replicates), 1e-6)
    point = float(np.mean([abs(one.point) for one in slopes]))
    variance = sum(one.shared_variance for one in slopes) / len(slopes) ** 2
    least = sum(one.least_variance for one in slopes) / len(slopes) ** 2
    square = on.point**2
    return Draws(point / abs(on.point), shift / target, variance / square, least / square, on.n)


def _share_metrics(measured: Sequence[Measured], values: Sequence[str]) -> dict[str, Metric]:
    """Shares of answers that were refused, and of measurements without a number."""
    if not measured:
        return {}
    unscored = [
        (one.query_id, not one.estimates[value].scored)
        for one in measured
        if not one.refused
        for value in values
        if value in one.estimates
    ]
    return {
        "refusal": mean_over_queries([(one.query_id, one.refused) for one in measured], _SHARE),
        "unscored": mean_over_queries(unscored, _SHARE)
        if unscored
        else Metric(0.0, None, 0, _SHARE),
    }


def mean_over_queries(
    numbers: Iterable[tuple[str, float]], bounds: tuple[float, float] = (-math.inf, math.inf)
) -> Metric:
    """Mean over queries of each query's mean, with its standard error.

    Answers to one query are no independent draws, whatever their levels and epochs are.

    Args:
        numbers: Pairs of a query and a number of one of its answers; at least one.
        bounds: What the mean can be at least and at most.
    """
    by_query: dict[str, list[float]] = {}
    for query, number in numbers:
        by_query.setdefault(query, []).append(number)
    means = [float(np.mean(own)) for own in by_query.values()]
    error = float(np.std(means, ddof=1)) / math.sqrt(len(means)) if len(means) > 1 else None
    return Metric(float(np.mean(means)), error, len(means), bounds)


def query_numbers(measured: Sequence[Measured], value: str) -> dict[str, float]:
    """Plain numbers of one query's answers, for people who read samples.

    Args:
        measured: All answers to one query.
        value: The value that was steered, or measured.

    Returns:
        `intensity`, `gain`, `tracking`, `steerability_up`, `steerability_down` and
        `steerability`, as far as they can be computed; without population model or error.
    """
    table = _scored(measured, value, value)
    points = {
        level: float(np.mean([one.intensity for one in row.values()]))
        for level, row in table.items()
    }
    found: dict[str, float] = {}
    if 0.0 in points:
        found["intensity"] = points[0.0]
    if {-2.0, 0.0, 2.0} <= set(points):
        levels = sorted(points)
        means = np.array([points[level] for level in levels])
        found["gain"] = float(_slope(levels)(means))
        found["tracking"] = float(tau_b(np.round(means, 3)[None])[0])
        rise, fall = points[2.0] - points[0.0], points[0.0] - points[-2.0]
        shares = []
        for name, shift, room in (
            ("steerability_up", rise, SCALE_END - points[0.0]),
            ("steerability_down", fall, SCALE_END + points[0.0]),
        ):
            if room >= _ROOM:
                found[name] = max(-1.0, min(1.0, shift / room))
                shares.append(found[name])
        found["steerability"] = float(np.mean(shares))
    return found
