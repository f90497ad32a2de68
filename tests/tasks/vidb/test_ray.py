from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from valueflow_scorers import ValueFlowError

from valueflow_tasks.vidb import _ray, read_texts
from valueflow_tasks.vidb._index import index_texts
from valueflow_tasks.vidb._shards import Shard, Shards
from valueflow_tasks.vidb._streams import _lines, _rows, parts


def test_without_ray_the_extra_is_named(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ValueFlowError, match=r"valueflow-tasks\[ray\]"):
        _ray.import_ray()
    with pytest.raises(ValueFlowError, match=r"valueflow-tasks\[ray\]"):
        _ray.RayJudging(tmp_path / "texts.jsonl", tmp_path / "shards")


@pytest.mark.slow
def test_a_killed_ray_worker_loses_nothing_and_repeats_nothing():
    pytest.importorskip("ray", reason="pip install 'valueflow-tasks[ray]'")
    # A process of its own: Ray talks to itself over sockets, which tests may not open.
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.vidb_ray"],
        cwd=Path(__file__).parents[3], env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    (line,) = (line for line in done.stdout.splitlines() if line.startswith('{"killed'))
    found = json.loads(line)
    assert found["killed_workers"] == 1
    assert found["windows_judged"] == found["windows_planned"]
    assert found["judged_twice"] == 0


def test_an_index_says_what_reading_says(tmp_path):
    path = tmp_path / "t.jsonl"
    rows = [
        {"id": "a", "text": "one", "neutral": True},
        {"text": "no id", "query": "why?"},
        {"text": 5},
        {"id": "a", "text": "one", "neutral": True},
        {"id": "b", "text": "ünï\u2028code", "neutral": True},
    ]
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    read, index = read_texts(path), index_texts(path)
    assert index.ids == read.ids
    assert index.neutral == read.neutral
    assert index.skipped == read.skipped
    assert index.fingerprint == read.fingerprint
    with path.open("a") as handle:
        handle.write('{"id": "a", "text": "two"}\n')
    for reader in (read_texts, index_texts):
        with pytest.raises(ValueFlowError, match="stands for another text"):
            reader(path)


@pytest.mark.parametrize("size", [1, 3, 7, 1000])
def test_ranges_of_bytes_hold_every_line_once(tmp_path, size):
    path = tmp_path / "t.jsonl"
    lines = [b"%d" % i * (i % 5 + 1) + b"\n" for i in range(20)]
    path.write_bytes(b"".join(lines))
    starts = range(0, path.stat().st_size, size)
    assert [line for at in starts for line in _lines(str(path), at, at + size)] == lines


def test_a_text_is_sent_to_every_window_that_holds_it():
    wanted = parts([("b", "a"), ("a", "c")])
    found = _rows([{"id": "a", "text": "x"}, {"id": "d", "text": "y"}, {"text": ""}], wanted)
    assert list(zip(found["window"], found["slot"], strict=True)) == [(0, 1), (1, 0)]


def test_shards_are_read_on_from_where_they_ended(tmp_path):
    shards, shard = Shards(tmp_path), Shard(tmp_path)
    shard.write([{"key": "a"}, {"key": "x", "failure": "call failed: ConnectionError"}])
    assert [row["key"] for row in shards.news()] == ["a"]
    (path,) = tmp_path.glob("*.jsonl")
    with path.open("ab") as handle:
        handle.write(b'{"key": "b"')
    assert list(shards.news()) == []
    with path.open("ab") as handle:
        handle.write(b"}\n")
    assert [row["key"] for row in shards.news()] == ["b"]
