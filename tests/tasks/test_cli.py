"""The `valueflow` command as people type it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import click
import pytest
from valueflow_scorers import Judgement, JudgeProfile, load_panel
from valueflow_scorers._calibrate import stored_profile_path
from valueflow_scorers._measure import Instrument
from valueflow_scorers.judges.simulated import SimulatedJudge

from valueflow_tasks.cli import cli, keeping, main


class Ended(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture
def valueflow(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Ended]:
    """Run the command in this process: exit code and what was printed."""
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments: object) -> Ended:
        monkeypatch.setattr(sys, "argv", ["valueflow", *map(str, arguments)])
        code = 0
        capsys.readouterr()
        try:
            main()
        except SystemExit as ended:
            code = int(ended.code or 0)
        return Ended(code, *capsys.readouterr())

    return run


def table(text: str) -> dict[str, str]:
    """Two-column tables: first cell -> second cell."""
    rows = [line.strip("│┃ \n").split("│") for line in text.splitlines() if "│" in line]
    return {row[0].strip(): row[1].strip() for row in rows if len(row) == 2}


# -- what is left when a command is stopped


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ([], "nothing was kept (--use_cache"),
        (["--use_cache", "answers"], "answers are in the file of --use_cache"),
        (["--config", "RUN"], "answers are in the file of --use_cache"),
    ],
)
def test_a_run_that_is_stopped_says_what_is_left(valueflow, monkeypatch, tmp_path, given, words):
    pytest.importorskip("lm_eval")
    from lm_eval._cli.harness import HarnessCLI

    monkeypatch.setattr(HarnessCLI, "execute", lambda *_: os.kill(os.getpid(), signal.SIGINT))
    config = tmp_path / "run.yaml"
    config.write_text("use_cache: answers\n", "utf-8")
    given = [one.replace("RUN", str(config)) for one in given]
    found = valueflow("lm-eval", "--tasks", "valueflow_profile", *given)
    assert found.code == 130
    assert words in found.err
    assert "resume" not in found.err


@pytest.mark.parametrize(
    ("kept", "error", "code", "said"),
    [
        (None, KeyboardInterrupt(), 130, "interrupted; nothing was kept\n"),
        ("half of it is kept", KeyboardInterrupt(), 130, "interrupted; half of it is kept\n"),
        (None, OSError(28, "No space left"), 1, "[Errno 28] No space left\n"),
        ("half of it is kept", OSError(28, "No space left"), 1,
         "[Errno 28] No space left; half of it is kept\n"),
    ],
)  # fmt: skip
def test_a_command_that_is_stopped_says_what_is_left(
    valueflow, monkeypatch, kept, error, code, said
):
    def stopped() -> None:
        with keeping(kept) if kept else nullcontext():
            raise error

    monkeypatch.setitem(cli.commands, "stopped", click.Command("stopped", callback=stopped))
    found = valueflow("stopped")
    assert (found.code, found.err.lstrip("\n")) == (code, f"valueflow: {said}")


# -- panels


def test_panel_check_refits_a_panel_and_calls_it_sound(valueflow):
    found = valueflow("panel", "check", "svt/power")
    assert found.code == 0
    (row,) = [line for line in found.out.splitlines() if "svt/power" in line]
    assert "sound" in row


def test_panel_show_prints_the_ruler_strongest_first(valueflow):
    found = valueflow("panel", "show", "svt/power")
    assert found.code == 0
    numbers = [float(x) for x in re.findall(r"^[│┃] +([+-]\d+\.\d) [│┃]", found.out, re.M)]
    assert numbers == sorted(numbers, reverse=True)
    assert len(numbers) == len(load_panel("svt/power").texts) == 30
    assert found.out.count("sentinel") >= 6


def test_release_names_are_understood(valueflow):
    assert "svt/self-direction" in valueflow("panel", "show", "pvq/self_direction").out


@pytest.mark.parametrize(
    ("arguments", "nearest"),
    [
        (("panel", "show", "svt/powr"), "svt/power"),
        (("panel", "check", "svt/powr"), "svt/power"),
        (("panel", "check", "svtt"), "svt"),
        (("judge", "calibrate", "--judge", "embeded"), "embedded"),
        (("judge", "calibrate", "--judge", "simulated:nois=1"), "noise"),
        (("judge", "calibrate", "--judge", "simulated", "--values", "mft/loyality"), "mft/loyalty"),
        (("panel", "shw"), "show"),
    ],
)
def test_an_unknown_name_gives_one_line_with_the_nearest_and_exit_two(
    valueflow, arguments, nearest
):
    found = valueflow(*arguments)
    assert found.code == 2
    said = [line for line in found.err.splitlines() if line.strip()]
    assert nearest in said[-1]
    assert "Traceback" not in found.err + found.out
    if said[-1].startswith("valueflow: "):
        assert len(said) == 1


# -- the harness


def test_path_prints_the_folder_of_the_task_files(valueflow):
    found = valueflow("path")
    assert found.code == 0
    assert (Path(found.out.strip()) / "valueflow.yaml").is_file()
    assert found.out.count("\n") == 1, "nothing else, for use in $(…)"


def test_link_check_says_where_and_by_exit_code_whether(valueflow, tmp_path, monkeypatch):
    pytest.importorskip("lm_eval")
    from valueflow_tasks.lm_eval_tasks import _link

    folder = tmp_path / "tasks" / "valueflow"
    folder.parent.mkdir()
    monkeypatch.setattr(_link, "linked_folder", lambda: folder)
    assert valueflow("link", "--check") == Ended(1, f"not linked: {folder}\n", "")
    assert valueflow("link") == Ended(0, f"linked {folder}\n", "")
    assert valueflow("link", "--check") == Ended(0, f"linked: {folder}\n", "")
    assert valueflow("link", "--undo").code == 0
    assert not folder.exists()
    folder.mkdir()
    refused = valueflow("link")
    assert refused.code == 2
    assert "left alone" in refused.err


@pytest.mark.parametrize("line", [["--include_path", "DIR"], ["--include_path=DIR"],
                                  ["--config", "RUN"], []])  # fmt: skip
def test_the_user_s_folder_of_tasks_is_found_and_ours_too(valueflow, tmp_path, monkeypatch, line):
    pytest.importorskip("lm_eval")
    from lm_eval._cli.harness import HarnessCLI

    from valueflow_tasks.lm_eval_tasks import _link

    monkeypatch.setattr(_link, "is_linked", lambda: False)
    chosen = []
    monkeypatch.setattr(HarnessCLI, "execute", lambda self, given: chosen.append(given))
    config = tmp_path / "run.yaml"
    config.write_text(f"include_path: {tmp_path}\n", "utf-8")
    given = [one.replace("DIR", str(tmp_path)).replace("RUN", str(config)) for one in line]
    assert valueflow("lm-eval", "--tasks", "valueflow_profile", *given).code == 0
    theirs = [str(tmp_path)] if line else []
    assert chosen[0].include_path == [str(_link.config_folder()), *theirs]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["--tasks", "nonsense"], "Tasks not found: nonsense"),
        (["--tasks", "valueflow_profile", "--model", "nonsense"], "model 'nonsense'"),
        (["--tasks", "valueflow_profile", "--model", "hf"], "'pretrained'"),
        (["--model", "valueflow-control"], "No tasks specified"),
        (["--config", "BROKEN"], "Invalid YAML"),
    ],
)
def test_what_the_harness_refuses_is_one_line(valueflow, monkeypatch, tmp_path, given, words):
    tasks = pytest.importorskip("lm_eval.tasks")
    ours = partial(tasks.TaskManager, include_defaults=False)  # the others take long to list
    monkeypatch.setattr(tasks, "TaskManager", ours)
    broken = tmp_path / "broken.yaml"
    broken.write_text("tasks: [", "utf-8")
    found = valueflow("lm-eval", *(str(broken) if one == "BROKEN" else one for one in given))
    assert found.code == 2
    told = found.err[found.err.index("valueflow: ") :]
    assert words in told
    assert "valueflow lm-eval ls tasks" in told


def test_what_breaks_within_the_harness_keeps_its_traceback(valueflow, monkeypatch):
    pytest.importorskip("lm_eval")
    from lm_eval._cli.harness import HarnessCLI

    def broken(*_: Any) -> None:
        raise ValueError("deep inside")

    monkeypatch.setattr(HarnessCLI, "execute", broken)
    with pytest.raises(ValueError, match=r"^deep inside$"):
        valueflow("lm-eval", "--tasks", "valueflow_profile")


@pytest.mark.slow
def test_the_harness_s_own_command_line_runs_the_tasks_and_writes_samples(tmp_path):
    pytest.importorskip("lm_eval")
    profile = tmp_path / "profile.json"
    JudgeProfile("simulated:noise=1:text=0", tau=1.0, omegas=(0.1,), calibrated=True).save(profile)
    program = "import sys; from valueflow_tasks.cli import main; sys.argv[0] = 'valueflow'; main()"
    command = [
        sys.executable, "-c", program, "lm-eval", "--model", "valueflow-control",
        "--model_args", "mode=oracle", "--tasks", "valueflow_steer_svt_power", "--limit", "2",
        "--metadata", "judge=simulated:noise=1", f"profile={profile}",
        "--output_path", str(tmp_path / "out"), "--log_samples",
    ]  # fmt: skip
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert ended.returncode == 0, ended.stderr
    for name in ("steerability", "tracking", "gain", "refusal"):
        assert name in ended.stdout
    (results,) = (tmp_path / "out").rglob("results_*.json")
    found = json.loads(results.read_text("utf-8"), parse_constant=pytest.fail)
    assert found["results"]["valueflow_steer_svt_power"]["tracking,valueflow"] > 0.8
    (samples,) = (tmp_path / "out").rglob("samples_*.jsonl")
    lines = [json.loads(line) for line in samples.read_text("utf-8").splitlines()]
    assert len(lines) == 2
    for line in lines:
        texts = [text for (text,) in line["resps"]]
        assert all(len(text.split()) > 10 for text in texts)
        estimates = [json.loads(one)["estimates"]["svt/power"] for one in line["filtered_resps"]]
        assert len(estimates) == 5
        assert all(-10 <= one["intensity"] <= 10 for one in estimates)


# -- judges


def test_an_embedded_judge_is_calibrated_offline_and_reported(valueflow):
    found = valueflow("judge", "calibrate", "--judge", "embedded", "--values", "svt/power")
    assert found.code == 0
    rows = table(found.out)
    assert 0 <= float(rows["sentinels, m=3: coverage of 90 % intervals"]) <= 1
    assert float(rows["failure rate"]) == 0
    assert float(rows["sign flips between repeats"]) == 0, "it reads a text alike each time"
    assert float(rows["repeat agreement (Krippendorff alpha)"]) == 1
    assert rows["Kendall tau of windows with labels"] == "-", "it orders nothing"


def test_planted_noise_and_misreading_come_back_within_fifteen_percent(valueflow):
    found = valueflow("judge", "calibrate", "--judge", "simulated:noise=1.5:text=1")
    assert found.code == 0
    rows = table(found.out)
    assert float(rows["tau: noise per window, points"]) == pytest.approx(1.5, rel=0.15)
    assert float(rows["omega: persistent misreading, points"]) == pytest.approx(1.0, rel=0.15)
    assert float(rows["largest slot bias, points"]) < 0.3
    for m in (3, 20):
        coverage = float(rows[f"sentinels, m={m}: coverage of 90 % intervals"])
        assert 0.82 < coverage < 0.97
    assert float(rows["sentinels, m=20: RMSE"]) < float(rows["sentinels, m=3: RMSE"])


@pytest.fixture
def written(valueflow, tmp_path):
    """A calibration with its files: profile, report, plot."""
    if find_spec("matplotlib") is None:
        pytest.skip("matplotlib is not installed")
    folder = tmp_path / "report"
    found = valueflow(
        "judge", "calibrate", "--judge", "simulated:noise=1", "--values", "svt/power,mft/care",
        "--windows", 120, "-o", folder,
    )  # fmt: skip
    assert found.code == 0, found.err
    return folder


def test_a_calibration_writes_a_profile_that_measures_a_report_and_a_plot(written):
    assert (written / "reliability.png").read_bytes().startswith(b"\x89PNG")
    profile = JudgeProfile.load(written / "profile.json")
    assert profile.calibrated
    instrument = Instrument(judge="simulated:noise=1", profile=str(written / "profile.json"))
    assert instrument.judge_profile.fingerprint == profile.fingerprint
    report = json.loads((written / "report.json").read_text("utf-8"), parse_constant=pytest.fail)
    assert report["fingerprint"] == profile.fingerprint
    assert report["calls"] > 120
    for name in ("repeat_agreement", "window_kendall", "pairwise_agreement", "sign_flips"):
        assert -1 <= report[name] <= 1
    assert {one["m"] for one in report["sentinels"]} == {3, 20}
    assert all(one["scored"] == 12 for one in report["sentinels"])


@pytest.mark.parametrize(("where", "named"), [("-o", "-o /proc/x"), ("profiles", "VALUEFLOW_PROF")])
def test_a_place_that_cannot_be_written_is_refused_before_a_judge_is_asked(
    valueflow, model_judge, monkeypatch, where, named
):
    monkeypatch.setattr(
        "valueflow_scorers._judge_report.judge_report", lambda *_, **__: pytest.fail("asked")
    )
    given = [word for key, value in model_judge.items() for word in (f"--{key}", value)]
    if where == "-o":
        given += ["-o", "/proc/x"]
    else:
        monkeypatch.setenv("VALUEFLOW_PROFILES", "/proc/x")
    found = valueflow("judge", "calibrate", *given, "--windows", 640)
    assert found.code == 2
    assert found.err.startswith(f"valueflow: {named}")
    assert "cannot be written" in found.err


@pytest.fixture
def model_judge(monkeypatch, tmp_path):
    """Settings of a model judge, and of a machine on which there is one panel."""

    class Model:
        """A language model as judge, as far as the command can tell."""

        name, prompt_version = "ranking:some/model", "1"

        def __init__(self) -> None:
            self._judge = SimulatedJudge([load_panel("svt/power")], noise=1.0)

        async def judge(self, windows: Any) -> Any:
            return await self._judge.judge(windows)

    monkeypatch.setattr("valueflow_scorers.judges._model_judge", lambda *_: Model())
    monkeypatch.setenv("VALUEFLOW_PROFILES", str(tmp_path / "profiles"))
    monkeypatch.setattr("valueflow_tasks.settings.measurable_values", lambda: ("svt/power",))
    return {"judge": "ranking:some/model", "journal": str(tmp_path / "journal")}


def _calibrate(valueflow, settings, *more):
    given = [word for key, value in settings.items() for word in (f"--{key}", value)]
    found = valueflow("judge", "calibrate", *given, *more)
    assert found.code == 0, found.err
    return found


def test_a_model_judge_s_profile_is_filed_where_auto_finds_it(valueflow, model_judge, tmp_path):
    settings = model_judge
    assert not Instrument(**settings).judge_profile.calibrated
    found = _calibrate(valueflow, settings, "--windows", 640)
    profile = Instrument(**settings).judge_profile
    assert profile.calibrated
    assert f"profile {profile.fingerprint} filed" in found.out
    assert [path.suffix for path in (tmp_path / "profiles").iterdir()] == [".json"]
    stats = valueflow("journal", "stats", tmp_path / "journal")
    assert stats.code == 0
    assert "ranking:some/model" in stats.out
    assert re.search(r"\b[1-9]\d* judgements in 1 files; 0 lines skipped", stats.out)
    # Another k is another profile.
    assert not Instrument(k=5, **settings).judge_profile.calibrated


@pytest.mark.parametrize("part", ["few windows", "few panels"])
def test_a_partial_calibration_leaves_the_filed_profile_alone(
    valueflow, model_judge, monkeypatch, tmp_path, part
):
    filed = JudgeProfile(model_judge["judge"], "1", tau=0.7, calibrated=True)
    path = stored_profile_path(model_judge["judge"], "1", 6)
    path.parent.mkdir()
    filed.save(path)
    windows = 60
    if part == "few panels":
        windows = 640
        both = ("svt/power", "mft/care")
        monkeypatch.setattr("valueflow_tasks.settings.measurable_values", lambda: both)
    found = _calibrate(
        valueflow, model_judge, "--values", "svt/power", "--windows", windows, "-o", tmp_path / "o"
    )
    assert Instrument(**model_judge).judge_profile == filed
    assert re.search(r"not filed.*640 windows.*-o DIR", found.out)
    own = JudgeProfile.load(tmp_path / "o" / "profile.json")
    assert own.fingerprint in found.out


def test_a_journal_that_is_not_there_is_said_to_be_missing(valueflow, tmp_path):
    found = valueflow("journal", "stats", tmp_path / "none")
    assert found.code == 2
    assert found.err.startswith(f"valueflow: no journal in {tmp_path / 'none'}")
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    ("k", "words"), [("1", "2 to 10 items"), ("11", "2 to 10 items"), ("40", "2 to 10 items")]
)  # fmt: skip
def test_a_window_size_that_cannot_be_used_is_refused_before_a_judge_is_paid(
    valueflow, monkeypatch, tmp_path, k, words
):
    class Paid:
        name, prompt_version, asked = "ranking:some/model", "1", 0

        async def judge(self, windows: Any) -> Any:
            Paid.asked += len(windows)
            return await SimulatedJudge([load_panel("svt/power")]).judge(windows)

    monkeypatch.setattr("valueflow_scorers.judges._model_judge", lambda *_: Paid())
    found = valueflow(
        "judge", "calibrate", "--judge", "ranking:some/model", "--values", "svt/power",
        "--windows", 20, "--journal", tmp_path / "journal", "--k", k,
    )  # fmt: skip
    assert found.code == 2
    assert words in found.err
    assert Paid.asked == 0


# -- score


@pytest.fixture
def quick(tmp_path: Path) -> list[str]:
    path = tmp_path / "profile.json"
    JudgeProfile("simulated:noise=1:text=0", tau=1.0, omegas=(0.1,), calibrated=True).save(path)
    return ["--judge", "simulated:noise=1", "--profile", str(path)]


def test_score_measures_a_file_and_prints_a_mean_per_value(valueflow, quick, tmp_path):
    source, output = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    texts = load_panel("svt/power").sentinels
    source.write_text("".join(json.dumps({"response": text.text}) + "\n" for text in texts))
    first = valueflow("score", source, "-o", output, "--value", "svt/power", *quick)
    assert first.code == 0, first.err
    assert "svt/power" in first.out
    assert len(output.read_text().splitlines()) == 6
    again = valueflow("score", source, "-o", output, "--value", "svt/power", *quick)
    assert again.out == first.out
    assert len(output.read_text().splitlines()) == 6


def test_score_says_once_how_many_texts_were_read_in_part(valueflow, quick, monkeypatch, tmp_path):
    longest = max(text.text for text in load_panel("svt/power").sentinels)
    cuts = lambda _, texts: [text == longest for text in texts]  # noqa: E731
    monkeypatch.setattr(SimulatedJudge, "cuts", cuts, raising=False)
    monkeypatch.setattr(SimulatedJudge, "reads", "the first word", raising=False)
    source = tmp_path / "in.jsonl"
    texts = load_panel("svt/power").sentinels
    source.write_text("".join(json.dumps({"response": text.text}) + "\n" for text in texts))
    given = ("score", source, "-o", tmp_path / "out.jsonl", "--value", "svt/power", *quick)
    for _ in range(2):  # and again by a run that has nothing left to judge
        told = valueflow(*given).err
        assert told.count("note: 1 of 6 texts are longer than what judge simulated") == 1
        assert "(the first word)" in told
    monkeypatch.undo()
    (tmp_path / "out.jsonl").unlink()
    assert "note:" not in valueflow(*given).err


def test_score_names_a_bad_line_in_one_line(valueflow, quick, tmp_path):
    source = tmp_path / "in.jsonl"
    source.write_text('{"value": "svt/power", "response": "x"}\n{"value": \n')
    found = valueflow("score", source, "-o", tmp_path / "out.jsonl", *quick)
    assert found.code == 2
    assert found.err.startswith(f"valueflow: {source}, line 2: ")
    assert len(found.err.splitlines()) == 1
    assert not (tmp_path / "out.jsonl").exists()


def test_score_refuses_a_file_that_is_not_there(valueflow, quick, tmp_path):
    found = valueflow("score", tmp_path / "none.jsonl", "-o", tmp_path / "out.jsonl", *quick)
    assert found.code == 2
    assert "none.jsonl" in found.err


def test_score_refuses_a_folder_that_is_not_there_in_one_line(valueflow, quick, tmp_path):
    source = tmp_path / "in.jsonl"
    source.write_text('{"value": "svt/power", "response": "x"}\n')
    found = valueflow("score", source, "-o", tmp_path / "none" / "out.jsonl", *quick)
    assert found.code != 0
    assert "Traceback" not in found.err
    assert "out.jsonl" in found.err


@pytest.mark.parametrize(
    "batch",
    [
        "0",
        "-3",
        "1",
    ],
)
def test_a_batch_of_no_answers_is_refused(valueflow, quick, tmp_path, batch):
    source = tmp_path / "in.jsonl"
    line = {"value": "svt/power", "response": load_panel("svt/power").sentinels[0].text}
    source.write_text(json.dumps(line) + "\n")
    output = tmp_path / "out.jsonl"
    found = valueflow("score", source, "-o", output, "--batch", batch, *quick)
    if found.code == 0:
        assert len(output.read_text().splitlines()) == 1, "nothing was measured"
    else:
        assert found.code == 2
        assert "batch" in found.err


def test_a_run_without_one_number_ends_in_an_error_with_the_judge_s_own_words(
    valueflow, tmp_path, monkeypatch
):
    class Down:
        name, prompt_version = "ranking:some/model", "1"

        async def judge(self, windows: Any) -> Any:
            return [Judgement(failure="call failed: Error", raw="no credit\nleft") for _ in windows]

    monkeypatch.setattr("valueflow_scorers.judges._model_judge", lambda *_: Down())
    source = tmp_path / "in.jsonl"
    source.write_text('{"value": "svt/power", "response": "x"}\n')
    found = valueflow(
        "score", source, "-o", tmp_path / "out.jsonl", "--judge", "ranking:some/model",
        "--journal", tmp_path / "journal",
    )  # fmt: skip
    assert found.code == 1
    last = found.err.splitlines()[-1]
    assert last.startswith("valueflow: no answer has a number; the first: all 6 windows failed")
    assert last.endswith("the judge said: no credit left")


def test_a_model_whose_package_is_missing_is_refused_before_anything_is_written(
    valueflow, tmp_path, monkeypatch
):
    from inspect_ai._util.error import pip_dependency_error

    def missing(name: str) -> Any:
        raise pip_dependency_error("OpenAI API", ["openai"])

    monkeypatch.setattr("valueflow_scorers.judges.model._opened", missing)
    source = tmp_path / "in.jsonl"
    source.write_text('{"value": "svt/power", "response": "x"}\n')
    found = valueflow(
        "score", source, "-o", tmp_path / "out.jsonl", "--judge", "ranking:openai/gpt-4o",
        "--journal", tmp_path / "journal",
    )  # fmt: skip
    assert found.code == 2
    assert found.err.splitlines()[-1].endswith("Install with: pip install openai")
    assert "Traceback" not in found.err
    assert [path.name for path in tmp_path.iterdir()] == ["in.jsonl"]


@pytest.mark.parametrize("judge", ["embedded", "rating:some/model"])
def test_the_released_evaluator_is_refused_for_a_judge_that_reads(valueflow, tmp_path, judge):
    source = tmp_path / "in.jsonl"
    source.write_text('{"value": "svt/power", "response": "x"}\n')
    found = valueflow(
        "score", source, "-o", tmp_path / "out.jsonl", "--compat", "valueflow", "--judge", judge
    )
    assert found.code == 2
    assert "compat asks for orders" in found.err
    assert "ranking:" in found.err


def test_an_interrupted_run_says_how_to_go_on(valueflow, quick, tmp_path, monkeypatch):
    def interrupted(*_: Any, **__: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr("valueflow_tasks.score.Scoring.run", interrupted)
    source = tmp_path / "in.jsonl"
    source.write_text('{"value": "svt/power", "response": "x"}\n')
    found = valueflow("score", source, "-o", tmp_path / "out.jsonl", *quick)
    assert found.code == 130
    assert "the same command again goes on from there" in found.err
    assert "Traceback" not in found.err


# -- imports


HEAVY = ("numpy", "scipy", "torch", "transformers", "matplotlib", "pandas", "lm_eval",
         "inspect_ai", "sentence_transformers", "datasets", "ray", "vllm")  # fmt: skip


@pytest.mark.parametrize("module", ["valueflow_tasks", "valueflow_scorers"])
def test_importing_a_package_loads_nothing_heavy(module):
    program = f"import sys, {module}; print([m for m in {HEAVY!r} if m in sys.modules])"
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert ended.stdout.strip() == "[]"


def test_the_instrument_never_imports_the_protocol_or_a_harness():
    program = (
        "import sys; from valueflow_scorers import AnchorEvaluator, Response, load_panel\n"
        "panel = load_panel('svt/power')\n"
        "evaluator = AnchorEvaluator(panel, 'simulated', k=4, m=2)\n"
        "assert evaluator.score([Response(panel.sentinels[0].text)])[0].scored\n"
        "loaded = {name.partition('.')[0] for name in sys.modules}\n"
        "print(sorted(loaded & {'valueflow_tasks', 'lm_eval', 'inspect_ai', 'torch'}))\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=120
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.strip() == "[]"


def test_version_is_the_distribution_s(valueflow):
    from importlib.metadata import version

    found = valueflow("--version")
    assert found.code == 0
    assert version("valueflow-tasks") in found.out
