"""Ctrl-C stops a study at once, and the same command resumes it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import anyio
import pytest

pytest.importorskip("inspect_ai")

from inspect_ai.log import list_eval_logs, read_eval_log_sample_summaries

from valueflow_tasks.inspect_tasks._batches import Batcher

# Whoever starts the tests in the background has them, and their children, ignore Ctrl-C.
PROGRAM = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
import paced_models
from valueflow_tasks.cli import main
main()
"""
COMMAND = [sys.executable, "-c", PROGRAM, "study", "run", "study.yaml", "-o", "out"]


@pytest.fixture
def calls(tmp_path: Path) -> Callable[[], list[str]]:
    """The paced models' calls so far."""

    def read() -> list[str]:
        path = tmp_path / "calls"
        return path.read_text("utf-8").split() if path.exists() else []

    return read


def _start(folder: Path, *options: str) -> subprocess.Popen[str]:
    environment = {
        **os.environ,
        "HF_HUB_OFFLINE": "1",
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": str(Path(__file__).parent),
        "PACED_CALLS": str(folder / "calls"),
    }
    pipe = subprocess.PIPE
    return subprocess.Popen(
        [*COMMAND, *options], cwd=folder, env=environment, stdout=pipe, stderr=pipe, text=True
    )


def _interrupt(running: subprocess.Popen[str], ready: Callable[[], bool]) -> tuple[str, str]:
    """Ctrl-C as soon as `ready`; what was printed."""
    try:
        deadline = time.monotonic() + 240
        while running.poll() is None and not ready() and time.monotonic() < deadline:
            time.sleep(0.05)
        running.send_signal(signal.SIGINT)
        return running.communicate(timeout=120)
    finally:
        running.kill()


def _finished(folder: Path) -> set[str]:
    """Names of the very generations that are finished."""
    return {
        str(one.uuid)
        for info in list_eval_logs(str(folder / "out" / "answers"))
        for one in read_eval_log_sample_summaries(info.name)
        if one.completed and not one.error
    }


def test_ctrl_c_makes_no_further_calls_and_the_same_command_resumes(
    tmp_path: Path, queries: Path, calls: Callable[[], list[str]]
) -> None:
    (tmp_path / "study.yaml").write_text(
        # Other methods: the second model is not asked side by side with the first.
        "models: [paced/first, {name: paced/second, methods: [exemplars]}]\n"
        f'values: [mft/care]\nqueries: {queries.name}\njudges: ["simulated:noise=1"]\n',
        "utf-8",
    )
    running = _start(tmp_path)
    out, err = _interrupt(running, lambda: len(calls()) >= 8)
    assert running.returncode == 130, out + err
    assert "the same command again" in err
    assert "steerability" not in out, "nothing is judged"
    assert set(calls()) == {"first"}
    kept, asked = _finished(tmp_path), len(calls())
    assert 5 <= len(kept) < 20
    again = _start(tmp_path, "--only", "answers")
    out, err = again.communicate(timeout=240)
    assert again.returncode == 0, out + err
    after = _finished(tmp_path)
    assert kept < after
    assert len(after) == 2 * 4 * 5
    assert len(calls()) == asked + 40 - len(kept), "finished answers were asked for again"


def test_ctrl_c_ends_a_model_on_this_machine_without_a_crash(
    tmp_path: Path, calls: Callable[[], list[str]]
) -> None:
    pytest.importorskip("transformers")
    (tmp_path / "study.yaml").write_text(
        "models: [valueflow/hf/bundled, paced/second]\nvalues: [mft/care, mft/loyalty]\n"
        'queries: core\njudges: ["simulated:noise=1"]\n',
        "utf-8",
    )
    running = _start(tmp_path)
    # The log is there a moment before the first batch, which takes seconds.
    out, err = _interrupt(running, lambda: any((tmp_path / "out").rglob("*.eval")) and _slept())
    assert running.returncode == 130, out + err
    assert calls() == []


def _slept() -> bool:
    time.sleep(1)
    return True


def test_a_batch_that_nobody_waits_for_is_told_so() -> None:
    started, ended = threading.Event(), threading.Event()

    def run(kind: object, contents: list[str], unwanted: Callable[[], bool]) -> list[str]:
        started.set()
        deadline = time.monotonic() + 30
        while not unwanted() and time.monotonic() < deadline:
            time.sleep(0.01)
        if unwanted():
            ended.set()
        return contents

    batcher = Batcher(run, 2)

    async def leave() -> None:
        async with anyio.create_task_group() as group:
            for content in "abc":  # the third waits for a batch that is never made
                group.start_soon(batcher.submit, "kind", content)
            while not started.is_set():
                await anyio.sleep(0.01)
            assert not ended.is_set()
            group.cancel_scope.cancel()

    anyio.run(leave)
    assert ended.wait(10)
    assert batcher._thread is None or not batcher._thread.daemon
