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
from typing import Any

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


def sentences_of(saved: Mapping[str, Any]) -> Mapping[str, int]:
    """Words per sentence out of a saved estimate.

    Before task version 3 they held the whole text's hash, which is then its only sentence.
    """
    found: Mapping[str, int] | None = saved.get("sentences")
    if found is not None:
        return found
    return {saved["text"]: 1} if saved.get("text") else {}


def sentence_loads(
    texts: Sequence[Mapping[str, int]], amounts: FloatArray
) -> tuple[dict[str, float], float]:
    """What sentences add to ``sum_i a_i z_i``, with z_i the misreading of text i in its own sd.

    Args:
        texts: Words per sentence of each; one without sentences shares nothing.
        amounts: The a_i, [texts].

    Returns:
        The amount of each sentence's own z, by hash, and the variance of what no sentence carries:
        the sum's variance is that of the squared amounts and the latter. Sums that share sentences
        have the product of their amounts as covariance. In time linear in the sentences.
    """
    loads: defaultdict[str, float] = defaultdict(float)
    alone = 0.0
    for words, amount in zip(texts, amounts.tolist(), strict=True):
        length = math.sqrt(sum(count * count for count in words.values()))
        for key, count in words.items():
            loads[key] += amount * count / length
        if not words:
            alone += amount * amount
    return dict(loads), alone
