from __future__ import annotations

import json
from pathlib import Path

import pytest
from valueflow_scorers import ValueFlowError

from valueflow_tasks.vidb._licence import stated_terms
from valueflow_tasks.vidb._sources import Rated, read_source, value_id


def csv_of(path: Path, rows, header: str = "text,score") -> str:
    lines = [f'"{text}",{score}' for text, score in rows]
    path.write_text("\n".join([header, *lines]) + "\n")
    return str(path)


def test_the_releases_csv_names_its_value(tmp_path):
    path = tmp_path / "self-direction_pvq_flag_aggregated.csv"
    path.write_text("idx,text,final_rating\n0,I chose it alone,7.2\n1,they chose for me,-3.1\n")
    found = read_source(str(path))
    assert found.values == {
        "svt/self-direction": [Rated("I chose it alone", 7.2), Rated("they chose for me", -3.1)]
    }


def test_columns_are_found_by_content_and_reported(tmp_path):
    path = tmp_path / "any.jsonl"
    rows = [
        {"key": i, "wording": f"some longer words number {i}", "strength": i - 5, "what": "power"}
        for i in range(11)
    ]
    path.write_text(
        "".join(json.dumps(row) + "\n" for row in rows) + '{"key": 1, "strength": "x"}\n'
    )
    found = read_source(str(path))
    assert found.columns == {"text": "wording", "number": "strength", "value": "what"}
    assert len(found.values["svt/power"]) == 11
    assert len(found.skipped) == 1


def test_files_without_a_score_say_what_is_missing(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("text,a\nsome words here,x\n")
    with pytest.raises(ValueFlowError, match="rename it to intensity"):
        read_source(str(path), value="svt/power")
    with pytest.raises(ValueFlowError, match="hub dataset is named owner/name"):
        read_source("nowhere.csv")


def test_unknown_values_are_kept_under_a_name_of_their_own():
    assert value_id("Tidiness of Desks") == "imported/tidiness-of-desks"
    assert value_id("care/harm", "mft") == "mft/care"


@pytest.mark.parametrize(
    ("given", "value"),
    [
        ("power", "svt/power"),
        ("pvq/Power", "svt/power"),
        ("own/tidiness", "own/tidiness"),
        ("../../evil", "imported/evil"),
    ],
)
def test_a_value_is_found_under_any_of_its_names(given, value, tmp_path):
    source = csv_of(tmp_path / "k.csv", [(f"some words {i}", i - 5) for i in range(10)])
    assert list(read_source(source, value=given).values) == [value]


def test_intensities_may_all_be_positive(tmp_path):
    rows = [(f"some words {i}", i / 2) for i in range(10)]
    named = csv_of(tmp_path / "a.csv", rows, "text,intensity")
    assert len(read_source(named, value="power").values["svt/power"]) == 10
    with pytest.raises(ValueFlowError, match="rename it to intensity"):
        read_source(csv_of(tmp_path / "b.csv", rows, "text,count"), value="power")


@pytest.mark.parametrize(
    "licence",
    ["(CC-BY-NC)", "CC BY-NC, see site", "CC_BY_NC", "CC BY-NC/4.0", "CC BY\u2011NC 4.0",
     "academic use only", "Non-Commercial", "for research", ""],
)  # fmt: skip
def test_every_spelling_of_non_commercial_is_read(licence):
    assert stated_terms("x", licence).non_commercial


@pytest.mark.parametrize("licence", ["CC BY 4.0", "CC0", "MIT", "Apache-2.0"])
def test_open_licences_allow_commercial_use_and_passing_on(licence):
    terms = stated_terms("x", licence)
    assert not terms.non_commercial
    assert terms.redistributable
