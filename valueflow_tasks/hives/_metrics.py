"""How well an embedding knows the hierarchies: six numbers with bootstrap intervals.

Pairs are drawn per block of a fixed number of anchors-by-texts cells, so memory does not grow with
the square of the texts. Only texts that take a side enter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from ._concepts import linked_leaves
from ._corpus import Corpus
from ._levels import LEVELS

FloatArray = NDArray[np.float64]
BINS = 5
"""Same leaf and side; same leaf, other side; same value; same group; nothing in common."""
NEIGHBOURS = 5
BLOCK = 512
"""Rows of a block of similarities."""
METRICS = (
    "pairwise_ranking_accuracy",
    "strict_ranking_accuracy",
    "similarity_correlation",
    "orthogonality",
    "direction_accuracy",
    "cross_theory_recall_at_5",
)


@dataclass(frozen=True)
class Measured:
    """A figure with the 95 % interval of a bootstrap over texts."""

    value: float
    """Of all texts."""
    low: float
    """2.5th percentile."""
    high: float
    """97.5th percentile."""

    def to_dict(self) -> dict[str, float]:
        """JSON-serialisable content."""
        return {"value": self.value, "low": self.low, "high": self.high}


@dataclass(frozen=True)
class Labels:
    """What is known about the texts, by position."""

    leaf: NDArray[np.int64]
    """Position of the leaf, [n]."""
    direction: NDArray[np.int64]
    """1 or -1, [n]."""
    shared: NDArray[np.int64]
    """Levels in common, [leaves, leaves]."""
    value_of: NDArray[np.int64]
    """Position of the evaluated value, [leaves]."""
    theory_of: NDArray[np.int64]
    """Theory, [leaves]."""
    linked: NDArray[np.bool_]
    """Whether leaves of two theories share a concept, [leaves, leaves]."""

    @classmethod
    def of(cls, corpus: Corpus) -> Labels:
        """Labels of a corpus whose texts all take a side."""
        places, position = corpus.hierarchy.places, corpus.hierarchy.position
        theories = sorted({place.theory for place in places})
        linked = linked_leaves()
        return cls(
            np.array([position[text.place.leaf] for text in corpus.texts]),
            np.array([text.direction for text in corpus.texts]),
            corpus.hierarchy.shared,
            corpus.hierarchy.value_of,
            np.array([theories.index(place.theory) for place in places]),
            np.array([[b.leaf in linked.get(a.leaf, ()) for b in places] for a in places]),
        )


def bins_of(labels: Labels, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """How related texts are to the texts of `rows`: 4 same leaf and side … 0 nothing, [rows, n]."""
    shared = labels.shared[labels.leaf[rows]][:, labels.leaf]
    same = labels.direction[rows, None] == labels.direction[None, :]
    return np.where(shared == LEVELS, LEVELS + same, shared)


@dataclass(frozen=True)
class Rows:
    """Per text, what the means over texts are made of; NaN where a text says nothing."""

    ranking: FloatArray
    """P(a text of a closer bin is more similar than one of a farther bin), mean over the pairs of
    bins that the text has, [n]."""
    strict: FloatArray
    """P(one random text per bin, all bins in their order by similarity), [n]."""
    moments: FloatArray
    """Sums of x, y, xx, yy, xy and the count, x similarity, y levels shared (+0.5 same side)."""
    direction: FloatArray
    """Whether the nearest text of another scene takes the same side, [n]."""
    recall: FloatArray
    """Share of linked theories with a linked leaf's text of the same side among the nearest
    five texts of that theory, [n]."""


def per_text(vectors: NDArray[np.float32], labels: Labels, scenes: Sequence[str]) -> Rows:
    """Figures per text against all others, block by block.

    Args:
        vectors: [n, d], rows of unit norm.
        labels: Of the same texts.
        scenes: Situation per text: neighbours of the same scene are not looked at, since they
            share its nouns.
    """
    rng = np.random.default_rng(0)
    scene = np.unique(np.array(scenes), return_inverse=True)[1]
    parts: list[tuple[FloatArray, ...]] = []
    exact = vectors.astype(float)  # in single precision products depend on the size of a block
    for start in range(0, len(vectors), BLOCK):
        rows = np.arange(start, min(start + BLOCK, len(vectors)))
        similarity = exact[rows] @ exact.T
        foreign = scene[rows, None] != scene[None, :]
        related = bins_of(labels, rows)
        ranked = [
            _ranked(rng, line, kind, other)
            for line, kind, other in zip(similarity, related, foreign, strict=True)
        ]
        parts.append((
            np.array([pair for pair, _ in ranked]),
            np.array([all_ for _, all_ in ranked]),
            _moments(similarity, labels, rows, foreign),
            _nearest_side(similarity, labels, rows, foreign),
            _recall(similarity, labels, rows, foreign),
        ))  # fmt: skip
    return Rows(*(np.concatenate(column) for column in zip(*parts, strict=True)))


_DRAWS = 200  # tuples of one text per bin, for the strict order


def _ranked(
    rng: np.random.Generator,
    similarity: FloatArray,
    related: NDArray[np.int64],
    foreign: NDArray[np.bool_],
) -> tuple[float, float]:
    held = [similarity[(related == kind) & foreign] for kind in range(BINS)]
    held = [np.sort(one) for one in held if len(one)]
    if len(held) < 2:
        return np.nan, np.nan
    wins = [
        float(np.mean(np.searchsorted(far, near))) / len(far) for far, near in combinations(held, 2)
    ]
    drawn = np.stack([rng.choice(one, _DRAWS) for one in held])
    return float(np.mean(wins)), float(np.mean((np.diff(drawn, axis=0) > 0).all(axis=0)))


def _moments(
    similarity: FloatArray, labels: Labels, rows: NDArray[np.int64], foreign: NDArray[np.bool_]
) -> FloatArray:
    shared = labels.shared[labels.leaf[rows]][:, labels.leaf]
    same = labels.direction[rows, None] == labels.direction[None, :]
    # The half point for one side counts where there is something to take a side on.
    expected = shared + 0.5 * (same & (shared > 0))
    x, y = np.where(foreign, similarity, 0.0), np.where(foreign, expected, 0.0)
    sums = (x, y, x * x, y * y, x * y, foreign)
    return np.stack([one.sum(axis=1) for one in sums], axis=1).astype(float)


def _nearest_side(
    similarity: FloatArray, labels: Labels, rows: NDArray[np.int64], foreign: NDArray[np.bool_]
) -> FloatArray:
    nearest = np.where(foreign, similarity, -np.inf).argmax(axis=1)
    found = labels.direction[nearest] == labels.direction[rows]
    return np.asarray(found, dtype=float)


def _recall(
    similarity: FloatArray, labels: Labels, rows: NDArray[np.int64], foreign: NDArray[np.bool_]
) -> FloatArray:
    theory = labels.theory_of[labels.leaf]
    found = np.full(len(rows), np.nan)
    for line, row in enumerate(rows):
        linked = labels.linked[labels.leaf[row]][labels.leaf]
        right = linked & (labels.direction == labels.direction[row])
        hits = []
        for other in np.unique(theory[right & foreign[line]]):
            candidates = np.flatnonzero((theory == other) & foreign[line])
            best = candidates[np.argsort(-similarity[line, candidates])[:NEIGHBOURS]]
            hits.append(right[best].any())
        if hits:
            found[line] = np.mean(hits)
    return found


RESAMPLES = 1000
_TAKEN = (2.5, 97.5)  # percent


def measure(vectors: NDArray[np.float32], corpus: Corpus, *, seed: int = 0) -> dict[str, Measured]:
    """All six metrics of an encoder, each with its interval.

    * `pairwise_ranking_accuracy`: P(a text of a closer bin is more similar than one of a farther
      bin), mean over pairs of the five bins, then over texts.
    * `strict_ranking_accuracy`: the same for one text of every bin at once, all in their order.
    * `similarity_correlation`: Pearson's r of cosine and levels in common (0 to 3, and half a
      point for the same side where a level is shared), over pairs of texts.
    * `orthogonality`: one minus the mean |cosine| of value vectors, within theories, mean over
      theories with two values. A value's vector is the mean of the texts that support it, freed
      of the noise of few texts.
    * `direction_accuracy`: share of texts whose nearest neighbour takes the same side.
    * `cross_theory_recall_at_5`: for a text and another theory with leaves linked to its own by a
      concept, whether a text of such a leaf and of the same side is among the five nearest of
      that theory; mean over linked theories, then over texts.

    No metric compares two texts of one scene. Intervals: bootstrap over scenes.

    Args:
        vectors: [n, d], rows of unit norm, of the texts of `corpus`.
        corpus: Texts that all take a side.
        seed: Of the bootstrap.
    """
    labels = Labels.of(corpus)
    scenes = [text.situation or text.id for text in corpus.texts]
    rows = per_text(vectors, labels, scenes)
    code = np.unique(np.array(scenes), return_inverse=True)[1]
    count = code.max() + 1
    times = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), RESAMPLES)
    drawn: FloatArray = np.concatenate([np.ones((1, count)), times.astype(float)])
    weights = drawn[:, code]
    figures = (
        _mean(rows.ranking, weights),
        _mean(rows.strict, weights),
        _correlation(rows.moments, weights),
        _orthogonality(vectors, labels, code, drawn),
        _mean(rows.direction, weights),
        _mean(rows.recall, weights),
    )
    return {name: _measured(found) for name, found in zip(METRICS, figures, strict=True)}


def _measured(found: FloatArray) -> Measured:
    known = found[1:][np.isfinite(found[1:])]
    low, high = np.percentile(known, _TAKEN) if len(known) else (np.nan, np.nan)
    return Measured(float(found[0]), float(low), float(high))


def _mean(rows: FloatArray, weights: FloatArray) -> FloatArray:
    known = np.isfinite(rows)
    if not known.any():
        return np.full(len(weights), np.nan)
    return np.asarray(weights[:, known] @ rows[known] / weights[:, known].sum(axis=1))


def _correlation(moments: FloatArray, weights: FloatArray) -> FloatArray:
    x, y, xx, yy, xy, n = (weights @ moments).T
    covariance = xy / n - x * y / n**2
    variance = (xx / n - (x / n) ** 2) * (yy / n - (y / n) ** 2)
    return np.asarray(covariance / np.sqrt(np.where(variance > 0, variance, np.nan)))


def _orthogonality(
    vectors: NDArray[np.float32], labels: Labels, scene: NDArray[np.int64], drawn: FloatArray
) -> FloatArray:
    """Per draw of scenes, [draws].

    Means of few texts look more orthogonal than they are, because their noise is. So products of
    means are taken over pairs of texts of different scenes only, which noise leaves unbiased.
    """
    value = labels.value_of[labels.leaf]
    found = []
    for theory in np.unique(labels.theory_of):
        values = np.unique(labels.value_of[labels.theory_of == theory])
        if len(values) < 2:
            continue
        cells = np.zeros((drawn.shape[1], len(values), vectors.shape[1]))
        counts = np.zeros(cells.shape[:2])
        for column, one in enumerate(values):
            members = (value == one) & (labels.direction == 1)
            np.add.at(cells[:, column], scene[members], vectors[members])
            np.add.at(counts[:, column], scene[members], 1)
        pairs = _across(counts[:, :, None], drawn)
        products = np.where(pairs > 0, _across(cells, drawn) / np.maximum(pairs, 1), np.nan)
        # A draw in which a value has one scene, or none, says nothing about its length.
        squares = np.einsum("bvv->bv", products)
        lengths = np.sqrt(np.where(squares > 0, squares, np.nan))
        cosines = np.abs(products / (lengths[:, :, None] * lengths[:, None, :]))
        first, second = np.triu_indices(len(values), 1)
        between = np.clip(cosines[:, first, second], 0, 1)
        known = np.isfinite(between)
        count = np.where(known.any(axis=1), known.sum(axis=1), np.nan)
        found.append(1 - np.where(known, between, 0.0).sum(axis=1) / count)
    return np.asarray(np.mean(found, axis=0))


def _across(cells: FloatArray, drawn: FloatArray) -> FloatArray:
    """Sums of products over pairs of different scenes, [draws, values, values]."""
    sums = np.einsum("bs,svd->bvd", drawn, cells, optimize=True)
    within = np.einsum("svd,swd->svw", cells, cells, optimize=True)
    same = np.einsum("bs,svw->bvw", drawn**2, within, optimize=True)
    return np.asarray(np.einsum("bvd,bwd->bvw", sums, sums, optimize=True) - same)
