"""The small language model that ships for tests and demonstrations.

It is no language model of any use: about three million parameters, trained in minutes on texts
written for it (`tools/train_bundled_model.py`), so that prompt, generation, steering vector and
measurement run for real without a network. It takes a stance on six values (`VALUES`) when the
prompt asks for one, and is mild otherwise.
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

VALUES = (
    "svt/power",
    "svt/hedonism",
    "svt/benevolence",
    "svt/tradition",
    "mft/liberty",
    "duties/fidelity",
)
"""The values on which its answers follow the prompt."""


def bundled_model() -> Path:
    """Folder of the model and its tokenizer, for `from_pretrained`."""
    return Path(str(files("valueflow_tasks.bundled") / "valueflow-tiny"))


def model_path(name: str) -> str:
    """The path behind the name `bundled`; any other name as it is."""
    return str(bundled_model()) if name == "bundled" else name
