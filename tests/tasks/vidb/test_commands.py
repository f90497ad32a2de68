from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from valueflow_scorers import ValueFlowError

from valueflow_tasks.cli import (
    _vidb_questions,  # noqa: F401  adds its commands
    cli,
)


@pytest.fixture
def database(tmp_path) -> Path:
    path = tmp_path / "db.jsonl"
    rows = [{"value": "svt/power"}] + [{"id": f"{i}", "text": f"x{i}", "intensity": i - 5}
                                       for i in range(11)]  # fmt: skip
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def run(*words: object):
    return CliRunner().invoke(cli, ["vidb", *map(str, words)], catch_exceptions=False)


@pytest.mark.parametrize("command", ["check", "label", "sample", "fit"])
def test_no_command_writes_over_what_it_reads(command, database):
    before = database.read_bytes()
    more = {
        "label": ["--theory", "svt", "--asker", "simulated"],
        "check": ["--asker", "simulated"],
        "fit": ["--texts", database],
        "sample": [],
    }[command]
    with pytest.raises(ValueFlowError, match="is read by this command"):
        run(command, database, *more, "-o", database)
    assert database.read_bytes() == before


def test_judging_and_merging_are_told_apart(database, tmp_path):
    with pytest.raises(ValueFlowError, match="not both"):
        run("check", database, "--asker", "simulated", "--corrections", database,
            "-o", tmp_path / "out.jsonl")  # fmt: skip


@pytest.mark.parametrize(
    "words",
    [
        ("rank", "--batch", "0"),
        ("rank", "--seed", "-1"),
        ("rank", "--repeats", "0"),
        ("rank", "--k", "1"),
        ("rank", "--workers", "0"),
        ("panel", "--anchors", "-3"),
        ("panel", "--anchors", "0"),
        ("sample", "--count", "0"),
        ("check", "--weight", "2"),
        ("load", "--sample", "0"),
    ],
)
def test_impossible_numbers_are_refused_by_name(words, database, tmp_path):
    command, option, number = words
    needed = ["--value", "svt/power", "--judge", "simulated"] if command == "rank" else []
    done = run(command, database, *needed, option, number, "-o", tmp_path / "out")
    assert done.exit_code == 2
    assert f"'{option}'" in done.output or f"/ '{option}'" in done.output
    assert not (tmp_path / "out").exists()


def test_memory_is_said_before_anything_is_read(tmp_path):
    texts, judged = tmp_path / "t.jsonl", tmp_path / "j.jsonl"
    texts.write_text("{}\n")
    judged.write_bytes(b"x" * 10**6)
    done = CliRunner().invoke(
        cli, ["vidb", "fit", str(judged), "--texts", str(texts), "-o", str(tmp_path / "o")]
    )
    assert isinstance(done.exception, ValueFlowError)
    assert "need about 159 MB" in done.output
