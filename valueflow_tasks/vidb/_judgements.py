"""Judged windows on disk: appended to while ranking, read by the fit.

JSON Lines. The first line says what was asked of whom, the second which words each text had; a
`plan` line lists the windows of a round before any of them is judged; then comes a line per
judged window. A run that was killed thus knows exactly what is left to ask, whatever it would
plan today. Failed calls are not written: a network that was down is no verdict.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from valueflow_scorers import Judgement, ValueFlowError

from ._comparisons import Comparisons
from ._index import TextIndex
from ._rows import parsed
from ._texts import TextFile

Members = tuple[str, ...]
Place = tuple[int, int]
"""Round and number of a planned window."""

_BYTES_PER_BYTE = 9
_TEXT_BYTES_PER_BYTE = 4
_BASE_BYTES = 150_000_000  # interpreter, numpy and scipy
"""Memory per byte of file. Measured: 20,000 texts and 200,000 pairs without raw replies, whose
lines are the shortest, peak at 245 MB (22 MB of files); these say a third more."""


def failed_call(failure: str | None) -> bool:
    """Whether a window's failure says nothing about the window: the judge was not reached."""
    return (failure or "").startswith("call failed")


def memory_needed(judgements: Sequence[Path], texts: Sequence[Path]) -> int:
    """Peak memory of reading and fitting these files, told from their sizes."""
    read = _BYTES_PER_BYTE * sum(path.stat().st_size for path in judgements)
    return _BASE_BYTES + read + _TEXT_BYTES_PER_BYTE * sum(path.stat().st_size for path in texts)


@dataclass
class JudgementFile:
    """One file of judgements of one value by one judge."""

    path: Path
    """Where it lies."""
    head: Mapping[str, Any]
    """Value, definition, judge, prompt version, k, seed, texts' fingerprint."""
    plans: list[tuple[str, list[Members]]] = field(default_factory=list)
    """Per round: its kind (`uniform` or `active`) and the windows' text ids as presented."""
    orders: dict[Place, tuple[int, ...]] = field(default_factory=dict)
    """Slots, most supportive first."""
    failures: dict[Place, str] = field(default_factory=dict)
    """Reasons."""
    words: Mapping[str, str] = field(default_factory=dict)
    """Hash of each text as it was judged, by id."""
    unreached: dict[Place, str] = field(default_factory=dict)
    """How calls of this process failed whose windows are `missing` still."""

    @classmethod
    def open(cls, path: Path, head: Mapping[str, Any], words: Mapping[str, str]) -> JudgementFile:
        """Begin a file, or continue one that was begun alike.

        Args:
            path: Where it lies or is to lie.
            head: What is asked of whom.
            words: Hash of each text, by id.

        Raises:
            ValueFlowError: if the file was begun with other texts or settings.
        """
        if not path.exists() or not path.stat().st_size:
            path.parent.mkdir(parents=True, exist_ok=True)
            made = cls(path, dict(head), words=words)
            made._append([{"head": made.head}, {"words": dict(words)}])
            return made
        found = cls.read(path, repair=True)
        for key in head:
            if found.head.get(key) != head[key]:
                raise ValueFlowError(
                    f"{path} was begun with {key}={found.head.get(key)!r}, this run has "
                    f"{head[key]!r}: choose another output, or use the same settings to resume"
                )
        return found

    @classmethod
    def read(cls, path: Path, repair: bool = False) -> JudgementFile:
        """Read a file; a last line that a crash cut short is left out.

        Args:
            path: The file.
            repair: Also remove that line from the file.

        Raises:
            ValueFlowError: if it is no file of judgements.
        """
        try:
            content = path.read_bytes()
        except OSError as error:
            raise ValueFlowError(f"cannot read {path}: {error.strerror}") from None
        whole = content[: content.rfind(b"\n") + 1]
        if repair and len(whole) < len(content):
            path.write_bytes(whole)
        made: JudgementFile | None = None
        for number, line in enumerate(whole.splitlines(), 1):
            try:
                entry = parsed(line)
                if made is None:
                    made = cls(path, dict(entry["head"]))
                else:
                    made._take(entry)
            except (KeyError, TypeError, ValueError, IndexError):
                raise ValueFlowError(
                    f"{path}, line {number}: no judgement; this is not a file that "
                    "`valueflow vidb rank` wrote"
                ) from None
        if made is None:
            raise ValueFlowError(f"{path} is empty: rank the texts first")
        return made

    def _take(self, entry: Mapping[str, Any]) -> None:
        if "plan" in entry:
            self.plans.append((entry["kind"], [tuple(one) for one in entry["plan"]]))
            return
        if "words" in entry:
            self.words = dict(entry["words"])
            return
        place = (int(entry["round"]), int(entry["window"]))
        if min(place) < 0:
            raise IndexError
        members = self.plans[place[0]][1][place[1]]
        if "order" in entry:
            order = tuple(entry["order"])
            if sorted(order) != list(range(len(members))):
                raise ValueError
            self.orders[place] = order
            self.failures.pop(place, None)
        elif not failed_call(entry["failure"]):
            self.failures[place] = str(entry["failure"])

    def plan(self, kind: str, windows: Sequence[Members]) -> None:
        """Write down a round before it is judged."""
        self._append([{"plan": [list(one) for one in windows], "kind": kind}])
        self.plans.append((kind, list(windows)))

    def record(self, places: Sequence[Place], judgements: Sequence[Judgement]) -> None:
        """Write down judgements, and note failed calls."""
        rows: list[dict[str, Any]] = []
        for (number, window), judgement in zip(places, judgements, strict=True):
            if failed_call(judgement.failure):
                self.unreached[number, window] = str(judgement.failure)
                continue
            self.unreached.pop((number, window), None)
            row: dict[str, Any] = {"round": number, "window": window}
            if judgement.order is not None:
                row["order"] = list(judgement.order)
            else:
                row["failure"] = judgement.failure or "no order"
            if judgement.raw:
                row["raw"] = judgement.raw
            rows.append(row)
            self._take(row)
        self._append(rows)

    def _append(self, rows: Sequence[Mapping[str, Any]]) -> None:
        with self.path.open("a", encoding="utf-8") as handle:
            handle.write("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))

    def missing(self) -> list[Place]:
        """Planned windows without a judgement or a failure, in order."""
        return [
            (number, window)
            for number, (_, windows) in enumerate(self.plans)
            for window in range(len(windows))
            if (number, window) not in self.orders and (number, window) not in self.failures
        ]

    def planned(self, kind: str | None = None) -> int:
        """How many windows were planned, of a kind or in all."""
        return sum(len(windows) for own, windows in self.plans if kind in (None, own))

    def judged(self) -> Iterator[tuple[Members, tuple[int, ...]]]:
        """Windows with an order: text ids as presented, slots most supportive first."""
        for (number, window), order in self.orders.items():
            yield self.plans[number][1][window], order


def comparisons(texts: TextFile | TextIndex, files: Sequence[JudgementFile]) -> Comparisons:
    """The judged windows of several files as arrays.

    Args:
        texts: The texts; positions are theirs.
        files: Judgements of one value; each judge gets a noise and slot biases of its own.

    Raises:
        ValueFlowError: if the files are of different values, or name a text that is not
            there.
    """
    values = {str(file.head.get("value")) for file in files}
    if len(values) > 1:
        raise ValueFlowError(f"judgements of different values {sorted(values)}: fit one at a time")
    position = {name: i for i, name in enumerate(texts.ids)}
    judges = list(dict.fromkeys(str(file.head.get("judge", "")) for file in files))

    def each() -> Iterator[tuple[list[int], tuple[int, ...], int]]:
        for file in files:
            number = judges.index(str(file.head.get("judge", "")))
            for members, order in file.judged():
                try:
                    yield [position[name] for name in members], order, number
                except KeyError as error:
                    raise ValueFlowError(
                        f"{file.path} judges a text {error.args[0]!r} that the texts do not "
                        "hold: give the texts that were ranked"
                    ) from None

    return Comparisons.of(len(texts.ids), each(), judges)
