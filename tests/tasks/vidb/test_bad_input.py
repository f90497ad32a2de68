from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from valueflow_scorers import ValueFlowError, load_panel

from valueflow_tasks.vidb import Database, JudgementFile, Text, read_texts, write_panel
from valueflow_tasks.vidb._plausible import read_corrections
from valueflow_tasks.vidb._sources import read_source, terms_of

HEAD = {"head": {"value": "svt/power", "judge": "j"}}
PLAN = {"plan": [["a", "b"]], "kind": "uniform"}


def written(path: Path, *rows) -> Path:
    path.write_text("".join((r if isinstance(r, str) else json.dumps(r)) + "\n" for r in rows))
    return path


@pytest.mark.parametrize(
    ("rows", "line"),
    [
        ([{"head": [1]}], 1),
        ([HEAD, "[" * 10**5], 2),
        ([HEAD, PLAN, {"round": 99, "window": 0, "order": [0, 1]}], 3),
        ([HEAD, PLAN, {"round": 0, "window": -1, "order": [0, 1]}], 3),
        ([HEAD, PLAN, {"round": 0, "window": 0, "order": [0, 7]}], 3),
    ],
)
def test_a_file_of_no_judgements_is_named_with_its_line(rows, line, tmp_path):
    with pytest.raises(ValueFlowError, match=f"line {line}: no judgement"):
        JudgementFile.read(written(tmp_path / "j.jsonl", *rows))


def test_a_binary_file_is_no_judgements_and_no_database(tmp_path):
    path = tmp_path / "x.jsonl"
    path.write_bytes(b"\xff\xfe\x00\x80\n\x00")
    with pytest.raises(ValueFlowError, match="line 1: no judgement"):
        JudgementFile.read(path)
    with pytest.raises(ValueFlowError, match="save it as UTF-8"):
        Database.load(path)


@pytest.mark.parametrize(
    "row",
    [
        {"text": "x", "intensity": float("nan")},
        {"text": "x", "intensity": 10**400},
        {"text": "x", "intensity": None},
        {"text": "x", "intensity": 1, "stderr": "much"},
        {"text": "x", "intensity": 1, "neutral": "false"},
        {"text": "x", "intensity": 1, "draws": ["a"]},
        "[1]",
        "7",
    ],
)
def test_a_line_of_a_database_without_a_score_is_named(row, tmp_path):
    path = written(tmp_path / "d.jsonl", {"value": "svt/power"}, row)
    with pytest.raises(ValueFlowError, match="line 2: no rated text"):
        Database.load(path)


def test_a_database_may_leave_errors_out_but_not_half_of_its_draws(tmp_path):
    rows = [{"value": "v"}, {"text": "x", "intensity": 1, "stderr": None, "draws": [1]}]
    assert Database.load(written(tmp_path / "d.jsonl", *rows)).stderrs.tolist() == [0.0]
    with pytest.raises(ValueFlowError, match="same number of 'draws'"):
        Database.load(written(tmp_path / "d.jsonl", *rows, {"text": "y", "intensity": 1}))


def test_texts_with_line_separators_of_unicode_come_back(tmp_path):
    words = [f"{gap} a {i} {gap}" for i, gap in enumerate("\u2028\u2029\x85\x0b\x0c\x1c" * 2)]
    texts = tuple(Text(f"t{i}", one, one) for i, one in enumerate(words))
    numbers = np.linspace(-8, 8, len(texts))
    head = {"value": "svt/power", "definition": ""}
    database = Database(head, texts, numbers, np.ones(len(texts)))
    database.save(tmp_path / "d.jsonl")
    assert Database.load(tmp_path / "d.jsonl").texts == texts
    panel = load_panel(write_panel(database, tmp_path))
    assert {one.text for one in panel.texts} <= set(words)
    assert len(read_source(str(tmp_path / "d.jsonl")).skipped) == 0


def test_a_source_is_read_or_refused_in_a_sentence(tmp_path):
    latin = tmp_path / "latin.csv"
    latin.write_bytes("text,score\ncafé au lait,-1\n".encode("latin-1"))
    with pytest.raises(ValueFlowError, match="save it as UTF-8"):
        read_source(str(latin), value="power")
    long = "word " * 40_000
    wide = written(tmp_path / "wide.csv", "text,score", f"{long},-1", "short one here,1")
    assert len(read_source(str(wide), value="power").values["svt/power"]) == 2
    rows = [{"text": f"some words {i}", "score": i - 5} for i in range(9)]
    odd = [{"text": "half \ud83d", "score": 1}, {"text": "big number", "score": 10**400}]
    digits = '{"text": "x", "score": ' + "9" * 6000 + "}"
    mixed = written(tmp_path / "m.jsonl", *rows, *odd, digits, "[" * 10**5)
    found = read_source(str(mixed), value="power")
    assert (len(found.values["svt/power"]), len(found.skipped)) == (9, 4)
    deep = written(tmp_path / "deep.json", "[" * 10**5)
    with pytest.raises(ValueFlowError, match="no few-shot file"):
        read_source(str(deep))


def test_broken_parquet_is_refused_in_a_sentence(tmp_path):
    pytest.importorskip("pyarrow")
    path = tmp_path / "t.parquet"
    path.write_bytes(b"PAR1 no more")
    for read in (read_texts, lambda path: read_source(str(path), value="power")):
        with pytest.raises(ValueFlowError, match="no parquet file"):
            read(path)


def test_a_correction_beyond_numbers_is_named(tmp_path):
    path = written(tmp_path / "c.jsonl", {"id": "a", "intensity": 10**400})
    with pytest.raises(ValueFlowError, match="line 1: expected an 'id'"):
        read_corrections(path)


LINE = b'{"text": "some plain words", "intensity": 1, "value": "svt/power"}\n'


def test_lines_in_another_encoding_are_skipped_and_named_and_never_altered(tmp_path):
    path = tmp_path / "t.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + LINE + LINE.replace(b"plain", b"caf\xe9"))
    found = read_source(str(path))
    assert [one.text for one in found.values["svt/power"]] == ["some plain words"]
    assert found.skipped == ["row 2: no JSON object in UTF-8"]
    read = read_texts(path)
    assert [one.text for one in read.texts] == ["some plain words"]
    assert read.skipped == ("line 2: no JSON object in UTF-8",)


@pytest.mark.parametrize("name", ["e.csv", "e.jsonl", "e.json", "e.parquet"])
def test_an_empty_source_is_called_empty_before_terms_are_shown(name, tmp_path):
    (tmp_path / name).touch()
    with pytest.raises(ValueFlowError, match=rf"{name} is empty"):
        terms_of(str(tmp_path / name))


def test_a_folder_is_no_source_and_a_file_in_it_may_be(tmp_path):
    with pytest.raises(ValueFlowError, match=r"is a folder: give one file of rated texts \("):
        terms_of(str(tmp_path))
    (tmp_path / "t.jsonl").write_bytes(LINE)
    with pytest.raises(ValueFlowError, match=r"such as .*t\.jsonl$"):
        terms_of(str(tmp_path))
    (tmp_path / "value.yaml").touch()
    with pytest.raises(ValueFlowError, match=r"t\.jsonl; a value of your own goes behind --value"):
        terms_of(str(tmp_path))


def test_a_score_that_is_no_number_is_shown_with_its_row(tmp_path):
    rows = [{"text": "some plain words", "intensity": x} for x in (1, float("nan"), float("nan"))]
    path = written(tmp_path / "t.jsonl", *rows)
    with pytest.raises(ValueFlowError, match=r"or mend it \(in 'intensity', row 2 has 'nan'\)"):
        read_source(str(path), value="svt/power")
