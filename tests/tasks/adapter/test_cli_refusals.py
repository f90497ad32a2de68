"""What `valueflow vectors …` cannot do it says before a model is loaded; what came of it, after."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import MappingProxyType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from valueflow_tasks.cli import _vectors, cli
from valueflow_tasks.cli._vectors_given import doubt_of
from valueflow_tasks.queries import load_queries
from valueflow_tasks.steering._answer import Sampling
from valueflow_tasks.steering._folder import dial_file
from valueflow_tasks.steering.fit import Tried

Run = Callable[..., Result]
FIT = ("fit", "--model", "M", "--value", "svt/power", "-o", "OUT")


@pytest.fixture
def run(tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """run(*words): the command's end; it fails the test to load a model."""
    (tmp_path / "file").write_text("no folder", "utf-8")
    rows = '{"text": "I go.", "level": 2}\n'
    asked = json.dumps({"text": "No.", "level": -2, "query": load_queries("test")[0].text})
    texts = {
        "TXT": ("texts.txt", rows),
        "ODD": ("odd.jsonl", f'{rows}{{"text": "No."}}\n'),
        "TEST": ("test.jsonl", f"{rows}{asked}\n"),
    }
    for name, text in texts.values():
        (tmp_path / name).write_text(text, "utf-8")
    names = {"OUT": tmp_path / "out", "FILE": tmp_path / "file" / "out", "FOLDER": folder}
    names |= {word: tmp_path / name for word, (name, _) in texts.items()}
    monkeypatch.setenv("VALUEFLOW_DIALS", str(tmp_path / "dials"))
    monkeypatch.setattr(_vectors, "load", lambda *_: pytest.fail("a model was loaded"))

    def run(*words: str) -> Result:
        return CliRunner().invoke(cli, ["vectors", *(str(names.get(w, w)) for w in words)])

    return run


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((*FIT, "--value", "bogus"), "unknown theory 'bogus'"),
        ((*FIT, "--doses", "nan"), "--doses 'nan'"),
        ((*FIT, "--doses", "0.1,inf"), "above 0 and finite"),
        ((*FIT, "--layers", "x"), "--layers 'x': give auto, or numbers such as 3,5"),
        ((*FIT, "--texts", "exemplar"), "did you mean exemplars"),
        ((*FIT, "--texts", "nowhere.txt"), "choose one of exemplars, prompts, FILE.jsonl"),
        ((*FIT, "--texts", "nowhere.jsonl"), "nowhere.jsonl cannot be read: No such file"),
        ((*FIT, "--texts", "TXT"), "give a JSON Lines file whose name ends in .jsonl or .json"),
        ((*FIT, "--texts", "ODD"), "line 2: expected"),
        ((*FIT, "--texts", "TEST"), "is a test query"),
        ((*FIT, "--judge", "embeded"), "embedded"),
        ((*FIT, "--method", "mean"), "mean-difference"),
        ((*FIT, "-o", "FILE"), "cannot be written (Not a directory)"),
        ((*FIT, "-o", "/proc/vectors"), "-o /proc/vectors cannot be written"),
        (("calibrate", "FOLDER", "--model", "M", "--target", "nan"), "--target nan"),
        (("calibrate", "FOLDER", "--model", "M", "--target", "10.5"), "between -10 and +10"),
        (("calibrate", "FOLDER", "--model", "M", "--value", "svt/tradition"), "unknown value in"),
        (("calibrate", "FOLDER", "--model", "M", "--judge", "embeded"), "embedded"),
    ],
)
def test_what_cannot_be_done_is_refused_before_a_model_is_loaded(
    run: Run, tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    ended = run(*words)
    assert ended.exit_code
    assert said in f"{ended.exception} {ended.output}"
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_take_the_dial_is_refused_before_it_is_measured(
    run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VALUEFLOW_DIALS", "/proc/dials")
    ended = run("calibrate", "--model", "M", "--arm", "prompt", "--value", "svt/power")
    assert "VALUEFLOW_DIALS /proc/dials" in str(ended.exception)

    def read_only(dir: Path, **_: Any) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr("tempfile.TemporaryFile", read_only)
    ended = run("calibrate", "FOLDER", "--model", "M")
    assert f"FOLDER {folder} cannot be written (Read-only file system)" in str(ended.exception)


class KnownTrial:
    """Answers that follow the dose."""

    value, doses = "svt/power", (-1.0, 0.0, 1.0)
    queries, kinds = (None,) * 30, (0,) * 30
    answers = MappingProxyType({dose: ["I would."] for dose in doses})
    sampling = Sampling()

    def mean(self, dose: float, draws: int) -> tuple[float, float, Any]:
        return 2 * dose, 0.3, np.full(draws, 2 * dose)

    def loss(self, dose: float) -> float:
        return 1.0

    def share_unscored(self, dose: float) -> float:
        return 0.0


@pytest.mark.parametrize(("target", "code"), [("1", 0), ("9", 1)])
def test_a_target_out_of_reach_fails_the_command_and_keeps_the_dial(
    run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch, target: str, code: int
) -> None:
    profile = SimpleNamespace(judge="known", fingerprint="0" * 16)
    ruler = SimpleNamespace(judge_profile=profile)
    monkeypatch.setattr(_vectors, "instrument_for", lambda *_: ruler)
    monkeypatch.setattr(_vectors, "load", lambda *_: SimpleNamespace(model=None))
    monkeypatch.setattr("valueflow_tasks.steering.calibrate.trial_spec", lambda *_: None)
    monkeypatch.setattr(
        "valueflow_tasks.steering.calibrate.run_trial", lambda *_, **__: KnownTrial()
    )
    ended = run("calibrate", "FOLDER", "--model", "M", "--value", "svt/power", "--target", target)
    dial = dial_file(folder, "svt/power")
    assert dial.is_file()
    dial.unlink()
    assert ended.exit_code == code, ended.output
    assert ("the dial is saved" in ended.output) is bool(code)
    assert ("out of reach" in ended.output) is bool(code)


def tried(gain: float, error: float = 0.4) -> Tried:
    return Tried(1, 0.1, gain, error, 1.0)


@pytest.mark.parametrize(
    ("best", "others", "texts", "sides", "said"),
    [
        (tried(1.0), [], "exemplars", "one", ""),
        (tried(0.5), [], "exemplars", "one", "try --texts prompts --sides two"),
        (tried(-1.0), [], "prompts", "one", "try --sides two"),
        (tried(0.5), [tried(float("nan"))], "mine.jsonl", "two", "try other --layers"),
        (tried(0.5), [tried(2.0)], "exemplars", "one", "choose with --layers and --doses"),
    ],
)
def test_a_fit_whose_gain_is_not_clear_says_what_to_try(
    best: Tried, others: list[Tried], texts: str, sides: str, said: str
) -> None:
    found = doubt_of("svt/power", best, [best, *others], texts, sides)
    assert (said in found) if said else not found
