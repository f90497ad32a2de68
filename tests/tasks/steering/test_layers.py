"""Finding the decoder layers."""

from __future__ import annotations

import pytest
import torch
import transformers
from torch import nn
from valueflow_scorers import ValueFlowError

from valueflow_tasks.steering import find_decoder, steer


def test_layers_are_found_in_every_family(any_model):
    decoder = find_decoder(any_model)
    assert len(decoder.layers) == 3
    assert decoder.d_model == 32
    assert decoder.owner is any_model.base_model
    assert find_decoder(any_model, decoder.path).layers == decoder.layers


def test_a_bare_base_model_is_steered_too(make_model, vector, tokens):
    ids = tokens(1, 4)
    for family in ("llama", "gpt2"):
        base = make_model(family).base_model
        plain = base(ids).last_hidden_state
        with steer(base, [vector(1)], [1.0]):
            assert not torch.equal(base(ids).last_hidden_state, plain)


def test_wrappers_are_looked_through(make_model, vector, tokens, logits):
    model, ids = make_model("llama"), tokens(1, 4)
    with steer(model, [vector(1)], [1.0]):
        expected = logits(model, ids)
    parallel = nn.DataParallel(model)
    with steer(parallel, [vector(1)], [1.0]):
        assert torch.equal(logits(model, ids), expected)
    compiled = torch.compile(model, backend="eager")
    assert find_decoder(compiled).model is model


def test_another_revision_is_said_once(make_model, vector, caplog):
    model = make_model("llama")
    model.config._commit_hash = "b" * 40
    for revision in ("b" * 40, ""):
        with steer(model, [vector(1, model_revision=revision)], [1.0]):
            pass
    assert not caplog.records
    for _ in range(2):
        with steer(model, [vector(1, model_revision="a" * 40)], [1.0]):
            pass
    (said,) = caplog.messages
    assert "aaaa" in said
    assert "bbbb" in said


def test_the_language_part_of_an_image_model_is_found():
    text = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "head_dim": 8}
    sizes = {"intermediate_size": 16, "num_key_value_heads": 1, "vocab_size": 50}
    vision = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = transformers.Gemma3Config(
        text_config={**text, **sizes}, vision_config={**vision, "intermediate_size": 16}
    )
    with torch.device("meta"):
        model = transformers.Gemma3ForConditionalGeneration(config)
    decoder = find_decoder(model)
    assert decoder.path == "model.language_model.layers"
    assert decoder.d_model == 16


class Other(nn.Module):
    """Remote code: no known path."""

    def __init__(self, **lists: int) -> None:
        super().__init__()
        self.config = transformers.LlamaConfig(
            hidden_size=8, num_hidden_layers=3, num_attention_heads=2
        )
        self.core = nn.Module()
        for name, length in lists.items():
            setattr(self.core, name, nn.ModuleList(nn.Linear(8, 8) for _ in range(length)))


def test_unknown_models_are_searched_by_depth():
    assert find_decoder(Other(steps=3, heads=2)).path == "core.steps"
    assert find_decoder(Other(steps=3, heads=3), "core.heads").path == "core.heads"
    with pytest.raises(ValueFlowError, match=r"layers= one of core\.steps, core\.heads"):
        find_decoder(Other(steps=3, heads=3))
    with pytest.raises(ValueFlowError, match="cannot tell where the 3 decoder layers"):
        find_decoder(Other(steps=4))


def test_a_path_without_layers_is_refused_with_those_that_have(llama):
    for path in ("model.blocks", "model.norm"):
        with pytest.raises(ValueFlowError, match=f"'{path}': give layers= one of model.layers"):
            find_decoder(llama, path)


def test_encoder_decoders_are_refused():
    sizes = {"d_model": 8, "num_layers": 1, "num_heads": 1, "d_kv": 8, "d_ff": 8, "vocab_size": 9}
    model = transformers.T5ForConditionalGeneration(transformers.T5Config(**sizes))
    with pytest.raises(ValueFlowError, match="encoder-decoder"):
        find_decoder(model)
