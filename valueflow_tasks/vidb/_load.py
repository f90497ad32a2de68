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
from valueflow_scorers.judges import resolve_judge

from ..theories import THEORIES
from ._findings import Findings, find
from ._fitted import Database
from ._licence import Terms, pass_gate
from ._naming import IMPORTED
from ._rerank import SAMPLE, Rerank, rerank
from ._ruler import choose_roles, write_panel
from ._sources import Rated, read_source, terms_of
from ._texts import Text
from ._values import described, is_own_value, panel_path

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
    """Columns taken, rows skipped, texts kept out of rulers, what could not be done."""


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
        value: The value of all rows, for files that do not say; or the folder of a value of
            one's own.
        licence: The terms of a file that is not of the release.
        judge: Rank a sample anew with this judge: maps scores onto this scale, estimates
            the labels' error and finds wrong signs.
        sample: Most texts per value to rank anew.

    Raises:
        ValueFlowError: see above.
    """
    pass_gate(terms_of(source, licence), folder, accept_license, commercial)
    if judge is not None:
        resolve_judge(judge, []).open()  # one that is not there is an error, not a note per value
    found = read_source(source, value=value, licence=licence)
    findings = find(found.values)
    notes = [f"columns: {found.columns}"]
    if found.skipped:
        notes.append(f"{len(found.skipped)} rows skipped: {'; '.join(found.skipped[:5])}")
    if strange := [name for name in found.values if name.startswith(f"{IMPORTED}/")]:
        notes.append(
            f"{', '.join(strange)}: no value of {', '.join(THEORIES)}; kept under this name: if "
            "one of them is meant, load the source again with its --value"
        )
    panels, reranks = [], {}
    for name, rows in found.values.items():
        definition = _definition(name, value)
        if judge is not None:
            output = panel_path(folder / "reranked", name)
            try:
                reranks[name] = rerank(name, definition, rows, judge, output, sample=sample)
            except ValueFlowError as error:
                notes.append(f"{name}: not ranked anew ({error})")
        again = reranks.get(name)
        database = _database(name, definition, rows, again, found.terms)
        database.save(panel_path(folder / "databases", name))
        flipped, twins = _doubtful(database, rows, again, findings.values[name])
        if flipped or twins:
            notes.append(
                f"{name}: {len(flipped)} texts whose sign seems wrong and {len(twins)} "
                "(near-)duplicates stay out of the ruler"
            )
        barred = flipped | twins
        try:
            panels.append(write_panel(database, folder, choose_roles(database, barred=barred)))
        except ValueFlowError as error:
            notes.append(f"{name}: no ruler ({error})")
    loaded = Loaded(tuple(panels), findings, reranks, tuple(notes))
    (folder / CHECK_FILE).write_text(
        json.dumps(_report(source, loaded), indent=1, ensure_ascii=False) + "\n", "utf-8"
    )
    return loaded


def _definition(value: str, given: str | None) -> str:
    """What a value means, as the folder that was given or its theory says."""
    try:
        return described(given if given is not None and is_own_value(given) else value)[1]
    except ValueFlowError:
        return ""


def _database(
    value: str, definition: str, rows: Sequence[Rated], again: Rerank | None, terms: Terms
) -> Database:
    """All distinct texts of a value, mapped onto this scale where that was measured."""
    first: dict[tuple[str | None, str], Rated] = {}
    for row in rows:
        first.setdefault((row.query, row.text), row)
    texts: dict[str, Text] = {}
    for row in first.values():
        name = row.id
        if name is None or name in texts:  # an id that is not theirs alone is none
            name = text_key(row.query, row.text)
        texts[name] = Text(name, row.text, row.query, row.neutral, terms.source)
    labels = np.array([row.label for row in first.values()])
    stated = [ASSUMED_STDERR if row.stderr is None else row.stderr for row in first.values()]
    how = "labels as published" if again is None else "labels mapped onto this scale by re-ranking"
    head: dict[str, Any] = {
        "value": value,
        "definition": definition,
        "licence": terms.summary,
        "source": f"{terms.source}; {how}",
        "terms": terms.record(),
    }
    if again is None:
        return Database(head, tuple(texts.values()), labels, np.array(stated))
    errors = np.full(len(labels), max(again.label_error, 0.1))
    return Database(head, tuple(texts.values()), again.mapped(labels), errors)


def _doubtful(
    database: Database, rows: Sequence[Rated], again: Rerank | None, found: Mapping[str, Any]
) -> tuple[set[int], set[int]]:
    """Positions in the database of texts with a wrong sign, and of later (near-)duplicates."""
    place = {(text.query, text.text): i for i, text in enumerate(database.texts)}
    at = [place[row.query, row.text] for row in rows]
    flipped = {at[i] for i in again.flipped} if again else set()
    pairs = (pair["texts"] for pair in found["duplicate_pairs"])
    # The same words again are the same text in the database, which stays.
    return flipped, {at[later] for first, later in pairs if at[later] != at[first]} - flipped


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
