"""What can be asked of steering: several targets, files, other engines; and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from valueflow_scorers import ValueFlowError

from valueflow_tasks.steering._folder import (
    VectorFolder,
)


@pytest.mark.parametrize(
    ("steer", "vectors", "message"),
    [
        ("svt/power", None, "JSON file"),
        ("svt/pwoer:+2", None, "did you mean svt/power"),
        ("svt/power:+1.5", None, "not\\s+interpolated"),
        ("svt/power=+5", None, "give vectors=DIR"),
        ("svt:+2", None, "theory of 12 values"),
        ("svt=+2", None, "theory of 12 values"),
        (None, "somewhere", "only with steer="),
        ("svt/power:+2", "/nowhere", "no folder"),
        ("nothing.json", None, "cannot be read"),
    ],
)
def test_bad_requests_say_what_to_do(steer: str | None, vectors: str | None, message: str) -> None:
    from valueflow_tasks.steer_request import read_steer

    with pytest.raises(ValueFlowError, match=message):
        read_steer(steer, vectors)


def test_several_targets_come_from_a_file(folder: Path, tmp_path: Path) -> None:
    from valueflow_tasks.steer_request import read_steer

    path = tmp_path / "targets.json"
    path.write_text('{"targets": {"svt/power": 2, "mft/liberty": -1}}', "utf-8")
    by_prompt, by_vector = read_steer(str(path)), read_steer(str(path), str(folder))
    assert by_prompt is not None
    assert by_vector is not None
    assert by_prompt.prompt.count("\n") == 1
    assert not by_prompt.vectors
    assert [dose.coefficient for dose in by_vector.vectors] == pytest.approx([0.8, -0.4])
    assert read_steer("svt/power:0") is None


def test_files_of_targets_are_read_with_care(tmp_path: Path) -> None:
    from valueflow_tasks.steer_request import read_steer

    path = tmp_path / "targets.json"
    path.write_text('{"targets": {"svt/power": 2, "pvq/power": -1}}', "utf-8")
    with pytest.raises(ValueFlowError, match="targeted twice in svt/power, pvq/power"):
        read_steer(str(path))
    path.write_text('{"targets": {"svt/power": 2}}', "utf-16")
    with pytest.raises(ValueFlowError, match="no UTF-8"):
        read_steer(str(path))
    path.write_text("[]", "utf-8")
    with pytest.raises(ValueFlowError, match="no JSON object"):
        read_steer(str(path))


def test_paths_in_a_spec_are_relative_to_its_file(make_vector, tmp_path: Path) -> None:
    import json

    from valueflow_tasks.steer_request import read_steer

    vector = make_vector()
    vector.save(tmp_path / "deep" / "v.safetensors")
    said = {"path": "v.safetensors", "fingerprint": vector.fingerprint, "coefficient": 0.4}
    path = tmp_path / "deep" / "spec.json"
    path.write_text(json.dumps({"vectors": [said]}), "utf-8")
    spec = read_steer(str(path))
    assert spec is not None
    assert spec.load_vectors() == [vector]


def test_vllm_requests_carry_the_same_dose(folder: Path) -> None:
    """The wire form of vllm-lens 1.3: base64 of float32 rows, one per layer."""
    import base64
    import json

    from valueflow_tasks.steer_request import prompt_spec
    from valueflow_tasks.steering.vllm import vllm_extra_body

    known = VectorFolder(folder)
    body = vllm_extra_body(known.spec({"svt/power": -2.0}))
    (entry,) = json.loads(body["vllm_xargs"]["apply_steering_vectors"])
    vector = known.vector("svt/power").vector
    read = np.frombuffer(base64.b64decode(entry["activations"]["data"]), dtype="float32")
    assert read.tolist() == vector.direction.tolist()
    assert entry["activations"]["shape"] == [1, vector.d_model]
    assert entry["layer_indices"] == [vector.layer]
    assert entry["scale"] == pytest.approx(-2 * 0.4 * vector.residual_norm)
    prompt = prompt_spec({"svt/power": 2.0})
    with pytest.raises(ValueFlowError, match="user turn"):
        vllm_extra_body(prompt)


def test_vllm_requests_refuse_vectors_of_another_model(folder: Path) -> None:
    from valueflow_tasks.steering.vllm import vllm_extra_body

    spec = VectorFolder(folder).spec({"svt/power": 1.0})
    with pytest.raises(ValueFlowError, match=r"valueflow-tiny.*org/other"):
        vllm_extra_body(spec, model="org/other")
    assert vllm_extra_body(spec, model="/models/valueflow-tiny")


def test_a_spec_that_names_its_vectors_takes_no_folder_beside_it(
    folder: Path, tmp_path: Path
) -> None:
    from valueflow_tasks.steer_request import read_steer

    path = tmp_path / "spec.json"
    path.write_text(VectorFolder(folder).spec({"svt/power": 1.0}).to_json())
    assert read_steer(str(path)) is not None
    with pytest.raises(ValueFlowError, match="leave out vectors="):
        read_steer(str(path), str(folder))
