"""`valueflow score`: what comes out for every line."""

from __future__ import annotations

import pytest
from rich.console import Console
from valueflow_scorers import JudgeProfile, Response, load_panel

from valueflow_tasks.score import Scoring, summary_table

POWER = load_panel("svt/power")


def test_every_line_gets_one_estimate_in_its_place(write, quick, tmp_path, finish):
    power, care = POWER.sentinels, load_panel("mft/care").sentinels
    lines = [
        {"value": "svt/power", "response": power[0].text, "query": power[0].query, "id": "p"},
        {"value": "mft/care", "response": care[1].text},
        {"value": "pvq/Power", "response": power[2].text, "extra": [1, 2]},
    ]
    found = finish(Scoring(write(*lines), tmp_path / "out.jsonl", **quick))
    assert [one["value"] for one in found] == ["svt/power", "mft/care", "svt/power"]
    assert found[0]["response_id"] == "p"
    assert found[1]["response_id"] == Response(care[1].text).key
    for one, text in zip(found, (power[0], care[1], power[2]), strict=True):
        assert abs(one["intensity"] - text.intensity) < 4
        assert one["low"] < one["intensity"] < one["high"]
        assert one["stderr"] > 0
        assert len(one["windows"]) == 3


def test_a_line_s_estimate_is_that_of_the_evaluator(write, quick, tmp_path, finish):
    text = POWER.sentinels[3]
    line = {"value": "svt/power", "response": text.text, "query": text.query, "id": "x"}
    (found,) = finish(Scoring(write(line), tmp_path / "out.jsonl", **quick))
    from valueflow_scorers import AnchorEvaluator

    evaluator = AnchorEvaluator(POWER, quick["judge"], profile=JudgeProfile.load(quick["profile"]))
    (alone,) = evaluator.score([Response(text.text, text.query, "x")])
    assert found["intensity"] == pytest.approx(alone.intensity, abs=1e-4)
    assert found["windows"] == [window.to_dict() for window in alone.windows]


def test_one_value_can_be_set_for_all_lines(write, judge, tmp_path, finish):
    lines = ({"response": "One."}, {"response": "Two.", "value": "mft/care"})
    found = finish(Scoring(write(*lines), tmp_path / "out.jsonl", value="svt/power"))
    assert [one["value"] for one in found] == ["svt/power", "svt/power"]


@pytest.mark.parametrize("text", ["", "   ", "\n\t", "\u00a0"])
def test_an_empty_answer_is_unscored_with_its_reason(write, judge, tmp_path, text, answers, finish):
    scoring = Scoring(
        write({"value": "svt/power", "response": text}, *answers(1)), tmp_path / "out.jsonl"
    )
    empty, full = finish(scoring)
    assert empty["reason"] == "empty response"
    assert not {"intensity", "stderr", "low", "high"} & set(empty)
    assert "intensity" in full
    assert set(judge.asked) == {"a0"}, "a judge was asked about nothing"


def test_a_judge_that_fails_every_window_gives_no_number_and_the_run_says_how_many(
    write, quick, tmp_path, answers, finish
):
    scoring = Scoring(write(*answers(2)), tmp_path / "out.jsonl", **quick)
    found = finish(scoring)
    assert all("intensity" not in one and one["failures"] for one in found)
    console = Console(width=200, record=True, file=(tmp_path / "table").open("w"))
    console.print(summary_table(scoring))
    (row,) = [line for line in console.export_text().splitlines() if "svt/power" in line]
    assert "unknown text" in row
    assert " 2 " in row


def test_a_line_of_ten_megabytes_is_measured(write, judge, tmp_path, answers, finish):
    long = {"value": "svt/power", "response": "word " * 2_000_000, "id": "long"}
    found = finish(Scoring(write(long, *answers(1)), tmp_path / "out.jsonl"))
    assert [one["response_id"] for one in found] == ["long", "a0"]
    assert "intensity" in found[0]
    assert (tmp_path / "out.jsonl").stat().st_size < 20_000


def test_the_summary_has_a_population_mean_per_value(write, quick, tmp_path, finish):
    lines = [{"value": "svt/power", "response": text.text} for text in POWER.sentinels]
    scoring = Scoring(write(*lines), tmp_path / "out.jsonl", **quick)
    finish(scoring)
    console = Console(width=200, record=True, file=(tmp_path / "table").open("w"))
    console.print(summary_table(scoring))
    shown = console.export_text()
    (row,) = [line for line in shown.splitlines() if "svt/power" in line]
    mean = float(row.split("│")[2])
    true = sum(text.intensity for text in POWER.sentinels) / 6
    assert abs(mean - true) < 1.5
    assert "uncalibrated" not in shown


def test_an_uncalibrated_judge_is_called_so(write, judge, tmp_path, answers, finish):
    scoring = Scoring(write(*answers(2)), tmp_path / "out.jsonl")
    finish(scoring)
    assert "uncalibrated" in str(summary_table(scoring).title)
