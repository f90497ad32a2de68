"""Texts to be ranked: read tolerantly line by line, strictly as a whole."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from valueflow_scorers import Response, ValueFlowError
from valueflow_scorers._records import text_key
from valueflow_scorers.judges.prompts import MAX_CHARACTERS

from ._rows import broken, each_row

_WRITTEN = ("id", "text", "query", "source", "direction")


@dataclass(frozen=True)
class Text:
    """One text of a database in the making."""

    id: str
    """Its name; derived from query and text when not given."""
    text: str
    """The words."""
    query: str | None = None
    """The question it answers, if any."""
    neutral: bool = False
    """Whether it is a neutral reference text."""
    source: str = ""
    """Where it comes from."""
    direction: str = ""
    """`supports`, `opposes`, `neutral` or empty: what is expected, for balanced sampling."""

    def response(self) -> Response:
        """The text as an item of a window."""
        return Response(self.text, self.query, self.id)

    @property
    def content(self) -> bytes:
        """What it is told from others by: id, query and words."""
        return json.dumps([self.id, self.query, self.text]).encode() + b"\n"

    @property
    def words(self) -> str:
        """A short hash of `content`."""
        return hashlib.blake2b(self.content, digest_size=6).hexdigest()

    def to_dict(self) -> dict[str, Any]:
        """JSON-serialisable content, without empty fields."""
        return {key: one for key, one in asdict(self).items() if one not in (None, "", False)}


@dataclass(frozen=True)
class TextFile:
    """What was read, and what was left out."""

    texts: tuple[Text, ...]
    """In the file's order."""
    skipped: tuple[str, ...]
    """Per line left out: its number and the reason."""
    name: str = "the texts"
    """Where they were read."""

    def summary(self) -> str:
        """One line for people."""
        return summary(len(self.texts), self.skipped)

    @cached_property
    def words(self) -> Mapping[str, str]:
        """Each text's id and the hash of its content."""
        return {text.id: text.words for text in self.texts}

    @property
    def ids(self) -> tuple[str, ...]:
        """Names of the texts, in order."""
        return tuple(text.id for text in self.texts)

    @cached_property
    def fingerprint(self) -> str:
        """Identity of ids, queries and words."""
        digest = hashlib.sha256()
        for text in self.texts:
            digest.update(text.content)
        return digest.hexdigest()[:16]

    @property
    def neutral(self) -> tuple[int, ...]:
        """Positions of the neutral reference texts."""
        return tuple(i for i, text in enumerate(self.texts) if text.neutral)


def read_texts(path: str | Path, *, longest: int = MAX_CHARACTERS) -> TextFile:
    """Texts of a JSON Lines or parquet file.

    A line without a usable text is skipped and named. The same text under the same id twice
    counts once.

    Args:
        path: Lines of `text` and optionally `id`, `query`, `neutral`, `source`, `direction`.
        longest: Most characters a judge is shown; a longer text is skipped.

    Raises:
        ValueFlowError: if the file cannot be read, holds no usable text, or has one id for
            two different texts.
    """
    source = Path(path)
    known: dict[str, Text] = {}
    skipped = []
    for number, made in each_text(source, longest):
        if isinstance(made, str):
            skipped.append(f"line {number}: {made}")
        elif known.setdefault(made.id, made).content != made.content:
            raise clash(source, number, made.id)
    if not known:
        raise no_texts(source, skipped)
    return TextFile(tuple(known.values()), tuple(skipped), str(source))


def each_text(source: Path, longest: int = MAX_CHARACTERS) -> Iterator[tuple[int, Text | str]]:
    """Line number and text, or the reason why the line holds none; one line at a time."""
    for number, content in each_row(source):
        yield number, parse_text(content, longest)


def parse_text(content: Any, longest: int = MAX_CHARACTERS) -> Text | str:
    """The text of a line's content, or the reason why it holds none."""
    return _unusable(content, longest) or _text(content)


def clash(source: Path, number: int, name: str) -> ValueFlowError:
    """One id for two texts."""
    return ValueFlowError(
        f"{source}, line {number}: id {name!r} stands for another text further up; ids must differ"
    )


def no_texts(source: Path, skipped: Sequence[str]) -> ValueFlowError:
    """A file without usable texts."""
    return ValueFlowError(
        f"{source} holds no usable text: expected lines with a string 'text'"
        + (f" ({skipped[0]})" if skipped else "")
    )


def summary(count: int, skipped: Sequence[str]) -> str:
    """How many texts were read and what was left out, for people."""
    if not skipped:
        return f"{count} texts"
    shown = "; ".join(skipped[:5]) + ("; …" if len(skipped) > 5 else "")
    return f"{count} texts, {len(skipped)} lines skipped: {shown}"


def merge_texts(files: Sequence[TextFile]) -> TextFile:
    """Several files as one.

    Raises:
        ValueFlowError: if two files have the same id with different texts.
    """
    known: dict[str, Text] = {}
    for file in files:
        for text in file.texts:
            same = known.setdefault(text.id, text)
            if (same.text, same.query) != (text.text, text.query):
                raise ValueFlowError(
                    f"two files have the id {text.id!r} with different texts: rename one of "
                    f"them ({same.text[:40]!r}, {text.text[:40]!r})"
                )
    skipped = tuple(line for file in files for line in file.skipped)
    return TextFile(tuple(known.values()), skipped, " and ".join(file.name for file in files))


def write_lines(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write JSON Lines, the whole file or nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    with part.open("w", encoding="utf-8") as handle:
        for row in rows:
            handle.write(json.dumps(row, ensure_ascii=False) + "\n")
    part.replace(path)


def _unusable(content: Any, longest: int) -> str | None:
    if not isinstance(content, Mapping):
        return "no JSON object in UTF-8"
    text = content.get("text")
    if not isinstance(text, str):
        return "text is not a string"
    if not text.strip():
        return "text is empty"
    if len(text) > longest:
        return f"text has {len(text)} characters, over the judge's {longest}"
    if any(broken(str(content.get(key))) for key in _WRITTEN):
        return "holds half of a surrogate pair (an emoji cut in two?)"
    if content.get("neutral") not in (None, False, True):  # the string "false" would read as true
        return f"neutral is {content['neutral']!r}: give true or false"
    return None


def _text(content: Mapping[str, Any]) -> Text:
    query = content.get("query")
    query = None if query is None else str(query)
    name = content.get("id")
    return Text(
        text_key(query, content["text"]) if name is None else str(name),
        content["text"],
        query,
        bool(content.get("neutral")),
        str(content.get("source") or ""),
        str(content.get("direction") or ""),
    )
