"""Tiny random models of every family that is steered, built from configurations."""

from __future__ import annotations

import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import pytest

from valueflow_tasks.steering import SteeringVector, steer

if find_spec("torch") and find_spec("transformers"):
    import torch
    import transformers

    torch.set_num_threads(1)
else:  # without the extra `hf` there is nothing to steer
    collect_ignore_glob = ["test_*.py"]

WIDTH, DEPTH, VOCABULARY = 32, 3, 61
BASE = {
    "vocab_size": VOCABULARY,
    "hidden_size": WIDTH,
    "num_hidden_layers": DEPTH,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "intermediate_size": 48,
    "max_position_embeddings": 64,
    "initializer_range": 0.2,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": None,
    "head_dim": 8,
}
GPT2 = {"n_embd": WIDTH, "n_layer": DEPTH, "n_head": 4, "n_positions": 64}
EXPERTS = {"moe_intermediate_size": 24, "num_experts": 4, "num_experts_per_tok": 2}
FAMILIES: dict[str, tuple[str, dict[str, Any]]] = {
    "llama": ("Llama", {}),
    "qwen2": ("Qwen2", {}),
    "qwen3": ("Qwen3", {}),
    "mistral": ("Mistral", {}),
    "gemma": ("Gemma", {}),
    "gemma2": ("Gemma2", {}),
    "gemma3": ("Gemma3Text", {}),
    "phi": ("Phi", {}),
    "phi3": ("Phi3", {}),
    "gpt_neox": ("GPTNeoX", {}),
    "gpt2": ("GPT2", GPT2),
    "olmo": ("Olmo", {}),
    "olmo2": ("Olmo2", {}),
    "mixtral": ("Mixtral", {"num_local_experts": 4}),
    "qwen2_moe": ("Qwen2Moe", {**EXPERTS, "shared_expert_intermediate_size": 24}),
    "qwen3_moe": ("Qwen3Moe", EXPERTS),
}
RECURRENT: dict[str, tuple[str, dict[str, Any]]] = {
    "mamba": ("Mamba", {"state_size": 8}),
    "minimax": (
        "MiniMax",
        {
            "num_local_experts": 2,
            "layer_types": ["linear_attention", "full_attention", "linear_attention"],
            "block_size": 4,
        },
    ),
}
"""Their states do not count the tokens that went into them."""
CLASSES = {"gemma3": "Gemma3ForCausalLM", "gpt2": "GPT2LMHeadModel"}
MIXTURES = ("mixtral", "qwen2_moe", "qwen3_moe")
FEW = ("llama", "gpt2", "gpt_neox", "gemma2", "phi3", "qwen3")
"""Differ in position encoding, norms, block layout and fused projections."""

_built: dict[str, Any] = {}


def build(family: str) -> Any:
    name, extra = {**FAMILIES, **RECURRENT}[family]
    config = getattr(transformers, f"{name}Config")(**{**BASE, **extra})
    torch.manual_seed(0)
    kind = getattr(transformers, CLASSES.get(family, f"{name}ForCausalLM"))
    model = kind(config).eval().requires_grad_(False)
    model.generation_config.pad_token_id = 0
    return model


@pytest.fixture
def make_model() -> Callable[[str], Any]:
    """A new model of a family; all models of a family have the same weights."""
    return build


def _shared(family: str) -> Any:
    if family not in _built:
        _built[family] = build(family)
    return _built[family]


@pytest.fixture(params=tuple(FAMILIES))
def any_model(request: pytest.FixtureRequest) -> Any:
    model = _shared(request.param)
    model.is_mixture = request.param in MIXTURES
    yield model
    assert_clean(model)


@pytest.fixture(params=FEW)
def model(request: pytest.FixtureRequest) -> Any:
    yield (model := _shared(request.param))
    assert_clean(model)


@pytest.fixture
def llama() -> Any:
    yield (model := _shared("llama"))
    assert_clean(model)


def assert_clean(model: Any) -> None:
    """No trace of steering is left, whatever the test did."""
    for name, module in model.named_modules():
        ours = [
            hook
            for hooks in (module._forward_hooks, module._forward_pre_hooks)
            for hook in hooks.values()
            if "valueflow" in getattr(hook, "__module__", "")
        ]
        assert not ours, f"hooks left on {name}: {ours}"
    assert "generate" not in model.__dict__


@pytest.fixture
def vector() -> Callable[..., SteeringVector]:
    """A random unit vector, the same for the same layer and seed."""

    def make(layer: int = 1, seed: int = 0, **rest: Any) -> SteeringVector:
        generator = torch.Generator().manual_seed(97 * layer + seed)
        rest.setdefault("residual_norm", 3.0)
        return SteeringVector(torch.randn(WIDTH, generator=generator), layer, **rest)

    return make


@pytest.fixture
def tokens() -> Callable[..., torch.Tensor]:
    """Random token ids, none of them the padding token, [rows, width]."""

    def make(rows: int, width: int, seed: int = 0) -> torch.Tensor:
        generator = torch.Generator().manual_seed(seed)
        return torch.randint(3, VOCABULARY, (rows, width), generator=generator)

    return make


def positions(mask: torch.Tensor) -> torch.Tensor:
    return (mask.cumsum(1) - 1).clamp(min=0)


@pytest.fixture
def logits() -> Callable[..., torch.Tensor]:
    """Logits of a batch, with positions that do not count padding."""

    def run(model: Any, ids: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        with torch.no_grad():
            if mask is None:
                return model(ids).logits
            return model(ids, attention_mask=mask, position_ids=positions(mask)).logits

    return run


@pytest.fixture
def pad() -> Callable[..., tuple[torch.Tensor, torch.Tensor]]:
    """Rows of different lengths as one batch with its attention mask."""

    def make(rows: list[torch.Tensor], side: str) -> tuple[torch.Tensor, torch.Tensor]:
        width = max(len(row) for row in rows)
        ids = torch.zeros(len(rows), width, dtype=torch.long)
        mask = torch.zeros_like(ids)
        for index, row in enumerate(rows):
            place = slice(width - len(row), None) if side == "left" else slice(0, len(row))
            ids[index, place], mask[index, place] = row, 1
        return ids, mask

    return make


@pytest.fixture
def doses(vector):
    """Two layers, one of them with two vectors: what every format has to sum."""
    return [vector(1), vector(2), vector(2, seed=4)], [0.5, -0.3, 0.2]


@pytest.fixture
def steered() -> Callable[..., torch.Tensor]:
    """Logits of a batch under steering."""

    def run(model: Any, ids: Any, vectors: Any, coefficients: Any, **rest: Any) -> torch.Tensor:
        with torch.no_grad(), steer(model, vectors, coefficients, **rest):
            return model(ids).logits

    return run
