"""What steer() refuses, and what it says."""

from __future__ import annotations

import math

import pytest
import torch
from valueflow_scorers import ValueFlowError

from valueflow_tasks.steering import SteeringVector, steer


@pytest.mark.parametrize(
    ("doses", "said"),
    [
        ([0.5], "shape"),
        ([[0.5, 1.0, 2.0]], "shape"),
        ([[0.5, 1.0], [0.5]], "these are"),
        ("no", "these are"),
        ([0.5, "x"], "these are"),
        (0.5, "have \\[\\]"),
        ([0.5, math.nan], "finite"),
        (torch.tensor([math.inf, 0.0]), "finite"),
        (torch.zeros(0, 2), "have \\[0"),
    ],
)
def test_bad_coefficients_are_refused(llama, vector, doses, said):
    with pytest.raises(ValueFlowError, match=said), steer(llama, [vector(1), vector(2)], doses):
        pass


@pytest.mark.parametrize(
    ("rest", "said"),
    [
        ({"unit": "points"}, "unknown unit 'points': choose one of residual, raw"),
        ({"scope": "answer"}, "unknown scope 'answer'"),
        ({"operator": "multiply"}, "unknown operator 'multiply'"),
        ({"prompt_lengths": [1.5]}, "whole numbers"),
        ({"prompt_lengths": [-1]}, "whole numbers"),
        ({"prompt_lengths": 3}, "whole numbers"),
    ],
)
def test_unknown_words_are_refused(llama, vector, rest, said):
    with pytest.raises(ValueFlowError, match=said), steer(llama, [vector(1)], [1.0], **rest):
        pass


def test_prompt_lengths_fit_the_rows(llama, vector):
    with (
        pytest.raises(ValueFlowError, match="2 rows of coefficients and 3 prompt_lengths"),
        steer(llama, [vector(1)], [[1.0], [1.0]], prompt_lengths=[1, 2, 3]),
    ):
        pass


def test_a_residual_dose_needs_a_residual_norm(llama, vector):
    bare = vector(1, residual_norm=None)
    with (
        pytest.raises(ValueFlowError, match="layer 1 carries no residual_norm"),
        steer(llama, [bare], [1.0]),
    ):
        pass
    with steer(llama, [bare], [1.0], unit="raw"), steer(llama, [bare], [0.0]):
        pass


def test_vectors_of_another_model_are_refused_naming_both(llama, vector):
    name = {"model_id": "org/one"}
    cases = [
        (SteeringVector(torch.ones(48), 1, **name), "'org/one' is 48 wide.* 'LlamaForCausalLM' 32"),
        (vector(1, n_layers=7, **name), "'org/one' belongs to a model of 7 layers.* has 3"),
        (vector(3, **name), "'org/one' steers layer 3, .* layers 0 to 2"),
    ]
    for bad, said in cases:
        with pytest.raises(ValueFlowError, match=said), steer(llama, [bad], [1.0], unit="raw"):
            pass


@pytest.mark.parametrize(
    ("fitted_on", "given", "same"),
    [
        ("org/one", "org/one", True),
        ("org/one", "org/two", False),
        ("org/one", "", True),
        ("", "org/two", True),
        ("org/one", "/models/one", True),
        ("/old/place/one", "/new/place/one", True),
        ("org/one", "/models/two", False),
        ("org/one", "/cache/models--org--one/snapshots/0123", True),
        ("org/one", "/cache/models--org--two/snapshots/0123", False),
    ],
)
def test_model_names_are_compared_when_both_are_known(llama, vector, fitted_on, given, same):
    v = vector(1, model_id=fitted_on)
    if same:
        with steer(llama, [v], [1.0], model_id=given):
            return
    with pytest.raises(ValueFlowError, match="not for"), steer(llama, [v], [1.0], model_id=given):
        pass


def test_the_name_a_model_carries_is_used(make_model, vector):
    model = make_model("llama")
    model.config._name_or_path = model.name_or_path = "org/two"
    v = vector(1, model_id="org/one")
    with (
        pytest.raises(ValueFlowError, match="'org/one' is not for 'org/two'"),
        steer(model, [v], [1.0]),
    ):
        pass
    with steer(model, [v], [1.0], model_id=""):
        pass
