"""Tell files of value profiles from others."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from valueflow_scorers import ValueFlowError

FORMAT = "valueflow-profile-1"


def is_ours(content: Any) -> bool:
    """Whether JSON content is a file of `save_profiles`."""
    return isinstance(content, Mapping) and content.get("format") == FORMAT


def is_release(content: Any) -> bool:
    """Whether JSON content is a profile of the released code."""
    return isinstance(content, Mapping) and {"attribute", "theories"} <= set(content)


def is_profile_file(given: str) -> bool:
    """Whether a path leads to a file of value profiles; one that ends in `#NAME` can mean no other.

    So a missing or broken file is later named as what it was to be.
    """
    path = Path(given.partition("#")[0])
    if path.suffix == ".json" and "#" in given:
        return True
    if path.suffix != ".json" or not path.is_file():
        return False
    try:
        content = read_json(path)
    except ValueFlowError:
        return False
    return is_ours(content) or is_release(content)


def read_json(path: Path) -> Any:
    """The content of a file of profiles.

    Raises:
        ValueFlowError: if it cannot be read or is no JSON.
    """
    try:
        return json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ValueFlowError(f"profile {str(path)!r} cannot be read: {error.strerror}") from None
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ValueFlowError(f"{path} is no valid JSON ({error})") from None
