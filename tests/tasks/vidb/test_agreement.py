from __future__ import annotations

from dataclasses import replace

import pytest
from valueflow_scorers import ValueFlowError

from valueflow_tasks.vidb import JudgementFile, Ranking, RankSettings, Text, TextFile, build
from valueflow_tasks.vidb._agreement import check_agreement


@pytest.fixture
def ranked(truth_of, tmp_path):
    """Texts, their judgements, and a way to rank them with other settings."""
    texts, _, judge = truth_of(20)

    def rank(name: str, **changed) -> JudgementFile:
        settings = replace(RankSettings("svt/power", "d", judge, 2, 8), **changed)
        return Ranking(texts, tmp_path / name, settings).run()

    return texts, rank


def test_words_that_nobody_judged_get_no_label(ranked):
    texts, rank = ranked
    file = JudgementFile.read(rank("j.jsonl").path)
    changed = replace(texts.texts[3], text="I live for power over everyone.")
    edited = TextFile((*texts.texts[:3], changed, *texts.texts[4:]), (), "edited.jsonl")
    with pytest.raises(
        ValueFlowError, match=r"j\.jsonl judged other words under the id 't3' .*edi"
    ):
        build(edited, [file])
    more = TextFile((Text("new", "more"), *texts.texts[::-1]), ())
    assert len(build(more, [file], drop_unreachable=True).texts) == 20


def test_files_with_other_definitions_or_prompts_do_not_mix(ranked):
    texts, rank = ranked
    one, other = rank("one.jsonl"), rank("other.jsonl", definition="e")
    with pytest.raises(ValueFlowError, match=r"one\.jsonl.*definition='d'.*other\.jsonl.*'e'"):
        build(texts, [one, other])
    older = replace(one, head={**one.head, "prompt_version": "0"})
    with pytest.raises(ValueFlowError, match="prompt_version"):
        build(texts, [one, older])
    another = replace(older, head={**older.head, "judge": "someone else"})
    check_agreement(texts, [one, another])  # every judge has prompts of its own
