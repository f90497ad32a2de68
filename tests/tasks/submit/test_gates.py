"""What no leaderboard should have is refused, in one sentence that says what to do."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from valueflow_scorers import ValueFlowError, load_panel

from valueflow_tasks.analysis import Problem, Run, Runs, load_runs
from valueflow_tasks.settings import RESULTS_VERSION
from valueflow_tasks.submit import Facts, write_submission
from valueflow_tasks.submit._gates import MOST_FAILURES, check, check_logs
from valueflow_tasks.submit._samples import attachable
from valueflow_tasks.submit._systems import SELECTION, scopes
from valueflow_tasks.submit._write import assemble

JUDGE = "simulated:noise=1"


@pytest.fixture(scope="module")
def run(inspect_logs: Path) -> Run:
    """The run, as its log has it."""
    return load_runs(inspect_logs).runs[0]


def failing(run: Run, share: float) -> Run:
    """The run with a share of its measurements without a number."""
    count = round(share * len(run.answers))
    answers = [
        replace(one, estimates={}, missing="judge failed") if i < count else one
        for i, one in enumerate(run.answers)
    ]
    return replace(run, answers=tuple(answers))


def with_settings(run: Run, **changed: Any) -> Run:
    assert run.settings is not None
    return replace(run, settings=replace(run.settings, **changed))


def unsteered(run: Run) -> Run:
    return replace(run, answers=tuple(one for one in run.answers if not one.targets))


def at_levels(run: Run, *levels: float) -> Run:
    kept = [one for one in run.answers if set(one.targets.values()) <= {*levels}]
    return replace(run, answers=tuple(kept))


def lacking_one(run: Run) -> Run:
    place = next(i for i, one in enumerate(run.answers) if 1.0 in one.targets.values())
    return replace(run, answers=(*run.answers[:place], *run.answers[place + 1 :]))


CASES: dict[str, tuple[Callable[[Run], list[Run]], str]] = {
    "limit": (lambda run: [replace(run, limit=5.0)], "run it again without --limit"),
    "chosen": (
        lambda run: [replace(run, chosen=True)],
        "again without --limit, --samples or --sample-id",
    ),
    "levels": (
        lambda run: [at_levels(run, -2.0, 2.0)],
        "toward mft/.* has the levels -2, 0, 2, and only -2, -1, 0, 1, 2 are ranked: run",
    ),
    "a level of one query": (lambda run: [lacking_one(run)], r"lacks queries at \+1"),
    "version": (
        lambda run: [replace(run, task_version="1-A")],
        rf"\.eval was made by task version 1; this package computes version {RESULTS_VERSION}: "
        "run it again, then submit again",
    ),
    "scores": (
        lambda run: [replace(run, harness="score", task_version="")],
        r"is an output of `valueflow score`, which is no task result: run valueflow_steer in a",
    ),
    "no version": (lambda run: [replace(run, task_version="")], r"made by task version \?; this"),
    "stopped": (lambda run: [replace(run, complete=False)], "did not come to its end"),
    "settings": (lambda run: [replace(run, settings=None)], "keep samples .*--log_samples"),
    "uncalibrated": (
        lambda run: [replace(run, calibrated=False)],
        "not calibrated: run `valueflow judge calibrate simulated:noise=1",
    ),
    "compat": (lambda run: [with_settings(run, compat="valueflow")], "again without compat"),
    "dev": (lambda run: [with_settings(run, queries="dev")], "run it with queries=test or"),
    "unsteered": (lambda run: [unsteered(run)], "no steered answers.*run valueflow_steer"),
    "protocols": (
        lambda run: [run, with_settings(replace(run, id="b", model="other/model"), k=5)],
        "do not share one protocol .k: 6 in .*; 5 in .*: submit them apart",
    ),
    "twice": (
        lambda run: [run, replace(run, id="b")],
        "both measured valueflow-control-oracle steered by definition toward mft/.*submit one",
    ),
    "failures": (
        lambda run: [failing(run, 1.5 * MOST_FAILURES)],
        "15% of valueflow-control-oracle's measurements have no number, more than 10%",
    ),
    "profile": (
        lambda run: [replace(run, judge_profile="elsewhere")],
        "measured with the profile elsewhere .* bring that profile here",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_refused(run: Run, case: str) -> None:
    change, told = CASES[case]
    with pytest.raises(ValueFlowError, match=told):
        check(Runs(tuple(change(run))))


def test_accepted(run: Run) -> None:
    check(Runs((run,)))
    check(Runs((failing(run, 0.8 * MOST_FAILURES),)))


def test_a_damaged_file_is_refused_with_its_name(run: Run) -> None:
    damaged = Problem("samples.jsonl, line 3", "is damaged and was left out")
    with pytest.raises(ValueFlowError, match=r"line 3 is damaged .* run it again"):
        check(Runs((run,), (damaged,)))


def test_failed_windows_count(run: Run) -> None:
    answers = []
    for one in run.answers:
        estimates = {
            value: {**own, "failures": {"no order": 1}} for value, own in one.estimates.items()
        }
        answers.append(replace(one, estimates=estimates))
    with pytest.raises(ValueFlowError, match="windows have no verdict, more than 10%"):
        check(Runs((replace(run, answers=tuple(answers)),)))


def test_a_real_run_with_limit_is_refused_and_nothing_is_written(
    run_inspect: Any, tmp_path: Path
) -> None:
    from valueflow_tasks.inspect_tasks import valueflow_steer

    task = valueflow_steer(values=["mft/care"], judge=JUDGE, queries="core")
    run_inspect(task, limit=10, log_dir=str(tmp_path / "limited"))
    with pytest.raises(ValueFlowError, match="without --limit"):
        write_submission(tmp_path / "limited", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_outputs_of_score_are_refused_as_what_they_are(
    valueflow: Any, quick: dict[str, str], tmp_path: Path
) -> None:
    answers, scores = tmp_path / "answers.jsonl", tmp_path / "scores.jsonl"
    row = {"value": "mft/care", "response": load_panel("mft/care").sentinels[0].text}
    answers.write_text(json.dumps(row) + "\n", "utf-8")
    given = [word for name, one in quick.items() for word in (f"--{name}", one)]
    assert valueflow("score", answers, "-o", scores, *given).code == 0
    found = valueflow("submit", scores, "-o", tmp_path / "out")
    assert found.code == 2
    assert found.err.startswith(f"valueflow: {scores} is an output of `valueflow score`")
    assert "run it again" not in found.err


def test_places_stay_here(run: Run) -> None:
    leaky = with_settings(replace(run, source="/home/me/logs/a.eval"), journal="/home/me/journal")
    (kept,) = attachable(Runs((leaky,))).runs
    assert "/home/me" not in repr((kept, kept.settings))


def test_a_run_that_is_not_what_it_announced_is_refused(run: Run) -> None:
    check_logs(Runs((run,)))
    warmer = replace(run, generation={**run.generation, "temperature": 1.0})
    check(Runs((warmer,)))
    with pytest.raises(ValueFlowError, match=r"announced the protocol .* generation settings"):
        check_logs(Runs((warmer,)))


def test_several_targets_of_the_same_answers_are_left_out(tmp_path: Path) -> None:
    from valueflow_tasks.study import generate, judge, load_study

    path = tmp_path / "study.yaml"
    path.write_text(
        "models: [{name: valueflow/control, args: {mode: oracle}}]\n"
        "values: [mft/care, mft/loyalty]\nqueries: core\njudges: ['simulated:noise=1']\n"
        "compose: {targets: ['mft/care:+2~mft/loyalty:+1']}\n",
        "utf-8",
    )
    study, folder = load_study(path), tmp_path / "out"
    generate(study, folder)
    judge(study, folder)
    written = write_submission(folder / "judged", tmp_path / "submission", ["model-index"])
    assert any("several targets at once are not ranked" in one for one in written.left_out)
    (system,) = written.submission.systems
    assert system.values == ("mft/care", "mft/loyalty")


def test_two_models_of_one_id_are_refused(run: Run) -> None:
    both = Runs((run, replace(run, id="b", model=f"{run.model}@step1")))
    ids = {one.model: {"id": "some-lab/oracle"} for one in both.runs}
    with pytest.raises(ValueFlowError, match="2 models would be submitted as some-lab/oracle"):
        assemble(attachable(both), Facts.parse({"models": ids}), ("model-index",), 0)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ({"datset": "a/b"}, "unknown fact 'datset': did you mean dataset"),
        ({"dataset": "valueflow"}, "give owner/name"),
        ({"commit": "abc"}, "all 40 hex digits"),
        ({"relationship": "friend"}, "unknown relationship 'friend'"),
        ({"maintainers": "someone"}, "no list of names"),
        ({"models": {"gpt2": {"owner": "x"}}}, "unknown fact about gpt2 'owner'"),
        ({"models": {"gpt2": {"availability": "yes"}}}, "unknown availability of a model"),
        ({"source_name": "Logs"}, "give source_url, too"),
        ({"repository": "git@github.com:a/b"}, "give an https:// address"),
        ([1], "is no mapping"),
    ],
)
def test_wrong_facts_are_named(tmp_path: Path, content: Any, told: str) -> None:
    path = tmp_path / "facts.yaml"
    path.write_text(yaml.safe_dump(content), "utf-8")
    with pytest.raises(ValueFlowError, match=told):
        Facts.read(path)


def test_facts_survive_the_record() -> None:
    facts = Facts.parse({"dataset": "a/b", "maintainers": ["x"], "models": {"gpt2": {"id": "a/c"}}})
    assert Facts.parse(facts.to_dict()) == facts
    assert facts.model_id("gpt2") == "a/c"
    assert facts.model_id("openai/gpt") == "openai/gpt"
    assert facts.model_id("/srv/my model") == "draft/srv-my-model"


def test_unknown_place_is_named(inspect_logs: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueFlowError, match="unknown place to submit to 'hf'"):
        write_submission(inspect_logs, tmp_path / "out", ["hf"])


def test_scopes() -> None:
    assert list(scopes(["mft/care"])) == ["mft/care"]
    assert list(scopes(["mft/care", "svt/power"])) == [SELECTION, "mft/care", "svt/power"]
    from valueflow_tasks.settings import measurable_values

    every = list(scopes(measurable_values()))
    assert every[:5] == ["valueflow", "svt", "mft", "duties", "rights"]
    assert len(every) == 37
