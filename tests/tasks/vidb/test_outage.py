from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from valueflow_scorers import Judgement, ValueFlowError, Window
from valueflow_scorers.judges import ResolvedJudge

from valueflow_tasks.vidb import JudgementFile, Ranking, RankSettings, Text, TextFile, _ray
from valueflow_tasks.vidb._shards import Shards

TEXTS = TextFile(tuple(Text(f"t{i}", f"text {i}", neutral=i < 5) for i in range(30)), ())


class Line:
    """A judge behind a network that is up for some calls."""

    name = "line"

    def __init__(self, up: int):
        self.up, self.calls = up, 0

    async def judge(self, windows: Sequence[Window]) -> Sequence[Judgement]:
        return [self._one(window) for window in windows]

    def _one(self, window: Window) -> Judgement:
        self.calls += 1
        if self.calls > self.up:
            return Judgement(failure="call failed: ConnectionError")
        return Judgement(order=tuple(range(len(window.items))))


def rank(judge: Line, path: Path, repeats: int = 8) -> JudgementFile:
    settings = RankSettings("svt/power", "", judge, 2, repeats)  # type: ignore[arg-type]
    return Ranking(TEXTS, path, settings).run()


def test_an_outage_stops_the_ranking_and_costs_nothing_but_its_calls(tmp_path):
    judge, path = Line(up=70), tmp_path / "j.jsonl"
    with pytest.raises(ValueFlowError, match=r"of this round.*ConnectionError.*same command again"):
        rank(judge, path)
    assert "call failed" not in path.read_text()
    judge.up = 10**6
    file = rank(judge, path)
    whole = rank(Line(up=10**6), tmp_path / "whole.jsonl")
    assert file.orders == whole.orders
    assert not file.failures
    assert file.planned("retry") == 0


def test_a_judge_that_is_down_from_the_start_is_not_final(tmp_path):
    with pytest.raises(ValueFlowError, match=r"60 of the 60 windows"):
        rank(Line(up=0), tmp_path / "j.jsonl")
    assert len(rank(Line(up=10**6), tmp_path / "j.jsonl").orders) == 120


def test_a_call_is_made_again_in_the_run_and_in_the_next(tmp_path):
    class Flaky(Line):
        def _one(self, window):
            self.calls += 1
            lost = window.items[0].id == "t3" or self.calls % 9 == 0
            return Judgement(failure="call failed: X") if lost else Judgement(order=(0, 1))

    first = rank(Flaky(up=0), tmp_path / "j.jsonl")
    missing = first.missing()
    assert {first.plans[r][1][w][0] for r, w in missing} >= {"t3"}
    assert len(missing) < 0.2 * first.planned()
    again = rank(Line(up=10**6), tmp_path / "j.jsonl")
    assert not again.missing()
    assert len(again.orders) == 120


def test_failed_calls_in_a_file_are_asked_again(tmp_path):
    path = tmp_path / "j.jsonl"
    rank(Line(up=10**6), path)
    lines = path.read_text().splitlines()
    lines[-1] = json.dumps({"round": 1, "window": 0, "failure": "call failed: ConnectionError"})
    path.write_text("\n".join(lines) + "\n")
    assert len(JudgementFile.read(path).missing()) == 1


def test_ray_actors_ask_side_by_side_and_write_no_failed_call(monkeypatch, tmp_path):
    import anyio

    class Slow(Line):
        now = most = 0

        async def judge(self, windows):
            Slow.now += 1
            Slow.most = max(Slow.most, Slow.now)
            await anyio.sleep(0.01)
            Slow.now -= 1
            return await super().judge(windows)

    judge = Slow(up=20)
    monkeypatch.setattr(_ray, "resolve_judge", lambda *a, **k: ResolvedJudge("slow", "1", judge))
    actor = _ray.JudgingActor({"value": "v", "definition": "", "judge": "x"}, str(tmp_path))
    jobs = [json.dumps({"key": f"{i}", "texts": [["a", "t", None], ["b", "u", None]]})
            for i in range(32)]  # fmt: skip
    told = actor({"job": jobs})
    assert Slow.most == 32
    assert sum(how == "call failed: ConnectionError" for how in told["failure"]) == 12
    written = {row["key"] for row in Shards(tmp_path).news()}
    assert written == {key for key, how in zip(*told.values(), strict=True) if not how}
    judge.up = 10**6
    before = judge.calls
    assert not any(actor({"job": jobs})["failure"])
    assert judge.calls == before + 12
