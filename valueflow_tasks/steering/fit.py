"""Fitting steering vectors: direction, layer and dose, chosen on development queries only."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from valueflow_scorers import ValueFlowError
from valueflow_scorers._errors import unknown
from valueflow_scorers._measure import Instrument
from valueflow_scorers._records import FloatArray

from ..queries import Query, load_queries
from ._answer import Loaded, model_name
from ._capture import Activations, capture
from ._contrast import Contrast, contrast_texts, refuse_test_queries
from ._directions import FitMethod, directions, separation
from ._folder import DOSE, Fitted, against_file, dial_file, vector_file
from ._layers import find_decoder
from ._spec import SteeringSpec, Target, VectorDose
from ._trial import Condition, run_trial
from ._vector import SteeringVector

DOSES = (0.05, 0.1, 0.2, 0.4)
"""Coefficients per level that are tried, in residual norms."""
SIDES = ("one", "two")
"""`one`: supporting minus opposing texts, used with both signs. `two`: a vector each from neutral
texts to the supporting and to the opposing ones. Two are needed where a model that is neutral has
nothing of the value in mind: a change of sign then has nothing to act on."""
CANDIDATES = 3
"""How many layers are tried by default: those that tell left-out texts apart best."""


@dataclass(frozen=True)
class Tried:
    """What one layer and dose did on the development queries."""

    layer: int
    dose: float
    """Coefficient per level, in residual norms."""
    gain: float
    """Points per level, between -2 and +2."""
    stderr: float
    """Of the gain, points per level."""
    lost_fluency: float
    """Perplexity under the unsteered model, relative to its own answers (1: nothing lost)."""
    share_unscored: float = 0.0
    """Share of the steered answers that could not be measured."""

    @property
    def worth(self) -> float:
        """Gain per unit of lost fluency, of answers that can be measured: the choice is by it."""
        if not (math.isfinite(self.gain) and math.isfinite(self.lost_fluency)):
            return -math.inf  # one side has no answer that could be measured, or none at all
        if self.gain <= 0:
            return self.gain  # broken text does not make a loss smaller
        return self.gain * (1 - self.share_unscored) / max(1.0, self.lost_fluency)


def fit_vector(
    loaded: Loaded,
    value: str,
    instrument: Instrument,
    *,
    method: FitMethod = "mean-difference",
    source: str = "exemplars",
    sides: str = "one",
    layers: Sequence[int] | None = None,
    doses: Sequence[float] = DOSES,
    queries: Sequence[Query] | None = None,
    batch_size: int = 32,
    progress: Callable[[str], None] = lambda _: None,
) -> tuple[Fitted, list[Tried]]:
    """Fit the vector of a value and choose its layer and dose.

    Args:
        loaded: The model.
        value: An evaluated value.
        instrument: Measures the gain.
        method: How directions are found.
        source: Contrast texts, see `contrast_texts`.
        sides: `one` or `two`, see `SIDES`.
        layers: To try; by default those that tell left-out texts apart best.
        doses: Coefficients per level to try, in residual norms.
        queries: Development queries; all 30 by default.
        batch_size: Rows per batch.
        progress: Told what is being done.

    Returns:
        The vector or the pair, the dose in `fit`, and everything that was tried.

    Raises:
        ValueFlowError: for bad input, a layer that the model does not have, or if no layer and
            dose left answers that could be measured.
    """
    if sides not in SIDES:
        raise unknown("number of sides", sides, SIDES)
    asked = tuple(queries) if queries is not None else load_queries("dev")
    refuse_test_queries(asked)
    _check_layers(loaded, layers or ())
    contrast = contrast_texts(loaded, value, source, asked)
    progress(f"reading {len(contrast.texts)} texts")
    read = capture(loaded, contrast.turns, contrast.texts, batch_size=batch_size)
    found = [directions(read, labels, method) for labels in _labels(contrast.levels, sides)]
    apart = separation(read, list(contrast.levels), method)
    tried = []

    def made_at(layer: int, described: dict[str, Any]) -> Fitted:
        vectors = [
            _vector(loaded, value, method, contrast, read, side, layer, described) for side in found
        ]
        return Fitted(*vectors)

    for layer in layers or _telling(apart):
        made = made_at(layer, {})
        for dose in doses:
            tried.append(_try(loaded, made, dose, asked, instrument, batch_size))
            one = tried[-1]
            progress(
                f"layer {layer}, dose {dose:g}: gain {one.gain:+.2f} ± {one.stderr:.2f} points "
                f"per level, perplexity x {one.lost_fluency:.2f}, "
                f"{one.share_unscored:.0%} not scored"
            )
    best = max(tried, key=lambda one: one.worth)
    if best.worth == -math.inf:
        raise ValueFlowError(
            f"{value}: no layer and dose left answers on both sides that {instrument.judge} could "
            f"measure (doses {', '.join(f'{dose:g}' for dose in doses)}): try smaller doses, or "
            "look at the model's unsteered answers"
        )
    described = {
        DOSE: best.dose,
        "scope": "all",
        "sides": sides,
        "judge": instrument.judge,
        "queries": len(asked),
        "gain": best.gain,
        "gain_stderr": best.stderr,
        "lost_fluency": best.lost_fluency,
        "separation": float(apart[best.layer]),
        "unscored": best.share_unscored,
        "tried": [
            {name: x if math.isfinite(x) else None for name, x in vars(one).items()}
            for one in tried
        ],
    }
    return made_at(best.layer, described), tried


def _labels(levels: Sequence[float], sides: str) -> list[list[float]]:
    """What each vector is to tell apart; a label of 0 leaves the text out."""
    if sides == "one":
        return [list(levels)]
    return [
        [sign * level if sign * level > 0 else -1.0 if level == 0 else 0.0 for level in levels]
        for sign in (1, -1)
    ]


def _check_layers(loaded: Loaded, layers: Sequence[int]) -> None:
    depth = len(find_decoder(loaded.model).layers)
    for layer in layers:
        if not 0 <= layer < depth:
            raise ValueFlowError(f"layer {layer}: the model has layers 0 to {depth - 1}")


def _telling(apart: FloatArray) -> list[int]:
    """The layers that tell texts apart best; the last is left out, since only the head reads it."""
    depth = len(apart)
    inner = range(depth - 1) if depth > 1 else range(depth)
    return sorted(sorted(inner, key=lambda layer: -apart[layer])[:CANDIDATES])


def _vector(
    loaded: Loaded,
    value: str,
    method: str,
    contrast: Contrast,
    read: Activations,
    found: FloatArray,
    layer: int,
    described: dict[str, Any],
) -> SteeringVector:
    return SteeringVector(
        found[layer].tolist(),
        layer,
        residual_norm=float(read.norms[layer]),
        model_id=model_name(loaded),
        model_revision=str(getattr(loaded.model.config, "_commit_hash", None) or ""),
        n_layers=len(found),
        value=value,
        method=method,
        fit={"source": contrast.source, "texts": len(contrast.texts), **described},
    )


def _try(
    loaded: Loaded,
    fitted: Fitted,
    dose: float,
    queries: Sequence[Query],
    instrument: Instrument,
    batch_size: int,
) -> Tried:
    conditions = {
        float(level): Condition(spec=trial_spec(loaded, fitted, level, dose * level))
        for level in (-2, 0, 2)
    }
    trial = run_trial(loaded, fitted.value, queries, conditions, instrument, batch_size=batch_size)
    gain = error = math.nan
    if trial.estimates(-2.0) and trial.estimates(2.0):
        low, high = trial.mean(-2.0), trial.mean(2.0)
        gain = (high[0] - low[0]) / 4
        error = math.hypot(high[1], low[1]) / 4
    lost = (trial.loss(2.0) + trial.loss(-2.0)) / 2 - trial.loss(0.0)
    unscored = (trial.share_unscored(2.0) + trial.share_unscored(-2.0)) / 2
    return Tried(fitted.vector.layer, dose, gain, error, math.exp(lost), unscored)


def trial_spec(loaded: Loaded, fitted: Fitted, level: float, dose: float) -> SteeringSpec | None:
    """A spec for vectors that are in no file yet."""
    if dose == 0:
        return None
    vector, coefficient = fitted.dosed(dose)
    loaded.library.add(vector)
    dosed = VectorDose("", vector.fingerprint, coefficient)
    return SteeringSpec((Target(vector.value, level),), vectors=(dosed,), **fitted.how)


def save_vector(fitted: Fitted, folder: str | Path) -> Path:
    """Write what was fitted where `vectors=DIR` finds it; a dial of an older one is removed.

    Both vectors of a pair are on the disk before either takes the place of an older one.

    Raises:
        ValueFlowError: if they cannot be written.
    """
    target, other = vector_file(folder, fitted.value), against_file(folder, fitted.value)
    partial = other.with_name(f"{other.name}.{os.getpid()}.partial")
    if fitted.against is not None:
        fitted.against.save(partial)
    try:
        written = fitted.vector.save(target)
        dial_file(folder, fitted.value).unlink(missing_ok=True)
        if fitted.against is not None:
            partial.replace(other)
        else:
            other.unlink(missing_ok=True)
    finally:
        partial.unlink(missing_ok=True)
    return written
