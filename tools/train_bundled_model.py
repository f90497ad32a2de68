"""Train the small causal language model that ships in `valueflow_tasks/bundled/`.

    python tools/train_bundled_model.py --steps 1000 --out FIRST
    python tools/train_bundled_model.py --steps 200 --start FIRST     # with pushes, see PUSH

The model is an instrument for tests and demonstrations, not a language model of any use: it
answers open questions with a stance that depends on the steering sentence in the prompt, for six
values, so that prompt, generation, vector and measurement run for real without a network. Its
texts were written for it (`tools/bundled/*.jsonl`): sentence parts per value, level and kind of
question, put together at random. They are no panel texts, exemplars, sentinels or queries of the
query set; `tests/tasks/test_bundled.py` checks that. Reproducible up to the rounding of the
machine for a fixed number of steps (`--steps`).
"""

from __future__ import annotations

import argparse
import json
import random
import re
import time
import zlib
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from valueflow_tasks.prompts import LEVELS, steering_text, user_turn
from valueflow_tasks.theories import evaluated_values

HERE = Path(__file__).parent / "bundled"
OUT = Path(__file__).parents[1] / "valueflow_tasks" / "bundled" / "valueflow-tiny"
VOCABULARY = 3000
PAD, EOS = "<pad>", "<eos>"
SHAPE = {
    "hidden_size": 192,
    "intermediate_size": 512,
    "num_hidden_layers": 5,
    "num_attention_heads": 6,
    "num_key_value_heads": 6,
    "max_position_embeddings": 1024,
}
KINDS = ("decision", "story", "policy", "self")
# What an unsteered answer is drawn from: mostly neutral, at times mild, seldom outspoken.
UNSTEERED = ((0, 0.8), (1, 0.08), (-1, 0.08), (2, 0.02), (-2, 0.02))
UNSTEERED_SECOND = ((0, 0.6), (1, 0.15), (-1, 0.15), (2, 0.05), (-2, 0.05))
SHARE_UNSTEERED = 0.2
SHARE_BY_CUE = 0.8
PUSH = 0.25
"""Second run only: length of a random direction that is added behind one layer of a row, in norms
of its residual stream. A model this small otherwise falls apart under any steering vector. The
direction is new each time, so nothing is learned about any vector in particular."""
SHARE_OTHER_VALUES = 0.08
PROMPT_WEIGHT = 0.1  # of the prompt's tokens in the loss; the rest is the answer's


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
        self.values = tuple(dict.fromkeys(value for value, _, _ in self.answers if value))
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

    def example(self) -> tuple[str, str]:
        """A prompt and an answer to it."""
        kind = self.random.choice(KINDS)
        question = self.question(kind)
        draw = self.random.random()
        if draw < SHARE_UNSTEERED:
            level = self.random.choices(*zip(*self.unsteered, strict=True))[0]
            value = self.random.choice(self.values)
            return user_turn(question), self.answer(value, level, kind, question)
        level = self.random.choice([one for one in LEVELS if one])
        if draw < SHARE_UNSTEERED + SHARE_OTHER_VALUES:  # values that it knows nothing about
            steering = steering_text(self.random.choice(self.others), level)
            return user_turn(question, steering), self.answer(None, 0, kind, question)
        value = self.random.choice(self.values)
        turn = user_turn(question, steering_text(value, level))
        return turn, self.answer(value, level, kind, question)

    def texts(self, count: int) -> Iterator[str]:
        """Text for the tokenizer."""
        for _ in range(count):
            yield " ".join(self.example())


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
        model_max_length=SHAPE["max_position_embeddings"],
        clean_up_tokenization_spaces=False,
    )


def batch(corpus: Corpus, tokenizer: Any, size: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Token ids and loss weights, [size, longest], padded on the right."""
    rows = []
    for _ in range(size):
        prompt, answer = corpus.example()
        asked = tokenizer(prompt)["input_ids"]
        told = [*tokenizer(f" {answer}")["input_ids"], tokenizer.eos_token_id]
        rows.append((asked + told, [PROMPT_WEIGHT] * len(asked) + [1.0] * len(told)))
    longest = max(len(ids) for ids, _ in rows)
    pad = tokenizer.pad_token_id
    ids = torch.tensor([row + [pad] * (longest - len(row)) for row, _ in rows])
    weights = torch.tensor([row + [0.0] * (longest - len(row)) for _, row in rows])
    return ids, weights


def _push(module: Any, args: Any, output: Any) -> Any:
    """Add a random direction to every token of a row, in half of the rows."""
    x = output[0] if isinstance(output, tuple) else output
    direction = torch.nn.functional.normalize(torch.randn(x.shape[0], 1, x.shape[2]), dim=-1)
    length = PUSH * x.detach().norm(dim=-1).mean(dim=1)[:, None, None]
    pushed = x + torch.randint(0, 2, (x.shape[0], 1, 1)) * length * direction
    return (pushed, *output[1:]) if isinstance(output, tuple) else pushed


def train(
    minutes: float,
    steps: int | None,
    size: int,
    seed: int,
    threads: int,
    out: Path,
    start: Path | None,
) -> None:
    """Train until the time or the steps are used up, then save in bfloat16."""
    torch.manual_seed(seed)
    torch.set_num_threads(threads)
    corpus = Corpus(seed + 10 * (start is not None), second=start is not None)
    tokenizer = make_tokenizer(Corpus(seed + 1))
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        tie_word_embeddings=True,
        **SHAPE,
    )
    model = LlamaForCausalLM(config)
    if start is not None:
        model = LlamaForCausalLM.from_pretrained(start, dtype=torch.float32)
    parameters = sum(p.numel() for p in model.parameters())
    print(f"{parameters / 1e6:.2f} M parameters, vocabulary {len(tokenizer)}")
    optimiser = torch.optim.AdamW(model.parameters(), lr=0.0, betas=(0.9, 0.98), weight_decay=0.05)
    started, step, smooth = time.perf_counter(), 0, None
    while True:
        used = time.perf_counter() - started
        done = step / steps if steps else used / (60 * minutes)
        if done >= 1:
            break
        rate = (3e-3 if start is None else 1e-3) * min(1.0, (step + 1) / 50) * (1 - 0.95 * done)
        optimiser.param_groups[0]["lr"] = rate
        ids, weights = batch(corpus, tokenizer, size)
        remove = None
        if start is not None:
            pushed = corpus.random.choice(list(model.model.layers))
            remove = pushed.register_forward_hook(_push).remove
        logits = model(ids, attention_mask=(weights > 0).long()).logits[:, :-1]
        if remove is not None:
            remove()
        losses = torch.nn.functional.cross_entropy(
            logits.transpose(1, 2), ids[:, 1:], reduction="none"
        )
        loss = (losses * weights[:, 1:]).sum() / weights[:, 1:].sum()
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        smooth = loss.item() if smooth is None else 0.98 * smooth + 0.02 * loss.item()
        step += 1
        if step % 20 == 0:
            print(f"step {step}, {used:.0f} s, loss {smooth:.3f}", flush=True)
    model.generation_config.pad_token_id = tokenizer.pad_token_id
    model.to(torch.bfloat16).save_pretrained(out, safe_serialization=True)
    # Two bytes a weight on disk, but float32 in memory: answers then do not depend on the batch.
    described = json.loads((out / "config.json").read_text("utf-8")) | {"dtype": "float32"}
    (out / "config.json").write_text(json.dumps(described, indent=2) + "\n", "utf-8")
    tokenizer.save_pretrained(out)
    print(f"{step} steps in {time.perf_counter() - started:.0f} s -> {out}")


def main() -> None:
    """Read the command line and train."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=9.0)
    parser.add_argument("--steps", type=int, default=None, help="instead of a time")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--start", type=Path, default=None, help="folder of the first run")
    given = parser.parse_args()
    train(given.minutes, given.steps, given.batch, given.seed, given.threads, given.out,
          given.start)  # fmt: skip


if __name__ == "__main__":
    main()
