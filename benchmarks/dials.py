"""Simulated dials whose curves are known, query by query: do stated intervals hold?

`python -m benchmarks.dials [--dials N]` prints one JSON object. A query's answers follow a curve of
its own, ``reach tanh((dose - place) / width)``, with noise; five kinds of queries lie apart. The
doses that are measured, the curve, the bootstrap over queries and the interval are the code that
users run; a dose's mean is the plain average. How likely 70 new queries of the same kinds are to
fall within an interval is computed exactly for each dial.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"

import numpy as np
from scipy.stats import norm
from valueflow_scorers._records import FloatArray

from valueflow_tasks.queries import Query, load_queries
from valueflow_tasks.steering import calibrate
from valueflow_tasks.steering._answer import GREEDY, Loaded
from valueflow_tasks.steering._trial import drawn_within, kinds_of
from valueflow_tasks.steering.dial import NEW_QUERIES, Dial

CASES = {"smooth": (0.4, 0.25), "steep": (0.1, 0.1), "leap": (0.02, 0.02)}
"""Width of a query's curve and how far queries lie apart (sd), in doses; a level is 0.4."""
NOISES = (1.8, 5.0)
"""Of a query's answers, points."""
EVEN = [3 * (2 * i / 12 - 1) for i in range(13)]
"""Levels, evenly spaced, to compare with."""
SHARES = (0.2, 0.5, 0.8)
PER_LEVEL = 0.4
MANY = 20_000


@dataclass
class Population:
    """Queries of five kinds with curves of their own."""

    width: float
    apart: float
    noise: float
    middle: float

    def curves(self, kinds: Sequence[str], rng: np.random.Generator) -> Any:
        """The intensity of each query at a dose."""
        names, numbers = np.unique(np.array(kinds), return_inverse=True)
        shifts = np.linspace(-1, 1, len(names))[numbers]
        place = self.middle + self.apart * (rng.normal(size=len(kinds)) + shifts)
        reach = rng.normal(8, 1, len(kinds))
        return lambda dose: reach * np.tanh((dose - place) / self.width)


@dataclass
class PlainTrial:
    """Answers whose means are plain averages; what a dial needs of a `Trial`."""

    queries: Sequence[Query]
    rows: dict[float, FloatArray]
    value: str = "svt/power"
    sampling = GREEDY

    @property
    def kinds(self) -> tuple[int, ...]:
        """As of a `Trial`."""
        return kinds_of(self.queries)

    @property
    def doses(self) -> tuple[float, ...]:
        """In ascending order."""
        return tuple(sorted(self.rows))

    def joined(self, other: PlainTrial) -> PlainTrial:
        """With the doses of another."""
        return PlainTrial(self.queries, {**self.rows, **other.rows})

    def mean(self, dose: float, draws: int) -> tuple[float, float, FloatArray]:
        """As `Trial.mean`."""
        row = self.rows[dose]
        weights = drawn_within(self.kinds, draws)
        means = weights @ row / weights.sum(axis=1)
        return float(row.mean()), float(means.std()), means

    def share_unscored(self, dose: float) -> float:
        """None."""
        return 0.0


def dialled(truth: Population, rng: np.random.Generator, levels: Sequence[float] | None) -> Dial:
    """A dial as `calibrate_vector` sets it."""
    queries = load_queries("calibration")
    curves = truth.curves([query.kind for query in queries], rng)

    def answered(*given: Any, **_: Any) -> PlainTrial:
        conditions: Mapping[float, Any] = given[3]
        noise = truth.noise * rng.normal(size=(len(conditions), len(queries)))
        return PlainTrial(
            queries,
            {dose: curves(dose) + own for dose, own in zip(conditions, noise, strict=True)},
        )

    fitted: Any = SimpleNamespace(value="svt/power", dose_per_level=PER_LEVEL, fingerprint="f")
    loaded = Loaded(SimpleNamespace(name_or_path="m"), None, None)  # type: ignore[arg-type]
    judge: Any = SimpleNamespace(judge_profile=SimpleNamespace(judge="j", fingerprint="p"))
    with (
        patch.object(calibrate, "run_trial", answered),
        patch.object(calibrate, "trial_spec", lambda *_: None),
    ):
        return calibrate.calibrate_vector(loaded, fitted, judge, levels=levels)[0]


def covered(truth: Population, dial: Dial) -> Iterable[tuple[float, float]]:
    """How likely new queries are to fall within, and the half-width, for each target."""
    kinds = [query.kind for query in load_queries("calibration")]
    many = np.array(kinds * (MANY // len(kinds)))
    curves = truth.curves(many.tolist(), np.random.default_rng(1))
    low, high = dial.reach
    for share in SHARES:
        setting = dial.invert(low + share * (high - low))
        at = curves(setting.dose)
        within = np.mean([at[many == kind].var() for kind in set(kinds)])
        new = norm(at.mean(), np.sqrt((within + truth.noise**2) / NEW_QUERIES))
        yield float(new.cdf(setting.high) - new.cdf(setting.low)), setting.half_width


def measured(case: str, noise: float, dials: int, levels: Sequence[float] | None) -> dict[str, Any]:
    """Mean coverage over dials with its standard error, and the mean half-width."""
    width, apart = CASES[case]
    found, halves = [], []
    for seed in range(dials):
        rng = np.random.default_rng(seed)
        truth = Population(width, apart, noise, rng.uniform(-0.4, 0.4))
        both = list(covered(truth, dialled(truth, rng, levels)))
        found.append(float(np.mean([one for one, _ in both])))
        halves.extend(half for _, half in both)
    return {
        "coverage": round(float(np.mean(found)), 3),
        "coverage_stderr": round(float(np.std(found, ddof=1) / np.sqrt(dials)), 4),
        "half_width": round(float(np.mean(halves)), 2),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--dials", type=int, default=200)
    dials = parser.parse_args().dials
    print(
        json.dumps(
            {
                "benchmark": "dials",
                "stated": 0.9,
                "dials_per_case": dials,
                "queries": len(load_queries("calibration")),
                "cases": [
                    {
                        "curve": case,
                        "noise": noise,
                        "doses_added": measured(case, noise, dials, None),
                        "13_even_doses": measured(case, noise, dials, EVEN),
                    }
                    for case in CASES
                    for noise in NOISES
                ],
            },
            indent=1,
        )
    )


if __name__ == "__main__":
    main()
