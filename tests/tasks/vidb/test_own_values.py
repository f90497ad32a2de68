from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from valueflow_scorers import ValueFlowError, load_panel

from valueflow_tasks.cli import (
    _vidb,  # noqa: F401  adds its commands
    cli,
)
from valueflow_tasks.settings import Settings
from valueflow_tasks.theories import evaluated_values, resolve_values
from valueflow_tasks.vidb import load_value, read_texts
from valueflow_tasks.vidb._values import described

EXAMPLE = Path(__file__).parents[3] / "docs" / "examples" / "frugality"


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """The documented sequence on every fourth question of the example."""
    made = tmp_path_factory.mktemp("own") / "thrift"
    made.mkdir()
    described = (EXAMPLE / "value.yaml").read_text().replace("own/frugality", "own/thrift")
    (made / "value.yaml").write_text(described)
    lines = (EXAMPLE / "texts.jsonl").read_text().splitlines()
    kept = [line for i, line in enumerate(lines) if i // 5 % 4 == 0]
    (made / "texts.jsonl").write_text("\n".join(kept) + "\n")
    judge = f"simulated:noise=1:truth={EXAMPLE / 'intended.jsonl'}"
    for arguments in (
        ["rank", "texts.jsonl", "--value", ".", "--judge", judge, "--k", "4", "--repeats", "24",
         "-o", "judgements.jsonl"],
        ["fit", "judgements.jsonl", "--texts", "texts.jsonl", "--licence", "CC BY 4.0",
         "-o", "database.jsonl"],
        ["panel", "database.jsonl", "-o", "."],
    ):  # fmt: skip
        files = {"texts.jsonl", "judgements.jsonl", "database.jsonl", "."}
        placed = [str(made / one) if one in files else one for one in arguments]
        done = CliRunner().invoke(cli, ["vidb", *placed], catch_exceptions=False)
        assert done.exit_code == 0, done.output
    return made


def test_the_example_has_enough_real_texts():
    texts = read_texts(EXAMPLE / "texts.jsonl")
    assert len(texts.texts) >= 200
    assert len(texts.neutral) >= 20
    assert len({text.text for text in texts.texts}) == len(texts.texts)


def test_one_sequence_of_commands_ends_in_a_panel(folder):
    panel = load_panel(folder / "own-thrift.jsonl")
    assert (len(panel.anchors), len(panel.sentinels)) == (24, 6)
    told = {
        row["text"]: row["intensity"]
        for row in map(json.loads, (EXAMPLE / "intended.jsonl").read_text().splitlines())
    }
    errors = [abs(text.intensity - told[text.text]) for text in panel.texts]
    assert sum(errors) / len(errors) < 1.5
    assert panel.draws is not None


def test_settings_carry_the_value_to_other_processes(folder):
    settings = Settings.parse({"values": [str(folder), "svt/power"], "judge": "simulated"})
    assert settings.values == ("own/thrift", "svt/power")
    assert settings.to_dict()["values"] == [str(folder), "svt/power"]
    assert Settings.parse(settings.to_dict()) == settings
    assert settings.instrument().panel("own/thrift").value == "own/thrift"


def test_a_ruler_that_is_built_again_is_used_at_once(folder, tmp_path):
    copy = tmp_path / "again"
    shutil.copytree(folder, copy)
    for name in ("value.yaml", "own-thrift.jsonl"):
        path = copy / name
        text = path.read_text("utf-8").replace("own/thrift", "own/again")
        path.unlink()
        (copy / name.replace("thrift", "again")).write_text(text, "utf-8")
    settings = Settings.parse({"values": str(copy), "judge": "simulated"})
    first = settings.instrument().panel("own/again").fingerprint
    ruler = copy / "own-again.jsonl"
    head, *texts = ruler.read_text("utf-8").splitlines()
    other = {**json.loads(texts[0]), "text": "Another text altogether."}
    ruler.write_text("\n".join([head, json.dumps(other), *texts[1:]]) + "\n", "utf-8")
    assert settings.instrument().panel("own/again").fingerprint != first


def test_two_folders_with_one_id_are_refused_and_both_named(folder, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    Settings.parse({"values": str(folder)})
    with pytest.raises(ValueFlowError, match=rf"{folder} and {copy} .*'own/thrift'"):
        Settings.parse({"values": str(copy)})


def test_a_known_value_wins_over_a_folder_of_its_name(folder, tmp_path, monkeypatch):
    settings = Settings.parse({"values": str(folder)})
    (tmp_path / "own" / "thrift").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert Settings.parse({"values": "own/thrift"}) == settings


def test_what_an_inspect_log_keeps_of_the_scorer_finds_the_value_again(folder):
    pytest.importorskip("inspect_ai")
    from inspect_ai._util.registry import registry_params

    from valueflow_tasks.inspect_tasks import valueflow_profile

    task = valueflow_profile(values=str(folder), judge="simulated:noise=1", queries="core")
    assert registry_params(task.scorer[0])["values"] == [str(folder)]


def test_a_panel_of_ones_own_does_not_move_the_others(folder):
    from valueflow_scorers._measure import Answer

    answer = Answer("q1", "What matters?", "I like to be in charge of things.", ("svt/power",))
    alone = Settings.parse({"values": "svt/power"}).instrument().measure([answer])
    beside = Settings.parse({"values": ["svt/power", str(folder)]}).instrument().measure([answer])
    assert alone[0].estimates["svt/power"] == beside[0].estimates["svt/power"]


@pytest.mark.slow
@pytest.mark.parametrize("harness", ["lm-eval", "inspect"])
def test_both_harnesses_use_the_panel(folder, harness, tmp_path):
    binaries = Path(sys.executable).parent
    if harness == "lm-eval":
        command = [binaries / "valueflow", "lm-eval", "--model", "valueflow-control",
                   "--model_args",
                   "mode=inert", "--tasks", "valueflow_profile,valueflow_steer_own", "--metadata",
                   f"values={folder}", "queries=core", "--limit", "2"]  # fmt: skip
    else:
        command = [binaries / "inspect", "eval", "valueflow_tasks/valueflow_profile", "-T",
                   f"values={folder}", "--limit", "2", "--model", "valueflow/control", "-M",
                   "mode=inert", "--display", "plain", "--log-dir", tmp_path]  # fmt: skip
    done = subprocess.run(
        list(map(str, command)), capture_output=True, text=True, timeout=300, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert "intensity_own_thrift" in done.stdout


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("id: svt/thrift", "is taken"),
        ("id: Thrift", "lower-case"),
        ("colour: red", "unknown fields"),
    ],
)
def test_bad_descriptions_say_what_to_change(tmp_path, line, message):
    (tmp_path / "value.yaml").write_text(
        ("" if line.startswith("id") else "id: own/x\n")
        + f"{line}\ndefinition: d\nsteering: {{-2: a, -1: b, 1: c, 2: d}}\n"
    )
    with pytest.raises(ValueFlowError, match=message):
        load_value(tmp_path)


@pytest.mark.parametrize(
    "steering",
    ["be thrifty", "[a, b, c, d]", "{up: a, -1: b, 1: c, 2: d}", "{-2: [a], -1: b, 1: c, 2: d}"],
)
def test_steering_is_a_sentence_per_level(tmp_path, steering):
    (tmp_path / "value.yaml").write_text(f"id: own/x\ndefinition: d\nsteering: {steering}\n")
    with pytest.raises(ValueFlowError, match="one sentence for each level"):
        load_value(tmp_path)


def test_a_value_without_a_ruler_says_how_to_build_one(tmp_path):
    (tmp_path / "value.yaml").write_text(
        "id: own/bare\ndefinition: d\nsteering: {-2: a, -1: b, 1: c, 2: d}\n"
    )
    with pytest.raises(ValueFlowError, match="valueflow vidb rank"):
        Settings.parse({"values": str(tmp_path)}).instrument()


def test_a_folder_that_is_not_there_is_no_unknown_theory(tmp_path):
    for missing in ("./thrift", "my/thrift", str(tmp_path / "thrift"), "x/" + "y" * 5000):
        with pytest.raises(ValueFlowError, match="and there is no folder of that name"):
            Settings.parse({"values": missing})
        with pytest.raises(ValueFlowError, match="and there is no folder of that name"):
            described(missing)
    with pytest.raises(ValueFlowError, match=r"has no value\.yaml"):
        described(str(tmp_path))


def test_where_values_of_ones_own_are_not_taken_a_folder_is_refused_as_one(folder):
    with pytest.raises(ValueFlowError, match="is a folder, and values of your own are not taken"):
        resolve_values([str(folder)], evaluated_values())
