"""PEFT LoRA adapters that add a constant: the form in which any PEFT user can run a vector.

An adapter with A = 0 and B = 0 changes no weight; with `lora_bias` and `lora_alpha = r` it adds
its bias b to the output of the projection it sits on. Where a layer ends in
x + … + projection(…), that is x' = x + b at every token. It is not where a norm stands between
the projection and the sum, nor in a mixture of experts, whose router weighs the outputs.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from valueflow_scorers import ValueFlowError

from ._exchanged import ExchangedVectors, check_always_added, from_lengths, one_per_layer
from ._layers import Decoder, check_vectors, find_decoder
from ._vector import SteeringVector
from ._words import Operator, Scope, Unit

if TYPE_CHECKING:
    import torch
    from torch import nn

PROJECTIONS = ("mlp.down_proj", "mlp.c_proj", "mlp.dense_4h_to_h", "mlp.fc2", "mlp.fc_out", "fc2")
"""Where the last projection of a layer is, by family."""
_POST_NORMS = ("post_feedforward_layernorm", "post_mlp_layernorm", "post_ffn_layernorm")
_BIAS = re.compile(rf"\.(\d+)\.(?:{'|'.join(map(re.escape, PROJECTIONS))})\.lora_B\.bias$")
_SCALED = ("use_rslora", "alpha_pattern", "rank_pattern", "use_dora")
"""Entries of an adapter's configuration by which its scale is not `lora_alpha / r`."""
PREFIX = "base_model.model."


def export_peft(
    path: str | Path,
    model: nn.Module,
    vectors: Sequence[SteeringVector],
    coefficients: Sequence[float],
    *,
    unit: Unit = "residual",
    scope: Scope = "all",
    operator: Operator = "add",
    layers: str | None = None,
    model_id: str | None = None,
) -> Path:
    """Write a LoRA adapter that steers as these coefficients do.

    Two short forward passes check that the adapter does what `steer` does.

    Args:
        path: folder to write; `PeftModel.from_pretrained(model, path)` reads it.
        model: the model it is for.
        vectors: what steers; vectors of one layer are summed.
        coefficients: [n_vectors].
        unit: of the coefficients.
        scope: must be "all".
        operator: must be "add".
        layers: as in `steer`.
        model_id: as in `steer`.

    Raises:
        ValueFlowError: for another scope or operator, a vector of another model, or a family in
            which no bias does the same (post-norms, mixtures of experts), with the reason.
    """
    import torch
    from safetensors.torch import save_file

    from ._peft_check import check_exact

    check_always_added("a PEFT adapter", scope, operator)
    decoder = find_decoder(model, layers)
    check_vectors(vectors, decoder, model_id)
    doses = one_per_layer(vectors, coefficients, unit)
    biases = {layer: (unit_ * length).float() for layer, (unit_, length) in doses.items()}
    places = {layer: _projection(decoder, layer) for layer in biases}
    modules = {layer: decoder.layers[layer].get_submodule(places[layer]) for layer in biases}
    check_exact(decoder, biases, modules)
    tensors: dict[str, torch.Tensor] = {}
    names = []
    for layer, bias in biases.items():
        name = f"{decoder.path}.{layer}.{places[layer]}"
        names.append(name)
        tensors[f"{PREFIX}{name}.lora_A.weight"] = torch.zeros(1, _inputs(modules[layer]))
        tensors[f"{PREFIX}{name}.lora_B.weight"] = torch.zeros(len(bias), 1)
        tensors[f"{PREFIX}{name}.lora_B.bias"] = bias
    target = Path(path)
    target.mkdir(parents=True, exist_ok=True)
    save_file(tensors, target / "adapter_model.safetensors", metadata={"format": "pt"})
    transposed = type(next(iter(modules.values()))).__name__ == "Conv1D"
    config = _config(names, transposed, decoder.model_id)
    (target / "adapter_config.json").write_text(json.dumps(config, indent=2) + "\n", "utf-8")
    return target


def import_peft(path: str | Path, *, model_id: str | None = None) -> ExchangedVectors:
    """Read the vectors out of an adapter folder that `export_peft` wrote.

    Args:
        path: the folder.
        model_id: the model it belongs to; None: the base model that the adapter names.

    Raises:
        ValueFlowError: if it is missing, or an adapter that does more than add a constant.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    source = Path(path)
    files = source / "adapter_config.json", source / "adapter_model.safetensors"
    if not all(file.is_file() for file in files):
        raise ValueFlowError(f"no PEFT adapter in {source}: it needs {[f.name for f in files]}")
    try:
        config = dict(json.loads(files[0].read_text("utf-8")))
        tensors = load_file(files[1])
        scaling = float(config.get("lora_alpha", 0)) / float(config.get("r", 1))
    except (TypeError, ValueError, ZeroDivisionError, SafetensorError) as error:
        raise ValueFlowError(f"{source} cannot be read as a PEFT LoRA adapter: {error}") from None
    if other := [name for name in _SCALED if config.get(name)]:
        raise ValueFlowError(
            f"{source} uses {', '.join(other)}: only adapters that `export` wrote are vectors"
        )
    lengths: dict[int, torch.Tensor] = {}
    for name, tensor in tensors.items():
        found = _BIAS.search(name)
        if found and int(found[1]) not in lengths:
            lengths[int(found[1])] = tensor.float() * scaling
        elif bool((tensor != 0).any()):
            raise ValueFlowError(
                f"{source} changes weights, or adds something elsewhere than to the output of a "
                f"layer ({name} is not zero): not a vector"
            )
    base = str(config.get("base_model_name_or_path") or "")
    return from_lengths(lengths, "peft", {}, base if model_id is None else model_id)


def _projection(decoder: Decoder, layer: int) -> str:
    """Path, within the layer, of the projection whose bias would steer the layer's output."""
    module = decoder.layers[layer]
    names = dict(module.named_modules())
    what = f"{type(decoder.model).__name__} (layer {layer}) cannot be steered by a PEFT bias"
    instead = "use steer(), GGUF, or the valueflow model adapters"
    if any("expert" in name.rpartition(".")[2] or name.endswith("moe") for name in names):
        raise ValueFlowError(
            f"{what}: it is a mixture of experts, whose router weighs the outputs; {instead}"
        )
    for norm in _POST_NORMS:
        if norm in names:
            raise ValueFlowError(
                f"{what}: its {norm} would rescale the bias before it is added; {instead}"
            )
    place = next((place for place in PROJECTIONS if place in names), None)
    if place is None:
        raise ValueFlowError(f"{what}: it has none of {', '.join(PROJECTIONS)}; {instead}")
    return place


def _inputs(projection: Any) -> int:
    """Width of what goes into a Linear, a quantised Linear or GPT-2's Conv1D (stored turned)."""
    features = getattr(projection, "in_features", None)
    return int(projection.weight.shape[0] if features is None else features)


def _config(names: list[str], transposed: bool, model_id: str) -> Mapping[str, Any]:
    return {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": model_id,
        "r": 1,
        "lora_alpha": 1,
        "lora_dropout": 0.0,
        "lora_bias": True,
        "bias": "none",
        "fan_in_fan_out": transposed,
        "target_modules": names,
        "inference_mode": True,
    }
