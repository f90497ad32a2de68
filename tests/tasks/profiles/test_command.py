"""`valueflow profile`: what people wrote, in a file, a table and a picture."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from scipy.stats import spearmanr
from valueflow_scorers import ValueFlowError, load_panel

from valueflow_tasks.cli import _profile as _command  # noqa: F401  adds the command
from valueflow_tasks.cli import cli
from valueflow_tasks.profiles import load_profile, load_profiles
from valueflow_tasks.theories import evaluated_values

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


def test_saved_profiles_are_sources_and_stay_as_they_are(tmp_path, quick, profile_file):
    given = grouped(tmp_path / "t.jsonl", "x")
    run(*given, profile_file, "--profile", quick, "-o", tmp_path / "p.json")
    both = load_profiles(tmp_path / "p.json")
    assert list(both) == ["own", "x"]
    assert both["own"] == load_profile(profile_file)
    with pytest.raises(ValueFlowError, match="several sources have a profile 'own'"):
        run(profile_file, tmp_path / "p.json", "-o", tmp_path / "q.json")
