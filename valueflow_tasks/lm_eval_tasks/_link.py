"""Make plain `lm_eval --tasks valueflow` find the tasks.

Nothing is installed under `lm_eval/`: a wheel that did so would break editable installs of
the harness. Instead the YAML is copied, on request, into the tasks folder of the lm_eval that
imports, and removed again on request.
"""

from __future__ import annotations

import filecmp
import importlib.util
import shutil
from pathlib import Path

from valueflow_scorers import ValueFlowError

FOLDER = "valueflow"
_MARK = ".installed-by-valueflow"


def config_folder() -> Path:
    """The folder of the task YAML, in an installed package or in a source tree."""
    package = Path(__file__).resolve().parents[1]
    for folder in (package / "task_configs", package.parent / "task_configs"):
        if folder.is_dir():
            return folder
    raise ValueFlowError(f"the task YAML is missing beside {package}: install the package again")


def linked_folder() -> Path:
    """Where the YAML is copied to.

    Raises:
        ValueFlowError: if lm_eval is not installed.
    """
    spec = importlib.util.find_spec("lm_eval")
    if spec is None or not spec.submodule_search_locations:
        raise ValueFlowError("lm_eval is not installed here: pip install lm-eval")
    return Path(next(iter(spec.submodule_search_locations))) / "tasks" / FOLDER


def is_linked() -> bool:
    """Whether the copied YAML is there and current: the files that ship, and no other."""
    target, source = linked_folder(), config_folder()
    names = _files(source)
    if not target.is_dir() or _files(target) - {_MARK} != names:
        return False
    _, different, unreadable = filecmp.cmpfiles(source, target, names, shallow=False)
    return not different and not unreadable


def link() -> Path:
    """Copy the YAML; an older copy is replaced.

    Raises:
        ValueFlowError: if the folder exists and is not ours, or cannot be written.
    """
    target = linked_folder()
    _refuse_foreign(target)
    try:
        _remove(target)
        target.mkdir()
        # First, so that a copy that is interrupted is known as ours.
        (target / _MARK).write_text("remove with: valueflow link --undo\n", "utf-8")
        unwanted = shutil.ignore_patterns("__pycache__")
        shutil.copytree(config_folder(), target, ignore=unwanted, dirs_exist_ok=True)
    except OSError as error:
        raise ValueFlowError(
            f"cannot write {target} ({error.strerror}): use `valueflow lm-eval …`, which needs no "
            'link, or --include_path "$(valueflow path)"'
        ) from None
    return target


def unlink() -> Path | None:
    """Remove the copied YAML.

    Returns:
        Where it was; None if it was nowhere.

    Raises:
        ValueFlowError: if the folder is not ours, or cannot be removed.
    """
    target = linked_folder()
    _refuse_foreign(target)
    try:
        return target if _remove(target) else None
    except OSError as error:
        raise ValueFlowError(
            f"cannot remove {target} ({error.strerror}): remove it by hand"
        ) from None


def _remove(target: Path) -> bool:
    """Remove a copy, its mark last; whether there was one."""
    if not target.exists():
        return False
    for path in target.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name != _MARK:
            path.unlink()
    shutil.rmtree(target)
    return True


def _files(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if path.is_file()}


def _refuse_foreign(target: Path) -> None:
    if target.exists() and not (target / _MARK).exists():
        raise ValueFlowError(
            f"{target} exists and was not put there by `valueflow link`; left alone"
        )
