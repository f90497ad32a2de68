"""Rebuild the data that the embedded judge ships: panel embeddings and its profile.

Run after any change to panel texts, labels or HiVES-mini: `python tools/build_judge_data.py`.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from valueflow_scorers import fit_profile, load_panel, panel_values
from valueflow_scorers._records import words_key
from valueflow_scorers.judges import encoder

DATA = Path(__file__).parents[1] / "scorers" / "valueflow_scorers" / "data"


def main() -> None:
    """Write both files."""
    panels = [load_panel(value) for value in panel_values()]
    texts = sorted({text.text for panel in panels for text in panel.texts})
    vectors = encoder.HivesMini().encode(texts).astype(np.float16)
    keys = np.array([words_key(text) for text in texts])
    target = encoder.embeddings_path()
    for old in target.parent.glob("*.npz"):
        old.unlink()
    np.savez_compressed(target, keys=keys, vectors=vectors)
    encoder.shipped_embeddings.cache_clear()
    fit_profile("embedded", panels).save(DATA / "profiles" / "embedded.json")


if __name__ == "__main__":
    main()
