"""A judge of one's own is held to its contract, in words."""

from __future__ import annotations

import asyncio

import pytest
from valueflow_scorers import AnchorEvaluator, Judgement, Response, ValueFlowError
from valueflow_scorers._judging import judge_all, ranked

ORDER = Judgement(order=tuple(range(6)))


class _Judge:
    def __init__(self, *returned):
        self.returned = returned

    async def judge(self, windows):
        return self.returned[0] if len(self.returned) == 1 else list(self.returned)


class Plain:
    def judge(self, windows):
        return [ORDER for _ in windows]


class Streaming:
    async def judge(self, windows):
        for _ in windows:
            yield ORDER


@pytest.mark.parametrize(
    ("judge", "words"),
    [
        (Plain(), r"Plain\.judge returned 'list'.*async def judge"),
        (Streaming(), r"'async_generator'.*async def judge"),
        (_Judge(None), r"returned 'NoneType': return a list"),
        (_Judge(ORDER for _ in range(2)), r"returned 'generator': return a list"),
        (_Judge([ORDER]), r"1 judgements for 2 windows"),
        (_Judge(ORDER, None), r"returned None for a window.*failure="),
        (_Judge(ORDER, [0, 1]), r"returned \[0, 1\] for a window"),
    ],
    ids=["def", "async generator", "nothing", "generator", "too few", "None within", "bare order"],
)
def test_what_is_no_list_of_judgements_is_refused(judge, words):
    with pytest.raises(ValueFlowError, match=words):
        asyncio.run(judge_all(judge, [object()] * 2))


@pytest.mark.parametrize("order", [(0, "a", 1, 2, 3, 4), (0.0, 1.0, 2.0, 3.0, 4.0, 5.0), (None,)])
def test_an_order_of_anything_but_slots_is_a_failure(make_panel, order):
    class Half:
        async def judge(self, windows):
            return [Judgement(order=order) for _ in windows]

    [one] = AnchorEvaluator(make_panel(), Half(), m=1).score([Response("x")])
    assert one.failures == {"order is no permutation of the window": 2}


def test_probabilities_imply_an_order():
    assert ranked(Judgement(probabilities=(0.2, 0.7, 0.1))) == (1, 0, 2)
    assert ranked(Judgement(order=(1, 0))) == (1, 0)
    assert ranked(Judgement(reading=(1.0, 1.0))) is ranked(Judgement(failure="x")) is None
