"""Rows of JSON Lines, CSV and parquet files: whatever a line holds, reading goes on or says why."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from valueflow_scorers import ValueFlowError

_LONGEST_FIELD = 2**31 - 1  # of a CSV file, characters; Python's own limit is 131,072


def parsed(line: str | bytes) -> Any:
    """What a line of JSON Lines holds.

    Raises:
        ValueError: if it is no JSON, or none that Python can hold: numbers of thousands of
            digits, thousands of brackets.
    """
    try:
        return json.loads(line)
    except RecursionError:
        raise ValueError("too many brackets inside each other") from None


def each_row(source: Path) -> Iterator[tuple[int, Any]]:
    """Line number and content, one at a time; None for a line that is no JSON, or no UTF-8.

    Raises:
        ValueFlowError: if the file cannot be read.
    """
    if not source.is_file():
        raise ValueFlowError(f"there is no file {source}")
    if source.suffix == ".parquet":
        yield from enumerate(_parquet(source), 1)
    elif source.suffix == ".csv":
        yield from enumerate(_csv(source), 2)
    else:
        yield from _json_lines(source)


def lines_of(path: Path) -> list[str]:
    r"""The lines of a text file: cut at "\n" alone, since texts may hold U+2028 and its like.

    Raises:
        ValueFlowError: as `words_of`.
    """
    return words_of(path).split("\n")


def words_of(path: Path) -> str:
    """All that a text file holds.

    Raises:
        ValueFlowError: if it cannot be read.
    """
    try:
        return path.read_text("utf-8")
    except OSError as error:
        raise ValueFlowError(f"cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise not_utf8(path, error) from None


def not_utf8(path: Path, error: UnicodeDecodeError) -> ValueFlowError:
    """The error for a file in another encoding."""
    return ValueFlowError(f"{path} is no UTF-8 text ({error.reason}): save it as UTF-8")


def broken(text: str) -> bool:
    """Whether a text holds half of a surrogate pair, which no file and no model takes."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


def _json_lines(source: Path) -> Iterator[tuple[int, Any]]:
    with source.open("rb") as handle:
        for number, line in enumerate(handle, 1):
            if line.strip():
                try:
                    yield number, parsed(line.decode("utf-8-sig" if number == 1 else "utf-8"))
                except ValueError:
                    yield number, None


def _csv(source: Path) -> Iterator[dict[str, Any]]:
    csv.field_size_limit(_LONGEST_FIELD)
    try:
        with source.open(encoding="utf-8-sig", newline="") as handle:
            yield from csv.DictReader(handle)
    except UnicodeDecodeError as error:
        raise not_utf8(source, error) from None
    except csv.Error as error:
        raise ValueFlowError(f"{source} is no CSV file: {error}") from None


def _parquet(source: Path) -> Iterator[dict[str, Any]]:
    try:
        from pyarrow import ArrowException, parquet
    except ImportError:
        raise ValueFlowError(
            f"{source}: parquet needs pyarrow: pip install pyarrow, or give JSON Lines"
        ) from None
    try:
        for batch in parquet.ParquetFile(source).iter_batches():
            yield from batch.to_pylist()
    except (ArrowException, OSError) as error:
        raise ValueFlowError(f"{source} is no parquet file that can be read: {error}") from None
