"""Shared tasks: coroutines that run in one task as long as none of them waits.

Most functions wait for nothing. A task for each of their calls, which is made, scheduled and
forgotten, costs as much as a small function does.

Law: a coroutine cannot tell that it shares its task. Context variables that it sets are its own,
the task is its own from the first wait on, and a task that somebody cancels meanwhile runs nobody
else.
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextvars import copy_context
from types import coroutine
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Generator
    from contextvars import Context

__all__ = ["SharedTasks"]


class SharedTasks:
    """Runs coroutines in the order in which they are started.

    Args:
        label: Begins the names of their tasks.
        tasks: Where the tasks of those that wait are kept; None for a set of its own.
    """

    def __init__(self, label: str, tasks: set[asyncio.Task[None]] | None = None) -> None:
        self._label = label
        self._tasks: set[asyncio.Task[None]] = set() if tasks is None else tasks
        self._ready: deque[tuple[Coroutine[Any, Any, None], object]] = deque()
        self._is_under_way = False  # `_go_on` will be called
        self._more = 1  # so many tasks are made next

    def __len__(self) -> int:
        """How many coroutines have not ended."""
        return len(self._ready) + len(self._tasks)

    @property
    def tasks(self) -> set[asyncio.Task[None]]:
        """The tasks of those that wait for something."""
        return set(self._tasks)

    def start(self, work: Coroutine[Any, Any, None], subject: object) -> None:
        """Run a coroutine soon.

        Args:
            work: The coroutine.
            subject: Ends the name of its task, if it gets one of its own.
        """
        self._ready.append((work, subject))
        if not self._is_under_way:
            self._go_on()

    def close(self) -> set[asyncio.Task[None]]:
        """Let no coroutine begin any more; returns the tasks of those that have begun."""
        ready, self._ready = self._ready, deque()
        for work, _ in ready:
            work.close()
        return self.tasks

    def cancel(self) -> None:
        """Cancel every coroutine; those that have not begun never do."""
        for task in self.close():
            task.cancel()

    def _go_on(self) -> None:
        """Make more tasks while those that were made wait, each time twice as many."""
        self._is_under_way = bool(self._ready)
        if not self._is_under_way:
            self._more = 1
            return
        loop = asyncio.get_running_loop()
        for _ in range(min(self._more, len(self._ready))):
            loop.create_task(self._run())  # noqa: RUF006 - the loop keeps it until it waits
        self._more *= 2
        loop.call_soon(self._go_on)  # behind the first steps of these tasks

    async def _run(self) -> None:
        """Run coroutines until one waits, and that one to its end."""
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - this is one
        while self._ready and not task.cancelling():
            work, subject = self._ready.popleft()
            context = copy_context()
            try:
                awaited = context.run(work.send, None)
            except StopIteration:
                continue
            task.set_name(f"{self._label} {subject}")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            await _rest(work, context, awaited)
            return


@coroutine
def _rest(
    work: Coroutine[Any, Any, None], context: Context, awaited: Any
) -> Generator[Any, Any, None]:
    """Go on with a coroutine that waits; `yield from` would leave its context."""
    step: Callable[[Any], Any]
    argument: Any
    while True:
        try:
            argument = yield awaited
        except GeneratorExit:
            work.close()
            raise
        except BaseException as error:  # noqa: BLE001 - passed on
            step, argument = work.throw, error
        else:
            step = work.send
        try:
            awaited = context.run(step, argument)
        except StopIteration:
            return
