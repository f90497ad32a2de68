"""The model that ships for demonstrations is on no leaderboard, whatever it is called."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from itertools import cycle
from pathlib import Path

import pytest
from valueflow_scorers._sentences import sentence_words

from valueflow_tasks.analysis import Run, Runs, load_runs
from valueflow_tasks.bundled import SENTENCES, bundled_model, is_bundled
from valueflow_tasks.prompts import user_turn
from valueflow_tasks.queries import load_queries
from valueflow_tasks.submit import Facts
from valueflow_tasks.submit._samples import attachable
from valueflow_tasks.submit._write import assemble

PARTS = Path(__file__).parents[3] / "tools" / "bundled" / "answer_parts.jsonl"
INVENTED = "some-lab/invented"
no_tools = pytest.mark.skipif(not PARTS.is_file(), reason="an installed package has no tools")


def parts() -> Iterator[str]:
    for line in PARTS.read_text("utf-8").splitlines():
        yield json.loads(line)["text"]


@no_tools
def test_the_hashes_are_those_of_its_sentences() -> None:
    own = sorted({key for text in parts() for key in sentence_words(text)})
    assert SENTENCES.read_text("ascii").split() == own


def test_its_answers_are_known_and_those_of_others_are_not(inspect_logs: Path) -> None:
    pytest.importorskip("transformers")
    from valueflow_tasks.steering._answer import answer, load_model

    turns = [user_turn(query.text) for query in load_queries("core")[:4]]
    assert is_bundled(INVENTED, answer(load_model(str(bundled_model())), turns))
    (run,) = load_runs(inspect_logs).runs
    others = [one.text or "" for one in run.answers]
    assert not is_bundled(INVENTED, others)
    assert not is_bundled(INVENTED, [])
    assert is_bundled("bundled", others)


@no_tools
def test_under_an_invented_id_it_is_a_draft(inspect_logs: Path) -> None:
    (run,) = load_runs(inspect_logs).runs
    run = replace(run, model=INVENTED, control=False, judge="embedded")
    texts = cycle(parts())
    renamed = replace(run, answers=tuple(replace(one, text=next(texts)) for one in run.answers))
    assert drafts(run) == ()
    assert drafts(renamed) == (f"{INVENTED} is the bundled model, which ships for demonstrations",)


def drafts(run: Run) -> tuple[str, ...]:
    """Why a submission of a run is a draft, where the facts are complete."""
    return assemble(attachable(Runs((run,))), Facts(dataset="a/b"), ("model-index",), 0).drafts
