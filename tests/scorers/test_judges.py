"""The simulated judge is of known truth; names of judges say what is wrong with them."""

from __future__ import annotations

import asyncio
import dataclasses

import numpy as np
import pytest
from scipy.stats import binomtest
from valueflow_scorers import Anchor, Panel, Response, ValueFlowError, Window, load_panel
from valueflow_scorers.judges import resolve_judge
from valueflow_scorers.judges.simulated import SimulatedJudge

OWN = Panel(
    "house/own",
    tuple(Anchor(f"own text {i}", float(i), id=f"own{i}") for i in range(-9, 10, 2)),
    (Anchor("own sentinel", 4.0, id="ownS"),),
)


def _ask(judge, *windows):
    return asyncio.run(judge.judge(windows))


def _window(response, labels=(-7, -3, 3, 7), value="house/own", slot=0):
    items = [Anchor(f"own text {label}", float(label), id=f"own{label}") for label in labels]
    items.insert(slot, response)
    return Window(value, "", tuple(items), slot)


def _order(judge, response, **rest):
    [judgement] = _ask(judge, _window(response, **rest))
    return judgement.order


def test_the_same_window_is_always_ordered_alike():
    window = _window(Response("own sentinel"))
    one, other = (SimulatedJudge([OWN], noise=3.0) for _ in range(2))
    assert _ask(one, window) == _ask(one, window) == _ask(other, window)


def test_other_windows_get_other_noise():
    judge = SimulatedJudge([OWN], noise=3.0)
    found = {
        _order(judge, Response("own sentinel", id=f"r{i}"), slot=slot)
        for i in range(10)
        for slot in range(5)
    }
    assert len(found) > 20


def test_without_noise_the_order_is_the_truth():
    judge = SimulatedJudge([OWN], noise=0.0)
    assert _order(judge, Response("own sentinel")) == (4, 0, 3, 2, 1)
    assert _order(judge, Response("own sentinel"), labels=(-7, 5, 7, 9), slot=2) == (4, 3, 1, 2, 0)


def test_labels_may_be_whole_numbers():
    panel = Panel("house/whole", tuple(Anchor(f"t{i}", i) for i in range(-3, 4)))
    window = Window(panel.value, "", (*panel.anchors[:3], Response("t2")), 3)
    [judgement] = _ask(SimulatedJudge([panel]), window)
    assert sorted(judgement.order) == [0, 1, 2, 3]


@pytest.mark.parametrize("noise", [1.0, 2.5])
def test_noise_is_gumbel_of_that_scale(noise):
    """Two items a and b: P(a above b) = 1 / (1 + exp((b - a) / scale))."""
    judge = SimulatedJudge([OWN], noise=noise)
    windows = [
        _window(Response("own sentinel", id=f"r{i}"), labels=(3,), slot=i % 2) for i in range(2000)
    ]
    wins = sum(
        judgement.order[0] == window.response_index
        for judgement, window in zip(_ask(judge, *windows), windows, strict=True)
    )
    expected = 1 / (1 + np.exp(-(4 - 3) / noise))
    assert binomtest(wins, 2000, expected).pvalue > 1e-3


def test_what_is_misread_in_a_text_is_misread_in_every_window():
    judge = SimulatedJudge([OWN], noise=0.0, text=4.0)
    orders = [_order(judge, Response("own sentinel", id=f"r{i}")) for i in range(10)]
    assert len(set(orders)) == 1
    true = SimulatedJudge([OWN], noise=0.0)
    texts = [anchor.text for anchor in OWN.anchors]
    misread = [_order(judge, Response(t), labels=(-2, 2)) for t in texts]
    assert misread != [_order(true, Response(t), labels=(-2, 2)) for t in texts]


def test_an_unknown_text_is_a_failure_not_a_guess():
    [judgement] = _ask(SimulatedJudge([OWN]), _window(Response("never seen")))
    assert judgement.failure == "unknown text"
    assert judgement.order is None


def test_a_text_of_another_value_s_panel_reads_as_neutral():
    judge = SimulatedJudge([OWN], noise=0.0)
    strongest = max(load_panel("svt/power").texts, key=lambda text: abs(text.intensity))
    assert abs(strongest.intensity) > 8
    assert _order(judge, Response(strongest.text), labels=(-1, 1)) == (2, 0, 1)
    own = _window(Response(strongest.text), labels=(-9, 9), value="svt/power")
    [judgement] = _ask(judge, own)
    assert judgement.order in {(0, 2, 1), (2, 0, 1), (2, 1, 0)}
    known = load_panel("svt/power").texts[0]
    between = (known.intensity - 0.5, known.intensity + 0.5)
    [judgement] = _ask(judge, dataclasses.replace(
        own, items=(Response(known.text), *(Anchor(f"x{i}", i) for i in between))))  # fmt: skip
    assert judgement.order == (2, 0, 1)


def test_a_truth_file_tells_of_other_texts(tmp_path):
    path = tmp_path / "truth.jsonl"
    path.write_text('{"text": "new", "intensity": 5}\n{"text": "second", "intensity": -5.5}\n')
    judge = resolve_judge(f"simulated:noise=0:truth={path}", [OWN]).judge
    assert _order(judge, Response("new")) == (4, 0, 3, 2, 1)
    assert _order(judge, Response("second")) == (4, 3, 2, 0, 1)
    [judgement] = _ask(judge, _window(Response("third")))
    assert judgement.failure == "unknown text"


def test_a_panel_s_label_goes_before_the_truth_file(tmp_path):
    path = tmp_path / "truth.jsonl"
    path.write_text('{"text": "own sentinel", "intensity": -10}\n')
    judge = SimulatedJudge.parse(f"noise=0:truth={path}", [OWN])
    assert _order(judge, Response("own sentinel")) == (4, 0, 3, 2, 1)


@pytest.mark.parametrize(
    "line",
    [
        "not json",
        '{"text": "b"}',
        '{"intensity": 3}',
        '{"text": "b", "intensity": "strong"}',
        '{"text": "b", "intensity": null}',
        '["b", 3]',
        "7",
    ],
)
def test_a_malformed_truth_line_is_named(tmp_path, line):
    path = tmp_path / "truth.jsonl"
    path.write_text(f'{{"text": "a", "intensity": 1}}\n{line}\n')
    with pytest.raises(ValueFlowError, match=r"truth\.jsonl, line 2"):
        SimulatedJudge.parse(f"truth={path}", [OWN])


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", '"nan"'])
def test_a_truth_that_is_no_finite_number_is_named(tmp_path, number):
    path = tmp_path / "truth.jsonl"
    path.write_text(f'{{"text": "a", "intensity": 1}}\n{{"text": "b", "intensity": {number}}}\n')
    with pytest.raises(ValueFlowError, match=r"truth\.jsonl, line 2"):
        SimulatedJudge.parse(f"truth={path}", [OWN])


def test_a_truth_file_that_is_no_utf8_is_named(tmp_path):
    path = tmp_path / "truth.jsonl"
    path.write_bytes(b'{"text": "caf\xe9", "intensity": 1}\n')
    with pytest.raises(ValueFlowError, match=r"truth\.jsonl"):
        SimulatedJudge.parse(f"truth={path}", [OWN])


def test_a_missing_truth_file_is_named(tmp_path):
    with pytest.raises(ValueFlowError, match=r"nowhere\.jsonl"):
        SimulatedJudge.parse(f"truth={tmp_path / 'nowhere.jsonl'}", [OWN])


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("simulatd", r"unknown judge 'simulatd': did you mean simulated"),
        ("Embedded", r"unknown judge 'Embedded'.*embedded"),
        ("rankin:openai/gpt-4o", r"unknown judge 'rankin'.*ranking"),
        ("", r"unknown judge '': choose one of embedded, simulated, ranking"),
        ("simulated:nois=1", r"'nois': did you mean noise"),
        ("simulated:noise=1:texts=2", r"'texts': did you mean text"),
        ("simulated:1", r"option of judge 'simulated' '1'"),
        ("simulated:noise=loud", r"noise='loud' is no number >= 0"),
        ("simulated:noise", r"noise='' is no number >= 0"),
        ("simulated:noise=-1", r"noise='-1' is no number >= 0"),
        ("simulated:text=nan", r"text='nan' is no number >= 0"),
        ("simulated:text=inf", r"text='inf' is no number >= 0"),
        ("ranking", r"'ranking' needs a model.*ranking:openai"),
        ("ranking:", r"'ranking' needs a model"),
        ("embedded:fast", r"'embedded' takes no options; got 'fast'"),
    ],
)
def test_a_wrong_spec_is_refused_with_what_is_meant(spec, words):
    with pytest.raises(ValueFlowError, match=words):
        resolve_judge(spec, [OWN])


@pytest.mark.parametrize(
    ("spec", "name"),
    [
        ("simulated", "simulated:noise=1:text=0"),
        ("simulated:noise=1", "simulated:noise=1:text=0"),
        ("simulated:text=0.50:noise=2", "simulated:noise=2:text=0.5"),
        ("embedded", "embedded"),
        ("ranking:openai/gpt-4o", "ranking:openai/gpt-4o"),
    ],
)
def test_a_judge_has_one_name_however_it_is_spelt(spec, name):
    assert resolve_judge(spec, []).name == name


def test_a_truth_file_enters_the_name_by_its_content(tmp_path):
    names = []
    for folder, label in (("a", 1), ("b", 1), ("c", 2)):
        path = tmp_path / folder / "truth.jsonl"
        path.parent.mkdir()
        path.write_text(f'{{"text": "a", "intensity": {label}}}\n')
        names.append(resolve_judge(f"simulated:truth={path}", []).name)
    assert names[0] == names[1] != names[2]


def test_an_object_goes_by_its_own_name_and_prompt_version(planted_judge):
    judge = planted_judge()
    judge.prompt_version = 4
    resolved = resolve_judge(judge, [])
    assert (resolved.name, resolved.prompt_version) == ("planted", "4")
    assert resolved.judge is judge

    class Nameless:
        async def judge(self, windows):
            return []

    assert resolve_judge(Nameless(), []).name == "Nameless"
