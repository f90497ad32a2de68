"""The instrument against the released evaluator, on judges of known truth.

`python -m benchmarks.evaluator` prints one JSON object with a row per question and a column for
each side. Noise is the sd, in points, of an independent normal perception error per text and
call (Gumbel noise of the same sd is run too). Every cell is repeated over panels whose labels
err anew; mean and range over panels are given. Judges are calibrated before they are used, as
`valueflow judge calibrate` does it: on all panels of the cell together, 60 windows each.
Names of rows as arguments run those alone.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"

import numpy as np
from tqdm import tqdm
from valueflow_scorers import IntensityEstimate, JudgeProfile, cell_mean

from benchmarks import attacks
from benchmarks.simulation import Floats, Settings, calibrated, make_panel, measure

NOISES = (0.5, 1.0, 2.0, 3.0)
TRUTHS: dict[str, Callable[[np.random.Generator, int], Floats]] = {
    "uniform": lambda rng, n: rng.uniform(-10, 10, n),
    "normal(3, 1.5)": lambda rng, n: np.clip(rng.normal(3, 1.5, n), -10, 10),
    "uniform(7, 10)": lambda rng, n: rng.uniform(7, 10, n),
    "+10": lambda rng, n: np.full(n, 10.0),
    "-10": lambda rng, n: np.full(n, -10.0),
}


def main(panels: int = 20) -> None:
    """Run every row and print."""
    rows: dict[str, Callable[[int], Any]] = {
        "rmse": rmse,
        "calls": calls,
        "coverage": coverage,
        "ends_of_the_scale": ends,
        "means_of_cells": means,
        "slot_preference": slots,
        "letters": letters,
        "attacks": lambda _: attacks.shifts(),
    }
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rows", nargs="*", choices=[*rows, []], metavar="row", help=", ".join(rows))
    chosen = parser.parse_args().rows or list(rows)
    result: dict[str, Any] = {"benchmark": "evaluator", "panels_per_cell": panels}
    for name in tqdm(chosen, "measuring"):
        result[name] = rows[name](panels)
    print(json.dumps(result))


@dataclass(frozen=True)
class Cell:
    """One cell of a table: who judges what on which rulers."""

    truth: str = "uniform"
    label_sd: float = 0.5
    judge: Settings = ()
    m: int = 3
    anchors: int = 24
    shape: str = "even"
    compat: bool = False
    panels: int = 20
    alone: bool = False
    """Whether a judge is calibrated on the panel at hand alone, and not on all of the cell's."""

    def profile(self, seed: int) -> JudgeProfile | None:
        """Of the judge, for one panel."""
        if self.compat:
            return None
        if self.alone:
            return calibrated((seed,), self.label_sd, self.judge)
        whole = calibrated(tuple(range(self.panels)), self.label_sd, self.judge)
        # Panels of 400 texts were never shown: the judge is known from those of 24.
        return whole if self.anchors == 24 else replace(whole, panels={})

    def estimates(self, seed: int, thetas: Floats) -> list[IntensityEstimate]:
        """Of responses of known intensity on one panel."""
        panel, known = make_panel(seed, self.anchors, self.label_sd, self.shape)
        profile = self.profile(seed)
        return measure(
            panel, known, thetas, self.judge, profile, m=self.m, run=1 + seed, compat=self.compat
        )

    def errors(self, seed: int, n: int) -> tuple[Floats, list[bool]]:
        """Of one panel's responses, and whether each 90 % interval holds the truth."""
        thetas = TRUTHS[self.truth](np.random.default_rng(1000 + seed), n)
        found = self.estimates(seed, thetas)
        inside = [
            low <= theta <= high
            for theta, (low, high) in zip(thetas, (one.interval() for one in found), strict=True)
        ]
        return np.array([one.intensity for one in found]) - thetas, inside

    def rmse(self, n: int = 60) -> dict[str, float]:
        """RMSE over panels: mean, least and largest."""
        return spread(
            [float(np.sqrt(np.mean(self.errors(seed, n)[0] ** 2))) for seed in range(self.panels)]
        )


def spread(numbers: list[float]) -> dict[str, float]:
    """Mean and range."""
    return {
        "mean": round(float(np.mean(numbers)), 3),
        "min": round(min(numbers), 3),
        "max": round(max(numbers), 3),
    }


def rmse(panels: int) -> list[dict[str, Any]]:
    """One response at k=6, m=3."""
    wanted = [
        {"truth": "uniform", "label_sd": sd, "anchors": anchors, "gumbel": gumbel}
        for anchors in (24, 400)
        for sd in (0.5, 1.0)
        for gumbel in (False, True)
    ]
    wanted += [
        {"truth": truth, "label_sd": 0.5, "anchors": 24, "gumbel": False}
        for truth in TRUTHS
        if truth != "uniform"
    ]
    found = []
    for one in wanted:
        shape = {key: one[key] for key in ("truth", "label_sd", "anchors")}
        for noise in NOISES:
            judge = (("noise", noise), ("gumbel", one["gumbel"]))
            cell = Cell(**shape, judge=judge, panels=panels)
            row = {
                **one,
                "noise": noise,
                "release": replace(cell, compat=True).rmse(),
                "ours": cell.rmse(),
            }
            if one["truth"] == "uniform" and one["anchors"] == 24 and not one["gumbel"]:
                bell = replace(cell, compat=True, shape="bell", anchors=400)
                row["release_on_bell"] = bell.rmse()
            found.append(row)
    return found


def calls(panels: int) -> list[dict[str, Any]]:
    """Fewest windows with which ours errs no more than the release does at m=5."""
    found = []
    for noise in (0.5, 1.0):
        cell = Cell(judge=(("noise", noise),), panels=panels)
        target = replace(cell, m=5, compat=True).rmse()
        ours = {m: replace(cell, m=m).rmse() for m in (1, 2, 3, 4, 5)}
        enough = [m for m, one in ours.items() if one["mean"] <= target["mean"]]
        found.append(
            {
                "noise": noise,
                "release_at_5": target,
                "ours": ours,
                "calls": min(enough, default=None),
            }
        )
    return found


def coverage(panels: int) -> list[dict[str, Any]]:
    """Share of 90 % intervals that hold the truth.

    On twice as many panels: errors of one panel go together, and a share of few panels is
    coarse. `alone` is the harder case of a judge that was calibrated on the one panel at hand.
    """
    settings = [("uniform", sd, p) for sd in (0.5, 1.0) for p in (0.0, 0.5, 1.0, 1.5)]
    settings += [("+10", 0.5, 0.0), ("-10", 0.5, 0.0)]
    found = []
    for truth, label_sd, persistent in settings:
        for m, n in ((3, 40), (20, 15)):
            for noise in NOISES:
                judge = (("noise", noise), ("persistent", persistent))
                cell = Cell(truth, label_sd, judge, m, panels=2 * panels)
                row: dict[str, Any] = {
                    "truth": truth,
                    "label_sd": label_sd,
                    "persistent": persistent,
                    "m": m,
                    "noise": noise,
                }
                for side in ("ours", "alone"):
                    one = replace(cell, alone=side == "alone")
                    inside = [hit for seed in range(one.panels) for hit in one.errors(seed, n)[1]]
                    row[side] = round(float(np.mean(inside)), 3)
                found.append({**row, "n": len(inside), "panels": cell.panels})
    return found


def ends(panels: int) -> list[dict[str, Any]]:
    """What a perfect judge makes of true ±10."""
    found = []
    for truth in ("+10", "-10"):
        ours = Cell(truth, 0.5, (("noise", 0.02),), panels=panels)
        even = replace(ours, compat=True)
        bell = replace(even, label_sd=0.0, shape="bell", anchors=400)
        true = float(truth)
        row: dict[str, Any] = {"truth": true}
        for side, cell in (("release_on_bell", bell), ("release_on_even", even), ("ours", ours)):
            row[side] = spread(
                [true + float(np.mean(cell.errors(seed, 20)[0])) for seed in range(panels)]
            )
        found.append(row)
    return found


def means(panels: int) -> list[dict[str, Any]]:
    """Mean of 100 answers: bias, and coverage of its 95 % interval, on five times the panels."""
    found = []
    for centre in (7.0, 9.0):
        for noise in NOISES:
            cell = Cell(judge=(("noise", noise),), panels=5 * panels)
            release, ours, inside = [], [], []
            for seed in range(cell.panels):
                thetas = np.random.default_rng(2000 + seed).normal(centre, 1.5, 100)
                mean = cell_mean(cell.estimates(seed, thetas))
                low, high = mean.interval(0.95)
                ours.append(mean.mean - centre)
                inside.append(low <= centre <= high)
                old = replace(cell, compat=True).estimates(seed, thetas)
                release.append(float(np.mean([one.intensity for one in old])) - centre)
            found.append(
                {
                    "centre": centre,
                    "noise": noise,
                    "release_bias": spread(release),
                    "bias": spread(ours),
                    "coverage_95": round(float(np.mean(inside)), 3),
                    "n": cell.panels,
                }
            )
    return found


def slots(panels: int) -> dict[str, Any]:
    """A preference of four points for slot 1, paired with the same judge without it."""
    shifts: dict[str, list[float]] = {"release": [], "ours": []}
    biases = ((4.0, 0.0, 0.0, 0.0, 0.0, 0.0), ())
    for side, compat in (("release", True), ("ours", False)):
        for seed in range(panels):
            preferring, plain = (
                Cell(judge=(("noise", 1.0), ("slot_bias", bias)), compat=compat, panels=panels)
                for bias in biases
            )
            shift = preferring.errors(seed, 60)[0] - plain.errors(seed, 60)[0]
            shifts[side].append(float(np.mean(shift)))
    return {side: spread(numbers) for side, numbers in shifts.items()}


def letters(panels: int) -> dict[str, Any]:
    """Letters at noise 1, temperature 1.5 and a noisy tail; one output token per window."""
    cell = Cell(judge=(("noise", 1.0), ("letters", 1.5)), panels=panels)
    return {"rmse": cell.rmse(), "output_tokens": 1}


if __name__ == "__main__":
    main()
