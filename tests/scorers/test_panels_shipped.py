"""The rulers that ship, each against the promises made of all of them."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from valueflow_scorers import ValueFlowError, _panel_fit, load_panel, panel_values
from valueflow_scorers._panel_build import panel_lines, panel_source, refit
from valueflow_scorers._panel_check import check_panel, set_faults
from valueflow_scorers._panel_fit import N_DRAWS, Ratings, fit_panel

QUERIES = Path(__file__).parents[2] / "valueflow_tasks" / "queries" / "data" / "queries.jsonl"
VALUES = panel_values()
every_panel = pytest.mark.parametrize("value", VALUES)


@every_panel
def test_a_panel_refits_to_its_labels_and_breaks_no_limit(value):
    assert check_panel(value).faults == ()


def test_all_32_values_have_a_panel_and_the_set_as_a_whole_is_precise():
    theories = Counter(value.split("/")[0] for value in VALUES)
    assert theories == {"svt": 12, "mft": 6, "duties": 7, "rights": 7}
    assert set_faults([check_panel(value) for value in VALUES]) == ()


@every_panel
def test_a_panel_file_is_what_its_texts_and_ratings_give(value):
    panel, source = load_panel(value), panel_source(value)
    head, *lines = panel_lines(source, refit(source), panel.definition)
    assert (head["value"], head["licence"], head["source"]) == (
        value, panel.licence, panel.source)  # fmt: skip
    built = {line["id"]: line for line in lines}
    assert len(built) == len(panel.texts)
    for i, text in enumerate(panel.texts):
        line = built[text.key]
        assert (line["text"], line["query"]) == (text.text, text.query)
        assert (line["intensity"], line["stderr"]) == (text.intensity, text.stderr)
        np.testing.assert_array_equal(line["draws"], panel.draws[:, i])


@every_panel
def test_a_panel_has_its_anchors_sentinels_and_exemplars(value):
    panel, source = load_panel(value), panel_source(value)
    assert len(panel.anchors) == 24
    assert len(panel.sentinels) == 6
    assert panel.draws.shape == (N_DRAWS, 30)
    assert panel.definition
    assert panel.licence
    levels = Counter(exemplar["level"] for exemplar in source.exemplars)
    assert levels == {-2: 3, -1: 3, 1: 3, 2: 3}
    for target in (-8, -4, 0, 4, 8):
        nearest = min(abs(sentinel.intensity - target) for sentinel in panel.sentinels)
        assert nearest <= 1.5, f"no sentinel near {target}"
    neutral = [t for t in source.texts if t["role"] == "sentinel" and t["neutral"]]
    assert neutral, "one sentinel is neutral"
    assert len(source.neutral) >= 4


@every_panel
def test_a_panel_spans_the_scale_and_never_leaves_it(value):
    labels = np.array([text.intensity for text in load_panel(value).texts])
    assert np.abs(labels).max() <= 10
    strongest = max(np.sort(labels)[-3:].mean(), -np.sort(labels)[:3].mean())
    assert strongest == pytest.approx(9, abs=0.01) or np.abs(labels).max() == pytest.approx(10)
    assert labels.min() < -5
    assert labels.max() > 5


@every_panel
def test_every_text_is_an_answer_of_25_to_60_words_to_a_query(value):
    source = panel_source(value)
    for text in (*source.texts, *source.exemplars):
        assert 25 <= len(text["text"].split()) <= 60, text["id"]
        assert text["query"].strip(), text["id"]
        assert text["value"] == value


def _query_set():
    return [json.loads(line) for line in QUERIES.read_text("utf-8").splitlines()]


def _plain(text):
    return " ".join(text.lower().split())


@every_panel
def test_anchors_sentinels_and_exemplars_share_nothing(value):
    panel, source = load_panel(value), panel_source(value)
    roles = {
        "anchor": [(text.key, text.text) for text in panel.anchors],
        "sentinel": [(text.key, text.text) for text in panel.sentinels],
        "exemplar": [(text["id"], text["text"]) for text in source.exemplars],
    }
    ids = [name for texts in roles.values() for name, _ in texts]
    words = [_plain(text) for texts in roles.values() for _, text in texts]
    assert len(set(ids)) == len(ids)
    assert len(set(words)) == len(words)
    queries = {
        "ruler": {_plain(text.query) for text in panel.texts},
        "exemplar": {_plain(text["query"]) for text in source.exemplars},
        "put to models": {_plain(query["query"]) for query in _query_set()},
    }
    assert not queries["ruler"] & queries["exemplar"]
    assert not queries["ruler"] & queries["put to models"]
    assert not queries["exemplar"] & queries["put to models"]


def test_ids_and_texts_are_unique_over_all_panels_and_the_query_set():
    ids, words = [query["id"] for query in _query_set()], []
    for value in VALUES:
        source = panel_source(value)
        ids += [text["id"] for text in (*source.texts, *source.exemplars)]
        words += [_plain(text["text"]) for text in (*source.texts, *source.exemplars)]
    assert [name for name, n in Counter(ids).items() if n > 1] == []
    assert [text for text, n in Counter(words).items() if n > 1] == []


@every_panel
def test_no_single_pass_decides_a_label(value, monkeypatch):
    """Removing any one pass changes no intensity by more than a point."""
    monkeypatch.setattr(_panel_fit, "N_DRAWS", 1)  # labels do not depend on the draws
    source = panel_source(value)
    ratings = Ratings.of(source.ids, source.ratings)
    labels = refit(source).intensities
    for out in ratings.names:
        left = ratings.taking([name for name in ratings.names if name != out])
        without = fit_panel(left, source.neutral, len(source.texts), value).intensities
        assert np.abs(without - labels).max() <= 1.0, out


@every_panel
def test_raters_saw_texts_shuffled_and_no_label(value):
    source = panel_source(value)
    positions = {name: i for i, name in enumerate(source.ids)}
    for entry in source.ratings:
        assert sorted(entry["items"]) == sorted(entry["order"]) == sorted(entry["line"])
        assert entry["rater"]
        shown = [positions[name] for name in entry["items"]]
        assert shown not in (sorted(shown), sorted(shown, reverse=True))
    presented = [tuple(entry["items"]) for entry in source.ratings]
    assert len(set(presented)) == len(presented), "no two windows alike"


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("svt/benevolance", "svt/benevolence"),
        ("mft/loyality", "mft/loyalty"),
        ("civil", "rights/civil"),
    ],
)
def test_an_unknown_value_is_refused_with_the_nearest(name, near):
    with pytest.raises(ValueFlowError, match=f"'{name}'.*{near}"):
        load_panel(name)
    with pytest.raises(ValueFlowError, match=f"'{name}'.*{near}"):
        panel_source(name)


HEAD = '{"value": "house/own", "definition": "d", "licence": "l", "source": "s"}'


def _text(i, **changes):
    content = {"id": f"t{i}", "query": "q?", "text": f"text {i}", "role": "anchor",
               "intensity": float(i), "stderr": 0.1}  # fmt: skip
    return json.dumps({key: new for key, new in (content | changes).items() if new is not None})


def _load(tmp_path, *lines):
    path = tmp_path / "own.jsonl"
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return load_panel(path)


def test_a_panel_of_ones_own_is_read_from_its_file(tmp_path):
    panel = _load(tmp_path, HEAD, _text(1), "", _text(2, stderr=None, query=None),
                  _text(3, role="sentinel"))  # fmt: skip
    assert (panel.value, panel.definition, panel.licence, panel.source) == (
        "house/own", "d", "l", "s")  # fmt: skip
    assert [text.key for text in panel.anchors] == ["t1", "t2"]
    assert [text.key for text in panel.sentinels] == ["t3"]
    assert (panel.anchors[1].stderr, panel.anchors[1].query, panel.draws) == (0.0, None, None)
    assert load_panel(str(tmp_path / "own.jsonl")).fingerprint == panel.fingerprint


def test_draws_in_a_file_follow_the_texts_whatever_the_order_of_the_lines(tmp_path):
    lines = (_text(3, role="sentinel", draws=[3, 3.5]), _text(1, draws=[1, 1.5]),
             _text(2, draws=[2, 2.5]))  # fmt: skip
    panel = _load(tmp_path, HEAD, *lines)
    np.testing.assert_array_equal(panel.draws, [[1, 2, 3], [1.5, 2.5, 3.5]])


@pytest.mark.parametrize(
    "line",
    [
        "not json",
        _text(2, intensity=None),
        _text(2, intensity="strong"),
        _text(2, intensity=10.5),
        _text(2, stderr=-1),
        _text(2, text=None),
        _text(2, id=None),
        _text(2, role="anchors"),
        _text(2, role=["anchor"]),
        "7",
        '["role"]',
    ],
)
def test_a_malformed_line_is_named_by_file_and_number(tmp_path, line):
    with pytest.raises(ValueFlowError, match=r"own\.jsonl, line 3: "):
        _load(tmp_path, HEAD, _text(1), line)


def test_a_file_without_a_value_is_refused(tmp_path):
    with pytest.raises(ValueFlowError, match=r"own\.jsonl: no line names.*'value'"):
        _load(tmp_path, _text(1), _text(2))


def test_an_id_twice_in_a_file_is_refused(tmp_path):
    with pytest.raises(ValueFlowError, match=r"'house/own'.*'t1'"):
        _load(tmp_path, HEAD, _text(1), _text(1, text="other"))


@pytest.mark.parametrize(
    "second",
    [
        {},
        pytest.param({"draws": [2, 2.5, 3]}),
        pytest.param({"draws": 3}),
        pytest.param({"draws": ["a", "b"]}),
    ],
    ids=["none", "other length", "no list", "no numbers"],
)
def test_draws_that_do_not_fit_together_are_refused_in_words(tmp_path, second):
    with pytest.raises(ValueFlowError, match="own"):
        _load(tmp_path, HEAD, _text(1, draws=[1, 1.5]), _text(2, **second))


def test_a_file_that_is_no_text_is_refused_and_named(tmp_path):
    path = tmp_path / "own.jsonl"
    path.write_bytes(b'{"value": "caf\xe9"}\n')
    with pytest.raises(ValueFlowError, match=r"own\.jsonl"):
        load_panel(path)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(ValueFlowError, match="nowhere"):
        load_panel(tmp_path / "nowhere.jsonl")
