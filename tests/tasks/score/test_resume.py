"""`valueflow score`: no line is judged twice, whatever happens on the way."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from valueflow_scorers import Judgement, JudgeProfile, ValueFlowError, Window

from valueflow_tasks.score import Scoring


def test_a_resumed_run_judges_no_line_twice_and_ends_as_an_undisturbed_one(
    write, judge, tmp_path, answers, finish, read
):
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


def test_each_batch_is_in_the_file_before_the_next_is_judged(write, judge, tmp_path, answers, read):
    output = tmp_path / "out.jsonl"
    steps = Scoring(write(*answers(6)), output).run(batch=2)
    for done in (2, 4, 6):
        next(steps)
        assert len(read(output)) == done


def test_a_judge_that_breaks_off_leaves_whole_batches_only(
    write, judge, tmp_path, answers, finish, read
):
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
    write, tmp_path, monkeypatch, answers, finish, counting
):
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


def test_answers_whose_calls_all_failed_are_asked_about_again(
    write, judge, tmp_path, monkeypatch, answers, finish
):
    source, output = write(*answers(3)), tmp_path / "out.jsonl"

    async def down(self: Any, windows: Sequence[Window]) -> list[Judgement]:
        return [Judgement(failure="call failed: ConnectionError") for _ in windows]

    with monkeypatch.context() as outage:
        outage.setattr(type(judge), "judge", down)
        assert all("intensity" not in one for one in finish(Scoring(source, output)))
    found = finish(Scoring(source, output))
    assert [one["response_id"] for one in found] == ["a0", "a1", "a2"]
    assert all("intensity" in one for one in found)


def test_an_outage_in_the_middle_is_mended_in_its_place(
    write, judge, tmp_path, monkeypatch, answers, finish, read
):
    source = write(*answers(6))
    whole = finish(Scoring(source, tmp_path / "whole.jsonl"))
    judge.asked.clear()
    output = tmp_path / "out.jsonl"
    plain = type(judge).judge

    async def flickers(self: Any, windows: Sequence[Window]) -> list[Judgement]:
        failed = Judgement(failure="call failed: ConnectionError")
        out = ("a1", "a2", "a4")
        kept = [w for w in windows if w.items[w.response_index or 0].key not in out]
        found = iter(await plain(self, kept))
        return [next(found) if w in kept else failed for w in windows]

    with monkeypatch.context() as outage:
        outage.setattr(type(judge), "judge", flickers)
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


def test_a_verdict_that_is_no_number_is_not_asked_about_again(
    write, quick, tmp_path, answers, finish
):
    source, output = write(*answers(2)), tmp_path / "out.jsonl"
    assert all(
        "unknown text" in one["failures"] for one in finish(Scoring(source, output, **quick))
    )
    assert Scoring(source, output, **quick).done == 2


def test_a_finished_run_judges_nothing_again(write, judge, tmp_path, answers, finish):
    source, output = write(*answers(4)), tmp_path / "out.jsonl"
    found = finish(Scoring(source, output))
    judge.asked.clear()
    again = Scoring(source, output)
    assert again.done == again.total == 4
    assert finish(again) == found
    assert not judge.asked


@pytest.mark.parametrize("share", [0.02, 0.5, 0.97, 0.999])
def test_a_last_line_that_a_crash_cut_short_is_judged_again(
    write, judge, tmp_path, share, answers, finish
):
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
def test_a_first_line_that_a_crash_cut_short_is_judged_again(
    write, judge, tmp_path, share, answers, finish
):
    source, output = write(*answers(1)), tmp_path / "out.jsonl"
    whole = finish(Scoring(source, output))
    content = output.read_bytes().rstrip(b"\n")
    output.write_bytes(content[: int(share * len(content))])
    assert finish(Scoring(source, output)) == whole


def test_a_cut_within_a_letter_is_mended(write, judge, tmp_path, answers, finish):
    source, output = write(*answers(2)), tmp_path / "out.jsonl"
    whole = finish(Scoring(source, output))
    content = output.read_bytes()
    middle = content.rfind("✓".encode()) + 1
    output.write_bytes(content[:middle])
    assert finish(Scoring(source, output)) == whole


def test_lines_added_to_the_input_are_added_to_the_output(write, judge, tmp_path, answers, finish):
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
def test_output_of_other_settings_is_refused_and_left_alone(
    write, judge, tmp_path, change, answers, finish
):
    source, output = write(*answers(2)), tmp_path / "out.jsonl"
    finish(Scoring(source, output, judge="simulated:noise=1"))
    before = output.read_bytes()
    with pytest.raises(ValueFlowError, match=r"out\.jsonl, line 1 .*other settings"):
        Scoring(source, output, **{"judge": "simulated:noise=1", **change})
    assert output.read_bytes() == before


def test_output_of_another_profile_is_refused_and_left_alone(
    write, quick, tmp_path, answers, finish
):
    source, output = write(*answers(2)), tmp_path / "out.jsonl"
    finish(Scoring(source, output, **quick))
    other = tmp_path / "other.json"
    JudgeProfile("simulated:noise=1:text=0", tau=2.0, calibrated=True).save(other)
    with pytest.raises(ValueFlowError, match="other settings"):
        Scoring(source, output, judge="simulated:noise=1", profile=str(other))


def test_output_of_a_profile_that_was_fitted_anew_is_refused(
    write, quick, tmp_path, answers, finish
):
    output = tmp_path / "out.jsonl"
    finish(Scoring(write(*answers(2)), output, **quick))
    JudgeProfile("simulated:noise=1:text=0", tau=2.0, calibrated=True).save(quick["profile"])
    with pytest.raises(ValueFlowError, match=r"out\.jsonl"):
        Scoring(write(*answers(4)), output, **quick)


def test_output_of_an_earlier_estimator_is_refused(
    write, judge, tmp_path, answers, finish, monkeypatch
):
    source, output = write(*answers(2)), tmp_path / "out.jsonl"
    with monkeypatch.context() as earlier:
        earlier.setattr("valueflow_tasks.score.RESULTS_VERSION", 1)
        finish(Scoring(source, output))
    with pytest.raises(ValueFlowError, match="other settings"):
        Scoring(source, output)


def test_a_journal_that_moved_does_not_stop_a_run_from_resuming(
    write, judge, tmp_path, answers, finish
):
    source, output = write(*answers(2)), tmp_path / "out.jsonl"
    finish(Scoring(source, output, journal=str(tmp_path / "here")))
    assert Scoring(source, output, journal=str(tmp_path / "there")).done == 2


def test_output_of_another_input_is_refused_and_left_alone(write, judge, tmp_path, answers, finish):
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
        b"my notes",
        b'{"some": "json"}\n',
        b'{"some": "json"}',
        b"more\nthan one line, and no end",
        b"[1, 2]\n",
        b"null\n",
        b"\x89PNG\x00\x01",
    ],
)
def test_a_file_that_is_no_output_of_ours_is_refused_and_left_alone(
    write, judge, tmp_path, content, answers
):
    output = tmp_path / "mine"
    output.write_bytes(content)
    with pytest.raises(ValueFlowError, match="mine"):
        Scoring(write(*answers(1)), output)
    assert output.read_bytes() == content


def test_the_input_is_never_taken_for_the_output(judge, tmp_path, answers):
    source = tmp_path / "answers.jsonl"
    source.write_text(json.dumps(answers(1)[0]), "utf-8")
    before = source.read_bytes()
    with pytest.raises(ValueFlowError):
        Scoring(source, source)
    assert source.read_bytes() == before
