"""Measure answers in a file, resumably."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.table import Table
from valueflow_scorers import ValueFlowError, cell_mean
from valueflow_scorers._estimated import unscored
from valueflow_scorers._measure import Instrument
from valueflow_scorers._records import fingerprint
from valueflow_scorers._refusal import REFUSED

from . import __version__
from .answers import Line, read_answers
from .settings import INSTRUMENT, RESULTS_VERSION
from .vidb._links import link_state
from .vidb._values import given_name, own_panels

_OPENING = b'{"response_id": '
"""How every line of an output begins: what a crash left of the first one is known by it."""


def described_file(output: Path) -> Path:
    """The file beside an output that says how it was made."""
    return output.with_name(f"{output.name}.run.json")


class Scoring:
    """A file of answers on its way to a file of estimates.

    The output is appended to in whole batches, so that a run that was interrupted resumes
    where it stopped and judges no line twice. Lines for which every call failed were never
    judged; the next run asks about them again and puts the result in their place. Answers that
    decline their query are counted and not judged, as in the tasks; a line without a query is a
    text, and is measured whatever it says.
    """

    def __init__(
        self,
        source: Path,
        output: Path,
        *,
        value: str | None = None,
        links: str = "",
        **instrument: Any,
    ) -> None:
        """Read and check the whole input before anything is judged or written.

        Args:
            source: JSON Lines: `value`, `response`, and optionally `query`, `id`.
            output: Where estimates go.
            value: The value of every line, or the folder of one's own; lines then need none.
            links: File of `valueflow vidb link`, if units are linked.
            **instrument: Knobs of `valueflow_scorers._measure.Instrument`.

        Raises:
            ValueFlowError: for a malformed line (file and number), an unknown value, or an
                output that was made from other settings.
        """
        self.source, self.output = source, output
        self.lines = list(read_answers(source, value))
        self.values = tuple(dict.fromkeys(line.value for line in self.lines))
        self.instrument = Instrument(**instrument, panels=own_panels(self.values))
        for one in self.values:
            self.instrument.evaluator(one)
        self._settings = _mark(self.instrument)
        self._given = instrument
        panels = {one: self.instrument.panel(one) for one in self.values}
        self.linked = link_state(links, panels)
        self.written = self._resume()

    @property
    def total(self) -> int:
        """Lines in the input."""
        return len(self.lines)

    @property
    def done(self) -> int:
        """Lines that are already in the output, and need not be asked about again."""
        return len(self.written) - len(self._unheard())

    @property
    def cut(self) -> int:
        """Lines in the output of which the judge read only the beginning."""
        return sum(bool(entry.get("cut")) for entry in self.written)

    def _unheard(self) -> list[int]:
        """Places of lines in the output that the judge could not be asked about."""
        return [place for place, entry in enumerate(self.written) if _call_failed(entry)]

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
            if not self._is_of(entry, line):
                raise ValueFlowError(
                    f"{self.output}, line {number} was made from another input or with other "
                    "settings: choose another output, or remove it"
                )
        if len(entries) > len(self.lines):
            raise ValueFlowError(f"{self.output} has more lines than the input: not its output")
        if len(whole) < len(content):  # a line that a crash cut short
            self.output.write_bytes(whole)
        return entries

    def _is_of(self, entry: Mapping[str, Any], line: Line) -> bool:
        """Whether a line of the output is what this run makes of a line of the input."""
        panel = self.instrument.panel(line.value).fingerprint  # a ruler of one's own may change
        made = {"response_id": line.response.key, "value": line.value, "panel": panel,
                "settings": self._settings}  # fmt: skip
        scored_alike = (entry.get("reason") == REFUSED) == line.refused
        return scored_alike and all(entry.get(name) == one for name, one in made.items())

    def run(self, batch: int = 64) -> Iterator[int]:
        """Judge what is left; yields how many lines each batch finished.

        Args:
            batch: Lines judged between two writes, at least 1.

        Raises:
            ValueFlowError: for a batch of no lines.
        """
        if batch < 1:
            raise ValueFlowError(f"batch={batch}: give at least 1, the lines judged between writes")
        self._describe()
        unheard = self._unheard()
        for start in range(0, len(unheard), batch):
            places = unheard[start : start + batch]
            for place, entry in zip(places, self._measure(places), strict=True):
                self.written[place] = entry
            self._rewrite()
            yield len(places)
        with self.output.open("a", encoding="utf-8") as handle:
            for start in range(len(self.written), self.total, batch):
                entries = self._measure(range(start, min(start + batch, self.total)))
                handle.write(_json_lines(entries))
                handle.flush()
                self.written.extend(entries)
                yield len(entries)

    def _rewrite(self) -> None:
        """Put the output anew, at once: whoever reads it sees the old one or the new one."""
        fresh = self.output.with_name(f"{self.output.name}.new")
        fresh.write_text(_json_lines(self.written), "utf-8")
        os.replace(fresh, self.output)

    def _describe(self) -> None:
        """Say beside the output how it was made; estimates alone do not."""
        profile = self.instrument.judge_profile
        values = [given_name(value) for value in self.values]
        said = {
            "version": __version__,
            "source": str(self.source.resolve()),
            "settings": {**self._given, "values": values},
            "profile": profile.fingerprint,
            "calibrated": profile.calibrated,
            **self.linked,
        }
        described_file(self.output).write_text(json.dumps(said) + "\n", "utf-8")

    def _measure(self, places: Sequence[int]) -> list[dict[str, Any]]:
        lines = [self.lines[place] for place in places]
        entries = [self._refusal(line) if line.refused else {} for line in lines]
        heard = [i for i, line in enumerate(lines) if not line.refused]
        for value in dict.fromkeys(lines[i].value for i in heard):
            index = [i for i in heard if lines[i].value == value]
            responses = [lines[i].response for i in index]
            found = self.instrument.evaluator(value).score(responses)
            cut = self.instrument.resolved.cuts([one.text for one in responses])
            for i, one, beginning in zip(index, found, cut, strict=True):
                entries[i] = one.to_dict() | ({"cut": True} if beginning else {})
        return [{**entry, "settings": self._settings} for entry in entries]

    def _refusal(self, line: Line) -> dict[str, Any]:
        panel, profile = self.instrument.panel(line.value), self.instrument.judge_profile
        return unscored(panel, profile, line.response.key, REFUSED).to_dict()


def _mark(instrument: Instrument) -> str:
    """Identity of everything that turns an answer into a number; panels mark their estimates.

    The profile enters by its content, and where judgements are kept does not enter.
    """
    knobs = {
        name: getattr(instrument, name) for name in INSTRUMENT if name not in ("profile", "journal")
    }
    return fingerprint([knobs, instrument.judge_profile.fingerprint, RESULTS_VERSION])


def _call_failed(entry: Mapping[str, Any]) -> bool:
    """Whether there is no number because calls failed: an outage is no verdict."""
    failures = entry.get("failures") or {}
    return "intensity" not in entry and any(one.startswith("call failed") for one in failures)


def _json_lines(entries: Sequence[Mapping[str, Any]]) -> str:
    return "".join(json.dumps(entry, ensure_ascii=False) + "\n" for entry in entries)


def summary_table(scoring: Scoring) -> Table:
    """Mean intensity per value, with what was refused and what could not be scored."""
    profile = scoring.instrument.judge_profile
    mark = "" if profile.calibrated else " (uncalibrated: comparable to nothing)"
    units = "linked" if scoring.linked["linked"] else "not linked: compare within a value only"
    table = Table(title=f"intensity, judge {profile.judge}{mark}", caption=f"units {units}")
    for heading in ("value", "mean", "stderr", "90 % interval", "scored", "refused", "unscored"):
        table.add_column(heading, justify="left" if heading == "value" else "right")
    for value in scoring.values:
        saved = [entry for entry in scoring.written if entry["value"] == value]
        found = scoring.instrument.reestimated(value, saved)
        scored = [one for one in found if one.scored]
        missing = Counter(entry["reason"] for entry in saved if "reason" in entry)
        refused = missing.pop(REFUSED, 0)
        share = f"{refused} ({refused / len(saved):.0%})" if refused else "0"
        reasons = ", ".join(f"{count} {reason}" for reason, count in missing.items()) or "0"
        if scored:
            mean = cell_mean(scored)
            low, high = mean.interval()
            numbers = (f"{mean.mean:+.2f}", f"{mean.stderr:.2f}", f"{low:+.2f} … {high:+.2f}")
        else:
            numbers = ("-", "-", "-")
        table.add_row(value, *numbers, str(len(scored)), share, reasons)
    return table
