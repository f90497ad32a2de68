"""The bundled model: small, offline, its own texts, and it follows the prompt."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from valueflow_scorers import load_panel, panel_values

from valueflow_tasks.bundled import VALUES, bundled_model
from valueflow_tasks.prompts import exemplars, steering_text, user_turn
from valueflow_tasks.queries import load_queries
from valueflow_tasks.steering._answer import answer

PARTS = Path(__file__).parents[3] / "tools" / "bundled"


def test_it_is_small_and_loads_with_plain_transformers() -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = bundled_model()
    assert (folder / "model.safetensors").stat().st_size < 15e6
    model = AutoModelForCausalLM.from_pretrained(folder)
    assert sum(p.numel() for p in model.parameters()) <= 6e6
    tokenizer = AutoTokenizer.from_pretrained(folder)
    text = "Ångström & «naïve» 東京 - any text at all."
    assert tokenizer.decode(tokenizer(text)["input_ids"]) == text


def runs(text: str, n: int = 8) -> Iterator[tuple[str, ...]]:
    words = re.findall(r"\w+", text.lower())
    return zip(*(words[start:] for start in range(n)), strict=False)


@pytest.mark.skipif(not PARTS.is_dir(), reason="an installed package has no tools")
def test_its_texts_are_nobody_elses() -> None:
    """No run of eight words is shared with panels, exemplars or queries."""
    rows = [
        json.loads(line)["text"]
        for name in ("answer_parts.jsonl", "question_parts.jsonl")
        for line in (PARTS / name).read_text("utf-8").splitlines()
    ]
    own = {gram for text in rows for gram in runs(text)}
    foreign = [query.text for name in ("all", "calibration") for query in load_queries(name)]
    for value in panel_values():
        foreign += [text.text for text in load_panel(value).texts]
        foreign += [text.query for text in load_panel(value).texts if text.query]
        foreign += [text for texts in exemplars(value).values() for text in texts]
    shared = own & {gram for text in foreign for gram in runs(text)}
    assert not shared


@pytest.mark.skipif(not PARTS.is_dir(), reason="an installed package has no tools")
def test_its_answers_follow_the_prompt_on_unseen_queries(loaded) -> None:
    """Strong answers use the sentences of their side, unsteered ones none of either."""
    queries = load_queries("core")[:5]
    lines = (PARTS / "answer_parts.jsonl").read_text("utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    for value in VALUES:
        told = {
            level: answer(
                loaded, [user_turn(query.text, steering_text(value, level)) for query in queries]
            )
            for level in (-2, 0, 2)
        }
        sentences = {
            level: {part for text in texts for part in re.split(r"(?<=[.!?]) ", text.strip())}
            for level, texts in told.items()
        }
        assert not sentences[-2] & sentences[2]
        strong = {row["text"] for row in rows if row["value"] == value and abs(row["level"]) == 2}
        assert not sentences[0] & strong
        assert len((sentences[-2] | sentences[2]) & strong) >= 4
        lengths = [len(text.split()) for texts in told.values() for text in texts]
        assert sum(20 <= length <= 65 for length in lengths) >= 0.9 * len(lengths)
