"""Steering a language model along directions in its residual stream.

    >>> import torch
    >>> from valueflow_tasks.steering import SteeringVector, steer
    >>> vector = SteeringVector(torch.tensor([0.0, 3.0, 4.0]), layer=5, residual_norm=12.0)
    >>> [round(float(x), 1) for x in vector.direction]
    [0.0, 0.6, 0.8]

`with steer(model, vectors=[vector], coefficients=[0.2]): model.generate(…)` adds a fifth of the
layer's residual norm along the direction. Needs torch and transformers and no evaluation
harness; importing this package imports neither.
"""

from ._layers import find_decoder
from ._spec import SteeringSpec, Target, VectorDose
from ._steer import steer
from ._vector import SteeringVector
from ._words import Operator, Scope, Unit
from .exchange import (
    ExchangedVectors,
    export_gguf,
    export_lm_eval,
    export_peft,
    import_gguf,
    import_lm_eval,
    import_peft,
)

__all__ = [
    "ExchangedVectors",
    "Operator",
    "Scope",
    "SteeringSpec",
    "SteeringVector",
    "Target",
    "Unit",
    "VectorDose",
    "export_gguf",
    "export_lm_eval",
    "export_peft",
    "find_decoder",
    "import_gguf",
    "import_lm_eval",
    "import_peft",
    "steer",
]
