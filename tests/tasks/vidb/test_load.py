from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from valueflow_scorers import ValueFlowError, load_panel

from valueflow_tasks.vidb._findings import find
from valueflow_tasks.vidb._licence import check_commercial
from valueflow_tasks.vidb._load import load
from valueflow_tasks.vidb._sources import Rated, read_source, value_id


def shot(words: str, start: float, step: float, count: int) -> list[dict[str, object]]:
    return [
        {"text": words.format(i * 37), "intensity": start + step * i / 10} for i in range(count)
    ]


SHOTS = {
    "Benevolence": {
        "-2": shot("left my friend number {} in the rain", -8.0, -1, 5),
        "2": shot("carried the bags of neighbour {}", 8.0, 1, 5),
    },
    "hedonism": {
        "-1": shot("no cake on day {} for anybody", -4.0, 0, 4),
        "1": shot("a long bath and {} plums", 4.0, 10, 6),
    },
}


@pytest.fixture
def shots(tmp_path: Path) -> str:
    path = tmp_path / "shots.json"
    path.write_text(json.dumps(SHOTS))
    return str(path)


def test_nothing_is_loaded_before_the_terms_are_accepted(shots, tmp_path):
    folder = tmp_path / "out"
    with pytest.raises(ValueFlowError, match=r"(?s)CC BY-NC-SA.*--accept-license"):
        load(shots, folder)
    assert not folder.exists()
    load(shots, folder, accept_license=True)
    assert json.loads((folder / "licence.json").read_text())[0]["non_commercial"] is True
    load(shots, folder)  # accepted for this folder
    with pytest.raises(ValueFlowError, match="Nothing was loaded"):
        load(shots, tmp_path / "another")


def test_non_commercial_data_is_refused_for_commercial_use(shots, tmp_path):
    with pytest.raises(ValueFlowError, match="Commercial use is not allowed"):
        load(shots, tmp_path / "out", accept_license=True, commercial=True)
    load(shots, tmp_path / "out", accept_license=True)
    with pytest.raises(ValueFlowError, match="Commercial use is not allowed"):
        check_commercial(tmp_path / "out", commercial=True)


def test_the_few_shot_file_gives_two_panels_and_says_what_is_odd(shots, tmp_path):
    loaded = load(shots, tmp_path / "out", accept_license=True)
    assert sorted(path.name for path in loaded.panels) == [
        "svt-benevolence.jsonl",
        "svt-hedonism.jsonl",
    ]
    assert load_panel(loaded.panels[0]).value == "svt/benevolence"
    odd = json.loads((tmp_path / "out" / "check.json").read_text())["remarks"]
    assert any("no text between" in line for line in odd)
    assert any("zero is neutral" in line for line in odd)


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


def test_copied_score_lists_are_reported_and_honest_ones_are_not():
    rng = np.random.default_rng(0)
    texts = [text.text for text in load_panel("svt/power").texts]
    one = [
        Rated(text, float(x)) for text, x in zip(texts, rng.normal(0, 4, 30).round(1), strict=True)
    ]
    other = [Rated(f"{row.text} indeed not", row.label) for row in one]
    honest = [
        Rated(f"quite {i} other", float(x)) for i, x in enumerate(rng.normal(0, 4, 30).round(1))
    ]
    found = find({"a": one, "b": other, "c": honest})
    assert [pair["values"] for pair in found.copied] == [["a", "b"]]
    assert [pair["values"] for pair in found.across] == [["a", "b"]]


def test_reranking_finds_flips_and_maps_scores_onto_this_scale(tmp_path):
    rng = np.random.default_rng(0)
    texts = [text.text for text in load_panel("mft/care").texts]
    texts += [text.text for text in load_panel("mft/loyalty").texts]
    true = rng.uniform(-9, 9, 60)
    truth = tmp_path / "truth.jsonl"
    rows = [{"text": t, "intensity": float(x)} for t, x in zip(texts, true, strict=True)]
    truth.write_text("".join(json.dumps(row) + "\n" for row in rows))
    theirs = np.clip(0.5 * true, -10, 10)  # another unit
    strong = int(np.argmax(np.abs(true)))
    theirs[strong] *= -1
    source = tmp_path / "power_pvq_flag_aggregated.csv"
    quoted = [
        f'"{t.replace(chr(34), chr(39))}",{x:.1f}' for t, x in zip(texts, theirs, strict=True)
    ]
    kept = [line for line, t in zip(quoted, texts, strict=True) if '"' not in t]
    source.write_text("text,final_rating\n" + "\n".join(kept) + "\n")
    loaded = load(
        str(source), tmp_path / "out", accept_license=True, judge=f"simulated:noise=1:truth={truth}"
    )
    again = loaded.reranks["svt/power"]
    assert again.anchored
    assert again.slope == pytest.approx(2.0, abs=0.35)
    assert abs(again.offset) < 1.2
    flipped = [texts.index(t) for t in texts if '"' not in t]
    assert [flipped[i] for i in again.flipped] == [strong]
