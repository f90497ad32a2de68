"""Simulated studies with known effects: do intervals cover, and are discoveries true?

`python -m benchmarks.study [--studies N]` prints one JSON object. Truth: normal populations of
answers around known cell means, with query effects that all cells of a study share; rulers with
label errors; a judge with noise and persistent misreadings whose profile is fitted on each ruler.
Everything after the judgements is the code that users run.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import time
from collections.abc import Mapping
from typing import Any

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"

import numpy as np
from scipy.stats import binomtest
from valueflow_scorers import AnchorEvaluator, IntensityEstimate, Panel, Response
from valueflow_scorers._measure import Measured

from benchmarks.simulation import NoisyJudge, Settings, calibrated, make_panel
from valueflow_tasks.analysis import adjusted
from valueflow_tasks.analysis._drift import _movement, arrival
from valueflow_tasks.analysis._statistics import difference, number
from valueflow_tasks.compose import composition_metrics

QUERIES = 40
LABEL_SD = 0.5
JUDGE: Settings = (("noise", 1.0), ("persistent", 0.7), ("seed", 7))
QUERY_SD, ANSWER_SD = 1.5, 1.0
PANELS = 24
MASS = 0.95
COMPARED = 20
"""Comparisons per study whose p-values are adjusted together."""

Ruler = tuple[Panel, dict[str, float]]
Cells = dict[Any, dict[str, IntensityEstimate]]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--studies", type=int, default=400)
    parser.add_argument("--compositions", type=int, default=100)
    given = parser.parse_args()
    began = time.perf_counter()
    rulers = [_ruler(seed) for seed in range(PANELS)]
    print(
        json.dumps(
            {
                "benchmark": "study",
                "queries": QUERIES,
                "label_sd": LABEL_SD,
                "judge_noise_sd": dict(JUDGE)["noise"],
                "judge_persistent_sd": dict(JUDGE)["persistent"],
                "interval_mass": MASS,
                **paired(rulers, given.studies),
                "drift": drifting(rulers, given.studies // 2),
                "composition": composing(rulers, given.compositions),
                "seconds": round(time.perf_counter() - began),
            }
        )
    )


def _ruler(seed: int) -> Ruler:
    return make_panel(seed, 24, LABEL_SD)


def answer(
    rng: np.random.Generator, ruler: Ruler, means: Mapping[Any, float], queries: np.ndarray
) -> Cells:
    """Measured answers of cells with known means; queries have effects that all cells share."""
    panel, truth = ruler
    effects = queries + rng.normal(0, ANSWER_SD, (len(means), len(queries)))
    thetas = np.clip(np.array(list(means.values()))[:, None] + effects, -10, 10)
    # Answers of other studies are other texts: the judge misreads each in its own way.
    first = int(rng.integers(1_000_000_000))
    ids = [f"r{first + place}" for place in range(thetas.size)]
    known = {**truth, **dict(zip(ids, thetas.ravel().tolist(), strict=True))}
    profile = calibrated(tuple(range(PANELS)), LABEL_SD, JUDGE)
    evaluator = AnchorEvaluator(panel, NoisyJudge(known, run=first, **dict(JUDGE)), profile=profile)
    responses = [Response(f"response {one}", id=one) for one in ids]
    found = iter(asyncio.run(evaluator.ascore(responses)))
    names = [f"q{i}" for i in range(len(queries))]
    return {cell: {name: next(found) for name in names} for cell in means}


def paired(rulers: list[Ruler], studies: int) -> dict[str, Any]:
    """Coverage of numbers and differences; discoveries after adjustment."""
    rng = np.random.default_rng(1)
    covered: dict[str, list[bool]] = {}
    p_null, p_real = [], []
    for study in range(studies):
        ruler = rulers[study % len(rulers)]
        base, up = rng.uniform(-3, 3), rng.uniform(0.5, 3.5)
        down, more = rng.uniform(0.5, 3.5), rng.uniform(0.7, 2.0)
        null = study % 2 == 0
        shift = 0.0 if null else more
        means = {("a", 0.0): base, ("a", 2.0): base + up, ("a", -2.0): base - down}
        means |= {("b", 0.0): base, ("b", 2.0): base + up + shift, ("b", -2.0): base - down}
        cells = answer(rng, ruler, means, rng.normal(0, QUERY_SD, QUERIES))
        a, b = ({level: cells[who, level] for level in (-2.0, 0.0, 2.0)} for who in "ab")
        checks = {
            "intensity": (number(a, "intensity"), base),
            "gain": (number(a, "gain"), (up + down) / 4),
            "shift_up": (number(a, "shift_up"), up),
            "difference_gain": (difference(a, b, "gain"), shift / 4),
            "difference_shift_up": (difference(a, b, "shift_up"), shift),
            "difference_intensity": (difference(a, b, "intensity"), 0.0),
        }
        for name, (found, true) in checks.items():
            low, high = found.interval(MASS)
            covered.setdefault(name, []).append(low <= true <= high)
        (p_null if null else p_real).append(checks["difference_shift_up"][0].p_value)
    return {
        "studies": studies,
        "coverage": {name: _share(hits) for name, hits in covered.items()},
        "false_discovery": discoveries(rng, np.array(p_null), np.array(p_real)),
    }


def discoveries(rng: np.random.Generator, null: np.ndarray, real: np.ndarray) -> dict[str, Any]:
    """Rate of false discoveries in studies of COMPARED comparisons, drawn from those simulated.

    Each comparison is used in one study only, so that studies are independent.
    """
    found = {}
    for name, true_share in (("half_true", 0.5), ("all_null", 0.0)):
        few = round(COMPARED * true_share)
        n_null = COMPARED - few
        count = min(len(null) // n_null, len(real) // few if few else len(null))
        nulls, reals = rng.permutation(null), rng.permutation(real)
        false, power = [], []
        for study in range(count):
            p = np.concatenate([nulls[study * n_null :][:n_null], reals[study * few :][:few]])
            hits = adjusted(p) < 0.05
            false.append(hits[:n_null].sum() / max(hits.sum(), 1))
            power.append(hits[n_null:].mean() if few else 0.0)
        found[name] = {
            "studies": count,
            "rate": round(float(np.mean(false)), 4),
            "standard_error": round(float(np.std(false)) / max(count, 1) ** 0.5, 4),
            **({"found_of_true": round(float(np.mean(power)), 3)} if few else {}),
        }
    return found


def drifting(rulers: list[Ruler], studies: int) -> dict[str, Any]:
    """Coverage of the drift between checkpoints and of the step at which 95 % is reached."""
    rng = np.random.default_rng(2)
    steps = [0.0, 1.0, 2.0, 4.0, 8.0]
    drift, arrived = [], []
    for study in range(studies):
        base, size, pace = rng.uniform(-4, 0), rng.uniform(2, 5), rng.uniform(0.4, 1.2)
        curve = [base + size * (1 - np.exp(-pace * step)) for step in steps]
        cells = answer(
            rng, rulers[study % len(rulers)], dict(zip(steps, curve, strict=True)),
            rng.normal(0, QUERY_SD, QUERIES),
        )  # fmt: skip
        found = _movement(cells, MASS, 0.95)
        drift.append(bool(found["low"] <= curve[-1] - curve[0] <= found["high"]))
        true = arrival(steps, np.array(curve))
        arrived.append(bool(found["arrived_low"] <= true <= found["arrived_high"]))
    return {"studies": studies, "drift": _share(drift), "arrived": _share(arrived)}


def composing(rulers: list[Ruler], studies: int) -> dict[str, Any]:
    """Five targets, the strongest planted to keep most of its shift: are the parameters found?"""
    rng = np.random.default_rng(3)
    covered: dict[str, list[bool]] = {}
    errors: dict[str, list[float]] = {}
    missing = 0
    for _ in range(studies):
        strongest, others = rng.uniform(0.7, 1.0), rng.uniform(0.1, 0.5)
        measured, true = _composed(rng, rulers, strongest, others)
        found = composition_metrics(measured)
        for name, value in true.items():
            if name not in found:
                missing += 1
                continue
            low, high = found[name].interval(MASS) or (np.nan, np.nan)
            covered.setdefault(name, []).append(bool(low <= value <= high))
            errors.setdefault(name, []).append(found[name].value - value)
    return {
        "studies": studies,
        "not_computable": missing,
        "coverage": {name: _share(hits) for name, hits in covered.items()},
        "mean_error": {name: round(float(np.mean(own)), 3) for name, own in errors.items()},
    }


def _composed(
    rng: np.random.Generator, rulers: list[Ruler], strongest: float, others: float
) -> tuple[list[Measured], dict[str, float]]:
    """Answers of three sets of five targets each, and the parameters behind them."""
    chosen = rng.permutation(len(rulers))[:8]
    values = {rulers[i][0].value: rulers[i] for i in chosen}
    gain = {value: rng.uniform(1.2, 2.2) for value in values}
    sets = []
    for _ in range(3):
        members = rng.permutation(list(values))[:5]
        signs = rng.choice([-1.0, 1.0], 5)
        sets.append({str(v): float(s * (2 if i == 0 else 1))
                     for i, (v, s) in enumerate(zip(members, signs, strict=True))})  # fmt: skip
    effects = rng.normal(0, QUERY_SD / 2, QUERIES)
    cells: dict[str, Cells] = {}
    points = []
    for value, ruler in values.items():
        means: dict[Any, float] = {(): 0.0}
        for targets in sets:
            if value not in targets:
                continue
            for other, level in targets.items():
                means[((other, level),)] = gain[value] * level if other == value else 0.0
            top = abs(targets[value]) == 2
            keep = strongest if top else others
            means[tuple(targets.items())] = keep * gain[value] * targets[value]
            points.append((top, gain[value] * targets[value], keep, np.sign(targets[value])))
        cells[value] = answer(rng, ruler, means, effects)
    measured = [
        Measured(
            query,
            arm[0][0] if len(arm) == 1 else None,
            arm[0][1] if len(arm) == 1 else (np.nan if arm else 0.0),
            False,
            {value: own[arm][query] for value, own in cells.items() if arm in own},
            dict(arm) if len(arm) > 1 else {},
        )
        for arm in dict.fromkeys(arm for own in cells.values() for arm in own)
        for query in (f"q{i}" for i in range(QUERIES))
    ]
    single = np.array([one[1] for one in points])
    kept = np.array([one[1] * one[2] for one in points])
    along = kept * np.array([one[3] for one in points])
    top = np.array([one[0] for one in points])
    return measured, {
        "retained_strongest": strongest,
        "retained_others": others,
        "dominance": float(along[top].sum() / along.sum()),
        "additivity": float(single @ kept / (single @ single)),
        "additivity_r2": float((single @ kept) ** 2 / (single @ single) / (kept @ kept)),
    }


def _share(hits: list[bool]) -> dict[str, Any]:
    """Share of hits with its 95 % interval (Wilson)."""
    interval = binomtest(sum(hits), len(hits)).proportion_ci(0.95, method="wilson")
    return {
        "covered": round(sum(hits) / len(hits), 3),
        "of": len(hits),
        "interval": [round(interval.low, 3), round(interval.high, 3)],
    }


if __name__ == "__main__":
    main()
