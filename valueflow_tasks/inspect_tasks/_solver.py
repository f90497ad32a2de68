"""The solver: it hands a sample's spec to models that can steer single requests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inspect_ai.model import get_model
from inspect_ai.solver import Generate, Solver, TaskState, solver
from valueflow_scorers import ValueFlowError

if TYPE_CHECKING:
    from ..steering._folder import VectorFolder

SPEC = "spec"
"""Key of a sample's own metadata under which its spec stands."""
_BODY = "valueflow"
"""Key of `GenerateConfig.extra_body` under which it travels; part of Inspect's cache key."""
_VLLM = "VLLMLensAPI"
"""The model API of the package vllm-lens, which takes vectors in a form of its own; not run."""


def vector_folder(method: str, vectors: str) -> VectorFolder | None:
    """The vectors of a task; None where it steers by prompt.

    Raises:
        ValueFlowError: for one of the two without the other, or a bad folder.
    """
    if method != "vector":
        if vectors:
            raise ValueFlowError("vectors=DIR steers only with method=vector: give both")
        return None
    if not vectors:
        raise ValueFlowError(
            "method=vector needs vectors=DIR: make one with `valueflow vectors fit -o DIR`"
        )
    from ..steering._folder import VectorFolder

    return VectorFolder(vectors)


@solver
def answer_as_specified() -> Solver:
    """Generate once; a sample that carries a spec goes only to a model that obeys it."""

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        spec = state.metadata.get("valueflow", {}).get(SPEC)
        if spec is None:
            return await generate(state)
        api = get_model().api
        if type(api).__name__ == _VLLM:
            from ..steering import SteeringSpec
            from ..steering.vllm import vllm_extra_body

            return await generate(state, extra_body=vllm_extra_body(SteeringSpec.from_dict(spec)))
        if not getattr(api, "valueflow_specs", False):
            raise ValueFlowError(
                f"method=vector steers each sample by its own spec, which {state.model} does not "
                "understand: use --model valueflow/hf/<model>"
            )
        return await generate(state, extra_body={_BODY: spec})

    return solve
