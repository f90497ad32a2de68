"""Steering a model for the length of a `with` block."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from valueflow_scorers import ValueFlowError

from ._coefficients import Coefficients, Dosage, read_coefficients
from ._eager import run_as_written
from ._generate import watch_generate
from ._layers import Decoder, check_vectors, find_decoder
from ._words import Operator, Scope, Unit, check_words

if TYPE_CHECKING:
    from torch import Tensor, nn

    from ._operators import LayerEdit
    from ._positions import Positions
    from ._vector import SteeringVector


@contextmanager
def steer(
    model: nn.Module,
    vectors: Sequence[SteeringVector],
    coefficients: Coefficients,
    unit: Unit = "residual",
    scope: Scope = "all",
    operator: Operator = "add",
    prompt_lengths: Sequence[int] | Tensor | None = None,
    *,
    layers: str | None = None,
    model_id: str | None = None,
) -> Iterator[None]:
    """Steer every forward pass of a model while the context lasts.

    With x the residual stream at a token, v a unit direction, c its coefficient and s one unit
    of dose (the vector's residual norm, or 1 for unit "raw"):

    * `add`:     x' = x + c s v
    * `project`: x' = x - (x·v) v + c s v   (sets the component; 0 is not "unsteered")
    * `ablate`:  x' = x - c (x·v) v         (c from 0 to 1, the share taken away)
    * `rotate`:  x turned by c radians toward v, its norm kept, never past v

    Weights are not touched: quantised, bfloat16, PEFT and multi-device models steer alike.
    Hooks return new tensors and are gone after the block, also after an error. Where no row has
    anything to do (all coefficients 0 or None; for `project` all None) no hook is set at all.
    Contexts on one model may be nested: each then sees what the others leave, the innermost
    acting first within a layer. This is how one batch holds rows of different operators.
    A model is steered by one thread at a time.

    Args:
        model: decoder-only model of transformers, also inside PEFT or torch.compile; compiled
            code does not run while it is steered, since it would go by the hooks.
        vectors: what steers; several may share a layer and act in this order.
        coefficients: [n_vectors] for every row or [batch, n_vectors], tensor or nested list;
            None in a list leaves the row alone whatever the operator. In `generate` a batch that
            is a whole multiple of the rows (beams, returned sequences) repeats them.
        unit: "residual": a coefficient is a share of the layer's residual norm; "raw": a length.
        scope: "all" tokens, the "prompt" up to but not including its last token, or the
            "response" from the last prompt token (whose logits choose the first response token)
            on. Padding is never steered.
        operator: what is done, see above.
        prompt_lengths: prompt tokens per row without padding, [batch]; required for scope
            "prompt" and "response" outside `generate`. If given they hold in `generate` too.
        layers: dotted path of the decoder layers, such as "model.layers"; None: found by guess.
        model_id: the model's name for the check against the vectors', in place of the one it
            carries; "" skips the check.

    Raises:
        ValueFlowError: on entering, for unknown words, coefficients of another shape, a vector of
            another model, a missing residual norm, or a compiled model under torch before 2.6; in
            a forward pass, for a batch of another size or missing prompt lengths.
    """
    check_words(unit, scope, operator)
    decoder = find_decoder(model, layers)
    check_vectors(vectors, decoder, model_id)
    _check_columns(model, scope)
    dosage = read_coefficients(coefficients, len(vectors))
    edits = _edits(vectors, dosage, unit, operator)
    if not edits:
        yield
        return
    from ._positions import Positions

    with ExitStack() as stack:
        stack.enter_context(run_as_written(model))
        watch = stack.enter_context(watch_generate(decoder.model))
        positions = Positions(scope, watch, dosage.rows, prompt_lengths)
        stack.callback(
            decoder.owner.register_forward_pre_hook(
                positions.before_forward, with_kwargs=True
            ).remove
        )
        for layer, edit in edits.items():
            stack.callback(_hang(decoder, layer, edit, positions))
        yield


def _check_columns(model: nn.Module, scope: Scope) -> None:
    """Refuse to tell prompt from response where PEFT puts tokens of its own before them."""
    virtual = getattr(getattr(model, "active_peft_config", None), "is_prompt_learning", False)
    if virtual and scope != "all":
        raise ValueFlowError(
            f"scope={scope!r}: the model's adapter puts virtual tokens before the prompt, so that "
            "its end is not known; steer all tokens (scope='all')"
        )


def _edits(
    vectors: Sequence[SteeringVector], dosage: Dosage, unit: Unit, operator: Operator
) -> dict[int, LayerEdit]:
    """What each layer has to do, for the layers that have something to do."""
    import torch

    from ._operators import LayerEdit

    amounts, active = dosage.amounts, dosage.given
    if operator != "project":
        active = active & (amounts != 0)
    if operator == "ablate" and bool(((amounts < 0) | (amounts > 1)).any()):
        raise ValueFlowError(
            f"ablate takes the share of the component to remove, 0 to 1; given {amounts.tolist()}"
        )
    if operator in ("add", "project"):
        used = [bool(column.any()) for column in active.T]
        scales = [v.scale(unit) if use else 1.0 for v, use in zip(vectors, used, strict=True)]
        amounts = amounts * torch.tensor(scales)
    edits = {}
    for layer in sorted({vector.layer for vector in vectors}):
        here = [index for index, vector in enumerate(vectors) if vector.layer == layer]
        if bool(active[:, here].any()):
            directions = torch.stack([vectors[index].direction for index in here])
            edits[layer] = LayerEdit(directions, amounts[:, here], active[:, here], operator)
    return edits


def _hang(
    decoder: Decoder, layer: int, edit: LayerEdit, positions: Positions
) -> Callable[[], None]:
    """Set the hook of one layer; returns what removes it."""

    def hook(module: nn.Module, args: tuple[Any, ...], output: Any) -> Any:
        if positions.idle:
            return None
        x = output[0] if isinstance(output, tuple) else output
        _check_output(x, edit, positions, module)
        tokens = positions.tokens
        steered = edit(x, None if tokens is None else tokens.to(x.device), positions.repeat)
        return (steered, *output[1:]) if isinstance(output, tuple) else steered

    # Ahead of other hooks: output_hidden_states then records what the next layer receives.
    return decoder.layers[layer].register_forward_hook(hook, prepend=True).remove


def _check_output(x: Any, edit: LayerEdit, positions: Positions, module: nn.Module) -> None:
    shape = list(getattr(x, "shape", ()))
    d_model = edit.directions.shape[1]
    if len(shape) != 3 or shape[2] != d_model:
        raise ValueFlowError(
            f"{type(module).__name__} returned {shape or type(x).__name__}, not a residual stream "
            f"[batch, tokens, {d_model}]: steering does not know this kind of layer"
        )
    tokens = positions.tokens
    if tokens is not None and list(tokens.shape) != shape[:2]:
        raise ValueFlowError(
            f"the model was called with {list(tokens.shape)} tokens and {type(module).__name__} "
            f"returned {shape[:2]}: steering cannot tell which tokens these are"
        )
