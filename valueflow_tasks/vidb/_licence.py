"""The gate through which other people's data comes in."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from valueflow_scorers import ValueFlowError

LICENCE_FILE = "licence.json"
_SEPARATORS = re.compile(r"[\W_]+")
_RESTRICTED = {"nc", "noncommercial", "research", "academic", "educational"}
_NOT_COMMERCIAL = ("non commercial", "not commercial", "no commercial")
_OPEN = {"cc", "cc0", "mit", "apache", "bsd", "gpl", "odc", "odbl", "pddl"}


@dataclass(frozen=True)
class Terms:
    """Under which terms a source may be used."""

    source: str
    """What was loaded."""
    parts: tuple[tuple[str, str], ...]
    """(data set, licence) of everything it is made of."""
    summary: str
    """What that means together."""
    non_commercial: bool
    """Whether commercial use is excluded, or not known to be allowed."""
    redistributable: bool
    """Whether the texts are known to be free to be passed on."""

    def record(self) -> dict[str, Any]:
        """What a database loaded under these terms keeps of them, beside its source."""
        return {key: one for key, one in asdict(self).items() if key != "source"}

    def text(self) -> str:
        """What a person is asked to accept."""
        lines = [f"{self.source} is made of:"]
        lines += [f"  {name}: {licence}" for name, licence in self.parts]
        return "\n".join([*lines, f"Together: {self.summary}."])


def vidb_terms(source: str) -> Terms:
    """The terms of the VIDB release's data."""
    return Terms(
        source,
        (
            ("MFRC", "CC BY 4.0"),
            ("Social Chemistry 101", "CC BY-SA 4.0"),
            ("ValueNet", "CC BY-NC-SA"),
            ("ValueEval", "CC BY 4.0"),
            ("ValuePrism", "AI2 ImpACT, medium risk"),
        ),
        "research use, non-commercial",
        non_commercial=True,
        redistributable=False,
    )


def stated_terms(source: str, licence: str) -> Terms:
    """The terms of a file of one's own or of a third party."""
    if not licence:
        return Terms(
            source,
            ((source, "not stated"),),
            "you vouch that you may use it; commercial use is not known to be allowed",
            non_commercial=True,
            redistributable=False,
        )
    words = _SEPARATORS.sub(" ", licence.casefold()).split()
    said = " ".join(words)
    return Terms(
        source,
        ((source, licence),),
        licence,
        bool(_RESTRICTED & set(words)) or any(phrase in said for phrase in _NOT_COMMERCIAL),
        bool(_OPEN & set(words)) or "public domain" in said,
    )


def recorded_terms(source: str, head: Mapping[str, Any]) -> Terms | None:
    """The terms that a database was loaded under; None if its head records none.

    Raises:
        ValueFlowError: if they cannot be read.
    """
    if "terms" not in head:
        return None
    try:
        terms = dict(head["terms"])
        parts = tuple((str(name), str(licence)) for name, licence in terms.pop("parts"))
        return Terms(source=source, parts=parts, **terms)
    except (KeyError, TypeError, ValueError):
        raise ValueFlowError(
            f"{source}: the first line's 'terms' are not as `valueflow vidb load` wrote them: "
            "load the source again"
        ) from None


def pass_gate(terms: Terms, folder: Path, accepted: bool, commercial: bool) -> None:
    """Let a source in, or say what has to be accepted first.

    Acceptance is recorded in the folder, and holds for that folder and source alone.

    Raises:
        ValueFlowError: if the terms are not accepted, or exclude the intended use.
    """
    if commercial and terms.non_commercial:
        raise ValueFlowError(
            f"{terms.text()}\nCommercial use is not allowed (commercial=True was asked for): use "
            "the panels that ship (CC BY 4.0) or data whose licence allows it"
        )
    if accepted_before(folder, terms):
        return
    if not accepted:
        raise ValueFlowError(
            f"{terms.text()}\nNothing was loaded. Read the terms; to accept them for {folder}, run "
            "the command again with --accept-license"
        )
    folder.mkdir(parents=True, exist_ok=True)
    entries = _recorded(folder)
    now = datetime.now(timezone.utc).isoformat(timespec="seconds")
    entries.append({**asdict(terms), "accepted_at": now})
    (folder / LICENCE_FILE).write_text(json.dumps(entries, indent=1) + "\n", "utf-8")


def accepted_before(folder: Path, terms: Terms) -> bool:
    """Whether exactly these terms were accepted for this folder."""
    wanted = json.loads(json.dumps(asdict(terms)))
    return any({k: e.get(k) for k in wanted} == wanted for e in _recorded(folder))


def _recorded(folder: Path) -> list[dict[str, object]]:
    path = folder / LICENCE_FILE
    if not path.is_file():
        return []
    try:
        content = json.loads(path.read_text("utf-8"))
    except json.JSONDecodeError:
        raise ValueFlowError(f"{path} is no JSON: remove it and accept the terms again") from None
    return content if isinstance(content, list) else [content]
