"""Readings of an embedding: how strongly a text supports each value.

In training they are a last layer of the encoder, so that several devices keep one copy and
checkpoints hold it. A finished encoder is saved without them, with the axes in a file beside it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Dense

OUTPUT = "axes"
"""Key of the readings in an encoder's output, [n, values + 1]; the last column is shared."""
FILE = "axes.safetensors"


POINTS = 8.0
"""Intensity that reads 1: a text of clear and forceful support."""


@dataclass(frozen=True)
class Axes:
    """A linear reading per value; 1 is clear support."""

    values: tuple[str, ...]
    """Ids, in the order of the rows."""
    weight: NDArray[np.float32]
    """[values + 1, d]; the last row is added to every other."""
    offset: NDArray[np.float32]
    """[values + 1]."""

    def save(self, folder: Path) -> None:
        """Write `axes.safetensors` into a folder."""
        from safetensors.numpy import save_file

        arrays = {"weight": self.weight, "offset": self.offset}
        save_file(arrays, str(folder / FILE), {"values": " ".join(self.values)})

    @classmethod
    def load(cls, folder: Path) -> Axes:
        """What `save` wrote."""
        from safetensors import safe_open

        with safe_open(str(folder / FILE), "numpy") as archive:
            values = tuple(archive.metadata()["values"].split(" "))
            return cls(values, archive.get_tensor("weight"), archive.get_tensor("offset"))


def add_axes(model: SentenceTransformer, count: int, start: Axes | None = None) -> None:
    """Append the readings to an encoder; they read 0 until they are trained."""
    width = model.get_embedding_dimension()
    if width is None:
        raise TypeError(f"{model} does not say how wide its embedding is")
    if start is None:
        weight, offset = torch.zeros(count + 1, width), torch.zeros(count + 1)
    else:
        weight, offset = torch.from_numpy(start.weight), torch.from_numpy(start.offset)
    layer: Any = Dense(
        width, count + 1, True, torch.nn.Identity(), weight, offset, module_output_name=OUTPUT
    )
    model.append(layer.to(model.device))


def take_axes(model: SentenceTransformer, values: tuple[str, ...]) -> Axes:
    """Remove the readings from an encoder and return them."""
    layer: Any = model[-1].linear
    del model[-1]
    weight, offset = (one.detach().float().cpu().numpy() for one in (layer.weight, layer.bias))
    return Axes(values, weight, offset)
