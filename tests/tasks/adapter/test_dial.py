"""The dial on answers of known truth: monotone, inverted within its error, or refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from scipy.stats import norm
from scipy.stats import t as student
from valueflow_scorers import ValueFlowError

from valueflow_tasks.bundled import bundled_model
from valueflow_tasks.prompts import steering_text
from valueflow_tasks.steering import SteeringSpec
from valueflow_tasks.steering._answer import GREEDY, Sampling
from valueflow_tasks.steering._curve import bend
from valueflow_tasks.steering._folder import (
    Fitted,
    VectorFolder,
    against_file,
    dial_file,
    prompt_dial_file,
    vector_file,
)
from valueflow_tasks.steering.dial import Dial

DOSES = (-1.2, -0.8, -0.4, 0.0, 0.4, 0.8, 1.2)


class FakeTrial:
    """A dose-response curve that is known, with normal errors of known size."""

    value, doses = "svt/power", DOSES
    queries, kinds = (None,) * 30, (0,) * 30

    sampling = GREEDY

    def __init__(self, seed: int, error: float = 0.5, slope: float = 5.0) -> None:
        self.error, self.slope = error, slope
        self.rng = np.random.default_rng(seed)
        self.points = [self.truth(x) + error * self.rng.normal() for x in DOSES]

    def truth(self, dose: float) -> float:
        return self.slope * float(np.tanh(dose))

    def mean(self, dose: float, draws: int) -> tuple[float, float, Any]:
        point = self.points[DOSES.index(dose)]
        return point, self.error, point + self.error * self.rng.normal(size=draws)

    def share_unscored(self, dose: float) -> float:
        return 0.0


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


class ThirtyQueries:
    """Queries with curves of their own, known in full; a dose's mean is the plain average."""

    value, doses = "svt/power", tuple(np.linspace(-1.2, 1.2, 13))
    queries, kinds = (None,) * 30, (0,) * 30
    sampling = GREEDY
    noise = 1.8  # of an answer, points

    def __init__(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        place, reach = rng.normal(0, 0.25, (30, 1)), rng.normal(8, 1, (30, 1))
        curves = reach * np.tanh(2.5 * (np.array(self.doses) - place))
        self.rows = curves + self.noise * rng.normal(size=curves.shape)
        self.draw = rng.multinomial(30, np.full(30, 1 / 30), size=200) / 30

    def mean(self, dose: float, draws: int) -> tuple[float, float, Any]:
        column = self.rows[:, self.doses.index(dose)]
        error = column.std(ddof=1) / np.sqrt(30)
        means = self.draw[:draws] @ column
        point = column.mean()
        return float(point), float(error), point + (means - means.mean()) * error / means.std()

    def share_unscored(self, dose: float) -> float:
        return 0.0


def test_stated_interval_covers_new_means() -> None:
    """How likely 70 new queries are to fall within: exact, for every dial that chance sets."""
    many = np.random.default_rng(1)
    place, reach = many.normal(0, 0.25, 20_000), many.normal(8, 1, 20_000)
    covered = []
    for seed in range(120):
        one = Dial.from_trial(ThirtyQueries(seed), "vector", "f", 0.4, Profile())  # type: ignore[arg-type]
        low, high = one.reach
        for share in (0.2, 0.5, 0.8):
            setting = one.invert(low + share * (high - low))
            curve = reach * np.tanh(2.5 * (setting.dose - place))
            new = norm(curve.mean(), np.sqrt((curve.var() + ThirtyQueries.noise**2) / 70))
            covered.append(new.cdf(setting.high) - new.cdf(setting.low))
    # The normal quantile in place of Student's gives 0.887.
    assert 0.893 <= np.mean(covered) <= 0.93


def test_a_curve_may_bend_between_doses_and_not_at_them() -> None:
    doses = np.array([-1.0, 0.0, 0.5, 2.0])
    parabola = (doses + 1) ** 2
    assert bend(doses, 3 * doses, 0.3) == pytest.approx(0)
    for dose in doses:
        assert bend(doses, parabola, float(dose)) == pytest.approx(0)
    for dose in (-0.5, 0.1, 1.0):
        off = abs(np.interp(dose, doses, parabola) - (dose + 1) ** 2)
        assert 0.5 * off < bend(doses, parabola, dose) < 2.01 * off


def test_few_queries_of_many_kinds_tell_less_of_their_scatter() -> None:
    """Student's t has as many degrees as there are queries, less their kinds."""
    trial, few = FakeTrial(0), FakeTrial(0)
    few.kinds = tuple(i // 2 for i in range(30))
    one, other = (Dial.from_trial(t, "vector", "f", 0.4, Profile()) for t in (trial, few))  # type: ignore[arg-type]
    assert (one.kinds, other.kinds) == (1, 15)
    wider = replace(one, kinds=15).invert(1.0).half_width / one.invert(1.0).half_width
    assert wider == pytest.approx(student.ppf(0.95, 15) / student.ppf(0.95, 29))


def test_one_query_sets_no_dial() -> None:
    trial = FakeTrial(0)
    trial.queries = trial.queries[:1]
    with pytest.raises(ValueFlowError, match="a dial of 1 query cannot tell how queries scatter"):
        Dial.from_trial(trial, "vector", "f", 0.4, Profile())  # type: ignore[arg-type]


def test_what_was_drawn_stands_in_the_dial_and_its_promises() -> None:
    trial = FakeTrial(0)
    trial.sampling = Sampling(8, 0.7)
    one = Dial.from_trial(trial, "vector", "f", 0.4, Profile())  # type: ignore[arg-type]
    promise = one.promise(one.invert(1.0))
    assert (promise.samples, promise.temperature) == (8, 0.7)


def test_steering_by_a_dial_of_several_answers_says_what_it_holds_for(
    make_vector, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    from valueflow_tasks.steer_request import read_steer

    vector = make_vector()
    vector.save(vector_file(tmp_path, "svt/power"))
    for sampling, said in ((Sampling(8, 0.7), 1), (GREEDY, 0)):
        trial = FakeTrial(0)
        trial.sampling = sampling
        one = Dial.from_trial(trial, "vector", Fitted(vector).fingerprint, 0.4, Profile())  # type: ignore[arg-type]
        one.save(dial_file(tmp_path, "svt/power"))
        caplog.clear()
        assert read_steer("svt/power=+2.0", str(tmp_path)) is not None
        told = [text for text in caplog.messages if "8 answers each at temperature 0.7" in text]
        assert len(told) == said


def test_out_of_reach_is_said_not_clamped() -> None:
    with pytest.raises(ValueFlowError, match="out of reach"):
        dial().invert(9.0)


def test_doses_that_break_the_answers_are_left_out() -> None:
    trial = FakeTrial(0)
    trial.share_unscored = lambda dose: 0.6 if dose == DOSES[-1] else 0.4  # type: ignore[method-assign]
    one = Dial.from_trial(trial, "vector", "f", 0.4, Profile())  # type: ignore[arg-type]
    assert one.doses == DOSES[:-1]
    trial.share_unscored = lambda dose: float(abs(dose) > 0.5)  # type: ignore[method-assign]
    assert len(Dial.from_trial(trial, "vector", "f", 0.4, Profile()).doses) == 3  # type: ignore[arg-type]
    trial.share_unscored = lambda dose: float(dose != 0)  # type: ignore[method-assign]
    with pytest.raises(ValueFlowError, match="most answers can be measured"):
        Dial.from_trial(trial, "vector", "f", 0.4, Profile())  # type: ignore[arg-type]


def prompt_dial() -> Dial:
    means = (-6.0, -2.0, 0.0, 2.0, 6.0)
    return Dial("svt/power", "prompt", "definition", "j", "p" * 16, (-2.0, -1.0, 0.0, 1.0, 2.0),
                1.0, means, (0.5,) * 5, means, (means,) * 4, 30, "valueflow-tiny")  # fmt: skip


def test_prompts_name_the_nearest_level() -> None:
    setting = prompt_dial().invert(3.0)
    assert (setting.dose, setting.expected) == (1.0, 2.0)


def test_an_intensity_without_vectors_takes_the_nearest_prompt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from valueflow_tasks.steer_request import read_steer

    monkeypatch.setenv("VALUEFLOW_DIALS", str(tmp_path))
    one = prompt_dial()
    one.save(prompt_dial_file(one.model, one.value, one.identity))
    for model in ("bundled", str(bundled_model()), "valueflow-tiny"):
        spec = read_steer("svt/power=+3", model=model)
        assert spec is not None
        assert spec.prompt == steering_text("svt/power", 1)
    assert spec.promises == (one.promise(one.invert(3.0)),)
    assert "nearest prompt level is +1" in caplog.messages[0]
    unsteered = read_steer("svt/power=+0.2", model="bundled")
    assert unsteered == SteeringSpec(promises=(one.promise(one.invert(0.2)),))
    assert unsteered.is_unsteered
    with pytest.raises(ValueFlowError, match="out of reach"):
        read_steer("svt/power=+8", model="bundled")
    for other in ({"model": "org/other"}, {"model": "bundled", "method": "exemplars"}):
        with pytest.raises(ValueFlowError, match="--arm prompt"):
            read_steer("svt/power=+3", **other)


def test_another_ruler_than_the_dials_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    from valueflow_tasks.steer_request import check_promises, prompt_spec

    one = prompt_dial()
    bare = prompt_spec({"svt/power": 1})
    spec = replace(bare, promises=(one.promise(one.invert(3.0)),))
    for told, ruler in ((None, "other"), (bare, "other"), (spec, one.profile)):
        check_promises(told, settings_of(ruler))
    assert not caplog.records
    for _ in range(2):
        check_promises(spec, settings_of("other"))
    (said,) = caplog.messages
    assert "does not hold" in said


def settings_of(ruler: str) -> Any:
    profile = SimpleNamespace(judge="other", fingerprint=ruler)
    return SimpleNamespace(instrument=lambda: SimpleNamespace(judge_profile=profile))


def test_files_that_are_no_dials_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.dial.json"
    for content in (
        b"{",
        b"[]",
        b"3",
        b'{"format": "valueflow-dial-2", "colour": 1}',
        b"\xff\xfe{",
    ):
        path.write_bytes(content)
        with pytest.raises(ValueFlowError, match="is no dial"):
            Dial.load(path)


def test_a_dial_is_written_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = dial().save(tmp_path / "x.dial.json")
    before = path.read_bytes()

    def half(self: Path, text: str, *_: Any) -> int:
        self.write_bytes(text[:100].encode())
        raise OSError("disk full")

    monkeypatch.setattr(Path, "write_text", half)
    with pytest.raises(OSError, match="disk full"):
        dial(1).save(path)
    assert path.read_bytes() == before


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
    (promise,) = spec.promises
    assert (promise.asked, promise.judge, promise.profile) == (2.0, "known", "0" * 16)
    assert promise.low < promise.expected < promise.high
    with pytest.raises(ValueFlowError, match="out of reach"):
        read_steer("svt/power=+9.5", str(tmp_path))
    make_vector(seed=5).save(vector_file(tmp_path, "svt/power"))
    with pytest.raises(ValueFlowError, match="calibrate"):
        read_steer("svt/power=+2.0", str(tmp_path))


def test_a_pair_uses_each_vector_on_its_side(make_vector, tmp_path: Path) -> None:

    up, down = make_vector(seed=1), make_vector(seed=2)
    up.save(vector_file(tmp_path, "svt/power"))
    down.save(against_file(tmp_path, "svt/power"))
    folder = VectorFolder(tmp_path)
    (high,) = folder.spec({"svt/power": 2.0}).vectors
    (low,) = folder.spec({"svt/power": -1.0}).vectors
    assert (high.fingerprint, high.coefficient) == (up.fingerprint, pytest.approx(0.8))
    assert (low.fingerprint, low.coefficient) == (down.fingerprint, pytest.approx(0.4))
