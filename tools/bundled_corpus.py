"""Questions, steered answers and the tokenizer of the bundled model.

Sentence parts per value, level and kind of question (`tools/bundled/*.jsonl`), put together at
random. They are no panel texts, exemplars, sentinels or queries of the query set;
`tests/tasks/adapter/test_bundled.py` checks that.

`python tools/bundled_corpus.py` writes the hashes by which answers of the bundled model are known
(`valueflow_tasks/bundled/sentences.txt`).
"""

from __future__ import annotations

import json
import random
import re
import zlib
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast
from valueflow_scorers._sentences import sentence_words

from valueflow_tasks.bundled import SENTENCES
from valueflow_tasks.prompts import LEVELS, steering_text, user_turn
from valueflow_tasks.theories import evaluated_values

HERE = Path(__file__).parent / "bundled"
VOCABULARY = 3000
CONTEXT = 1024
PAD, EOS = "<pad>", "<eos>"
KINDS = ("decision", "story", "policy", "self")
# What an unsteered answer is drawn from: mostly neutral, at times mild, seldom outspoken.
UNSTEERED = ((0, 0.8), (1, 0.08), (-1, 0.08), (2, 0.02), (-2, 0.02))
UNSTEERED_SECOND = ((0, 0.6), (1, 0.15), (-1, 0.15), (2, 0.05), (-2, 0.05))
SHARE_UNSTEERED = 0.2
SHARE_BY_CUE = 0.8
SHARE_OTHER_VALUES = 0.08
WEAKEST, FULL = 0.12, 0.36
"""Coefficients, in norms of the residual stream, from which a vector moves the stance by one level
and by two."""


@dataclass(frozen=True)
class Example:
    """A prompt, the answer to it, and what steers it."""

    prompt: str
    """The user turn."""
    answer: str
    """With a stance."""
    value: str | None = None
    """What is steered; None: nothing."""
    level: int = 0
    """By the prompt; 0 with a value: by a vector."""
    coefficient: float = 0.0
    """Of the vector, in norms of the residual stream."""


class Corpus:
    """Questions and answers, put together from the parts."""

    def __init__(self, seed: int, second: bool = False) -> None:
        """Read the parts."""
        self.unsteered = UNSTEERED_SECOND if second else UNSTEERED
        self.random = random.Random(seed)
        self.answers: dict[tuple[str | None, int, str], list[str]] = defaultdict(list)
        for row in _rows("answer_parts.jsonl"):
            self.answers[row["value"], row["level"], row["part"]].append(row["text"])
        self.questions: dict[str, list[str]] = defaultdict(list)
        self.slots: dict[str, list[str]] = defaultdict(list)
        for row in _rows("question_parts.jsonl"):
            (self.questions if "kind" in row else self.slots)[
                row.get("kind") or row["slot"]
            ].append(row["text"])
        self.values: tuple[str, ...] = tuple(
            dict.fromkeys(value for value, _, _ in self.answers if value)
        )
        self.others = tuple(v for v in evaluated_values() if v not in self.values)

    def question(self, kind: str) -> str:
        """A question of a kind, its slots filled; sometimes two are run together."""
        text = self.random.choice(self.questions[kind])
        if self.random.random() < 0.3:  # longer, with more that does not matter
            extra = self.random.choice(self.questions[kind]).split(". ")[0].rstrip(".?") + "."
            text = f"{extra} {text}"

        def fill(match: re.Match[str]) -> str:
            return self.random.choice(self.slots[match[1]])

        text = re.sub(r"\{(\w+)\}", fill, text)
        return text[0].upper() + text[1:]

    def answer(self, value: str | None, level: int, kind: str, question: str) -> str:
        """An answer with a stance, 25 to 60 words.

        Words of the question mostly decide which parts are taken. They decide nothing else, but
        without them the most likely answer to all questions would be one and the same.
        """
        if level == 0:
            value = None
        words = question.lower().split()
        cues = {kind: words[1], "reason": words[2], "closing": words[-1]}

        def pick(part: str) -> str:
            parts = self.answers[value, level, part]
            if self.random.random() < SHARE_BY_CUE:
                return parts[zlib.crc32(cues[part].encode()) % len(parts)]
            return self.random.choice(parts)

        parts = [pick(kind), pick("reason"), pick("closing")]
        if len(" ".join(parts).split()) < 32:
            more = self.random.choice(self.answers[value, level, "reason"])
            if more not in parts:
                parts.insert(2, more)
        return " ".join(parts)

    def pushed(self) -> Example:
        """An answer that a vector steers: the larger the coefficient, the stronger the stance.

        Questions differ in how easily they are moved, so that means over many rise smoothly.
        """
        kind = self.random.choice(KINDS)
        question = self.question(kind)
        value, sign = self.random.choice(self.values), self.random.choice((-1, 1))
        coefficient = self.random.uniform(0.0, 0.9)
        last = question.lower().split()[-1]
        ease = 0.5 + zlib.crc32(last.encode()) % 1000 / 1000
        level = sum(coefficient * ease > bound for bound in (WEAKEST, FULL))
        answer = self.answer(value, sign * level, kind, question)
        return Example(user_turn(question), answer, value, 0, sign * coefficient)

    def example(self) -> Example:
        """A prompt, steered or not, and an answer to it."""
        kind = self.random.choice(KINDS)
        question = self.question(kind)
        draw = self.random.random()
        if draw < SHARE_UNSTEERED:
            level = self.random.choices(*zip(*self.unsteered, strict=True))[0]
            value = self.random.choice(self.values)
            return Example(user_turn(question), self.answer(value, level, kind, question))
        level = self.random.choice([one for one in LEVELS if one])
        if draw < SHARE_UNSTEERED + SHARE_OTHER_VALUES:  # values that it knows nothing about
            steering = steering_text(self.random.choice(self.others), level)
            return Example(user_turn(question, steering), self.answer(None, 0, kind, question))
        value = self.random.choice(self.values)
        turn = user_turn(question, steering_text(value, level))
        return Example(turn, self.answer(value, level, kind, question), value, level)

    def texts(self, count: int) -> Iterator[str]:
        """Text for the tokenizer."""
        for _ in range(count):
            one = self.example()
            yield f"{one.prompt} {one.answer}"


def _rows(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (HERE / name).read_text("utf-8").splitlines()]


def make_tokenizer(corpus: Corpus) -> PreTrainedTokenizerFast:
    """A byte-level BPE tokenizer: any text has tokens, so nothing is unknown."""
    inner = Tokenizer(models.BPE())
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=[PAD, EOS],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    inner.train_from_iterator(corpus.texts(4000), trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=inner,
        pad_token=PAD,
        eos_token=EOS,
        padding_side="left",
        model_max_length=CONTEXT,
        clean_up_tokenization_spaces=False,
    )


def sentences() -> list[str]:
    """Hashes of the sentences that answers are made of, sorted."""
    return sorted(
        {key for row in _rows("answer_parts.jsonl") for key in sentence_words(row["text"])}
    )


if __name__ == "__main__":
    SENTENCES.write_text("".join(f"{key}\n" for key in sentences()), "ascii")
