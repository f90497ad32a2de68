"""What people wrote, as files have it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from valueflow_scorers import ValueFlowError

from valueflow_tasks.profiles import read_written
from valueflow_tasks.profiles._sources import read_profiles


def test_lines_say_whose_they_are_and_what_they_are_about(tmp_path):
    rows = [
        {"text": "one", "author": "x", "id": "t1", "value": "pvq/power"},
        {"response": "two", "author": "y", "query": "why?", "values": ["mft"]},
    ]
    path = tmp_path / "texts.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    first, second = read_written(path, "author")
    assert (first.group, first.values, first.id) == ("x", ("svt/power",), "t1")
    assert second.query == "why?"
    assert len(second.values) == 6
    assert {one.group for one in read_written(path)} == {"all"}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{not json", "line 1: no valid JSON"),
        ('{"words": "x"}', "line 1: expected an object with a string 'text'"),
        ('{"text": "x"}', "line 1: no 'author' to group by; the line has text: add it"),
        ('{"text": "x", "author": "a", "value": "svt/powr"}', "line 1: unknown.*svt/power"),
        ('{"text": "x", "author": "a", "value": 5}', "line 1: 'value' is 5; give a value id"),
        ('{"text": "x", "author": "a", "values": [5]}', "line 1: 'value' is .5.; give a value id"),
        ('{"text": "x \\ud83d", "author": "a"}', "line 1: holds half of a surrogate pair"),
        ("[" * 100_000, "line 1: no valid JSON"),
        ('\n\n{"text": "x"}', "line 3: no 'author' to group by"),
        ("", "holds no texts"),
    ],
)
def test_a_malformed_line_is_named(tmp_path, line, message):
    path = tmp_path / "texts.jsonl"
    path.write_text(line + "\n" if line else "", "utf-8")
    with pytest.raises(ValueFlowError, match=message):
        read_written(path, "author")


def test_an_id_that_stands_for_two_texts_is_refused(tmp_path):
    path = tmp_path / "texts.jsonl"
    path.write_text('{"text": "x", "id": "1"}\n{"text": "y", "id": "1"}\n', "utf-8")
    with pytest.raises(ValueFlowError, match="'1' stands for two different texts"):
        read_written(path)


def test_blank_lines_are_no_texts_and_0_is_an_id(tmp_path):
    path = tmp_path / "texts.jsonl"
    path.write_text('\n{"text": "x", "id": 0}\n  \n{"text": "y", "id": 1, "value": ""}\n', "utf-8")
    assert [(one.text, one.id, one.values) for one in read_written(path)] == [
        ("x", "0", ()),
        ("y", "1", ()),
    ]


def test_two_files_may_number_their_texts_alike(tmp_path, make_instrument):
    """Each keeps its own text: an id that two people use names two texts."""
    known = {"We take what we can.": 8.0, "We ask nobody to obey.": -8.0}
    judge = make_instrument(known).judge
    paths: list[Path] = []
    for name, text in zip(("ann", "bob"), known, strict=True):
        row = {"text": text, "id": "1", "value": "svt/power", "who": name}
        paths.append(tmp_path / f"{name}.jsonl")
        paths[-1].write_text(json.dumps(row) + "\n", "utf-8")
    profiles, _ = read_profiles(paths, "who", instrument={"judge": judge})
    means = {one.name: one.scores["svt/power"].mean for one in profiles}
    assert means["ann"] > 4 > -4 > means["bob"]
    (alone,), _ = read_profiles(paths[:1], "who", instrument={"judge": judge})
    assert alone.scores["svt/power"].mean == means["ann"]
