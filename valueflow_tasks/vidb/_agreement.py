"""Whether judgements belong together, and to the texts that they are fitted with."""

from __future__ import annotations

from collections.abc import Sequence

from valueflow_scorers import ValueFlowError

from ._judgements import JudgementFile
from ._texts import TextFile


def check_agreement(texts: TextFile, files: Sequence[JudgementFile]) -> None:
    """Refuse labels for words that nobody judged.

    Raises:
        ValueFlowError: naming both files, if two have different definitions or put different
            prompts to one judge, or if a text had other words when it was judged.
    """
    asked: dict[str, JudgementFile] = {}
    for file in files:
        _same(files[0], file, "definition")
        _same(asked.setdefault(str(file.head.get("judge", "")), file), file, "prompt_version")
        for name, words in file.words.items():
            if texts.words.get(name, words) != words:
                raise ValueFlowError(
                    f"{file.path} judged other words under the id {name!r} than {texts.name} "
                    "holds: give the texts that were ranked, or rank the new ones"
                )


def _same(one: JudgementFile, other: JudgementFile, key: str) -> None:
    if one.head.get(key) != other.head.get(key):
        raise ValueFlowError(
            f"{one.path} was judged with {key}={one.head.get(key)!r}, {other.path} with "
            f"{other.head.get(key)!r}: fit one at a time"
        )
