"""Log-probabilities of a local model in Inspect's form."""

from __future__ import annotations

from typing import Any

from inspect_ai.model import Logprob, Logprobs, TopLogprob


def logprobs(tokens: Any, scores: Any, top: int, tokenizer: Any) -> Logprobs:
    """Log-probabilities of an answer's tokens.

    Args:
        tokens: Of the answer, [tokens].
        scores: Log-probabilities of all tokens at each place, [tokens or more, vocabulary].
        top: How many alternatives to name at each place.
        tokenizer: Of the model.
    """
    content = []
    for token, row in zip(tokens.tolist(), scores, strict=False):
        best = row.topk(top) if top else None
        content.append(
            Logprob(
                token=tokenizer.decode([token]),
                logprob=float(row[token]),
                top_logprobs=None
                if best is None
                else [
                    TopLogprob(token=tokenizer.decode([int(i)]), logprob=float(v))
                    for v, i in zip(best.values, best.indices, strict=True)
                ],
            )
        )
    return Logprobs(content=content)
