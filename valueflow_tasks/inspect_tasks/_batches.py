"""Requests that arrive one by one, generated together."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

import anyio

_GATHER = 0.05  # seconds without a new request after which a batch is closed
_POLL = 0.005


@dataclass(frozen=True)
class Job:
    """One request on its way."""

    kind: Hashable
    """Only jobs of one kind share a batch."""
    content: Any
    """What to generate from."""
    done: Future[Any]
    """Where the result goes."""


class Batcher:
    """Gathers jobs in a thread of its own and runs them batch by batch.

    The thread ends when nothing has come for a while and starts again with the next job, so
    that a model that is done with holds no thread. Python waits for it before it exits, since a
    thread that is cut off within torch aborts the process: batches have to end early when all
    who asked have gone (Ctrl-C).
    """

    def __init__(
        self, run: Callable[[Hashable, list[Any], Callable[[], bool]], list[Any]], size: int
    ) -> None:
        """Set up.

        Args:
            run: Generates one batch: kind and contents -> results in the same order. It is also
                given a function that says whether nobody waits for them any more.
            size: Most jobs per batch.
        """
        self._run = run
        self._size = size
        self._jobs: queue.Queue[Job] = queue.Queue()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    async def submit(self, kind: Hashable, content: Any) -> Any:
        """The result of one job; raises what its batch raised."""
        job = Job(kind, content, Future())
        with self._lock:
            self._jobs.put(job)
            if self._thread is None:
                self._thread = threading.Thread(target=self._work)
                self._thread.start()
        try:
            while not job.done.done():
                await anyio.sleep(_POLL)
        except BaseException:
            job.done.cancel()  # nobody waits for it any more
            raise
        return job.done.result()

    def _work(self) -> None:
        while True:
            waiting = self._gather()
            if not waiting:
                with self._lock:
                    if self._jobs.empty():
                        self._thread = None
                        return
                continue
            for kind in dict.fromkeys(job.kind for job in waiting):
                self._finish(kind, [job for job in waiting if job.kind == kind])

    def _gather(self) -> list[Job]:
        found: list[Job] = []
        while len(found) < self._size:
            try:
                found.append(self._jobs.get(timeout=_GATHER))
            except queue.Empty:
                break
        return found

    def _finish(self, kind: Hashable, jobs: list[Job]) -> None:
        jobs = [job for job in jobs if not job.done.cancelled()]
        if not jobs:
            return
        try:
            results = self._run(
                kind,
                [job.content for job in jobs],
                lambda: all(job.done.cancelled() for job in jobs),
            )
        except BaseException as error:
            for job in jobs:
                if job.done.set_running_or_notify_cancel():
                    job.done.set_exception(error)
            return
        for job, result in zip(jobs, results, strict=True):
            if job.done.set_running_or_notify_cancel():
                job.done.set_result(result)
