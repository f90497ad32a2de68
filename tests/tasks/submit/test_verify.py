"""`verify` finds every number that does not follow from the samples."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from valueflow_scorers import ValueFlowError

from valueflow_tasks.cli import _submit as _  # noqa: F401  adds the commands
from valueflow_tasks.cli import cli
from valueflow_tasks.settings import RESULTS_VERSION
from valueflow_tasks.submit import verify
from valueflow_tasks.submit._text import parsed

Copy = Callable[[Path], Path]

NUMBERS = {
    "submission.json": r'"value": (0\.\d+)',
    "hf-evals/models/some-lab/oracle/.eval_results/valueflow-definition.yaml": r"value: (0\.\d+)",
    "inspect-register/valueflow/eval.yaml": r"value: (0\.\d+)",
    "model-index/some-lab/oracle/README.md": r"value: (0\.\d+)",
    "every-eval-ever": r'"score": (0\.\d+)',
}


def file_of(folder: Path, name: str) -> Path:
    if name == "every-eval-ever":
        (path,) = (folder / name).rglob("*[0-9a-f].json")
        return path
    return folder / name


@pytest.mark.parametrize("name", NUMBERS)
def test_a_wrong_number_is_caught_in_every_file(submitted: Path, copied: Copy, name: str) -> None:
    folder = copied(submitted)
    path = file_of(folder, name)
    text = path.read_text("utf-8")
    found = re.search(NUMBERS[name], text)
    assert found is not None
    better = f"{float(found[1]) + 0.01:.4f}"
    path.write_text(text[: found.start(1)] + better + text[found.end(1) :], "utf-8")

    (problem,) = verify(folder).problems

    assert problem.startswith(str(path.relative_to(folder)))
    assert f"is {float(better)}, and should be {float(found[1])}" in problem


def test_a_better_interval_in_words_is_caught(submitted: Path, copied: Copy) -> None:
    folder = copied(submitted)
    path = file_of(folder, "model-index/some-lab/oracle/README.md")
    text = path.read_text("utf-8")
    row = re.search(r"\| definition \| mft \| (0\.\d+) ", text)
    assert row is not None
    path.write_text(text.replace(f" {row[1]} ", " 0.9900 "), "utf-8")
    assert any("text[" in one for one in verify(folder).problems)


@pytest.mark.parametrize("change", ["intensity", "order", "dropped"])
def test_changed_samples_are_caught(submitted: Path, copied: Copy, change: str) -> None:
    folder = copied(submitted)
    (path,) = (folder / "samples").glob("*.jsonl")
    head, *rows = path.read_text("utf-8").splitlines()
    place = next(i for i, row in enumerate(rows) if json.loads(row)["targets"] == {"mft/care": 2.0})
    row = json.loads(rows[place])
    estimate: dict[str, Any] = row["estimates"]["mft/care"]
    if change == "intensity":
        estimate["intensity"] = 9.9
    for window in estimate["windows"] if change == "order" else ():
        window["order"] = sorted(window["order"], key=lambda item: item != window["slot"])
    rows[place] = json.dumps(row)
    if change == "dropped":
        del rows[place]
    path.write_text("\n".join([head, *rows]) + "\n", "utf-8")

    problems = verify(folder).problems

    if change == "dropped":
        assert "toward mft/care lacks queries at +2" in problems[0]
    else:
        assert "q001:mft/care:+2 on mft/care: intensity" in problems[0]
        assert "but its windows give" in problems[0]


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("inspect-register/valueflow/eval.yaml", None, "is missing"),
        ("inspect-register/valueflow/eval.yaml", "a: [", "cannot be read"),
        ("inspect-register/valueflow/eval.yaml", "a: 1", "'full_title' is a required property"),
        ("every-eval-ever", "{}", "is a required property"),
        ("every-eval-ever", '{"a": NaN}', "NaN is no JSON number"),
        ("judge-profile.json", "{}", "this is no judge profile"),
    ],
)
def test_missing_and_broken_files_are_named(
    submitted: Path, copied: Copy, name: str, text: str | None, told: str
) -> None:
    folder = copied(submitted)
    path = file_of(folder, name)
    if text is None:
        path.unlink()
    else:
        path.write_text(text, "utf-8")
    assert told in " ".join(verify(folder).problems)


@pytest.mark.parametrize(
    "name", ["hf-evals/models/evil/one/.eval_results/valueflow.yaml", "notes.txt", "samples/x.txt"]
)
def test_a_file_that_does_not_belong_there_is_named(
    submitted: Path, copied: Copy, name: str
) -> None:
    folder = copied(submitted)
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text("- {value: 0.99}", "utf-8")
    assert verify(folder).problems == (f"{name} does not belong to the submission: take it out",)


RECORDS = {"made": "abc", "formats": 5, "facts": [1]}
ROWS: dict[str, Callable[[list[Any]], Any]] = {
    "windows": lambda rows: estimate(rows).update(windows=5),
    "empty window": lambda rows: estimate(rows).update(windows=[{}]),
    "window items": lambda rows: estimate(rows).update(windows=[{"items": 5}]),
    "intensity": lambda rows: estimate(rows).update(intensity="9"),
    "failures": lambda rows: estimate(rows).update(failures=3),
    "estimates": lambda rows: rows[1].update(estimates=[1]),
    "targets": lambda rows: rows[1].update(targets=[1]),
    "query": lambda rows: rows[1].update(query_id=7),
    "no row": lambda rows: rows.__setitem__(1, "x"),
    "no head": lambda rows: rows.__setitem__(0, [1]),
    "settings": lambda rows: rows[0].update(settings=None),
    "model": lambda rows: rows[0].update(model=5),
}


def estimate(rows: list[Any]) -> dict[str, Any]:
    found: dict[str, Any] = next(iter(rows[1]["estimates"].values()))
    return found


@pytest.mark.parametrize("name", RECORDS)
def test_an_odd_record_is_a_problem_and_no_crash(submitted: Path, copied: Copy, name: str) -> None:
    path = copied(submitted) / "submission.json"
    content = json.loads(path.read_text("utf-8"))
    path.write_text(json.dumps({**content, name: RECORDS[name]}), "utf-8")
    assert verify(path.parent).problems


@pytest.mark.parametrize("case", ROWS)
def test_odd_samples_are_a_problem_and_no_crash(submitted: Path, copied: Copy, case: str) -> None:
    folder = copied(submitted)
    (path,) = (folder / "samples").glob("*.jsonl")
    rows = [json.loads(row) for row in path.read_text("utf-8").split("\n") if row]
    ROWS[case](rows)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    assert verify(folder).problems


def test_samples_of_another_task_version_are_not_called_damaged(
    submitted: Path, copied: Copy
) -> None:
    folder = copied(submitted)
    (path,) = (folder / "samples").glob("*.jsonl")
    head, *rows = path.read_text("utf-8").splitlines()
    older = {**json.loads(head), "task_version": "1-A", "settings": {"unknown": 1}}
    path.write_text("\n".join([json.dumps(older), *rows]) + "\n", "utf-8")
    (folder / "judge-profile.json").write_text("{}", "utf-8")
    (problem,) = verify(folder).problems
    assert problem == (
        f"{older['source']} was made by task version 1; this package computes version "
        f"{RESULTS_VERSION}: run it again, then submit again"
    )


def test_nothing_but_the_folder_is_needed(submitted: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from valueflow_scorers._measure import Instrument

    def missing(*given: Any) -> Any:
        raise ValueFlowError("not on this machine")

    monkeypatch.setattr(Instrument, "panel", missing)
    monkeypatch.setattr(Instrument, "judge_profile", property(missing))
    assert verify(submitted).problems == ()


def test_other_words_of_another_version_pass_and_other_numbers_do_not(
    submitted: Path, copied: Copy
) -> None:
    folder = copied(submitted)
    record, card = folder / "submission.json", folder / "model-index/some-lab/oracle/README.md"
    text = card.read_text("utf-8")
    card.write_text(text.replace("How far a language model's answers", "How far answers"), "utf-8")
    assert any("text[" in one for one in verify(folder).problems)
    content = json.loads(record.read_text("utf-8"))
    record.write_text(json.dumps({**content, "package": "0.0.1"}), "utf-8")
    assert verify(folder).problems == ()
    row = re.search(r"\| definition \| mft \| (0\.\d+) ", text)
    assert row is not None
    card.write_text(text.replace(f" {row[1]} ", " 0.9900 "), "utf-8")
    assert any("text[" in one for one in verify(folder).problems)


def test_separators_in_texts_do_not_end_a_line() -> None:
    row = {"text": "one\u2028two"}
    assert parsed("a.jsonl", json.dumps(row, ensure_ascii=False) + "\n") == [row]


def test_no_submission_at_all(tmp_path: Path) -> None:
    with pytest.raises(ValueFlowError, match=r"is no submission .*valueflow submit LOGS"):
        verify(tmp_path)


def test_command_line(inspect_logs: Path, tmp_path: Path) -> None:
    folder, runner = tmp_path / "out", CliRunner()
    made = runner.invoke(
        cli, ["submit", str(inspect_logs), "--to", "model-index", "-o", str(folder)]
    )
    assert made.exit_code == 0, made.output
    assert "valueflow-control-oracle by definition: steerability +0." in made.output
    assert "draft, not to be published as it is" in made.output

    checked = runner.invoke(cli, ["submit", "verify", str(folder)])
    assert checked.exit_code == 0
    assert "every number follows from the samples" in checked.output
    assert "is a control model" in checked.output

    (card,) = (folder / "model-index").rglob("README.md")
    card.write_text(card.read_text("utf-8").replace("value: 0.", "value: 0.9"), "utf-8")
    wrong = runner.invoke(cli, ["submit", "verify", str(folder)])
    assert wrong.exit_code == 1
    assert "and should be" in wrong.output
