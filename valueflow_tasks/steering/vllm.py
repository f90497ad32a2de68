"""A spec as a request for vLLM through the package `vllm-lens` (1.3).

Built against that package's published request schema and checked against its field names; not
run here, because it needs vLLM and a GPU. Its hooks add `scale · activations` behind a layer at
every position of the one request, which is scope `all` and operator `add`.
"""

from __future__ import annotations

import base64
import json
from typing import Any

from valueflow_scorers import ValueFlowError

from ._batch import VectorLibrary
from ._exchanged import check_always_added
from ._layers import same_model
from ._spec import SteeringSpec


def vllm_extra_body(
    spec: SteeringSpec, library: VectorLibrary | None = None, *, model: str = ""
) -> dict[str, Any]:
    """What to put into a request's `extra_body` so that a `vllm-lens` server steers it.

    Args:
        spec: Vectors only; a steering prompt belongs into the user turn.
        library: Where vectors come from.
        model: What is served; empty: not compared with the vectors' model.

    Returns:
        `{"vllm_xargs": {"apply_steering_vectors": JSON}}`; empty if nothing acts.

    Raises:
        ValueFlowError: for a prompt, another scope or operator than `all` and `add`, or a vector
            of another model.
    """
    if spec.prompt:
        raise ValueFlowError("a request to vLLM carries vectors: put the prompt into the user turn")
    if not spec.acting_vectors:
        return {}
    check_always_added("a steering request to vLLM", spec.scope, spec.operator)
    vectors = (library or VectorLibrary()).of(spec)
    for vector in vectors:
        if model and vector.model_id and not same_model(vector.model_id, model):
            raise ValueFlowError(
                f"the steering vector fitted on {vector.model_id!r} is not for {model!r}: fit one "
                "on this model"
            )
    entries = [
        {
            "activations": _tensor(vector.direction.numpy().astype("<f4")[None]),
            "layer_indices": [vector.layer],
            "scale": dose.coefficient * vector.scale(spec.unit),
            "norm_match": False,
            "position_indices": None,
        }
        for vector, dose in zip(vectors, spec.vectors, strict=True)
        if dose.coefficient
    ]
    return {"vllm_xargs": {"apply_steering_vectors": json.dumps(entries)}}


def _tensor(array: Any) -> dict[str, Any]:
    """The package's JSON form of a tensor, not compressed."""
    return {
        "data": base64.b64encode(array.tobytes()).decode("ascii"),
        "dtype": "float32",
        "original_dtype": "torch.float32",
        "shape": list(array.shape),
    }
