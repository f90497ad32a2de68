"""Queries: our own hundred, the release's five hundred, and files of anybody's."""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path

import pytest
from valueflow_scorers import ValueFlowError, load_panel, panel_values

from valueflow_tasks.queries import Query, load_queries, query_set_fingerprint
from valueflow_tasks.queries._queries import KINDS
from valueflow_tasks.vidb._duplicates import find_duplicates

REPOSITORY = Path(__file__).parents[2]
RELEASED = REPOSITORY.parent / "shared/reference/queries"
ALL = load_queries("all")
OWN = {*ALL, *load_queries("calibration")}


def test_there_are_twenty_queries_of_each_of_five_kinds():
    assert len(KINDS) == 5
    assert Counter(query.kind for query in ALL) == dict.fromkeys(KINDS, 20)


def test_thirty_are_for_choosing_and_seventy_for_reporting():
    dev, test = load_queries("dev"), load_queries("test")
    assert (len(dev), len(test)) == (30, 70)
    assert set(dev) | set(test) == set(ALL)
    assert Counter(query.kind for query in dev) == dict.fromkeys(KINDS, 6)
    assert {query.split for query in dev} == {"dev"}


def test_the_core_is_twenty_of_the_reported_four_of_each_kind():
    core = load_queries("core")
    assert len(core) == 20
    assert set(core) < set(load_queries("test"))
    assert Counter(query.kind for query in core) == dict.fromkeys(KINDS, 4)


def test_dials_are_set_on_queries_that_are_never_reported():
    calibration = load_queries("calibration")
    assert len(calibration) == 150
    assert set(load_queries("dev")) < set(calibration)
    assert not set(load_queries("test")) & set(calibration)
    assert Counter(query.kind for query in calibration) == dict.fromkeys(KINDS, 30)
    assert Counter(query.split for query in calibration) == {"dev": 30, "calibration": 120}


def test_what_is_reported_is_the_default():
    assert load_queries() == load_queries("test")


def test_ids_and_texts_differ():
    assert len(OWN) == 220
    assert len({query.id for query in OWN}) == 220
    assert len(find_duplicates([query.text for query in OWN])) == 0


def test_every_query_asks_something_open_in_whole_sentences():
    for query in OWN:
        assert query.text.strip() == query.text
        assert 5 <= len(query.text.split()) <= 80, query.id
        assert query.text[-1] in ".?!:…\"'”", query.id


def test_no_query_is_a_panel_s_own():
    own = {query.text for query in OWN}
    asked = {text.query for value in panel_values() for text in load_panel(value).texts}
    assert None not in asked
    assert not own & asked


@pytest.mark.skipif(not RELEASED.is_dir(), reason="the reference files are not here")
def test_the_five_hundred_of_the_release_load_by_a_relative_pattern(monkeypatch):
    monkeypatch.chdir(REPOSITORY)
    found = load_queries("../shared/reference/queries/*.csv")
    assert Counter(query.kind for query in found) == {
        "gpv": 100, "moral_choice": 100, "moral_stories": 100, "opinionqa": 100, "valuebench": 100,
    }  # fmt: skip
    assert len({query.id for query in found}) == 500
    assert all(query.text and query.text[0] != '"' for query in found)


@pytest.mark.skipif(not RELEASED.is_dir(), reason="the reference files are not here")
def test_one_file_of_the_release_keeps_its_order():
    found = load_queries(str(RELEASED / "valuebench.csv"))
    assert found[0] == Query("valuebench-001", "Should people see me as a hard-hearted person?",
                             "valuebench")  # fmt: skip
    assert len(found) == 100


# -- files of one's own


def written(path: Path, content: str | bytes) -> str:
    path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
    return str(path)


def test_json_lines_and_csv_give_the_same_queries(tmp_path):
    texts = ["Who goes first?", 'He said "no", twice.', "Où vas-tu, et pourquoi?"]
    csv = "query\n" + "".join('"' + text.replace('"', '""') + '"\n' for text in texts)
    lines = "".join(json.dumps({"query": text}) + "\n" for text in texts)
    from_csv = load_queries(written(tmp_path / "a.csv", csv))
    from_lines = load_queries(written(tmp_path / "a.jsonl", lines))
    assert from_csv == from_lines
    assert [query.text for query in from_csv] == texts


def test_a_file_s_own_ids_are_kept_and_missing_ones_are_numbered(tmp_path):
    lines = '{"query": "One?", "id": "x1"}\n{"query": "Two?"}\n'
    assert [q.id for q in load_queries(written(tmp_path / "a.jsonl", lines))] == ["x1", "a-002"]
    table = "id,query,note\nx1,One?,n\n,Two?,n\n"
    assert [q.id for q in load_queries(written(tmp_path / "b.csv", table))] == ["x1", "b-002"]


def test_an_id_that_is_null_is_no_id(tmp_path):
    lines = '{"query": "One?", "id": null}\n{"query": "Two?", "id": null}\n'
    assert [q.id for q in load_queries(written(tmp_path / "a.jsonl", lines))] == ["a-001", "a-002"]


def test_a_table_saved_by_a_spreadsheet_is_read(tmp_path):
    path = written(tmp_path / "a.csv", "\ufeffquery\r\nOne?\r\n\r\nTwo?\r\n")
    assert [query.text for query in load_queries(path)] == ["One?", "Two?"]


@pytest.mark.parametrize(
    ("name", "content", "line"),
    [
        ("a.jsonl", '{"query": "One?"}\n{"query": \n', 2),
        ("a.jsonl", '{"query": "One?"}\n["Two?"]\n', 2),
        ("a.jsonl", '{"query": "One?"}\n{"question": "Two?"}\n', 2),
        ("a.jsonl", '{"query": "One?"}\n{"query": "  "}\n', 2),
        ("a.jsonl", '{"query": "One?"}\n{"query": 3}\n', 2),
        ("a.jsonl", "One?\n", 1),
        ("a.csv", 'query\nOne?\n"  "\nTwo?\n', 3),
        ("a.csv", 'query\n"One,\nand more?"\n""\n', 4),
        ("a.csv", "id,query\nx\n", 2),
    ],
)
def test_a_bad_line_is_named_with_its_file_and_number(tmp_path, name, content, line):
    path = written(tmp_path / name, content)
    with pytest.raises(ValueFlowError) as refused:
        load_queries(path)
    assert f"{path}, line {line}" in str(refused.value)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(
            "a.csv",
        ),
        "a.jsonl",
    ],
)
def test_a_file_that_is_no_utf8_is_refused_by_name(tmp_path, name):
    content = {"a.csv": "query\nCafé?\n", "a.jsonl": '{"query": "Café?"}\n'}[name]
    with pytest.raises(ValueFlowError, match=name):
        load_queries(written(tmp_path / name, content.encode("latin-1")))


def test_a_query_of_any_length_is_read_or_refused_by_name(tmp_path):
    path = written(tmp_path / "a.csv", "query\n" + "long " * 40_000 + "\n")
    try:
        (found,) = load_queries(path)
    except ValueFlowError as refused:
        assert path in str(refused)  # noqa: PT017
    else:
        assert len(found.text) == 199_999


def test_a_table_without_the_column_is_refused_with_the_columns_it_has(tmp_path):
    path = written(tmp_path / "a.csv", "question,id\nOne?,1\n")
    with pytest.raises(ValueFlowError, match=r"\['question', 'id'\].*'query'"):
        load_queries(path)


@pytest.mark.parametrize(
    ("name", "content"), [("a.csv", "query\n"), ("a.csv", ""), ("b.jsonl", "")]
)
def test_a_file_without_queries_is_refused(tmp_path, name, content):
    with pytest.raises(ValueFlowError, match=name):
        load_queries(written(tmp_path / name, content))


def test_duplicate_ids_are_refused_and_named(tmp_path):
    path = written(tmp_path / "a.jsonl", '{"query": "a", "id": "x"}\n{"query": "b", "id": "x"}\n')
    with pytest.raises(ValueFlowError, match=r"\['x'\] occur more than once"):
        load_queries(path)


def test_files_of_one_name_in_two_folders_do_not_share_ids_unnoticed(tmp_path):
    for folder in "ab":
        (tmp_path / folder).mkdir()
        written(tmp_path / folder / "q.csv", f"query\nWhat of {folder}?\n")
    with pytest.raises(ValueFlowError, match="more than once"):
        load_queries(os.path.join(str(tmp_path), "*", "q.csv"))


@pytest.mark.parametrize("source", ["tset", "nowhere/*.csv", ""])
def test_an_unknown_set_is_refused_with_the_sets_there_are(source):
    with pytest.raises(ValueFlowError, match="core, dev, calibration, test, all"):
        load_queries(source)


def test_the_set_s_identity_is_its_ids_and_words():
    first, second = ALL[:2]
    mark = query_set_fingerprint([first, second])
    assert mark == query_set_fingerprint([first, second])
    changed = [
        [first],
        [second, first],
        [first, Query("other", second.text)],
        [first, Query(second.id, second.text + " ")],
    ]
    assert mark not in map(query_set_fingerprint, changed)
