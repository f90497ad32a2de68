"""Batches hold what their loss compares, whatever the order of rows."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

pytest.importorskip("sentence_transformers")
datasets = pytest.importorskip("datasets")

from valueflow_tasks.hives import load_config, load_corpus, read_release  # noqa: E402
from valueflow_tasks.hives._answers import load_answers  # noqa: E402
from valueflow_tasks.hives._axes import POINTS  # noqa: E402
from valueflow_tasks.hives._concepts import linked_leaves, load_concepts, load_phrases  # noqa: E402
from valueflow_tasks.hives._pairs import concept_pairs, given_pairs, phrase_pairs  # noqa: E402
from valueflow_tasks.hives._sampler import PER_LEAF, DistinctBatches, HierarchyBatches  # noqa: E402
from valueflow_tasks.hives._train import (  # noqa: E402
    answer_dataset,
    datasets_of,
    hierarchy_dataset,
    pair_dataset,
    statement_dataset,
)

GIVEN = {"batch_size": 64, "drop_last": False}


@pytest.fixture(scope="module")
def corpus():
    return load_corpus().part("train")


@pytest.fixture(scope="module")
def batches(corpus):
    sampler = HierarchyBatches(hierarchy_dataset(corpus), corpus.hierarchy, **GIVEN)
    return list(sampler)


def test_every_text_comes_once_per_epoch(corpus, batches):
    seen = Counter(index for batch in batches for index in batch)
    assert set(seen) == set(range(len(corpus.texts)))
    assert set(seen.values()) == {1}
    assert max(map(len, batches)) <= 64


def test_texts_find_positives_and_every_level_is_compared(corpus, batches):
    hierarchy = corpus.hierarchy
    full = [batch for batch in batches if len(batch) > 32]
    assert len(full) > 0.8 * len(batches)
    shared_in = dict.fromkeys(range(4), 0)
    alone = texts = 0
    for batch in full:
        leaf = np.array([hierarchy.position[corpus.texts[i].place.leaf] for i in batch])
        side = np.array([corpus.texts[i].direction for i in batch])
        shared = hierarchy.shared[leaf][:, leaf]
        for level in shared_in:
            shared_in[level] += bool((shared == level).any())
        same = (shared == 3) & (side[:, None] == side[None, :])
        alone += int((same.sum(axis=1) == 1).sum())
        texts += len(batch)
    assert all(count > 0.6 * len(full) for count in shared_in.values()), shared_in
    assert alone < 0.1 * texts


def test_epochs_differ_and_repeat(corpus):
    sampler = HierarchyBatches(hierarchy_dataset(corpus), corpus.hierarchy, **GIVEN)
    first = list(sampler)
    sampler.set_epoch(1)
    second = list(sampler)
    sampler.set_epoch(0)
    assert first == list(sampler) != second


@pytest.fixture(scope="module", params=["concepts", "phrases"])
def pairs(request, corpus):
    if request.param == "concepts":
        return concept_pairs(corpus, load_concepts(), 0)
    return phrase_pairs(corpus, load_phrases(), 0)


def test_all_other_pairs_of_a_batch_are_true_negatives(pairs):
    """The released batches hold one id per slice, or positives among the negatives."""
    sampler = DistinctBatches(pair_dataset(pairs), pairs.apart, **GIVEN)
    found = list(sampler)
    for batch in found:
        keys = [pairs.key[index] for index in batch]
        assert len(set(keys)) == len(keys)
        assert pairs.apart[np.ix_(keys, keys)][~np.eye(len(keys), dtype=bool)].all()
    assert np.mean([len(batch) for batch in found]) > 10, "negatives to be told from"
    seen = Counter(index for batch in found for index in batch)
    assert set(seen.values()) == {1}
    assert len(seen) > 0.9 * len(pairs.key), "only pairs left over alone are dropped"


def test_concepts_pair_texts_of_their_own_leaves_on_one_side(corpus):
    pairs = concept_pairs(corpus, load_concepts(), 0)
    by_text = {text.text: text for text in corpus.texts}
    concepts = load_concepts()
    crossing = 0
    for first, second, key in zip(pairs.first, pairs.second, pairs.key, strict=True):
        assert by_text[second].place.leaf in concepts[key].leaves
        if first in by_text:
            a, b = by_text[first], by_text[second]
            assert a.place.theory != b.place.theory
            assert a.direction == b.direction
            assert b.place.leaf in linked_leaves()[a.place.leaf]
            crossing += 1
        else:
            assert (first, by_text[second].direction) == (concepts[key].text, 1)
    assert crossing > 100


def test_a_phrase_is_told_from_texts_that_oppose_it(corpus):
    pairs = phrase_pairs(corpus, load_phrases(), 0)
    by_text = {text.text: text for text in corpus.texts}
    for good, bad in zip(pairs.second, pairs.against, strict=True):
        assert by_text[good].place == by_text[bad].place
        assert (by_text[good].direction, by_text[bad].direction) == (1, -1)


def test_rows_without_a_concept_are_in_no_pair(tmp_path):
    """In the release they share the empty id, and so attract each other."""
    path = tmp_path / "train.csv"
    head = "text,theory,level_1,level_2,level_3,direction,selected_individual,selected_anchor\n"
    path.write_text(head + "one,mft,A,,,1,,\ntwo,mft,B,,,1,,\nthree,mft,B,,,1,family,help\n")
    pairs = given_pairs(read_release([path]))
    assert set(pairs.second) == {"three"}
    assert sorted(pairs.first) == ["family", "help"]


def test_a_part_stays_what_it_is_when_its_rows_are_shuffled(corpus):
    pairs = phrase_pairs(corpus, load_phrases(), 0)
    plain = pair_dataset(pairs)
    shuffled = plain.shuffle(seed=1)
    for batch in DistinctBatches(shuffled, pairs.apart, **GIVEN):
        rows = shuffled[batch]
        assert all(
            (first, second) in zip(pairs.first, pairs.second, strict=True)
            for first, second in zip(rows["first"], rows["second"], strict=True)
        )
        break
    made = datasets_of(load_config("hives-mini"), load_config("hives-mini").stages[1], corpus)
    columns = {name: part.column_names for name, part in made["parts"].items()}
    assert len({tuple(names) for names in columns.values()}) == 5, "told apart by their columns"


def test_statements_are_the_steering_sentences_of_all_values(corpus):
    rows = statement_dataset(corpus)
    assert len(rows) == 32 * 4
    assert sorted({label[1] for label in rows["label"]}) == [-1, -0.5, 0.5, 1]
    assert PER_LEAF % 2 == 0


def test_answers_stand_alone_and_keep_their_ratings(corpus):
    rows = answer_dataset(corpus)
    value = dict(enumerate(corpus.hierarchy.values))
    read = {(row["answer"], value[int(row["label"][0])]): row["label"][1:] for row in rows}
    for one in load_answers()[::97]:
        key = (one.text, one.value)
        if one.split == "train":
            assert read[key] == pytest.approx(
                [one.intensity / POINTS, float(one.home == one.value)]
            )
        else:
            assert key not in read
    assert {label[1] for label in read.values()} == {0.0, 1.0}
    assert len(rows) > 9000
