from __future__ import annotations

import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from valueflow_tasks.cli import (
    _vidb,  # noqa: F401  adds its commands
    cli,
)
from valueflow_tasks.vidb import Database, Ranking, RankSettings, Text, TextFile, build
from valueflow_tasks.vidb._publish import publish

pytest.importorskip("pyarrow")


def test_the_refit_that_the_card_names_works(truth_of, tmp_path, monkeypatch):
    texts, _, judge = truth_of(24)
    settings = RankSettings("svt/power", "", judge, 2, 10)
    file = Ranking(texts, tmp_path / "j.jsonl", settings).run()
    file.plan("uniform", [("x", "y")])
    with file.path.open("a") as handle:
        handle.write(f'{{"round": {len(file.plans) - 1}, "window": 0, "order": [0, 1]}}\n')
    file = type(file).read(file.path)
    more = TextFile((*texts.texts, Text("x", "x"), Text("y", "y")), ())
    database = build(more, [file], drop_unreachable=True, licence="CC BY 4.0")
    publish(database, [file.path], tmp_path / "hub")
    card = (tmp_path / "hub" / "README.md").read_text()
    command = re.search(r"`valueflow (vidb fit [^`]*)`", card)[1]
    monkeypatch.chdir(tmp_path / "hub")
    words = shlex.split(command.replace("judgements/*.jsonl", "judgements/j.jsonl"))
    done = CliRunner().invoke(cli, words, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    again = Database.load(Path("database.jsonl"))
    assert np.allclose(again.intensities, database.intensities, atol=1e-3)


def test_judgement_files_of_one_name_are_all_kept(tmp_path):
    texts = tuple(Text(f"t{i}", f"text {i}") for i in range(4))
    head = {"value": "svt/power", "licence": "CC BY 4.0"}
    database = Database(head, texts, np.arange(4.0), np.ones(4))
    files = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        files.append(tmp_path / name / "j.jsonl")
        files[-1].write_text(name)
    publish(database, files, tmp_path / "hub")
    kept = sorted((tmp_path / "hub" / "judgements").iterdir())
    assert [path.read_text() for path in kept] == ["one", "two"]
