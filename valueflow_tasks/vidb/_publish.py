"""A folder that a dataset hub takes as it is."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from valueflow_scorers import ValueFlowError

from ._fitted import Database

_CARD = """\
---
license: {tag}
pretty_name: {value} intensities
tags: [values, valueflow]
configs:
- config_name: default
  data_files: data.parquet
---

# {value}: {count} texts with intensities

{definition}

`data.parquet` holds `id`, `text`, `query`, `intensity` (points on -10 … 10), `stderr`, `neutral`
and `source`. Zero is the mean of the neutral reference texts; strong texts of the stronger side
(median of the top tenth) stand at 9.

* Licence: {licence}
* Source: {source}
* Texts by source: {sources}
* Mean standard error: {stderr:.2f} points
* Quantiles of intensity (5, 25, 50, 75, 95 %): {quantiles}
* Fit: {fit}

`judgements/` holds every window that the intensities rest on. Refit them with
`valueflow vidb fit judgements/*.jsonl --texts texts.jsonl -o database.jsonl`.

A score says how strongly a text expresses the value in the eyes of the judges named above. It is
no statement about the person who wrote it.
"""


def publish(database: Database, judgements: Sequence[Path], folder: Path) -> list[Path]:
    """Write data, card, licence, texts and judgements.

    Args:
        database: What is published.
        judgements: The files it was fitted from.
        folder: Where to write; made if it is not there.

    Returns:
        The files written.

    Raises:
        ValueFlowError: without a licence, or without pyarrow.
    """
    licence = str(database.head.get("licence", "")).strip()
    if not licence:
        raise ValueFlowError(
            "the database states no licence, and nothing is published without: give it to "
            "`valueflow vidb fit --licence`, or add it to the first line of the file"
        )
    try:
        from pyarrow import Table, parquet
    except ImportError:
        raise ValueFlowError("publishing needs pyarrow: pip install pyarrow") from None
    folder.mkdir(parents=True, exist_ok=True)
    columns: dict[str, Any] = {
        "id": [text.id for text in database.texts],
        "text": [text.text for text in database.texts],
        "query": [text.query for text in database.texts],
        "intensity": database.intensities.tolist(),
        "stderr": database.stderrs.tolist(),
        "neutral": [text.neutral for text in database.texts],
        "source": [text.source for text in database.texts],
    }
    written = [folder / "data.parquet", folder / "texts.jsonl", folder / "README.md"]
    parquet.write_table(Table.from_pydict(columns), written[0])
    from ._texts import write_lines

    write_lines(written[1], [text.to_dict() for text in database.texts])
    written[2].write_text(_card(database, licence), "utf-8")
    written.append(folder / "LICENSE")
    written[-1].write_text(licence + "\n", "utf-8")
    (folder / "judgements").mkdir(exist_ok=True)
    for path in judgements:
        written.append(folder / "judgements" / path.name)
        shutil.copyfile(path, written[-1])
    return written


def _card(database: Database, licence: str) -> str:
    sources: dict[str, int] = {}
    for text in database.texts:
        sources[text.source or "not stated"] = sources.get(text.source or "not stated", 0) + 1
    quantiles = np.quantile(database.intensities, [0.05, 0.25, 0.5, 0.75, 0.95])
    return _CARD.format(
        tag=_tag(licence),
        value=database.value,
        count=len(database.texts),
        definition=database.head.get("definition", ""),
        licence=licence,
        source=database.head.get("source", ""),
        sources="; ".join(f"{name} ({count})" for name, count in sources.items()),
        stderr=float(database.stderrs.mean()),
        quantiles=", ".join(f"{one:+.1f}" for one in quantiles),
        fit=database.head.get("fit", "none"),
    )


def _tag(licence: str) -> str:
    """The hub's name of a licence; `other` where it has none."""
    tag = licence.lower().strip().replace(" ", "-")
    return tag if tag in {"cc-by-4.0", "cc-by-sa-4.0", "cc0-1.0", "mit", "apache-2.0"} else "other"
