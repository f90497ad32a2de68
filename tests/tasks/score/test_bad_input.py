"""`valueflow score`: one clear error, before anything is written."""

from __future__ import annotations

import json

import pytest
from valueflow_scorers import ValueFlowError

from valueflow_tasks.score import Scoring


@pytest.mark.parametrize(
    "bad",
    [
        '{"value": "svt/power", "response": "cut',
        "not json",
        '["svt/power", "text"]',
        '"text"',
        "null",
        '{"value": "svt/power"}',
        '{"value": "svt/power", "response": null}',
        '{"value": "svt/power", "response": 3}',
        '{"response": "no value"}',
        '{"value": 3, "response": "x"}',
        '{"value": "svt", "response": "a theory"}',
        '{"value": "svt/powr", "response": "x"}',
        '{"value": "svt/growth", "response": "a parent"}',
    ],
)
def test_a_bad_line_is_named_with_its_file_and_number_and_nothing_is_written(
    write, judge, tmp_path, bad, answers
):
    source = write(*answers(2), "", bad, *answers(1))
    output = tmp_path / "out.jsonl"
    with pytest.raises(ValueFlowError) as refused:
        Scoring(source, output)
    assert f"{source}, line 4: " in str(refused.value)
    assert "\n" not in str(refused.value)
    assert not output.exists()
    assert not judge.asked


@pytest.mark.parametrize("bad", ["not json", '{"value": "svt/powr", "response": "x"}'])
def test_a_bad_line_leaves_earlier_output_alone(write, judge, tmp_path, bad, answers, finish):
    output = tmp_path / "out.jsonl"
    finish(Scoring(write(*answers(2)), output))
    before = output.read_bytes()
    with pytest.raises(ValueFlowError):
        Scoring(write(*answers(2), bad), output)
    assert output.read_bytes() == before


def test_an_unknown_value_is_refused_with_the_nearest(write, judge, tmp_path, answers):
    with pytest.raises(ValueFlowError, match=r"svt/powr.*svt/power"):
        Scoring(write(*answers(1)), tmp_path / "out.jsonl", value="svt/powr")


def test_a_theory_is_refused_since_an_answer_is_measured_on_one_value(
    write, judge, tmp_path, answers
):
    with pytest.raises(ValueFlowError, match=r"'svt' names no single value.*svt/power"):
        Scoring(write(*answers(1)), tmp_path / "out.jsonl", value="svt")


@pytest.mark.parametrize("bad", ["[" * 100_000, '{"id": ' + "9" * 5000 + "}"])
def test_json_beyond_what_python_reads_is_refused_at_its_line(write, judge, tmp_path, bad):
    with pytest.raises(ValueFlowError, match=r"line 1: no valid JSON"):
        Scoring(write(bad), tmp_path / "out.jsonl")


def test_an_id_that_stands_for_two_answers_is_refused_at_its_line(write, judge, tmp_path, answers):
    lines = [*answers(1), {"value": "svt/power", "response": "Another.", "id": "a0"}]
    with pytest.raises(ValueFlowError, match=r"line 2: id 'a0'"):
        Scoring(write(*lines), tmp_path / "out.jsonl")


def test_one_id_may_be_measured_on_two_values(write, judge, tmp_path, answers, finish):
    lines = [*answers(1), *answers(1, "mft/care")]
    assert len(finish(Scoring(write(*lines), tmp_path / "out.jsonl"))) == 2


def test_a_file_without_answers_is_refused(write, judge, tmp_path):
    with pytest.raises(ValueFlowError, match=r"answers\.jsonl holds no answers"):
        Scoring(write(""), tmp_path / "out.jsonl")


def test_a_file_that_is_no_utf8_is_refused_by_name(tmp_path, judge):
    source = tmp_path / "answers.jsonl"
    source.write_bytes('{"value": "svt/power", "response": "café"}\n'.encode("latin-1"))
    with pytest.raises(ValueFlowError, match=r"answers\.jsonl"):
        Scoring(source, tmp_path / "out.jsonl")


def test_the_line_that_is_no_utf8_is_named(tmp_path, judge):
    source = tmp_path / "answers.jsonl"
    line = b'{"value": "svt/power", "response": "fine"}\n'
    source.write_bytes(line + line.replace(b"fine", b"caf\xe9"))
    with pytest.raises(ValueFlowError, match=r"answers\.jsonl, line 2: no UTF-8 .*0xe9"):
        Scoring(source, tmp_path / "out.jsonl")


def test_a_byte_order_mark_is_no_part_of_the_first_line(tmp_path, judge, answers, finish):
    source = tmp_path / "answers.jsonl"
    source.write_text(json.dumps(answers(1)[0]) + "\r\n", "utf-8-sig")
    assert "intensity" in finish(Scoring(source, tmp_path / "out.jsonl"))[0]


@pytest.mark.parametrize("key", ["id", "query"])
def test_half_an_emoji_in_other_fields_is_refused_at_its_line(write, judge, tmp_path, key, answers):
    bad = json.dumps({**answers(1)[0], key: "\ud83d"})
    with pytest.raises(ValueFlowError, match=rf"line 2: '{key}' holds half"):
        Scoring(write(*answers(1, "mft/care"), bad), tmp_path / "out.jsonl")


@pytest.mark.parametrize("batch", [0, -3])
def test_a_batch_of_no_lines_is_refused_and_nothing_is_written(
    write, judge, tmp_path, batch, answers, finish
):
    output = tmp_path / "out.jsonl"
    with pytest.raises(ValueFlowError, match=f"batch={batch}"):
        finish(Scoring(write(*answers(1)), output), batch=batch)
    assert not output.exists()


def test_half_an_emoji_is_measured_or_refused_at_its_line(write, judge, tmp_path, finish):
    source = write('{"value": "svt/power", "response": "well \\ud83d"}')
    try:
        found = finish(Scoring(source, tmp_path / "out.jsonl"))
    except ValueFlowError as refused:
        assert "line 1" in str(refused)  # noqa: PT017
    else:
        assert "intensity" in found[0]


@pytest.mark.parametrize(
    ("knob", "words"),
    [
        ({"k": 11}, "k=11"),
        ({"m": 0}, "m=0"),
        ({"design": "buket"}, "bucket"),
        ({"judge": "embeded"}, "embedded"),
        ({"compat": "release"}, "valueflow"),
        ({"target_stderr": 0}, "target_stderr=0"),
        ({"profile": "nowhere.json"}, "nowhere.json"),
    ],
)
def test_an_impossible_setting_is_refused_before_anything_is_written(
    write, quick, tmp_path, knob, words, answers
):
    output = tmp_path / "out.jsonl"
    with pytest.raises(ValueFlowError) as refused:
        Scoring(write(*answers(1)), output, **{**quick, **knob})
    assert words in str(refused.value)
    assert not output.exists()
