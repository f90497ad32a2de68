"""How well a judge agrees with the panel, and with itself."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from scipy.stats import kendalltau, norm

from ._judging import judge_all, ranked
from ._profile import JudgeProfile
from ._records import RESPONSE_LAST, FloatArray, Judge, Judgement, Panel, Window
from ._windows import seeded

_SHUFFLES = 3  # of each repeated window
_NEAR = 4  # taus apart at most: of others nothing is expected to be swapped
_REGIONS = {"opposing": (-10.0, -10 / 3), "middle": (-10 / 3, 10 / 3), "supporting": (10 / 3, 10.0)}


@dataclass(frozen=True)
class Ordered:
    """A window of panel texts as a judge ordered it."""

    panel: Panel
    """Whose texts they are."""
    places: tuple[int, ...]
    """Of the texts in `panel.texts`, most supportive first."""
    from_letters: bool
    """Whether the order is that of letters' probabilities."""

    @property
    def labels(self) -> FloatArray:
        """Labels in judged order, points."""
        return np.array([self.panel.texts[place].intensity for place in self.places])


def ordered(
    panels: Sequence[Panel], judged: Sequence[tuple[Window, Judgement]]
) -> tuple[Ordered, ...]:
    """The windows that have an order, their own or that of their probabilities."""
    by_value = {panel.value: panel for panel in panels}
    found = []
    for window, judgement in judged:
        order, panel = ranked(judgement), by_value[window.value]
        if order is not None:
            places = tuple(panel.index(window.items[slot].key) for slot in order)
            found.append(Ordered(panel, places, judgement.order is None))
    return tuple(found)


def kendall(windows: Sequence[Ordered]) -> float:
    """Mean Kendall tau-b of a window's order and the labels."""
    taus = [kendalltau(-np.arange(len(one.places)), one.labels).statistic for one in windows]
    return float(np.nanmean(taus))


def pairwise(windows: Sequence[Ordered]) -> float:
    """Share of pairs that a window puts in the labels' order."""
    right = [
        higher > lower
        for one in windows
        for higher, lower in combinations(one.labels, 2)
        if higher != lower
    ]
    return float(np.mean(right))


def noise_by_region(windows: Sequence[Ordered], profile: JudgeProfile) -> dict[str, float]:
    """Swapped pairs over those that the profile expects, by the pair's place on the scale."""
    observed, expected = dict.fromkeys(_REGIONS, 0.0), dict.fromkeys(_REGIONS, 0.0)
    seen = {one.panel.value: profile.view(one.panel)[0] for one in windows}
    for one in windows:
        for first, second in combinations(seen[one.panel.value][list(one.places)], 2):
            gap = abs(first - second)
            if gap > _NEAR * profile.tau:
                continue
            for name, (low, high) in _REGIONS.items():
                if low <= (first + second) / 2 <= high:
                    observed[name] += first < second
                    expected[name] += _swapped(gap, profile, one.from_letters)
                    break
    return {
        name: round(float(observed[name] / expected[name]), 3)
        for name in _REGIONS
        if expected[name] > 0
    }


def _swapped(gap: float, profile: JudgeProfile, from_letters: bool) -> float:
    """P(two texts this far apart are seen the other way round)."""
    if from_letters and profile.probabilities_as == "log-ratio":
        return float(norm.sf(gap / (math.sqrt(2) * profile.residual)))
    return 1 / (1 + math.exp(gap / profile.tau))


def alpha(table: FloatArray) -> float | None:
    """Krippendorff's alpha (interval), [repeats, things]; None where nothing was said twice.

    With squared differences it is one minus the variance within things over the variance of all
    numbers (Krippendorff 2011): ``1 - sum_u m_u s_u^2 / (n s^2)``, thing u having m_u numbers.
    The package `krippendorff` forms a table of all pairs of distinct numbers for each thing, which
    thousands of readings do not fit into; tests hold this to it.
    """
    twice = table[:, (~np.isnan(table)).sum(axis=0) > 1]
    if len(np.unique(twice[~np.isnan(twice)])) < 2:
        return None
    counts = (~np.isnan(twice)).sum(axis=0)
    within = counts @ np.nanvar(twice, axis=0, ddof=1)
    return float(1 - within / (counts.sum() * np.nanvar(twice, ddof=1)))


def sign_flips(labels: FloatArray, table: FloatArray, signed: float) -> float | None:
    """Share of things whose sign differs between two measurements, [2, things].

    Args:
        labels: Of the things, points.
        table: What was measured, points; NaN: nothing.
        signed: Absolute label from which on a thing has a sign.
    """
    told = (np.abs(labels) >= signed) & ~np.isnan(table).any(axis=0)
    if not told.any():
        return None
    return float(np.mean(np.sign(table[0, told]) != np.sign(table[1, told])))


async def repeated_places(judge: Judge, windows: Sequence[Window], seed: int) -> FloatArray:
    """Each text's place in shuffles of its window, [shuffles, texts of all windows]."""
    shuffled = []
    for number, window in enumerate(windows):
        for repeat in range(_SHUFFLES):
            # With the layout `response-last` the last item stays where it is.
            last = window.items[-1:] if window.layout == RESPONSE_LAST else ()
            items = list(window.items[: len(window.items) - len(last)])
            seeded("repeat", seed, number, repeat).shuffle(items)
            shuffled.append(replace(window, items=(*items, *last)))
    found = await judge_all(judge, shuffled)
    size = len(windows[0].items)
    table = np.full((_SHUFFLES, len(windows) * size), np.nan)
    for index, (window, judgement) in enumerate(zip(shuffled, found, strict=True)):
        order = ranked(judgement.checked(size))
        if order is None:
            continue
        number, repeat = divmod(index, _SHUFFLES)
        place = {window.items[slot].key: rank for rank, slot in enumerate(order)}
        for offset, item in enumerate(windows[number].items):
            table[repeat, number * size + offset] = place[item.key]
    return table
