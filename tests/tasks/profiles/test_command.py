"""`valueflow profile`: what people wrote, in a file, a table and a picture."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from scipy.stats import spearmanr
from valueflow_scorers import JudgeProfile, ValueFlowError, load_panel

from valueflow_tasks.cli import _profile as _command  # noqa: F401  adds the command
from valueflow_tasks.cli import cli
from valueflow_tasks.profiles import (
    ValueProfile,
    ValueScore,
    load_profile,
    load_profiles,
    profile_text,
    save_profiles,
)
from valueflow_tasks.score import Scoring
from valueflow_tasks.theories import evaluated_values
from valueflow_tasks.vidb import load_value
from valueflow_tasks.vidb._values import own_value

JUDGE = "simulated:noise=1"


def run(*arguments: Any) -> str:
    result = CliRunner().invoke(cli, ["profile", *map(str, arguments)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_texts_of_several_authors_become_their_profiles(source, planted, tmp_path):
    path, judge = source
    truth, _ = planted
    picture = tmp_path / "p.png"
    told = run(
        path, "--group-by", "author", "--judge", judge, "-o", tmp_path / "p.json",
        "--plot", picture, "--release", tmp_path / "release",
    )  # fmt: skip
    profiles = load_profiles(tmp_path / "p.json")
    assert list(profiles) == list(truth)
    for name, own in truth.items():
        read = [profiles[name].scores[value].intensity for value in evaluated_values()]
        assert spearmanr([own[value] for value in evaluated_values()], read).statistic >= 0.8
    one = profiles["author 1"]
    assert "author-1" not in told
    assert f"{one.scores['svt/power'].intensity:+.1f} ±" in told
    assert one.built_from is not None
    assert len(one.built_from.ids) == 96
    assert one.built_from.judge is not None
    assert one.built_from.encoder is None
    assert one.scores["svt/power"].others is not None
    assert picture.read_bytes()[:4] == b"\x89PNG"
    assert load_profile(tmp_path / "release" / "author_1.json").name == "author 1"


def test_the_same_command_again_gives_the_same_file(source, tmp_path):
    path, judge = source
    for name in ("a.json", "b.json"):
        run(
            path, "--group-by", "author", "--judge", judge, "--values", "mft", "-o", tmp_path / name
        )
    assert (tmp_path / "a.json").read_text() == (tmp_path / "b.json").read_text()


def test_texts_that_cannot_be_grouped_are_named(source, tmp_path):
    path, judge = source
    with pytest.raises(ValueFlowError, match="line 1: no 'village' to group by"):
        run(path, "--group-by", "village", "--judge", judge, "-o", tmp_path / "p.json")


def grouped(path: Path, *names: str) -> list[Any]:
    """Texts of groups with awkward names, and the arguments that read them."""
    rows = [
        {"text": text.text, "query": text.query, "value": panel.value, "who": name}
        for name in names
        for panel in map(load_panel, ("svt/power", "mft/care"))
        for text in panel.sentinels[:2]
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return [path, "--group-by", "who", "--judge", JUDGE]


def test_names_of_groups_are_shown_and_written_as_they_are(tmp_path, quick):
    given = grouped(tmp_path / "t.jsonl", "a [/INST] b", "[bold]", "a/b", "a_b")
    told = run(
        *given, "--profile", quick, "-o", tmp_path / "p.json", "--release", tmp_path / "release"
    )
    assert "[/INST]" in told
    assert "[bold]" in told
    assert {path.stem for path in (tmp_path / "release").iterdir()} == {
        "a___INST__b", "_bold_", "a_b", "a_b-2",
    }  # fmt: skip
    assert load_profile(tmp_path / "release" / "a_b-2.json").name == "a_b"


def test_many_groups_are_shown_side_by_side_as_far_as_the_terminal_goes(tmp_path, quick):
    pytest.importorskip("matplotlib")
    given = grouped(tmp_path / "t.jsonl", *(f"group number {i}" for i in range(9)))
    picture = tmp_path / "p.png"
    told = run(*given, "--profile", quick, "-o", tmp_path / "p.json", "--plot", picture)
    assert all(f"group number {i} " in told for i in range(9))
    assert "…" not in told
    assert {path.name for path in tmp_path.glob("*.png")} == {"p.png", "p-2.png"}


def test_a_picture_that_cannot_be_drawn_is_refused_before_anything_is_measured(tmp_path):
    given = grouped(tmp_path / "t.jsonl", "x")
    with pytest.raises(ValueFlowError, match="is no picture: give a file in"):
        run(*given, "-o", tmp_path / "p.json", "--plot", tmp_path / "p.xyz")
    assert not (tmp_path / "p.json").exists()


@pytest.mark.parametrize("option", ["--release", "--plot"])
def test_what_cannot_be_written_beside_the_profiles_leaves_them(valueflow, tmp_path, quick, option):
    pytest.importorskip("matplotlib")
    given, output = grouped(tmp_path / "t.jsonl", "x"), tmp_path / "p.json"
    nowhere = tmp_path / "t.jsonl" / "x.png"
    found = valueflow("profile", *given, "--profile", quick, "-o", output, option, nowhere)
    assert found.code == 1
    (told,) = found.err.splitlines()[-1:]
    assert told.startswith("valueflow: ")
    assert "Not a directory" in told
    assert told.endswith(f"; the profiles are in {output}")
    assert list(load_profiles(output)) == ["x"]


def test_profiles_that_cannot_be_written_are_said_to_be_lost(valueflow, tmp_path, quick):
    given = grouped(tmp_path / "t.jsonl", "x")
    output = tmp_path / "t.jsonl" / "p.json"
    found = valueflow("profile", *given, "--profile", quick, "-o", output)
    assert found.code == 1
    assert "no result was kept; what a model said is in its journal" in found.err


def test_saved_profiles_are_sources_and_stay_as_they_are(tmp_path, quick, profile_file):
    given = grouped(tmp_path / "t.jsonl", "x")
    run(*given, profile_file, "--profile", quick, "-o", tmp_path / "p.json")
    both = load_profiles(tmp_path / "p.json")
    assert list(both) == ["own", "x"]
    assert both["own"] == load_profile(profile_file)
    with pytest.raises(ValueFlowError, match="several sources have a profile 'own'"):
        run(profile_file, tmp_path / "p.json", "-o", tmp_path / "q.json")


def lines(path: Path, *rows: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


def test_a_line_without_its_author_is_refused_before_anything_is_measured(tmp_path, monkeypatch):
    source = lines(tmp_path / "t.jsonl", {"text": "x", "author": "a"}, {"text": "y"})
    monkeypatch.setattr("valueflow_scorers._measure.resolve_judge", None)
    with pytest.raises(ValueFlowError, match=r"line 2: no 'author'.*add it, take the line out"):
        run(source, "--group-by", "author", "-o", tmp_path / "p.json")


def test_an_author_of_whom_nothing_can_be_used_does_not_stop_the_others(tmp_path, quick):
    given = grouped(tmp_path / "t.jsonl", "ann")
    with (tmp_path / "t.jsonl").open("a") as handle:
        handle.write(json.dumps({"text": "Who knows.", "value": "svt/power", "who": "cid"}) + "\n")
    told = run(*given, "--profile", quick, "-o", tmp_path / "p.json")
    assert "note: 'cid' has no profile, since no text could be used (1 all 6 windows" in told
    assert list(load_profiles(tmp_path / "p.json")) == ["ann"]


def test_a_profile_that_says_next_to_nothing_is_called_so(tmp_path, quick):
    texts = load_panel("svt/power").sentinels
    sure = JudgeProfile("simulated:noise=1:text=0", tau=1.0, omegas=(0.1,), calibrated=True)
    weak = tmp_path / "weak.json"
    JudgeProfile(sure.judge, tau=30.0, omegas=(8.0,), calibrated=True).save(weak)
    near = next(one for one in texts if abs(one.intensity) < 1)
    source = lines(tmp_path / "t.jsonl", {"text": near.text, "value": "svt/power"})
    given = (source, "--judge", JUDGE, "-o", tmp_path / "p.json", "--profile")
    told = run(*given, weak)
    assert "all: 1 texts; 1 of 1 values vague" in told
    assert "note: 1 of 1 profiles (all) say next to nothing" in told
    assert "90 % interval that holds 0 and is ±4.5 points or wider" in told
    told = run(*given, quick)
    assert "vague" not in told, "near neutral, and known to be"


def test_a_folder_names_a_value_of_ones_own(own, tmp_path, quick):
    value = load_value(own)
    high = max(value.panel().sentinels, key=lambda one: one.intensity)
    text = {"text": high.text, "query": high.query}
    given = ("--judge", JUDGE, "--profile", quick, "-o", tmp_path / "p.json")
    # A line names it; with --values it is what all lines that name nothing are measured on.
    run(lines(tmp_path / "a.jsonl", {**text, "value": f"{own}/"}), *given)
    named = load_profiles(tmp_path / "p.json")["all"]
    told = run(lines(tmp_path / "b.jsonl", text), "--values", own, *given, "--plot",
               tmp_path / "p.png", "--release", tmp_path / "release")  # fmt: skip
    measured = load_profiles(tmp_path / "p.json")["all"]
    assert named.scores == measured.scores
    assert measured.scores[value.id].mean > 3
    assert measured.scores[value.id].distance is None
    assert value.id in told
    assert value.node.steering[2] in profile_text(measured)
    other = load_panel("mft/care").sentinels[0]
    beside = {"text": other.text, "query": other.query, "value": "mft/care"}
    run(lines(tmp_path / "c.jsonl", {**text, "value": str(own)}, beside), "--values", "mft", *given)
    assert list(load_profiles(tmp_path / "p.json")["all"].scores) == ["mft/care"], "not asked for"


def test_a_profile_of_a_value_of_ones_own_is_read_by_another_process(own, tmp_path):
    code = (
        "import sys; from valueflow_tasks.profiles import load_profile;"
        "print(load_profile(sys.argv[1]).scores)"
    )
    value = own_value(str(own))
    profile = ValueProfile("x", {value.id: ValueScore(3.0)})
    path = save_profiles(tmp_path / "p.json", [profile])
    read = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True
    )
    assert value.id in read.stdout
    shutil.rmtree(own)
    broken = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True)
    assert "there is no folder of that name" in broken.stderr


def test_outputs_of_score_on_a_value_of_ones_own_are_sources(own, tmp_path, quick):
    pytest.importorskip("pandas")
    text = load_value(own).panel().sentinels[0]
    source = lines(tmp_path / "a.jsonl", {"response": text.text, "query": text.query})
    scored = tmp_path / "scored.jsonl"
    list(Scoring(source, scored, value=str(own), judge=JUDGE, profile=quick).run())
    run(scored, "-o", tmp_path / "p.json")
    assert list(load_profile(tmp_path / "p.json").scores) == [load_value(own).id]
