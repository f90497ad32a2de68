"""The solver: it hands a sample's spec to models that can steer single requests, and says so."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from inspect_ai.model import get_model
from inspect_ai.solver import Generate, Solver, TaskState, solver
from inspect_ai.util import LimitExceededError
from valueflow_scorers import ValueFlowError

from ..prompts import user_turn
from ..steering import SteeringSpec
from ..study._meter import METER

SPEC = "spec"
"""Key of a sample's own metadata under which its spec stands."""
WHOLE_RUN = "whole_run"
"""Key of a sample's own metadata under which the spec stands that was asked of the whole run."""
_OBEYED = "obeyed"
"""Key of a sample's own metadata: fingerprint of the spec under which it was answered."""
_BODY = "valueflow"
"""Key of `GenerateConfig.extra_body` under which it travels; part of Inspect's cache key."""
PLAIN = "valueflow_plain"
"""Key of `GenerateConfig.extra_body` under which a turn that the prompt steers stands unsteered."""
_VLLM = "VLLMLensAPI"
"""The model API of the package vllm-lens, which takes vectors in a form of its own; not run."""


def check_vectors(method: str, vectors: str) -> None:
    """Refuse vectors that would not steer.

    Raises:
        ValueFlowError: for `vectors` without `method=vector`.
    """
    if vectors and method != "vector":
        raise ValueFlowError("vectors=DIR steers only with method=vector: give both")


@solver
def answer_as_specified() -> Solver:
    """Generate once; a sample that carries a spec goes only to a model that obeys it."""

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        try:
            return await answer(state, generate)
        except LimitExceededError:
            METER.refuse()  # a study's budget: the sample is not finished, and says so
            raise

    async def answer(state: TaskState, generate: Generate) -> TaskState:
        # With one seed for all epochs they would be copies of each other.
        model = get_model()
        seed = model.config.seed
        drawn: Any = {} if seed is None or state.epoch == 1 else {"seed": seed + state.epoch - 1}
        own = state.metadata.get("valueflow", {})
        spec = own.get(SPEC)
        api = model.api
        whole = getattr(api, "asked", None) if getattr(api, "valueflow_specs", False) else None
        if whole is not None:
            own[WHOLE_RUN] = whole.to_dict()
        if spec is None:
            by_prompt = own.get("target") or own.get("targets")
            if not by_prompt or not getattr(api, "valueflow_specs", False):
                return await generate(state, **drawn)
            return await generate(state, extra_body={PLAIN: user_turn(own["query"])}, **drawn)
        wanted = SteeringSpec.from_dict(spec)
        if type(api).__name__ == _VLLM:
            from ..steering.vllm import vllm_extra_body

            body = vllm_extra_body(wanted, model=model.name)
        elif getattr(api, "valueflow_specs", False):
            body = {_BODY: spec}
        else:
            raise ValueFlowError(
                f"method=vector steers each sample by its own spec, which {state.model} does not "
                "understand: use --model valueflow/hf/<model>"
            )
        state = await generate(state, extra_body=body, **drawn)
        own[_OBEYED] = wanted.fingerprint
        return state

    return solve


def check_obeyed(own: Mapping[str, Any], sample: object) -> None:
    """Refuse an answer that was to be steered by a spec and was not.

    Args:
        own: The sample's own metadata.
        sample: Its id.

    Raises:
        ValueFlowError: if another solver answered.
    """
    spec = own.get(SPEC)
    if spec is None:
        return
    wanted = SteeringSpec.from_dict(spec).fingerprint
    if own.get(_OBEYED) != wanted:
        raise ValueFlowError(
            f"sample {sample!r} was answered without the steering {wanted[:8]} that it carries: "
            "run it with the task's own solver (leave out --solver)"
        )
