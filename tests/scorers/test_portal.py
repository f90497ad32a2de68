"""Work in the background ends with whoever waits for it."""

from __future__ import annotations

import os
import signal
import threading
import time

import anyio
import pytest
from valueflow_scorers._portal import run_sync


@pytest.fixture
def interrupt():
    """Ctrl-C soon; whoever runs the tests in the background has it ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start
    signal.signal(signal.SIGINT, before)


@pytest.mark.skipif(os.name != "posix", reason="needs signals")
def test_whoever_stops_waiting_stops_the_work(interrupt):
    steps = []

    async def work():
        while True:
            steps.append(time.monotonic())
            await anyio.sleep(0.01)

    interrupt()
    with pytest.raises(KeyboardInterrupt):
        run_sync(work)
    time.sleep(0.1)
    count = len(steps)
    time.sleep(0.1)
    assert count == len(steps) > 0


def test_results_and_errors_come_through():
    async def seven():
        return 7

    async def wrong():
        raise LookupError("nothing there")

    assert run_sync(seven) == 7
    with pytest.raises(LookupError, match="nothing there"):
        run_sync(wrong)
