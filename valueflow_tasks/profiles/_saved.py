"""Value profiles in files: written, and read as ours or as the release's."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from valueflow_scorers import ValueFlowError

from ._files import FORMAT, is_ours, is_release, read_json
from ._record import ValueProfile
from ._release import parse_release


def save_profiles(path: str | Path, profiles: Iterable[ValueProfile]) -> Path:
    """Write profiles into one JSON file; one readable line per value."""
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    content = {"format": FORMAT, "profiles": [one.to_dict() for one in profiles]}
    target.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", "utf-8")
    return target


def load_profiles(path: str | Path) -> dict[str, ValueProfile]:
    """The profiles of a file, by name: ours, or one of the release's form.

    Raises:
        ValueFlowError: if it cannot be read or holds none.
    """
    content = read_json(Path(path))
    if is_release(content):
        profile = parse_release(content, str(path))
        return {profile.name: profile}
    if not is_ours(content):
        raise ValueFlowError(
            f"{path} holds no value profile: make one with `valueflow profile TEXTS.jsonl -o FILE`"
        )
    try:
        found = [ValueProfile.from_dict(one) for one in content["profiles"]]
    except (KeyError, TypeError, AttributeError, ValueFlowError) as error:
        raise ValueFlowError(f"{path}: {error}") from None
    if not found or len({one.name for one in found}) < len(found):
        raise ValueFlowError(f"{path} needs at least one profile, and no two of one name")
    return {one.name: one for one in found}


def load_profile(given: str | Path) -> ValueProfile:
    """One profile: `FILE`, or `FILE#NAME` where the file holds several.

    Raises:
        ValueFlowError: as `load_profiles`, and if it is not said which of several is meant.
    """
    path, _, name = str(given).partition("#")
    found = load_profiles(path)
    if not name and len(found) == 1:
        return next(iter(found.values()))
    if name not in found:
        raise ValueFlowError(
            f"{path} holds the profiles {', '.join(found)}: name one, {path}#{next(iter(found))}"
        )
    return found[name]
