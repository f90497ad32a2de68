"""Knowing when `generate` is running and how wide its prompt is.

A forward pass does not tell whether it belongs to `generate`: without a cache each step looks
like a long prompt. So the `generate` of this one model object is wrapped while steering.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn


class GenerateWatch:
    """Whether a model is generating."""

    def __init__(self) -> None:
        """Outside generate."""
        self.prompt_width: int | None = None
        """Columns of the prompt, padding included; None outside generate."""
        self.prompt_rows: int | None = None
        """Rows of the prompt; None outside generate, and when it starts from nothing."""
        self.seen = 0
        """Columns that have passed so far, as far as forward passes have told."""


@contextmanager
def watch_generate(model: nn.Module) -> Iterator[GenerateWatch]:
    """Tell, while the context lasts, when `model.generate` runs.

    Nested contexts each see the call; they must end in the reverse order, as `with` does.
    A reference to the bound method taken before the context began is not seen.
    """
    watch = GenerateWatch()
    inner: Any = getattr(model, "generate", None)
    if inner is None:
        yield watch
        return

    @functools.wraps(inner)
    def generate(*args: Any, **kwargs: Any) -> Any:
        before = watch.prompt_width, watch.prompt_rows
        watch.prompt_width, watch.prompt_rows = _prompt_size(args, kwargs)
        watch.seen = 0
        try:
            return inner(*args, **kwargs)
        finally:
            watch.prompt_width, watch.prompt_rows = before

    outer = model.__dict__.get("generate")
    model.__dict__["generate"] = generate
    try:
        yield watch
    finally:
        if outer is None:
            model.__dict__.pop("generate", None)
        else:
            model.__dict__["generate"] = outer


def _prompt_size(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[int, int | None]:
    """Columns and rows that generate was called with; 1 and None when it starts from nothing."""
    prompt = kwargs.get("inputs_embeds")
    if prompt is None:
        given = (*args[:1], kwargs.get("inputs"), kwargs.get("input_ids"))
        prompt = next((tokens for tokens in given if tokens is not None), None)
    width = 1 if prompt is None else int(prompt.shape[1])
    # With a cache that is already filled the ids may be only the new ones; the mask is whole.
    mask = kwargs.get("attention_mask")
    if mask is not None and getattr(mask, "ndim", 0) == 2:
        width = max(width, int(mask.shape[1]))
    return width, None if prompt is None else int(prompt.shape[0])
