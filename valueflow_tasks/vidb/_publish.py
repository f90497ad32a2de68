"""A folder that a dataset hub takes as it is."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from valueflow_scorers import ValueFlowError

from ._fitted import Database
from ._licence import Terms, recorded_terms
from ._texts import write_lines

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
and `source`. {scale}

* Licence: {licence}
* Source: {source}
* Texts by source: {sources}
* Mean standard error: {stderr:.2f} points
* Quantiles of intensity (5, 25, 50, 75, 95 %): {quantiles}
* Fit: {fit}
{judgements}
A score says how strongly a text expresses the value in the eyes of those who rated it. It is no
statement about the person who wrote it.
"""
_SCALE = (
    "Zero is the mean of the neutral reference texts; strong texts of the stronger side (median "
    "of the top tenth) stand at 9."
)
_JUDGEMENTS = """
`judgements/` holds the windows that the intensities were fitted from. Refit them with
`valueflow vidb fit judgements/*.jsonl --texts texts.jsonl{drop} -o database.jsonl`.
"""
_CORRECTED = "People's scores were merged into {count} of the intensities afterwards.\n"


def publish(
    database: Database, judgements: Sequence[Path], folder: Path, *, redistribute: bool = False
) -> list[Path]:
    """Write data, card, licence, texts and judgements.

    Args:
        database: What is published.
        judgements: The files it was fitted from.
        folder: Where to write; made if it is not there.
        redistribute: State that loaded texts may be passed on though their terms do not say so.

    Returns:
        The files written.

    Raises:
        ValueFlowError: without a licence, for texts that are not known to be free to be passed
            on, or without pyarrow.
    """
    licence = str(database.head.get("licence", "")).strip()
    if not licence:
        raise ValueFlowError(
            "the database states no licence, and nothing is published without: give it to "
            "`valueflow vidb fit --licence`, or add it to the first line of the file"
        )
    terms = recorded_terms(str(database.head.get("source", "")), database.head)
    if terms is not None and not (terms.redistributable or redistribute):
        raise ValueFlowError(
            f"{terms.text()}\nNothing was published: these terms are not known to allow passing "
            "the texts on. If you may, run the command again with --redistribute"
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
    write_lines(written[1], [text.to_dict() for text in database.texts])
    written[2].write_text(_card(database, licence, terms, bool(judgements)), "utf-8")
    written.append(folder / "LICENSE")
    written[-1].write_text("\n".join([licence, *_parts(terms)]) + "\n", "utf-8")
    (folder / "judgements").mkdir(exist_ok=True)
    alike = len({path.name for path in judgements}) < len(judgements)
    for number, path in enumerate(judgements, 1):
        name = f"{number}-{path.name}" if alike else path.name
        written.append(folder / "judgements" / name)
        shutil.copyfile(path, written[-1])
    return written


def _parts(terms: Terms | None) -> list[str]:
    """The licences of what the texts were loaded from, a line each."""
    return [] if terms is None else [f"{name}: {licence}" for name, licence in terms.parts]


def _card(database: Database, licence: str, terms: Terms | None, judged: bool) -> str:
    head = database.head
    fit: Mapping[str, Any] = head.get("fit") or {}
    drop = " --drop-unreachable" if fit.get("windows_left_out") else ""
    after = _JUDGEMENTS.format(drop=drop) if judged else ""
    if head.get("corrected"):
        after += _CORRECTED.format(count=head["corrected"])
    sources: dict[str, int] = {}
    for text in database.texts:
        sources[text.source or "not stated"] = sources.get(text.source or "not stated", 0) + 1
    quantiles = np.quantile(database.intensities, [0.05, 0.25, 0.5, 0.75, 0.95])
    return _CARD.format(
        tag=_tag(licence),
        value=database.value,
        count=len(database.texts),
        definition=head.get("definition", ""),
        scale=_SCALE if fit else "",
        licence="; ".join([licence, *_parts(terms)]),
        source=head.get("source", ""),
        sources="; ".join(f"{name} ({count})" for name, count in sources.items()),
        stderr=float(database.stderrs.mean()),
        quantiles=", ".join(f"{one:+.1f}" for one in quantiles),
        fit=fit or "none",
        judgements=after,
    )


def _tag(licence: str) -> str:
    """The hub's name of a licence; `other` where it has none."""
    tag = licence.lower().strip().replace(" ", "-")
    return tag if tag in {"cc-by-4.0", "cc-by-sa-4.0", "cc0-1.0", "mit", "apache-2.0"} else "other"
