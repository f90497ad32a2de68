"""Hooks act only where a model runs as it is written: a compiled forward pass goes by them.

It was traced before the hooks were set and knows nothing of them, so the model would answer
unsteered without a word. `generate` compiles by itself for static caches on some devices.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from valueflow_scorers import ValueFlowError

if TYPE_CHECKING:
    from torch import nn


class _Forced:
    """The process's stance, forced from the first context in any thread to the end of the last."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._holders = 0
        self._stack = ExitStack()

    @contextmanager
    def held(self, stance: Any) -> Iterator[None]:
        with self._lock:
            if self._holders == 0:
                self._stack.enter_context(stance("force_eager"))
            self._holders += 1
        try:
            yield
        finally:
            with self._lock:
                self._holders -= 1
                if self._holders == 0:
                    self._stack.close()


_FORCED = _Forced()


@contextmanager
def run_as_written(model: nn.Module) -> Iterator[None]:
    """Let no compiled code run while the context lasts; it is valid again afterwards.

    Args:
        model: as its caller has it, wrappers included.

    Raises:
        ValueFlowError: for a compiled model where torch (before 2.6) cannot be told.
    """
    import torch

    stance: Any = getattr(torch.compiler, "set_stance", None)
    if stance is not None:
        with _FORCED.held(stance):
            yield
        return
    if _is_compiled(model):
        raise ValueFlowError(
            f"the model is compiled, and torch {torch.__version__} cannot run it as written: "
            "steer the model before torch.compile, or use torch 2.6 or newer"
        )
    yield


def _is_compiled(model: nn.Module) -> bool:
    if hasattr(model, "_orig_mod"):  # torch.compile(model)
        return True
    return any(getattr(one, "_compiled_call_impl", None) is not None for one in model.modules())
