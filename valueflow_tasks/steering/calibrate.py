"""Measuring a dial on development queries."""

from __future__ import annotations

from collections.abc import Sequence

from valueflow_scorers._measure import Instrument

from ..prompts import LEVELS, steering_text
from ..queries import Query, load_queries
from ._answer import GREEDY, Loaded, Sampling, model_name
from ._contrast import refuse_test_queries
from ._folder import Fitted
from ._trial import Condition, Trial, run_trial
from .dial import LEVELS_REACHED, Dial
from .fit import trial_spec

STEPS = 13
"""Doses measured by default, evenly spaced, 0 among them."""


def calibrate_vector(
    loaded: Loaded,
    fitted: Fitted,
    instrument: Instrument,
    *,
    levels: Sequence[float] | None = None,
    queries: Sequence[Query] | None = None,
    sampling: Sampling = GREEDY,
    batch_size: int = 32,
) -> tuple[Dial, Trial]:
    """Measure the dose-response curve of a fitted vector.

    Args:
        loaded: The model.
        fitted: The vector, or the pair, with its dose per level.
        instrument: Measures.
        levels: Real levels to measure at; 13 from -3 to 3 by default.
        queries: Development queries; all 30 by default.
        sampling: How many answers each gets, drawn as the steered runs will draw them.
        batch_size: Rows per batch.

    Raises:
        ValueFlowError: for test queries, or a vector of another model.
    """
    asked = tuple(queries) if queries is not None else load_queries("dev")
    refuse_test_queries(asked)
    steps = levels if levels is not None else [
        LEVELS_REACHED * (2 * i / (STEPS - 1) - 1) for i in range(STEPS)
    ]  # fmt: skip
    per_level = fitted.dose_per_level
    conditions = {
        level * per_level: Condition(spec=trial_spec(loaded, fitted, level, level * per_level))
        for level in sorted({0.0, *map(float, steps)})
    }
    trial = run_trial(loaded, fitted.value, asked, conditions, instrument, sampling=sampling,
                      batch_size=batch_size)  # fmt: skip
    profile = instrument.judge_profile
    model = model_name(loaded)
    return Dial.from_trial(trial, "vector", fitted.fingerprint, per_level, profile, model), trial


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
        queries: Development queries; all 30 by default.
        sampling: How many answers each gets, drawn as the steered runs will draw them.
        batch_size: Rows per batch.

    Raises:
        ValueFlowError: for test queries.
    """
    asked = tuple(queries) if queries is not None else load_queries("dev")
    refuse_test_queries(asked)
    conditions = {
        float(level): Condition(prompt=steering_text(value, level, method)) for level in LEVELS
    }
    trial = run_trial(loaded, value, asked, conditions, instrument, sampling=sampling,
                      batch_size=batch_size)  # fmt: skip
    model, profile = model_name(loaded), instrument.judge_profile
    return Dial.from_trial(trial, "prompt", method, 1.0, profile, model), trial
