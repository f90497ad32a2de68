"""What distances are taken from, ready made: an encoder's prototypes and its logistic.

Both come from some 3,800 texts of the corpus, which take a minute to embed; those of HiVES-mini
ship. `python tools/build_relevance.py` makes the file anew after a change to the encoder's weights,
the corpus or the concepts; a file that belongs to others is never used.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from valueflow_scorers._records import FloatArray, fingerprint
from valueflow_scorers.judges.encoder import mini_weights

from ..hives import HivesEncoder, load_corpus
from ..hives._concepts import linked_leaves
from ..hives._prototypes import _prototypes

SHIPPED = "hives-mini"
FILE = "relevance.npz"
LOGISTIC = "distance, theory, all; linked leaves"
"""Features and labels of the logistic; another name makes older files stale."""


@dataclass(frozen=True)
class Reference:
    """Prototypes of the values, and how distances from them are read."""

    means: FloatArray
    """Unit vectors, [prototypes, d]."""
    value: NDArray[np.int64]
    """Position of each one's value in `prototype_values()`, [prototypes]."""
    coefficients: FloatArray
    """Of the logistic, see `_relevance`."""

    def distances(self, vectors: NDArray[np.float32]) -> FloatArray:
        """Cosine distance of unit vectors from the nearest prototype of each value, [n, values]."""
        far = 1 - vectors.astype(float) @ self.means.T
        ones = range(int(self.value.max()) + 1)
        return np.stack([far[:, self.value == one].min(axis=1) for one in ones], axis=1)

    def save(self, path: Path, made_with: str) -> None:
        """Write the file that ships."""
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as handle:
            np.savez_compressed(
                handle,
                made_with=np.array(made_with),
                means=self.means.astype(np.float16),
                value=self.value.astype(np.int16),
                coefficients=self.coefficients,
            )

    @classmethod
    def load(cls, content: bytes, made_with: str) -> Reference | None:
        """What `save` wrote; None if it was made with something else."""
        with np.load(BytesIO(content)) as archive:
            if str(archive["made_with"]) != made_with:
                return None
            means = archive["means"].astype(float)
            means /= np.linalg.norm(means, axis=1, keepdims=True)
            return cls(means, archive["value"].astype(np.int64), archive["coefficients"])


def without_logistic(encoder: HivesEncoder) -> Reference:
    """Prototypes of an encoder, computed."""
    means, value = _prototypes(encoder)
    return Reference(means.astype(float), value, np.empty(0))


def made_with() -> str:
    """Identity of HiVES-mini, the corpus, the concepts that link leaves, and the logistic."""
    texts = [[one.text, one.place.leaf, one.split] for one in load_corpus().texts]
    links = sorted((leaf, sorted(others)) for leaf, others in linked_leaves().items())
    return fingerprint([mini_weights().sha256, texts, links, LOGISTIC])


@cache
def shipped() -> Reference | None:
    """The reference of HiVES-mini as it ships; None where it does not belong to these weights."""
    source = files("valueflow_tasks.profiles") / "data" / FILE
    return Reference.load(source.read_bytes(), made_with()) if source.is_file() else None
