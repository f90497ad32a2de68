"""What texts have in common, sentence by sentence.

What a judge persistently misreads in a text lies in its sentences, which it misreads as well
wherever else they stand. The misreading of a text is modelled as the sum of those of its sentences,
each in proportion to its words and drawn by itself, scaled to the text's own variance: two texts
then share ``rho = <u, v>`` of it, with u and v the unit vectors of their words per sentence. Copies
share all, also with their sentences in another order; texts without a common sentence share none.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from ._records import FloatArray, words_key

_END = re.compile(r"(?<=[.!?…])\s+|(?<=[。！？])|\n+")
_MOST = 64  # sentences told apart; what follows them counts as one
_DIGITS = 10  # of a hash: two of a million sentences are taken for one in less than one case


def sentence_words(text: str) -> dict[str, int]:
    """Words of each sentence of a text, by the sentence's hash (case and spaces aside)."""
    words: Counter[str] = Counter()
    for part in _END.split(text, maxsplit=_MOST):
        told = part.casefold().split()
        if told:
            words[words_key(" ".join(told))[:_DIGITS]] += len(told)
    return dict(words)


def shared_square(texts: Sequence[Mapping[str, int]], amounts: FloatArray) -> float:
    """``sum_ij a_i a_j rho_ij`` over all pairs of texts, in time linear in their sentences.

    Args:
        texts: Words per sentence of each; one without sentences shares nothing.
        amounts: The a_i, [texts].
    """
    total: defaultdict[str, float] = defaultdict(float)
    alone = 0.0
    for words, amount in zip(texts, amounts.tolist(), strict=True):
        length = math.sqrt(sum(count * count for count in words.values()))
        for key, count in words.items():
            total[key] += amount * count / length
        if not words:
            alone += amount * amount
    return alone + sum(one * one for one in total.values())
