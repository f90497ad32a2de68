"""Activations of texts: one forward pass, memory bounded by the batch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from valueflow_scorers import ValueFlowError

from ._answer import Loaded
from ._layers import find_decoder

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True)
class Activations:
    """The residual stream behind each decoder layer, averaged over the tokens of each answer."""

    means: Tensor
    """Float32 on the CPU, [texts, layers, d_model]."""
    norms: Tensor
    """Mean L2 norm of single tokens' residual streams, [layers]."""


@dataclass
class _Sums:
    """What the hooks of one batch leave behind."""

    mask: Tensor
    """Which tokens are the answer's, [batch, tokens]."""
    means: dict[int, Tensor]
    norms: dict[int, float]


def capture(
    loaded: Loaded,
    turns: Sequence[str],
    answers: Sequence[str],
    *,
    batch_size: int = 16,
    layers: str | None = None,
) -> Activations:
    """Read a model's activations while it reads answers to user turns.

    Each hook averages at once, so that what is kept is [layers, d_model] per text; the head that
    makes logits does not run.

    Args:
        loaded: The model.
        turns: User turns.
        answers: An answer to each.
        batch_size: Texts per forward pass.
        layers: Dotted path of the decoder layers; None: found by guess.

    Raises:
        ValueFlowError: if there is nothing to read, or an answer is empty.
    """
    import torch

    if not turns or any(not text.strip() for text in answers):
        raise ValueFlowError("activations need at least one text, and no answer may be empty")
    decoder = find_decoder(loaded.model, layers)
    rows = [tokens_of(loaded, turn, text) for turn, text in zip(turns, answers, strict=True)]
    order = sorted(range(len(rows)), key=lambda index: -len(rows[index][0]))
    means: list[Tensor | None] = [None] * len(rows)
    norms = torch.zeros(len(decoder.layers), dtype=torch.float64)
    total = 0
    for start in range(0, len(order), batch_size):
        chosen = order[start : start + batch_size]
        ids, mask, answer = padded([rows[index] for index in chosen], loaded)
        sums = _Sums(answer, {}, {})
        removers = [
            layer.register_forward_hook(_reader(number, sums)).remove
            for number, layer in enumerate(decoder.layers)
        ]
        try:
            with torch.inference_mode():
                decoder.owner(input_ids=ids, attention_mask=mask, use_cache=False)
        finally:
            for remove in removers:
                remove()
        stacked = torch.stack([sums.means[i] for i in range(len(decoder.layers))], dim=1)
        for row, index in enumerate(chosen):
            means[index] = stacked[row]
        norms += torch.tensor([sums.norms[i] for i in range(len(decoder.layers))])
        total += int(answer.sum())
    # inference_mode tensors cannot be used in later computations that record gradients
    return Activations(
        torch.stack([one for one in means if one is not None]).clone(), (norms / total).float()
    )


def _reader(number: int, sums: _Sums) -> Callable[..., None]:
    def hook(module: nn.Module, args: Any, output: Any) -> None:
        x = (output[0] if isinstance(output, tuple) else output).float()
        weight = sums.mask.to(x.device).unsqueeze(-1)
        sums.means[number] = ((x * weight).sum(1) / weight.sum(1)).cpu()
        sums.norms[number] = float((x.norm(dim=-1) * weight[..., 0]).sum())

    return hook


def tokens_of(loaded: Loaded, turn: str, answer: str) -> tuple[list[int], int]:
    """Token ids of turn and answer, and where the answer begins."""
    rendered = loaded.rendered(turn)
    asked = loaded.tokenizer(rendered, add_special_tokens=loaded.adds_special)["input_ids"]
    told = loaded.tokenizer(answer, add_special_tokens=False)["input_ids"]
    return [*asked, *told], len(asked)


def padded(rows: Sequence[tuple[list[int], int]], loaded: Loaded) -> tuple[Any, Any, Any]:
    """Ids, attention mask and answer mask, padded on the right, [batch, tokens]."""
    import torch

    width = max(len(ids) for ids, _ in rows)
    pad = loaded.tokenizer.pad_token_id
    ids = torch.tensor([row + [pad] * (width - len(row)) for row, _ in rows])
    place = torch.arange(width)
    mask = torch.stack([(place < len(row)) for row, _ in rows])
    answer = torch.stack([(place >= begin) & (place < len(row)) for row, begin in rows])
    device = loaded.model.device
    return ids.to(device), mask.long().to(device), answer.float().to(device)
