from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from valueflow_scorers import ValueFlowError, load_panel

from valueflow_tasks.vidb import Database, Text, load_value
from valueflow_tasks.vidb._findings import find
from valueflow_tasks.vidb._load import load
from valueflow_tasks.vidb._publish import publish
from valueflow_tasks.vidb._sources import Rated, read_source


def shot(value: str, start: float, step: float, count: int) -> list[dict[str, object]]:
    texts = load_panel(value).texts[:count]
    return [{"text": text.text, "intensity": start + step * i / 10} for i, text in enumerate(texts)]


SHOTS = {
    "Benevolence": {"-2": shot("svt/face", -8.0, -1, 5), "2": shot("mft/care", 8.0, 1, 5)},
    "hedonism": {"-1": shot("svt/power", -4.0, 0, 4), "1": shot("mft/liberty", 4.0, 10, 6)},
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
    panel = load(shots, tmp_path / "out", accept_license=True).panels[0]
    database = tmp_path / "out" / "databases" / panel.name
    with pytest.raises(ValueFlowError, match=r"(?s)ValuePrism.*Commercial use is not allowed"):
        load(str(database), tmp_path / "again", accept_license=True, commercial=True)


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


def csv_of(path: Path, rows, header: str = "text,score") -> str:
    lines = [f'"{text}",{score}' for text, score in rows]
    path.write_text("\n".join([header, *lines]) + "\n")
    return str(path)


def plain(*values: str) -> list[str]:
    texts = (text.text for value in values for text in load_panel(value).texts)
    return [text for text in texts if '"' not in text]


def test_wrong_signs_and_near_duplicates_get_no_place_in_the_ruler(tmp_path):
    texts = plain("mft/care", "mft/loyalty")
    true = np.random.default_rng(0).uniform(-9, 9, len(texts)).round(1)
    truth = tmp_path / "truth.jsonl"
    rows = [{"text": t, "intensity": float(x)} for t, x in zip(texts, true, strict=True)]
    twin = texts[0].replace("I ", "I really ", 1) + " Yes."
    rows.append({"text": twin, "intensity": float(true[0])})
    truth.write_text("".join(json.dumps(row) + "\n" for row in rows))
    labels = true.copy()
    strong = np.argsort(-np.abs(true))[:4]
    labels[strong] *= -1
    source = csv_of(tmp_path / "k.csv", [*zip(texts, labels, strict=True), (twin, true[0])])
    loaded = load(source, tmp_path / "out", accept_license=True, value="svt/power",
                  judge=f"simulated:noise=1:truth={truth}")  # fmt: skip
    flipped = {texts[i] for i in loaded.reranks["svt/power"].flipped}
    assert flipped >= {texts[i] for i in strong}
    ruler = {text.text for text in load_panel(loaded.panels[0]).texts}
    assert len(ruler) == 30
    assert not ruler & {*flipped, twin}
    told = f"{len(flipped)} texts whose sign seems wrong and 1 (near-)duplicates"
    assert any(told in note for note in loaded.notes)


@pytest.mark.parametrize("form", ["database", "parquet"])
def test_what_was_published_comes_back_whole(form, tmp_path):
    shipped = load_panel("svt/power").texts
    texts = tuple(Text(one.key, one.text, one.query, i < 4) for i, one in enumerate(shipped))
    numbers = np.array([one.intensity for one in shipped])
    head = {"value": "svt/power", "definition": "d", "licence": "CC BY 4.0", "source": "s"}
    database = Database(head, texts, numbers, np.full(len(texts), 0.3))
    if form == "parquet":
        pytest.importorskip("pyarrow")
        publish(database, [], tmp_path / "hub")
        path = tmp_path / "hub" / "data.parquet"
    else:
        path = tmp_path / "db.jsonl"
        database.save(path)
    loaded = load(
        str(path), tmp_path / "out", accept_license=True, licence="CC BY 4.0",
        value="svt/power" if form == "parquet" else None,
    )  # fmt: skip
    again = Database.load(tmp_path / "out" / "databases" / loaded.panels[0].name)
    assert [(t.id, t.text, t.query, t.neutral) for t in again.texts] == [
        (t.id, t.text, t.query, t.neutral) for t in texts
    ]
    assert again.stderrs.tolist() == [0.3] * len(texts)
    ruler = load_panel(loaded.panels[0])
    assert ruler.value == "svt/power"
    assert all(text.query for text in ruler.texts)


def test_a_value_that_a_theory_lacks_is_refused_and_a_folder_names_its_own(tmp_path):
    source = csv_of(tmp_path / "k.csv", zip(plain("mft/care"), range(-5, 6), strict=False))
    with pytest.raises(ValueFlowError, match="did you mean svt/power"):
        read_source(source, value="svt/powr")
    folder = tmp_path / "thrift"
    folder.mkdir()
    (folder / "value.yaml").write_text(
        "id: own/loaded\ndefinition: d\nsteering: {-2: a, -1: b, 1: c, 2: d}\n"
    )
    loaded = load(source, folder, accept_license=True, value=str(folder))
    assert loaded.panels == (load_value(folder).panel_file,)
    assert load_value(folder).panel().definition == "d"


def test_a_theory_or_any_other_folder_is_no_value(tmp_path):
    source = csv_of(tmp_path / "k.csv", zip(plain("mft/care"), range(-5, 6), strict=False))
    with pytest.raises(ValueFlowError, match="'pvq' is a theory: name one of its values"):
        read_source(source, value="pvq")
    with pytest.raises(ValueFlowError, match=r"has no value\.yaml"):
        read_source(source, value=str(tmp_path))


def test_a_value_that_is_none_of_ours_is_noted(tmp_path):
    source = csv_of(tmp_path / "k.csv", zip(plain("mft/care"), range(-5, 6), strict=False))
    loaded = load(source, tmp_path / "out", accept_license=True, value="powr")
    (note,) = [note for note in loaded.notes if "kept under this name" in note]
    assert note.startswith("imported/powr: no value of svt, mft, duties, rights")
    known = load(source, tmp_path / "known", accept_license=True, value="power")
    assert not any("kept under this name" in note for note in known.notes)


def test_what_cannot_be_ranked_anew_is_a_note(tmp_path):
    texts = plain("mft/care")
    true = [text.intensity for text in load_panel("mft/care").texts if '"' not in text.text]
    truth = tmp_path / "truth.jsonl"
    rows = [{"text": t, "intensity": x} for t, x in zip(texts, true, strict=True)]
    truth.write_text("".join(json.dumps(row) + "\n" for row in rows))
    source = csv_of(tmp_path / "k.csv", zip(texts, true, strict=True))
    given = {"accept_license": True, "value": "mft/care"}
    for noise in (1, 2):
        judge = f"simulated:noise={noise}:truth={truth}"
        loaded = load(source, tmp_path / "out", judge=judge, **given)
        assert len(loaded.panels) == 1
    assert any("not ranked anew" in note and "begun with judge" in note for note in loaded.notes)
    flat = csv_of(tmp_path / "flat.csv", [(text, -4) for text in texts])
    loaded = load(flat, tmp_path / "flat", judge=judge, **given)
    assert any("not ranked anew" in note and "1 different scores" in note for note in loaded.notes)
    assert "NaN" not in (tmp_path / "flat" / "check.json").read_text()
    with pytest.raises(ValueFlowError, match="unknown judge"):
        load(source, tmp_path / "out", judge="simulatd", **given)


def test_loaded_texts_are_published_only_when_they_may_be_passed_on(shots, tmp_path):
    pytest.importorskip("pyarrow")
    panel = load(shots, tmp_path / "out", accept_license=True).panels[0]
    database = Database.load(tmp_path / "out" / "databases" / panel.name)
    with pytest.raises(ValueFlowError, match=r"(?s)ValuePrism.*--redistribute"):
        publish(database, [], tmp_path / "hub")
    assert not (tmp_path / "hub").exists()
    publish(database, [], tmp_path / "hub", redistribute=True)
    card = (tmp_path / "hub" / "README.md").read_text()
    assert "ValuePrism: AI2 ImpACT" in card
    assert "ValueNet: CC BY-NC-SA" in (tmp_path / "hub" / "LICENSE").read_text()
    for untrue in ("Zero is the mean", "judgements/", "top tenth"):
        assert untrue not in card


def test_the_releases_sample_loads_as_two_panels(tmp_path):
    sample = Path(__file__).parents[4] / "shared" / "reference" / "few_shot_sample.json"
    if not sample.is_file():
        pytest.skip("the reference is not here")
    loaded = load(str(sample), tmp_path / "out", accept_license=True)
    assert len(loaded.panels) == 2
    assert all(len(load_panel(path).texts) >= 18 for path in loaded.panels)
