"""Which tokens of the forward pass in progress are steered.

Read from the arguments of the module that runs the decoder layers, before it runs them:

* padding is what the attention mask hides. Left and right padding are both understood, and so
  are the four-dimensional masks that `generate` makes for static caches. Without a mask nothing
  is known to be padding (right padding then changes no real token: it lies in the future).
* `response` begins at the last prompt token: its logits choose the first response token.
  `prompt` is what comes before it.
* Inside `generate` the prompt is what `generate` was called with; elsewhere the lengths of the
  prompts, without padding, must be given. Lengths that are given hold in both.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from valueflow_scorers import ValueFlowError

from ._generate import GenerateWatch
from ._words import Scope


class Positions:
    """The tokens to steer in one forward pass after another."""

    def __init__(
        self,
        scope: Scope,
        watch: GenerateWatch,
        rows: int | None,
        prompt_lengths: Sequence[int] | Tensor | None,
    ) -> None:
        """Set up for one steering context.

        Args:
            scope: the tokens that are wanted.
            watch: knows whether generate runs.
            rows: rows of the coefficients; None: any number.
            prompt_lengths: prompt tokens per row without padding, [batch].

        Raises:
            ValueFlowError: for lengths that are not whole numbers from 0 on, one for each row.
        """
        self.scope = scope
        self.watch = watch
        self.lengths = None if prompt_lengths is None else _lengths(prompt_lengths, rows)
        self.rows = rows if self.lengths is None else len(self.lengths)
        self.tokens: Tensor | None = None
        """Which tokens are steered, [batch, tokens]; None: all of them."""
        self.idle = False
        """True when this pass holds no token to steer."""
        self.repeat = 1
        """How many rows of the batch stem from one row of coefficients."""

    def before_forward(
        self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        """Forward pre-hook of the module that runs the layers.

        Raises:
            ValueFlowError: if the batch does not fit the coefficients, or the scope needs
                prompt lengths and has none.
        """
        given = _named(module, args, kwargs)
        names = ("input_ids", "inputs_embeds", "hidden_states")
        inputs = next((given[name] for name in names if given.get(name) is not None), None)
        if inputs is None:
            raise ValueFlowError(f"{type(module).__name__} was called without input_ids")
        batch, width = int(inputs.shape[0]), int(inputs.shape[1])
        self.repeat = self._repeat(batch)
        mask = _mask(given.get("attention_mask"))
        past = self._past(given, mask, width)
        self.watch.seen = past + width
        prompt = self.watch.prompt_width
        self.idle, self.tokens = False, None
        if prompt is not None and self.lengths is None and past >= prompt:
            # Generating with a cache: new tokens, none of them padding. No mask, no work.
            self.idle = self.scope == "prompt"
            return
        real = _real(mask, past, width)
        wanted = self._wanted(mask, real, past, width, inputs.device)
        if wanted is not None and real is not None:
            wanted = wanted & real.to(wanted.device)
        tokens = real if wanted is None else wanted
        self.tokens = None if tokens is None else tokens.expand(batch, width)

    def _past(self, given: Mapping[str, Any], mask: Tensor | None, width: int) -> int:
        """Columns that passed before these."""
        cache: Any = given.get("past_key_values")
        counted = int(cache.get_seq_length()) if hasattr(cache, "get_seq_length") else 0
        prompt = self.watch.prompt_width
        if counted or prompt is None or width >= prompt:
            return counted
        # The states of recurrent layers (Mamba, RWKV, MiniMax) do not count what went into them.
        if mask is not None and mask.ndim == 2 and mask.shape[1] > width:
            return int(mask.shape[1]) - width
        return self.watch.seen

    def _repeat(self, batch: int) -> int:
        if self.rows is None or batch == self.rows:
            return 1
        # Beams and several returned sequences repeat each row in place.
        if self.watch.prompt_rows in (None, self.rows) and (
            self.watch.prompt_width is not None and batch % self.rows == 0
        ):
            return batch // self.rows
        raise ValueFlowError(
            f"coefficients or prompt_lengths have {self.rows} rows and the batch has {batch}: give "
            "one row for each row of the batch, or coefficients [n_vectors] for every row "
            "(inside generate one for each prompt, however many beams or sequences it becomes; "
            "call model.generate within the context, not a reference taken before it)"
        )

    def _wanted(
        self, mask: Tensor | None, real: Tensor | None, past: int, width: int, device: torch.device
    ) -> Tensor | None:
        """Tokens within the scope, [batch or 1, tokens]; None: all."""
        if self.scope == "all":
            return None
        column = torch.arange(past, past + width, device=device).unsqueeze(0)
        if self.lengths is not None:
            lengths = self.lengths.repeat_interleave(self.repeat).to(device).unsqueeze(1)
            response = _index(mask, real, column, past) >= lengths - 1
        elif self.watch.prompt_width is not None:
            response = column >= self.watch.prompt_width - 1
        else:
            raise ValueFlowError(
                f"scope={self.scope!r} outside generate needs prompt_lengths= (prompt tokens per "
                "row without padding): a plain forward pass does not say where the prompt ends"
            )
        return response if self.scope == "response" else ~response


def _lengths(given: Sequence[int] | Tensor, rows: int | None) -> Tensor:
    values = torch.as_tensor(given).detach().cpu()
    whole = values.ndim == 1 and len(values) > 0 and not values.is_floating_point()
    if not whole or bool((values < 0).any()):
        raise ValueFlowError(
            f"prompt_lengths are whole numbers from 0 on, [batch]; these are {given!r}"
        )
    if rows is not None and len(values) != rows:
        raise ValueFlowError(f"{rows} rows of coefficients and {len(values)} prompt_lengths")
    return values.long()


def _named(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    if not args:
        return kwargs
    return {**dict(zip(inspect.signature(module.forward).parameters, args, strict=False)), **kwargs}


def _mask(given: Any) -> Tensor | None:
    """One mask out of what the model was given; of several the one of full attention."""
    if isinstance(given, Mapping):
        full = given.get("full_attention")
        given = full if full is not None else next(iter(given.values()), None)
    return given if isinstance(given, Tensor) and given.ndim in (2, 4) else None


def _real(mask: Tensor | None, past: int, width: int) -> Tensor | None:
    """Which of the tokens that pass are not padding, [batch, tokens]; None: all."""
    if mask is None:
        return None
    if mask.ndim == 2:
        start = past if mask.shape[1] >= past + width else mask.shape[1] - width
        return mask[:, start : start + width].bool()
    # A token sees itself exactly when it is not padding: read the diagonal.
    start = past if mask.shape[-1] >= past + width else mask.shape[-1] - width
    seen = mask if mask.dtype == torch.bool else mask > -1
    return seen[:, 0, :width, max(start, 0) :].diagonal(dim1=-2, dim2=-1)


def _index(mask: Tensor | None, real: Tensor | None, column: Tensor, past: int) -> Tensor:
    """Each token's place in its row, padding not counted, [batch or 1, tokens]."""
    if mask is None or real is None:
        return column
    if mask.ndim == 2:
        return (mask.long().cumsum(1) - 1)[:, column[0].to(mask.device)].to(column.device)
    if past > 0:
        raise ValueFlowError(
            "prompt_lengths with a filled cache need a two-dimensional attention mask, [batch, "
            "all tokens so far]; in generate, static caches have none: leave prompt_lengths out, "
            "or use the default cache"
        )
    return (real.long().cumsum(1) - 1).to(column.device)
