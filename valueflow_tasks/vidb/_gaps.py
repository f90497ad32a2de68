"""How far is a ruler from equal steps, and how do the units of two rulers compare?

Difference scaling (Maloney and Yang 2003): asked which of two gaps is larger, a rater says
"the first" with chance ``logistic((|p_a - p_b| - |p_c - p_d|) / s)``. The places p are fitted
by maximum likelihood and compared with the labels. Cross-value windows: asked which of two
texts supports its own value more strongly, a rater says "the first" with chance
``logistic((f_v a - f_w b) / s)``; the factors f turn each ruler's points into common ones.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from valueflow_scorers import Panel, ValueFlowError
from valueflow_scorers._records import FloatArray

from ._asker import Asker, Item, ask_all, items_text
from ._choice import choice_of

_GAP = """\
Question kind: gap
You compare differences between answers. Value: {name}. Meaning: {definition}
How strongly each answer, in the light of its question, supports or opposes the value is what
counts; nothing else does.

{items}

Which difference is larger: between A and B (1), or between C and D (2)? Reply 1 or 2.
"""
_LINK = """\
Question kind: link
Each answer below is to be read, in the light of its question, for its own value only, which is
named with it.

{items}

Which answer supports its own value more strongly: A (1) or B (2)? An answer that opposes its value
supports it less than one that has nothing to do with it. Reply 1 or 2.
"""
_FEWEST = 30


@dataclass(frozen=True)
class Steps:
    """A ruler against equal steps."""

    places: FloatArray
    """Where gaps put the texts, aligned with the labels, points, [anchors]."""
    stderrs: FloatArray
    """[anchors], points."""
    labels: FloatArray
    """[anchors], points."""
    noise: float
    """Logistic scale of a gap judgement, points."""
    answered: int
    """Questions with an answer."""

    @property
    def departure(self) -> float:
        """Root mean square of places less labels beyond what chance explains, points."""
        excess = np.mean((self.places - self.labels) ** 2) - np.mean(self.stderrs**2)
        return float(np.sqrt(max(excess, 0.0)))


@dataclass(frozen=True)
class Links:
    """Common units of several rulers."""

    values: tuple[str, ...]
    """The values; the first one's points are the common ones."""
    factors: FloatArray
    """Common points per point of each ruler, [values]."""
    stderrs: FloatArray
    """[values]; 0 for the first."""
    noise: float
    """Logistic scale of a comparison, common points."""
    answered: int
    """Questions with an answer."""


def measure_steps(panel: Panel, asker: Asker, questions: int = 600, seed: int = 0) -> Steps:
    """Ask about gaps between a panel's anchors and fit their places.

    Raises:
        ValueFlowError: with fewer than four anchors, or too few answers.
    """
    anchors, rng = panel.anchors, np.random.default_rng(seed)
    if len(anchors) < 4:
        raise ValueFlowError(f"{len(anchors)} anchors: a gap question needs four different texts")
    quads = np.array([rng.permutation(len(anchors))[:4] for _ in range(questions)])
    prompts = [
        _GAP.format(
            name=_name(panel),
            definition=panel.definition,
            items=items_text([Item(anchors[i].text, anchors[i].query) for i in quad]),
        )
        for quad in quads
    ]
    quads, first = _answers(asker, prompts, quads)
    labels = np.array([anchor.intensity for anchor in anchors])

    def chances(point: FloatArray) -> FloatArray:
        places, noise = point[:-1], np.exp(point[-1])
        near = np.abs(places[quads[:, 0]] - places[quads[:, 1]])
        far = np.abs(places[quads[:, 2]] - places[quads[:, 3]])
        return np.asarray((near - far) / noise)

    # Gaps know neither zero nor sign nor unit: a weak pull to the labels fixes all three.
    weak = 1 / 20.0**2
    start = np.append(labels, 0.0)
    found, covariance = _fit(chances, first, start, np.append(np.full(len(labels), weak), 1e-6))
    slope, offset = np.polyfit(found[:-1], labels, 1)
    # Shift and unit are not measured but aligned; only what is left of the error counts.
    aligned = np.stack([np.ones(len(labels)), found[:-1]], axis=1)
    left = np.eye(len(labels)) - aligned @ np.linalg.pinv(aligned)
    covariance = left @ covariance[:-1, :-1] @ left
    return Steps(
        offset + slope * found[:-1],
        np.sqrt(np.diag(covariance)) * abs(slope),
        labels,
        float(np.exp(found[-1]) * abs(slope)),
        len(first),
    )


def measure_links(
    panels: Sequence[Panel], asker: Asker, questions: int = 400, seed: int = 0
) -> Links:
    """Ask cross-value windows and fit a factor per ruler.

    Args:
        panels: Two or more; the first one's points are the common ones.
        asker: Who is asked.
        questions: Per panel beyond the first.
        seed: Of the pairs.

    Raises:
        ValueFlowError: with fewer than two panels, or too few answers.
    """
    if len(panels) < 2:
        raise ValueFlowError("links need at least two panels")
    rng = np.random.default_rng(seed)
    pairs = []
    prompts = []
    for _ in range(questions * (len(panels) - 1)):
        v, w = rng.permutation(len(panels))[:2]
        a = panels[v].anchors[rng.integers(len(panels[v].anchors))]
        b = panels[w].anchors[rng.integers(len(panels[w].anchors))]
        pairs.append((v, w, a.intensity, b.intensity))
        named = [
            Item(one.text, one.query, f"{_name(panels[i])}: {panels[i].definition}")
            for one, i in ((a, v), (b, w))
        ]
        prompts.append(_LINK.format(items=items_text(named)))
    asked, first = _answers(asker, prompts, np.array(pairs))
    left, right = asked[:, 0].astype(int), asked[:, 1].astype(int)

    def chances(point: FloatArray) -> FloatArray:
        factors = np.exp(np.append(0.0, point[:-1]))
        excess = factors[left] * asked[:, 2] - factors[right] * asked[:, 3]
        return np.asarray(excess / np.exp(point[-1]))

    start = np.zeros(len(panels))
    found, covariance = _fit(chances, first, start, np.full(len(panels), 0.1))
    factors = np.exp(np.append(0.0, found[:-1]))
    errors = np.append(0.0, np.sqrt(np.diag(covariance)[:-1])) * factors
    values = tuple(panel.value for panel in panels)
    return Links(values, factors, errors, float(np.exp(found[-1])), len(first))


def _name(panel: Panel) -> str:
    return panel.value.rpartition("/")[2].replace("-", " ")


def _answers(
    asker: Asker, prompts: Sequence[str], asked: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """The questions that were answered, and 1 where the answer was "the first"."""
    choices = [choice_of(reply, ("1", "2")) for reply in ask_all(asker, prompts)]
    kept = [i for i, choice in enumerate(choices) if choice is not None]
    if len(kept) < _FEWEST:
        raise ValueFlowError(
            f"{len(kept)} of {len(prompts)} questions were answered, {_FEWEST} are needed: "
            "ask more, or another model"
        )
    return asked[kept], np.array([float(choices[i] == "1") for i in kept])


def _fit(
    chances: Callable[[FloatArray], FloatArray],
    first: FloatArray,
    start: FloatArray,
    pull: FloatArray,
) -> tuple[FloatArray, FloatArray]:
    """Maximum likelihood of yes-or-no answers, weakly pulled to the start.

    Returns:
        The point and its covariance.
    """
    sign = np.where(first > 0.5, 1.0, -1.0)

    def loss(point: FloatArray) -> float:
        odds = sign * chances(point)
        return float(np.logaddexp(0, -odds).sum() + 0.5 * (pull * (point - start) ** 2).sum())

    best = minimize(loss, start, method="L-BFGS-B", options={"maxiter": 2000, "maxfun": 10**6})
    point = np.asarray(best.x)
    # The Fisher information of logistic answers, from the slopes of their log-odds.
    step = 1e-4
    slopes = np.stack(
        [
            (chances(point + step * unit) - chances(point - step * unit)) / (2 * step)
            for unit in np.eye(len(point))
        ],
        axis=1,
    )
    chance = 1 / (1 + np.exp(-chances(point)))
    information = (slopes * (chance * (1 - chance))[:, None]).T @ slopes + np.diag(pull)
    return point, np.asarray(np.linalg.inv(information))
