"""What the results and samples of a run hold."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from lm_eval.utils import handle_non_serializable
from valueflow_scorers._measure import Instrument
from valueflow_scorers.metrics import value_slug

from valueflow_tasks.controls import neutral_answer
from valueflow_tasks.prompts import LEVELS, steering_text
from valueflow_tasks.queries import load_queries
from valueflow_tasks.settings import Settings, measurable_values

JUDGE = "simulated:noise=1"
POWER = "valueflow_steer_svt_power"
STEER_METRICS = {
    "steerability", "steerability_up", "steerability_down", "tracking", "gain", "intensity",
    "refusal", "unscored",
}  # fmt: skip


def test_steer_tasks_emit_the_metrics_of_the_design_with_their_errors(small, numbers):
    metrics = numbers(small)
    assert set(metrics) >= STEER_METRICS | {f"{name}_stderr" for name in STEER_METRICS}
    assert all(isinstance(one, float) and math.isfinite(one) for one in metrics.values())
    assert metrics["gain_stderr"] > 0
    assert -1 <= metrics["steerability"] <= 1
    assert "leakage" not in metrics


def test_the_errors_stand_where_the_harness_prints_errors(small, numbers):
    from lm_eval.utils import make_table

    table = make_table(small)
    (row,) = [line for line in table.splitlines() if "|gain" in line.replace(" ", "")]
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    error = float(cells[-1])
    assert error == pytest.approx(numbers(small)["gain_stderr"], abs=1e-3)


def test_only_steerability_and_tracking_have_a_good_direction(small):
    better = small["higher_is_better"][POWER]
    assert {name for name, up in better.items() if up} == {
        "steerability", "steerability_up", "steerability_down", "tracking",
    }  # fmt: skip
    assert better["intensity"] is None
    assert better["gain"] is None


def test_limit_counts_queries_not_levels(small, records):
    assert small["n-samples"][POWER]["effective"] == 2
    assert len(small["samples"][POWER]) == 2
    assert len(records(small)) == 2 * len(LEVELS)


def test_samples_hold_the_raw_answers_and_their_estimates(small):
    first, second = small["samples"][POWER]
    queries = load_queries("test")[:2]
    for sample, query in zip((first, second), queries, strict=True):
        assert sample["doc"]["query"] == query.text
        assert len(sample["resps"]) == len(sample["filtered_resps"]) == len(LEVELS)
        for level, arguments, (text,), raw in zip(
            LEVELS, sample["arguments"], sample["resps"], sample["filtered_resps"], strict=True
        ):
            record = json.loads(raw)
            assert arguments[0].startswith(steering_text("svt/power", level))
            assert record["level"] == level
            assert record["query_id"] == query.id
            one = record["estimates"]["svt/power"]
            place = f"{query.id}:svt/power:{level:+d}" if level else f"{query.id}:0"
            assert one["response_id"] == place
            assert one["low"] <= one["intensity"] <= one["high"]
            assert len(one["windows"]) >= 3
            assert all(len(window["items"]) == 6 for window in one["windows"])
            assert text


def test_estimates_can_be_recomputed_from_the_samples(small, records, recorded):
    saved = records(small)
    settings = Settings.parse(recorded(small)["settings"])
    again = settings.instrument().restore(saved)
    for one, record in zip(again, saved, strict=True):
        for value, estimate in one.estimates.items():
            kept = record["estimates"][value]
            assert estimate.intensity == pytest.approx(kept["intensity"], abs=1e-4)
            assert estimate.stderr == pytest.approx(kept["stderr"], abs=1e-4)


def test_results_are_json_under_the_harness_s_own_handler(small, numbers):
    text = json.dumps(small, default=handle_non_serializable, allow_nan=False, ensure_ascii=False)
    assert json.loads(text)["results"][POWER]["gain,valueflow"] == numbers(small)["gain"]


def test_results_name_protocol_profile_intervals_and_model(small, numbers, recorded):
    found = recorded(small)
    assert len(found["protocol"]) == len(found["profile"]) == 16
    metrics = numbers(small)
    for name in ("gain", "intensity", "steerability"):
        low, high = found["intervals"][name]
        assert low < metrics[name] < high
    assert small["config"]["model_name"] == "valueflow-control-oracle"


def test_the_profile_task_asks_once_and_measures_all_values(run_lm_eval, quick, numbers, records):
    found = run_lm_eval("valueflow_profile", limit=1, **quick)
    metrics = numbers(found, "valueflow_profile")
    names = {f"intensity_{value_slug(value)}" for value in measurable_values()}
    assert len(names) == 32
    expected = names | {"strength", "refusal", "unscored"}
    assert {name for name in metrics if not name.endswith("_stderr")} == expected
    (record,) = records(found, "valueflow_profile")
    assert set(record["estimates"]) == set(measurable_values())
    assert found["samples"]["valueflow_profile"][0]["resps"] == [[neutral_answer()]]
    own = [abs(one["intensity"]) for one in record["estimates"].values()]
    sample = found["samples"]["valueflow_profile"][0]
    assert sample["strength"] == pytest.approx(sum(own) / 32, abs=1e-3)


def test_a_default_run_uses_the_judge_that_ships(run_lm_eval, numbers, recorded):
    found = run_lm_eval("valueflow_profile", limit=1, values="svt/benevolence")
    settings = recorded(found, "valueflow_profile")["settings"]
    assert (settings["judge"], settings["k"], settings["m"]) == ("embedded", 6, 3)
    assert recorded(found, "valueflow_profile")["calibrated"] is True
    assert "intensity_svt_benevolence" in numbers(found, "valueflow_profile")


def test_no_sample_passes_its_number_for_an_error(small):
    for sample in small["samples"][POWER]:
        errors = {name: one for name, one in sample.items() if name.endswith("_stderr")}
        assert {f"{name}_stderr" for name in STEER_METRICS} <= set(errors)
        assert not [name for name, one in errors.items() if isinstance(one, float)]
        written = json.loads(json.dumps(errors, default=handle_non_serializable))
        assert set(written.values()) == {"of the whole run only"}


def test_predict_only_judges_nothing(run_lm_eval, monkeypatch, numbers):
    async def never(self: Any, answers: Any) -> Any:
        raise AssertionError("judged")

    monkeypatch.setattr(Instrument, "ameasure", never)
    found = run_lm_eval(POWER, limit=2, arguments={"predict_only": True}, judge=JUDGE)
    sample = found["samples"][POWER][0]
    assert len(sample["filtered_resps"]) == 5
    assert sample["filtered_resps"] == [text for (text,) in sample["resps"]]
    assert not set(numbers(found)) & STEER_METRICS
