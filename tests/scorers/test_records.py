"""A record that exists is a record that can be used."""

from __future__ import annotations

import dataclasses
import json
import math

import numpy as np
import pytest
from valueflow_scorers import (
    Anchor,
    AnchorEvaluator,
    Judge,
    Judgement,
    JudgeProfile,
    Panel,
    Response,
    ValueFlowError,
    Window,
)


@pytest.mark.parametrize("wrong", [10.001, -10.5, 1e9, math.nan, math.inf, -math.inf])
def test_an_intensity_off_the_scale_is_refused_and_the_anchor_named(wrong):
    with pytest.raises(ValueFlowError, match=r"'a7'.*-10 to 10"):
        Anchor("text", wrong, id="a7")


@pytest.mark.parametrize("end", [-10, 10, 10.0, 0])
def test_the_ends_of_the_scale_belong_to_it(end):
    assert Anchor("text", end).intensity == end


@pytest.mark.parametrize("wrong", [-0.1, math.nan, math.inf])
def test_a_standard_error_that_is_none_is_refused(wrong):
    with pytest.raises(ValueFlowError, match=r"'a7'.*stderr"):
        Anchor("text", 1.0, stderr=wrong, id="a7")


@pytest.mark.parametrize("record", [Response, lambda text, *rest: Anchor(text, 1, *rest)])
@pytest.mark.parametrize(
    ("given", "words"),
    [
        ((None,), "text=None: give a string"),
        ((b"x",), "text=b'x': give a string"),
        (("x", 3), "query=3: give a string"),
        (("half \ud83d",), r"text='half \\ud83d'.*surrogate"),
        (("x", "\ud800"), r"query='\\ud800'.*surrogate"),
    ],
)
def test_what_is_no_text_is_refused_by_name(record, given, words):
    with pytest.raises(ValueFlowError, match=words):
        record(*given)


@pytest.mark.parametrize("wrong", [3, "\udfff"])
def test_an_id_that_is_no_text_is_refused(wrong):
    with pytest.raises(ValueFlowError, match="a Response with id="):
        Response("x", id=wrong)
    with pytest.raises(ValueFlowError, match="an Anchor with id="):
        Anchor("x", 1.0, id=wrong)


@pytest.mark.parametrize("record", [Response, lambda text, query=None: Anchor(text, 1, query)])
def test_a_text_without_an_id_is_known_by_its_query_and_words(record):
    assert record("a").key == record("a").key
    assert len({record("a").key, record("b").key, record("a", "q").key, record("q", "a").key}) == 4


def test_an_id_is_the_key():
    assert Response("text", id="r1").key == Anchor("text", 1, id="r1").key == "r1"


def test_records_cannot_be_changed(make_panel):
    panel = make_panel()
    for record, name in ((panel, "value"), (panel.anchors[0], "intensity"), (Response("a"), "id")):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(record, name, None)


def test_an_id_that_occurs_twice_is_refused_and_named():
    with pytest.raises(ValueFlowError, match="same"):
        Panel("t/v", (Anchor("a", 1, id="same"), Anchor("b", 2, id="same")))


def test_a_sentinel_may_not_be_an_anchor():
    with pytest.raises(ValueFlowError, match="same"):
        Panel(
            "t/v",
            (Anchor("a", 1, id="same"), Anchor("b", 2, id="b")),
            (Anchor("a", 1, id="same"),),
        )


def test_a_ruler_with_one_mark_is_refused_and_ties_are_legal(make_panel):
    with pytest.raises(ValueFlowError, match=r"t/v.*3 anchors.*intensity 4"):
        make_panel("t/v", [4, 4, 4])
    assert len(make_panel("t/v", [4, 4, 5]).anchors) == 3


@pytest.mark.parametrize(
    "draws",
    [np.zeros((32, 3)), np.zeros(5), np.zeros((2, 2, 5)), np.full((32, 5), math.nan)],
    ids=["too few texts", "no draws axis", "too many axes", "not finite"],
)
def test_label_draws_that_do_not_fit_the_texts_are_refused(make_panel, draws):
    with pytest.raises(ValueFlowError, match=r"draws.*\[n_draws, 5\]"):
        make_panel(intensities=[1, 2, 3], sentinels=[4, 5], draws=draws)


def test_label_draws_cannot_be_written_to(make_panel):
    panel = make_panel(intensities=[1, 2], draws=[[1, 2], [1.5, 2.5]])
    with pytest.raises(ValueError, match="read-only"):
        panel.draws[0, 0] = 9


def test_label_draws_are_a_copy_of_what_was_given(make_panel):
    given = np.array([[1.0, 2.0], [1.5, 2.5]])
    panel = make_panel(intensities=[1, 2], draws=given)
    before = panel.fingerprint
    try:
        given[0, 0] = 9.0
    except ValueError:  # made read-only: as good as a copy
        return
    assert panel.draws[0, 0] == 1.0
    assert dataclasses.replace(panel).fingerprint == before


def _changed(make_panel):
    base = {"intensities": [1, 2, 3], "stderr": 0.5, "sentinels": [4]}
    panel = make_panel(**base)
    anchor = panel.anchors[0]
    first = {
        "text": dataclasses.replace(anchor, text="other words"),
        "query": dataclasses.replace(anchor, query="another question?"),
        "id": dataclasses.replace(anchor, id="another"),
        "intensity": dataclasses.replace(anchor, intensity=1.001),
        "stderr": dataclasses.replace(anchor, stderr=0.501),
    }
    swapped = {
        name: dataclasses.replace(panel, anchors=(one, *panel.anchors[1:]))
        for name, one in first.items()
    }
    return panel, {
        **swapped,
        "value": dataclasses.replace(panel, value="test/other"),
        "definition": dataclasses.replace(panel, definition="something else"),
        "role": dataclasses.replace(panel, anchors=panel.texts, sentinels=()),
        "order": dataclasses.replace(panel, anchors=panel.anchors[::-1]),
        "draws": dataclasses.replace(panel, draws=[[1, 2, 3, 4], [1, 2, 3, 5]]),
        "other draws": dataclasses.replace(panel, draws=[[1, 2, 3, 4], [1, 2, 3, 6]]),
    }


def test_the_fingerprint_changes_with_everything_that_can_move_an_estimate(make_panel):
    panel, others = _changed(make_panel)
    prints = {"as it was": panel.fingerprint} | {k: v.fingerprint for k, v in others.items()}
    assert len(set(prints.values())) == len(prints), prints


def test_the_fingerprint_is_the_same_for_the_same_content(make_panel):
    panel = make_panel(sentinels=[1, 2])
    assert panel.fingerprint == make_panel(sentinels=[1, 2]).fingerprint
    assert panel.fingerprint == make_panel(sentinels=[1, 2], licence="x", source="y").fingerprint
    assert len(panel.fingerprint) == 16


def test_whole_numbers_are_the_same_labels_with_and_without_a_point(make_panel):
    assert make_panel(intensities=[1, 2]).fingerprint == make_panel(
        intensities=[1.0, 2.0]).fingerprint  # fmt: skip


def test_the_profile_s_fingerprint_changes_with_every_field():
    base = JudgeProfile("j")
    changes = {
        "judge": "k", "prompt_version": "2", "tau": 1.6, "slot_bias": (0.1, -0.1), "omegas": (1.1,),
        "calibrated": True, "windows": 3, "failures": {"timeout": 1},
    }  # fmt: skip
    prints = {dataclasses.replace(base, **{key: new}).fingerprint for key, new in changes.items()}
    assert len(prints | {base.fingerprint}) == len(changes) + 1


def test_labels_without_draws_err_independently(make_panel):
    panel = make_panel(intensities=[1, 2], stderr=0.5, sentinels=[3])
    np.testing.assert_allclose(panel.label_covariance, np.eye(3) * 0.25)


def test_labels_with_draws_err_as_the_draws_do(make_panel):
    draws = np.random.default_rng(0).normal([1, 2, 3], 1, size=(32, 3))
    panel = make_panel(intensities=[1, 2], sentinels=[3], draws=draws)
    centred = draws - draws.mean(axis=0)
    np.testing.assert_allclose(panel.label_covariance, centred.T @ centred / 31)


def test_texts_are_found_by_id_anchors_first(make_panel):
    panel = make_panel(intensities=[1, 2], sentinels=[3])
    assert [panel.index(text.key) for text in (*panel.anchors, *panel.sentinels)] == [0, 1, 2]
    with pytest.raises(ValueFlowError, match=r"test/value.*'nowhere'"):
        panel.index("nowhere")


@pytest.mark.parametrize(
    "forms",
    [
        {},
        {"raw": "words alone"},
        {"order": (0, 1), "failure": "both"},
        {"order": (0, 1), "reading": (0.0, 1.0)},
        {"probabilities": (0.5, 0.5), "failure": "x", "order": (1, 0)},
    ],
)
def test_a_judgement_has_exactly_one_form(forms):
    with pytest.raises(ValueFlowError, match="exactly one"):
        Judgement(**forms)


@pytest.mark.parametrize(
    ("judgement", "reason"),
    [
        (Judgement(order=(0, 1), raw="w"), "permutation"),
        (Judgement(order=(0, 1, 1), raw="w"), "permutation"),
        (Judgement(order=(1, 2, 3), raw="w"), "permutation"),
        (Judgement(order=("A", "B", "C"), raw="w"), "permutation"),
        (Judgement(probabilities=(0.5, 0.5), raw="w"), "probabilities"),
        (Judgement(probabilities=(0.5, 0.6, 0.2), raw="w"), "probabilities"),
        (Judgement(probabilities=(1.5, -0.5, 0.0), raw="w"), "probabilities"),
        (Judgement(probabilities=(math.nan, 0.5, 0.5), raw="w"), "probabilities"),
        (Judgement(reading=(math.nan, 1.0), raw="w"), "reading"),
        (Judgement(reading=(1.0, 0.0), raw="w"), "reading"),
        (Judgement(reading=(1.0, -1.0), raw="w"), "reading"),
        (Judgement(reading=(1.0, math.inf), raw="w"), "reading"),
    ],
)
def test_a_judgement_that_does_not_fit_becomes_a_failure_and_keeps_its_words(judgement, reason):
    checked = judgement.checked(3)
    assert reason in checked.failure
    assert checked.raw == "w"


@pytest.mark.parametrize(
    "judgement",
    [
        Judgement(order=(2, 0, 1)),
        Judgement(probabilities=(0.2, 0.3, 0.5)),
        Judgement(reading=(11.5, 0.1)),
        Judgement(failure="timeout"),
    ],
)
def test_a_judgement_that_fits_is_kept_as_it_is(judgement):
    assert judgement.checked(3) == judgement


def test_an_order_made_with_numpy_can_be_saved(make_panel):
    class NumpyJudge:
        async def judge(self, windows):
            return [Judgement(order=tuple(np.argsort([i.key for i in w.items]))) for w in windows]

    panel = make_panel()
    [found] = AnchorEvaluator(panel, NumpyJudge(), profile=JudgeProfile("")).score([Response("a")])
    assert json.loads(json.dumps(found.to_dict()))["windows"][0]["order"]


def test_anything_with_an_async_judge_is_a_judge(planted_judge, make_panel):
    assert isinstance(planted_judge(), Judge)
    assert not isinstance(object(), Judge)
    assert Window("t/v", "", make_panel().anchors, None).response_index is None
