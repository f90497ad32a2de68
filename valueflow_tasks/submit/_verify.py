"""Check a submission folder: its form, and that its numbers follow from its samples."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from valueflow_scorers import ValueFlowError

from .. import __version__
from ..analysis import Runs
from ..analysis._parts import ODD
from ._attached import SAMPLES, attachments, read_samples
from ._facts import Facts
from ._formats import render, validate, wanted
from ._gates import check
from ._samples import misread
from ._submission import RECORD, RECORD_VERSION, Submission
from ._text import differences, parsed, to_json
from ._write import assemble


@dataclass(frozen=True)
class Verification:
    """What a check found."""

    folder: Path
    """The submission."""
    submission: Submission | None
    """What the samples say; None if they say nothing."""
    problems: tuple[str, ...]
    """What is wrong, with the file and the place in it; empty: nothing."""

    @property
    def valid(self) -> bool:
        """Whether form and numbers are right; drafts can be."""
        return not self.problems

    @property
    def drafts(self) -> tuple[str, ...]:
        """Why it is a draft; empty: it is none."""
        return () if self.submission is None else self.submission.drafts


def verify(folder: str | Path) -> Verification:
    """Check a folder that `write_submission` made.

    Every estimate is computed again from the judged windows in the samples, every number from
    the estimates, every file from the numbers; then each file is compared with what it should
    be, and checked by its receiver's own definition.

    Raises:
        ValueFlowError: if the folder is no submission at all.
    """
    place = Path(folder)
    record = _record(place)
    try:
        facts = Facts.parse(record.get("facts"))
        formats = wanted(_listed(record, "formats"))
        runs = read_samples(place)
        check(runs)
        submission = assemble(runs, facts, formats, _whole(record, "made"))
    except ValueFlowError as error:
        return Verification(place, None, (str(error),))
    except ODD as error:
        told = f"{SAMPLES}: no runs of a submission ({type(error).__name__}: {error})"
        return Verification(place, None, (told,))
    submission = replace(submission, package=str(record.get("package")))
    return Verification(place, submission, tuple(_problems(place, submission, runs)))


def _record(place: Path) -> dict[str, Any]:
    try:
        record = parsed(RECORD, (place / RECORD).read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ValueFlowError(
            f"{place} is no submission ({error}): make one with `valueflow submit LOGS -o DIR`"
        ) from None
    if not isinstance(record, dict) or record.get("version") != RECORD_VERSION:
        raise ValueFlowError(f"{place / RECORD} is no record of version {RECORD_VERSION}")
    return record


def _listed(record: Mapping[str, Any], name: str) -> list[str]:
    given = record.get(name)
    if not isinstance(given, list) or not all(isinstance(one, str) for one in given):
        raise ValueFlowError(f"{RECORD}: {name} is {given!r}, and should be a list of names")
    return given


def _whole(record: Mapping[str, Any], name: str) -> int:
    given = record.get(name)
    if not isinstance(given, int) or isinstance(given, bool):
        raise ValueFlowError(f"{RECORD}: {name} is {given!r}, and should be a whole number")
    return given


def _problems(place: Path, submission: Submission, runs: Runs) -> Iterator[str]:
    yield from misread(runs)
    # Another version of this package may put the same into other words.
    same_words = submission.package == __version__
    expected = {RECORD, *attachments(runs)}
    yield from _compared(place, RECORD, to_json(submission.to_dict()), None, same_words)
    for name in submission.formats:
        for path, text in render(submission, name).items():
            expected.add(path)
            yield from _compared(place, path, text, name, same_words)
    for file in sorted(place.rglob("*")):
        path = file.relative_to(place).as_posix()
        if path not in expected and (file.is_symlink() or not file.is_dir()):
            yield f"{path} does not belong to the submission: take it out"


def _compared(
    place: Path, path: str, text: str, name: str | None, same_words: bool
) -> Iterator[str]:
    """What is wrong with one file, given what it should say and the format it has."""
    try:
        found = parsed(path, (place / path).read_text("utf-8"))
    except FileNotFoundError:
        yield f"{path} is missing"
        return
    except (OSError, UnicodeDecodeError) as error:
        yield f"{path} cannot be read: {error}"
        return
    except ValueFlowError as error:
        yield str(error)
        return
    if name is not None:
        yield from validate(name, path, found)
    for told in differences(found, parsed(path, text), words=same_words):
        yield f"{path}: {told}"
