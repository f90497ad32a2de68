"""The bundled model and folders of vectors for it."""

from __future__ import annotations

import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

if find_spec("torch") and find_spec("transformers"):
    import torch

    torch.set_num_threads(1)
else:  # without the extra `hf` there is nothing to steer
    collect_ignore_glob = ["test_*.py"]

VALUES = ("svt/power", "mft/liberty")


@pytest.fixture(scope="session")
def make_vector() -> Callable[..., Any]:
    """A random vector for the bundled model, with a dose large enough to change answers."""
    from transformers import AutoConfig

    from valueflow_tasks.bundled import bundled_model
    from valueflow_tasks.steering import SteeringVector

    config = AutoConfig.from_pretrained(bundled_model())

    def make(value: str = "svt/power", layer: int = 2, seed: int = 0, **fit: Any) -> Any:
        generator = torch.Generator().manual_seed(seed)
        return SteeringVector(
            torch.randn(config.hidden_size, generator=generator),
            layer,
            residual_norm=60.0,
            model_id="valueflow-tiny",
            n_layers=config.num_hidden_layers,
            value=value,
            method="random",
            fit={"dose_per_level": 0.4, "scope": "all", **fit},
        )

    return make


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory, make_vector: Callable[..., Any]) -> Path:
    """A folder with the vectors of VALUES."""
    from valueflow_tasks.steering._folder import vector_file

    path = tmp_path_factory.mktemp("vectors")
    for seed, value in enumerate(VALUES):
        make_vector(value, seed=seed).save(vector_file(path, value))
    return path


@pytest.fixture(scope="session")
def response_folder(
    tmp_path_factory: pytest.TempPathFactory, make_vector: Callable[..., Any]
) -> Path:
    """A folder whose vector acts on the response only."""
    from valueflow_tasks.steering._folder import vector_file

    path = tmp_path_factory.mktemp("response")
    make_vector(scope="response").save(vector_file(path, "svt/power"))
    return path


@pytest.fixture(scope="session")
def loaded() -> Any:
    """The bundled model as the steering module loads it."""
    from valueflow_tasks.steering._answer import load_model

    return load_model("bundled", device="cpu")
