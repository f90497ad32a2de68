"""Which texts meet: uniformly at first, then where intensities are least known."""

from __future__ import annotations

import math
from collections.abc import Sequence, Set
from itertools import combinations, permutations

import numpy as np
from numpy.typing import NDArray
from valueflow_scorers._records import FloatArray

UNIFORM_SHARE = 0.3
"""At least this share of all windows is drawn uniformly: near neighbours alone would tie the
scale together only through long chains."""
JITTER = 1.0
"""Sd of what is added to a text's mean before neighbours meet, units of the judge's noise."""

_LISTED = 1_000_000  # windows that are listed to find those that were not asked

Windows = NDArray[np.int64]


def uniform_windows(rng: np.random.Generator, n: int, k: int, count: int) -> Windows:
    """Random windows in which every text appears about equally often, [count, k].

    Permutations are cut into windows; a text left over at the end of one is carried on.
    """
    queue = np.empty(0, dtype=np.int64)
    rows: list[Windows] = []
    have = 0
    while have < count:
        while len(queue) < k:
            queue = np.concatenate([queue, rng.permutation(n)])
        cut = len(queue) // k
        made = queue[: cut * k].reshape(cut, k)
        queue = queue[cut * k :]
        ordered = np.sort(made, axis=1)
        made = made[(ordered[:, 1:] != ordered[:, :-1]).all(axis=1)]
        rows.append(made)
        have += len(made)
    return shuffled(rng, np.concatenate(rows)[:count])


def other_windows(
    rng: np.random.Generator, ids: Sequence[str], k: int, count: int, asked: Set[tuple[str, ...]]
) -> list[tuple[str, ...]]:
    """Up to `count` windows that were not asked, drawn uniformly from all of them."""
    if math.perm(len(ids), k) > _LISTED:
        drawn = as_ids(uniform_windows(rng, len(ids), k, 2 * count), ids)
        return [one for one in drawn if one not in asked][:count]
    left = [one for one in permutations(ids, k) if one not in asked]
    return [left[i] for i in rng.permutation(len(left))[:count]]


def active_windows(
    rng: np.random.Generator,
    utilities: FloatArray,
    variances: FloatArray,
    k: int,
    count: int,
) -> Windows:
    """Windows of texts that look alike, those that teach most first, [count, k].

    A comparison tells most when its outcome is open, but pairs of nearest neighbours alone
    leave the scale free to bend: texts are put in order by their means plus JITTER, cut into
    windows of neighbours, anew for every pass over the texts, and of the windows of a pass the
    half with the larger expected gain is kept.

    Args:
        rng: Generator.
        utilities: Posterior means, units of the judge's noise, [n].
        variances: Posterior variances, same units squared, [n].
        k: Items per window.
        count: How many windows.
    """
    n = len(utilities)
    rows: list[Windows] = []
    have = 0
    while have < count:
        order = np.argsort(utilities + JITTER * rng.standard_normal(n))
        offset = int(rng.integers(0, k)) if n >= 2 * k else 0
        order = order[offset:]
        cut = len(order) // k
        made = order[: cut * k].reshape(cut, k)
        gain = expected_gain(utilities[made], variances[made])
        best = np.argsort(-gain, kind="stable")[: max(1, (cut + 1) // 2)]
        rows.append(made[best][: count - have])
        have += len(rows[-1])
    return shuffled(rng, np.concatenate(rows))


def expected_gain(utilities: FloatArray, variances: FloatArray) -> FloatArray:
    """By how much a window is expected to lower the sum of its texts' variances, [W].

    A comparison of a and b has the Fisher information ``w = p (1 - p)`` about their difference,
    averaged over what is unknown about it (MacKay 1992); it takes ``w (v_a^2 + v_b^2) / (1 + w
    (v_a + v_b))`` off their variances. A window counts as all of its pairs.

    Args:
        utilities: Posterior means, units of the judge's noise, [W, k].
        variances: Posterior variances, same units squared, [W, k].
    """
    gain = np.zeros(len(utilities))
    for a, b in combinations(range(utilities.shape[1]), 2):
        one, other = variances[:, a], variances[:, b]
        flattening = 1 / np.sqrt(1 + np.pi / 8 * (one + other))
        chance = 1 / (1 + np.exp(flattening * (utilities[:, a] - utilities[:, b])))
        weight = flattening * chance * (1 - chance)
        gain += weight * (one**2 + other**2) / (1 + weight * (one + other))
    return gain


def shuffled(rng: np.random.Generator, windows: Windows) -> Windows:
    """Every window in a random order of its own."""
    return rng.permuted(windows, axis=1)


def next_kind(uniform: int, active: int, planned: int) -> tuple[int, int]:
    """How many of the next windows are uniform and how many active.

    Args:
        uniform: Uniform windows so far.
        active: Active windows so far.
        planned: Windows of the coming round.

    Returns:
        (uniform, active), such that the uniform share of all stays at UNIFORM_SHARE or more.
    """
    total = uniform + active + planned
    needed = -(-UNIFORM_SHARE * total // 1) - uniform
    fresh = int(min(max(needed, 0), planned))
    return fresh, planned - fresh


def as_ids(windows: Windows, ids: Sequence[str]) -> list[tuple[str, ...]]:
    """Windows of positions -> windows of text ids."""
    return [tuple(ids[i] for i in row) for row in windows.tolist()]
