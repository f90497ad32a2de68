"""The journal: a judgement that arrived is never paid for again, whatever happens."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import anyio
import pytest
from valueflow_scorers import Anchor, Judgement, Panel, Response, ValueFlowError, Window
from valueflow_scorers._journal import Journal, JournaledJudge, open_journal, window_key
from valueflow_scorers.judges import resolve_judge

PANEL = Panel(
    "house/value", tuple(Anchor(f"text {i}", i - 5.0, "q?", id=f"a{i}") for i in range(9))
)


def window(number: int = 0, **changes: object) -> Window:
    content = {
        "value": "house/value",
        "definition": "what it means",
        "items": (*PANEL.anchors[:5], Response(f"answer {number}", "q?", f"r{number}")),
        "response_index": 5,
        **changes,
    }
    return Window(**content)  # type: ignore[arg-type]


class Scripted:
    """Says what it is told to, one window after the other, and counts."""

    def __init__(self, *replies: Judgement | Exception) -> None:
        self.replies = list(replies)
        self.asked: list[Window] = []
        self._turn = anyio.Lock()

    async def judge(self, windows: Sequence[Window]) -> list[Judgement]:
        async with self._turn:
            await anyio.sleep(0)
            found = []
            for one in windows:
                self.asked.append(one)
                reply = self.replies.pop(0) if self.replies else Judgement(order=(0, 1, 2, 3, 4, 5))
                if isinstance(reply, Exception):
                    raise reply
                found.append(reply)
            return found


def ask(journal: Path | Journal, judge: Scripted, *windows: Window, name="j", prompt="1"):
    opened = journal if isinstance(journal, Journal) else Journal(journal)
    wrapped = JournaledJudge(judge, name, prompt, opened)
    return asyncio.run(wrapped.judge(windows))


def lines(folder: Path) -> list[str]:
    return [line for path in folder.glob("*.jsonl") for line in path.read_text().splitlines()]


FORMS = (
    Judgement(order=(5, 4, 3, 2, 1, 0), raw="[F, E, …] ✓"),
    Judgement(probabilities=(0.5, 0.5, 0, 0, 0, 0)),
    Judgement(reading=(3.25, 0.5), raw="3.25"),
    Judgement(failure="no order found", raw="They are all fine."),
)


@pytest.mark.parametrize("said", FORMS, ids=["order", "probabilities", "reading", "failure"])
def test_a_rerun_finds_what_was_said_and_asks_nothing(tmp_path, said):
    assert ask(tmp_path, Scripted(said), window()) == [said]
    silent = Scripted(RuntimeError("asked"))
    assert ask(tmp_path, silent, window()) == [said]
    assert not silent.asked


def test_only_what_is_new_is_asked_and_everything_comes_in_its_place(tmp_path):
    first = [Judgement(order=tuple((i + s) % 6 for s in range(6))) for i in range(2)]
    ask(tmp_path, Scripted(*first), window(1), window(3))
    fresh = Judgement(order=(5, 0, 1, 2, 3, 4))
    judge = Scripted(fresh)
    found = ask(tmp_path, judge, window(3), window(2), window(1), window(2))
    assert found == [first[1], fresh, first[0], fresh]
    assert [one.items[5].key for one in judge.asked] == ["r2"]


def test_each_judgement_is_saved_before_the_next_is_asked(tmp_path):
    seen = []

    class Looks(Scripted):
        async def judge(self, windows: Sequence[Window]) -> list[Judgement]:
            found = await super().judge(windows)
            seen.append(len(lines(tmp_path)))
            return found

    ask(tmp_path, Looks(), *map(window, range(5)))
    assert seen == sorted(seen)
    assert seen[-1] >= 3, "written as they arrive, not at the end"
    assert len(lines(tmp_path)) == 5


def test_a_judge_that_breaks_off_loses_only_what_was_under_way(tmp_path):
    good = Judgement(order=(0, 1, 2, 3, 4, 5))
    judge = Scripted(good, good, RuntimeError("out of credit"))
    with pytest.raises(RuntimeError, match="out of credit"):
        ask(tmp_path, judge, *map(window, range(6)))
    again = Scripted()
    ask(tmp_path, again, *map(window, range(6)))
    assert len(again.asked) == 4


@pytest.mark.parametrize("reason", ["call failed: ConnectError", "call failed: RateLimitError"])
def test_a_failed_call_is_no_verdict_and_is_not_remembered(tmp_path, reason):
    assert ask(tmp_path, Scripted(Judgement(failure=reason)), window())[0].failure == reason
    assert not lines(tmp_path)
    said = Judgement(order=(1, 0, 2, 3, 4, 5))
    assert ask(tmp_path, Scripted(said), window()) == [said]


def test_nothing_is_reused_that_was_asked_in_other_words(tmp_path):
    ask(tmp_path, Scripted(), window())
    base = window()
    other_query = Response("answer 0", "another q?", "r0")
    others = {
        "prompt version": {"prompt": "2"},
        "judge": {"name": "k"},
        "value": {"value": "house/other"},
        "definition": {"definition": "something else"},
        "response's place": {"response_index": 0},
        "order": {"items": base.items[::-1]},
        "query": {"items": (*base.items[:5], other_query)},
        "answer": {"items": (*base.items[:5], Response("answer 0!", "q?", "r0"))},
    }
    for what, change in others.items():
        marks = {key: change.pop(key) for key in ("prompt", "name") if key in change}
        judge = Scripted()
        ask(tmp_path, judge, window(**change), **marks)
        assert len(judge.asked) == 1, f"another {what} was taken for the same"


def test_an_answer_s_id_is_not_shown_and_so_does_not_matter(tmp_path):
    renamed = (*window().items[:5], Response("answer 0", "q?", "another-run:r0"))
    assert window_key("j", "1", window()) == window_key("j", "1", window(items=renamed))


# -- what crashes leave behind


def test_a_line_that_was_cut_short_is_skipped_and_counted(tmp_path):
    ask(tmp_path, Scripted(), *map(window, range(3)))
    (path,) = tmp_path.glob("*.jsonl")
    content = path.read_bytes()
    path.write_bytes(content[:-20])
    found = Journal(tmp_path)
    assert (len(found), found.stats.skipped, found.stats.judgements) == (2, 1, 2)
    judge = Scripted()
    ask(found, judge, *map(window, range(3)))
    assert len(judge.asked) == 1
    again = Journal(tmp_path)
    assert (len(again), again.stats.skipped, again.stats.files) == (3, 1, 2)


@pytest.mark.parametrize(
    "rubbish",
    [b"\x00\xff\xfe\n", b"[]\n", b'"text"\n', b"3\n", b"null\n", b"{}\n", b"\n", b'{"key": "x"}\n'],
)
def test_rubbish_in_a_journal_costs_no_other_line(tmp_path, rubbish):
    ask(tmp_path, Scripted(), *map(window, range(2)))
    (path,) = tmp_path.glob("*.jsonl")
    first, second = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(first + rubbish + second)
    found = Journal(tmp_path)
    assert (len(found), found.stats.skipped) == (2, 1)


def test_one_judgement_in_two_files_counts_once(tmp_path):
    journals = [Journal(tmp_path) for _ in range(2)]  # two processes that started together
    for journal in journals:
        ask(journal, Scripted(), window())
    found = Journal(tmp_path)
    assert (found.stats.files, found.stats.judgements, len(found)) == (2, 1, 1)


def test_stats_tell_judges_prompts_and_failures(tmp_path):
    failed = Judgement(failure="judge refused")
    ask(tmp_path, Scripted(failed), window(0), window(1))
    ask(tmp_path, Scripted(), window(0), name="k", prompt="2")
    stats = Journal(tmp_path).stats
    assert stats.judges == {("j", "1"): 2, ("k", "2"): 1}
    assert stats.failures == {"judge refused": 1}


def test_a_journal_that_is_a_file_is_refused(tmp_path):
    path = tmp_path / "journal"
    path.write_text("x")
    with pytest.raises(ValueFlowError, match="give a folder"):
        Journal(path)


def test_a_journal_that_is_not_used_leaves_no_folder(tmp_path):
    assert len(Journal(tmp_path / "none")) == 0
    assert not (tmp_path / "none").exists()


# -- which judges are journalled


def test_model_judges_share_the_journal_of_their_folder(tmp_path):
    resolved = resolve_judge("ranking:mockllm/model", [], journal=str(tmp_path))
    assert isinstance(resolved.judge, JournaledJudge)
    assert open_journal(str(tmp_path)) is open_journal(str(tmp_path))


def test_a_judge_without_a_journal_remembers_nothing():
    resolved = resolve_judge("ranking:mockllm/model", [], journal="none")
    assert not isinstance(resolved.judge, JournaledJudge)


@pytest.mark.parametrize("name", ["simulated", "embedded"])
def test_judges_that_cost_nothing_are_not_journalled(name, tmp_path):
    assert not isinstance(resolve_judge(name, [], journal=str(tmp_path)).judge, JournaledJudge)


def test_the_user_s_journal_is_named_by_the_environment(monkeypatch, tmp_path):
    from valueflow_scorers._journal import default_folder

    monkeypatch.setenv("VALUEFLOW_JOURNAL", str(tmp_path / "mine"))
    assert default_folder() == tmp_path / "mine"
    monkeypatch.delenv("VALUEFLOW_JOURNAL")
    assert default_folder().parts[-2:] == ("valueflow", "journal")


# -- kill -9

DRIVER = r'''
import hashlib, json, os, random, signal, sys, time
from pathlib import Path

import anyio
from valueflow_scorers import Anchor, Judgement, judges
from valueflow_scorers import _evaluator, _measure  # before any process starts
from valueflow_scorers._journal import Journal, window_key
from valueflow_tasks.score import Scoring

folder = Path(sys.argv[1])
LINES, M, BATCH = 40, 3, 8


class SlowJudge:
    """Orders by truth plus a little noise; writes down each call before it answers."""

    name, prompt_version = "ranking:slow/judge", "1"

    def __init__(self, log, most):
        self.log, self.most, self.turn = log, most, anyio.Semaphore(4)

    async def judge(self, windows):
        (window,) = windows
        async with self.turn:
            key = window_key(self.name, self.prompt_version, window)
            with self.log.open("a") as handle:
                handle.write(key + "\n")
            if self.most is not None:
                self.most -= 1
                if self.most < 0:  # it shall be killed before it is done, however slow we are
                    await anyio.sleep(600)
            await anyio.sleep(0.004)
        noise = random.Random(key)
        if noise.random() < 0.05:
            return [Judgement(failure="no order found", raw="…" * 50)]
        seen = [(i.intensity if isinstance(i, Anchor) else 1.0) + noise.gauss(0, 1)
                for i in window.items]
        order = tuple(sorted(range(len(seen)), key=lambda slot: -seen[slot]))
        return [Judgement(order=order, raw="because " * 200)]


def start(where, log, most=None):
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        judges._model_judge = lambda *_: SlowJudge(log, most)
        os.chdir(where)
        scoring = Scoring(
            source, Path("out.jsonl"), judge="ranking:slow/judge", m=M, journal="journal"
        )
        for _ in scoring.run(BATCH):
            pass
        code = 0
    finally:
        os._exit(code)


def calls(log):
    return log.read_text().split() if log.exists() else []


def finish(pid):
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


source = folder / "answers.jsonl"
rows = [{"value": "svt/power", "response": f"Answer {i}.", "id": f"a{i}"} for i in range(LINES)]
source.write_text("".join(json.dumps(row) + "\n" for row in rows))

calm, wild = folder / "calm", folder / "wild"
calm.mkdir()
wild.mkdir()
assert finish(start(calm, calm / "calls.log")) == 0
total = len(calls(calm / "calls.log"))

journal, log = wild / "journal", wild / "calls.log"
moments = random.Random(7)
kills, repeated, held = 0, 0, []
for kill in range(10):
    before = set(Journal(journal)._known)
    done = len(calls(log))
    new = moments.randint(1, max(1, (total - len(before)) // (11 - kill)))
    pid = start(wild, log, new + 2)
    deadline = time.monotonic() + 60
    while len(calls(log)) < done + new and time.monotonic() < deadline:
        time.sleep(0.001)
    time.sleep(moments.uniform(0, 0.006))
    os.kill(pid, signal.SIGKILL)
    kills += finish(pid) == -signal.SIGKILL
    repeated += len(before & set(calls(log)[done:]))
    held.append(len(Journal(journal)))
before, done = set(Journal(journal)._known), len(calls(log))
assert finish(start(wild, log)) == 0
repeated += len(before & set(calls(log)[done:]))
print(json.dumps({
    "kills": kills, "repeated": repeated, "held": held, "total": total,
    "asked": len(calls(log)), "distinct": len(set(calls(log))),
    "same": (wild / "out.jsonl").read_text() == (calm / "out.jsonl").read_text(),
}))
'''


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_process_killed_at_ten_moments_repeats_no_journalled_call(tmp_path):
    ended = subprocess.run(
        [sys.executable, "-c", DRIVER, str(tmp_path)], capture_output=True, text=True, timeout=300
    )
    assert ended.returncode == 0, ended.stderr
    found = json.loads(ended.stdout)
    assert found["kills"] == 10
    assert found["held"] == sorted(found["held"])
    assert len(set(found["held"])) > 4, "killed along the way"
    assert found["held"][-1] < found["total"]
    assert found["repeated"] == 0
    assert found["same"], "the result is not that of an undisturbed run"
    # What was bought twice was under way, at most four calls per kill.
    assert found["distinct"] == found["total"]
    assert found["asked"] <= found["total"] + 4 * 10


# -- Ctrl-C

INTERRUPTED = r"""
import signal, sys
from pathlib import Path

import anyio
from valueflow_scorers import Judgement, judges
from valueflow_scorers._journal import window_key

signal.signal(signal.SIGINT, signal.default_int_handler)  # background jobs ignore it
source, log, journal, output = sys.argv[1:]


class SlowJudge:
    name, prompt_version = "ranking:slow/judge", "1"

    def __init__(self):
        self.turn = anyio.Semaphore(2)

    async def judge(self, windows):
        (window,) = windows
        async with self.turn:
            with open(log, "a") as handle:
                handle.write(window_key(self.name, self.prompt_version, window) + "\n")
            await anyio.sleep(0.03)
        return [Judgement(order=tuple(range(len(window.items))))]


judges._model_judge = lambda *_: SlowJudge()
sys.argv = ["valueflow", "score", source, "-o", output, "--value", "svt/power",
            "--judge", "ranking:slow/judge", "--journal", journal]
from valueflow_tasks.cli import main
main()
"""


@pytest.mark.skipif(os.name != "posix", reason="needs signals")
def test_ctrl_c_buys_nothing_more_and_what_was_bought_is_kept(tmp_path):
    source, log, journal = (tmp_path / name for name in ("in.jsonl", "calls.log", "journal"))
    source.write_text("".join(json.dumps({"response": f"Answer {i}."}) + "\n" for i in range(100)))
    command = [sys.executable, "-c", INTERRUPTED, *map(str, (source, log, journal))]

    def calls() -> list[str]:
        return log.read_text().split() if log.exists() else []

    with subprocess.Popen(
        [*command, str(tmp_path / "out.jsonl")], stderr=subprocess.PIPE, text=True
    ) as process:
        deadline = time.monotonic() + 120
        while len(calls()) < 5 and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
        before = len(calls())
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert "interrupted" in said
    bought = calls()
    assert 5 <= before <= len(bought) <= before + 20, "100 answers would be 300 calls"
    held = set(Journal(journal)._known)
    assert len(bought) - len(held) <= 2, "all but what was under way"
    subprocess.run([*command, str(tmp_path / "out.jsonl")], check=True, timeout=120,
                   capture_output=True)  # fmt: skip
    assert not held & set(calls()[len(bought) :])
