"""Measuring a dial on calibration queries."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from valueflow_scorers._measure import Instrument

from ..prompts import LEVELS, steering_text
from ..queries import Query, load_queries
from ._answer import GREEDY, Loaded, Sampling, model_name
from ._contrast import refuse_test_queries
from ._curve import halved
from ._folder import Fitted
from ._trial import Condition, Trial, run_trial
from .dial import LEVELS_REACHED, Dial
from .fit import trial_spec

STEPS = 9
"""Doses measured first by default, evenly spaced, 0 among them."""
STEEP = 2.5
"""Points by which the curve may rise between two doses before one is measured between them."""
MOST = 17
"""Doses measured in all, at most."""


def calibrate_vector(
    loaded: Loaded,
    fitted: Fitted,
    instrument: Instrument,
    *,
    levels: Sequence[float] | None = None,
    queries: Sequence[Query] | None = None,
    sampling: Sampling = GREEDY,
    batch_size: int = 32,
    progress: Callable[[str], None] = lambda line: None,
) -> tuple[Dial, Trial]:
    """Measure the dose-response curve of a fitted vector.

    Doses are added where the curve is steep, since between two of them it is only drawn.

    Args:
        loaded: The model.
        fitted: The vector, or the pair, with its dose per level.
        instrument: Measures.
        levels: Real levels to measure at, 0 besides; by default 9 from -3 to 3, and up to 8
            between those over which the curve rises by more than `STEEP`.
        queries: What to ask; the 150 of `calibration` by default.
        sampling: How many answers each gets, drawn as the steered runs will draw them.
        batch_size: Rows per batch.
        progress: Told what is being done.

    Raises:
        ValueFlowError: for test queries, or a vector of another model.
    """
    asked = _asked(queries)
    per_level = fitted.dose_per_level
    model, profile = model_name(loaded), instrument.judge_profile

    def at(doses: Iterable[float]) -> Trial:
        levels = {dose: dose / per_level for dose in sorted(doses)}
        told = ", ".join(f"{level:+.2f}" for level in levels.values())
        progress(f"{len(asked)} queries{sampling.told}, levels {told}")
        conditions = {
            dose: Condition(spec=trial_spec(loaded, fitted, level, dose))
            for dose, level in levels.items()
        }
        return run_trial(loaded, fitted.value, asked, conditions, instrument, sampling=sampling,
                         batch_size=batch_size)  # fmt: skip

    def dial_of(trial: Trial) -> Dial:
        return Dial.from_trial(trial, "vector", fitted.fingerprint, per_level, profile, model)

    if levels is not None:
        trial = at({0.0, *(level * per_level for level in levels)})
        return dial_of(trial), trial
    reach = LEVELS_REACHED * per_level
    trial = at(reach * (2 * i / (STEPS - 1) - 1) for i in range(STEPS))
    dial = dial_of(trial)
    while between := _steep(dial, trial)[: MOST - len(trial.doses)]:
        trial = trial.joined(at(between))
        dial = dial_of(trial)
    return dial, trial


def _steep(dial: Dial, trial: Trial) -> list[float]:
    """Doses to measure next, steepest first: none twice, should one have been left out."""
    return [dose for dose in halved(dial.doses, dial.curve, STEEP) if dose not in trial.doses]


def _asked(queries: Sequence[Query] | None) -> tuple[Query, ...]:
    asked = tuple(queries) if queries is not None else load_queries("calibration")
    refuse_test_queries(asked)
    return asked


def calibrate_prompts(
    loaded: Loaded,
    value: str,
    instrument: Instrument,
    *,
    method: str = "definition",
    queries: Sequence[Query] | None = None,
    sampling: Sampling = GREEDY,
    batch_size: int = 32,
) -> tuple[Dial, Trial]:
    """Measure the five prompt levels; the dial then names the nearest.

    Args:
        loaded: The model.
        value: An evaluated value.
        instrument: Measures.
        method: How prompts steer.
        queries: What to ask; the 150 of `calibration` by default.
        sampling: How many answers each gets, drawn as the steered runs will draw them.
        batch_size: Rows per batch.

    Raises:
        ValueFlowError: for test queries.
    """
    asked = _asked(queries)
    conditions = {
        float(level): Condition(prompt=steering_text(value, level, method)) for level in LEVELS
    }
    trial = run_trial(loaded, value, asked, conditions, instrument, sampling=sampling,
                      batch_size=batch_size)  # fmt: skip
    model, profile = model_name(loaded), instrument.judge_profile
    return Dial.from_trial(trial, "prompt", method, 1.0, profile, model), trial
