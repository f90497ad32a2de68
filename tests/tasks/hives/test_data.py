"""The corpus, the anchors and the phrases that ship."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from importlib.resources import files
from pathlib import Path
from statistics import correlation

import pytest

from valueflow_tasks.hives import load_corpus
from valueflow_tasks.hives._answers import RATINGS, TEXTS, load_answers, rows_of
from valueflow_tasks.hives._concepts import linked_leaves, load_concepts, load_phrases
from valueflow_tasks.hives._levels import theory_hierarchy
from valueflow_tasks.hives._split import SHARES
from valueflow_tasks.queries import load_queries
from valueflow_tasks.theories import find_node, load_theory
from valueflow_tasks.vidb._duplicates import find_duplicates

FUNCTION_WORDS = """
    a an the of to in on at for and or nor but not no with without from by as is are was were be
    been being it its this that these those their they them he she his her him who whom which what
    when where how why if than then so such one's one other others another any all each every both
    do does did doing has have had having can could may might must shall should will would own up
    out over under into onto through about between among against more most some oneself self
    themselves your you yours we our us i me my mine same too very only also even just there here
    still yet ones come comes came whatever anyone everyone someone everybody nobody something
    anything everything etc because while during before after"""
ORDINARY = frozenset(FUNCTION_WORDS.split())
REGISTERS = {"answer", "diary", "message", "forum", "speech", "letter", "news", "review", "work",
             "dialogue", "story", "memo", "proverb"}  # fmt: skip


def _words(text):
    return re.findall(r"[a-z]+(?:'[a-z]+)?", text.lower())


def _telltale(leaf, stem):
    """Stems of a leaf's name and definition, and of its value's name."""
    node = find_node(leaf)
    above = (load_theory(node.theory).by_slug[slug] for slug in node.parents)
    told = [node.name, node.slug.replace("-", " "), node.definition]
    for value in above:
        if value.evaluated:
            told += [value.name, value.slug.replace("-", " ")]
    return {
        stem(word)
        for text in told
        for word in _words(text)
        if word not in ORDINARY and len(word) > 2
    }


@pytest.fixture(scope="module")
def texts():
    return load_corpus().texts


def test_every_leaf_has_54_texts_in_balance(texts):
    cells = Counter((text.place.leaf, text.direction, text.strength) for text in texts)
    wanted = {(1, 2): 13, (1, 1): 12, (-1, 2): 13, (-1, 1): 12, (0, 0): 4}
    leaves = [place.leaf for place in theory_hierarchy().places]
    assert len(leaves) == 82
    assert cells == {(leaf, *cell): count for leaf in leaves for cell, count in wanted.items()}


def test_no_text_names_its_value(texts):
    porter = pytest.importorskip("nltk.stem").PorterStemmer()
    told = {leaf: _telltale(leaf, porter.stem) for leaf in {text.place.leaf for text in texts}}
    named = {
        text.id: hits
        for text in texts
        if (hits := {porter.stem(word) for word in _words(text.text)} & told[text.place.leaf])
    }
    assert not named


def test_situations_and_questions_are_on_one_side_of_the_split(texts):
    for shared in (lambda text: text.situation, lambda text: text.query):
        sides = defaultdict(set)
        for text in texts:
            if shared(text):
                sides[shared(text)].add(text.split)
        assert [name for name, found in sides.items() if len(found) > 1] == []


def test_every_leaf_is_divided_alike(texts):
    counts = Counter((text.place.leaf, text.split) for text in texts)
    for (leaf, split), count in counts.items():
        assert count / 54 == pytest.approx(SHARES[split], abs=0.15), (leaf, split)
    sides = Counter((text.place.leaf, text.direction) for text in texts if text.split == "test")
    assert min(count for (_, side), count in sides.items() if side) >= 1


def test_no_two_texts_are_nearly_the_same(texts):
    assert find_duplicates([text.text for text in texts]) == []


def test_texts_are_short_and_of_many_registers(texts):
    assert {text.register for text in texts} == REGISTERS
    assert all(6 <= len(_words(text.text)) <= 65 for text in texts)
    assert all((text.query is not None) == (text.register == "answer") for text in texts)
    assert len({text.id for text in texts}) == len(texts)


def test_nothing_of_a_panel_is_in_the_corpus(texts):
    """Panel texts judge the encoder's readings: none may train it, nor a question they answer."""
    from valueflow_scorers import load_panel, panel_values
    from valueflow_scorers._panels import exemplar_texts

    panels = [text for value in panel_values() for text in load_panel(value).texts]
    words = [text.text for text in panels]
    words += [text for value in panel_values() for text in exemplar_texts(value)]
    texts = [*texts, *{answer.id: answer for answer in load_answers()}.values()]
    own = [text.text for text in texts]
    crossing = [
        pair for pair in find_duplicates(own + words) if pair.first < len(own) <= pair.second
    ]
    asked = [text.query for text in texts if text.query]
    questions = sorted({text.query for text in panels if text.query})
    questions += [query.text for name in ("all", "calibration") for query in load_queries(name)]
    crossing += [
        pair
        for pair in find_duplicates(asked + questions)
        if pair.first < len(asked) <= pair.second
    ]
    assert crossing == []


def test_no_answer_is_near_a_sentence_of_the_bundled_model():
    """It is measured with the judge that learns from these answers."""
    parts = Path(__file__).parents[3] / "tools" / "bundled" / "answer_parts.jsonl"
    sentences = [json.loads(line)["text"] for line in parts.read_text("utf-8").splitlines()]
    own = sorted({row["text"] for row in rows_of(TEXTS)})
    found = find_duplicates(own + sentences)
    assert [pair for pair in found if pair.first < len(own) <= pair.second] == []


def test_anchors_are_found_in_several_theories():
    concepts, known = load_concepts(), theory_hierarchy().position
    assert len(concepts) >= 120
    assert len({concept.text for concept in concepts}) == len(concepts)
    for concept in concepts:
        assert set(concept.leaves) <= set(known), concept.id
        assert len({leaf.partition("/")[0] for leaf in concept.leaves}) >= 2, concept.id
    assert set(linked_leaves()) == set(known), "every leaf is linked with another theory"


def test_phrases_cover_every_leaf_and_kind():
    phrases = load_phrases()
    per_leaf = Counter(phrase.leaf for phrase in phrases)
    assert set(per_leaf) == set(theory_hierarchy().position)
    assert min(per_leaf.values()) >= 3
    assert {phrase.kind for phrase in phrases} == {"value", "right", "duty"}
    assert len({phrase.text for phrase in phrases}) == len(phrases)


def test_files_hold_one_json_object_per_line():
    for name in ("corpus.jsonl", "anchors.jsonl", "phrases.jsonl"):
        content = (files("valueflow_tasks.hives") / "data" / name).read_text("utf-8")
        assert all(line.startswith("{") and line.endswith("}") for line in content.splitlines())


@pytest.mark.parametrize(
    ("plain", "texts", "questions", "words"), [(False, 190, 38, (20, 75)), (True, 140, 28, (7, 56))]
)
def test_every_value_has_answers_of_both_forms_to_many_questions(plain, texts, questions, words):
    rows = [row for row in rows_of(TEXTS) if (row["kind"] == "plain") == plain]
    for value in load_corpus().hierarchy.values:
        own = [row for row in rows if row["value"] == value]
        assert len(own) >= texts, value
        assert len({row["query"] for row in own}) >= questions, value
        assert len({row["id"] for row in own}) == len(own)
    least, most = words
    assert all(least <= len(_words(row["text"])) <= most for row in rows)


def test_every_answer_is_rated_on_its_value():
    texts = {row["id"]: row for row in rows_of(TEXTS)}
    placed = {(one.value, one.id) for one in load_answers()}
    assert {(row["value"], row["id"]) for row in texts.values()} <= placed
    assert all(-10 <= one.intensity <= 10 for one in load_answers())
    for row in rows_of(RATINGS):
        assert set(row["line"]) <= set(texts)
        assert row["rater"]


def test_answers_to_one_question_are_on_one_side_of_the_split():
    sides = defaultdict(set)
    for row in rows_of(TEXTS):
        sides[row["query"]].add(row["split"])
    assert {len(found) for found in sides.values()} == {1}
    assert {split for found in sides.values() for split in found} == {"train", "dev"}


def test_intensity_does_not_go_with_length():
    """Strength that goes with length would be learned as length."""
    lengths = defaultdict(list)
    for one in load_answers():
        lengths[one.value].append((len(one.text.split()), one.intensity))
    for value, pairs in lengths.items():
        words, points = zip(*pairs, strict=True)
        assert abs(correlation(words, points)) < 0.3, value
