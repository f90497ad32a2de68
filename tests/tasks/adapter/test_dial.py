"""The dial on answers of known truth: monotone, inverted within its error, or refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from valueflow_scorers import ValueFlowError

from valueflow_tasks.steering._folder import Fitted, VectorFolder, dial_file, vector_file
from valueflow_tasks.steering.dial import Dial

DOSES = (-1.2, -0.8, -0.4, 0.0, 0.4, 0.8, 1.2)


class FakeTrial:
    """A dose-response curve that is known, with normal errors of known size."""

    value, doses = "svt/power", DOSES
    queries = (None,) * 30

    def __init__(self, seed: int, error: float = 0.5, slope: float = 5.0) -> None:
        self.error, self.slope = error, slope
        self.rng = np.random.default_rng(seed)
        self.points = [self.truth(x) + error * self.rng.normal() for x in DOSES]

    def truth(self, dose: float) -> float:
        return self.slope * float(np.tanh(dose))

    def mean(self, dose: float, draws: int) -> tuple[float, float, Any]:
        point = self.points[DOSES.index(dose)]
        return point, self.error, point + self.error * self.rng.normal(size=draws)


class Profile:
    judge, fingerprint = "known", "0" * 16


def dial(seed: int = 0, **given: float) -> Dial:
    return Dial.from_trial(FakeTrial(seed, **given), "vector", "f" * 64, 0.4, Profile())  # type: ignore[arg-type]


def test_curve_is_monotone_and_inversion_lies_on_it() -> None:
    one = dial()
    assert all(b >= a for a, b in zip(one.curve, one.curve[1:], strict=False))
    for asked in np.linspace(*one.reach, 9):
        setting = one.invert(float(asked))
        assert setting.expected == pytest.approx(asked, abs=1e-6)
        assert DOSES[0] <= setting.dose <= DOSES[-1]
        assert setting.level == pytest.approx(setting.dose / 0.4)


def test_stated_interval_covers_new_means() -> None:
    """90 % intervals hold the mean of 70 new answers about nine times in ten."""
    hits, total = 0, 0
    rng = np.random.default_rng(1)
    for seed in range(60):
        trial = FakeTrial(seed)
        one = Dial.from_trial(trial, "vector", "f", 0.4, Profile())  # type: ignore[arg-type]
        low, high = one.reach
        for share in (0.2, 0.5, 0.8):
            setting = one.invert(low + share * (high - low))
            new = trial.truth(setting.dose) + 0.5 * np.sqrt(30 / 70) * rng.normal()
            hits += setting.low <= new <= setting.high
            total += 1
    assert 0.82 <= hits / total <= 0.97


def test_out_of_reach_is_said_not_clamped() -> None:
    with pytest.raises(ValueFlowError, match="out of reach"):
        dial().invert(9.0)


def test_prompts_name_the_nearest_level() -> None:
    one = Dial("svt/power", "prompt", "definition", "j", "p", (-2.0, -1.0, 0.0, 1.0, 2.0), 1.0,
               (-6.0, -2.0, 0.0, 2.0, 6.0), (0.5,) * 5, (-6.0, -2.0, 0.0, 2.0, 6.0),
               ((-6.0, -2.0, 0.0, 2.0, 6.0),) * 4, 30)  # fmt: skip
    setting = one.invert(3.0)
    assert (setting.dose, setting.expected) == (1.0, 2.0)


def test_dial_survives_its_file_and_belongs_to_its_vector(make_vector, tmp_path: Path) -> None:
    from valueflow_tasks.steer_request import read_steer

    vector = make_vector()
    vector.save(vector_file(tmp_path, "svt/power"))
    one = Dial.from_trial(FakeTrial(0), "vector", Fitted(vector).fingerprint, 0.4, Profile())  # type: ignore[arg-type]
    one.save(dial_file(tmp_path, "svt/power"))
    read = Dial.load(dial_file(tmp_path, "svt/power"))
    assert read.invert(2.0).dose == one.invert(2.0).dose
    spec = read_steer("svt/power=+2.0", str(tmp_path))
    assert spec is not None
    assert spec.vectors[0].coefficient == pytest.approx(one.invert(2.0).dose)
    with pytest.raises(ValueFlowError, match="out of reach"):
        read_steer("svt/power=+9.5", str(tmp_path))
    make_vector(seed=5).save(vector_file(tmp_path, "svt/power"))
    with pytest.raises(ValueFlowError, match="calibrate"):
        read_steer("svt/power=+2.0", str(tmp_path))


def test_a_pair_uses_each_vector_on_its_side(make_vector, tmp_path: Path) -> None:
    from valueflow_tasks.steering._folder import against_file

    up, down = make_vector(seed=1), make_vector(seed=2)
    up.save(vector_file(tmp_path, "svt/power"))
    down.save(against_file(tmp_path, "svt/power"))
    folder = VectorFolder(tmp_path)
    (high,) = folder.spec({"svt/power": 2.0}).vectors
    (low,) = folder.spec({"svt/power": -1.0}).vectors
    assert (high.fingerprint, high.coefficient) == (up.fingerprint, pytest.approx(0.8))
    assert (low.fingerprint, low.coefficient) == (down.fingerprint, pytest.approx(0.4))


@pytest.mark.parametrize(
    ("steer", "vectors", "message"),
    [
        ("svt/power", None, "JSON file"),
        ("svt/pwoer:+2", None, "did you mean svt/power"),
        ("svt/power:+1.5", None, "not\\s+interpolated"),
        ("svt/power=+5", None, "give vectors=DIR"),
        ("svt/power:+2", "/nowhere", "no folder"),
        ("nothing.json", None, "cannot be read"),
    ],
)
def test_bad_requests_say_what_to_do(steer: str, vectors: str | None, message: str) -> None:
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
