"""Texts on their way from a file to the windows that hold them, as Ray Data's stages."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._judgements import Members
from ._rows import parsed
from ._texts import parse_text

GROUP = 64
"""Windows that are gathered together."""
_RANGE = 32_000_000  # bytes of JSON Lines that one task reads


@dataclass(frozen=True)
class Parts:
    """In which windows, and where in them, each text is wanted; sorted by text."""

    texts: NDArray[np.str_]
    """Text ids, ascending, [places]."""
    windows: NDArray[np.int64]
    """Numbers of the windows, [places]."""
    slots: NDArray[np.int64]
    """Slots in the windows, [places]."""


def parts(windows: Sequence[Members]) -> Parts:
    """Where each text is wanted.

    Args:
        windows: Text ids as presented.
    """
    texts = np.array([name for window in windows for name in window])
    sizes = [len(window) for window in windows]
    slots = np.concatenate([np.arange(size) for size in sizes])
    order = np.argsort(texts, kind="stable")
    return Parts(texts[order], np.repeat(np.arange(len(sizes)), sizes)[order], slots[order])


def text_rows(source: Path, wanted: Any) -> Any:
    """A Ray dataset with a row per text and window that holds it, streamed from the file.

    Ray's own reader of text takes a whole file into memory; JSON Lines are therefore read in
    ranges of bytes, line by line.

    Args:
        source: JSON Lines or parquet.
        wanted: A Ray reference to `Parts`.
    """
    import ray.data

    path = str(source.resolve())
    if source.suffix == ".parquet":
        table = ray.data.read_parquet(path)
        return table.map_batches(
            _of_table, fn_kwargs={"wanted": wanted}, batch_format="pyarrow", batch_size=4096
        )
    starts = range(0, max(source.stat().st_size, 1), _RANGE)
    ranges = ray.data.from_items([{"start": start} for start in starts])
    return ranges.map_batches(_of_range, fn_kwargs={"path": path, "wanted": wanted}, batch_size=1)


def _of_table(batch: Any, wanted: Any) -> dict[str, list[Any]]:
    return _rows(batch.to_pylist(), _fetched(wanted))


def _of_range(batch: Mapping[str, Any], path: str, wanted: Any) -> Iterator[dict[str, list[Any]]]:
    known = _fetched(wanted)
    for start in batch["start"]:
        held: list[Any] = []
        for line in _lines(path, int(start), int(start) + _RANGE):
            try:
                held.append(parsed(line.decode(errors="replace")))
            except ValueError:
                continue
            if len(held) == 4096:
                yield _rows(held, known)
                held = []
        yield _rows(held, known)


def _lines(path: str, start: int, end: int) -> Iterator[bytes]:
    """The lines that begin at `start` or later and before `end`."""
    with open(path, "rb") as handle:
        if start:
            handle.seek(start - 1)
            handle.readline()  # the line that reaches into the range belongs to the one before
        while handle.tell() < end:
            line = handle.readline()
            if not line:
                return
            yield line


def _fetched(wanted: Any) -> Parts:
    import ray

    found: Parts = ray.get(wanted)
    return found


def _rows(contents: Sequence[Any], wanted: Parts) -> dict[str, list[Any]]:
    rows: dict[str, list[Any]] = {"group": [], "window": [], "slot": [], "text": []}
    for content in contents:
        text = parse_text(content)
        if isinstance(text, str):
            continue
        low = int(np.searchsorted(wanted.texts, text.id, "left"))
        high = int(np.searchsorted(wanted.texts, text.id, "right"))
        words = json.dumps([text.id, text.text, text.query], ensure_ascii=False)
        windows = wanted.windows[low:high].tolist()
        rows["window"] += windows
        rows["group"] += [window // GROUP for window in windows]
        rows["slot"] += wanted.slots[low:high].tolist()
        rows["text"] += [words] * len(windows)
    return rows


def assembled(rows: Any, names: Any) -> dict[str, list[str]]:
    """The jobs of a group of windows: key, and the texts in presented order.

    Args:
        rows: A data frame of `window`, `slot` and `text`.
        names: A Ray reference to the windows' keys.
    """
    import ray

    named = ray.get(names)
    found: dict[int, dict[int, str]] = {}
    for window, slot, text in zip(rows["window"], rows["slot"], rows["text"], strict=True):
        found.setdefault(int(window), {})[int(slot)] = text
    return {
        "job": [
            json.dumps(
                {"key": named[window], "texts": [json.loads(held[slot]) for slot in sorted(held)]},
                ensure_ascii=False,
            )
            for window, held in sorted(found.items())
        ]
    }
