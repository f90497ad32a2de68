"""The submissions on a leaderboard, checked one by one and against each other."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from valueflow_scorers import ValueFlowError

from ..submit import Submission, System, verify
from ..submit._submission import RECORD


@dataclass(frozen=True)
class Entry:
    """A system and the submission that it came with."""

    system: System
    """What is ranked."""
    submission: Submission
    """Where its numbers come from."""
    folder: Path
    """The submission's folder."""

    @property
    def model(self) -> str:
        """The model, as it is known publicly."""
        return self.submission.facts.model_id(self.system.model)

    @property
    def name(self) -> str:
        """Model and way of steering."""
        return f"{self.model} by {self.system.method}"


def load_entries(folder: str | Path) -> list[Entry]:
    """The systems in a folder of submissions.

    Every submission is verified: its numbers are computed again from its samples.

    Raises:
        ValueFlowError: if there is none; if one is a draft, measured a control model, or is not
            what its samples say; if two have different protocols, or the same system twice.
    """
    root = Path(folder)
    places = sorted(path.parent for path in root.rglob(RECORD))
    if not places:
        raise ValueFlowError(
            f"no submission in {root}: put folders there that `valueflow submit` made"
        )
    entries = [entry for place in places for entry in _read(place)]
    _same_protocol(entries)
    _once(entries)
    return entries


def _read(place: Path) -> list[Entry]:
    found = verify(place)
    if found.submission is None:
        raise ValueFlowError(f"{place} cannot be ranked: {found.problems[0]}")
    if not found.valid:
        more = f" and {len(found.problems) - 1} more" if found.problems[1:] else ""
        raise ValueFlowError(
            f"{place} is not what its samples say ({found.problems[0]}{more}): take it out, or "
            "submit its logs again"
        )
    if found.drafts:
        raise ValueFlowError(
            f"{place} is a draft ({'; '.join(found.drafts)}): take it out, or complete it"
        )
    return [Entry(system, found.submission, place) for system in found.submission.systems]


def _same_protocol(entries: list[Entry]) -> None:
    by_protocol: dict[str, list[Entry]] = {}
    for one in entries:
        by_protocol.setdefault(one.system.headline.protocol, []).append(one)
    if len(by_protocol) > 1:
        told = "; ".join(
            f"{protocol} (judge {own[0].submission.judge}, queries "
            f"{own[0].submission.settings.queries}, values: {len(own[0].system.values)}) in "
            f"{own[0].folder}" + (f" and {len(own) - 1} more" if own[1:] else "")
            for protocol, own in by_protocol.items()
        )
        raise ValueFlowError(
            f"results of different protocols cannot be ranked together: {told}: "
            "use a folder for each"
        )


def _once(entries: list[Entry]) -> None:
    seen: dict[str, Entry] = {}
    for one in entries:
        if one.name in seen:
            raise ValueFlowError(
                f"{seen[one.name].folder} and {one.folder} both submit {one.name}: keep one"
            )
        seen[one.name] = one
