"""Answers at several doses, measured: what layers, doses and dials are chosen by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

import numpy as np
from valueflow_scorers import IntensityEstimate
from valueflow_scorers._cells import Cell
from valueflow_scorers._measure import Answer, Instrument, Measured
from valueflow_scorers._records import FloatArray

from ..prompts import user_turn
from ..queries import Query
from ..side_effects import Told
from ._answer import GREEDY, Loaded, Sampling, answer
from ._spec import SteeringSpec
from ._surprise import answer_losses

_SEED = 20260102


@dataclass(frozen=True)
class Condition:
    """How the answers of one dose are steered."""

    prompt: str = ""
    """Steering sentence."""
    spec: SteeringSpec | None = None
    """Vectors."""


@dataclass(frozen=True)
class Trial:
    """The answers to all queries at each dose, and what was measured in them."""

    value: str
    """What was measured and steered."""
    queries: tuple[Query, ...]
    """What was asked."""
    answers: Mapping[float, Sequence[str]]
    """By dose; the answers to one query stand together."""
    losses: Mapping[float, Sequence[float]]
    """Surprise of each answer to the unsteered model, nats per token, by dose."""
    measured: Mapping[float, Sequence[Measured]]
    """Estimates, by dose."""
    sampling: Sampling = GREEDY
    """How many answers each query got."""

    @property
    def doses(self) -> tuple[float, ...]:
        """In ascending order."""
        return tuple(sorted(self.answers))

    @cached_property
    def kinds(self) -> tuple[int, ...]:
        """See `kinds_of`."""
        return kinds_of(self.queries)

    @cached_property
    def told(self) -> list[Told]:
        """The answers as side effects are counted from."""
        return [
            Told(
                query_id=record.query_id,
                target=self.value if dose else None,
                level=dose,
                text=text,
                refused=record.refused,
                loss=loss,
                intensity=_intensity(record, self.value),
            )
            for dose in self.doses
            for text, loss, record in zip(
                self.answers[dose], self.losses[dose], self.measured[dose], strict=True
            )
        ]

    def estimates(self, dose: float) -> list[IntensityEstimate]:
        """Scored estimates at a dose."""
        return [estimate for _, estimate in self._scored(dose)]

    def _scored(self, dose: float) -> list[tuple[str, IntensityEstimate]]:
        """Queries with their scored estimates."""
        found = ((one.query_id, one.estimates.get(self.value)) for one in self.measured[dose])
        return [(query, one) for query, one in found if one is not None and one.scored]

    def joined(self, other: Trial) -> Trial:
        """This trial and one of the same queries at other doses."""
        return replace(
            self,
            answers={**self.answers, **other.answers},
            losses={**self.losses, **other.losses},
            measured={**self.measured, **other.measured},
        )

    def mean(self, dose: float, draws: int = 0) -> tuple[float, float, FloatArray]:
        """Mean intensity at a dose, its standard error, and bootstrap means over queries.

        Label error of the panel is not in the error: it is shared by all doses. The bootstrap means
        scatter as means over other queries of the same kinds would, read by the same judge: where
        all answers are one text they do not, however badly the judge reads it; the error then says
        how badly.

        Args:
            dose: One of `doses`.
            draws: How many bootstrap means, paired over doses.

        Raises:
            ValueFlowError: if no answer at the dose is scored.
        """
        scored = self._scored(dose)
        cell = Cell([estimate for _, estimate in scored])
        point = float(cell.means(np.ones((1, cell.n)))[0])
        # Queries are drawn with all their answers, and the same ones at every dose.
        place = {query.id: place for place, query in enumerate(self.queries)}
        drawn = drawn_within(self.kinds, max(draws, 200))
        means = cell.means(drawn[:, [place[query] for query, _ in scored]])
        error = float(np.sqrt(max(float(means.var()), cell.measurement_variance)))
        return point, error, means[:draws]

    def loss(self, dose: float) -> float:
        """Mean surprise at a dose, nats per token; NaN if all answers are empty."""
        known = [loss for loss in self.losses[dose] if np.isfinite(loss)]
        return float(np.mean(known)) if known else float("nan")

    def share_unscored(self, dose: float) -> float:
        """Share of the answers at a dose that have no number."""
        return 1 - len(self.estimates(dose)) / len(self.measured[dose])


def kinds_of(queries: Sequence[Query]) -> tuple[int, ...]:
    """The number of each query's kind, within which queries scatter.

    A kind with a single query tells nothing of its scatter: all are then of one.
    """
    names = [query.kind for query in queries]
    _, numbers, sizes = np.unique(np.array(names), return_inverse=True, return_counts=True)
    return tuple(map(int, numbers)) if sizes.min() > 1 else (0,) * len(names)


@lru_cache(maxsize=4)  # the same for all doses
def drawn_within(kinds: tuple[int, ...], draws: int) -> FloatArray:
    """How much each query weighs in each bootstrap replicate, [draws, queries].

    One fewer than there are is drawn of each kind, and weighs as much more: means over new queries
    scatter so, while drawing as many as there are falls short by ``(n - 1) / n`` (Rao and Wu, 1988,
    https://doi.org/10.1080/01621459.1988.10478591).

    Args:
        kinds: See `kinds_of`; at least two queries of each.
        draws: How many replicates.
    """
    numbers = np.array(kinds)
    rng = np.random.default_rng(_SEED)
    weights = np.empty((draws, len(numbers)))
    for number, size in enumerate(np.bincount(numbers).tolist()):
        counts = rng.multinomial(size - 1, np.full(size, 1 / size), size=draws)
        weights[:, numbers == number] = counts * (size / (size - 1))
    return weights


def _intensity(record: Measured, value: str) -> float | None:
    found = record.estimates.get(value)
    return found.intensity if found is not None and found.scored else None


def run_trial(
    loaded: Loaded,
    value: str,
    queries: Sequence[Query],
    conditions: Mapping[float, Condition],
    instrument: Instrument,
    *,
    sampling: Sampling = GREEDY,
    batch_size: int = 32,
) -> Trial:
    """Answer every query under every condition, mixed in the same batches, and measure.

    Args:
        loaded: The model.
        value: What to measure.
        queries: What to ask.
        conditions: By dose; dose 0 is unsteered.
        instrument: Judge and design.
        sampling: How many answers each query gets.
        batch_size: Rows per batch.
    """
    # Answers at one dose are about as long as each other, which a batch waits for the longest of.
    keys = [
        (dose, query, repeat)
        for query in queries
        for dose in conditions
        for repeat in range(sampling.samples)
    ]
    turns = [user_turn(query.text, conditions[dose].prompt) for dose, query, _ in keys]
    specs = [conditions[dose].spec for dose, _, _ in keys]
    texts = answer(loaded, turns, specs, batch_size=batch_size, sampling=sampling)
    plain = [user_turn(query.text) for _, query, _ in keys]
    losses = answer_losses(loaded, plain, texts, batch_size=batch_size)
    asked = [
        Answer(query.id, query.text, text, (value,), value if dose else None, dose, repeat=repeat)
        for (dose, query, repeat), text in zip(keys, texts, strict=True)
    ]
    found = instrument.measure(asked)
    by_dose: dict[float, list[int]] = {}
    for index, (dose, _, _) in enumerate(keys):
        by_dose.setdefault(dose, []).append(index)
    return Trial(
        value,
        tuple(queries),
        {dose: [texts[i] for i in rows] for dose, rows in by_dose.items()},
        {dose: [losses[i] for i in rows] for dose, rows in by_dose.items()},
        {dose: [found[i] for i in rows] for dose, rows in by_dose.items()},
        sampling,
    )
