"""What steer() does: operators, units, contexts, kinds of models."""

from __future__ import annotations

import pytest
import torch
from valueflow_scorers import ValueFlowError

from valueflow_tasks.steering import export_peft, steer

CLOSE = {"atol": 1e-5, "rtol": 0.0}


def outputs(model, ids, layer=1):
    """What a layer hands on, recorded behind the steering."""
    seen = []
    hook = model.model.layers[layer].register_forward_hook(lambda m, a, out: seen.append(out))
    with torch.no_grad():
        model(ids)
    hook.remove()
    return seen[0]


@pytest.fixture
def run(llama, tokens):
    ids = tokens(2, 5)

    def state(vectors, doses, **rest):
        with steer(llama, vectors, doses, **rest):
            return outputs(llama, ids)

    return state


def test_add_sums_vectors_and_layers(run, vector):
    one, two = vector(1), vector(1, seed=3)
    plain = run([], [])
    expected = plain + 3.0 * (0.5 * one.direction - 2.0 * two.direction)
    torch.testing.assert_close(run([one, two], [0.5, -2.0]), expected, **CLOSE)


def test_unit_raw_is_a_length(run, vector):
    torch.testing.assert_close(run([vector(1)], [6.0], unit="raw"), run([vector(1)], [2.0]))


def test_project_sets_the_component(run, vector):
    v = vector(1)
    for dose in (0.0, 0.7, -2.0):
        state = run([v], [dose], operator="project")
        torch.testing.assert_close(state @ v.direction, torch.full((2, 5), 3.0 * dose), **CLOSE)
    across = torch.eye(len(v.direction)) - torch.outer(v.direction, v.direction)
    torch.testing.assert_close(state @ across, run([], []) @ across, **CLOSE)


def test_ablate_takes_a_share_of_the_component(run, vector):
    v = vector(1, residual_norm=None)
    before = run([], []) @ v.direction
    for share in (0.25, 1.0):
        state = run([v], [share], operator="ablate")
        torch.testing.assert_close(state @ v.direction, (1 - share) * before, **CLOSE)
    for share in (-0.1, 1.5):
        with pytest.raises(ValueFlowError, match="0 to 1"):
            run([v], [share], operator="ablate")


def angle(state, v):
    return torch.acos((state @ v) / state.norm(dim=-1))


def test_rotate_turns_by_the_angle_and_keeps_the_norm(run, vector):
    v = vector(1, residual_norm=None)
    plain = run([], [])
    for turn in (0.3, -0.3):
        state = run([v], [turn], operator="rotate")
        torch.testing.assert_close(state.norm(dim=-1), plain.norm(dim=-1), **CLOSE)
        wanted = angle(plain, v.direction) - turn
        torch.testing.assert_close(angle(state, v.direction), wanted, atol=1e-4, rtol=0)


def test_rotate_stops_at_the_direction(run, vector):
    v = vector(1)
    norm = run([], []).norm(dim=-1, keepdim=True)
    torch.testing.assert_close(run([v], [9.0], operator="rotate"), norm * v.direction, **CLOSE)
    torch.testing.assert_close(run([v], [-9.0], operator="rotate"), -norm * v.direction, **CLOSE)


def test_rotate_leaves_what_has_no_plane(run, vector):
    from valueflow_tasks.steering._operators import rotate

    v = torch.zeros(8)
    v[0] = 1.0
    x = torch.stack([torch.zeros(8), 2 * v])[None]
    assert torch.equal(rotate(x, v, torch.full((1, 1, 1), 0.5)), x)


def test_vectors_of_a_layer_act_in_order(run, vector):
    one, two = vector(1), vector(1, seed=3)
    state = run([one, two], [1.0, 2.0], operator="project")
    torch.testing.assert_close(state @ two.direction, torch.full((2, 5), 6.0), **CLOSE)


def test_contexts_nest(llama, run, vector, tokens):
    one, two = vector(1), vector(1, seed=3)
    with steer(llama, [one], [0.5]):
        nested = run([two], [-1.0])
        outer = run([], [])
    torch.testing.assert_close(nested, run([one, two], [0.5, -1.0]), **CLOSE)
    torch.testing.assert_close(outer, run([one], [0.5]), **CLOSE)
    with (
        steer(llama, [one], [[0.5], [None]]),
        steer(llama, [two], [[None], [1.0]], operator="ablate"),
    ):
        mixed = outputs(llama, tokens(2, 5))
    torch.testing.assert_close(mixed[0], run([one], [0.5])[0], **CLOSE)
    torch.testing.assert_close(mixed[1], run([two], [1.0], operator="ablate")[1], **CLOSE)


@pytest.mark.parametrize("operator", ["add", "project", "ablate", "rotate"])
def test_bfloat16_models_keep_their_type_and_weights(make_model, vector, tokens, operator):
    model = make_model("llama").to(torch.bfloat16)
    weights = {name: weight.clone() for name, weight in model.named_parameters()}
    ids, v = tokens(2, 4), vector(1)
    with torch.no_grad(), steer(model, [v], [[0.9], [0.0]], operator=operator):
        steered = model(ids).logits
        state = outputs(model, ids)
    assert steered.dtype == state.dtype == torch.bfloat16
    plain = model(ids).logits
    assert not torch.equal(steered[0], plain[0])
    if operator != "project":
        assert torch.equal(steered[1], plain[1])
    assert all(torch.equal(weights[name], weight) for name, weight in model.named_parameters())


def test_gradients_flow_through_even_after_inference_mode(make_model, vector, tokens):
    model = make_model("llama").requires_grad_(True)
    ids = tokens(1, 4)
    for operator in ("add", "rotate"):
        with steer(model, [vector(1)], [0.5], operator=operator):
            with torch.inference_mode():
                model(ids)
            model(ids).logits.sum().backward()
    assert model.model.layers[0].mlp.down_proj.weight.grad.abs().sum() > 0


def test_layers_that_return_tuples(llama, vector, tokens, logits):
    """As transformers 4 and remote code do."""
    ids, v = tokens(2, 4), vector(1)
    with steer(llama, [v], [0.5]):
        expected = logits(llama, ids)
    pack = llama.model.layers[1].register_forward_hook(lambda m, a, out: (out, "extra"))
    kept = []

    def unpack(module, args, output):
        kept.append(output)
        return output[0]

    try:
        with steer(llama, [v], [0.5]):
            # Ahead of the steering lies what makes the tuple, behind it what opens it.
            llama.model.layers[1]._forward_hooks.move_to_end(pack.id, last=False)
            open_ = llama.model.layers[1].register_forward_hook(unpack)
            got = logits(llama, ids)
            open_.remove()
    finally:
        pack.remove()
    assert kept[0][1] == "extra"
    assert torch.equal(got, expected)


def test_offloaded_models_are_steered(make_model, vector, tokens, logits, tmp_path):
    """Weights that accelerate fetches layer by layer, as device_map does."""
    accelerate = pytest.importorskip("accelerate")
    model, ids = make_model("llama"), tokens(2, 4)
    with steer(model, [vector(1)], [0.5]):
        expected = logits(model, ids)
    accelerate.cpu_offload(model, execution_device=torch.device("cpu"))
    with steer(model, [vector(1)], [0.5]):
        assert torch.equal(logits(model, ids), expected)
    export_peft(tmp_path, model, [vector(1)], [0.5])


def test_layers_that_return_something_else_are_refused(llama, vector, tokens):
    pack = llama.model.layers[1].register_forward_hook(lambda m, a, out: {"hidden": out})
    try:
        with steer(llama, [vector(1)], [0.5]):
            llama.model.layers[1]._forward_hooks.move_to_end(pack.id, last=False)
            with pytest.raises(ValueFlowError, match="dict"):
                llama(tokens(1, 3))
    finally:
        pack.remove()
