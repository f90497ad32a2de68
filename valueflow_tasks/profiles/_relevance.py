"""Which values a text is about: its HiVES distances, read as probabilities.

P(about v) is logistic in three numbers: the text's distance from v, and how much nearer another
value is, of the same theory and of all. Its coefficients are fitted on the corpus's development
split: a text is about its own value, and about the values of other theories whose leaves share a
cross-theory concept with its own; all others are misses. Distances therefore decide twice: a text
is measured on the values that it is likely enough to be about, and belongs to them with its
probability.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit
from valueflow_scorers._records import FloatArray

from ..hives import HivesEncoder, load_corpus, load_encoder, prototype_values
from ..hives._concepts import linked_leaves
from ..hives._levels import theory_hierarchy
from ._reference import SHIPPED, Reference, shipped, without_logistic

LEAST = 0.2
"""Probability from which on a text is measured on a value: half as much again as that of any
value for a text of which nothing is known (a text is about one in seven)."""


@lru_cache(maxsize=4)
def reference(encoder: HivesEncoder) -> Reference:
    """Prototypes and logistic of an encoder: those that ship, or computed from the corpus."""
    if encoder.name == SHIPPED and (known := shipped()) is not None:
        return known
    return computed(encoder)


def computed(encoder: HivesEncoder) -> Reference:
    """Prototypes and logistic of an encoder, from the corpus."""
    plain = without_logistic(encoder)
    corpus = load_corpus().part("dev")
    distances = plain.distances(encoder.encode([text.text for text in corpus.texts]))
    given: list[FloatArray] = []
    hit: list[bool] = []
    for row, text in zip(_features(distances), corpus.texts, strict=True):
        about = related_values(text.place.leaf)
        given.extend(row)
        hit.extend(value in about for value in prototype_values())
    return replace(plain, coefficients=fit_logistic(np.array(given), np.array(hit)))


@lru_cache(maxsize=4)
def _named(name: str) -> HivesEncoder:
    return load_encoder(name)


@lru_cache(maxsize=1)
def _value_of() -> dict[str, str]:
    return {place.leaf: place.value for place in theory_hierarchy().places}


def related_values(leaf: str) -> frozenset[str]:
    """What a text of a leaf is about: its value, and values of other theories with its concepts."""
    leaves = {leaf, *linked_leaves().get(leaf, ())}
    return frozenset(_value_of()[one] for one in leaves)


def _theory(value: str) -> str:
    return value.partition("/")[0]


def _features(distances: FloatArray) -> FloatArray:
    """1, the distance, and its excess over the nearest of the theory and of all, [n, values, 4]."""
    far = distances
    theories = np.array([_theory(value) for value in prototype_values()])
    nearest = np.empty_like(far)
    for theory in set(theories):
        own = theories == theory
        nearest[:, own] = far[:, own].min(axis=1, keepdims=True)
    first = far.min(axis=1, keepdims=True)
    return np.stack([np.ones_like(far), far, far - nearest, far - first], axis=-1)


def fit_logistic(features: FloatArray, hit: FloatArray) -> FloatArray:
    """Maximum likelihood of ``P(hit) = 1 / (1 + exp(-features @ b))``: b, [features].

    Args:
        features: [n, features].
        hit: Whether each is one, [n].
    """
    signed = np.where(hit, 1.0, -1.0)[:, None] * features

    def loss(numbers: FloatArray) -> float:
        return float(np.logaddexp(0.0, -signed @ numbers).mean())

    return np.asarray(minimize(loss, np.zeros(features.shape[1]), method="BFGS").x)


def relevance(
    texts: Sequence[str], values: Sequence[str], encoder: HivesEncoder | str = "hives-mini"
) -> tuple[FloatArray, FloatArray]:
    """How likely texts are about values, and how far they are from them.

    Args:
        texts: At least one.
        values: Ids of evaluated values.
        encoder: An encoder, or its name as for `load_encoder`.

    Returns:
        Probabilities and cosine distances, each [texts, values].

    Raises:
        ValueFlowError: if there is no text, or for an unknown encoder.
    """
    columns = [prototype_values().index(value) for value in values]
    chosen = _named(encoder) if isinstance(encoder, str) else encoder
    known = reference(chosen)
    distances = known.distances(chosen.encode(texts))
    likely = expit(_features(distances) @ known.coefficients)
    return np.asarray(likely[:, columns]), distances[:, columns]
