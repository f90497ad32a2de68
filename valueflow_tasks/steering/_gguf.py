"""GGUF control vectors, as llama.cpp and repeng read and write them.

`direction.N` is added to the output of layer N, counted from 0, at every token: the same place
as here. llama.cpp refuses `direction.0`, so layer 0 cannot be exported.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from valueflow_scorers import ValueFlowError

from ._exchanged import ExchangedVectors, check_always_added, from_lengths, one_per_layer
from ._vector import SteeringVector
from ._words import Operator, Scope, Unit

ARCHITECTURE = "controlvector"


def export_gguf(
    path: str | Path,
    vectors: Sequence[SteeringVector],
    coefficients: Sequence[float],
    *,
    unit: Unit = "residual",
    model_hint: str = "",
    scope: Scope = "all",
    operator: Operator = "add",
) -> Path:
    """Write a control vector; at scale 1 it does what these coefficients do.

    Args:
        path: file to write.
        vectors: what steers; vectors of one layer are summed.
        coefficients: [n_vectors].
        unit: of the coefficients.
        model_hint: the model's type, such as "llama"; readers show it.
        scope: must be "all".
        operator: must be "add".

    Raises:
        ValueFlowError: without the package gguf; for layer 0, another scope or operator, or
            nothing to export.
    """
    import numpy as np

    gguf = _package()
    check_always_added("a GGUF control vector", scope, operator)
    layers = one_per_layer(vectors, coefficients, unit)
    if 0 in layers:
        raise ValueFlowError(
            "llama.cpp cannot steer layer 0 (it refuses direction.0): leave that vector out, or "
            "fit one at a later layer"
        )
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    writer = gguf.GGUFWriter(target, ARCHITECTURE)
    writer.add_string(f"{ARCHITECTURE}.model_hint", model_hint)
    writer.add_uint32(f"{ARCHITECTURE}.layer_count", len(layers))
    for layer, (direction, length) in layers.items():
        raw = (direction.double() * length).numpy().astype(np.float32)
        writer.add_tensor(f"direction.{layer}", raw)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return target


def import_gguf(path: str | Path, *, model_id: str = "") -> ExchangedVectors:
    """Read a control vector of llama.cpp, repeng or `export_gguf`.

    Args:
        path: file to read.
        model_id: the model it belongs to, if you know; the file names only a model type.

    Raises:
        ValueFlowError: without the package gguf; if the file is missing, no GGUF, or no control
            vector of floats.
    """
    import numpy as np
    import torch

    gguf = _package()
    source = Path(path)
    if not source.is_file():
        raise ValueFlowError(f"no control vector at {source}: give the path of a .gguf file")
    try:
        reader = gguf.GGUFReader(source)
    except (ValueError, IndexError) as error:
        raise ValueFlowError(f"{source} is not a GGUF file: {error}") from error
    architecture = reader.get_field("general.architecture")
    kind = architecture.contents() if architecture else None
    if kind != ARCHITECTURE:
        raise ValueFlowError(
            f"{source} is GGUF of the architecture {kind!r}, a control vector is {ARCHITECTURE!r}"
        )
    lengths: dict[int, torch.Tensor] = {}
    for tensor in reader.tensors:
        prefix, _, number = tensor.name.partition(".")
        floats = np.issubdtype(tensor.data.dtype, np.floating) and tensor.data.ndim == 1
        if prefix != "direction" or not number.isdecimal() or not floats:
            raise ValueFlowError(
                f"{source} holds {tensor.name!r} ({tensor.tensor_type.name}, "
                f"{tensor.data.ndim}-dimensional); a control vector holds direction.N, one "
                "dimension of F32 or F16"
            )
        # The reader maps the file; a copy outlives it.
        lengths[int(number)] = torch.from_numpy(tensor.data.astype(np.float32))
    hint = reader.get_field(f"{ARCHITECTURE}.model_hint")
    fit = {"model_hint": hint.contents()} if hint else {}
    return from_lengths(lengths, "gguf", fit, model_id)


def _package() -> Any:
    try:
        import gguf
    except ImportError as error:
        raise ValueFlowError("control vectors need the package gguf: pip install gguf") from error
    return gguf
