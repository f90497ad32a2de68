"""How surprising answers are to the unsteered model: what fluency is counted from."""

from __future__ import annotations

import inspect
import logging
import math
from collections.abc import Sequence

from ._answer import Loaded
from ._capture import padded, tokens_of
from ._layers import unwrap

logger = logging.getLogger(__name__)


def answer_losses(
    loaded: Loaded,
    turns: Sequence[str],
    answers: Sequence[str],
    *,
    batch_size: int = 16,
    max_length: int | None = None,
) -> list[float]:
    """How surprising answers are to the unsteered model, nats per token.

    Perplexity is the exponential of the mean. Logits are made from the earliest answer of a batch
    on, and widened to float32 one answer at a time: those of all tokens would not fit.

    Args:
        loaded: The model; call this outside any `steer` context.
        turns: User turns without steering.
        answers: An answer to each; an empty one gives NaN.
        batch_size: Texts per forward pass.
        max_length: Tokens that the model takes; longer rows lose their beginning. None: any.
    """
    import torch

    rows = [_cut(tokens_of(loaded, *pair), max_length) for pair in zip(turns, answers, strict=True)]
    order = sorted(range(len(rows)), key=lambda index: -len(rows[index][0]))
    losses = [math.nan] * len(rows)
    saves = "logits_to_keep" in inspect.signature(unwrap(loaded.model).forward).parameters
    for start in range(0, len(order), batch_size):
        chosen = order[start : start + batch_size]
        ids, mask, _ = padded([rows[index] for index in chosen], loaded)
        # A token is predicted at the one before it.
        first = max(0, min(rows[index][1] for index in chosen) - 1)
        kept = ids.shape[1] - first
        only = {"logits_to_keep": kept} if saves else {}
        with torch.inference_mode():
            read = loaded.model(input_ids=ids, attention_mask=mask, use_cache=False, **only)
            for row, index in enumerate(chosen):
                told, begin = rows[index]
                begin = max(begin, 1)
                if begin < len(told):
                    logits = read.logits[row, -kept:][begin - 1 - first : len(told) - 1 - first]
                    wanted = ids[row, begin : len(told)].to(logits.device)
                    loss = torch.nn.functional.cross_entropy(logits.float(), wanted)
                    losses[index] = float(loss)
    return losses


def surprises(
    loaded: Loaded,
    turns: Sequence[str],
    answers: Sequence[str],
    *,
    batch_size: int,
    max_length: int | None = None,
) -> list[float | None]:
    """As `answer_losses`, for runs whose answers are worth more than their fluency.

    Args:
        loaded: As there.
        turns: As there.
        answers: As there.
        batch_size: As there.
        max_length: As there.

    Returns:
        None where it is not known; everywhere, with a warning, if the model fails.
    """
    try:
        found = answer_losses(loaded, turns, answers, batch_size=batch_size, max_length=max_length)
    except Exception as error:  # most likely out of memory; the answers are there already
        logger.warning("the answers' perplexity is not known: %s", error)
        return [None] * len(turns)
    return [loss if math.isfinite(loss) else None for loss in found]


def _cut(row: tuple[list[int], int], max_length: int | None) -> tuple[list[int], int]:
    tokens, begin = row
    cut = 0 if max_length is None else max(0, len(tokens) - max_length)
    return tokens[cut:], max(0, begin - cut)
