"""The six numbers on embeddings of known structure."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from valueflow_tasks.hives import load_corpus, measure
from valueflow_tasks.hives._concepts import linked_leaves
from valueflow_tasks.hives._metrics import METRICS, Labels, bins_of, per_text


@pytest.fixture(scope="module")
def corpus():
    held_out = load_corpus().part("test")
    return replace(held_out, texts=tuple(text for text in held_out.texts if text.direction))


def _unit(rows):
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def _planted(corpus, noise=0.0, seed=0, sides=True, theories=False):
    """Every level has a direction of its own, weighted as the metrics expect it."""
    rng = np.random.default_rng(seed)
    width, made = 256, {}

    def of(name):
        if name not in made:
            made[name] = _unit(rng.standard_normal((1, width)))[0]
        return made[name]

    rows = []
    for text in corpus.texts:
        place = text.place
        row = of(place.leaf) + of(("value", place.value)) + sum(map(of, sorted(place.groups)))
        if sides:
            row = row + 0.7 * of((place.leaf, text.direction))
        if theories:
            linked = sorted(linked_leaves()[place.leaf] | {place.leaf})
            row = row + sum(of((leaf, text.direction)) for leaf in linked)
        rows.append(row + noise * rng.standard_normal(width))
    return _unit(np.array(rows))


def test_a_perfect_space_is_near_the_top(corpus):
    found = measure(_planted(corpus), corpus)
    assert found["pairwise_ranking_accuracy"].value > 0.97
    assert found["strict_ranking_accuracy"].value > 0.8
    assert found["similarity_correlation"].value > 0.85
    assert found["direction_accuracy"].value > 0.9
    assert found["orthogonality"].value > 0.6


def test_random_vectors_are_at_chance(corpus):
    rng = np.random.default_rng(1)
    found = measure(_unit(rng.standard_normal((len(corpus.texts), 64))), corpus)
    assert found["pairwise_ranking_accuracy"].value == pytest.approx(0.5, abs=0.03)
    assert found["direction_accuracy"].value == pytest.approx(0.5, abs=0.06)
    assert found["similarity_correlation"].value == pytest.approx(0, abs=0.03)


def test_a_space_that_is_blind_to_sides_shows_it(corpus):
    found = measure(_planted(corpus, noise=0.05, sides=False), corpus)
    assert found["direction_accuracy"].value == pytest.approx(0.5, abs=0.08)
    assert found["pairwise_ranking_accuracy"].value < 0.97


def test_one_direction_for_all_values_is_not_orthogonal(corpus):
    same = np.ones((len(corpus.texts), 16), dtype=np.float32) / 4
    assert measure(same, corpus)["orthogonality"].value == pytest.approx(0, abs=1e-6)


def test_noise_does_not_pass_for_orthogonality(corpus):
    """Plain means of ten noisy texts of one and the same direction would read 0.3 and more."""
    rng = np.random.default_rng(0)
    noisy = np.ones((len(corpus.texts), 64)) / 8 + 0.25 * rng.standard_normal(
        (len(corpus.texts), 64)
    )
    assert measure(_unit(noisy), corpus)["orthogonality"].value < 0.15


def test_linked_theories_raise_recall(corpus):
    plain = measure(_planted(corpus), corpus)["cross_theory_recall_at_5"].value
    linked = measure(_planted(corpus, theories=True), corpus)["cross_theory_recall_at_5"].value
    assert linked > plain + 0.3


def test_intervals_hold_the_value_and_narrow_with_texts(corpus):
    vectors = _planted(corpus, noise=0.15)
    found = measure(vectors, corpus)
    assert list(found) == list(METRICS)
    for name, one in found.items():
        assert one.low <= one.value <= one.high, name
    few = slice(0, None, 4)
    part = measure(vectors[few], replace(corpus, texts=corpus.texts[few]))
    name = "pairwise_ranking_accuracy"
    assert part[name].high - part[name].low > found[name].high - found[name].low


def test_texts_of_one_scene_are_never_compared(corpus):
    """A space of scenes alone must not look as if it knew values."""
    scenes = {text.situation: index for index, text in enumerate(corpus.texts)}
    rng = np.random.default_rng(2)
    of_scene = rng.standard_normal((len(corpus.texts), 128))
    vectors = _unit(np.stack([of_scene[scenes[text.situation]] for text in corpus.texts]))
    found = measure(vectors, corpus)
    assert found["pairwise_ranking_accuracy"].value == pytest.approx(0.5, abs=0.05)


def test_blocks_change_nothing(corpus, monkeypatch):
    from valueflow_tasks.hives import _metrics

    vectors, labels = _planted(corpus, noise=0.1), Labels.of(corpus)
    scenes = [text.situation for text in corpus.texts]
    whole = per_text(vectors, labels, scenes)
    monkeypatch.setattr(_metrics, "BLOCK", 100)
    parts = per_text(vectors, labels, scenes)
    np.testing.assert_allclose(whole.ranking, parts.ranking)
    np.testing.assert_allclose(whole.moments, parts.moments)
    np.testing.assert_allclose(whole.recall, parts.recall)


def test_bins_are_those_of_the_paper():
    labels = Labels(
        np.array([0, 0, 0, 1, 2, 3]), np.array([1, 1, -1, 1, 1, 1]),
        np.array([[3, 2, 1, 0], [2, 3, 1, 0], [1, 1, 3, 0], [0, 0, 0, 3]]),
        np.zeros(4, int), np.zeros(4, int), np.zeros((4, 4), bool),
    )  # fmt: skip
    assert bins_of(labels, np.array([0])).tolist() == [[4, 4, 3, 2, 1, 0]]


def test_the_command_prints_one_json_object(tmp_path):
    """`tfidf-svd` needs no encoder: the whole way from the corpus to the keys people read."""
    from valueflow_tasks.hives import Evaluation
    from valueflow_tasks.hives._evaluate import TFIDF, tfidf

    whole = load_corpus()
    held_out = whole.part("dev")
    sided = replace(held_out, texts=tuple(text for text in held_out.texts if text.direction))
    measured = measure(tfidf(whole, [text.text for text in sided.texts]), sided)
    found = Evaluation("dev", len(sided.texts), 9, {"mine": measured, TFIDF: measured}).to_dict()
    again = json.loads(json.dumps(found))
    assert set(METRICS) <= set(again)
    assert set(again["others"][TFIDF]) == set(METRICS)
    assert set(again["pairwise_ranking_accuracy"]) == {"value", "low", "high"}
