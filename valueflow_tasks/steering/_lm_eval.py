"""The file that lm-evaluation-harness' built-in `--model steered` takes (`steer_path=X.pt`).

A pickled dictionary {hook point: {action, steering_vector, steering_coefficient, bias,
head_index}}, hook points named from the base model (`layers.3`). Its `add` is our `add`, its
`clamp` our `project`. Pickles can run code, so only tensors and plain data are unpickled.
"""

from __future__ import annotations

import pickle
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from valueflow_scorers import ValueFlowError

from ._exchanged import ExchangedVectors, check_always_added, one_per_layer
from ._layers import check_vectors, find_decoder
from ._vector import SteeringVector
from ._words import Operator, Scope, Unit

if TYPE_CHECKING:
    from torch import nn

_ACTIONS: dict[Operator, str] = {"add": "add", "project": "clamp"}
_LAYER = re.compile(r"^((?:[a-z_]\w*\.)*[a-z_]\w*)\.(\d+)$", re.I)
"""A list of layers, not within a layer itself, and a number in it."""


def export_lm_eval(
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
    """Write a file for `lm_eval --model steered --model_args pretrained=…,steer_path=PATH`.

    Args:
        path: file to write; the harness wants the ending .pt.
        model: the model it is for; its hook points are named in the file.
        vectors: what steers; vectors of one layer are summed.
        coefficients: [n_vectors].
        unit: of the coefficients.
        scope: must be "all".
        operator: "add", or "project" with one vector per layer.
        layers: as in `steer`.
        model_id: as in `steer`.

    Raises:
        ValueFlowError: for what the format cannot hold, or a vector of another model.
    """
    import torch

    if operator not in _ACTIONS or scope != "all":
        check_always_added("lm-eval's file of kind add or clamp", scope, operator)
    decoder = find_decoder(model, layers)
    check_vectors(vectors, decoder, model_id)
    base: Any = getattr(decoder.model, "base_model", decoder.model)
    names = {id(module): name for name, module in base.named_modules()}
    content = {}
    for layer, (direction, length) in _doses(vectors, coefficients, unit, operator).items():
        content[names[id(decoder.layers[layer])]] = {
            "action": _ACTIONS[operator],
            "steering_vector": direction.clone(),
            "steering_coefficient": length,
            "bias": None,
            "head_index": None,
        }
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    torch.save(content, target)
    return target


def import_lm_eval(path: str | Path, *, model_id: str = "") -> ExchangedVectors:
    """Read a `.pt` file of lm-eval's `steered`, running no code that may be in it.

    Args:
        path: file to read.
        model_id: the model it belongs to, if you know; the file does not say.

    Raises:
        ValueFlowError: if it is missing, holds more than tensors and plain data, steers
            something else than whole layer outputs, uses a bias or single heads, or mixes actions.
    """
    import torch

    source = Path(path)
    if not source.is_file():
        raise ValueFlowError(f"no lm-eval steering file at {source}: give the path of a .pt file")
    try:
        content = torch.load(source, weights_only=True, map_location="cpu")
    except (pickle.UnpicklingError, RuntimeError, EOFError) as error:
        raise ValueFlowError(
            f"{source} does not load as tensors and plain data (a pickle that holds more could "
            "run code and is refused)"
        ) from error
    if not isinstance(content, Mapping) or not content:
        raise ValueFlowError(f"{source} holds no hook points: it is not a steering file of lm-eval")
    if len(lists := {str(point).rpartition(".")[0] for point in content}) > 1:
        raise ValueFlowError(
            f"{source} steers in several places ({', '.join(sorted(lists))}): only the layers of "
            "one decoder are read"
        )
    read = sorted(
        (_entry(str(point), info, source, model_id) for point, info in content.items()),
        key=lambda entry: entry[0].layer,
    )
    actions = {action for _, _, action in read}
    if len(actions) > 1:
        raise ValueFlowError(f"{source} mixes {sorted(actions)}: write one file for each action")
    operator = next(name for name, action in _ACTIONS.items() if action in actions)
    return ExchangedVectors(tuple(r[0] for r in read), tuple(r[1] for r in read), operator)


def _doses(
    vectors: Sequence[SteeringVector], coefficients: Sequence[float], unit: Unit, operator: Operator
) -> dict[int, tuple[Any, float]]:
    if operator == "add":
        return one_per_layer(vectors, coefficients, unit)
    pairs = list(zip(vectors, coefficients, strict=True))
    if len({vector.layer for vector in vectors}) < len(pairs) or not pairs:
        raise ValueFlowError("lm-eval's file clamps one direction per layer: give one for each")
    return {v.layer: (v.direction, float(c) * v.scale(unit)) for v, c in pairs}


def _entry(point: str, info: Any, source: Path, model_id: str) -> tuple[SteeringVector, float, str]:
    import torch

    layer = _LAYER.search(point)
    if layer is None:
        raise ValueFlowError(
            f"{source} steers {point!r}; only whole layer outputs (such as 'layers.3') are read"
        )
    if not isinstance(info, Mapping) or info.get("action") not in _ACTIONS.values():
        raise ValueFlowError(f"{source}: {point!r} has no action add or clamp: {info!r}")
    if info.get("bias") is not None or info.get("head_index") is not None:
        raise ValueFlowError(f"{source}: {point!r} uses a bias or a single head: not supported")
    if "steering_vector" not in info:
        raise ValueFlowError(f"{source}: {point!r} has no steering_vector")
    try:
        raw = torch.as_tensor(info["steering_vector"])
        amount = float(info.get("steering_coefficient", 1.0))
    except (TypeError, ValueError) as error:
        raise ValueFlowError(f"{source}: {point!r} holds no vector and number: {error}") from None
    vector = SteeringVector(raw, int(layer[2]), model_id=model_id, method="lm-eval")
    # `add` scales the vector as stored, `clamp` only its direction.
    length = float(raw.double().norm()) if info["action"] == "add" else 1.0
    return vector, amount * length, str(info["action"])
