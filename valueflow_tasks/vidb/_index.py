"""Texts that stay on disk: one pass notes their ids; their words are streamed when needed."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from ._texts import clash, each_text, no_texts, summary


@dataclass(frozen=True)
class TextIndex:
    """Which texts a file holds, without their words."""

    path: Path
    """The file."""
    words: Mapping[str, str]
    """Each text's id and the hash of its content, in the file's order."""
    neutral: tuple[int, ...]
    """Positions of the neutral reference texts."""
    skipped: tuple[str, ...]
    """Per line left out: its number and the reason."""
    fingerprint: str
    """The same as that of the `TextFile` that `read_texts` gives."""

    @property
    def name(self) -> str:
        """Where they were read."""
        return str(self.path)

    @cached_property
    def ids(self) -> tuple[str, ...]:
        """In the file's order."""
        return tuple(self.words)

    def summary(self) -> str:
        """One line for people."""
        return summary(len(self.words), self.skipped)


def index_texts(path: str | Path) -> TextIndex:
    """Go through a file once, as `read_texts` does, and keep ids only.

    Raises:
        ValueFlowError: as `read_texts`.
    """
    source, whole = Path(path), hashlib.sha256()
    known: dict[str, str] = {}
    neutral: list[int] = []
    skipped: list[str] = []
    for number, text in each_text(source):
        if isinstance(text, str):
            skipped.append(f"line {number}: {text}")
            continue
        seen = known.get(text.id)
        if seen is None:
            if text.neutral:
                neutral.append(len(known))
            known[text.id] = text.words
            whole.update(text.content)
        elif seen != text.words:
            raise clash(source, number, text.id)
    if not known:
        raise no_texts(source, skipped)
    return TextIndex(source, known, tuple(neutral), tuple(skipped), whole.hexdigest()[:16])
