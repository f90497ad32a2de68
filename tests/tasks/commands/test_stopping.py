"""What a command says is left when it is stopped."""

from __future__ import annotations

import os
import signal
from contextlib import nullcontext

import click
import pytest

from valueflow_tasks.cli import cli, keeping


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ([], "no answers were kept (--use_cache"),
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
    assert "what a model judge said is in its journal" in found.err
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
