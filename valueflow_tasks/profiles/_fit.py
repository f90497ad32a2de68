"""Readings -> a mean per value -> a profile with honest errors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from valueflow_scorers import Cell, ValueFlowError
from valueflow_scorers._measure import Instrument
from valueflow_scorers._plackett_luce import SCALE
from valueflow_scorers._posterior import moments
from valueflow_scorers._records import SCALE_END, FloatArray

from ..hives import HivesEncoder
from ..theories import in_order
from ._readings import Read, Reading, read_texts
from ._record import BuiltFrom, ValueProfile, ValueScore
from ._shrink import population
from ._texts import Written

_FLAT_VARIANCE = (2 * SCALE_END) ** 2 / 12
_LEAST_PRECISION = 1e-3
FEWEST = 3
"""Groups from which on their own mean, and not neutral, is what a group is drawn toward."""


def fit_profiles(read: Read) -> dict[str, ValueProfile]:
    """Profiles of all groups that were read, drawn toward what they have in common.

    The mean of a group's texts on a value is that of a cell (`valueflow_scorers.Cell`): the
    marginal likelihood under a normal population of texts. A text whose relevance was judged by
    its distance is of that population with its probability only, and otherwise of the group's
    readings at large (`value_means`), so that what may be about something else makes the mean less
    sure. The error of the ruler's labels is added. With at least FEWEST groups on a value
    these means are then drawn toward the groups' own mean; with fewer, toward neutral, by the
    spread of the group's means over values (see `_shrink`). Groups that different judges
    measured have no common mean.

    Returns:
        Profiles by group; groups without a usable text are missing (see `unusable`), and values
        that no text of a group is about.

    Raises:
        ValueFlowError: if no group has a usable text, or one value was measured in two ways.
    """
    cells: dict[str, dict[str, list[Reading]]] = {}
    for reading in read.readings:
        cells.setdefault(reading.group, {}).setdefault(reading.value, []).append(reading)
    if read.built_from and not cells:
        raise ValueFlowError("; ".join(unusable(read, group) for group in read.built_from))
    cells = {group: cells[group] for group in read.built_from if group in cells}
    raw = {group: value_means(own) for group, own in cells.items()}
    scores: dict[str, dict[str, ValueScore]] = {}
    for alike in _by_judge(raw, read.built_from):
        drawn = _drawn(alike)
        for group, means in alike.items():
            scores[group] = {
                value: _score(
                    cells[group][value],
                    mean,
                    drawn[group, value],
                    [drawn[g, value][0] for g in alike if g != group and value in alike[g]],
                )
                for value, mean in means.items()
            }
    return {
        group: ValueProfile(
            group, scores[group], read.built_from[group], "", read.texts[group], read.unused[group]
        )
        for group in raw
    }


def unusable(read: Read, group: str) -> str:
    """Why a group has no profile, and what to do."""
    why = ", ".join(f"{count} {reason}" for reason, count in read.unused[group].items())
    return (
        f"{group!r} has no profile, since no text could be used ({why}): give more texts, or name "
        "their values in the file"
    )


def _score(
    entered: Sequence[Reading],
    mean: tuple[float, float],
    drawn: tuple[float, float],
    others: Sequence[float],
) -> ValueScore:
    """What is known of one value of a group.

    Args:
        entered: Readings of it.
        mean: Their mean with its error.
        drawn: The same after it was drawn toward the population.
        others: Intensities of the other groups.
    """
    far = [one.distance for one in entered if one.distance is not None]
    return ValueScore(
        float(np.clip(drawn[0], -10, 10)),
        drawn[1],
        *mean,
        len(entered),
        float(sum(one.weight for one in entered)),
        float(np.mean(others)) if others else None,
        float(np.mean(far)) if far else None,
    )


@dataclass(frozen=True)
class _OnValue:
    """A group's readings on one value."""

    cell: Cell
    shares: FloatArray
    """How likely each text is about the value, [n]."""

    def mean(self, elsewhere: FloatArray) -> tuple[float, float]:
        """Mean of the texts that are about the value, and its standard error, points."""
        cell = self.cell
        mean, sd = moments(cell.mixture_posterior(self.shares, elsewhere)[None])
        shared = float(cell.label_gradient @ cell.label_covariance @ cell.label_gradient)
        return float(mean[0]), float(np.sqrt(sd[0] ** 2 + shared))


def value_means(readings: Mapping[str, Sequence[Reading]]) -> dict[str, tuple[float, float]]:
    """Mean and standard error of every value of a group, points.

    Texts that are about something else than the value they were measured on read as the group's
    readings on its other values do at large: all of them together, each as much as it is
    irrelevant, and one reading's worth of not knowing. The labels' error is that of a cell to
    which all texts belong, which is on the large side.

    Args:
        readings: By value.

    Raises:
        ValueFlowError: if one value was measured in different ways.
    """
    found = {
        value: _OnValue(Cell([one.estimate for one in own]), np.array([one.weight for one in own]))
        for value, own in readings.items()
    }
    beliefs = {v: (1 - one.shares) @ one.cell.beliefs() for v, one in found.items()}
    everything = np.sum(list(beliefs.values()), axis=0) + 1 / len(SCALE)
    means = {}
    for value in in_order(found):
        elsewhere = everything - beliefs[value]  # no reading explains itself away
        means[value] = found[value].mean(elsewhere / elsewhere.sum())
    return means


_Means = Mapping[str, tuple[float, float]]
"""A group's means and their errors, by value."""


def _by_judge(
    raw: Mapping[str, _Means], built_from: Mapping[str, BuiltFrom]
) -> list[dict[str, _Means]]:
    """Groups that were measured alike, together."""
    found: dict[tuple[str | None, str | None], dict[str, _Means]] = {}
    for group, means in raw.items():
        found.setdefault(built_from[group].measured_by, {})[group] = means
    return list(found.values())


def _drawn(
    raw: Mapping[str, _Means],
) -> dict[tuple[str, str], tuple[float, float]]:
    """Means and errors of each (group, value) after all of them were looked at together."""
    found: dict[tuple[str, str], tuple[float, float]] = {}
    for group, means in raw.items():
        numbers = np.array(list(means.values()))
        _put(found, [(group, value) for value in means], numbers, around_zero=True)
    for value in in_order(value for means in raw.values() for value in means):
        groups = [group for group in raw if value in raw[group]]
        if len(groups) >= FEWEST:
            numbers = np.array([raw[group][value] for group in groups])
            _put(found, [(group, value) for group in groups], numbers, around_zero=False)
    return found


def _without_prior(numbers: FloatArray) -> FloatArray:
    """Means and errors as measurements: without what the flat prior on the scale says.

    A value of which nothing is known has the prior's mean of 0 and its variance, and is no
    measurement of 0.

    Args:
        numbers: Posterior means and standard deviations, [n, 2].
    """
    mean, error = numbers.T
    precision = np.clip(1 / error**2 - 1 / _FLAT_VARIANCE, _LEAST_PRECISION, None)
    return np.stack([mean / error**2 / precision, precision**-0.5], axis=1)


def _put(
    found: dict[tuple[str, str], tuple[float, float]],
    keys: Sequence[tuple[str, str]],
    numbers: FloatArray,
    *,
    around_zero: bool,
) -> None:
    seen = _without_prior(numbers)
    whole = population(seen[:, 0], seen[:, 1], around_zero=around_zero)
    pairs = zip(whole.mean.tolist(), whole.sd.tolist(), strict=True)
    found.update(zip(keys, pairs, strict=True))


def profile_texts(
    texts: Sequence[Written],
    instrument: Instrument | None = None,
    values: Sequence[str] | None = None,
    encoder: HivesEncoder | str = "hives-mini",
) -> dict[str, ValueProfile]:
    """Profiles of those who wrote some texts, by group.

    Args:
        texts: Of one or several groups.
        instrument: What measures; None: the embedded judge.
        values: The values that may be measured; None: all that ship, and those of one's own that
            a text names and the instrument has the ruler of.
        encoder: Decides what a text is about that does not say so itself.

    Raises:
        ValueFlowError: as `read_texts` and `fit_profiles`.
    """
    return fit_profiles(read_texts(texts, instrument or Instrument(), values, encoder))
