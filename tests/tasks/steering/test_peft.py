"""PEFT adapters: exact where a bias can steer, refused where it cannot."""

from __future__ import annotations

import json
import warnings

import pytest
import torch
from valueflow_scorers import ValueFlowError

from valueflow_tasks.steering import export_peft, import_peft, steer

CLOSE = {"atol": 1e-5, "rtol": 0.0}
EXACT_PEFT = (
    "llama",
    "qwen2",
    "qwen3",
    "mistral",
    "gemma",
    "phi",
    "phi3",
    "gpt_neox",
    "gpt2",
    "olmo",
)


@pytest.mark.parametrize("family", EXACT_PEFT)
def test_peft_itself_gives_the_steered_logits(make_model, family, doses, tokens, pad, tmp_path):
    peft = pytest.importorskip("peft")
    model, (vectors, coefficients) = make_model(family), doses
    ids, mask = pad([tokens(1, n, seed=n)[0] for n in (3, 6)], "right")
    with torch.no_grad(), steer(model, vectors, coefficients):
        expected = model(ids, attention_mask=mask).logits
    export_peft(tmp_path, model, vectors, coefficients)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that such an adapter cannot be merged
        adapted = peft.PeftModel.from_pretrained(model, tmp_path).eval()
    with torch.no_grad():
        got = adapted(ids, attention_mask=mask).logits
    torch.testing.assert_close(got[mask.bool()], expected[mask.bool()], **CLOSE)


def test_a_peft_model_is_steered_like_its_base(make_model, vector, tokens, tmp_path, steered):
    peft = pytest.importorskip("peft")
    model, ids = make_model("llama"), tokens(2, 5)
    both = steered(model, ids, [vector(1), vector(2)], [0.5, -0.3])
    export_peft(tmp_path, model, [vector(1)], [0.5])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        adapted = peft.PeftModel.from_pretrained(model, tmp_path).eval()
    torch.testing.assert_close(steered(adapted, ids, [vector(2)], [-0.3]), both, **CLOSE)
    rest = {"max_new_tokens": 3, "attention_mask": torch.ones_like(ids), "do_sample": False}
    with steer(adapted, [vector(2)], [[9.0], [0.0]], scope="response"):
        made = adapted.generate(input_ids=ids, **rest)
    assert made[1].tolist() == adapted.generate(input_ids=ids, **rest)[1].tolist()


@pytest.mark.parametrize(
    ("family", "reason"),
    [
        ("gemma2", "post_feedforward_layernorm would rescale"),
        ("gemma3", "post_feedforward_layernorm would rescale"),
        ("olmo2", "post_feedforward_layernorm would rescale"),
        ("mixtral", "mixture of experts"),
        ("qwen2_moe", "mixture of experts"),
        ("qwen3_moe", "mixture of experts"),
    ],
)
def test_families_where_a_bias_is_wrong_are_refused(make_model, family, reason, vector, tmp_path):
    with pytest.raises(ValueFlowError, match=reason):
        export_peft(tmp_path / "v", make_model(family), [vector(1)], [0.5])
    assert not (tmp_path / "v").exists()


def test_a_family_nobody_listed_is_caught_by_running_it(make_model, vector, tmp_path):
    """Granite multiplies what its layers add: nothing in its names says so."""
    import transformers

    config = transformers.GraniteConfig(
        vocab_size=61, hidden_size=32, num_hidden_layers=3, num_attention_heads=4,
        num_key_value_heads=2, intermediate_size=48, residual_multiplier=0.25,
    )  # fmt: skip
    model = transformers.GraniteForCausalLM(config).train()
    with pytest.raises(ValueFlowError, match="something stands between"):
        export_peft(tmp_path, model, [vector(1)], [0.5])
    assert model.training
    assert not model.model.layers[1]._forward_hooks


def test_peft_holds_constants_only(llama, vector, tmp_path):
    for rest in ({"scope": "response"}, {"operator": "ablate"}):
        with pytest.raises(ValueFlowError, match="scope='all' and operator='add' only"):
            export_peft(tmp_path, llama, [vector(1)], [0.5], **rest)


def test_adapters_that_change_weights_are_no_vectors(llama, vector, tmp_path):
    from safetensors.torch import load_file, save_file

    export_peft(tmp_path, llama, [vector(1)], [0.5])
    tensors = load_file(tmp_path / "adapter_model.safetensors")
    name = next(name for name in tensors if "lora_A" in name)
    tensors[name] += 1
    save_file(tensors, tmp_path / "adapter_model.safetensors")
    with pytest.raises(ValueFlowError, match="changes weights"):
        import_peft(tmp_path)
    with pytest.raises(ValueFlowError, match="no PEFT adapter"):
        import_peft(tmp_path / "nowhere")


def test_the_adapter_names_its_base_model(make_model, vector, tmp_path):
    model = make_model("gpt2")
    model.name_or_path = model.config._name_or_path = "org/one"
    export_peft(tmp_path, model, [vector(1)], [0.5])
    config = json.loads((tmp_path / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == "org/one"
    assert config["lora_bias"]
    assert config["lora_alpha"] == config["r"]
    assert import_peft(tmp_path).vectors[0].model_id == "org/one"


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"use_rslora": True, "r": 16}, None),
        ({"alpha_pattern": {"down_proj": 4}}, None),
        ({}, "self_attn.o_proj"),
        ({}, "self_attn.q_proj"),
        ({"r": 0}, None),
    ],
    ids=["rslora", "alpha pattern", "output projection", "query projection", "rank 0"],
)
def test_adapters_that_add_something_else_are_no_vectors(llama, vector, tmp_path, change, place):
    from safetensors.torch import load_file, save_file

    export_peft(tmp_path, llama, [vector(1)], [0.5])
    config = tmp_path / "adapter_config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), **change}))
    weights = tmp_path / "adapter_model.safetensors"
    tensors = load_file(weights)
    if place:
        tensors = {name.replace("mlp.down_proj", place): one for name, one in tensors.items()}
    save_file(tensors, weights)
    with pytest.raises(ValueFlowError, match=str(tmp_path)):
        import_peft(tmp_path)


@pytest.mark.parametrize("name", ["adapter_config.json", "adapter_model.safetensors"])
def test_adapters_that_cannot_be_read_say_so(llama, vector, tmp_path, name):
    export_peft(tmp_path, llama, [vector(1)], [0.5])
    (tmp_path / name).write_text("{")
    with pytest.raises(ValueFlowError, match="cannot be read as a PEFT"):
        import_peft(tmp_path)


def test_virtual_tokens_hide_where_the_prompt_ends(make_model, vector, tokens):
    peft = pytest.importorskip("peft")
    config = peft.PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=4)
    adapted, ids = peft.get_peft_model(make_model("llama"), config).eval(), tokens(1, 3)
    with (
        pytest.raises(ValueFlowError, match="virtual tokens"),
        steer(adapted, [vector(1)], [0.5], scope="response"),
    ):
        pass
    with torch.no_grad(), steer(adapted, [vector(1)], [0.5]):
        adapted(ids)
