"""Run coroutines side by side under whichever event loop is in charge."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar, cast

import anyio

T = TypeVar("T")


async def side_by_side(jobs: Sequence[Callable[[], Awaitable[T]]]) -> list[T]:
    """Await all jobs at the same time.

    Returns:
        Their results, in order.

    Raises:
        Exception: the first that any job raised, bare rather than in a group; the others are
            cancelled.
    """
    results: list[T | None] = [None] * len(jobs)
    errors: list[Exception] = []

    async def run(index: int) -> None:
        try:
            results[index] = await jobs[index]()
        except Exception as error:
            errors.append(error)
            group.cancel_scope.cancel()

    async with anyio.create_task_group() as group:
        for index in range(len(jobs)):
            group.start_soon(run, index)
    if errors:
        raise errors[0]
    return cast("list[T]", results)
