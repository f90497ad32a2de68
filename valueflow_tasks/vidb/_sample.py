"""Choose texts to rank: no duplicates, directions and lengths in balance."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ._duplicates import without_duplicates
from ._texts import Text

_LENGTHS = 3


@dataclass(frozen=True)
class Sample:
    """Chosen texts and why the others are not among them."""

    texts: tuple[Text, ...]
    """Chosen, in their old order; each keeps its source."""
    duplicates: int
    """Texts left out because they are (nearly) the same as another."""
    surplus: int
    """Texts left out because there were more of their kind than wanted."""


def sample_texts(texts: Sequence[Text], count: int | None = None, seed: int = 0) -> Sample:
    """A balanced sample without duplicates.

    Texts fall into kinds by stated direction and by third of word count. Each kind gives
    equally many as far as it can; neutral reference texts are always kept.

    Args:
        texts: Candidates.
        count: How many to choose; None: all but the duplicates.
        seed: Of the choice.
    """
    # Neutral reference texts first, so that of two alike the reference stays.
    ordered = sorted(range(len(texts)), key=lambda i: (not texts[i].neutral, i))
    kept = [ordered[i] for i in without_duplicates([texts[i].text for i in ordered])]
    duplicates = len(texts) - len(kept)
    if count is None or count >= len(kept):
        return Sample(tuple(texts[i] for i in sorted(kept)), duplicates, 0)
    chosen = [i for i in kept if texts[i].neutral]
    kinds = _kinds(texts, [i for i in kept if not texts[i].neutral])
    rng = np.random.default_rng(seed)
    queues = [list(rng.permutation(members)) for _, members in sorted(kinds.items())]
    while len(chosen) < count and any(queues):
        for queue in sorted((q for q in queues if q), key=len):
            if len(chosen) < count:
                chosen.append(int(queue.pop()))
    return Sample(tuple(texts[i] for i in sorted(chosen)), duplicates, len(kept) - len(chosen))


def _kinds(texts: Sequence[Text], members: Sequence[int]) -> dict[tuple[str, int], list[int]]:
    words = np.array([len(texts[i].text.split()) for i in members])
    bounds = np.quantile(words, [i / _LENGTHS for i in range(1, _LENGTHS)]) if len(words) else []
    kinds: dict[tuple[str, int], list[int]] = defaultdict(list)
    for i, length in zip(members, words, strict=True):
        kinds[texts[i].direction, int(np.searchsorted(bounds, length))].append(i)
    return kinds
