"""The proof, by running the model, that a bias on a projection steers as `steer` does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import Any

import torch
from torch import Tensor, nn
from valueflow_scorers import ValueFlowError

from ._layers import Decoder

SHARE = 0.01
"""Largest deviation, as a share of the vector's length, that counts as exact."""


def check_exact(
    decoder: Decoder, biases: Mapping[int, Tensor], modules: Mapping[int, nn.Module]
) -> None:
    """Compare, at every steered layer, a bias on the projection with a sum at the output.

    The tolerance grows with the rounding of the model's own numbers.

    Args:
        decoder: the model.
        biases: what is added by layer, [d_model].
        modules: the projection of each of these layers.

    Raises:
        ValueFlowError: if the two differ.
    """
    outputs = {layer: decoder.layers[layer] for layer in biases}
    wanted = _residuals(decoder, biases, outputs)
    got = _residuals(decoder, biases, modules)
    for layer, bias in biases.items():
        off = float((wanted[layer].float() - got[layer].float()).abs().max())
        rounding = torch.finfo(wanted[layer].dtype).eps * float(wanted[layer].abs().max())
        allowed = SHARE * float(bias.abs().max()) + 16 * (layer + 1) * rounding
        if not off <= allowed:
            raise ValueFlowError(
                f"{type(decoder.model).__name__} cannot be steered by a PEFT bias: at layer "
                f"{layer} it is off by {off:.2g} (allowed {allowed:.2g}), so something stands "
                "between the projection and the layer's output; use steer() or GGUF"
            )


def _residuals(
    decoder: Decoder, biases: Mapping[int, Tensor], places: Mapping[int, nn.Module]
) -> dict[int, Tensor]:
    """Outputs of the steered layers, with the biases added at the places given."""
    seen: dict[int, Tensor] = {}
    device = next(decoder.model.parameters()).device
    if device.type == "meta":  # offloaded: accelerate moves the inputs itself
        device = torch.device("cpu")
    training = decoder.model.training
    with ExitStack() as stack, torch.no_grad():
        for layer, bias in biases.items():
            stack.callback(places[layer].register_forward_hook(_adding(bias)).remove)
            stack.callback(
                decoder.layers[layer].register_forward_hook(_recording(seen, layer)).remove
            )
        stack.callback(decoder.model.train, training)
        decoder.model.eval()
        decoder.model(torch.tensor([[0, 1, 2]], device=device))
    return seen


def _adding(bias: Tensor) -> Callable[[nn.Module, Any, Any], Any]:
    def hook(module: nn.Module, args: Any, output: Any) -> Any:
        x = output[0] if isinstance(output, tuple) else output
        moved = x + bias.to(x.device, x.dtype)
        return (moved, *output[1:]) if isinstance(output, tuple) else moved

    return hook


def _recording(seen: dict[int, Tensor], layer: int) -> Callable[[nn.Module, Any, Any], None]:
    def hook(module: nn.Module, args: Any, output: Any) -> None:
        seen[layer] = output[0] if isinstance(output, tuple) else output

    return hook
