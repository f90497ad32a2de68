"""Other people's rulers: through the licence gate, through the checks, onto this scale."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from valueflow_scorers import ValueFlowError
from valueflow_scorers._records import text_key

from ..theories import find_node
from ._findings import Findings, find
from ._fitted import Database
from ._licence import pass_gate
from ._rerank import SAMPLE, Rerank, rerank
from ._ruler import choose_roles, write_panel
from ._sources import Rated, read_source, terms_of
from ._texts import Text
from ._values import panel_path

CHECK_FILE = "check.json"
ASSUMED_STDERR = 1.4
"""Of a label that was not ranked anew: the mean deviation from people that the release
reports (arXiv 2602.03160, as reported), points."""


@dataclass(frozen=True)
class Loaded:
    """What a source gave."""

    panels: tuple[Path, ...]
    """A panel per value, for `load_panel`."""
    findings: Findings
    """What is odd about the data."""
    reranks: Mapping[str, Rerank]
    """Per value that was ranked anew."""
    notes: tuple[str, ...]
    """Columns taken, rows skipped, values too small for a ruler."""


def load(
    source: str,
    folder: Path,
    *,
    accept_license: bool = False,
    commercial: bool = False,
    value: str | None = None,
    licence: str = "",
    judge: str | None = None,
    sample: int = SAMPLE,
) -> Loaded:
    """Load a source into a folder of panels.

    Writes `licence.json`, `check.json`, `<theory>-<value>.jsonl` per value, and all its
    texts beside it under `databases/`. Findings are reported; only a source that cannot be
    read, or whose terms are not accepted, fails.

    Args:
        source: See `read_source`.
        folder: Where to write.
        accept_license: Accept the terms for this folder.
        commercial: Intended use; refused where terms exclude it.
        value: The value of all rows, for files that do not say.
        licence: The terms of a file that is not of the release.
        judge: Rank a sample anew with this judge: maps scores onto this scale, estimates
            the labels' error and finds wrong signs.
        sample: Most texts per value to rank anew.

    Raises:
        ValueFlowError: see above.
    """
    pass_gate(terms_of(source, licence), folder, accept_license, commercial)
    found = read_source(source, value=value, licence=licence)
    findings = find(found.values)
    notes = [f"columns: {found.columns}"]
    if found.skipped:
        notes.append(f"{len(found.skipped)} rows skipped: {'; '.join(found.skipped[:5])}")
    panels, reranks = [], {}
    for name, rows in found.values.items():
        if judge is not None and len(rows) >= 8:
            judgements = panel_path(folder / "reranked", name)
            reranks[name] = rerank(name, _definition(name), rows, judge, judgements, sample=sample)
        database = _database(name, rows, reranks.get(name), source, found.terms.summary)
        database.save(panel_path(folder / "databases", name))
        try:
            panels.append(write_panel(database, folder, choose_roles(database)))
        except ValueFlowError as error:
            notes.append(f"{name}: no ruler ({error})")
    loaded = Loaded(tuple(panels), findings, reranks, tuple(notes))
    (folder / CHECK_FILE).write_text(
        json.dumps(_report(source, loaded), indent=1, ensure_ascii=False) + "\n", "utf-8"
    )
    return loaded


def _definition(value: str) -> str:
    try:
        return find_node(value).definition
    except ValueFlowError:
        return ""


def _database(
    value: str, rows: Sequence[Rated], again: Rerank | None, source: str, licence: str
) -> Database:
    """All distinct texts of a value, mapped onto this scale where that was measured."""
    first: dict[str, Rated] = {}
    for row in rows:
        first.setdefault(row.text, row)
    labels = np.array([row.label for row in first.values()])
    error = ASSUMED_STDERR if again is None else max(again.label_error, 0.1)
    texts = tuple(Text(text_key(None, row.text), row.text, source=source) for row in first.values())
    how = "labels as published" if again is None else "labels mapped onto this scale by re-ranking"
    head: dict[str, Any] = {
        "value": value,
        "definition": _definition(value),
        "licence": licence,
        "source": f"{source}; {how}",
    }
    mapped = labels if again is None else again.mapped(labels)
    return Database(head, texts, mapped, np.full(len(texts), error))


def _report(source: str, loaded: Loaded) -> dict[str, Any]:
    return {
        "source": source,
        "notes": list(loaded.notes),
        "remarks": loaded.findings.remarks() + _flips(loaded),
        "values": {
            name: {
                **own,
                **({"reranking": loaded.reranks[name].summary()} if name in loaded.reranks else {}),
            }
            for name, own in loaded.findings.values.items()
        },
        "copied_score_lists": list(loaded.findings.copied),
        "shared_texts": list(loaded.findings.across),
    }


def _flips(loaded: Loaded) -> list[str]:
    return [
        f"{name}: {len(one.flipped)} of {len(one.texts)} re-ranked texts seem to have a wrong sign"
        for name, one in loaded.reranks.items()
        if one.flipped
    ]


def remarks(loaded: Loaded) -> list[str]:
    """Everything odd, a line each."""
    lines = loaded.findings.remarks() + _flips(loaded)
    for name, one in loaded.reranks.items():
        lines.append(
            f"{name}: intensity here = {one.offset:+.2f} {one.slope:+.2f} × score, r = "
            f"{one.correlation:.2f}, label error {one.label_error:.2f} points"
        )
    return lines
