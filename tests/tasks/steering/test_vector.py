"""Vectors: what they hold, their files, their fingerprints."""

from __future__ import annotations

import json
import math
import subprocess
import sys

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from valueflow_scorers import ValueFlowError

from valueflow_tasks.steering import SteeringVector
from valueflow_tasks.steering._vector import FORMAT

KNOWN = {
    "residual_norm": 12.5,
    "model_id": "org/model",
    "model_revision": "abc",
    "n_layers": 8,
    "value": "svt/benevolence",
    "method": "mean-difference",
    "fit": {"texts": 12, "layers": [3, 4], "note": "é"},
}


def test_a_direction_is_stored_at_unit_norm_in_float32():
    for given in ([0.0, 3.0, 4.0], torch.tensor([0, 3, 4]), torch.tensor([0, 3, 4]).bfloat16()):
        direction = SteeringVector(given, 2).direction
        assert direction.dtype == torch.float32
        torch.testing.assert_close(direction, torch.tensor([0.0, 0.6, 0.8]))
    for scale in (1e-30, 1e30):
        torch.testing.assert_close(
            SteeringVector(torch.tensor([3 * scale, 4 * scale]), 0).direction,
            torch.tensor([0.6, 0.8]),
        )


def test_a_unit_direction_is_stored_as_it_is():
    """Else the bits, and the fingerprint, would change from one load to the next."""
    generator = torch.Generator().manual_seed(0)
    for _ in range(2000):
        once = SteeringVector(torch.randn(2, generator=generator), 0).direction
        assert torch.equal(SteeringVector(once, 0).direction, once)


def test_the_callers_tensor_is_copied():
    given = torch.tensor([1.0, 0.0])
    vector = SteeringVector(given, 0)
    given[1] = 5.0
    assert vector.direction.tolist() == [1.0, 0.0]


@pytest.mark.parametrize(
    ("direction", "said"),
    [
        (torch.zeros(4), "zero"),
        (torch.tensor([1.0, math.nan]), "NaN"),
        (torch.tensor([1.0, math.inf]), "NaN or an infinity"),
        (torch.ones(2, 2), r"\[d_model\]"),
        (torch.ones(0), r"\[d_model\]"),
    ],
)
def test_a_direction_that_points_nowhere_is_refused(direction, said):
    with pytest.raises(ValueFlowError, match=said):
        SteeringVector(direction, 0)


@pytest.mark.parametrize(
    ("field", "given"),
    [
        ("layer", -1),
        ("layer", 1.5),
        ("n_layers", 2),
        ("residual_norm", 0.0),
        ("residual_norm", math.nan),
        ("hook_point", "attention"),
        ("model_id", None),
        ("fit", {"loss": math.nan}),
        ("fit", {"tensor": torch.ones(1)}),
    ],
)
def test_bad_descriptions_are_refused_by_name(field, given):
    rest = {"layer": 2, **{field: given}}
    with pytest.raises(ValueFlowError, match=field.replace("_", "[_ ]")):
        SteeringVector(torch.ones(4), **rest)


def test_a_saved_vector_loads_the_same(tmp_path):
    generator = torch.Generator().manual_seed(1)
    for width in (3, 64, 4096):
        vector = SteeringVector(torch.randn(width, generator=generator), 3, **KNOWN)
        path = vector.save(tmp_path / "deep" / f"{width}.safetensors")
        loaded = SteeringVector.load(path)
        assert torch.equal(loaded.direction, vector.direction)
        assert loaded == vector
        assert loaded.fingerprint == vector.fingerprint
        for name, value in KNOWN.items():
            assert getattr(loaded, name) == value
        first = path.read_bytes()
        loaded.save(path)
        assert path.read_bytes() == first


def test_the_fingerprint_is_of_everything_in_it():
    base = SteeringVector(torch.ones(4), 3, **KNOWN)
    assert len(base.fingerprint) == 64
    assert base.fingerprint == SteeringVector(torch.ones(4) * 7, 3, **KNOWN).fingerprint
    others = [
        SteeringVector(torch.tensor([1.0, 1, 1, 1.001]), 3, **KNOWN),
        SteeringVector(-torch.ones(4), 3, **KNOWN),
        SteeringVector(torch.ones(4), 4, **KNOWN),
    ]
    changed = {
        "residual_norm": None,
        "model_id": "x",
        "model_revision": "x",
        "n_layers": None,
        "value": "x",
        "method": "x",
        "fit": {},
    }
    others += [
        SteeringVector(torch.ones(4), 3, **{**KNOWN, name: value})
        for name, value in changed.items()
    ]
    prints = {vector.fingerprint for vector in (base, *others)}
    assert len(prints) == len(others) + 1
    assert len({base, SteeringVector(torch.ones(4), 3, **KNOWN)}) == 1


def test_files_that_are_no_vectors_are_refused(tmp_path):
    with pytest.raises(ValueFlowError, match="no steering vector at"):
        SteeringVector.load(tmp_path / "missing.safetensors")
    (tmp_path / "text").write_text("no")
    with pytest.raises(ValueFlowError, match="not a safetensors file"):
        SteeringVector.load(tmp_path / "text")
    save_file({"direction": torch.ones(4)}, tmp_path / "other")
    with pytest.raises(ValueFlowError, match="not a steering vector"):
        SteeringVector.load(tmp_path / "other")
    for number, said in enumerate(("{", "[]", json.dumps({"format": FORMAT, "colour": 1}))):
        file = tmp_path / f"said-{number}"
        save_file({"direction": torch.ones(4)}, file, metadata={"valueflow": said})
        with pytest.raises(ValueFlowError, match="not a steering vector"):
            SteeringVector.load(file)


def test_layers_of_numpy_are_whole_numbers(tmp_path):
    made = SteeringVector(torch.ones(4), np.int64(3), n_layers=np.int64(9))
    assert (made.layer, made.n_layers) == (3, 9)
    assert made == SteeringVector(torch.ones(4), 3, n_layers=9)
    made.save(tmp_path / "v")
    for layer in (True, 1.0, np.float64(1.0), -1):
        with pytest.raises(ValueFlowError, match="whole number"):
            SteeringVector(torch.ones(4), layer)


def test_importing_the_package_imports_no_torch():
    code = (
        "import sys, valueflow_tasks.steering as s; assert s.steer and s.SteeringVector;"
        "print([m for m in ('torch', 'transformers', 'safetensors', 'gguf', 'peft', 'lm_eval',"
        " 'inspect_ai') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
