"""Model judges are asked as judges, whatever else the process does with the model."""

from __future__ import annotations

import asyncio
import math
from types import SimpleNamespace

import pytest
from inspect_ai.model import (
    GenerateConfig,
    ModelAPI,
    ModelOutput,
    ModelUsage,
    get_model,
    modelapi,
)
from inspect_ai.model._model import init_active_model
from valueflow_scorers import Anchor, Response, ValueFlowError, Window
from valueflow_scorers.judges import ResolvedJudge, resolve_judge
from valueflow_scorers.judges.model import ChoiceJudge, RankingJudge

WINDOW = Window("house/value", "", (Anchor("a", 1.0), Anchor("b", 2.0), Response("c")), 2)
CONFIGS: list[GenerateConfig] = []


class RecordingAPI(ModelAPI):
    """Remembers the settings that it was asked under."""

    async def generate(self, input, tools, tool_choice, config):
        CONFIGS.append(config)
        output = ModelOutput.from_content(self.model_name, "[C, A, B]")
        output.usage = ModelUsage(input_tokens=1, output_tokens=1)
        return output


@modelapi(name="vfrecording")
def vfrecording():
    return RecordingAPI


@pytest.mark.parametrize("given", ["name", "object"])
def test_a_judge_that_is_the_model_under_test_inherits_nothing_from_the_run(given):
    """In Inspect the model under test is asked under the run's settings, wherever it is asked."""
    CONFIGS.clear()
    under_test = get_model("vfrecording/same")

    async def run():
        init_active_model(
            under_test,
            GenerateConfig(max_tokens=160, system_message="You value power.", stop_seqs=["\n"]),
        )
        judge = RankingJudge("vfrecording/same" if given == "name" else under_test)
        return await judge.judge([WINDOW])

    [judgement] = asyncio.run(run())
    assert judgement.order == (2, 0, 1)
    [config] = CONFIGS
    assert (config.max_tokens, config.system_message, config.stop_seqs) == (None, None, None)


def test_judges_of_one_name_share_one_model():
    """A local model is loaded once, however many tasks it judges."""
    first, second = (RankingJudge("vfrecording/shared").open() for _ in range(2))
    assert first is second


@pytest.mark.parametrize("journal", ["none", "kept"])
def test_a_provider_whose_package_is_missing_is_one_sentence(tmp_path, monkeypatch, journal):
    from inspect_ai._util.error import pip_dependency_error

    def missing(name):
        raise pip_dependency_error("OpenAI API", ["openai"])

    monkeypatch.setattr("valueflow_scorers.judges.model._opened", missing)
    folder = "none" if journal == "none" else str(tmp_path)
    judge = resolve_judge("ranking:openai/gpt-4o", [], journal=folder)
    with pytest.raises(ValueFlowError) as refused:
        judge.open()
    assert str(refused.value) == (
        "judge 'ranking:openai/gpt-4o' cannot be opened: OpenAI API requires optional "
        "dependencies. Install with: pip install openai"
    )


def test_a_judge_of_one_s_own_is_not_opened():
    class Own:
        async def judge(self, windows):
            return []

        def open(self):
            raise AssertionError("not ours to open")

    resolve_judge(Own(), []).open()


class Letters:
    """A model whose replies carry log-probabilities, or None in their place."""

    name = "letters"

    def __init__(self, *replies):
        self.replies = list(replies)

    async def generate(self, prompt, config, cache):
        chances = self.replies.pop(0)
        tops = None
        if chances is not None:
            tops = [SimpleNamespace(token=x, logprob=math.log(p)) for x, p in chances.items()]
        found = SimpleNamespace(content=[SimpleNamespace(top_logprobs=tops)]) if tops else None
        choice = SimpleNamespace(logprobs=found)
        return SimpleNamespace(usage=None, stop_reason="stop", completion="A", choices=[choice])


SEEN = {"A": 0.5, "B": 0.3, "C": 0.1, "x": 0.1}


def test_a_reply_without_log_probabilities_among_others_is_a_failure():
    judge = ChoiceJudge(Letters(SEEN, None, SEEN))
    found = asyncio.run(judge.judge([WINDOW] * 3))
    assert [one.failure for one in found] == [None, "no log-probabilities", None]
    assert found[0].probabilities == pytest.approx((5 / 9, 3 / 9, 1 / 9))


def test_a_model_that_never_gives_log_probabilities_is_refused_with_the_remedy():
    with pytest.raises(ValueFlowError, match=r"'choice:letters' .*'ranking:'"):
        asyncio.run(ChoiceJudge(Letters(None, None)).judge([WINDOW] * 2))


def test_a_model_reads_the_beginning_that_its_prompt_shows_and_says_so(tmp_path):
    texts = ["x" * 6000, "x" * 6001, "\u200b" * 9000]
    resolved = resolve_judge("ranking:mockllm/model", [], journal=str(tmp_path))
    assert resolved.cuts(texts) == [False, True, False]
    assert resolved.cut_note(1, 3) == (
        "1 of 3 texts are longer than what judge ranking:mockllm/model reads (the first 6,000 "
        "characters) and were measured by their beginning; split them, or leave them out"
    )
    released = resolve_judge("ranking:mockllm/model", [], journal="none", released=True)
    assert released.cuts(texts) == [False] * 3, "the released prompt shows all"
    assert released.judge.reads == "all of every text"


def test_a_judge_that_tells_nothing_of_what_it_reads_cuts_no_text():
    silent = ResolvedJudge("silent", "1", SimpleNamespace())
    assert silent.cuts(["x" * 6001]) == [False]
    assert "judge silent reads and were measured" in silent.cut_note(1, 1)
