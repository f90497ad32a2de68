"""Which model was loaded, where it went, and what is said when it cannot be."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from valueflow_scorers import ValueFlowError

from valueflow_tasks.bundled import bundled_model
from valueflow_tasks.cli._local_model import load
from valueflow_tasks.steering import steer
from valueflow_tasks.steering._answer import load_model, short_name


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("org/model", "org/model"),
        ("models--org--one/snapshots/8f3e1c", "org/one"),
        ("copies/model", "model"),
        (".", "here"),
    ],
)
def test_a_model_s_name_is_that_of_the_hub_or_of_its_folder(
    given: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = tmp_path / "here"
    for folder in ("models--org--one/snapshots/8f3e1c", "copies/model"):
        (here / folder).mkdir(parents=True)
    monkeypatch.chdir(here)
    assert short_name(given) == name


def test_a_vector_fits_the_snapshot_that_it_was_fitted_on(make_vector, tmp_path: Path) -> None:
    snapshot = tmp_path / "models--org--one" / "snapshots" / "8f3e1c"
    shutil.copytree(bundled_model(), snapshot)
    loaded = load_model(str(snapshot), device="cpu")
    vector = make_vector()
    object.__setattr__(vector, "model_id", short_name(str(snapshot)))
    with steer(loaded.model, [vector], [0.1]):
        pass
    with steer(loaded.model, [vector], [0.1], model_id="org/one"):
        pass


def test_a_map_of_one_device_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing in the model tells of it; where there is a GPU it would be moved there."""
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    loaded = load_model("bundled", device_map={"": "cpu"})
    assert loaded.model.device.type == "cpu"
    with pytest.raises(ValueFlowError, match="give one of them"):
        load_model("bundled", device="cpu", device_map="auto")


@pytest.mark.parametrize(
    ("device", "arguments"),
    [(None, "dtype=foo"), ("nodev", ""), (None, "no_such_argument=1")],
)
def test_options_that_do_not_load_are_said_in_a_sentence(
    device: str | None, arguments: str
) -> None:
    with pytest.raises(ValueFlowError, match="--model bundled") as caught:
        load("bundled", device, arguments)
    assert (arguments or str(device)) in str(caught.value)


def test_a_folder_without_a_model_is_said_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(ValueFlowError, match="cannot be loaded"):
        load(str(tmp_path), "cpu", "")
