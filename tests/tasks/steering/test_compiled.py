"""Compiled code knows nothing of hooks: a compiled model is steered all the same, or refused."""

from __future__ import annotations

import threading

import pytest
import torch
from valueflow_scorers import ValueFlowError

from valueflow_tasks.steering import steer

CLOSE = {"atol": 1e-5, "rtol": 0.0}


@pytest.mark.parametrize("how", ["wrapped", "in place"])
def test_a_model_that_ran_compiled_is_steered(make_model, vector, tokens, logits, how):
    model, ids, v = make_model("llama"), tokens(2, 5), vector(1)
    with steer(model, [v], [0.9]):
        wanted = logits(model, ids)
    plain = logits(model, ids)
    compiled = model
    if how == "wrapped":
        compiled = torch.compile(model, backend="eager")
    else:
        model.compile(backend="eager")
    torch.testing.assert_close(logits(compiled, ids), plain, **CLOSE)  # traced without hooks
    with steer(compiled, [v], [0.9]):
        torch.testing.assert_close(logits(compiled, ids), wanted, **CLOSE)
    torch.testing.assert_close(logits(compiled, ids), plain, **CLOSE)


def test_generate_does_not_compile_while_it_is_steered(llama, vector, tokens):
    """Static caches compile by themselves where the device allows it."""
    seen = []

    def trace(graph, inputs):
        seen.append(graph)
        return graph.forward

    ids = tokens(1, 4)
    again = torch.compile(llama, backend=trace)
    with torch.no_grad(), steer(llama, [vector(1)], [0.5]):
        again(ids)
    assert not seen
    with torch.no_grad():
        again(ids)
    assert seen


def test_an_older_torch_refuses_compiled_models(make_model, vector, tokens, logits, monkeypatch):
    monkeypatch.delattr(torch.compiler, "set_stance")
    model = make_model("llama")
    with steer(model, [vector(1)], [0.9]):
        logits(model, tokens(1, 3))
    compiled = torch.compile(model, backend="eager")
    with pytest.raises(ValueFlowError, match="compiled"), steer(compiled, [vector(1)], [0.9]):
        pass
    model.compile(backend="eager")
    with pytest.raises(ValueFlowError, match=r"torch 2\.6"), steer(model, [vector(1)], [0.9]):
        pass


def test_another_model_s_context_in_another_thread_does_not_let_compiled_code_run(
    make_model, vector, tokens, logits
):
    """What is forced is the whole process's, so it lasts until the last context ends."""
    one, other, ids = make_model("llama"), make_model("llama"), tokens(2, 5)
    compiled = torch.compile(other, backend="eager")
    plain = logits(compiled, ids)
    with steer(other, [vector(1)], [0.9]):
        wanted = logits(other, ids)
    begun, nested, ended = threading.Event(), threading.Event(), threading.Event()

    def first() -> None:
        with steer(one, [vector(1)], [0.5]):
            begun.set()
            nested.wait(60)
        ended.set()

    thread = threading.Thread(target=first)
    thread.start()
    begun.wait(60)
    with steer(compiled, [vector(1)], [0.9]):
        nested.set()
        assert ended.wait(60)
        torch.testing.assert_close(logits(compiled, ids), wanted, **CLOSE)
    thread.join(60)
    torch.testing.assert_close(logits(compiled, ids), plain, **CLOSE)
