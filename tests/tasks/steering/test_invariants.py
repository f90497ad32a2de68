"""What must always hold of steer(), on every family."""

from __future__ import annotations

import pytest
import torch
from valueflow_scorers import ValueFlowError

from valueflow_tasks.steering import steer

CLOSE = {"atol": 1e-5, "rtol": 0.0}


def test_adds_the_dose_at_the_layer_output(any_model, vector, tokens):
    ids, v = tokens(2, 5), vector(1)
    with torch.no_grad():
        plain = any_model.base_model(ids, output_hidden_states=True).hidden_states
        with steer(any_model, [v], [0.5]):
            steered = any_model.base_model(ids, output_hidden_states=True).hidden_states
    torch.testing.assert_close(steered[1], plain[1])
    expected = plain[2] + 0.5 * 3.0 * v.direction
    torch.testing.assert_close(steered[2], expected, **CLOSE)
    assert not torch.allclose(steered[3], plain[3])


def test_a_zero_batch_is_bit_equal_and_sets_no_hook(any_model, vector, tokens, logits):
    ids = tokens(2, 5)
    plain = logits(any_model, ids)
    before = {name: len(m._forward_hooks) for name, m in any_model.named_modules()}
    with steer(any_model, [vector(0), vector(2)], [[0.0, 0.0], [0.0, None]]):
        assert before == {name: len(m._forward_hooks) for name, m in any_model.named_modules()}
        assert "generate" not in any_model.__dict__
        assert torch.equal(logits(any_model, ids), plain)


def test_a_large_coefficient_moves_the_output(any_model, vector, tokens, logits):
    ids = tokens(2, 5)
    plain = logits(any_model, ids)
    with steer(any_model, [vector(1)], [20.0]):
        moved = logits(any_model, ids)
    assert (moved - plain).abs().max() > 0.5


def test_the_effect_grows_with_the_dose(any_model, vector, tokens, logits):
    ids = tokens(2, 5)
    plain = logits(any_model, ids)
    moved = []
    for dose in (0.05, 0.2, 0.8):
        with steer(any_model, [vector(2)], [dose]):
            moved.append(float((logits(any_model, ids) - plain).norm()))
    assert 0 < moved[0] < moved[1] < moved[2]


def test_a_row_of_a_mixed_batch_equals_the_row_alone(any_model, vector, tokens, logits):
    ids, vectors = tokens(4, 6), [vector(0), vector(1), vector(1, seed=5)]
    doses = [[0.3, 0.0, -0.7], [0.0, 0.0, 0.0], [-1.0, 0.5, 0.0], [0.0, None, 2.0]]
    with steer(any_model, vectors, doses):
        mixed = logits(any_model, ids)
    for row, dose in enumerate(doses):
        with steer(any_model, vectors, [dose]):
            alone = logits(any_model, ids[row : row + 1])
        torch.testing.assert_close(mixed[row : row + 1], alone, **CLOSE)
    if not any_model.is_mixture:  # a router batches tokens of all rows together
        assert torch.equal(mixed[1], logits(any_model, ids)[1])


@pytest.mark.parametrize("operator", ["project", "ablate", "rotate"])
def test_mixed_batches_hold_for_the_other_operators(model, vector, tokens, logits, operator):
    ids, vectors = tokens(3, 6), [vector(0), vector(2)]
    doses = [[0.3, None], [None, None], [1.0, 0.9]]
    with steer(model, vectors, doses, operator=operator):
        mixed = logits(model, ids)
    for row, dose in enumerate(doses):
        with steer(model, vectors, [dose], operator=operator):
            torch.testing.assert_close(
                mixed[row : row + 1], logits(model, ids[row : row + 1]), **CLOSE
            )
    assert torch.equal(mixed[1], logits(model, ids)[1])


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("scope", ["all", "prompt", "response"])
def test_padding_never_changes_a_row(any_model, vector, tokens, logits, pad, side, scope):
    rows = [tokens(1, n, seed=n)[0] for n in (3, 7, 5)]
    ids, mask = pad(rows, side)
    doses, lengths = [[0.9, 0.2], [0.0, 0.0], [-0.5, 1.0]], [2, 4, 3]
    vectors = [vector(0), vector(1)]
    with steer(any_model, vectors, doses, scope=scope, prompt_lengths=lengths):
        together = logits(any_model, ids, mask)
    for row, alone in enumerate(rows):
        with steer(any_model, vectors, doses[row], scope=scope, prompt_lengths=[lengths[row]]):
            expected = logits(any_model, alone[None])[0]
        torch.testing.assert_close(together[row][mask[row].bool()], expected, **CLOSE)


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("scope", ["all", "prompt", "response"])
def test_padding_itself_is_never_steered(model, vector, tokens, pad, side, scope):
    ids, mask = pad([tokens(1, n, seed=n)[0] for n in (3, 7)], side)
    lengths = [4, 8] if scope == "prompt" else [1, 1]  # every real token is in the scope
    where = {"scope": scope, "prompt_lengths": lengths}
    for operator, dose in (("add", 5.0), ("project", 5.0), ("ablate", 1.0), ("rotate", 1.0)):
        seen = []
        hook = model.base_model.get_submodule(_last(model)).register_forward_hook(
            lambda module, args, output, seen=seen: seen.append(output)
        )
        with torch.no_grad():
            model(ids, attention_mask=mask)
            with steer(model, [vector(2)], [dose], operator=operator, **where):
                model(ids, attention_mask=mask)
        hook.remove()
        hidden = mask == 0
        assert torch.equal(seen[0][hidden], seen[1][hidden])
        assert not torch.isclose(seen[0][~hidden], seen[1][~hidden]).all(-1).any()


def test_scope_response_starts_at_the_last_prompt_token(any_model, vector, tokens, logits):
    """Else a task that reads one letter after the prompt would run unsteered."""
    ids = tokens(2, 6)
    plain = logits(any_model, ids)
    with steer(any_model, [vector(1)], [1.0], scope="response", prompt_lengths=[6, 4]):
        steered = logits(any_model, ids)
    moved = (steered - plain).abs().amax(-1) > 1e-4
    assert moved.tolist() == [[False] * 5 + [True], [False] * 3 + [True] * 3]


def test_scopes_prompt_and_response_are_complements(model, vector, tokens):
    ids, v = tokens(2, 6), vector(2)
    states = {}
    for scope in ("all", "prompt", "response"):
        with torch.no_grad(), steer(model, [v], [1.0], scope=scope, prompt_lengths=[3, 5]):
            states[scope] = _output(model, ids)
    plain = _output(model, ids)
    parts = (states["prompt"] - plain) + (states["response"] - plain)
    torch.testing.assert_close(parts, states["all"] - plain, **CLOSE)


def test_hooks_are_gone_after_an_error(model, vector, tokens, logits):
    ids = tokens(1, 4)
    plain = logits(model, ids)
    with pytest.raises(RuntimeError, match="mine"), steer(model, [vector(1)], [1.0]):
        raise RuntimeError("mine")
    with pytest.raises(ValueFlowError), steer(model, [vector(1)], [1.0], scope="prompt"):
        logits(model, ids)
    assert torch.equal(logits(model, ids), plain)


def _last(model) -> str:
    names = [name for name, _ in model.base_model.named_modules()]
    return next(name for name in ("layers.2", "h.2") if name in names)


def _output(model, ids):
    seen = []
    layer = model.base_model.get_submodule(_last(model))
    hook = layer.register_forward_hook(lambda module, args, output: seen.append(output))
    with torch.no_grad():
        model(ids)
    hook.remove()
    return seen[0]


@pytest.mark.parametrize("operator", ["project", "ablate", "rotate"])
def test_each_row_of_a_mixed_batch_keeps_the_order_of_its_vectors(
    llama, vector, tokens, logits, operator
):
    from valueflow_tasks.steering import SteeringSpec, VectorDose
    from valueflow_tasks.steering._batch import VectorLibrary, steer_rows

    library, ids = VectorLibrary(), tokens(1, 5)
    one, other = vector(1), vector(1, seed=1)
    for each in (one, other):
        library.add(each)
    doses = [VectorDose("", each.fingerprint, 0.8) for each in (one, other)]
    specs = [
        SteeringSpec(vectors=vectors, operator=operator)
        for vectors in (doses, doses[::-1], [doses[1]], [doses[0], doses[1], doses[0]])
    ]
    alone = []
    for spec in specs:
        with steer_rows(llama, [spec], library):
            alone.append(logits(llama, ids)[0])
    assert not torch.allclose(alone[0], alone[1], atol=1e-3)
    with steer_rows(llama, specs, library):
        mixed = logits(llama, ids.repeat(len(specs), 1))
    torch.testing.assert_close(mixed, torch.stack(alone), atol=1e-5, rtol=0.0)
