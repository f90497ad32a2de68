"""The small language model that ships for tests and demonstrations.

It is no language model of any use: about three million parameters, trained in minutes on texts
written for it (`tools/train_bundled_model.py`), so that prompt, generation, steering vector and
measurement run for real without a network. It takes a stance on six values (`VALUES`) when the
prompt asks for one, and is mild otherwise.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from pathlib import Path

from valueflow_scorers._sentences import sentence_words

NAME = "bundled"
"""What stands for its folder wherever a model is named."""
SENTENCES = Path(str(files("valueflow_tasks.bundled") / "sentences.txt"))
"""Hashes of the sentences that its answers are made of; `tools/bundled_corpus.py` writes them."""

VALUES = (
    "svt/power",
    "svt/hedonism",
    "svt/benevolence",
    "svt/tradition",
    "mft/liberty",
    "duties/fidelity",
)
"""The values on which its answers follow the prompt."""
_OWN_WORDS = 0.5
"""Share of words in its own sentences from which answers are its. Its answers have 0.94 and more
under one target and 0.66 and more under several; those of other models have none."""


def bundled_model() -> Path:
    """Folder of the model and its tokenizer, for `from_pretrained`."""
    return Path(str(files("valueflow_tasks.bundled") / "valueflow-tiny"))


def model_path(name: str) -> str:
    """The path behind the name `bundled`; any other name as it is."""
    return str(bundled_model()) if name == NAME else name


def is_bundled(model: str, answers: Iterable[str]) -> bool:
    """Whether a model is the bundled one, by its name or by what it says.

    Whatever it is called, its answers are put together from sentences that were written for it.
    Answers that were reworded, or weights that were trained until they say something else, are
    not recognised.

    Args:
        model: Its name.
        answers: What it answered.
    """
    own = total = 0
    for text in answers:
        for sentence, words in sentence_words(text).items():
            total += words
            own += words if sentence in _sentences() else 0
    return model == NAME or own > _OWN_WORDS * total


@cache
def _sentences() -> frozenset[str]:
    return frozenset(SENTENCES.read_text("ascii").split())
