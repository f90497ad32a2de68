"""Measure answers in a file, resumably."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.table import Table
from valueflow_scorers import Response, ValueFlowError, cell_mean
from valueflow_scorers._measure import Instrument
from valueflow_scorers._records import fingerprint

from .settings import measurable_values
from .theories import resolve_values

_OPENING = b'{"response_id": '
"""How every line of an output begins: what a crash left of the first one is known by it."""


@dataclass(frozen=True)
class Line:
    """One answer to be measured."""

    value: str
    """The value to measure it on."""
    response: Response
    """The answer; its id is the line's own, or derived from its words."""


class Scoring:
    """A file of answers on its way to a file of estimates.

    The output is appended to in whole batches, so that a run that was interrupted resumes
    where it stopped and judges no line twice.
    """

    def __init__(
        self,
        source: Path,
        output: Path,
        *,
        value: str | None = None,
        **instrument: Any,
    ) -> None:
        """Read and check the whole input before anything is judged or written.

        Args:
            source: JSON Lines: `value`, `response`, and optionally `query`, `id`.
            output: Where estimates go.
            value: The value of every line; lines then need none.
            **instrument: Knobs of `valueflow_scorers._measure.Instrument`.

        Raises:
            ValueFlowError: for a malformed line (file and number), an unknown value, or an
                output that was made from other settings.
        """
        self.instrument = Instrument(**instrument)
        self.output = output
        self.lines = list(_read(source, value))
        for one in {line.value for line in self.lines}:
            self.instrument.evaluator(one)
        self._settings = fingerprint(instrument)
        self.written = self._resume()

    @property
    def total(self) -> int:
        """Lines in the input."""
        return len(self.lines)

    @property
    def done(self) -> int:
        """Lines that are already in the output."""
        return len(self.written)

    def _resume(self) -> list[dict[str, Any]]:
        if not self.output.exists():
            return []
        if not self.output.is_file():
            raise ValueFlowError(f"{self.output} is no ordinary file: choose another output")
        content = self.output.read_bytes()
        whole = content[: content.rfind(b"\n") + 1]
        if content and not whole and content[: len(_OPENING)] != _OPENING[: len(content)]:
            raise ValueFlowError(
                f"{self.output} holds no finished line of ours: choose another output, or remove it"
            )
        entries = []
        for number, raw in enumerate(whole.splitlines(), 1):
            try:
                entry = json.loads(raw)
            except ValueError:
                entry = None
            if not isinstance(entry, dict):
                raise ValueFlowError(f"{self.output}, line {number}: no JSON object")
            entries.append(entry)
        for number, (entry, line) in enumerate(zip(entries, self.lines, strict=False), 1):
            same = (entry.get("response_id"), entry.get("value"), entry.get("settings"))
            if same != (line.response.key, line.value, self._settings):
                raise ValueFlowError(
                    f"{self.output}, line {number} was made from another input or with other "
                    "settings: choose another output, or remove it"
                )
        if len(entries) > len(self.lines):
            raise ValueFlowError(f"{self.output} has more lines than the input: not its output")
        if len(whole) < len(content):  # a line that a crash cut short
            self.output.write_bytes(whole)
        return entries

    def run(self, batch: int = 64) -> Iterator[int]:
        """Judge what is left; yields how many lines each batch finished."""
        with self.output.open("a", encoding="utf-8") as handle:
            for start in range(self.done, self.total, batch):
                entries = self._measure(self.lines[start : start + batch])
                handle.write("".join(json.dumps(e, ensure_ascii=False) + "\n" for e in entries))
                handle.flush()
                self.written.extend(entries)
                yield len(entries)

    def _measure(self, lines: list[Line]) -> list[dict[str, Any]]:
        entries: list[dict[str, Any]] = [{} for _ in lines]
        for value in dict.fromkeys(line.value for line in lines):
            index = [i for i, line in enumerate(lines) if line.value == value]
            found = self.instrument.evaluator(value).score([lines[i].response for i in index])
            for i, one in zip(index, found, strict=True):
                entries[i] = {**one.to_dict(), "settings": self._settings}
        return entries


def _read(source: Path, value: str | None) -> Iterator[Line]:
    allowed = measurable_values()
    known: dict[tuple[str, str], Response] = {}
    with source.open(encoding="utf-8") as handle:
        for number, raw in enumerate(handle, 1):
            if not raw.strip():
                continue
            line = _line(f"{source}, line {number}", raw, value, allowed)
            same = known.setdefault((line.value, line.response.key), line.response)
            if same != line.response:
                raise ValueFlowError(
                    f"{source}, line {number}: id {line.response.key!r} stands for another answer "
                    "further up; ids must differ"
                )
            yield line
    if not known:
        raise ValueFlowError(f"{source} holds no answers")


def _line(where: str, raw: str, value: str | None, allowed: tuple[str, ...]) -> Line:
    try:
        content = json.loads(raw)
    except json.JSONDecodeError as error:
        raise ValueFlowError(f"{where}: no valid JSON ({error.msg})") from None
    if not isinstance(content, Mapping) or not isinstance(content.get("response"), str):
        raise ValueFlowError(f"{where}: expected an object with a string 'response'")
    named = value or content.get("value")
    if not isinstance(named, str) or "/" not in named:
        raise ValueFlowError(f"{where}: no 'value' (a value id such as svt/power), and no --value")
    try:
        (resolved,) = resolve_values([named], allowed)
    except ValueFlowError as error:
        raise ValueFlowError(f"{where}: {error}") from None
    name = content.get("id")
    query = content.get("query")
    return Line(
        resolved,
        Response(
            content["response"],
            None if query is None else str(query),
            None if name is None else str(name),
        ),
    )


def summary_table(scoring: Scoring) -> Table:
    """Mean intensity per value, with what could not be scored."""
    profile = scoring.instrument.judge_profile
    mark = "" if profile.calibrated else " (uncalibrated: comparable to nothing)"
    table = Table(title=f"intensity, judge {profile.judge}{mark}")
    for heading in ("value", "mean", "stderr", "90 % interval", "scored", "unscored"):
        table.add_column(heading, justify="left" if heading == "value" else "right")
    for value in dict.fromkeys(line.value for line in scoring.lines):
        saved = [entry for entry in scoring.written if entry["value"] == value]
        found = scoring.instrument.reestimated(value, saved)
        scored = [one for one in found if one.scored]
        missing = Counter(one.reason for one in found if not one.scored)
        reasons = ", ".join(f"{count} {reason}" for reason, count in missing.items()) or "0"
        if scored:
            mean = cell_mean(scored)
            low, high = mean.interval()
            numbers = (f"{mean.mean:+.2f}", f"{mean.stderr:.2f}", f"{low:+.2f} … {high:+.2f}")
        else:
            numbers = ("-", "-", "-")
        table.add_row(value, *numbers, str(len(scored)), reasons)
    return table
