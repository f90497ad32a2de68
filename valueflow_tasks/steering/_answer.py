"""Answers of a model in batches, each row under its own spec. Used where no harness runs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from valueflow_scorers import ValueFlowError

from ..bundled import model_path
from ._batch import VectorLibrary, steer_rows
from ._installed import check_installed
from ._layers import hub_name, last_part
from ._spec import SteeringSpec

_ORIGIN = ("revision", "trust_remote_code", "token", "subfolder", "cache_dir", "local_files_only")
"""Arguments of `from_pretrained` that a tokenizer takes as its model does."""


@dataclass(frozen=True)
class Loaded:
    """A model with its tokenizer, ready to answer."""

    model: Any
    """Decoder-only model of transformers, in evaluation mode."""
    tokenizer: Any
    """Its tokenizer, padding on the left."""
    library: VectorLibrary
    """The vectors in use."""
    rendered_already: bool = False
    """Whether turns come as the model wants them."""
    special: bool | None = None
    """Whether the tokenizer puts its special tokens before a rendered turn; None: where it has no
    chat template, since a template brings its own."""

    def rendered(self, turn: str) -> str:
        """A user turn as the model wants it: through its chat template if it has one."""
        if not self.rendered_already and getattr(self.tokenizer, "chat_template", None):
            messages = [{"role": "user", "content": turn}]
            return str(
                self.tokenizer.apply_chat_template(
                    messages, tokenize=False, add_generation_prompt=True
                )
            )
        return turn

    @property
    def adds_special(self) -> bool:
        """Whether the tokenizer puts its special tokens before a rendered turn."""
        if self.special is not None:
            return self.special
        return not getattr(self.tokenizer, "chat_template", None)

    def encode(self, texts: Sequence[str]) -> Any:
        """Token ids and mask, padded on the left, on the model's device."""
        batch = self.tokenizer(
            list(texts), return_tensors="pt", padding=True, add_special_tokens=self.adds_special
        )
        return batch["input_ids"].to(self.model.device), batch["attention_mask"].to(
            self.model.device
        )


@dataclass(frozen=True)
class Sampling:
    """How many answers each query gets, and how they are drawn.

    Raises:
        ValueFlowError: for fewer than one, a negative temperature, or several that would be alike.
    """

    samples: int = 1
    """Answers per query."""
    temperature: float = 0.0
    """0: greedy."""
    seed: int = 0
    """Of what is drawn."""

    @property
    def told(self) -> str:
        """In words, to follow a number of queries; empty for one greedy answer each."""
        if not self.temperature:
            return ""
        answers = "an answer" if self.samples == 1 else f"{self.samples} answers"
        return f" with {answers} each at temperature {self.temperature:g}"

    def __post_init__(self) -> None:
        """Refuse what cannot be meant."""
        if self.samples < 1 or not 0 <= self.temperature < math.inf:
            raise ValueFlowError(
                f"samples={self.samples}, temperature={self.temperature:g}: give at least one "
                "answer per query, and a temperature of 0 (greedy) or more"
            )
        if self.samples > 1 and self.temperature == 0:
            raise ValueFlowError(
                f"samples={self.samples} at temperature 0 are all alike: give a temperature "
                "above 0, as the runs will have it, or one answer per query"
            )


GREEDY = Sampling()


def load_model(name: str, *, device: str | None = None, dtype: str = "auto", **rest: Any) -> Loaded:
    """A model and its tokenizer, ready for batches.

    Args:
        name: Hub name, path, or `bundled`.
        device: Such as `cpu` or `cuda`; None: CUDA if there is one.
        dtype: As `from_pretrained` takes it.
        rest: For `from_pretrained`; what says where the model comes from holds for its tokenizer.

    Raises:
        ValueFlowError: without torch or transformers, or for a device beside a `device_map`.
    """
    check_installed()
    placed = rest.get("device_map") is not None
    if placed and device is not None:
        raise ValueFlowError(
            f"device={device!r} and device_map={rest['device_map']!r} both say where the model "
            "goes: give one of them"
        )
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    path = model_path(name)
    model: Any = AutoModelForCausalLM.from_pretrained(path, dtype=dtype, **rest)
    # A map of one device leaves no trace in the model; quantisers place what they make.
    placed |= hasattr(model, "hf_device_map") or getattr(model, "hf_quantizer", None) is not None
    if not placed:
        model = model.to(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    origin = {name: rest[name] for name in _ORIGIN if name in rest}
    tokenizer = AutoTokenizer.from_pretrained(path, **origin)
    tokenizer.padding_side = "left"
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return Loaded(model.eval().requires_grad_(False), tokenizer, VectorLibrary())


def answer(
    loaded: Loaded,
    turns: Sequence[str],
    specs: Sequence[SteeringSpec | None] | None = None,
    *,
    batch_size: int = 32,
    max_new_tokens: int = 160,
    sampling: Sampling = GREEDY,
) -> list[str]:
    """Answers to user turns; the same call gives the same answers.

    Args:
        loaded: The model.
        turns: User turns, steering prompt included.
        specs: What steers each by vector; None: nothing.
        batch_size: Rows per batch; specs are mixed in it.
        max_new_tokens: Longest answer.
        sampling: Its temperature and seed; `samples` is the caller's, who repeats the turns.

    Returns:
        One answer per turn, in order.
    """
    import torch

    given = list(specs) if specs is not None else [None] * len(turns)
    rendered = [loaded.rendered(turn) for turn in turns]
    # Longest first: rows of a batch are then alike, and memory runs out at once or never.
    order = sorted(range(len(turns)), key=lambda index: -len(rendered[index]))
    answers = [""] * len(turns)
    drawn: dict[str, Any] = {"do_sample": False}
    if sampling.temperature:
        # As `valueflow/hf` samples: from the whole vocabulary, `top_p` as the model ships it.
        drawn = {"do_sample": True, "temperature": sampling.temperature, "top_k": 0}
    config = {"max_new_tokens": max_new_tokens, **drawn}
    with torch.random.fork_rng():  # draws depend on none before them, and disturb nobody's
        torch.manual_seed(sampling.seed)
        for start in range(0, len(order), batch_size):
            rows = order[start : start + batch_size]
            texts = _batch(loaded, [rendered[i] for i in rows], [given[i] for i in rows], config)
            for row, text in zip(rows, texts, strict=True):
                answers[row] = text
    return answers


def _batch(
    loaded: Loaded,
    rendered: Sequence[str],
    specs: Sequence[SteeringSpec | None],
    config: Mapping[str, Any],
) -> list[str]:
    """Answers to rendered turns, all at once."""
    import torch

    ids, mask = loaded.encode(rendered)
    with torch.inference_mode(), steer_rows(loaded.model, specs, loaded.library):
        out = loaded.model.generate(
            input_ids=ids,
            attention_mask=mask,
            **config,
            pad_token_id=loaded.tokenizer.pad_token_id,
        )
    new = out[:, ids.shape[1] :]
    return list(loaded.tokenizer.batch_decode(new, skip_special_tokens=True))


def model_name(loaded: Loaded) -> str:
    """What the model calls itself; of a local path its short name."""
    return short_name(str(getattr(loaded.model, "name_or_path", "") or ""))


def short_name(model: str) -> str:
    """A hub name, also from a path in the hub's cache; of another local path the last part."""
    path = model_path(model)
    named = hub_name(path)
    if named != path:
        return named
    return last_part(path) if path and Path(path).is_dir() else model
