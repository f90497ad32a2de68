"""Load query sets."""

from __future__ import annotations

import csv
import glob
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path

import jsonlines
from valueflow_scorers import ValueFlowError
from valueflow_scorers._records import fingerprint

KINDS = (
    "everyday-choice",
    "moral-dilemma",
    "story-continuation",
    "policy-opinion",
    "self-description",
)
SETS = ("core", "dev", "calibration", "test", "all")


@dataclass(frozen=True)
class Query:
    """One open question."""

    id: str
    """Unique within its set."""
    text: str
    """The question."""
    kind: str = ""
    """One of KINDS for our own queries, the file's name for loaded ones."""
    split: str = "test"
    """`dev` for what is fitted or chosen, `calibration` for dials, `test` for what is reported."""
    core: bool = False
    """Whether it belongs to the small subset of `test`."""


@cache
def _own(name: str = "queries") -> tuple[Query, ...]:
    path = files("valueflow_tasks.queries") / "data" / f"{name}.jsonl"
    rows = (json.loads(line) for line in path.read_text("utf-8").splitlines())
    return tuple(
        Query(row["id"], row["query"], row["kind"], row.get("split", name), row.get("core", False))
        for row in rows
    )


def load_queries(source: str = "test") -> tuple[Query, ...]:
    """A query set.

    Args:
        source: `core` (20), `dev` (30), `test` (70) or `all` (100) of our own, or `calibration`
            (150: those of `dev` and 120 more); or a path or glob of files: the release's CSV (one
            column `query`) or JSON Lines with `query` and optionally `id`.

    Raises:
        ValueFlowError: for an unknown name, a pattern that matches nothing, a file without
            queries, or a malformed line (named).
    """
    if source == "all":
        return _own()
    if source == "calibration":
        return load_queries("dev") + _own("calibration")
    if source in SETS:
        return tuple(q for q in _own() if (q.core if source == "core" else q.split == source))
    paths = sorted(glob.glob(source))
    if not paths:
        raise ValueFlowError(
            f"queries={source!r} is neither one of {', '.join(SETS)} nor a file or pattern that "
            "matches one"
        )
    queries = [query for path in paths for query in _read(Path(path))]
    ids = [query.id for query in queries]
    if len(set(ids)) < len(ids):
        twice = sorted({name for name in ids if ids.count(name) > 1})[:3]
        raise ValueFlowError(f"queries={source!r}: ids {twice} occur more than once")
    return tuple(queries)


def _read(path: Path) -> Iterator[Query]:
    count = 0
    rows = _csv_rows(path) if path.suffix.lower() == ".csv" else _json_rows(path)
    for number, name, text in rows:
        if not isinstance(text, str) or not text.strip():
            raise ValueFlowError(f"{path}, line {number}: empty query")
        count += 1
        yield Query(name or f"{path.stem}-{count:03d}", text.strip(), path.stem)
    if not count:
        raise ValueFlowError(f"{path} holds no queries")


def _csv_rows(path: Path) -> Iterator[tuple[int, str, object]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as handle:
            reader = csv.DictReader(handle, skipinitialspace=True)
            if "query" not in (reader.fieldnames or []):
                raise ValueFlowError(
                    f"{path} has columns {reader.fieldnames}; it needs one 'query'"
                )
            for row in reader:
                yield reader.line_num, row.get("id") or "", row["query"]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ValueFlowError(f"cannot read queries from {path}: {error}") from None


def _json_rows(path: Path) -> Iterator[tuple[int, str, object]]:
    try:
        with jsonlines.open(path) as lines:
            for number, row in enumerate(lines, 1):
                if not isinstance(row, dict) or "query" not in row:
                    raise ValueFlowError(f"{path}, line {number}: no object with 'query'")
                yield number, str(row.get("id") or ""), row["query"]
    except jsonlines.InvalidLineError as error:
        raise ValueFlowError(f"{path}, line {error.lineno}: no valid JSON") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ValueFlowError(f"cannot read queries from {path}: {error}") from None


def query_set_fingerprint(queries: Sequence[Query]) -> str:
    """Identity of the questions that were asked."""
    return fingerprint([[query.id, query.text] for query in queries])
