"""What is written is what its receivers accept, and says what was measured."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from huggingface_hub import ModelCard, parse_eval_result_entries
from jsonschema import Draft7Validator
from valueflow_scorers import ValueFlowError

from valueflow_tasks.analysis import load_runs
from valueflow_tasks.submit import _every_eval_ever, _hf_evals, _register, verify, write_submission

MODEL = "some-lab/oracle"


def entries(folder: Path) -> Any:
    path = folder / f"hf-evals/models/{MODEL}/.eval_results/valueflow-definition.yaml"
    return parse_eval_result_entries(yaml.safe_load(path.read_text("utf-8")))


def eee(folder: Path) -> tuple[Path, Any]:
    (path,) = (folder / "every-eval-ever").rglob("*[0-9a-f].json")
    return path, json.loads(path.read_text("utf-8"))


def card(folder: Path) -> ModelCard:
    return ModelCard.load(folder / f"model-index/{MODEL}/README.md")


def test_numbers_are_those_that_the_harness_printed(submitted: Path, inspect_logs: Path) -> None:
    (run,) = load_runs(inspect_logs).runs
    wanted = {
        (f"mft_{name}" if slug is None else f"{slug}_{name}"): run.metrics[
            name if slug is None else f"{slug}/{name}"
        ].value
        for name in ("steerability", "tracking")
        for slug in (None, "mft_care", "mft_liberty")
    }

    found = {one.task_id.rpartition("_")[0]: one.value for one in entries(submitted)}

    assert {name: found[name] for name in wanted} == pytest.approx(wanted, abs=1e-4)
    assert len(found) == 14  # the theory and its six values, two metrics each
    _, log = eee(submitted)
    scores = {r["evaluation_result_id"].rpartition("_")[0]: r["score_details"]["score"]
              for r in log["evaluation_results"]}  # fmt: skip
    assert scores == found
    told = {f"{one.dataset_config.split('-')[0]}_{one.metric_type}": one.metric_value
            for one in card(submitted).data.eval_results}  # fmt: skip
    assert told == found


def test_only_what_has_a_good_direction_is_ranked(submitted: Path) -> None:
    metrics = {one.task_id.split("_")[-2] for one in entries(submitted)}
    metrics |= {one.metric_type for one in card(submitted).data.eval_results}
    _, log = eee(submitted)
    metrics |= {one["metric_config"]["metric_name"] for one in log["evaluation_results"]}
    assert metrics == {"steerability", "tracking"}
    care = next(
        r for r in log["evaluation_results"] if r["evaluation_name"] == "valueflow mft/care"
    )
    assert "intensity" in care["score_details"]["details"]["unranked_intensity"]


def test_protocol_judge_versions_command_and_interval_are_always_there(
    submitted: Path, inspect_logs: Path
) -> None:
    (run,) = load_runs(inspect_logs).runs
    _, log = eee(submitted)
    register = yaml.safe_load(
        (submitted / "inspect-register/valueflow/eval.yaml").read_text("utf-8")
    )
    whole = [
        entries(submitted)[0].notes,
        json.dumps(log["evaluation_results"][0]),
        json.dumps(register["evaluation_report"]),
        json.dumps(card(submitted).data.eval_results[0].dataset_args),
    ]
    for told in whole:
        for wanted in (run.protocol, run.judge, run.judge_profile, "inspect_ai", "definition",
                       "inspect eval valueflow_tasks/valueflow_steer"):  # fmt: skip
            assert str(wanted) in told
    low, high = card(submitted).data.eval_results[0].metric_args["interval_90"]
    assert f"90 % interval {low:.4f} to {high:.4f}" in whole[0]
    assert low < card(submitted).data.eval_results[0].metric_value < high


def test_steering_is_never_in_the_model_id(submitted: Path) -> None:
    _, log = eee(submitted)
    assert log["model_info"]["id"] == MODEL
    assert log["evaluation_id"].startswith("valueflow-definition-")
    details = log["evaluation_results"][0]["generation_config"]["additional_details"]
    assert details["steering_method"] == "definition"
    assert len(json.loads(details["steering_specs"])) == 24  # six values, four levels


def test_instances_are_every_scored_answer(submitted: Path) -> None:
    path, log = eee(submitted)
    text = path.with_name(f"{path.stem}_samples.jsonl").read_text("utf-8")
    rows = [json.loads(row) for row in text.splitlines()]
    assert len(rows) == 20 * 6 * 5 == log["detailed_evaluation_results"]["total_rows"]
    validator = Draft7Validator(_every_eval_ever.schema("instance_level_eval"))
    assert not list(validator.iter_errors(rows[0]))
    ids = {one["evaluation_result_id"] for one in log["evaluation_results"]}
    assert {row["evaluation_result_id"] for row in rows} <= ids


def test_every_eval_evers_own_command_accepts_it(submitted: Path) -> None:
    command = os.environ.get("EVERY_EVAL_EVER") or shutil.which("every_eval_ever")
    if not command:
        pytest.skip("every_eval_ever is not installed (it needs Python 3.12)")
    folder = submitted / "every-eval-ever"
    files = [str(path.relative_to(folder)) for path in folder.rglob("*.json*")]
    subprocess.run([command, "validate", *files], cwd=folder, check=True)


def test_the_registers_own_code_accepts_it(submitted: Path) -> None:
    metadata = pytest.importorskip("inspect_evals.metadata")
    text = (submitted / "inspect-register/valueflow/eval.yaml").read_text("utf-8")
    entry = metadata.ExternalEvalMetadata(id="valueflow", **yaml.safe_load(text))
    assert entry.source.maintainers == ["someone"]
    (row,) = entry.evaluation_report.results
    assert (row.model, row.task) == (MODEL, "valueflow_steer")
    assert entry.tasks[0].dataset_samples == 20 * (1 + 6 * 4)
    assert (Path(__file__).parents[3] / entry.tasks[0].task_path).is_file()


def test_the_registers_schema_is_the_one_of_its_code() -> None:
    metadata = pytest.importorskip("inspect_evals.metadata")
    shipped = dict(_register.schema())
    shipped.pop("$comment")
    assert shipped == metadata.ExternalEvalMetadata.model_json_schema()


def damaged(content: Any) -> Iterator[Any]:
    """The content, lacking one field each time."""
    for key in content:
        yield {name: own for name, own in content.items() if name != key}


def test_what_a_receiver_requires_is_required(submitted: Path) -> None:
    path, log = eee(submitted)
    name = str(path.relative_to(submitted))
    assert not list(_every_eval_ever.validate(name, log))
    required = set(_every_eval_ever.schema("eval")["required"])
    for less in damaged(log):
        if required - set(less):
            assert list(_every_eval_ever.validate(name, less))
    out = {**log, "evaluation_results": [json.loads(json.dumps(log["evaluation_results"][0]))]}
    out["evaluation_results"][0]["score_details"]["score"] = 1.5
    assert "outside" in " ".join(_every_eval_ever.validate(name, out))
    benchmark = yaml.safe_load((submitted / _hf_evals.BENCHMARK).read_text("utf-8"))
    for less in damaged(benchmark):
        assert list(_hf_evals.validate(_hf_evals.BENCHMARK, less))
    for entry in ({}, {"dataset": {"id": "a/b"}, "value": 1}, {"dataset": {}, "value": 1}):
        assert list(_hf_evals.validate("x.yaml", [entry]))


def test_benchmark_lists_the_tasks_that_models_report(submitted: Path) -> None:
    benchmark = yaml.safe_load((submitted / _hf_evals.BENCHMARK).read_text("utf-8"))
    assert [one["id"] for one in benchmark["tasks"]] == [one.task_id for one in entries(submitted)]


def test_control_models_are_drafts_even_with_all_facts(submitted: Path) -> None:
    found = verify(submitted)
    assert found.problems == ()
    assert len(found.drafts) == 2
    assert "is a control model" in found.drafts[0]
    assert "knows the panels' labels" in found.drafts[1]
    assert entries(submitted)[0].notes.startswith("draft: ")


def test_without_facts_the_files_say_draft(inspect_logs: Path, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    written = write_submission(inspect_logs, folder, ["hf-evals", "inspect-register"])
    told = written.submission.drafts[-1]
    assert told == (
        "no --meta says dataset, the id of model valueflow-control-oracle, repository, commit, "
        "maintainers, contributors"
    )
    assert not (folder / "every-eval-ever").exists()
    register = yaml.safe_load((folder / "inspect-register/valueflow/eval.yaml").read_text("utf-8"))
    assert register["common_title"].startswith("draft")
    assert verify(folder).valid


def test_a_folder_in_use_is_left_alone(inspect_logs: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine", "utf-8")
    with pytest.raises(ValueFlowError, match="is in use: give a new folder"):
        write_submission(inspect_logs, tmp_path)
    assert [one.name for one in tmp_path.iterdir()] == ["mine.txt"]
