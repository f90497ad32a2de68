"""`valueflow vectors …` as people type it."""

from __future__ import annotations

from pathlib import Path
from types import MappingProxyType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from valueflow_scorers import ValueFlowError

from valueflow_tasks.cli import _exchange, _vectors, cli  # noqa: F401  adds the commands
from valueflow_tasks.cli._local_model import load, read_arguments
from valueflow_tasks.steer_request import read_steer
from valueflow_tasks.steering import SteeringVector, export_gguf, import_gguf
from valueflow_tasks.steering._answer import Sampling
from valueflow_tasks.steering._folder import VectorFolder, against_file, vector_file


def run(*arguments: object) -> str:
    result = CliRunner().invoke(cli, ["vectors", *map(str, arguments)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_info_says_what_a_folder_holds(folder: Path) -> None:
    shown = run("info", folder)
    assert "svt/power" in shown
    assert "valueflow-tiny" in shown
    assert "2/" in shown
    for value in ("svt/power", "mft/liberty"):  # as a JSON spec has to name it
        assert SteeringVector.load(vector_file(folder, value)).fingerprint in shown


@pytest.mark.parametrize("kind", ["gguf", "lm-eval", "peft"])
def test_export_and_import_keep_the_direction(kind: str, folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("gguf" if kind == "gguf" else "peft")
    source = vector_file(folder, "svt/power")
    written = tmp_path / ("file.pt" if kind == "lm-eval" else f"file-{kind}")
    run("export", source, written, "--to", kind, "--level", 2, "--model", "bundled")
    shown = run("import", written, "--from", kind, "-o", tmp_path / "back")
    (file,) = (tmp_path / "back").glob("*.safetensors")
    one, other = SteeringVector.load(source), SteeringVector.load(file)
    assert other.layer == one.layer
    assert float(other.direction @ one.direction) == pytest.approx(1.0, abs=1e-6)
    assert f"coefficient {2 * 0.4 * 60.0:g}" in shown


def test_export_applies_what_the_harness_applies(make_vector, tmp_path: Path) -> None:
    """Below 0 the vector against; a scope that a format cannot hold is refused."""
    pytest.importorskip("gguf")
    up, down = make_vector(seed=1), make_vector(seed=2)
    source = up.save(vector_file(tmp_path, "svt/power"))
    down.save(against_file(tmp_path, "svt/power"))
    for level, vector in ((2, up), (-2, down)):
        run("export", source, tmp_path / "file", "--to", "gguf", "--level", level)
        (read,) = import_gguf(tmp_path / "file").vectors
        assert float(read.direction @ vector.direction) == pytest.approx(1.0, abs=1e-6)
    narrow = make_vector(scope="response").save(tmp_path / "narrow.safetensors")
    with pytest.raises(ValueFlowError, match="scope='all'"):
        run("export", narrow, tmp_path / "other", "--to", "gguf")


def test_an_imported_vector_can_be_used(folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("peft")
    written = tmp_path / "adapter"
    run("export", vector_file(folder, "svt/power"), written, "--to", "peft", "--model", "bundled")
    run("import", written, "--from", "peft", "-o", tmp_path / "plain")
    whole = read_steer(str(tmp_path / "plain" / "spec.json"))
    assert whole is not None
    run("import", written, "--from", "peft", "-o", tmp_path / "own", "--value", "pvq/power")
    one = VectorFolder(tmp_path / "own").spec({"svt/power": 1.0})
    for spec in (whole, one):
        (vector,), (dose,) = spec.load_vectors(), spec.vectors
        assert vector.model_id.endswith("valueflow-tiny")  # as the adapter says
        assert (spec.unit, dose.coefficient) == ("raw", pytest.approx(0.4 * 60.0))
    run("import", written, "--from", "peft", "-o", tmp_path / "own", "--value", "svt/power",
        "--dose-per-level", 3, "--model-id", "org/m")  # fmt: skip
    known = VectorFolder(tmp_path / "own")
    assert known.spec({"svt/power": 2.0}).vectors[0].coefficient == 6.0
    assert known.vector("svt/power").vector.model_id == "org/m"
    with pytest.raises(ValueFlowError, match="give --value"):
        run("import", written, "--from", "peft", "-o", tmp_path, "--dose-per-level", 3)
    with pytest.raises(ValueFlowError, match="single value"):
        run("import", written, "--from", "peft", "-o", tmp_path, "--value", "svt")


def test_a_file_of_several_layers_is_no_vector_of_a_value(make_vector, tmp_path: Path) -> None:
    pytest.importorskip("gguf")
    export_gguf(tmp_path / "file", [make_vector(layer=1), make_vector(layer=2)], [0.5, 0.5])
    with pytest.raises(ValueFlowError, match=r"spec\.json"):
        run("import", tmp_path / "file", "--from", "gguf", "-o", tmp_path, "--value", "svt/power")
    run("import", tmp_path / "file", "--from", "gguf", "-o", tmp_path / "out")
    spec = read_steer(str(tmp_path / "out" / "spec.json"))
    assert spec is not None
    assert [vector.layer for vector in spec.load_vectors()] == [1, 2]


def test_a_dose_that_is_not_known_has_to_be_given(make_vector, tmp_path: Path) -> None:
    vector = make_vector()
    bare = SteeringVector(vector.direction, vector.layer, residual_norm=1.0)
    bare.save(tmp_path / "bare.safetensors")
    with pytest.raises(ValueFlowError, match="give --dose"):
        run("export", tmp_path / "bare.safetensors", tmp_path / "out", "--to", "gguf")
    with pytest.raises(ValueFlowError, match="give --model"):
        run("export", tmp_path / "bare.safetensors", tmp_path / "out", "--to", "peft",
            "--dose", 0.5)  # fmt: skip


def test_bad_numbers_say_what_to_give(tmp_path: Path) -> None:
    with pytest.raises(ValueFlowError, match="doses are above 0"):
        run("fit", "--model", "bundled", "--value", "svt/power", "--doses", "0", "-o", tmp_path)
    for command in (("fit", "-o", tmp_path), ("calibrate", tmp_path)):
        asked = [*command, "--model", "bundled", "--value", "svt/power", "--batch-size", "0"]
        result = CliRunner().invoke(cli, ["vectors", *map(str, asked)])
        assert result.exit_code == 2
        assert "x>=1" in result.output
    with pytest.raises(ValueFlowError, match="FOLDER"):
        run("calibrate", "--model", "bundled")
    with pytest.raises(ValueFlowError, match="--value"):
        run("calibrate", "--model", "bundled", "--arm", "prompt")
    with pytest.raises(ValueFlowError, match="all alike"):
        run("calibrate", "--model", "bundled", "--arm", "prompt", "--value", "svt/power",
            "--samples", 8)  # fmt: skip


def test_arguments_of_the_model_are_read() -> None:
    text = 'dtype=bfloat16,revision=7e10,low=true,n=3,quantization_config={"a":1,"b":[1,2]},x=none'
    assert read_arguments(text) == {
        "dtype": "bfloat16", "revision": "7e10", "low": True, "n": 3,
        "quantization_config": {"a": 1, "b": [1, 2]}, "x": None,
    }  # fmt: skip
    assert read_arguments("") == {}
    with pytest.raises(ValueFlowError, match="no k=v"):
        read_arguments("bfloat16")
    assert str(load("bundled", "cpu", "dtype=bfloat16").model.dtype) == "torch.bfloat16"
    with pytest.raises(ValueFlowError, match="no_such"):
        load("bundled", "cpu", "no_such=1")


class KnownTrial:
    """Prompts that do what they say, except that -2 breaks the answers."""

    value, doses = "svt/power", (-2.0, -1.0, 0.0, 1.0, 2.0)
    queries, kinds = (None,) * 30, (0,) * 30
    answers = MappingProxyType({dose: ["I would."] for dose in doses})
    sampling = Sampling(4, 0.7)

    def mean(self, dose: float, draws: int) -> tuple[float, float, Any]:
        return 3 * dose, 0.3, np.full(draws, 3 * dose)

    def loss(self, dose: float) -> float:
        return 1.0

    def share_unscored(self, dose: float) -> float:
        return float(dose == -2)


def test_the_prompts_of_a_model_are_calibrated_for_all_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VALUEFLOW_DIALS", str(tmp_path))
    profile = SimpleNamespace(judge="known", fingerprint="0" * 16)
    ruler = SimpleNamespace(judge_profile=profile)
    monkeypatch.setattr(_vectors, "instrument_for", lambda *_: ruler)
    monkeypatch.setattr(
        "valueflow_tasks.steering.calibrate.run_trial", lambda *_, **__: KnownTrial()
    )
    shown = run("calibrate", "--model", "bundled", "--arm", "prompt", "--value", "svt/power",
                "--target", 5)  # fmt: skip
    assert "level +2.000, expected +6.0" in shown
    assert "70 new queries with 4 answers each at temperature 0.7" in " ".join(shown.split())
    assert "left out: level -2.0" in shown
    spec = read_steer("svt/power=+5", model="bundled")
    assert spec is not None
    assert spec.targets[0].level == 2
    assert spec.promises[0].judge == "known"
