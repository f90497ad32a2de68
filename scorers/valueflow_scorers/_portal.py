"""Run coroutines from synchronous code, also inside a running event loop.

One background event loop serves the whole process: clients that models keep open stay
bound to the loop in which they were first used, and a second `asyncio.run` would break them.
"""

from __future__ import annotations

import atexit
import threading
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from typing import TypeVar

from anyio.from_thread import BlockingPortal, start_blocking_portal

T = TypeVar("T")

_lock = threading.Lock()
_portal: BlockingPortal | None = None
_stack = ExitStack()


def run_sync(function: Callable[[], Awaitable[T]]) -> T:
    """Call an async function on the process's background loop and wait for its result.

    Whoever stops waiting (Ctrl-C) stops the work: the loop would go on paying for calls.
    """
    global _portal
    with _lock:
        if _portal is None:
            _portal = _stack.enter_context(start_blocking_portal())
            atexit.register(_stack.close)
    future = _portal.start_task_soon(function)
    try:
        return future.result()
    except BaseException:
        future.cancel()
        raise
