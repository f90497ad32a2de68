"""Every kind of log becomes rows that say the same; damage is named and costs its line only."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from valueflow_scorers import ValueFlowError
from valueflow_scorers._sentences import sentence_words

from valueflow_tasks.analysis import COLUMNS, load_runs, steering
from valueflow_tasks.analysis._frame import tidy
from valueflow_tasks.settings import Settings
from valueflow_tasks.steer_request import prompt_spec

Copied = Callable[[Path], Path]


def test_a_row_stands_for_every_answer_and_value(lm_eval_folder: Path) -> None:
    runs = load_runs(lm_eval_folder)
    (run,) = runs.runs
    assert not runs.problems
    assert list(runs.frame.columns) == list(COLUMNS)
    assert len(runs.frame) == 6 * 5 * 6  # queries, levels, foundations
    on = runs.frame[runs.frame.value == "mft/care"].groupby("level").intensity.mean()
    assert on.is_monotonic_increasing
    assert on[2.0] > 6
    assert on[-2.0] < -6
    assert run.control
    assert run.model == "valueflow-control-oracle"
    assert (run.limit, run.limited, run.queries_total, run.complete) == (6.0, True, 20, True)
    assert run.versions["lm_eval"]
    assert run.versions["valueflow-tasks"]
    assert run.metrics["steerability"].stderr
    assert run.command is not None
    assert "--tasks valueflow_steer_mft_care" in run.command
    assert "judge=simulated:noise=1" in run.command


def test_both_harnesses_give_the_same_numbers(lm_eval_folder: Path, inspect_folder: Path) -> None:
    frame = load_runs([lm_eval_folder, inspect_folder]).frame
    own = frame[(frame.model == "valueflow-control-oracle") & (frame.value == "mft/care")]
    own = own[own.target != "mft/loyalty"]
    wide = own.pivot(index=["query_id", "arm"], columns="harness", values="intensity").dropna()
    assert len(wide) == 6 * 5
    assert (wide["lm-eval"] == wide["inspect"]).all()


def test_a_template_that_a_server_applies_is_known(lm_eval_folder: Path, copied: Copied) -> None:
    folder = copied(lm_eval_folder)
    (path,) = folder.rglob("results_*.json")
    results = json.loads(path.read_text("utf-8"))
    assert load_runs(folder).runs[0].chat_template is False
    results["chat_template"] = ""  # as the harness has it of a model without a tokenizer here
    (config,) = results["configs"].values()
    config["metadata"]["valueflow"]["chat_template"] = True
    path.write_text(json.dumps(results), "utf-8")
    (run,) = load_runs(folder).runs
    assert run.chat_template is True
    assert "--apply_chat_template" in str(run.command)


def test_level_0_has_no_method_and_the_steered_rows_their_spec(inspect_folder: Path) -> None:
    frame = load_runs(inspect_folder).frame
    plain, steered = frame[frame.level == 0], frame[frame.level == 2]
    assert set(plain.method) == set(plain.target) == set(plain.steering) == {""}
    assert set(steered.method) == {"definition"}
    wanted = {prompt_spec({v: 2}).fingerprint for v in ("mft/care", "mft/loyalty")}
    assert set(steered.steering) == wanted


def test_value_protocol_is_that_of_a_run_of_the_value_alone(
    lm_eval_folder: Path, write_lm_eval: Any, tmp_path: Path
) -> None:
    def wrote(name: str, task: str, limit: int, **given: Any) -> Any:
        folder = tmp_path / name
        folder.mkdir()
        told = {"judge": "simulated:noise=1", "queries": "core", **given}
        return load_runs(write_lm_eval(folder, task, limit=limit, **told))

    runs = load_runs(lm_eval_folder)
    own = runs.frame[runs.frame.value == "mft/care"]
    alone = wrote("alone", "valueflow_steer_mft_care", 6)
    assert set(own.value_protocol) == {alone.runs[0].protocol}
    assert runs.runs[0].protocol != alone.runs[0].protocol, "it is measured on other values too"
    other = wrote("profile", "valueflow_profile", 6, values=["mft"]).frame
    assert set(other.protocol) == set(own.protocol), "the same values, however it was steered"
    assert set(other[other.value == "mft/care"].value_protocol) == set(own.value_protocol)
    fewer = wrote("fewer", "valueflow_profile", 2, values=["mft"]).frame
    assert not set(fewer.value_protocol) & set(other.value_protocol), "fewer queries were put"


def test_recomputed_estimates_are_the_saved_ones(inspect_folder: Path) -> None:
    runs = load_runs(inspect_folder)
    rows = runs.frame[runs.frame.reason == ""].index[:40]
    for row, one in zip(rows, runs.estimates(rows), strict=True):
        assert one.intensity == pytest.approx(runs.frame.intensity[row], abs=1e-3)
        assert one.log_likelihood is not None
    assert not runs.inexact


def test_a_missing_profile_is_named_and_saved_numbers_stand_in(inspect_folder: Path) -> None:
    runs = load_runs(inspect_folder)
    strange = [replace(run, judge_profile="0" * 16) for run in runs.runs]
    other = replace(runs, runs=tuple(strange))
    row = int(other.frame.index[0])
    (one,) = other.estimates([row])
    assert one.intensity == other.frame.intensity[row]
    assert one.sentences == sentence_words(other.frame.response[row]), "its errors are shared"
    assert "0000000000000000" in str(next(iter(other.inexact.values())))


def test_refusals_are_rows_with_a_reason(write_lm_eval: Any, tmp_path: Path) -> None:
    folder = write_lm_eval(
        tmp_path, "valueflow_steer_mft_care", mode="refuser", limit=2, judge="simulated",
        queries="core", off_target="theory", values=["mft"],
    )  # fmt: skip
    frame = load_runs(folder).frame
    assert len(frame) == 2 * 5 * 6
    assert set(frame.reason) == {"refusal"}
    assert frame.refused.all()
    assert frame.intensity.isna().all()
    assert frame.setting.nunique() == 1


def test_answers_that_were_not_judged_are_there(write_lm_eval: Any, tmp_path: Path) -> None:
    folder = write_lm_eval(
        tmp_path, "valueflow_steer_mft_care", limit=2, predict_only=True, queries="core",
        judge="simulated",
    )  # fmt: skip
    frame = load_runs(folder).frame
    assert set(frame.reason) == {"not judged"}
    assert sorted(frame.level.unique()) == [-2, -1, 0, 1, 2]
    assert frame.response.str.len().min() > 20


def test_a_damaged_samples_file_costs_its_line(lm_eval_folder: Path, copied: Copied) -> None:
    folder = copied(lm_eval_folder)
    (samples,) = folder.rglob("samples_*.jsonl")
    content = samples.read_bytes()
    samples.write_bytes(content[:-500])
    runs = load_runs(folder)
    assert runs.frame.query_id.nunique() == 5
    (problem,) = runs.problems
    assert f"{samples}, line 6" in str(problem)
    assert not runs.runs[0].complete


def test_samples_that_are_missing_leave_the_totals(lm_eval_folder: Path, copied: Copied) -> None:
    folder = copied(lm_eval_folder)
    (samples,) = folder.rglob("samples_*.jsonl")
    samples.unlink()
    runs = load_runs(folder)
    assert len(runs.frame) == 0
    assert runs.runs[0].metrics["steerability"].value > 0.5
    assert "--log_samples" in str(runs.problems[0])


def test_a_truncated_log_is_named_and_the_rest_read(inspect_folder: Path, copied: Copied) -> None:
    folder = copied(inspect_folder)
    first, second = sorted(folder.glob("*.eval"))
    first.write_bytes(first.read_bytes()[:4000])
    runs = load_runs(folder)
    assert [Path(run.source) for run in runs.runs] == [second]
    (problem,) = runs.problems
    assert str(first) in str(problem)


def test_a_log_scored_twice_gives_two_runs(inspect_folder: Path, tmp_path: Path) -> None:
    from inspect_ai import score
    from inspect_ai.log import read_eval_log, write_eval_log

    from valueflow_tasks.inspect_tasks import anchor_intensity

    path = sorted(inspect_folder.glob("*.eval"))[0]
    log = score(
        read_eval_log(str(path)),
        anchor_intensity(judge="simulated:noise=2"),
        action="append",
        model="none/none",
        display="none",
    )
    write_eval_log(log, str(tmp_path / "twice.eval"))
    runs = load_runs(tmp_path)
    assert {run.judge for run in runs.runs} == {"simulated:noise=1", "simulated:noise=2"}
    assert runs.frame.profile.nunique() == 2
    assert [run.protocol is None for run in runs.runs] == [False, True]


def test_a_score_file_s_refusals_are_refusals(tmp_path: Path, quick: dict[str, str]) -> None:
    from valueflow_tasks.score import Scoring

    text = "I'm sorry, but I can't help with that."
    lines = [{"response": text, "query": "Who?"}, {"response": text}]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(one) + "\n" for one in lines), "utf-8")
    scoring = Scoring(tmp_path / "a.jsonl", tmp_path / "out.jsonl", value="svt/power", **quick)
    assert list(scoring.run()) == [2]
    runs = load_runs(tmp_path / "out.jsonl")
    assert not runs.problems
    first, second = runs.frame.to_dict("records")
    assert (first["refused"], first["reason"]) == (True, "refusal")
    assert not second["refused"]


def test_a_score_file_has_its_settings_beside_it(score_file: Path) -> None:
    runs = load_runs(score_file)
    (run,) = runs.runs
    assert run.judge == "simulated:noise=1"
    assert run.calibrated
    assert runs.frame.response.str.len().min() > 20
    assert runs.estimates()[0].log_likelihood is not None
    described = score_file.with_name(f"{score_file.name}.run.json")
    described.unlink()
    again = load_runs(score_file)
    assert str(described) in str(again.problems[0])
    assert again.runs[0].judge is None
    assert again.frame.intensity.notna().all()


def test_a_whole_run_that_is_steered_has_its_targets(inspect_folder: Path) -> None:
    run = load_runs(inspect_folder).runs[0]
    spec = prompt_spec({"svt/power": 2})
    plain = [one for one in run.answers if not one.targets]
    frame, _ = tidy([replace(run, spec=spec, answers=plain)])
    assert set(frame.target) == {"svt/power"}
    assert set(frame.level) == {2.0}
    assert set(frame.steering) == {spec.fingerprint}
    assert not frame.on_target.any()
    assert frame.asked.isna().all()


def test_a_copy_of_a_log_counts_once(inspect_folder: Path, copied: Copied) -> None:
    folder = copied(inspect_folder)
    assert len(load_runs([inspect_folder, folder]).runs) == 2


@pytest.mark.parametrize(
    ("content", "says"),
    [(None, "does not exist"), ("{}", "no ValueFlow run"), ('{"a": 1}\n{"b": 2}\n', "no Value")],
)
def test_a_path_without_a_run_is_an_error(tmp_path: Path, content: str | None, says: str) -> None:
    path = tmp_path / "file.jsonl"
    if content is not None:
        path.write_text(content, "utf-8")
    with pytest.raises(ValueFlowError, match=says):
        load_runs(path)


def test_the_numbers_are_those_the_harness_printed(inspect_folder: Path) -> None:
    runs = load_runs(inspect_folder)
    table = steering(runs)
    for run in runs.runs:
        for target in ("mft/care", "mft/loyalty"):
            rows = table[(table.model == run.model) & (table.target == target)]
            for name in ("steerability", "tracking", "gain"):
                said = run.metrics[f"{target.replace('/', '_')}/{name}"]
                (found,) = rows[rows.metric == name].itertuples()
                assert found.estimate == pytest.approx(said.value, abs=1e-6)
                assert math.isclose(found.stderr, said.stderr or 0.0, abs_tol=1e-6)


def changed_results(folder: Path, change: Callable[[Any, list[Any]], None]) -> Any:
    """The runs of a copied folder after something in results and samples was changed."""
    (results,) = folder.rglob("results_*.json")
    (samples,) = folder.rglob("samples_*.jsonl")
    content = json.loads(results.read_text("utf-8"))
    rows = [json.loads(line) for line in samples.read_text("utf-8").split("\n") if line]
    change(content, rows)
    results.write_text(json.dumps(content), "utf-8")
    samples.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return load_runs(folder)


def record_of(row: Any) -> dict[str, Any]:
    return dict(json.loads(row["filtered_resps"][0]))


def with_record(row: Any, **changed: Any) -> None:
    row["filtered_resps"][0] = json.dumps({**record_of(row), **changed})


def with_estimate(row: Any, **changed: Any) -> None:
    estimates = record_of(row)["estimates"]
    first = next(iter(estimates))
    with_record(row, estimates={**estimates, first: {**estimates[first], **changed}})


ODD_ROWS: dict[str, Callable[[Any], Any]] = {
    "windows": lambda row: with_estimate(row, windows=5),
    "empty window": lambda row: with_estimate(row, windows=[{}]),
    "intensity": lambda row: with_estimate(row, intensity="9"),
    "no number": lambda row: with_estimate(row, intensity=float("nan")),
    "failures": lambda row: with_estimate(row, failures=3),
    "sentences": lambda row: with_estimate(row, sentences=["a"]),
    "words": lambda row: with_estimate(row, sentences={"0123456789": 0}),
    "measure": lambda row: with_record(row, measure=5),
    "targets": lambda row: with_record(row, targets=[1]),
    "level": lambda row: with_record(row, level=float("inf"), target="mft/care"),
    "answer": lambda row: with_record(row, answer=5),
    "doc": lambda row: row.update(doc="x"),
    "answers": lambda row: row.update(filtered_resps=None),
}


@pytest.mark.parametrize("case", ODD_ROWS)
def test_an_odd_record_costs_its_line(lm_eval_folder: Path, copied: Copied, case: str) -> None:
    runs = changed_results(copied(lm_eval_folder), lambda _, rows: ODD_ROWS[case](rows[0]))
    (problem,) = runs.problems
    assert "line 1: is damaged and was left out" in str(problem)
    assert runs.frame.query_id.nunique() == 5


@pytest.mark.parametrize("odd", [None, {"metadata": [{"version": 1.0}]}, [1], {}])
def test_tasks_of_others_are_passed_over(lm_eval_folder: Path, copied: Copied, odd: Any) -> None:
    runs = changed_results(
        copied(lm_eval_folder), lambda results, _: results["configs"].update(mmlu=odd)
    )
    assert not runs.problems
    assert len(runs.runs) == 1


def test_an_odd_task_is_named_and_the_rest_read(
    lm_eval_folder: Path, inspect_folder: Path, copied: Copied
) -> None:
    folder = copied(lm_eval_folder)
    (results,) = folder.rglob("results_*.json")
    content = json.loads(results.read_text("utf-8"))
    content["configs"]["valueflow_steer_mft_care"]["generation_kwargs"] = "x"
    results.write_text(json.dumps(content), "utf-8")
    runs = load_runs([folder, inspect_folder])
    assert len(runs.runs) == 2
    assert "task valueflow_steer_mft_care: is damaged" in str(runs.problems[0])


def test_half_a_character_can_be_written_again(lm_eval_folder: Path, copied: Copied) -> None:
    runs = changed_results(
        copied(lm_eval_folder), lambda _, rows: with_record(rows[0], answer="a\ud83d")
    )
    assert not runs.problems
    assert "\ufffd" in "".join(runs.frame.response)
    assert "".join(runs.frame.response).encode()


def test_chosen_queries_are_another_set(lm_eval_folder: Path, copied: Copied) -> None:
    """`--samples` puts chosen queries and leaves no word of it but fewer lines."""

    def change(results: Any, rows: list[Any]) -> None:
        results["config"]["limit"] = None
        del rows[3:]

    (run,) = changed_results(copied(lm_eval_folder), change).runs
    assert (run.limit, run.chosen, run.limited, run.queries_total) == (None, True, True, 20)
    whole = replace(run, chosen=False)
    frames = [tidy([one])[0] for one in (run, whole)]
    assert not set(frames[0].setting) & set(frames[1].setting)
    assert not set(frames[0].value_protocol) & set(frames[1].value_protocol)


def test_chosen_samples_are_another_set(tmp_path: Path) -> None:
    """`--sample-id` of Inspect."""
    from inspect_ai import eval as inspect_eval

    from valueflow_tasks.inspect_tasks import valueflow_steer

    task = valueflow_steer(values=["mft/care"], judge="simulated:noise=1", queries="core")
    chosen = [str(one.id) for one in task.dataset][:10]
    inspect_eval(
        task, model="valueflow/control", sample_id=chosen, log_dir=str(tmp_path), display="none"
    )
    runs = load_runs(tmp_path)
    (run,) = runs.runs
    assert (run.limit, run.chosen, run.limited, run.queries_total) == (None, True, True, 20)
    assert set(runs.frame.value_protocol) == {run.protocol}


def test_all_epochs_are_read_and_give_the_numbers_the_harness_printed(tmp_path: Path) -> None:
    from inspect_ai import eval as inspect_eval

    from valueflow_tasks.inspect_tasks import valueflow_steer

    inspect_eval(
        valueflow_steer(values=["mft/care"], judge="simulated:noise=3", queries="core"),
        model="valueflow/control",
        epochs=2,
        log_dir=str(tmp_path),
        display="none",
    )
    runs = load_runs(tmp_path)
    (run,) = runs.runs
    assert not runs.problems
    assert len(runs.frame) == 2 * 20 * 5
    assert set(runs.frame.repeat) == {0, 1}
    assert "--epochs 2" in (run.command or "")
    table = steering(runs).set_index("metric")
    for name in ("steerability", "tracking", "gain", "intensity"):
        said = run.metrics[name]
        assert table.estimate[name] == pytest.approx(said.value, abs=1e-6)
        assert table.stderr[name] == pytest.approx(said.stderr, abs=1e-6)
        assert table.n[name] == 20


def test_what_is_read_holds_no_secret(lm_eval_folder: Path, copied: Copied) -> None:
    def change(results: Any, _: Any) -> None:
        results["config"]["model_args"] = "mode=oracle,token=hf_SECRET,tokenizer=gpt2"

    (run,) = changed_results(copied(lm_eval_folder), change).runs
    assert run.model_args == {"mode": "oracle", "tokenizer": "gpt2"}
    assert "SECRET" not in repr(run) + str(run.command)


def test_settings_of_a_log_survive_unknown_values(lm_eval_folder: Path, copied: Copied) -> None:
    folder = copied(lm_eval_folder)
    (results,) = folder.rglob("results_*.json")
    content = json.loads(results.read_text("utf-8"))
    said = content["configs"]["valueflow_steer_mft_care"]["metadata"]["valueflow"]
    said["settings"]["values"] = ["/nowhere/value-of-mine"]
    results.write_text(json.dumps(content), "utf-8")
    runs = load_runs(folder)
    assert "settings cannot be used here" in str(runs.problems[0])
    assert len(runs.frame) == 6 * 5 * 6
    assert runs.runs[0].settings is None
    assert Settings().values


def test_the_page_names_every_column(repository: Path) -> None:
    page = (repository / "docs" / "analysis.md").read_text("utf-8")
    for name, meaning in COLUMNS.items():
        assert f"| `{name}` | {meaning} |" in page
