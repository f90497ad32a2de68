"""Steering toward a profile: sentences, vectors, and the tasks of both harnesses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from valueflow_scorers import ValueFlowError

from valueflow_tasks.profiles import (
    BuiltFrom,
    ValueProfile,
    ValueScore,
    load_profile,
    profile_spec,
    profile_text,
    telling_values,
)
from valueflow_tasks.profiles._prompt import band, level_of
from valueflow_tasks.prompts import steering_text
from valueflow_tasks.settings import Settings
from valueflow_tasks.steer_request import prompt_spec, read_steer

JUDGE = "simulated:noise=1"


def test_bands_are_the_same_on_both_sides_and_keep_fractions():
    given = [9.0, 5.0, 4.9, 1.5, 1.4, 0.0, -1.4, -1.5, -4.9, -5.0, -9.0]
    assert [level_of(x) for x in given] == [2, 2, 1, 1, 0, 0, 0, -1, -1, -2, -2]
    assert band(0.9) == "medium"


def test_the_most_telling_values_come_first_whatever_the_file_says():
    scores = {
        "svt/power": ValueScore(2.0),
        "svt/face": ValueScore(0.4),
        "svt/security": ValueScore(6.0, others=6.0),
        "svt/tradition": ValueScore(-4.0, others=3.0),
        "mft/care": ValueScore(5.5),
    }
    there = ValueProfile("a", scores)
    back = ValueProfile("a", dict(reversed(list(scores.items()))))
    wanted = {"svt/tradition": -1, "svt/security": 2, "mft/care": 2, "svt/power": 1}
    for profile in (there, back):
        assert list(telling_values(profile).items()) == list(wanted.items())
        assert list(telling_values(profile, 2)) == ["svt/tradition", "svt/security"]
    sentences = profile_text(there, 2).split("\n")
    assert sentences == [steering_text("svt/tradition", -1), steering_text("svt/security", 2)]


def test_a_neutral_profile_steers_nowhere_and_says_so():
    with pytest.raises(ValueFlowError, match="is neutral on all of its 1 values"):
        profile_text(ValueProfile("a", {"svt/power": ValueScore(0.3)}))


def test_a_whole_run_can_be_steered_by_a_profile(profile_file):
    spec = read_steer(str(profile_file))
    assert spec is not None
    assert {t.value: t.level for t in spec.targets} == {
        "svt/tradition": 2, "svt/hedonism": -1, "mft/care": 1,
    }  # fmt: skip
    assert spec == profile_spec(load_profile(profile_file))
    assert spec.fingerprint == prompt_spec({t.value: t.level for t in spec.targets}).fingerprint


def test_one_option_takes_both_kinds_of_profile(profile_file, quick):
    given = Settings.parse({"profile": str(profile_file)})
    assert (given.profile, given.value_profile) == ("auto", str(profile_file))
    both = Settings.parse({"profile": quick, "value_profile": str(profile_file), "judge": JUDGE})
    assert (both.profile, both.value_profile) == (quick, str(profile_file))
    assert Settings.parse(both.to_dict()) == both
    assert Settings.parse({"profile": quick}).value_profile == ""


def test_steering_by_profile_does_not_enter_the_protocol(profile_file):
    plain, steered = Settings(judge=JUDGE), Settings(judge=JUDGE, value_profile=str(profile_file))
    values, queries = ("svt/power",), plain.query_set()[:3]
    assert plain.protocol(values, queries, chat_template=False) == steered.protocol(
        values, queries, chat_template=False
    )


def numbers(found: dict[str, object], task: str) -> dict[str, float]:
    results = found["results"][task]  # type: ignore[index]
    return {key.partition(",")[0]: number for key, number in results.items() if "," in key}


def test_lm_eval_measures_a_model_that_answers_as_a_profile(run_lm_eval, profile_file, quick):
    given = {"judge": JUDGE, "profile": quick, "value_profile": str(profile_file)}
    found = run_lm_eval("valueflow_profile", limit=4, values=["svt", "mft/care"], **given)
    metrics = numbers(found, "valueflow_profile")
    # The oracle serves the strongest of the sentences.
    assert metrics["intensity_svt_tradition"] > 5
    assert "profile_agreement" in metrics
    prompt = found["samples"]["valueflow_profile"][0]["arguments"][0][0]
    assert prompt.startswith(profile_text(load_profile(profile_file)))
    told = found["configs"]["valueflow_profile"]["metadata"]["valueflow"]
    assert told["value_profile"] == "own"
    assert told["value_profile_fingerprint"] == load_profile(profile_file).fingerprint
    assert told["value_profile_seen"] == 0
    assert told["arms"][0]["targets"] == {"svt/tradition": 2, "svt/hedonism": -1, "mft/care": 1}
    inert = numbers(
        run_lm_eval("valueflow_profile", "inert", 4, values=["svt", "mft/care"], **given),
        "valueflow_profile",
    )
    assert abs(inert["intensity_svt_tradition"]) < 2


def test_inspect_measures_a_model_that_answers_as_a_profile(run_inspect, profile_file, quick):
    from valueflow_tasks.inspect_tasks import valueflow_profile

    task = valueflow_profile(
        judge=JUDGE, profile=quick, value_profile=str(profile_file), values=["svt", "mft/care"]
    )
    log = run_inspect(task, limit=4)
    assert log.status == "success"
    metrics = {name: one.value for name, one in log.results.scores[0].metrics.items()}
    assert metrics["intensity_svt_tradition"] > 5
    assert "profile_agreement" in metrics
    assert log.eval.metadata["valueflow"]["value_profile"] == "own"
    assert log.samples[0].input.startswith(profile_text(load_profile(profile_file)))


def test_a_task_with_targets_of_its_own_refuses_a_profile(run_lm_eval, profile_file):
    with pytest.raises(ValueFlowError, match="is a value profile: it steers valueflow_profile"):
        run_lm_eval("valueflow_steer_svt_power", profile=str(profile_file), judge=JUDGE)


def test_vectors_are_dialled_to_the_intensities_and_summed(tmp_path: Path):
    torch = pytest.importorskip("torch")
    from valueflow_tasks.steering import SteeringVector
    from valueflow_tasks.steering._folder import DOSE, VectorFolder, dial_file, vector_file
    from valueflow_tasks.steering.dial import Dial

    doses = (-1.0, 0.0, 1.0)
    for number, value in enumerate(("svt/power", "svt/hedonism")):
        direction = torch.zeros(4)
        direction[number] = 1.0
        vector = SteeringVector(
            direction, 1, residual_norm=2.0, model_id="m", value=value, fit={DOSE: 0.5}
        )
        vector.save(vector_file(tmp_path, value))
        curve = (-4.0, 0.0, 6.0)
        identity = VectorFolder(tmp_path).vector(value).fingerprint
        Dial(value, "vector", identity, "j", "f", doses, 0.5, curve, (0.1,) * 3, curve, (curve,), 9
             ).save(dial_file(tmp_path, value))  # fmt: skip
    scores = {
        "svt/power": ValueScore(3.0),
        "svt/hedonism": ValueScore(-9.0),  # beyond the dial's reach
        "mft/care": ValueScore(9.0),  # without a vector
    }
    spec = profile_spec(ValueProfile("p", scores, BuiltFrom()), str(tmp_path))
    assert spec.prompt == ""
    found = {t.value: d.coefficient for t, d in zip(spec.targets, spec.vectors, strict=True)}
    assert found == pytest.approx({"svt/hedonism": -1.0, "svt/power": 0.5})
    with pytest.raises(ValueFlowError, match="a vector with a dial for none of the values"):
        profile_spec(ValueProfile("p", {"mft/care": ValueScore(9.0)}), str(tmp_path))


def test_a_profile_file_says_it_is_one(profile_file):
    assert json.loads(profile_file.read_text("utf-8"))["format"] == "valueflow-profile-1"
