"""`valueflow vectors …` as people type it."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner
from valueflow_scorers import ValueFlowError

from valueflow_tasks.cli import _exchange, _vectors, cli  # noqa: F401  adds the commands
from valueflow_tasks.steering import SteeringVector
from valueflow_tasks.steering._folder import vector_file


def run(*arguments: object) -> str:
    result = CliRunner().invoke(cli, ["vectors", *map(str, arguments)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_info_says_what_a_folder_holds(folder: Path) -> None:
    shown = run("info", folder)
    assert "svt/power" in shown
    assert "valueflow-tiny" in shown
    assert "2/" in shown


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
