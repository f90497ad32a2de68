"""Dose and response on the bundled model: the prompt arm, the vector arm, and the dial.

`python -m benchmarks.dose_response [--dial [--samples N]] [--judge stances]`. Vectors, layers and
doses see development queries only, dials calibration queries; everything in the tables is measured
on test queries. The judge `stances` knows what the model's sentences were written to express
(`benchmarks.stances`); any judge of the package, such as `embedded`, can take its place. `--value`
takes one value in place of the three.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from types import SimpleNamespace

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import numpy as np
from rich.console import Console
from rich.table import Table
from valueflow_scorers import ValueFlowError
from valueflow_scorers._measure import Instrument
from valueflow_scorers.metrics import Metric, steering_metrics

from benchmarks.stances import StanceInstrument
from valueflow_tasks.prompts import LEVELS, steering_text
from valueflow_tasks.queries import load_queries
from valueflow_tasks.settings import Settings
from valueflow_tasks.side_effects import side_effects
from valueflow_tasks.steering._answer import GREEDY, Loaded, Sampling, load_model
from valueflow_tasks.steering._folder import Fitted
from valueflow_tasks.steering._trial import Condition, Trial, run_trial
from valueflow_tasks.steering.calibrate import calibrate_vector
from valueflow_tasks.steering.dial import Dial
from valueflow_tasks.steering.fit import fit_vector, trial_spec

VALUES = ("svt/benevolence", "svt/hedonism", "svt/power")
LAYERS = (1, 2)
DOSES = (0.2, 0.4)
STANCES = "stances"
SHARES = (0.2, 0.5, 0.8)
"""Targets of the dial, as shares of the range measured on development queries."""


def instrument_of(judge: str) -> Instrument:
    """What measures."""
    return StanceInstrument() if judge == STANCES else Settings(judge=judge).instrument()


def fitted_on_dev(loaded: Loaded, value: str, instrument: Instrument) -> Fitted:
    """A pair of vectors for a value; layer and dose chosen on development queries."""
    fitted, _ = fit_vector(
        loaded, value, instrument, source="prompts", sides="two", layers=LAYERS, doses=DOSES
    )
    return fitted


def arms(loaded: Loaded, fitted: Fitted, instrument: Instrument) -> dict[str, Trial]:
    """Both arms at five levels, on test queries."""
    value, per_level = fitted.value, fitted.dose_per_level
    conditions = {
        "prompt": {float(n): Condition(prompt=steering_text(value, n)) for n in LEVELS},
        "vector": {
            float(n): Condition(spec=trial_spec(loaded, fitted, n, n * per_level)) for n in LEVELS
        },
    }
    queries = load_queries("test")
    return {
        arm: run_trial(loaded, value, queries, levels, instrument)
        for arm, levels in conditions.items()
    }


def gain(trial: Trial) -> Metric:
    """Points per level with its error, as the tasks report it."""
    measured = [one for dose in trial.doses for one in trial.measured[dose]]
    return steering_metrics(measured, [trial.value])["gain"]


def response_table(judge: str = STANCES, values: Sequence[str] = VALUES) -> Table:
    """One row per value and arm: mean intensity at each level, gain and side effects."""
    loaded, instrument = load_model("bundled", device="cpu"), instrument_of(judge)
    table = Table(title=f"bundled model, {len(load_queries('test'))} test queries, judge {judge}")
    for heading in ("value", "arm", *(f"{level:+d}" for level in LEVELS), "gain, 95 % interval",
                    "perplexity ×", "no-op", "wrong sign"):  # fmt: skip
        table.add_column(heading, justify="left" if heading in ("value", "arm") else "right")
    for value in values:
        fitted = fitted_on_dev(loaded, value, instrument)
        for arm, trial in arms(loaded, fitted, instrument).items():
            means = [trial.mean(float(level)) for level in LEVELS]
            low, high = gain(trial).interval(0.95) or (math.nan, math.nan)
            side = side_effects(trial.told, value)
            lost = (trial.loss(2.0) + trial.loss(-2.0)) / 2 - trial.loss(0.0)
            table.add_row(
                value,
                arm,
                *(f"{mean:+.1f}±{error:.1f}" for mean, error, _ in means),
                f"{gain(trial).value:+.2f}  {low:+.2f} … {high:+.2f}",
                f"{math.exp(lost):.2f}",
                f"{(side['no_op_up'].value + side['no_op_down'].value) / 2:.0%}",
                f"{side['wrong_sign'].value:.0%}",
            )
    return table


def dev_range(trial: Trial, dial: Dial) -> tuple[float, float]:
    """The range of the curve on the development queries among those of a dial."""
    dev = load_queries("dev")
    ids = {query.id for query in dev}
    measured = {
        dose: [one for one in found if one.query_id in ids]
        for dose, found in trial.measured.items()
    }
    own = replace(trial, queries=dev, measured=measured)
    ruler = SimpleNamespace(judge=dial.judge, fingerprint=dial.profile)
    return Dial.from_trial(own, dial.arm, dial.identity, dial.dose_per_level, ruler).reach


def dial_table(
    judge: str = STANCES, values: Sequence[str] = VALUES, sampling: Sampling = GREEDY
) -> Table:
    """Targets against what was measured on test queries."""
    loaded, instrument = load_model("bundled", device="cpu"), instrument_of(judge)
    title = f"the dial: set on calibration, measured on test queries{sampling.told}, judge {judge}"
    table = Table(title=title)
    for heading in ("value", "range on dev", "asked", "90 % interval", "measured", "error", "hit"):
        table.add_column(heading, justify="left" if heading == "value" else "right")
    errors, halves, hits = [], [], 0
    for value in values:
        fitted = fitted_on_dev(loaded, value, instrument)
        dial, trial = calibrate_vector(
            loaded, fitted, instrument, sampling=sampling, progress=partial(print, file=sys.stderr)
        )
        low, high = dev_range(trial, dial)
        for share in SHARES:
            asked = low + share * (high - low)
            try:
                setting = dial.invert(asked)
            except ValueFlowError as error:
                table.add_row(value, "", f"{asked:+.1f}", str(error), "", "", "")
                continue
            spec = trial_spec(loaded, fitted, setting.level, setting.dose)
            conditions = {setting.dose: Condition(spec=spec)}
            trial = run_trial(loaded, value, load_queries("test"), conditions, instrument,
                              sampling=replace(sampling, seed=1))  # fmt: skip
            found = trial.mean(setting.dose)[0]
            hit = setting.low <= found <= setting.high
            errors.append(abs(found - asked))
            halves.append(setting.half_width)
            hits += hit
            table.add_row(
                value, f"{low:+.1f} … {high:+.1f}", f"{asked:+.1f}",
                f"{setting.low:+.1f} … {setting.high:+.1f}", f"{found:+.1f}",
                f"{found - asked:+.1f}", "yes" if hit else "no",
            )  # fmt: skip
    table.caption = (
        f"{hits} of {len(errors)} within the stated interval, mean |error| "
        f"{np.mean(errors):.2f}, mean half-width {np.mean(halves):.2f} points, "
        f"{sum(half <= 1.5 for half in halves)} at most 1.5"
    )
    return table


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--judge", default=STANCES)
    parser.add_argument("--dial", action="store_true", help="the dial in place of the arms")
    parser.add_argument("--samples", type=int, default=1, help="of the dial, per query")
    parser.add_argument("--value", action="append", help="in place of the three; repeat")
    given = parser.parse_args()
    values = given.value or VALUES
    sampling = Sampling(given.samples, 1.0 if given.samples > 1 else 0.0)
    table = (
        dial_table(given.judge, values, sampling)
        if given.dial
        else response_table(given.judge, values)
    )
    Console(width=150).print(table)


if __name__ == "__main__":
    main()
