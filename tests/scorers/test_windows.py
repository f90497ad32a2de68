"""Which anchors a response meets, and where it stands among them."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from scipy.stats import chisquare
from valueflow_scorers import Anchor, Panel, Response, ValueFlowError
from valueflow_scorers._windows import DESIGNS, check_design, draw_window

GOLDEN = ["svt-golden-a7", "svt-golden-a2", "svt-golden-a3", "q017:svt/power:+2"]
RESPONSE = Response("some answer", "some question?", "r1")


def _keys(window):
    return [item.key for item in window.items]


def _draw(panel, response=RESPONSE, number=0, *, k=6, design="bucket", seed=0, attempt=0):
    return draw_window(panel, response, number, k=k, design=design, seed=seed, attempt=attempt)


@pytest.mark.parametrize("design", DESIGNS)
def test_the_same_draw_gives_the_same_window(make_panel, design):
    for number in range(5):
        one, other = (_draw(make_panel(), number=number, design=design) for _ in range(2))
        assert one == other


def test_a_window_is_the_same_on_every_machine_and_version(make_panel):
    """Saved results name their windows; a change of the drawing would orphan them."""
    panel = make_panel("svt/golden", range(-9, 10, 2))
    assert _keys(_draw(panel, Response("x", id="q017:svt/power:+2"), 1, k=4, seed=7)) == GOLDEN


VARIED = [design for design in DESIGNS if design != "fixed"]


@pytest.mark.parametrize("design", VARIED)
def test_seed_id_value_number_and_attempt_each_give_other_windows(make_panel, design):
    panel = make_panel()
    other_value = Panel("test/other", panel.anchors)
    draws = {
        "as it was": _draw(panel, design=design),
        "seed": _draw(panel, design=design, seed=1),
        "id": _draw(panel, Response(RESPONSE.text, RESPONSE.query, "r2"), design=design),
        "value": _draw(other_value, design=design),
        "number": _draw(panel, number=1, design=design),
        "attempt": _draw(panel, design=design, attempt=1),
    }
    shown = {
        name: tuple("*" if item == i.response_index else key for item, key in enumerate(_keys(i)))
        for name, i in draws.items()
    }
    assert len(set(shown.values())) == len(draws), shown


def test_the_words_of_a_response_do_not_enter_its_draw(make_panel):
    one, other = (_draw(make_panel(), Response(text, q, "r1")) for text, q in ("ab", "cd"))
    assert _keys(one) == _keys(other)
    assert one.response_index == other.response_index


def test_a_response_without_an_id_is_drawn_by_query_and_words(make_panel):
    panel = make_panel()
    same = [_keys(_draw(panel, Response("words", "query?"))) for _ in range(2)]
    assert same[0] == same[1]
    assert _keys(_draw(panel, Response("words", "another?"))) != same[0]


@pytest.mark.parametrize("design", DESIGNS)
@pytest.mark.parametrize("k", [2, 3, 6, 10])
def test_a_window_is_k_minus_one_different_anchors_and_the_response(make_panel, design, k):
    panel = make_panel(definition="the definition")
    for number in range(20):
        window = _draw(panel, number=number, k=k, design=design)
        assert len(set(_keys(window))) == len(window.items) == k
        assert window.items[window.response_index] is RESPONSE
        assert sum(isinstance(item, Anchor) for item in window.items) == k - 1
        assert (window.value, window.definition) == (panel.value, "the definition")


@pytest.mark.parametrize("design", DESIGNS)
def test_sentinels_are_never_shown_as_anchors(make_panel, design):
    panel = make_panel(sentinels=(-5, 0, 5))
    shown = {key for n in range(200) for key in _keys(_draw(panel, number=n, design=design))}
    assert not shown & {sentinel.key for sentinel in panel.sentinels}


@pytest.mark.parametrize("design", DESIGNS)
def test_a_text_is_never_evidence_about_itself(make_panel, design):
    panel = make_panel(intensities=range(-9, 10, 3))
    for anchor in panel.anchors:
        response = Response(anchor.text, "whatever query?", f"copy of {anchor.key}")
        for number in range(30):
            window = _draw(panel, response, number, k=4, design=design)
            texts = [item.text for item in window.items if isinstance(item, Anchor)]
            assert anchor.text not in texts


def test_buckets_give_one_anchor_from_each_part_of_the_scale(make_panel):
    panel = make_panel(intensities=(-10, -6, -5.9, -2, -1, 2, 2.1, 5.9, 6, 10, 0, -7, 7))
    for number in range(100):
        window = _draw(panel, number=number)
        labels = [item.intensity for item in window.items if isinstance(item, Anchor)]
        assert sorted(min(4, int((label + 10) // 4)) for label in labels) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("design", ["bucket", "random"])
def test_every_anchor_gets_its_turn(make_panel, design):
    panel = make_panel()
    shown = Counter(key for n in range(400) for key in _keys(_draw(panel, number=n, design=design)))
    del shown[RESPONSE.key]
    assert set(shown) == {anchor.key for anchor in panel.anchors}
    assert chisquare(list(shown.values())).pvalue > 1e-4


def test_an_empty_bucket_gives_way_to_the_nearest_unused_anchor(make_panel):
    panel = make_panel(intensities=(-9, -8.5, 1, 1.5, 9, 8, 7))  # nothing in (-6, -2), (2, 6)
    for number in range(50):
        window = _draw(panel, number=number)
        labels = sorted(item.intensity for item in window.items if isinstance(item, Anchor))
        assert len(set(labels)) == 5
        assert labels[:2] == [-9, -8.5], "the bucket around -4 takes the second anchor below it"
        assert {1, 1.5} & set(labels)


def test_the_fixed_design_always_shows_the_same_spread_anchors(make_panel):
    panel = make_panel(intensities=range(-10, 11))
    for number in range(20):
        window = _draw(panel, number=number, design="fixed")
        labels = sorted(item.intensity for item in window.items if isinstance(item, Anchor))
        assert labels == [-10, -5, 0, 5, 10]


@pytest.mark.parametrize("design", DESIGNS)
@pytest.mark.parametrize("over", ["windows", "responses", "seeds"])
def test_a_response_stands_in_every_slot_equally_often(make_panel, design, over):
    panel, n = make_panel(), 1200
    draws = {
        "windows": lambda i: _draw(panel, number=i, design=design),
        "responses": lambda i: _draw(panel, Response("x", id=f"r{i}"), design=design),
        "seeds": lambda i: _draw(panel, seed=i, design=design),
    }
    slots = np.bincount([draws[over](i).response_index for i in range(n)], minlength=6)
    assert chisquare(slots).pvalue > 1e-3, slots


def test_an_anchor_s_slot_says_nothing_of_its_intensity(make_panel):
    panel = make_panel()
    pairs = [
        (slot, item.intensity)
        for n in range(1500)
        for slot, item in enumerate(_draw(panel, number=n).items)
        if isinstance(item, Anchor)
    ]
    assert abs(np.corrcoef(np.array(pairs).T)[0, 1]) < 0.03


@pytest.mark.parametrize("k", [-1, 0, 1, 11])
def test_a_window_size_that_cannot_be_lettered_is_refused(make_panel, k):
    with pytest.raises(ValueFlowError, match=rf"k={k}: .*2 to 10"):
        check_design(make_panel(), k, 3, "bucket")


@pytest.mark.parametrize("m", [0, -2])
def test_no_windows_at_all_are_refused(make_panel, m):
    with pytest.raises(ValueFlowError, match=f"m={m}: .*at least one"):
        check_design(make_panel(), 6, m, "bucket")


@pytest.mark.parametrize("design", ["buckets", "buckett"])
def test_an_unknown_design_is_refused_with_the_nearest(make_panel, design):
    with pytest.raises(ValueFlowError, match=f"design '{design}'.*bucket"):
        check_design(make_panel(), 6, 3, design)


def test_a_panel_with_fewer_than_k_minus_one_anchors_is_refused_and_named(make_panel):
    panel = make_panel("test/small", range(4))
    with pytest.raises(ValueFlowError, match=r"'test/small' has 4 anchors.*k=6.*at least 5"):
        check_design(panel, 6, 3, "bucket")
    check_design(panel, 5, 3, "bucket")


@pytest.mark.parametrize("design", DESIGNS)
def test_the_smallest_legal_panel_can_be_drawn_from(make_panel, design):
    panel = make_panel(intensities=(-9, -8, -7, 9, 9.5))
    for number in range(30):
        assert len(set(_keys(_draw(panel, number=number, design=design)))) == 6


def test_aimed_anchors_are_the_nearest_and_differ(make_panel):
    panel, aims = make_panel(intensities=np.arange(-10, 10.1, 0.5)), (1.0, 2.0, 3.0, 4.0, 5.0)
    for number in range(40):
        window = draw_window(
            panel, RESPONSE, number, k=6, design="two-pass", seed=0, aims=aims, used={}
        )
        labels = sorted(item.intensity for item in window.items if isinstance(item, Anchor))
        assert len(set(labels)) == 5
        assert np.abs(np.array(labels) - aims).max() <= 2.5


def test_aimed_anchors_prefer_those_not_yet_met(make_panel):
    panel = make_panel(intensities=(-9, -8.9, 0, 0.1, 9, 8.9))
    used = {panel.anchors[i].key: 3 for i in (0, 2, 4)}
    for number in range(20):
        window = draw_window(
            panel, RESPONSE, number, k=4, design="two-pass", seed=0, aims=(-9, 0, 9), used=used
        )
        shown = {item.key for item in window.items if isinstance(item, Anchor)}
        assert shown == {panel.anchors[i].key for i in (1, 3, 5)}
