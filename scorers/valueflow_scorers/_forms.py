"""Judged windows sorted by the form of their judgement, as arrays.

A response's windows hold orders, probabilities or readings. Each form has a likelihood of its
own; all are functions of the response's intensity on one grid, and add up.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain, repeat

import numpy as np

from ._choice import letter_log_likelihood
from ._errors import ValueFlowError
from ._estimated import JudgedWindow
from ._judging import ranked
from ._plackett_luce import GRID, IntArray, Rankings
from ._profile import JudgeProfile
from ._records import FloatArray, Panel

_UNKNOWN = -2  # stands for a text that the panel lacks
_Owned = tuple[list[int], list[JudgedWindow]]  # which responses, and their windows


class _Ordered:
    """Windows of one size that hold an order, column by column."""

    def __init__(self) -> None:
        self.owners: list[int] = []
        self.items: list[tuple[str, ...]] = []
        self.slots: list[int] = []
        self.orders: list[Sequence[int]] = []


class Windows:
    """The windows of a batch of responses, told apart by form."""

    def __init__(
        self,
        panel: Panel,
        profile: JudgeProfile,
        judged: Mapping[str, Sequence[JudgedWindow]],
    ) -> None:
        """Sort.

        Args:
            panel: The ruler that the windows were drawn from.
            profile: Says whether probabilities are read as an order.
            judged: Windows by response id.
        """
        self._profile = profile
        self._value, self._fingerprint = panel.value, panel.fingerprint
        self._ids = list(judged)
        self._position = {text.key: i for i, text in enumerate(panel.texts)}
        self._orders: defaultdict[int, _Ordered] = defaultdict(_Ordered)  # by size
        self._letters: _Owned = ([], [])
        self._readings: _Owned = ([], [])
        self.failures: dict[int, Counter[str]] = {}
        """Windows without a verdict by reason, for the responses that have any."""
        as_order = profile.probabilities_as == "order"
        for owner, windows in enumerate(judged.values()):
            for window in windows:
                judgement = window.judgement
                order: Sequence[int] | None = judgement.order
                if order is None and as_order:
                    order = ranked(judgement)
                if order is not None:
                    ordered = self._orders[len(order)]
                    ordered.owners.append(owner)
                    ordered.items.append(window.items)
                    ordered.slots.append(window.slot)
                    ordered.orders.append(order)
                    continue
                if judgement.probabilities is not None:
                    owners, found = self._letters
                elif judgement.reading is not None:
                    owners, found = self._readings
                else:
                    reasons = self.failures.setdefault(owner, Counter())
                    reasons[judgement.failure or "no verdict"] += 1
                    continue
                owners.append(owner)
                found.append(window)

    @property
    def heard(self) -> set[int]:
        """Responses with at least one verdict."""
        ordered = (one.owners for one in self._orders.values())
        return set(chain(*ordered, self._letters[0], self._readings[0]))

    def rankings(self) -> dict[int, Rankings]:
        """Ordered windows by their size.

        Raises:
            ValueFlowError: if a window names a text that the panel lacks.
        """
        return {size: self._rankings(size, ordered) for size, ordered in self._orders.items()}

    def _rankings(self, size: int, windows: _Ordered) -> Rankings:
        shape = (len(windows.owners), size)
        keys = chain.from_iterable(windows.items)
        table = _table(map(self._position.get, keys, repeat(_UNKNOWN)), shape)
        table[np.arange(len(table)), windows.slots] = -1
        foreign = np.flatnonzero((table == _UNKNOWN).any(axis=1))
        if len(foreign):
            raise self._foreign(windows.owners[int(foreign[0])])
        orders = _table(chain.from_iterable(windows.orders), shape)
        return Rankings(table, orders, np.array(windows.owners))

    def add_readings(self, table: FloatArray) -> FloatArray:
        """Add log-likelihoods of readings, in place: normal, beside a flat one with the doubt.

        Args:
            table: Log-likelihoods on GRID, [responses, len(GRID)].

        Returns:
            Sd of each response's reading, zero without one, points, [responses]; with doubt as
            much larger as what is left of the reading's information is less.
        """
        sds = np.zeros(len(table))
        for owner, window in zip(*self._readings, strict=True):
            assert window.judgement.reading is not None
            value, sd = window.judgement.reading
            doubt = window.judgement.doubt
            normal = -0.5 * ((GRID - value) / sd) ** 2
            if doubt:
                normal += math.log(1 - doubt) - math.log(sd * math.sqrt(2 * math.pi))
                normal = np.logaddexp(normal, math.log(doubt / (GRID[-1] - GRID[0])))
            table[owner] += normal
            sds[owner] = sd / math.sqrt(1 - doubt)
        return sds

    def add_letters(self, table: FloatArray, locations: FloatArray) -> FloatArray:
        """Add log-likelihoods of letter probabilities, in place.

        Args:
            table: Log-likelihoods on GRID, [responses, len(GRID)].
            locations: Where the judge sees each panel text, points, [texts].

        Returns:
            Change of each response's intensity per point of each panel text's label,
            [responses, texts].

        Raises:
            ValueFlowError: if a window names a text that the panel lacks.
        """
        sensitivities = np.zeros((len(table), len(locations)))
        counts = np.bincount(np.array(self._letters[0], dtype=np.int64), minlength=len(table))
        for owner, window in zip(*self._letters, strict=True):
            chances = window.judgement.probabilities or ()
            others = [slot for slot in range(len(chances)) if slot != window.slot]
            try:
                texts = [self._position[window.items[slot]] for slot in others]
            except KeyError:
                raise self._foreign(owner) from None
            anchors = np.zeros(len(chances))
            anchors[others] = locations[texts]
            row, weights = letter_log_likelihood(
                chances,
                window.slot,
                anchors,
                self._profile.slope,
                self._profile.residual,
                self._profile.bias(len(chances)),
            )
            table[owner] += row
            sensitivities[owner, texts] += weights[others] / counts[owner]
        return sensitivities

    def _foreign(self, owner: int) -> ValueFlowError:
        return ValueFlowError(
            f"response {self._ids[owner]!r} was judged against a text that panel "
            f"{self._value!r} ({self._fingerprint}) does not hold: score it again"
        )


def _table(numbers: Iterable[int], shape: tuple[int, int]) -> IntArray:
    return np.fromiter(numbers, dtype=np.int64, count=shape[0] * shape[1]).reshape(shape)
