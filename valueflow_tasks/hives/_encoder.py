"""Encoders by name: HiVES-mini, its base, the published HiVES, or a trained folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from valueflow_scorers import ValueFlowError
from valueflow_scorers.judges._beginnings import beginnings

FloatArray = NDArray[np.float32]
NAMES = ("hives-mini", "minilm")
BATCH = 64


@dataclass(frozen=True)
class HivesEncoder:
    """Turns texts into unit vectors of one space, whatever theory they speak of."""

    name: str
    """As it was asked for."""
    model: Any
    """The sentence-transformers model."""

    def encode(self, texts: Sequence[str]) -> FloatArray:
        """Embed texts, with the prompt that the encoder was trained with.

        Args:
            texts: At least one.

        Returns:
            float32 [texts, dimensions], rows of unit norm.

        Raises:
            ValueFlowError: if there is no text.
        """
        if not len(texts):
            raise ValueFlowError("no text to encode: give at least one")
        vectors = self.model.encode(
            beginnings(self.model, texts),
            normalize_embeddings=True,
            show_progress_bar=False,
            batch_size=BATCH,
        )
        return np.asarray(vectors, dtype=np.float32)


def load_encoder(
    name_or_path: str | Path = "hives-mini", device: str | None = None
) -> HivesEncoder:
    """An encoder that ships, one that was trained here, or one of the hub.

    Args:
        name_or_path: `hives-mini`, `minilm` (its base), a folder of `valueflow hives train`,
            or a model of the hub such as `snu-aidas/HiVES-2`, loaded as it is.
        device: Where it runs; the library chooses by default.

    Raises:
        ValueFlowError: if it is neither installed nor to be had.
    """
    name = str(name_or_path)
    return HivesEncoder(name, open_base(name, device))


def open_base(name: str, device: str | None = None) -> Any:
    """The sentence-transformers model of that name; errors as `load_encoder`."""
    from valueflow_scorers.judges import encoder

    if name in NAMES:
        return encoder.mini_model(device) if name == "hives-mini" else encoder.base_model(device)
    try:
        from sentence_transformers import SentenceTransformer

        return SentenceTransformer(name, device=device)
    except ImportError:
        raise ValueFlowError(
            f"encoder {name!r} needs sentence-transformers: pip install 'valueflow-tasks[hf]'"
        ) from None
    except Exception as error:  # the hub's client and the library raise many kinds
        raise ValueFlowError(
            f"cannot load the encoder {name!r} ({type(error).__name__}: {error}); give "
            f"{', '.join(NAMES)}, a folder of `valueflow hives train`, or a model of the hub"
        ) from None
