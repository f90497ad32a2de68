"""What a study would cost, before anything is spent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from valueflow_scorers import Response, load_panel
from valueflow_scorers._records import Window
from valueflow_scorers.judges.prompts import choice_prompt, ranking_prompt, rating_prompt

from ..arms import make_arms
from ..compose import read_arm
from ..prompts import user_turn
from ..settings import Settings
from ._generate import Answers
from ._jobs import jobs
from ._judge import included, is_judged, place_of
from ._judge_lm_eval import is_judged as results_are_judged
from ._judge_lm_eval import unjudged
from ._spend import price, set_prices
from ._study import Arms, Study

_LETTERS_PER_TOKEN = 4.0
"""Of English, with the tokenizers in use; an estimate."""
_ANSWER = 80
"""Tokens of an answer of 25 to 60 words."""
_JUDGEMENT = {"ranking": 20, "choice": 1, "rating": 8}
"""Tokens of a judgement by kind of judge."""
_Measurements = dict[tuple[str, str, str], set[str]]
"""Values by model, method and arm: what is judged once, whatever tasks it serves."""


@dataclass(frozen=True)
class Estimate:
    """One line of the estimate."""

    phase: str
    """`generate` or `judge`."""
    model: str
    """The model that is called; a judge that calls none has its own name."""
    what: str
    """For what."""
    calls: int
    """Generations, or judge calls at most (failed windows aside)."""
    there: int
    """How many of them are finished already."""
    tokens_in: int
    """Estimated, of what is left."""
    tokens_out: int
    """Estimated, of what is left."""
    dollars: float | None
    """Estimated, of what is left; None: nobody knows the price."""


def estimate(study: Study, folder: Path) -> list[Estimate]:
    """Generations, judge calls, tokens and dollars, line by line."""
    set_prices(study.prices)
    answers = Answers(folder)
    return [*_generations(study, answers), *_judgements(study, folder, answers)]


def _generations(study: Study, answers: Answers) -> Iterator[Estimate]:
    queries = study.settings.query_set()
    for model in study.models:
        for arms in study.tasks(model):
            calls = len(queries) * len(arms.measure)
            there = calls if answers.find(study, model, arms) else 0
            prompts = _prompts(study.settings, arms)
            letters = sum(len(user_turn(q.text, prompt)) for q in queries for prompt in prompts)
            left = calls > there
            tokens = round(letters / _LETTERS_PER_TOKEN) if left else 0
            told = (calls - there) * _ANSWER
            what = arms.method or "unsteered"
            rates = price(model.name)
            yield _line("generate", model.shown, what, calls, there, tokens, told, rates)


def _prompts(settings: Settings, arms: Arms) -> list[str]:
    method = {"method": arms.method} if arms.method else {}
    own = Settings.parse({**settings.to_dict(), **method})
    made = make_arms(own, [read_arm(name) for name in arms.measure], arms.measure, ())
    return [arm.prompt for arm in made]


def _line(
    phase: str,
    model: str,
    what: str,
    calls: int,
    there: int,
    tokens: int,
    told: int,
    rates: tuple[float, float] | None,
) -> Estimate:
    dollars = None if rates is None else (tokens * rates[0] + told * rates[1]) / 1e6
    return Estimate(phase, model, what, calls, there, tokens, told, dollars)


def _judgements(study: Study, folder: Path, answers: Answers) -> Iterator[Estimate]:
    queries = len(study.settings.query_set())
    taken_in = [run for run in included(study).runs if unjudged(run)]
    for knobs in study.judges:
        settings = study.judged_by(knobs, "")
        kind, _, model = settings.judge.partition(":")
        asked: _Measurements = {}
        done: _Measurements = {}
        for job in jobs(study):
            if job.judge is knobs:
                there = is_judged(study, folder, job, answers)
                for arm, values in job.arms.items():
                    # The journal knows the unsteered answers of a model once they were judged.
                    key = (job.model.label, "" if arm == "0" else job.method, arm)
                    for own in (asked, done) if there else (asked,):
                        own.setdefault(key, set()).update(values)
        measured, finished = (queries * sum(map(len, own.values())) for own in (asked, done))
        for run in taken_in:
            count = sum(len(one.measure) for one in run.answers)
            measured += count
            finished += count if results_are_judged(run, knobs, place_of(folder, knobs)) else 0
        knobs_told = [f"{name}={value}" for name, value in knobs.items() if name != "judge"]
        what = " ".join([kind if kind in _JUDGEMENT else "on this machine", *knobs_told])
        if kind not in _JUDGEMENT:
            yield Estimate("judge", settings.judge, what, measured, finished, 0, 0, 0.0)
            continue
        each = 1 if kind == "rating" else settings.m
        left = each * (measured - finished)
        tokens = round(left * _judge_letters(kind, settings) / _LETTERS_PER_TOKEN)
        told = left * _JUDGEMENT[kind]
        yield _line("judge", model, what, each * measured, each * finished, tokens, told,
                    price(model))  # fmt: skip


def _judge_letters(kind: str, settings: Settings) -> float:
    """Letters of a judge's prompt, for an answer as long as an anchor."""
    panel = load_panel(settings.values[0])
    items = panel.anchors[: settings.k - 1]
    response = Response(items[0].text, items[0].query)
    window = Window(panel.value, panel.definition, (*items, response), settings.k - 1)
    texts: Mapping[str, str] = {
        "ranking": ranking_prompt(window),
        "choice": choice_prompt(window),
        "rating": rating_prompt(window, settings.k - 1),
    }
    return len(texts[kind])
