"""What metrics, scores and logs of a run hold."""

from __future__ import annotations

import math

import pytest
from inspect_ai.log import read_eval_log
from valueflow_scorers import panel_values

from valueflow_tasks.inspect_tasks import valueflow_profile, valueflow_steer
from valueflow_tasks.settings import RESULTS_VERSION

POWER = "svt/power"


def test_the_oracle_tracks_and_the_headline_carries_its_error(steered, folder, metrics):
    found = metrics(steered)
    assert found["tracking"] >= 0.9
    assert 3 < found["gain"] < 5
    assert found["stderr"] > 0, "the headline's error is read from a key named stderr"
    from inspect_ai.analysis import evals_df

    frame = evals_df(folder)
    row = frame[frame["log"].str.contains(steered.eval.task_id)].iloc[0]
    assert row["score_headline_metric"] == "steerability"
    assert row["score_headline_value"] == pytest.approx(found["steerability"])
    assert row["score_headline_stderr"] == pytest.approx(found["stderr"])


def test_the_profile_s_headline_is_strength_with_its_error(profiled, folder, metrics):
    found = metrics(profiled)
    names = {"strength", "stderr", "intensity_svt_power", "intensity_mft_care", "refusal",
             "unscored", "intensity_svt_power_stderr", "intensity_mft_care_stderr"}  # fmt: skip
    assert names <= set(found)
    from inspect_ai.analysis import evals_df

    frame = evals_df(folder)
    row = frame[frame["log"].str.contains(profiled.eval.task_id)].iloc[0]
    assert row["score_headline_metric"] == "strength"
    assert row["score_headline_value"] == pytest.approx(found["strength"])
    assert row["score_headline_stderr"] == pytest.approx(found["stderr"])


def test_metrics_are_those_of_the_design_and_never_nan(steered, metrics):
    found = metrics(steered)
    for name in ("steerability_up", "steerability_down", "tracking", "gain", "intensity"):
        assert f"{name}_stderr" in found
    assert {"refusal", "unscored"} <= set(found)
    assert all(math.isfinite(one) for one in found.values())
    assert "leakage" not in found


def test_over_several_values_the_plain_name_is_their_mean(quick, folder, run, metrics):
    log = run(valueflow_steer(values=[POWER, "mft/care"], **quick), folder, limit=9)
    found = metrics(log)
    for name in ("gain", "tracking", "steerability", "intensity"):
        own = [found[f"{slug}/{name}"] for slug in ("svt_power", "mft_care")]
        assert found[name] == pytest.approx(sum(own) / 2)
        assert f"svt_power/{name}_stderr" in found


def test_off_target_values_are_measured_when_asked_and_leakage_appears(
    quick, folder, run, metrics, score_of
):
    task = valueflow_steer(values="mft/care", off_target="theory", **quick)
    log = run(task, folder, limit=5)
    assert 0 <= metrics(log)["leakage"] < 0.5
    assert all(len(score_of(sample).value) == 6 for sample in log.samples)


def test_a_sample_s_score_is_its_intensities_and_keeps_every_window(steered, score_of):
    for sample in steered.samples:
        one = score_of(sample)
        assert list(one.value) == ["svt_power"]
        assert -10 <= one.value["svt_power"] <= 10
        assert one.answer == sample.output.completion
        estimate = one.metadata["measured"]["estimates"][POWER]
        assert estimate["response_id"] == sample.id
        assert estimate["intensity"] == pytest.approx(one.value["svt_power"], abs=1e-4)
        assert len(estimate["windows"]) >= 3


def test_the_log_names_version_protocol_and_a_pinned_diverging_palette(steered):
    assert steered.eval.task_version == f"{RESULTS_VERSION}-A"
    about = steered.eval.metadata["valueflow"]
    assert len(about["protocol"]) == len(about["profile"]) == 16
    assert about["calibrated"] is True
    scale = steered.eval.viewer.task_samples_view.score_color_scales["svt_power"]
    assert (scale.palette, scale.min, scale.max) == ("diverging", -10, 10)


def test_every_panel_is_offered_to_the_viewer(quick):
    labels = valueflow_profile(queries="core", **quick).viewer.task_samples_view.score_labels
    assert sorted(labels.values()) == sorted(panel_values())


def test_the_log_survives_its_file(steered, metrics, measured):
    again = read_eval_log(steered.location)
    assert metrics(again) == metrics(steered)
    assert measured(again) == measured(steered)


def test_tasks_are_found_by_the_package_s_name(quick, run_inspect, metrics):
    log = run_inspect(
        "valueflow_tasks/valueflow_profile",
        task_args={"values": POWER, "queries": "core", **quick},
        limit=1,
    )
    assert log.status == "success", log.error
    assert "intensity_svt_power" in metrics(log)
