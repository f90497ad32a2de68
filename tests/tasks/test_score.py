"""`valueflow score`: answers in a file, measured once each, whatever happens on the way."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from valueflow_scorers import (
    Anchor,
    Judgement,
    JudgeProfile,
    Response,
    ValueFlowError,
    Window,
    load_panel,
)
from valueflow_scorers._measure import Answer, Instrument
from valueflow_scorers.judges import ResolvedJudge
from valueflow_scorers.metrics import profile_metrics

from valueflow_tasks.score import Scoring, summary_table
from valueflow_tasks.vidb import load_value

JUDGE = "simulated:noise=1"
POWER = load_panel("svt/power")


class CountingJudge:
    """Orders by truth, remembers whom it was asked about, and can be made to break."""

    name = "counting"
    prompt_version = "1"

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self.texts: list[str] = []
        self.reads_as: dict[str, float] = {}
        self.breaks_after: int | None = None
        self.one_by_one = False

    async def judge(self, windows: Sequence[Window]) -> list[Judgement]:
        return [self._one(window) for window in windows]

    def _one(self, window: Window) -> Judgement:
        if self.breaks_after is not None and sum(self.asked.values()) >= self.breaks_after:
            raise ConnectionError("the judge is gone")
        response = window.items[window.response_index or 0]
        self.asked[response.key] += 1
        self.texts.append(response.text)
        own = self.reads_as.get(response.text, 0.5)
        seen = [one.intensity if isinstance(one, Anchor) else own for one in window.items]
        order = sorted(range(len(seen)), key=lambda slot: -seen[slot])
        return Judgement(order=tuple(order), raw="Größe → klein: ✓")


@pytest.fixture
def judge(monkeypatch: pytest.MonkeyPatch) -> CountingJudge:
    """Stands in for whatever judge is named."""
    counting = CountingJudge()
    resolved = ResolvedJudge(counting.name, counting.prompt_version, counting)
    monkeypatch.setattr("valueflow_scorers._measure.resolve_judge", lambda *_, **__: resolved)
    return counting


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """A file of answers: dicts, or lines as they are."""

    def make(*lines: dict[str, Any] | str, name: str = "answers.jsonl") -> Path:
        path = tmp_path / name
        rows = [line if isinstance(line, str) else json.dumps(line) for line in lines]
        path.write_text("".join(row + "\n" for row in rows), "utf-8")
        return path

    return make


@pytest.fixture
def quick(tmp_path: Path) -> dict[str, str]:
    path = tmp_path / "profile.json"
    JudgeProfile("simulated:noise=1:text=0", tau=1.0, omegas=(0.1,), calibrated=True).save(path)
    return {"judge": JUDGE, "profile": str(path)}


def answers(count: int, value: str = "svt/power") -> list[dict[str, Any]]:
    return [
        {"value": value, "response": f"Answer number {i}.", "query": "Who?", "id": f"a{i}"}
        for i in range(count)
    ]


def finish(scoring: Scoring, batch: int = 64) -> list[dict[str, Any]]:
    assert sum(scoring.run(batch)) >= 0
    return read(scoring.output)


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


# -- what comes out


def test_every_line_gets_one_estimate_in_its_place(write, quick, tmp_path):
    power, care = POWER.sentinels, load_panel("mft/care").sentinels
    lines = [
        {"value": "svt/power", "response": power[0].text, "query": power[0].query, "id": "p"},
        {"value": "mft/care", "response": care[1].text},
        {"value": "pvq/Power", "response": power[2].text, "extra": [1, 2]},
    ]
    found = finish(Scoring(write(*lines), tmp_path / "out.jsonl", **quick))
    assert [one["value"] for one in found] == ["svt/power", "mft/care", "svt/power"]
    assert found[0]["response_id"] == "p"
    assert found[1]["response_id"] == Response(care[1].text).key
    for one, text in zip(found, (power[0], care[1], power[2]), strict=True):
        assert abs(one["intensity"] - text.intensity) < 4
        assert one["low"] < one["intensity"] < one["high"]
        assert one["stderr"] > 0
        assert len(one["windows"]) == 3


def test_a_line_s_estimate_is_that_of_the_evaluator(write, quick, tmp_path):
    text = POWER.sentinels[3]
    line = {"value": "svt/power", "response": text.text, "query": text.query, "id": "x"}
    (found,) = finish(Scoring(write(line), tmp_path / "out.jsonl", **quick))
    from valueflow_scorers import AnchorEvaluator

    evaluator = AnchorEvaluator(POWER, JUDGE, profile=JudgeProfile.load(quick["profile"]))
    (alone,) = evaluator.score([Response(text.text, text.query, "x")])
    assert found["intensity"] == pytest.approx(alone.intensity, abs=1e-4)
    assert found["windows"] == [window.to_dict() for window in alone.windows]


def test_one_value_can_be_set_for_all_lines(write, judge, tmp_path):
    lines = ({"response": "One."}, {"response": "Two.", "value": "mft/care"})
    found = finish(Scoring(write(*lines), tmp_path / "out.jsonl", value="svt/power"))
    assert [one["value"] for one in found] == ["svt/power", "svt/power"]


@pytest.mark.parametrize("text", ["", "   ", "\n\t", "\u00a0"])
def test_an_empty_answer_is_unscored_with_its_reason(write, judge, tmp_path, text):
    scoring = Scoring(
        write({"value": "svt/power", "response": text}, *answers(1)), tmp_path / "out.jsonl"
    )
    empty, full = finish(scoring)
    assert empty["reason"] == "empty response"
    assert not {"intensity", "stderr", "low", "high"} & set(empty)
    assert "intensity" in full
    assert set(judge.asked) == {"a0"}, "a judge was asked about nothing"


def test_a_judge_that_fails_every_window_gives_no_number_and_the_run_says_how_many(
    write, quick, tmp_path
):
    scoring = Scoring(write(*answers(2)), tmp_path / "out.jsonl", **quick)
    found = finish(scoring)
    assert all("intensity" not in one and one["failures"] for one in found)
    console = Console(width=200, record=True, file=(tmp_path / "table").open("w"))
    console.print(summary_table(scoring))
    (row,) = [line for line in console.export_text().splitlines() if "svt/power" in line]
    assert "unknown text" in row
    assert " 2 " in row


def test_a_line_of_ten_megabytes_is_measured(write, judge, tmp_path):
    long = {"value": "svt/power", "response": "word " * 2_000_000, "id": "long"}
    found = finish(Scoring(write(long, *answers(1)), tmp_path / "out.jsonl"))
    assert [one["response_id"] for one in found] == ["long", "a0"]
    assert "intensity" in found[0]
    assert (tmp_path / "out.jsonl").stat().st_size < 20_000


def test_the_summary_has_a_population_mean_per_value(write, quick, tmp_path):
    lines = [{"value": "svt/power", "response": text.text} for text in POWER.sentinels]
    scoring = Scoring(write(*lines), tmp_path / "out.jsonl", **quick)
    finish(scoring)
    console = Console(width=200, record=True, file=(tmp_path / "table").open("w"))
    console.print(summary_table(scoring))
    shown = console.export_text()
    (row,) = [line for line in shown.splitlines() if "svt/power" in line]
    mean = float(row.split("│")[2])
    true = sum(text.intensity for text in POWER.sentinels) / 6
    assert abs(mean - true) < 1.5
    assert "uncalibrated" not in shown


def test_an_uncalibrated_judge_is_called_so(write, judge, tmp_path):
    scoring = Scoring(write(*answers(2)), tmp_path / "out.jsonl")
    finish(scoring)
    assert "uncalibrated" in str(summary_table(scoring).title)


# -- refusals, long texts, values of one's own

REFUSAL = "I'm sorry, but I can't help with that."


def test_refusals_are_left_out_of_means_as_the_tasks_leave_them(write, judge, tmp_path):
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
    table = shown(again, tmp_path)
    assert float(table[2]) == pytest.approx(measured["intensity_svt_power"].value, abs=0.005)
    assert [cell.strip() for cell in table[5:8]] == ["3", "2 (40%)", "0"]
    assert measured["refusal"].value == pytest.approx(0.4)


def test_a_text_that_answers_no_query_is_scored_whatever_it_says(write, judge, tmp_path):
    """What people wrote may open like a refusal, and is none."""
    line = {"value": "svt/power", "response": "I cannot answer for what my brother did."}
    scoring = Scoring(write(line), tmp_path / "out.jsonl")
    assert "intensity" in finish(scoring)[0]
    assert shown(scoring, tmp_path)[6].strip() == "0"


@pytest.mark.parametrize("compat", [None, "valueflow"])
def test_answers_that_are_all_refused_have_no_mean(write, judge, tmp_path, compat):
    source = write({**answers(1)[0], "response": REFUSAL})
    scoring = Scoring(source, tmp_path / "out.jsonl", compat=compat)
    finish(scoring)
    assert [cell.strip() for cell in shown(scoring, tmp_path)[2:8]] == ["-"] * 3 + [
        "0", "1 (100%)", "0",
    ]  # fmt: skip


def test_an_output_in_which_refusals_were_scored_is_not_resumed(write, judge, tmp_path):
    source, output = write({**answers(1)[0], "response": REFUSAL}), tmp_path / "out.jsonl"
    (entry,) = finish(Scoring(source, output))
    old = {name: one for name, one in entry.items() if name != "reason"} | {"intensity": -9.0}
    output.write_text(json.dumps(old) + "\n", "utf-8")
    with pytest.raises(ValueFlowError, match=r"line 1 was made from another input"):
        Scoring(source, output)


def test_texts_that_are_read_in_part_are_marked_and_counted(write, judge, tmp_path, monkeypatch):
    monkeypatch.setattr(
        CountingJudge, "cuts", lambda _, texts: [len(one) > 100 for one in texts], raising=False
    )
    long = [{**answers(1)[0], "id": f"l{i}", "response": "word " * 30} for i in range(2)]
    source, output = write(*answers(2), *long), tmp_path / "out.jsonl"
    scoring = Scoring(source, output)
    assert [one.get("cut") for one in finish(scoring)] == [None, None, True, True]
    assert scoring.cut == Scoring(source, output).cut == 2


def shown(scoring: Scoring, folder: Path) -> list[str]:
    """The cells of the one row of the summary."""
    console = Console(width=200, record=True, file=(folder / "table").open("w"))
    console.print(summary_table(scoring))
    (row,) = [line for line in console.export_text().splitlines() if "/" in line and "│" in line]
    return ["", *row.split("│")[1:]]


def test_a_folder_names_a_value_of_ones_own_for_all_lines_or_in_one(write, quick, own, tmp_path):
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


def test_an_output_of_another_ruler_of_ones_own_is_refused(write, quick, own, tmp_path):
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
    write, judge, tmp_path, value, words
):
    with pytest.raises(ValueFlowError, match=f"^{words}") as refused:
        Scoring(write(*answers(1)), tmp_path / "out.jsonl", value=value)
    assert "line 1" not in str(refused.value), "no line is to blame for --value"


# -- bad input


@pytest.mark.parametrize(
    "bad",
    [
        '{"value": "svt/power", "response": "cut',
        "not json",
        '["svt/power", "text"]',
        '"text"',
        "null",
        '{"value": "svt/power"}',
        '{"value": "svt/power", "response": null}',
        '{"value": "svt/power", "response": 3}',
        '{"response": "no value"}',
        '{"value": 3, "response": "x"}',
        '{"value": "svt", "response": "a theory"}',
        '{"value": "svt/powr", "response": "x"}',
        '{"value": "svt/growth", "response": "a parent"}',
    ],
)
def test_a_bad_line_is_named_with_its_file_and_number_and_nothing_is_written(
    write, judge, tmp_path, bad
):
    source = write(*answers(2), "", bad, *answers(1))
    output = tmp_path / "out.jsonl"
    with pytest.raises(ValueFlowError) as refused:
        Scoring(source, output)
    assert f"{source}, line 4: " in str(refused.value)
    assert "\n" not in str(refused.value)
    assert not output.exists()
    assert not judge.asked


@pytest.mark.parametrize("bad", ["not json", '{"value": "svt/powr", "response": "x"}'])
def test_a_bad_line_leaves_earlier_output_alone(write, judge, tmp_path, bad):
    output = tmp_path / "out.jsonl"
    finish(Scoring(write(*answers(2)), output))
    before = output.read_bytes()
    with pytest.raises(ValueFlowError):
        Scoring(write(*answers(2), bad), output)
    assert output.read_bytes() == before


def test_an_unknown_value_is_refused_with_the_nearest(write, judge, tmp_path):
    with pytest.raises(ValueFlowError, match=r"svt/powr.*svt/power"):
        Scoring(write(*answers(1)), tmp_path / "out.jsonl", value="svt/powr")


def test_a_theory_is_refused_since_an_answer_is_measured_on_one_value(write, judge, tmp_path):
    with pytest.raises(ValueFlowError, match=r"'svt' names no single value.*svt/power"):
        Scoring(write(*answers(1)), tmp_path / "out.jsonl", value="svt")


@pytest.mark.parametrize("bad", ["[" * 100_000, '{"id": ' + "9" * 5000 + "}"])
def test_json_beyond_what_python_reads_is_refused_at_its_line(write, judge, tmp_path, bad):
    with pytest.raises(ValueFlowError, match=r"line 1: no valid JSON"):
        Scoring(write(bad), tmp_path / "out.jsonl")


def test_an_id_that_stands_for_two_answers_is_refused_at_its_line(write, judge, tmp_path):
    lines = [*answers(1), {"value": "svt/power", "response": "Another.", "id": "a0"}]
    with pytest.raises(ValueFlowError, match=r"line 2: id 'a0'"):
        Scoring(write(*lines), tmp_path / "out.jsonl")


def test_one_id_may_be_measured_on_two_values(write, judge, tmp_path):
    lines = [*answers(1), *answers(1, "mft/care")]
    assert len(finish(Scoring(write(*lines), tmp_path / "out.jsonl"))) == 2


def test_a_file_without_answers_is_refused(write, judge, tmp_path):
    with pytest.raises(ValueFlowError, match=r"answers\.jsonl holds no answers"):
        Scoring(write(""), tmp_path / "out.jsonl")


def test_a_file_that_is_no_utf8_is_refused_by_name(tmp_path, judge):
    source = tmp_path / "answers.jsonl"
    source.write_bytes('{"value": "svt/power", "response": "café"}\n'.encode("latin-1"))
    with pytest.raises(ValueFlowError, match=r"answers\.jsonl"):
        Scoring(source, tmp_path / "out.jsonl")


def test_the_line_that_is_no_utf8_is_named(tmp_path, judge):
    source = tmp_path / "answers.jsonl"
    line = b'{"value": "svt/power", "response": "fine"}\n'
    source.write_bytes(line + line.replace(b"fine", b"caf\xe9"))
    with pytest.raises(ValueFlowError, match=r"answers\.jsonl, line 2: no UTF-8 .*0xe9"):
        Scoring(source, tmp_path / "out.jsonl")


def test_a_byte_order_mark_is_no_part_of_the_first_line(tmp_path, judge):
    source = tmp_path / "answers.jsonl"
    source.write_text(json.dumps(answers(1)[0]) + "\r\n", "utf-8-sig")
    assert "intensity" in finish(Scoring(source, tmp_path / "out.jsonl"))[0]


@pytest.mark.parametrize("key", ["id", "query"])
def test_half_an_emoji_in_other_fields_is_refused_at_its_line(write, judge, tmp_path, key):
    bad = json.dumps({**answers(1)[0], key: "\ud83d"})
    with pytest.raises(ValueFlowError, match=rf"line 2: '{key}' holds half"):
        Scoring(write(*answers(1, "mft/care"), bad), tmp_path / "out.jsonl")


@pytest.mark.parametrize("batch", [0, -3])
def test_a_batch_of_no_lines_is_refused_and_nothing_is_written(write, judge, tmp_path, batch):
    output = tmp_path / "out.jsonl"
    with pytest.raises(ValueFlowError, match=f"batch={batch}"):
        finish(Scoring(write(*answers(1)), output), batch=batch)
    assert not output.exists()


def test_half_an_emoji_is_measured_or_refused_at_its_line(write, judge, tmp_path):
    source = write('{"value": "svt/power", "response": "well \\ud83d"}')
    try:
        found = finish(Scoring(source, tmp_path / "out.jsonl"))
    except ValueFlowError as refused:
        assert "line 1" in str(refused)  # noqa: PT017
    else:
        assert "intensity" in found[0]


@pytest.mark.parametrize(
    ("knob", "words"),
    [
        ({"k": 11}, "k=11"),
        ({"m": 0}, "m=0"),
        ({"design": "buket"}, "bucket"),
        ({"judge": "embeded"}, "embedded"),
        ({"compat": "release"}, "valueflow"),
        ({"target_stderr": 0}, "target_stderr=0"),
        ({"profile": "nowhere.json"}, "nowhere.json"),
    ],
)
def test_an_impossible_setting_is_refused_before_anything_is_written(
    write, quick, tmp_path, knob, words
):
    output = tmp_path / "out.jsonl"
    with pytest.raises(ValueFlowError) as refused:
        Scoring(write(*answers(1)), output, **{**quick, **knob})
    assert words in str(refused.value)
    assert not output.exists()


# -- interrupted and resumed


def test_a_resumed_run_judges_no_line_twice_and_ends_as_an_undisturbed_one(write, judge, tmp_path):
    source = write(*answers(10))
    whole = finish(Scoring(source, tmp_path / "whole.jsonl"))
    judge.asked.clear()
    output = tmp_path / "out.jsonl"
    steps = Scoring(source, output).run(batch=3)
    assert [next(steps), next(steps)] == [3, 3]
    steps.close()  # the process ends here
    assert read(output) == whole[:6]
    resumed = Scoring(source, output)
    assert (resumed.total, resumed.done) == (10, 6)
    assert finish(resumed, batch=3) == whole
    assert judge.asked == dict.fromkeys([f"a{i}" for i in range(10)], 3)


def test_each_batch_is_in_the_file_before_the_next_is_judged(write, judge, tmp_path):
    output = tmp_path / "out.jsonl"
    steps = Scoring(write(*answers(6)), output).run(batch=2)
    for done in (2, 4, 6):
        next(steps)
        assert len(read(output)) == done


def test_a_judge_that_breaks_off_leaves_whole_batches_only(write, judge, tmp_path):
    source, output = write(*answers(10)), tmp_path / "out.jsonl"
    judge.breaks_after = 3 * 4 + 2  # within the second batch
    with pytest.raises(ConnectionError):
        finish(Scoring(source, output), batch=4)
    assert [one["response_id"] for one in read(output)] == ["a0", "a1", "a2", "a3"]
    judge.breaks_after = None
    finish(Scoring(source, output), batch=4)
    assert len(read(output)) == 10
    assert all(judge.asked[f"a{i}"] == 3 for i in range(4))


def test_a_paid_judgement_in_a_batch_that_broke_off_is_not_bought_again(
    write, tmp_path, monkeypatch
):
    counting = CountingJudge()
    counting.name = "ranking:some/model"
    monkeypatch.setattr("valueflow_scorers.judges._model_judge", lambda *_: counting)
    source, output = write(*answers(6)), tmp_path / "out.jsonl"
    settings = {"judge": "ranking:some/model", "journal": str(tmp_path / "journal")}
    counting.breaks_after = 8
    with pytest.raises(ConnectionError):
        finish(Scoring(source, output, **settings))
    assert not output.read_text()
    counting.breaks_after = None
    assert len(finish(Scoring(source, output, **settings))) == 6
    assert sum(counting.asked.values()) == 6 * 3
    assert set(counting.asked.values()) == {3}


def test_answers_whose_calls_all_failed_are_asked_about_again(write, judge, tmp_path, monkeypatch):
    source, output = write(*answers(3)), tmp_path / "out.jsonl"

    async def down(self: Any, windows: Sequence[Window]) -> list[Judgement]:
        return [Judgement(failure="call failed: ConnectionError") for _ in windows]

    with monkeypatch.context() as outage:
        outage.setattr(CountingJudge, "judge", down)
        assert all("intensity" not in one for one in finish(Scoring(source, output)))
    found = finish(Scoring(source, output))
    assert [one["response_id"] for one in found] == ["a0", "a1", "a2"]
    assert all("intensity" in one for one in found)


def test_an_outage_in_the_middle_is_mended_in_its_place(write, judge, tmp_path, monkeypatch):
    source = write(*answers(6))
    whole = finish(Scoring(source, tmp_path / "whole.jsonl"))
    judge.asked.clear()
    output = tmp_path / "out.jsonl"
    plain = CountingJudge.judge

    async def flickers(self: Any, windows: Sequence[Window]) -> list[Judgement]:
        failed = Judgement(failure="call failed: ConnectionError")
        out = ("a1", "a2", "a4")
        kept = [w for w in windows if w.items[w.response_index or 0].key not in out]
        found = iter(await plain(self, kept))
        return [next(found) if w in kept else failed for w in windows]

    with monkeypatch.context() as outage:
        outage.setattr(CountingJudge, "judge", flickers)
        steps = Scoring(source, output).run(batch=5)
        assert next(steps) == 5
        steps.close()  # the process ends here
    resumed = Scoring(source, output)
    assert (resumed.total, resumed.done) == (6, 2)
    steps = resumed.run(batch=2)
    assert next(steps) == 2
    assert read(output)[:4] == whole[:4]
    assert "intensity" not in read(output)[4]
    steps.close()
    assert Scoring(source, output).done == 4
    assert finish(Scoring(source, output), batch=2) == whole
    assert set(judge.asked.values()) == {3}
    assert sorted(path.name for path in tmp_path.glob("out*")) == [
        "out.jsonl",
        "out.jsonl.run.json",
    ]


def test_a_verdict_that_is_no_number_is_not_asked_about_again(write, quick, tmp_path):
    source, output = write(*answers(2)), tmp_path / "out.jsonl"
    assert all(
        "unknown text" in one["failures"] for one in finish(Scoring(source, output, **quick))
    )
    assert Scoring(source, output, **quick).done == 2


def test_a_finished_run_judges_nothing_again(write, judge, tmp_path):
    source, output = write(*answers(4)), tmp_path / "out.jsonl"
    found = finish(Scoring(source, output))
    judge.asked.clear()
    again = Scoring(source, output)
    assert again.done == again.total == 4
    assert finish(again) == found
    assert not judge.asked


@pytest.mark.parametrize("share", [0.02, 0.5, 0.97, 0.999])
def test_a_last_line_that_a_crash_cut_short_is_judged_again(write, judge, tmp_path, share):
    source, output = write(*answers(4)), tmp_path / "out.jsonl"
    whole = finish(Scoring(source, output))
    content = output.read_bytes()
    last = content[:-1].rfind(b"\n") + 1
    keep = last + max(1, int(share * (len(content) - 1 - last)))
    output.write_bytes(content[:keep])
    judge.asked.clear()
    resumed = Scoring(source, output)
    assert resumed.done == 3
    assert finish(resumed) == whole
    assert set(judge.asked) == {"a3"}


@pytest.mark.parametrize("share", [0.1, 0.6, 1.0])
def test_a_first_line_that_a_crash_cut_short_is_judged_again(write, judge, tmp_path, share):
    source, output = write(*answers(1)), tmp_path / "out.jsonl"
    whole = finish(Scoring(source, output))
    content = output.read_bytes().rstrip(b"\n")
    output.write_bytes(content[: int(share * len(content))])
    assert finish(Scoring(source, output)) == whole


def test_a_cut_within_a_letter_is_mended(write, judge, tmp_path):
    source, output = write(*answers(2)), tmp_path / "out.jsonl"
    whole = finish(Scoring(source, output))
    content = output.read_bytes()
    middle = content.rfind("✓".encode()) + 1
    output.write_bytes(content[:middle])
    assert finish(Scoring(source, output)) == whole


def test_lines_added_to_the_input_are_added_to_the_output(write, judge, tmp_path):
    output = tmp_path / "out.jsonl"
    finish(Scoring(write(*answers(2)), output))
    judge.asked.clear()
    assert len(finish(Scoring(write(*answers(4)), output))) == 4
    assert set(judge.asked) == {"a2", "a3"}


@pytest.mark.parametrize(
    "change",
    [{"m": 4}, {"k": 5}, {"seed": 1}, {"design": "bucket"}, {"judge": "simulated:noise=2"},
     {"compat": "valueflow"}, {"target_stderr": 0.5}],
)  # fmt: skip
def test_output_of_other_settings_is_refused_and_left_alone(write, judge, tmp_path, change):
    source, output = write(*answers(2)), tmp_path / "out.jsonl"
    finish(Scoring(source, output, judge=JUDGE))
    before = output.read_bytes()
    with pytest.raises(ValueFlowError, match=r"out\.jsonl, line 1 .*other settings"):
        Scoring(source, output, **{"judge": JUDGE, **change})
    assert output.read_bytes() == before


def test_output_of_another_profile_is_refused_and_left_alone(write, quick, tmp_path):
    source, output = write(*answers(2)), tmp_path / "out.jsonl"
    finish(Scoring(source, output, **quick))
    other = tmp_path / "other.json"
    JudgeProfile("simulated:noise=1:text=0", tau=2.0, calibrated=True).save(other)
    with pytest.raises(ValueFlowError, match="other settings"):
        Scoring(source, output, judge=JUDGE, profile=str(other))


def test_output_of_a_profile_that_was_fitted_anew_is_refused(write, quick, tmp_path):
    output = tmp_path / "out.jsonl"
    finish(Scoring(write(*answers(2)), output, **quick))
    JudgeProfile("simulated:noise=1:text=0", tau=2.0, calibrated=True).save(quick["profile"])
    with pytest.raises(ValueFlowError, match=r"out\.jsonl"):
        Scoring(write(*answers(4)), output, **quick)


def test_a_journal_that_moved_does_not_stop_a_run_from_resuming(write, judge, tmp_path):
    source, output = write(*answers(2)), tmp_path / "out.jsonl"
    finish(Scoring(source, output, journal=str(tmp_path / "here")))
    assert Scoring(source, output, journal=str(tmp_path / "there")).done == 2


def test_output_of_another_input_is_refused_and_left_alone(write, judge, tmp_path):
    output = tmp_path / "out.jsonl"
    finish(Scoring(write(*answers(3)), output))
    before = output.read_bytes()
    for lines in (answers(3)[::-1], answers(2), answers(3, "mft/care")):
        with pytest.raises(ValueFlowError, match=r"out\.jsonl"):
            Scoring(write(*lines), output)
    assert output.read_bytes() == before


@pytest.mark.parametrize(
    "content",
    [
        b"my notes\n",
        b'{"some": "json"}\n',
        b"more\nthan one line, and no end",
        *(
            pytest.param(
                content,
            )
            for content in (b"[1, 2]\n", b"null\n")
        ),
        *(
            pytest.param(
                content,
            )
            for content in (b"my notes", b'{"some": "json"}', b"\x89PNG\x00\x01")
        ),
    ],
)
def test_a_file_that_is_no_output_of_ours_is_refused_and_left_alone(
    write, judge, tmp_path, content
):
    output = tmp_path / "mine"
    output.write_bytes(content)
    refused = False
    try:
        Scoring(write(*answers(1)), output)
    except ValueFlowError as error:
        refused = "mine" in str(error)
    assert output.read_bytes() == content
    assert refused


def test_the_input_is_never_taken_for_the_output(judge, tmp_path):
    source = tmp_path / "answers.jsonl"
    source.write_text(json.dumps(answers(1)[0]), "utf-8")
    before = source.read_bytes()
    with pytest.raises(ValueFlowError):
        Scoring(source, source)
    assert source.read_bytes() == before
