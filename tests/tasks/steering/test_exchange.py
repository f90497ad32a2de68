"""Round trips through the formats of other tools, and what they cannot hold."""

from __future__ import annotations

import sys

import pytest
import torch
from valueflow_scorers import ValueFlowError

from valueflow_tasks.steering import (
    SteeringVector,
    export_gguf,
    export_lm_eval,
    export_peft,
    import_gguf,
    import_lm_eval,
    import_peft,
)

CLOSE = {"atol": 1e-5, "rtol": 0.0}


def test_native_files_change_no_bit(model, doses, tokens, tmp_path, steered):
    vectors, coefficients = doses
    paths = [v.save(tmp_path / f"{i}.safetensors") for i, v in enumerate(vectors)]
    expected = steered(model, tokens(2, 5), vectors, coefficients)
    loaded = [SteeringVector.load(path) for path in paths]
    assert torch.equal(steered(model, tokens(2, 5), loaded, coefficients), expected)


@pytest.mark.parametrize("form", ["gguf", "lm-eval", "peft"])
@pytest.mark.parametrize("family", ["llama", "gpt2", "gpt_neox"])
def test_a_round_trip_keeps_the_logits(make_model, family, doses, tokens, tmp_path, form, steered):
    model, (vectors, coefficients), ids = make_model(family), doses, tokens(2, 5)
    if form == "gguf":
        pytest.importorskip("gguf")
        read = import_gguf(export_gguf(tmp_path / "v.gguf", vectors, coefficients))
    elif form == "lm-eval":
        read = import_lm_eval(export_lm_eval(tmp_path / "v.pt", model, vectors, coefficients))
    else:
        read = import_peft(export_peft(tmp_path / "v", model, vectors, coefficients))
    assert [v.layer for v in read.vectors] == [1, 2]
    assert {v.method for v in read.vectors} == {form}
    got = steered(model, ids, read.vectors, read.coefficients, unit="raw", operator=read.operator)
    expected = steered(model, ids, vectors, coefficients)
    torch.testing.assert_close(got, expected, **CLOSE)
    assert not torch.allclose(expected, steered(model, ids, [], []), **CLOSE)


# GGUF


def test_a_missing_package_is_named(monkeypatch, vector, tmp_path):
    monkeypatch.setitem(sys.modules, "gguf", None)
    with pytest.raises(ValueFlowError, match="pip install gguf"):
        export_gguf(tmp_path / "v.gguf", [vector(1)], [1.0])


def test_gguf_is_what_llama_cpp_and_repeng_read(doses, tmp_path):
    gguf = pytest.importorskip("gguf")
    vectors, coefficients = doses
    path = export_gguf(tmp_path / "v.gguf", vectors, coefficients, model_hint="llama")
    reader = gguf.GGUFReader(path)
    assert reader.get_field("general.architecture").contents() == "controlvector"
    assert reader.get_field("controlvector.model_hint").contents() == "llama"
    assert reader.get_field("controlvector.layer_count").contents() == 2
    assert [tensor.name for tensor in reader.tensors] == ["direction.1", "direction.2"]
    for tensor in reader.tensors:
        assert tensor.tensor_type == gguf.GGMLQuantizationType.F32
        assert tensor.data.shape == (32,)
    expected = 3.0 * 0.5 * vectors[0].direction
    torch.testing.assert_close(torch.tensor(reader.tensors[0].data), expected)
    assert import_gguf(path).vectors[0].fit == {"model_hint": "llama"}
    assert import_gguf(path, model_id="org/one").vectors[0].model_id == "org/one"


def test_gguf_cannot_hold_layer_zero(vector, tmp_path):
    pytest.importorskip("gguf")
    with pytest.raises(ValueFlowError, match="layer 0"):
        export_gguf(tmp_path / "v.gguf", [vector(0)], [1.0])
    export_gguf(tmp_path / "v.gguf", [vector(0), vector(1)], [0.0, 1.0])
    with pytest.raises(ValueFlowError, match="scope='all' and operator='add' only"):
        export_gguf(tmp_path / "v.gguf", [vector(1)], [1.0], operator="project")


def test_files_that_are_no_control_vectors_are_refused(tmp_path):
    gguf = pytest.importorskip("gguf")
    with pytest.raises(ValueFlowError, match="no control vector at"):
        import_gguf(tmp_path / "missing.gguf")
    (tmp_path / "text").write_text("no, this is only text and not a GGUF file at all")
    with pytest.raises(ValueFlowError, match="not a GGUF file"):
        import_gguf(tmp_path / "text")
    writer = gguf.GGUFWriter(tmp_path / "m.gguf", "llama")
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
    with pytest.raises(ValueFlowError, match="architecture 'llama'"):
        import_gguf(tmp_path / "m.gguf")


# lm-eval


def reference(x, info):
    """What lm-eval 0.4.13 does with an entry (hf_steered.py, add and clamp)."""
    if info["action"] == "add":
        return x + info["steering_vector"] * info["steering_coefficient"]
    direction = info["steering_vector"] / info["steering_vector"].norm()
    component = (x * direction).sum(-1, keepdim=True)
    return x + direction * (info["steering_coefficient"] - component)


@pytest.mark.parametrize("operator", ["add", "project"])
def test_lm_eval_does_with_its_file_what_steer_does(
    model, vector, tokens, tmp_path, operator, steered
):
    vectors, coefficients, ids = [vector(0), vector(2)], [0.5, -0.4], tokens(2, 5)
    expected = steered(model, ids, vectors, coefficients, operator=operator)
    path = export_lm_eval(tmp_path / "v.pt", model, vectors, coefficients, operator=operator)
    content = torch.load(path, weights_only=True)
    handles = []
    for name, module in model.base_model.named_modules():
        if name in content:
            info = content.pop(name)
            handles.append(
                module.register_forward_hook(lambda m, a, x, info=info: reference(x, info))
            )
    assert not content, "hook points that lm-eval cannot resolve"
    with torch.no_grad():
        got = model(ids).logits
    for handle in handles:
        handle.remove()
    torch.testing.assert_close(got, expected, **CLOSE)
    read = import_lm_eval(path)
    assert read.operator == operator
    again = steered(model, ids, read.vectors, read.coefficients, unit="raw", operator=read.operator)
    torch.testing.assert_close(again, expected, **CLOSE)


def entry(**rest):
    return {"action": "add", "steering_vector": torch.ones(4), "steering_coefficient": 2.0, **rest}


def test_an_lm_eval_file_scales_add_by_the_stored_length(tmp_path):
    torch.save({"layers.3": entry(), "layers.12": entry()}, tmp_path / "v.pt")
    read = import_lm_eval(tmp_path / "v.pt", model_id="org/one")
    assert [v.layer for v in read.vectors] == [3, 12]
    assert read.coefficients == (4.0, 4.0)
    assert read.vectors[0].model_id == "org/one"
    torch.save({"h.3": entry(action="clamp")}, tmp_path / "v.pt")
    read = import_lm_eval(tmp_path / "v.pt")
    assert (read.coefficients, read.operator) == ((2.0,), "project")


class Harm:
    def __reduce__(self):
        return (print, ("harm",))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"layers.3": entry(bias=Harm())}, "could run code"),
        ({"layers.3.mlp": entry()}, "whole layer outputs"),
        ({"layers.3": entry(action="scale")}, "no action add or clamp"),
        ({"layers.3": entry(head_index=2)}, "single head"),
        ({"layers.3": entry(bias=torch.ones(4))}, "bias"),
        ({"layers.3": {"action": "add"}}, "no steering_vector"),
        ({"layers.3": entry(), "layers.4": entry(action="clamp")}, "mixes"),
        ({"layers.3": entry(steering_vector=torch.zeros(4))}, "zero"),
        ([], "no hook points"),
    ],
)
def test_lm_eval_files_that_cannot_be_read_are_refused(tmp_path, capsys, content, said):
    torch.save(content, tmp_path / "v.pt")
    with pytest.raises(ValueFlowError, match=said):
        import_lm_eval(tmp_path / "v.pt")
    assert "harm" not in capsys.readouterr().out


def test_what_lm_eval_cannot_hold_is_refused(llama, vector, tmp_path):
    path = tmp_path / "v.pt"
    for rest in ({"scope": "prompt"}, {"operator": "rotate"}):
        with pytest.raises(ValueFlowError, match="add or clamp"):
            export_lm_eval(path, llama, [vector(1)], [1.0], **rest)
    with pytest.raises(ValueFlowError, match="one direction per layer"):
        export_lm_eval(path, llama, [vector(1), vector(1)], [1.0, 1.0], operator="project")
    with pytest.raises(ValueFlowError, match="no lm-eval steering file"):
        import_lm_eval(path)


# all


@pytest.mark.parametrize("export", [export_gguf, export_lm_eval, export_peft])
def test_nothing_is_not_exported(llama, vector, tmp_path, export):
    if export is export_gguf:
        pytest.importorskip("gguf")
    args = (tmp_path / "v",) if export is export_gguf else (tmp_path / "v", llama)
    for vectors, coefficients in (
        ([], []),
        ([vector(1)], [0.0]),
        ([vector(1), vector(1)], [1.0, -1.0]),
    ):
        with pytest.raises(ValueFlowError, match="nothing to export"):
            export(*args, vectors, coefficients)
    with pytest.raises(ValueFlowError, match=r"coefficients \[n_vectors\]"):
        export(*args, [vector(1)], [[1.0]])
    with pytest.raises(ValueFlowError, match="no residual_norm"):
        export(*args, [vector(1, residual_norm=None)], [1.0])


@pytest.mark.parametrize("export", [export_lm_eval, export_peft])
def test_vectors_of_another_model_are_not_exported(llama, vector, tmp_path, export):
    with pytest.raises(ValueFlowError, match="belongs to a model of 9 layers"):
        export(tmp_path / "v", llama, [vector(1, n_layers=9)], [1.0])


@pytest.mark.parametrize(
    "points",
    [
        ["layers.1.mlp.experts.2"],
        ["layers.1", "vision_tower.layers.1"],
        ["1"],
    ],
)
def test_hook_points_other_than_the_layers_of_one_decoder_are_refused(tmp_path, points):
    entry = {"action": "add", "steering_vector": torch.ones(4), "steering_coefficient": 1.0}
    torch.save(dict.fromkeys(points, entry), tmp_path / "v.pt")
    with pytest.raises(ValueFlowError, match=r"whole layer outputs|one decoder"):
        import_lm_eval(tmp_path / "v.pt")


@pytest.mark.parametrize("entry", [{"steering_vector": "x"}, {"steering_coefficient": "much"}])
def test_hook_points_without_a_vector_and_a_number_are_refused(tmp_path, entry):
    whole = {"action": "add", "steering_vector": torch.ones(4), "steering_coefficient": 1.0}
    torch.save({"layers.1": {**whole, **entry}}, tmp_path / "v.pt")
    with pytest.raises(ValueFlowError, match="no vector and number"):
        import_lm_eval(tmp_path / "v.pt")
