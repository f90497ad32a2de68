"""Where results go, looked at before the work that they come from."""

from __future__ import annotations

import tempfile
from pathlib import Path

from valueflow_scorers import ValueFlowError


def check_folder(folder: Path, name: str = "-o") -> None:
    """Refuse a folder that cannot be written in, or cannot be made; nothing is left behind.

    Args:
        folder: The folder.
        name: What it was given as.

    Raises:
        ValueFlowError: naming the reason.
    """
    try:
        whole = folder.absolute()
        there = next(path for path in (whole, *whole.parents) if path.exists())
        with tempfile.TemporaryFile(dir=there):
            pass
    except OSError as error:
        raise ValueFlowError(
            f"{name} {folder} cannot be written ({error.strerror}): give another folder"
        ) from None
