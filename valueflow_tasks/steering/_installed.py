"""What steering needs besides the package itself."""

from __future__ import annotations

from importlib.util import find_spec

from valueflow_scorers import ValueFlowError


def check_installed() -> None:
    """Say which extra is missing, in place of a traceback.

    Raises:
        ValueFlowError: without torch or transformers.
    """
    if missing := [name for name in ("torch", "transformers") if find_spec(name) is None]:
        raise ValueFlowError(
            f"steering needs {' and '.join(missing)}: pip install 'valueflow-tasks[hf]'"
        )
