"""Have a sample of somebody else's texts ranked anew, among texts of known intensity."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from valueflow_scorers import ValueFlowError, load_panel, panel_values
from valueflow_scorers._records import SCALE_END, FloatArray, text_key

from ._fit import fit
from ._judgements import comparisons
from ._rank import Ranking
from ._rank_settings import RankSettings
from ._sources import Rated
from ._texts import Text, TextFile

SAMPLE = 300
"""Texts per value that are ranked anew."""
REPEATS = 24
FEWEST = 8
"""Texts that are worth ranking anew."""
_FLIP_LEAST = 2.0  # labels nearer to zero change sign without being wrong, points
_FLIP_Z = 2.5  # how many standard errors a flip must lie from its label


@dataclass(frozen=True)
class Rerank:
    """Labels against new rankings of one value."""

    texts: tuple[int, ...]
    """Positions of the sampled texts."""
    intensities: FloatArray
    """Their new intensities, [sampled], points."""
    stderrs: FloatArray
    """[sampled], points."""
    offset: float
    """``intensity here = offset + slope * label``, points."""
    slope: float
    correlation: float
    """Of labels and new intensities."""
    label_error: float
    """Sd of a label's error beyond the new ranking's own, points of this scale; robust."""
    anchored: bool
    """Whether texts of a panel that ships tied the windows to this scale."""
    flipped: tuple[int, ...]
    """Positions of texts whose label seems to have the wrong sign."""

    def mapped(self, labels: FloatArray) -> FloatArray:
        """Labels on this scale, points."""
        return np.clip(self.offset + self.slope * labels, -SCALE_END, SCALE_END)

    def summary(self) -> dict[str, object]:
        """For the report."""
        return {
            "reranked": len(self.texts),
            "mapping": {"offset": round(self.offset, 3), "slope": round(self.slope, 3)},
            "correlation": round(self.correlation, 4),
            "label_error": round(self.label_error, 3),
            "mean_stderr": round(float(self.stderrs.mean()), 3),
            "anchored_on_panel": self.anchored,
            "sign_flips": list(self.flipped),
        }


def rerank(
    value: str,
    definition: str,
    rows: Sequence[Rated],
    judge: str,
    output: Path,
    *,
    sample: int = SAMPLE,
    repeats: int = REPEATS,
    seed: int = 0,
) -> Rerank:
    """Rank a sample anew and compare it with its labels.

    Where a panel of the value ships, its texts share the windows: their known intensities
    turn utilities into points. Elsewhere the labels themselves have to give the unit.

    Args:
        value: The value.
        definition: What it means.
        rows: Rated texts.
        judge: A judge that orders windows.
        output: Where judgements are written; resumed if it exists.
        sample: Most texts to rank.
        repeats: Windows per text.
        seed: Of the sample and the windows.

    Raises:
        ValueFlowError: if the labels do not differ, or the judge cannot rank the texts.
    """
    rng = np.random.default_rng(seed)
    chosen = np.sort(rng.permutation(len(rows))[:sample])
    labels = np.array([rows[i].label for i in chosen])
    if len(labels) < FEWEST or np.ptp(labels) == 0:
        raise ValueFlowError(
            f"{len(labels)} texts with {len(set(labels.tolist()))} different scores: a comparison "
            f"with new rankings needs {FEWEST} texts and scores that differ"
        )
    own = [Text(text_key(str(i), rows[i].text), rows[i].text, rows[i].query) for i in chosen]
    known = load_panel(value).texts if value in panel_values() else ()
    ruler = [Text(f"panel:{one.key}", one.text, one.query) for one in known]
    texts = TextFile((*own, *ruler), ())
    settings = RankSettings(value, definition, judge, 2, repeats, seed=seed)
    file = Ranking(texts, output, settings).run()
    found = fit(comparisons(texts, [file]))
    utilities, spread = found.utilities[: len(own)], np.sqrt(found.variances[: len(own)])
    if known:
        unit, zero = _line(found.utilities[len(own) :], np.array([one.intensity for one in known]))
    else:
        unit, zero = _line(utilities, labels)
    here, errors = zero + unit * utilities, unit * spread
    slope, offset = _line(labels, here)
    residuals = here - (offset + slope * labels)
    centred = np.abs(residuals - np.median(residuals))
    noise = 1.4826 * float(np.median(centred))
    label_error = float(np.sqrt(max(noise**2 - float(np.median(errors)) ** 2, 0.0)))
    expected = offset + slope * labels
    width = np.sqrt(errors**2 + label_error**2)
    flips = (
        (np.abs(labels) >= _FLIP_LEAST)
        & (np.sign(here) != np.sign(labels))
        & (np.abs(here) > errors)
        & (np.abs(here - expected) > _FLIP_Z * width)
        & (np.abs(here + expected) < np.abs(here - expected))
    )
    return Rerank(
        tuple(int(i) for i in chosen),
        here,
        errors,
        offset,
        slope,
        float(np.corrcoef(labels, here)[0, 1]),
        label_error,
        bool(known),
        tuple(int(i) for i in chosen[flips]),
    )


def _line(x: FloatArray, y: FloatArray) -> tuple[float, float]:
    """Slope and offset that a minority of wrong points cannot turn (Tukey's biweight)."""
    weight = np.ones(len(x))
    slope = offset = 0.0
    for _ in range(30):
        slope, offset = (float(one) for one in np.polyfit(x, y, 1, w=np.sqrt(weight)))
        residual = y - (offset + slope * x)
        scale = 1.4826 * float(np.median(np.abs(residual))) + 1e-9
        renewed = np.maximum(1 - (residual / (4.685 * scale)) ** 2, 0) ** 2
        if np.abs(renewed - weight).max() < 1e-4:
            break
        weight = np.maximum(renewed, 1e-9)
    return slope, offset
