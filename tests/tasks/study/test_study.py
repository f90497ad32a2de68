"""Study files, estimates, both phases, and what survives a kill."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("inspect_ai")
pytest.importorskip("pandas")

from inspect_ai.log import (
    list_eval_logs,
    read_eval_log,
    read_eval_log_sample_summaries,
    write_eval_log,
)
from inspect_ai.model import GenerateConfig, ModelAPI, ModelOutput, ModelUsage, modelapi
from valueflow_scorers import ValueFlowError

from valueflow_tasks.analysis import load_runs, steering
from valueflow_tasks.settings import RESULTS_VERSION
from valueflow_tasks.study import estimate, generate, judge, load_study
from valueflow_tasks.study._meter import METER, BudgetSpentError

STUDY = """
models:
  - {{name: valueflow/control, args: {{mode: oracle}}}}
  - {{name: valueflow/control, args: {{mode: inert}}, methods: [definition]}}
values: [mft/care, mft/loyalty]
methods: [definition, exemplars]
queries: {queries}
judges: ["simulated:noise=1"]
compose:
  targets: ["mft/care:+2~mft/loyalty:+1"]
"""


@pytest.fixture
def study_file(tmp_path: Path, queries: Path) -> Path:
    path = tmp_path / "study.yaml"
    path.write_text(STUDY.format(queries=queries), "utf-8")
    return path


def _answers(folder: Path) -> dict[str, str]:
    """Every finished answer by log and sample id, with the name of that very generation."""
    found = {}
    for info in list_eval_logs(str(folder / "answers")):
        try:
            header = read_eval_log(info.name, header_only=True)
            summaries = read_eval_log_sample_summaries(info.name)
        except Exception:  # cut off in the middle of a write
            continue
        key = f"{header.eval.model_args} {header.eval.task_args['method']} "
        key += str(sorted(header.eval.task_args["arms"]))
        for one in summaries:
            if one.completed and not one.error:
                found[f"{key} {one.id}"] = str(one.uuid)
    return found


def test_a_study_runs_in_two_phases_and_a_second_run_does_nothing(
    study_file: Path, tmp_path: Path
) -> None:
    study, folder = load_study(study_file), tmp_path / "out"
    assert judge(study, folder) == []
    generate(study, folder)
    # Unsteered once per model; four levels of two values and one pair per method.
    assert len(_answers(folder)) == 4 * (2 + 3 * (8 + 1))
    written: list[str] = []
    logs = judge(study, folder, done=lambda file, state: written.append(state))
    assert written == ["written"] * 6
    before = {path: path.read_bytes() for path in logs}
    answers = _answers(folder)
    generate(study, folder)
    again: list[str] = []
    assert judge(study, folder, done=lambda file, state: again.append(state)) == logs
    assert again == ["there"] * 6
    assert _answers(folder) == answers
    assert {path: path.read_bytes() for path in logs} == before


def test_the_judged_logs_are_whole_and_comparable(study_file: Path, tmp_path: Path) -> None:
    study, folder = load_study(study_file), tmp_path / "out"
    generate(study, folder)
    judge(study, folder)
    runs = load_runs(folder / "judged")
    assert not runs.problems
    assert runs.frame.setting.nunique() == 1
    assert (runs.frame.reason == "").all()
    table = steering(runs).query("metric == 'steerability'")
    assert len(table) == 2 * 2 + 2  # the inert model has one method
    oracle = table[table.model == "valueflow-control-oracle"]
    assert (oracle.estimate > 0.6).all()
    inert = table[table.model == "valueflow-control-inert"]
    assert (inert.estimate.abs() < 0.2).all()
    steer = next((folder / "judged").rglob("*oracle_steer_definition.eval"))
    log = read_eval_log(str(steer))
    assert log.results is not None
    assert log.results.scores[0].metrics["steerability"].value > 0.6
    composed = next((folder / "judged").rglob("*oracle_compose_definition.eval"))
    metrics = read_eval_log(str(composed), header_only=True).results
    assert metrics is not None
    assert metrics.scores[0].metrics["dominance"].value > 0.8


def test_a_new_judge_judges_the_old_answers(study_file: Path, tmp_path: Path) -> None:
    study, folder = load_study(study_file), tmp_path / "out"
    generate(study, folder)
    judge(study, folder)
    answers = _answers(folder)
    study_file.write_text(
        study_file.read_text("utf-8").replace(
            'judges: ["simulated:noise=1"]',
            'judges: ["simulated:noise=1", {judge: "simulated:noise=2", k: 6}]',
        ),
        "utf-8",
    )
    study = load_study(study_file)
    generate(study, folder)
    states: list[str] = []
    judge(study, folder, done=lambda file, state: states.append(state))
    assert states == ["there"] * 6 + ["written"] * 6
    assert _answers(folder) == answers
    judges = set(load_runs(folder / "judged").frame.judge)
    assert judges == {"simulated:noise=1", "simulated:noise=2"}


def test_other_questions_under_the_same_name_are_asked(tmp_path: Path, queries: Path) -> None:
    path, folder = tmp_path / "study.yaml", tmp_path / "out"
    path.write_text(
        "models: [{name: valueflow/control, args: {mode: oracle}}]\nvalues: [mft/care]\n"
        f'levels: [-2, 0, 2]\nqueries: {queries.name}\njudges: ["simulated:noise=1"]\n',
        "utf-8",
    )
    generate(load_study(path), folder)
    judge(load_study(path), folder)
    queries.write_text("query\nWhat is a friend?\nWhich job is good?\n", "utf-8")
    study = load_study(path)
    assert [one.there for one in estimate(study, folder)] == [0, 0, 0]
    generate(study, folder)
    states: list[str] = []
    logs = judge(study, folder, done=lambda file, state: states.append(state))
    assert states == ["written"]
    runs = load_runs(logs)
    assert set(runs.frame["query"]) == {"What is a friend?", "Which job is good?"}
    assert runs.runs[0].command is None, "no task can be asked for these levels"
    assert [one.there for one in estimate(study, folder)] == [2, 4, 6]


def test_another_judge_profile_judges_again(
    tmp_path: Path, study_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study, folder = load_study(study_file), tmp_path / "out"
    generate(study, folder)
    judge(study, folder)
    from valueflow_tasks.settings import Settings

    plain = Settings.protocol
    monkeypatch.setattr(Settings, "protocol", lambda *a, **k: plain(*a, **k)[::-1])
    states: list[str] = []
    judge(study, folder, done=lambda file, state: states.append(state))
    assert set(states) == {"written"}


def test_answers_of_an_older_version_are_judged_by_the_present_one(
    study_file: Path, tmp_path: Path
) -> None:
    study, folder = load_study(study_file), tmp_path / "out"
    generate(study, folder)
    for path in (folder / "answers").rglob("*.eval"):
        log = read_eval_log(str(path))
        log.eval.task_version = "1-A"
        write_eval_log(log, str(path))
    runs = load_runs(judge(study, folder)).runs
    assert {run.results_version for run in runs} == {RESULTS_VERSION}


def test_other_vectors_under_the_same_name_are_other_content(tmp_path: Path) -> None:
    from valueflow_tasks.study._generate import content_of
    from valueflow_tasks.study._study import Arms

    path, vector = tmp_path / "study.yaml", tmp_path / "v" / "mft-care.safetensors"
    vector.parent.mkdir()
    path.write_text(
        "models: [valueflow/hf/bundled]\nmethods: [definition, vector]\nvectors: v\n"
        "values: [mft/care]\nqueries: core\n",
        "utf-8",
    )
    study, found = load_study(path), []
    for content in (b"one", b"other"):
        vector.write_bytes(content)
        found.append([content_of(study, Arms(name, {})) for name in ("vector", "definition")])
    assert found[0][0] != found[1][0]
    assert found[0][1] == found[1][1], "prompts know nothing of vectors"


def test_a_damaged_line_of_lm_eval_costs_that_line(
    run_lm_eval: Any, tmp_path: Path, queries: Path
) -> None:
    pytest.importorskip("lm_eval")
    folder = _results(run_lm_eval, tmp_path / "results", queries)
    (samples,) = folder.rglob("samples_*.jsonl")
    first, *others = samples.read_text("utf-8").split("\n")
    row = json.loads(first)
    row["filtered_resps"].append("one too many")
    samples.write_text("\n".join([json.dumps(row), *others]), "utf-8")
    path = tmp_path / "study.yaml"
    path.write_text(
        f"models: [valueflow/control]\nvalues: [mft/care]\nqueries: {queries.name}\n"
        'judges: ["simulated:noise=1"]\ninclude: results\n',
        "utf-8",
    )
    study, told = load_study(path), {}
    assert estimate(study, tmp_path / "out")[-1].calls == 4 * 5 + 3 * 5
    logs = judge(study, tmp_path / "out", done=lambda file, state: told.update({file: state}))
    assert "damaged" in told[f"{samples}, line 1"]
    frame = load_runs(logs).frame
    assert len(frame) == 3 * 5
    assert (frame.reason == "").all()
    care = frame[frame.target == "mft/care"].groupby("level").intensity.mean()
    assert care.is_monotonic_increasing, "answers stand under their own arms"
    assert estimate(study, tmp_path / "out")[-1].there == 3 * 5


def test_a_killed_study_resumes_without_repeated_work(tmp_path: Path) -> None:
    path, folder = tmp_path / "study.yaml", tmp_path / "out"
    path.write_text(
        "models: [{name: valueflow/control, args: {mode: oracle}}]\n"
        "values: [mft/care, mft/loyalty]\nmethods: [definition, exemplars]\n"
        'queries: core\njudges: ["simulated:noise=1"]\n',
        "utf-8",
    )
    command = [sys.executable, "-c", "from valueflow_tasks.cli import main; main()",
               "study", "run", str(path), "-o", str(folder)]  # fmt: skip
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    first = subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        deadline = time.monotonic() + 240
        while first.poll() is None and time.monotonic() < deadline:
            if (folder / "answers").is_dir() and len(_answers(folder)) >= 20:
                break
            time.sleep(0.2)
        first.send_signal(signal.SIGKILL)
    finally:
        first.wait()
    before = _answers(folder)
    assert before, "killed before anything was finished"
    subprocess.run(command, env=environment, check=True, capture_output=True, timeout=300)
    after = _answers(folder)
    assert len(after) == 20 * (1 + 2 * 8)
    assert {key: after[key] for key in before} == before, "finished answers were made again"
    judged = sorted((folder / "judged").rglob("*.eval"))
    assert len(judged) == 2
    times = [path.stat().st_mtime_ns for path in judged]
    subprocess.run(command, env=environment, check=True, capture_output=True, timeout=300)
    assert _answers(folder) == after
    assert [path.stat().st_mtime_ns for path in judged] == times


def _results(
    run_lm_eval: Any, folder: Path, queries: Path, predict_only: bool = True, **knobs: Any
) -> Path:
    """A results folder of lm-eval, answers only or judged."""
    from lm_eval.loggers import EvaluationTracker

    tracker = EvaluationTracker(output_path=str(folder))
    results = run_lm_eval(
        "valueflow_steer_mft_care",
        judge="simulated:noise=1",
        arguments={"predict_only": predict_only, "evaluation_tracker": tracker},
        queries=str(queries),
        **knobs,
    )
    samples = results.pop("samples")
    tracker.save_results_aggregated(results=results, samples=samples)
    for name, rows in samples.items():
        tracker.save_results_samples(task_name=name, samples=rows)
    return folder


def test_answers_of_lm_eval_are_judged_later(
    run_lm_eval: Any, tmp_path: Path, queries: Path
) -> None:
    pytest.importorskip("lm_eval")
    knobs = {"values": ["mft"], "off_target": "theory"}
    numbers = {
        only: _results(run_lm_eval, tmp_path / str(only), queries, predict_only=only, **knobs)
        for only in (False, True)
    }
    path = tmp_path / "study.yaml"
    path.write_text(
        f"models: [valueflow/control]\nvalues: [mft/care]\nqueries: {queries}\n"
        f'judges: ["simulated:noise=1"]\ninclude: ["{numbers[True]}"]\n',
        "utf-8",
    )
    states: list[str] = []
    logs = judge(load_study(path), tmp_path / "out", done=lambda file, state: states.append(state))
    assert states == ["no answers yet", "written"]
    at_once, later = load_runs(numbers[False]), load_runs(logs)
    assert later.runs[0].protocol == at_once.runs[0].protocol
    keys = ["query_id", "arm", "value"]
    one, two = (runs.frame.set_index(keys).intensity for runs in (at_once, later))
    assert (one == two.loc[one.index]).all()
    again: list[str] = []
    judge(load_study(path), tmp_path / "out", done=lambda file, state: again.append(state))
    assert again == ["no answers yet", "there"]


def test_answers_of_an_older_lm_eval_task_are_judged_by_the_present_one(
    run_lm_eval: Any, tmp_path: Path, queries: Path
) -> None:
    pytest.importorskip("lm_eval")
    folder = _results(run_lm_eval, tmp_path / "results", queries)
    (results,) = folder.rglob("results_*.json")
    content = json.loads(results.read_text("utf-8"))
    content["versions"] = dict.fromkeys(content["versions"], 1.0)
    results.write_text(json.dumps(content), "utf-8")
    assert load_runs(folder).runs[0].results_version == 1
    path = tmp_path / "study.yaml"
    path.write_text(
        f"models: [valueflow/control]\nvalues: [mft/care]\nqueries: {queries}\n"
        'judges: ["simulated:noise=1"]\ninclude: results\n',
        "utf-8",
    )
    (run,) = load_runs(judge(load_study(path), tmp_path / "out")).runs
    assert run.results_version == RESULTS_VERSION


# -- cost


class PaidAPI(ModelAPI):
    """Costs a known number of tokens per call."""

    calls = 0

    def __init__(self, model_name: str, *_: Any, **__: Any) -> None:
        super().__init__(model_name, None, None, [], GenerateConfig())

    def max_connections(self) -> int:
        return 1

    async def generate(self, *_: Any, **__: Any) -> ModelOutput:
        PaidAPI.calls += 1
        output = ModelOutput.from_content("paid/one", "I would help, because others matter to me.")
        output.usage = ModelUsage(input_tokens=1000, output_tokens=100, total_tokens=1100)
        return output


@modelapi("paid")
def paid() -> type[ModelAPI]:
    return PaidAPI


@pytest.fixture
def paid_study(tmp_path: Path, queries: Path) -> Any:
    path = tmp_path / "paid.yaml"
    path.write_text(
        f"models: [paid/one]\nvalues: [mft/care]\nqueries: {queries}\n"
        'judges: ["ranking:paid/one", "simulated:noise=1"]\n'
        "prices: {paid/one: {input: 1000.0, output: 10000.0}}\n",
        "utf-8",
    )
    PaidAPI.calls = 0
    return load_study(path)


def test_a_budget_stops_cleanly_and_the_rest_follows(paid_study: Any, tmp_path: Path) -> None:
    # A call is $1 + $1; there are 4 unsteered and 16 steered answers.
    with pytest.raises(BudgetSpentError, match=r"\$10 is spent"):
        generate(paid_study, tmp_path / "out", budget=10.0)
    assert 5 <= PaidAPI.calls <= 8  # calls under way are finished
    assert METER.spent == 2.0 * PaidAPI.calls
    kept = _answers(tmp_path / "out")
    generate(paid_study, tmp_path / "out")
    after = _answers(tmp_path / "out")
    assert len(after) == 20
    assert {key: after[key] for key in kept} == kept


def test_the_estimate_counts_what_is_left(paid_study: Any, tmp_path: Path) -> None:
    lines = estimate(paid_study, tmp_path / "out")
    assert [(one.phase, one.what, one.calls) for one in lines] == [
        ("generate", "unsteered", 4),
        ("generate", "definition", 16),
        ("judge", "ranking", 3 * 20),
        ("judge", "on this machine", 20),
    ]
    generation, judging = lines[1], lines[2]
    assert generation.tokens_out == 16 * 80
    wanted = (generation.tokens_in * 1000 + generation.tokens_out * 10000) / 1e6
    assert generation.dollars == pytest.approx(wanted)
    assert judging.dollars is not None
    assert judging.dollars > generation.dollars
    assert PaidAPI.calls == 0
    generate(paid_study, tmp_path / "out")
    lines = estimate(paid_study, tmp_path / "out")
    assert [one.there for one in lines[:2]] == [4, 16]
    assert lines[0].dollars == 0


def test_an_unknown_price_is_unknown_and_not_zero(tmp_path: Path, queries: Path) -> None:
    path = tmp_path / "study.yaml"
    path.write_text(f"models: [paid/other]\nvalues: [mft/care]\nqueries: {queries}\n", "utf-8")
    assert estimate(load_study(path), tmp_path)[0].dollars is None


# -- files


def test_the_studies_that_ship_can_be_read() -> None:
    offline = load_study("offline")
    assert len(offline.settings.values) == 6
    assert len(offline.methods) == 2
    assert len(offline.models) == 3
    assert load_study("quick").name == "quick"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("models: [{name: a/b, judges: [ranking:c]}]", "unknown judge of a model"),
        ("models: [a/b]\nvalue: [mft/care]", "unknown key in .*'value': did you mean values"),
        ("values: [mft/care]", "names no models"),
        ("models: [a/b]\nmethods: [prompt]", "unknown method"),
        ("models: [a/b]\nmethods: [vector]", "needs vectors: DIR"),
        ("models: [a/b]\nlevels: [3]", "prompts have the levels"),
        ("models: [a/b]\njudges: [{k: 6}]", "a judge is a name"),
        ("models: [a/b]\njudges: [{judge: embedded, n: 6}]", "unknown key of a judge"),
        ("models: [a/b]\njudges: [embeded]", "unknown judge"),
        ("models: [{args: {}}]", "a model is a name"),
        ("models: [a/b]\ncompose: {set: random}", "unknown key under compose"),
        ("models: [a/b]\nprices: {a/b: 3}", "dollars per million"),
        ("- a\n- b", "a study is a mapping of name, models"),
        ("models: [a/b\nvalues: x", "no valid YAML: line 2, column 7: expected"),
        ("", "is empty: a study names models"),
        ("# nothing yet\n", "is empty"),
        ("models: [a/b]\nfoo: 1", "The keys are name, models, .*, prices$"),
        ("models: [a/b]\n7: 1", "unknown key in .* .7.: choose one of name, models, .*, prices$"),
        ("models: [a/b]\nqueries: nowhere.csv", "neither one of"),
        ("models: [a/b]\ncompose: true", "under compose is a mapping"),
        ("models: [{name: a/b, args: [1]}]", "args of a model is a mapping"),
        ("models: [{name: a/b, judges: embedded}]", "judges of a model is a list"),
        ("models: [a/b]\njudges: [5]", "a judge is a name"),
        ("models: [a/b]\njudges: [{judge: {ranking: x}}]", "a judge is a name"),
        ("models: [a/b]\nprices: [a]", "prices is a mapping"),
        ("models: [a/b]\nprices: {a/b: {input: free, output: 1}}", "dollars per million"),
        ("models: [a/b]\ninclude: 5", "include is a list"),
        ("models: [a/b]\nvalues: {a: 1}", "expected names"),
        ("models: [a/b]\nlevels: [.nan]", "levels are finite numbers"),
        ("models: [a/b]\nlevels: [1, 1.0]", "levels has 1 more than once"),
        ("models: [a/b, a/b]", "models has a/b more than once"),
        ("models: [a/b]\njudges: [embedded, embedded]", "judges has embedded more than once"),
        ("models: [a/b]\nmethods: [definition, definition]", "more than once"),
        ("name: ../../x\nmodels: [a/b]", "none that a folder can have"),
    ],
)
def test_bad_files_are_refused_with_what_is_allowed(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "study.yaml"
    path.write_text(text, "utf-8")
    with pytest.raises(ValueFlowError, match=says):
        load_study(path)


def test_paths_are_relative_to_the_file(tmp_path: Path, queries: Path) -> None:
    truth = tmp_path / "truth.jsonl"
    truth.write_text('{"text": "A.", "intensity": 1}\n', "utf-8")
    path = tmp_path / "study.yaml"
    path.write_text(
        f"models: [a/b]\nvalues: [mft/care]\nqueries: {queries.name}\ninclude: results\n"
        'judges: [{judge: "simulated:noise=1:truth=truth.jsonl", journal: kept}]\n',
        "utf-8",
    )
    study = load_study(path)
    assert len(study.settings.query_set()) == 4
    assert study.include == (str(tmp_path / "results"),)
    assert study.judges == (
        {"judge": f"simulated:noise=1:truth={truth}", "journal": str(tmp_path / "kept")},
    )


def test_a_study_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "study.yaml"
    path.write_bytes(b"models: [\xff]")
    with pytest.raises(ValueFlowError, match="no UTF-8 text"):
        load_study(path)


def test_a_study_in_toml_is_refused_as_such(tmp_path: Path) -> None:
    path = tmp_path / "study.toml"
    path.write_text('models = ["a/b"]\n', "utf-8")
    with pytest.raises(ValueFlowError, match="studies are YAML, not TOML"):
        load_study(path)


def test_a_study_that_is_not_there_names_those_that_ship() -> None:
    with pytest.raises(ValueFlowError, match="offline, quick"):
        load_study("offlin")
