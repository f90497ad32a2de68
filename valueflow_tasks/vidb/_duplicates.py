"""Texts that are the same, or nearly.

Nearly: the sets of three-character runs of two texts, case and punctuation aside, overlap by
at least half (Jaccard). Candidates come from MinHash signatures in bands (Broder 1997; Indyk and
Motwani 1998), so that a hundred thousand texts take seconds; every candidate is then checked.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

NEAR = 0.5
"""Jaccard overlap of three-character runs from which on two texts are near-duplicates."""
_RUN = 3
_BANDS, _ROWS = 40, 3  # a pair at NEAR is a candidate with probability 0.995
_PRIME = (1 << 61) - 1
_LARGEST_BUCKET = 200  # of one band; a larger one is a common phrase, not a duplicate
_SEPARATORS = re.compile(r"[\W_]+")

Hashes = NDArray[np.uint64]


@dataclass(frozen=True)
class Duplicate:
    """Two texts that are alike."""

    first: int
    """Position of the earlier text."""
    second: int
    """Position of the later text."""
    overlap: float
    """Jaccard; 1 for texts that are the same but for case and punctuation."""


def normalised(text: str) -> str:
    """The words alone: lower case, single spaces."""
    return _SEPARATORS.sub(" ", text.casefold()).strip()


def find_duplicates(texts: Sequence[str], near: float = NEAR) -> list[Duplicate]:
    """All pairs of texts that are alike, by position; n copies of one text give n-1 pairs.

    Args:
        texts: The texts.
        near: Least overlap of near-duplicates, (0, 1].
    """
    first_of: dict[str, int] = {}
    found = []
    for position, words in enumerate(map(normalised, texts)):
        first = first_of.setdefault(words, position)
        if first != position:
            found.append(Duplicate(first, position, 1.0))
    distinct = sorted(first_of.items(), key=lambda item: item[1])
    runs = [_runs(words) for words, _ in distinct]
    for a, b in sorted(_candidates(runs)):
        overlap = _jaccard(runs[a], runs[b])
        if overlap >= near:
            found.append(Duplicate(distinct[a][1], distinct[b][1], overlap))
    return sorted(found, key=lambda pair: (pair.second, pair.first))


def without_duplicates(texts: Sequence[str], near: float = NEAR) -> list[int]:
    """Positions to keep: of every group of texts that are alike, the first."""
    pairs = find_duplicates(texts, near)
    if not pairs:
        return list(range(len(texts)))
    ones = np.ones(len(pairs), dtype=np.int8)
    places = tuple(np.array([[pair.first, pair.second] for pair in pairs]).T)
    graph = coo_matrix((ones, places), shape=(len(texts), len(texts)))
    _, group = connected_components(graph, directed=False)
    return sorted(np.unique(group, return_index=True)[1].tolist())


def _runs(words: str) -> Hashes:
    """Distinct hashes of the text's character runs, sorted."""
    codes = np.frombuffer(f" {words} ".encode("utf-32-le"), dtype=np.uint32).astype(np.uint64)
    if len(codes) < _RUN:
        codes = np.pad(codes, (0, _RUN - len(codes)))
    hashed = np.zeros(len(codes) - _RUN + 1, dtype=np.uint64)
    for shift in range(_RUN):
        part = codes[shift : shift + len(hashed)]
        hashed = (hashed * np.uint64(1_000_003)) ^ part
    hashed ^= hashed >> np.uint64(29)
    hashed *= np.uint64(0xBF58476D1CE4E5B9)
    hashed ^= hashed >> np.uint64(32)
    return np.unique(hashed)


def _candidates(runs: Sequence[Hashes]) -> set[tuple[int, int]]:
    rng = np.random.default_rng(20260203)
    count = _BANDS * _ROWS
    factors = rng.integers(1, _PRIME, count, dtype=np.uint64) | np.uint64(1)
    offsets = rng.integers(0, _PRIME, count, dtype=np.uint64)
    signatures = np.empty((len(runs), count), dtype=np.uint64)
    for position, own in enumerate(runs):
        # Multiply-shift: unsigned products wrap, the high bits are well mixed.
        mixed = own[:, None] * factors + offsets
        signatures[position] = (mixed >> np.uint64(16)).min(axis=0)
    pairs: set[tuple[int, int]] = set()
    for band in range(_BANDS):
        part = np.ascontiguousarray(signatures[:, band * _ROWS : (band + 1) * _ROWS])
        buckets: dict[bytes, list[int]] = defaultdict(list)
        for position, row in enumerate(part):
            buckets[row.tobytes()].append(position)
        for members in buckets.values():
            if 1 < len(members) <= _LARGEST_BUCKET:
                pairs.update((a, b) for i, a in enumerate(members) for b in members[i + 1 :])
    return pairs


def _jaccard(one: Hashes, other: Hashes) -> float:
    shared = len(np.intersect1d(one, other, assume_unique=True))
    return shared / (len(one) + len(other) - shared)
