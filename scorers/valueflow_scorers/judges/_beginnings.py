"""What an encoder reads of a text that is longer than it can read."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

_SLICE = 10_000  # characters; texts that are no longer are left alone


def beginnings(model: Any, texts: Sequence[str]) -> list[str]:
    """Texts without what a sentence-transformers model would not read in any case.

    Tokenizers split the whole of a text before they cut, and need 200 bytes a character. For
    BERT's, a long text becomes its first words, as many as there are tokens at most: each is a
    token or more, and white space between them is none. Other tokenizers get texts whole.
    """
    most = getattr(model, "max_seq_length", None)
    if most is None or not _is_bert(model.tokenizer):
        return list(texts)
    return [
        text if len(text) <= _SLICE else " ".join(islice(_words(model.tokenizer, text), most))
        for text in texts
    ]


def _is_bert(tokenizer: Any) -> bool:
    """Whether a tokenizer changes texts sign by sign, and splits them at spaces and marks."""
    from tokenizers import models, normalizers, pre_tokenizers

    backend = getattr(tokenizer, "backend_tokenizer", None)
    return (
        backend is not None
        and isinstance(backend.normalizer, normalizers.BertNormalizer)
        and isinstance(backend.pre_tokenizer, pre_tokenizers.BertPreTokenizer)
        and isinstance(backend.model, models.WordPiece)
        and not any(
            one.normalized or one.single_word for one in tokenizer.added_tokens_decoder.values()
        )
    )


def _words(tokenizer: Any, text: str) -> Iterator[str]:
    """A text's words one by one, and names of special tokens, which are tokens as they stand."""
    names = [re.escape(one.content) for one in tokenizer.added_tokens_decoder.values()]
    longest_first = "|".join(sorted(names, key=len, reverse=True))
    start = 0
    for special in re.finditer(longest_first, text) if names else ():
        yield from _plain_words(tokenizer.backend_tokenizer, text[start : special.start()])
        yield special.group()
        start = special.end()
    yield from _plain_words(tokenizer.backend_tokenizer, text[start:])


def _plain_words(backend: Any, text: str) -> Iterator[str]:
    # A longer word is one unknown token, whatever its length: so much of it shows that.
    enough = backend.model.max_input_chars_per_word + 1
    begun = ""
    for start in range(0, len(text), _SLICE):
        more = backend.normalizer.normalize_str(text[start : start + _SLICE])
        # The letter at the end tells a word that may go on from one that is whole.
        *whole, (last, _) = backend.pre_tokenizer.pre_tokenize_str(f"{begun}{more}x")
        yield from (word[:enough] for word, _ in whole)
        begun = last[:-1][:enough]
    if begun:
        yield begun
