"""HiVES-mini as the instrument reads it: adapters and axes in one small file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from sentence_transformers import SentenceTransformer
from valueflow_scorers import ValueFlowError
from valueflow_scorers.judges.encoder import WEIGHTS_SHA256

from ._axes import POINTS, Axes
from ._config import TrainConfig


def export_mini(model_at: Path, config: TrainConfig, target: Path) -> None:
    """Write the adapters of a trained model, half precision, and its axes, in points.

    Raises:
        ValueFlowError: if the model is not an adapter on MiniLM, or has no axes.
    """
    from safetensors.numpy import save_file

    if config.base != "minilm" or not config.lora_rank or not config.axes_weight:
        raise ValueFlowError(
            "only adapters on 'minilm' with axes make HiVES-mini: set base: minilm, lora_rank and "
            "axes_weight"
        )
    model = SentenceTransformer(str(model_at), device="cpu")
    arrays: dict[str, np.ndarray] = {}
    for name, parameter in model[0].model.named_parameters():
        if ".lora_" not in name:
            continue
        place, _, rest = name.partition(".lora_")
        arrays[f"{place}.{'down' if rest[0] == 'A' else 'up'}"] = _half(parameter)
    axes = Axes.load(model_at)
    arrays["axes.weight"] = POINTS * axes.weight
    arrays["axes.offset"] = POINTS * axes.offset
    about = {
        "base_sha256": WEIGHTS_SHA256,
        "scale": "2.0",  # lora_alpha is twice the rank
        "max_tokens": str(config.max_tokens),
        "values": " ".join(axes.values),
    }
    target.parent.mkdir(parents=True, exist_ok=True)
    save_file(arrays, str(target), about)


def _half(parameter: object) -> np.ndarray:
    found: np.ndarray = parameter.detach().cpu().numpy().astype(np.float16)  # type: ignore[attr-defined]
    return np.ascontiguousarray(found)
