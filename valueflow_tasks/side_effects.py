"""What steering does to answers besides moving them along the value.

Reported next to every steered score, apart for each direction of steering, so that a gain bought
with broken text, sudden refusals or no change at all is seen.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from valueflow_scorers.metrics import Metric, mean_over_queries

_WORD = re.compile(r"\w+(?:['’]\w+)?")
_KINDS = ("distinct_2", "length", "refusal", "log_perplexity")
SIDE_EFFECT_NAMES = (
    *(f"{kind}_{where}" for where in ("plain", "up", "down") for kind in _KINDS),
    "no_op_up",
    "no_op_down",
    "wrong_sign",
)
"""What `side_effects` can return: `_up` is over levels above 0, `_down` over those below."""


def told_from(record: Mapping[str, Any], text: str, loss: float | None = None) -> Told:
    """An answer out of a saved measurement (`Measured.to_dict`), its text and its surprise."""
    target = record["target"]
    found = record["estimates"].get(target) if target else None
    return Told(
        str(record["query_id"]),
        target,
        float(record["level"]),
        text,
        bool(record["refused"]),
        loss,
        None if found is None else found.get("intensity"),
    )


@dataclass(frozen=True)
class Told:
    """One answer, as far as side effects look at it."""

    query_id: str
    """Which query it answers."""
    target: str | None
    """The value that steering aimed at; None at level 0."""
    level: float
    """The level that was asked for."""
    text: str
    """The answer."""
    refused: bool
    """Whether it is a refusal."""
    loss: float | None = None
    """Its surprise to the unsteered model under the plain query, nats per token; None: unknown."""
    intensity: float | None = None
    """Of the target; None: not scored."""


def distinct_n(text: str, n: int = 2) -> float:
    """Share of a text's n-grams of words that are different; 1 for a text of fewer words."""
    words = [word.lower() for word in _WORD.findall(text)]
    grams = list(zip(*(words[start:] for start in range(n)), strict=False))
    return len(set(grams)) / len(grams) if grams else 1.0


def words(text: str) -> int:
    """How many words a text has."""
    return len(_WORD.findall(text))


def side_effects(told: Sequence[Told], target: str) -> dict[str, Metric]:
    """Side effects of steering toward one value.

    Args:
        told: Answers at all levels; those at level 0 serve all targets.
        target: The value that was steered.

    Returns:
        For each direction (`_up`, `_down`) and unsteered (`_plain`): `distinct_2` (share of
        different word pairs; repetition lowers it), `length` (words), `refusal`,
        `log_perplexity` (nats per token of the unsteered model under the plain query, where the
        model gave it for every answer); for the directions also `no_op` (share of answers that are
        word for word the unsteered one). `wrong_sign`: share of queries whose strongest upward
        answer reads lower than the strongest downward one. What cannot be computed is left out.
    """
    plain = [one for one in told if one.level == 0]
    up = [one for one in told if one.target == target and one.level > 0]
    down = [one for one in told if one.target == target and one.level < 0]
    unsteered: dict[str, set[str]] = {}  # more than one where a query was put several times
    for one in plain:
        unsteered.setdefault(one.query_id, set()).add(one.text.strip())
    found: dict[str, Metric] = {}
    for name, ones in (("plain", plain), ("up", up), ("down", down)):
        if not ones:
            continue
        found[f"distinct_2_{name}"] = _mean(ones, lambda one: distinct_n(one.text), (0.0, 1.0))
        found[f"length_{name}"] = _mean(ones, lambda one: float(words(one.text)), (0.0, math.inf))
        found[f"refusal_{name}"] = _mean(ones, lambda one: float(one.refused), (0.0, 1.0))
        known = [one for one in ones if one.loss is not None and math.isfinite(one.loss)]
        # After an interrupted run a cache knows the surprise of some answers only.
        if known and len(known) >= sum(bool(one.text.strip()) for one in ones):
            found[f"log_perplexity_{name}"] = _mean(known, lambda one: one.loss or 0.0)
        paired = [one for one in ones if one.query_id in unsteered]
        if name != "plain" and paired:
            found[f"no_op_{name}"] = _mean(
                paired, lambda one: float(one.text.strip() in unsteered[one.query_id]), (0.0, 1.0)
            )
    return found | _wrong_sign(up, down)


def _wrong_sign(up: Sequence[Told], down: Sequence[Told]) -> dict[str, Metric]:
    high, low = _strongest(up), _strongest(down)
    wrong = [float(high[query] < low[query]) for query in sorted(set(high) & set(low))]
    if not wrong:
        return {}
    share, n = float(np.mean(wrong)), len(wrong)
    error = math.sqrt(share * (1 - share) / n) if n > 1 else None
    return {"wrong_sign": Metric(share, error, n, (0.0, 1.0))}


def _strongest(ones: Sequence[Told]) -> dict[str, float]:
    """Mean intensity of each query's answers at its strongest level, where there is one."""
    levels: dict[str, float] = {}
    for one in ones:
        levels[one.query_id] = max(levels.get(one.query_id, 0.0), abs(one.level))
    found: dict[str, list[float]] = {}
    for one in ones:
        if abs(one.level) == levels[one.query_id] and one.intensity is not None:
            found.setdefault(one.query_id, []).append(one.intensity)
    return {query: float(np.mean(numbers)) for query, numbers in found.items()}


def _mean(
    ones: Sequence[Told],
    number: Callable[[Told], float],
    bounds: tuple[float, float] = (-math.inf, math.inf),
) -> Metric:
    return mean_over_queries([(one.query_id, number(one)) for one in ones], bounds)
