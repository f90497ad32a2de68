"""Is a panel a good ruler? Refit it, measure it, and say where it falls short."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import combinations

import numpy as np
from scipy.stats import rankdata, spearmanr

from ._panel_build import PanelSource, panel_source, refit
from ._panel_fit import Ratings, strongly_connected
from ._panels import load_panel, panel_values
from ._records import FloatArray, words_key
from .judges.encoder import shipped_embeddings

MAX_STDERR = 1.6
MAX_GAP = 2.5
MAX_NEUTRAL = 0.6
MAX_LENGTH_R = 0.15
DUPLICATE = 0.9
"""Cosine of two texts' embeddings from which on they count as duplicates."""

SET_MEDIAN_STDERR = 0.6
SET_LARGEST_STDERR = 1.2
SET_CONCORDANCE = 0.85
SET_SHARE = 28 / 32
"""Share of values that must meet the three lines above."""


@dataclass(frozen=True)
class PanelCheck:
    """What was found in one panel."""

    value: str
    """The value."""
    texts: int
    """Anchors and sentinels."""
    passes: int
    """Rating passes."""
    concordance: float
    """Kendall's W of the passes' placements, corrected for ties."""
    left_out: float
    """Mean Spearman of each pass with the mean of the others."""
    median_stderr: float
    """Of the labels, points."""
    largest_stderr: float
    """Of the labels, points."""
    largest_gap: float
    """Between neighbouring anchors, points."""
    neutral_drift: float
    """Largest |intensity| of a neutral reference text, points."""
    length_r: float
    """Correlation of word count and intensity."""
    disagreement: float
    """Share of text pairs of a window that order and placement put the other way round."""
    connected: bool
    """Whether the order graph is strongly connected."""
    nearest_within: float
    """Highest cosine of two texts of the panel."""
    nearest_across: float
    """Highest cosine with a text of another panel."""
    refit_equal: bool
    """Whether the ratings give exactly the shipped labels."""

    @property
    def faults(self) -> tuple[str, ...]:
        """What breaks a hard limit; empty for a sound panel."""
        limits = {
            f"stderr above {MAX_STDERR}": self.largest_stderr > MAX_STDERR,
            f"gap above {MAX_GAP}": self.largest_gap > MAX_GAP,
            f"neutral text beyond ±{MAX_NEUTRAL}": self.neutral_drift > MAX_NEUTRAL,
            f"|length r| of {MAX_LENGTH_R} or more": abs(self.length_r) >= MAX_LENGTH_R,
            "duplicate texts": max(self.nearest_within, self.nearest_across) >= DUPLICATE,
            "ratings do not give the shipped labels": not self.refit_equal,
        }
        return tuple(fault for fault, broken in limits.items() if broken)


def check_panel(value: str) -> PanelCheck:
    """Refit one shipped panel from its ratings and measure it.

    Raises:
        ValueFlowError: for an unknown value, naming the nearest.
    """
    source = panel_source(value)
    ratings = Ratings.of(source.ids, source.ratings)
    fitted = refit(source)
    panel = load_panel(value)
    shipped = {text.key: (text.intensity, text.stderr) for text in panel.texts}
    labels = {
        name: (float(fitted.intensities[i]), float(fitted.stderrs[i]))
        for i, name in enumerate(source.ids)
    }
    placements = _placements(ratings, len(source.ids))
    anchors = np.sort([anchor.intensity for anchor in panel.anchors])
    words = [len(text["text"].split()) for text in source.texts]
    within, across = _nearest(value)
    return PanelCheck(
        value=value,
        texts=len(source.texts),
        passes=len(ratings.names),
        concordance=kendall_w(placements),
        left_out=_left_out(placements),
        median_stderr=float(np.median(fitted.stderrs)),
        largest_stderr=float(fitted.stderrs.max()),
        largest_gap=float(np.diff(anchors).max()),
        neutral_drift=float(np.abs(fitted.intensities[list(source.neutral)]).max()),
        length_r=float(np.corrcoef(fitted.intensities, words)[0, 1]),
        disagreement=_disagreement(source),
        connected=strongly_connected(ratings.orders, len(source.ids)),
        nearest_within=within,
        nearest_across=across,
        refit_equal=labels == shipped,
    )


def set_faults(checks: Sequence[PanelCheck]) -> tuple[str, ...]:
    """What the set of panels as a whole falls short of; only judged on the full set."""
    if len(checks) < len(panel_values()):
        return ()
    needed = SET_SHARE * len(checks)
    precise = sum(
        one.median_stderr <= SET_MEDIAN_STDERR and one.largest_stderr <= SET_LARGEST_STDERR
        for one in checks
    )
    agreed = sum(one.concordance >= SET_CONCORDANCE for one in checks)
    lines = {
        f"median stderr ≤ {SET_MEDIAN_STDERR} and none above {SET_LARGEST_STDERR}": precise,
        f"Kendall W ≥ {SET_CONCORDANCE}": agreed,
    }
    return tuple(
        f"{line}: {count} of {len(checks)}" for line, count in lines.items() if count < needed
    )


def kendall_w(placements: FloatArray) -> float:
    """Kendall's coefficient of concordance, corrected for ties.

    Args:
        placements: [raters, texts].
    """
    raters, n = placements.shape
    ranks = np.stack([rankdata(row) for row in placements])
    totals = ranks.sum(axis=0)
    spread = float(((totals - totals.mean()) ** 2).sum())
    ties = sum(
        float((counts**3 - counts).sum())
        for counts in (np.unique(row, return_counts=True)[1] for row in ranks)
    )
    return float(12 * spread / (raters**2 * (n**3 - n) - raters * ties))


def _placements(ratings: Ratings, n: int) -> FloatArray:
    """Mean placement per pass and text, [passes, texts]."""
    total, count = np.zeros((len(ratings.names), n)), np.zeros((len(ratings.names), n))
    for order, line, name in zip(ratings.orders, ratings.lines, ratings.passes, strict=True):
        row = ratings.names.index(name)
        total[row, order] += line
        count[row, order] += 1
    return np.asarray(total / count)


def _left_out(placements: FloatArray) -> float:
    found = [
        spearmanr(placements[i], np.delete(placements, i, axis=0).mean(axis=0)).statistic
        for i in range(len(placements))
    ]
    return float(np.mean(found))


def _disagreement(source: PanelSource) -> float:
    swapped = total = 0
    for entry in source.ratings:
        placed = [entry["line"][name] for name in entry["order"]]
        for higher, lower in combinations(placed, 2):
            total += 1
            swapped += higher < lower
    return swapped / total


@cache
def _similarities() -> tuple[list[str], FloatArray]:
    """Value of each panel text, and the cosines of all pairs with a zero diagonal."""
    known = shipped_embeddings()
    owners, rows = [], []
    for value in panel_values():
        for text in load_panel(value).texts:
            owners.append(value)
            rows.append(known[words_key(text.text)])
    matrix = np.stack(rows)
    cosines = matrix @ matrix.T
    np.fill_diagonal(cosines, 0.0)
    return owners, cosines


def _nearest(value: str) -> tuple[float, float]:
    owners, cosines = _similarities()
    own = np.array([owner == value for owner in owners])
    return float(cosines[np.ix_(own, own)].max()), float(cosines[np.ix_(own, ~own)].max())


def confusable_correlations() -> Mapping[tuple[str, str], float]:
    """Anchors of one value rated on a value that people confuse it with.

    Returns:
        (own value, value rated on) -> correlation with the anchors' own intensities.
    """
    path = files("valueflow_scorers") / "data" / "cross_ratings" / "confusable.jsonl"
    found = {}
    for line in path.read_text("utf-8").splitlines():
        entry = json.loads(line)
        first = entry["items"][0]
        own = next(v for v in panel_values() if first.startswith(f"{v.replace('/', '-')}-"))
        panel = load_panel(own)
        labels = [panel.texts[panel.index(name)].intensity for name in entry["items"]]
        rated = [entry["line"][name] for name in entry["items"]]
        found[own, entry["value"]] = float(np.corrcoef(labels, rated)[0, 1])
    return found
