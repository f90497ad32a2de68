"""Pairs of vectors in a folder: written together, read together."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from safetensors import SafetensorError
from valueflow_scorers import ValueFlowError

from valueflow_tasks.cli import _exchange, cli  # noqa: F401  adds the commands
from valueflow_tasks.steering import export_gguf
from valueflow_tasks.steering._folder import Fitted, VectorFolder, against_file, load_fitted
from valueflow_tasks.steering.fit import save_vector


def test_an_imported_vector_takes_the_place_of_the_whole_pair(make_vector, tmp_path: Path) -> None:
    pytest.importorskip("gguf")
    save_vector(Fitted(make_vector(), make_vector(seed=1)), tmp_path / "vectors")
    file = export_gguf(tmp_path / "v.gguf", [make_vector(seed=2)], [0.1])
    words = ["vectors", "import", str(file), "--from", "gguf", "--value", "svt/power"]
    done = CliRunner().invoke(cli, [*words, "-o", str(tmp_path / "vectors")])
    assert done.exit_code == 0, done.output
    assert not against_file(tmp_path / "vectors", "svt/power").exists()
    assert VectorFolder(tmp_path / "vectors").vector("svt/power").against is None


def test_vectors_of_two_fits_are_no_pair(make_vector, tmp_path: Path) -> None:
    save_vector(Fitted(make_vector(), make_vector(seed=1)), tmp_path)
    other = replace(make_vector(seed=1), fit={"dose_per_level": 2.0, "unit": "raw"})
    other.save(against_file(tmp_path, "svt/power"))
    with pytest.raises(ValueFlowError, match="not fitted together"):
        VectorFolder(tmp_path)


def test_a_pair_that_cannot_be_written_leaves_the_old_one(
    make_vector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import safetensors.torch

    old = Fitted(make_vector(), make_vector(seed=1))
    written = save_vector(old, tmp_path)
    files = sorted(tmp_path.iterdir())
    real, calls = safetensors.torch.save_file, []

    def full(*args: object, **given: object) -> None:
        calls.append(args)
        if len(calls) == 2:
            raise SafetensorError("No space left on device")
        real(*args, **given)

    monkeypatch.setattr(safetensors.torch, "save_file", full)
    with pytest.raises(ValueFlowError, match="cannot be written"):
        save_vector(Fitted(make_vector(seed=2), make_vector(seed=3)), tmp_path)
    assert sorted(tmp_path.iterdir()) == files
    assert load_fitted(written).fingerprint == old.fingerprint
