"""`valueflow score`: refusals, long texts, values of one's own."""

from __future__ import annotations

import json

import pytest
from valueflow_scorers import ValueFlowError, load_panel
from valueflow_scorers._measure import Answer, Instrument
from valueflow_scorers.metrics import profile_metrics

from valueflow_tasks.score import Scoring
from valueflow_tasks.vidb import load_value

POWER = load_panel("svt/power")

REFUSAL = "I'm sorry, but I can't help with that."


def test_refusals_are_left_out_of_means_as_the_tasks_leave_them(
    write, judge, tmp_path, answers, finish, shown
):
    judge.reads_as = {REFUSAL: -9.0, **{f"Answer number {i}.": 5.0 + i for i in range(3)}}
    lines = answers(3) + [{**answers(1)[0], "id": f"r{i}", "response": REFUSAL} for i in range(2)]
    scoring = Scoring(write(*lines), tmp_path / "out.jsonl")
    found = finish(scoring)
    assert [one.get("reason") for one in found] == [None, None, None, "refusal", "refusal"]
    assert not {"intensity", "stderr", "low", "high"} & {*found[3], *found[4]}
    assert set(judge.asked) == {"a0", "a1", "a2"}, "a judge was asked about a refusal"
    # The tasks' own way: an answer's id is that of its query and arm.
    named = [{**line, "id": f"{line['id']}:0"} for line in lines]
    again = Scoring(write(*named), tmp_path / "named.jsonl")
    finish(again)
    asked = [Answer(one["id"], "Who?", one["response"], ("svt/power",)) for one in lines]
    measured = profile_metrics(Instrument().measure(asked), ["svt/power"])
    table = shown(again)
    assert float(table[2]) == pytest.approx(measured["intensity_svt_power"].value, abs=0.005)
    assert table[5:8] == ["3", "2 (40%)", "0"]
    assert measured["refusal"].value == pytest.approx(0.4)


def test_a_text_that_answers_no_query_is_scored_whatever_it_says(
    write, judge, tmp_path, finish, shown
):
    """What people wrote may open like a refusal, and is none."""
    line = {"value": "svt/power", "response": "I cannot answer for what my brother did."}
    scoring = Scoring(write(line), tmp_path / "out.jsonl")
    assert "intensity" in finish(scoring)[0]
    assert shown(scoring)[6] == "0"


@pytest.mark.parametrize("compat", [None, "valueflow"])
def test_answers_that_are_all_refused_have_no_mean(
    write, judge, tmp_path, compat, answers, finish, shown
):
    source = write({**answers(1)[0], "response": REFUSAL})
    scoring = Scoring(source, tmp_path / "out.jsonl", compat=compat)
    finish(scoring)
    assert shown(scoring)[2:8] == ["-"] * 3 + [
        "0", "1 (100%)", "0",
    ]  # fmt: skip


def test_an_output_in_which_refusals_were_scored_is_not_resumed(
    write, judge, tmp_path, answers, finish
):
    source, output = write({**answers(1)[0], "response": REFUSAL}), tmp_path / "out.jsonl"
    (entry,) = finish(Scoring(source, output))
    old = {name: one for name, one in entry.items() if name != "reason"} | {"intensity": -9.0}
    output.write_text(json.dumps(old) + "\n", "utf-8")
    with pytest.raises(ValueFlowError, match=r"line 1 was made from another input"):
        Scoring(source, output)


def test_texts_that_are_read_in_part_are_marked_and_counted(
    write, judge, tmp_path, monkeypatch, answers, finish
):
    monkeypatch.setattr(
        type(judge), "cuts", lambda _, texts: [len(one) > 100 for one in texts], raising=False
    )
    long = [{**answers(1)[0], "id": f"l{i}", "response": "word " * 30} for i in range(2)]
    source, output = write(*answers(2), *long), tmp_path / "out.jsonl"
    scoring = Scoring(source, output)
    assert [one.get("cut") for one in finish(scoring)] == [None, None, True, True]
    assert scoring.cut == Scoring(source, output).cut == 2


def test_a_folder_names_a_value_of_ones_own_for_all_lines_or_in_one(
    write, quick, own, tmp_path, answers, finish
):
    text = load_value(own).panel().sentinels[0]
    line = {"response": text.text, "query": text.query}
    (first,) = finish(Scoring(write(line), tmp_path / "a.jsonl", value=f"{own}/", **quick))
    beside = {**answers(1)[0], "response": POWER.sentinels[0].text}
    other, second = finish(
        Scoring(write(beside, {**line, "value": str(own)}), tmp_path / "b.jsonl", **quick)
    )
    assert first == second
    assert first["value"] == load_value(own).id
    assert abs(first["intensity"] - text.intensity) < 4
    assert abs(other["intensity"] - POWER.sentinels[0].intensity) < 4
    told = json.loads((tmp_path / "b.jsonl.run.json").read_text("utf-8"))
    assert told["settings"]["values"] == ["svt/power", str(own)], "another process finds it"
    pytest.importorskip("pandas")
    from valueflow_tasks.analysis import load_runs

    runs = load_runs(tmp_path / "a.jsonl")
    assert not runs.problems
    (row,) = runs.frame.to_dict("records")
    assert (row["value"], row["response"]) == (first["value"], text.text)


def test_an_output_of_another_ruler_of_ones_own_is_refused(write, quick, own, tmp_path, finish):
    ruler = load_value(own).panel_file
    source, output = write({"response": "Algo.", "query": "?"}), tmp_path / "out.jsonl"
    finish(Scoring(source, output, value=str(own), **quick))
    assert Scoring(source, output, value=str(own), **quick).done == 1
    head, *texts = ruler.read_text("utf-8").splitlines()
    other = {**json.loads(texts[0]), "text": "Otro texto."}
    ruler.write_text("\n".join([head, json.dumps(other), *texts[1:]]) + "\n", "utf-8")
    with pytest.raises(ValueFlowError, match="other settings"):
        Scoring(source, output, value=str(own), **quick)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("./nowhere", "'./nowhere' is no value of svt, .* and there is no folder of that name"),
        ("", "'' names no single value"),
    ],
)
def test_a_folder_that_is_not_there_is_refused_as_what_was_given(
    write, judge, tmp_path, value, words, answers
):
    with pytest.raises(ValueFlowError, match=f"^{words}") as refused:
        Scoring(write(*answers(1)), tmp_path / "out.jsonl", value=value)
    assert "line 1" not in str(refused.value), "no line is to blame for --value"
