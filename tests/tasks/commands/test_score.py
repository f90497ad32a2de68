"""`valueflow score` as people type it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from valueflow_scorers import Judgement, JudgeProfile, load_panel
from valueflow_scorers.judges.simulated import SimulatedJudge


@pytest.fixture
def quick(tmp_path: Path) -> list[str]:
    path = tmp_path / "profile.json"
    JudgeProfile("simulated:noise=1:text=0", tau=1.0, omegas=(0.1,), calibrated=True).save(path)
    return ["--judge", "simulated:noise=1", "--profile", str(path)]


def test_score_measures_a_file_and_prints_a_mean_per_value(valueflow, quick, tmp_path):
    source, output = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    texts = load_panel("svt/power").sentinels
    source.write_text("".join(json.dumps({"response": text.text}) + "\n" for text in texts))
    first = valueflow("score", source, "-o", output, "--value", "svt/power", *quick)
    assert first.code == 0, first.err
    assert "svt/power" in first.out
    assert len(output.read_text().splitlines()) == 6
    again = valueflow("score", source, "-o", output, "--value", "svt/power", *quick)
    assert again.out == first.out
    assert len(output.read_text().splitlines()) == 6


def test_score_says_once_how_many_texts_were_read_in_part(valueflow, quick, monkeypatch, tmp_path):
    longest = max(text.text for text in load_panel("svt/power").sentinels)
    cuts = lambda _, texts: [text == longest for text in texts]  # noqa: E731
    monkeypatch.setattr(SimulatedJudge, "cuts", cuts, raising=False)
    monkeypatch.setattr(SimulatedJudge, "reads", "the first word", raising=False)
    source = tmp_path / "in.jsonl"
    texts = load_panel("svt/power").sentinels
    source.write_text("".join(json.dumps({"response": text.text}) + "\n" for text in texts))
    given = ("score", source, "-o", tmp_path / "out.jsonl", "--value", "svt/power", *quick)
    for _ in range(2):  # and again by a run that has nothing left to judge
        told = valueflow(*given).err
        assert told.count("note: 1 of 6 texts are longer than what judge simulated") == 1
        assert "(the first word)" in told
    monkeypatch.undo()
    (tmp_path / "out.jsonl").unlink()
    assert "note:" not in valueflow(*given).err


def test_score_names_a_bad_line_in_one_line(valueflow, quick, tmp_path):
    source = tmp_path / "in.jsonl"
    source.write_text('{"value": "svt/power", "response": "x"}\n{"value": \n')
    found = valueflow("score", source, "-o", tmp_path / "out.jsonl", *quick)
    assert found.code == 2
    assert found.err.startswith(f"valueflow: {source}, line 2: ")
    assert len(found.err.splitlines()) == 1
    assert not (tmp_path / "out.jsonl").exists()


def test_score_refuses_a_file_that_is_not_there(valueflow, quick, tmp_path):
    found = valueflow("score", tmp_path / "none.jsonl", "-o", tmp_path / "out.jsonl", *quick)
    assert found.code == 2
    assert "none.jsonl" in found.err


def test_score_refuses_a_folder_that_is_not_there_in_one_line(valueflow, quick, tmp_path):
    source = tmp_path / "in.jsonl"
    source.write_text('{"value": "svt/power", "response": "x"}\n')
    found = valueflow("score", source, "-o", tmp_path / "none" / "out.jsonl", *quick)
    assert found.code != 0
    assert "Traceback" not in found.err
    assert "out.jsonl" in found.err


@pytest.mark.parametrize(("batch", "code"), [("0", 2), ("-3", 2), ("1", 0)])
def test_a_batch_of_no_answers_is_refused(valueflow, quick, tmp_path, batch, code):
    source = tmp_path / "in.jsonl"
    line = {"value": "svt/power", "response": load_panel("svt/power").sentinels[0].text}
    source.write_text(json.dumps(line) + "\n")
    output = tmp_path / "out.jsonl"
    found = valueflow("score", source, "-o", output, "--batch", batch, *quick)
    assert found.code == code
    assert output.exists() is not bool(code)
    assert ("batch" in found.err) is bool(code)


def test_a_run_without_one_number_ends_in_an_error_with_the_judge_s_own_words(
    valueflow, tmp_path, monkeypatch
):
    class Down:
        name, prompt_version = "ranking:some/model", "1"

        async def judge(self, windows: Any) -> Any:
            return [Judgement(failure="call failed: Error", raw="no credit\nleft") for _ in windows]

    monkeypatch.setattr("valueflow_scorers.judges._model_judge", lambda *_: Down())
    source = tmp_path / "in.jsonl"
    source.write_text('{"value": "svt/power", "response": "x"}\n')
    found = valueflow(
        "score", source, "-o", tmp_path / "out.jsonl", "--judge", "ranking:some/model",
        "--journal", tmp_path / "journal",
    )  # fmt: skip
    assert found.code == 1
    last = found.err.splitlines()[-1]
    assert last.startswith("valueflow: no answer has a number; the first: all 6 windows failed")
    assert last.endswith("the judge said: no credit left")


def test_a_model_whose_package_is_missing_is_refused_before_anything_is_written(
    valueflow, tmp_path, monkeypatch
):
    from inspect_ai._util.error import pip_dependency_error

    def missing(name: str) -> Any:
        raise pip_dependency_error("OpenAI API", ["openai"])

    monkeypatch.setattr("valueflow_scorers.judges.model._opened", missing)
    source = tmp_path / "in.jsonl"
    source.write_text('{"value": "svt/power", "response": "x"}\n')
    found = valueflow(
        "score", source, "-o", tmp_path / "out.jsonl", "--judge", "ranking:openai/gpt-4o",
        "--journal", tmp_path / "journal",
    )  # fmt: skip
    assert found.code == 2
    assert found.err.splitlines()[-1].endswith("Install with: pip install openai")
    assert "Traceback" not in found.err
    assert [path.name for path in tmp_path.iterdir()] == ["in.jsonl"]


@pytest.mark.parametrize("judge", ["embedded", "rating:some/model"])
def test_the_released_evaluator_is_refused_for_a_judge_that_reads(valueflow, tmp_path, judge):
    source = tmp_path / "in.jsonl"
    source.write_text('{"value": "svt/power", "response": "x"}\n')
    found = valueflow(
        "score", source, "-o", tmp_path / "out.jsonl", "--compat", "valueflow", "--judge", judge
    )
    assert found.code == 2
    assert "compat asks for orders" in found.err
    assert "ranking:" in found.err


def test_an_interrupted_run_says_how_to_go_on(valueflow, quick, tmp_path, monkeypatch):
    def interrupted(*_: Any, **__: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr("valueflow_tasks.score.Scoring.run", interrupted)
    source = tmp_path / "in.jsonl"
    source.write_text('{"value": "svt/power", "response": "x"}\n')
    found = valueflow("score", source, "-o", tmp_path / "out.jsonl", *quick)
    assert found.code == 130
    assert "the same command again goes on from there" in found.err
    assert "Traceback" not in found.err
