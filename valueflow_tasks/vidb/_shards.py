"""What the workers of one ranking have judged: append-only files that all of them read."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ._judgements import failed_call
from ._rows import parsed


class Shard:
    """The file of one worker."""

    def __init__(self, folder: Path) -> None:
        """Name a new file; it is made with the first entry."""
        self._path = folder / f"{os.getpid()}-{uuid.uuid4().hex[:8]}.jsonl"

    def write(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Append, and hand it to the operating system before returning."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("a", encoding="utf-8") as handle:
            handle.write("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


class Shards:
    """All files of a folder, each line read once."""

    def __init__(self, folder: Path) -> None:
        """Nothing is read yet."""
        self._folder = folder
        self._read: dict[Path, int] = {}

    def news(self) -> Iterator[dict[str, Any]]:
        """Entries since the last call, save failed calls and lines that a kill cut short."""
        for path in sorted(self._folder.glob("*.jsonl")):
            with path.open("rb") as handle:
                handle.seek(self._read.get(path, 0))
                for line in handle:
                    if not line.endswith(b"\n"):
                        break
                    self._read[path] = self._read.get(path, 0) + len(line)
                    try:
                        row = parsed(line)
                    except ValueError:
                        continue
                    told = isinstance(row, dict) and "key" in row
                    if told and not failed_call(row.get("failure")):
                        yield row
