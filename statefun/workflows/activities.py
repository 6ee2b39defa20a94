"""The runner of activities: which attempts run here, and how those ended that have.

Law: an attempt that has begun goes on while turns come and go, until it ends or this process does.
A turn waits for it for a while, and finds it again by its address and its number; so it does when
its ending was lost on its way. No attempt is begun twice by one worker.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import TYPE_CHECKING

from statefun.workflows import _proto
from statefun.workflows.activity import ActivityCancellationDetails, Flag
from statefun.workflows.activity_turn import Attempt
from statefun.workflows.attempt import ActivitySurroundings, RunningAttempt

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Executor

    from statefun.workflows.client import Client
    from statefun.workflows.converter import DataConverter
    from statefun.workflows.definitions import ActivityDefinition
    from statefun.workflows.interceptors import Interceptor

__all__ = ["ActivityRunner"]

_MOST_REMEMBERED = 10_000
_MOST_REMEMBERED_BYTES = 32 << 20

_Key = tuple[str, int]
_Ended = tuple[_proto.Ending, _proto.Payloads | None]


class _Endings:
    """How the latest attempts ended, for a turn that comes again since its reply was lost."""

    def __init__(self) -> None:
        self._by_key: OrderedDict[_Key, tuple[_Ended, int]] = OrderedDict()
        self._bytes = 0

    def find(self, key: _Key) -> _Ended | None:
        """How an attempt ended; None if that is not known."""
        found = self._by_key.get(key)
        return None if found is None else found[0]

    def remember(self, key: _Key, ended: _Ended) -> None:
        """Remember it, and forget the oldest."""
        size = ended[0].ByteSize()
        self._by_key[key] = ended, size
        self._bytes += size
        while len(self._by_key) > _MOST_REMEMBERED or self._bytes > _MOST_REMEMBERED_BYTES:
            _, (_, size) = self._by_key.popitem(last=False)
            self._bytes -= size


class ActivityRunner:
    """Runs the activities of a worker.

    Args:
        definitions: The activities.
        data_converter: How values travel.
        executor: Where activities run that are not async.
        interceptors: What is put around them.
        now_ms: The time.
        most: How many run at a time.
        client: The client of the worker, for activities.

    Attributes:
        around: What all attempts share.
    """

    def __init__(
        self,
        definitions: Sequence[ActivityDefinition],
        data_converter: DataConverter,
        executor: Executor | None,
        interceptors: Sequence[Interceptor],
        now_ms: Callable[[], int],
        most: int,
        client: Client | None,
    ) -> None:
        self.around = ActivitySurroundings(
            {each.name: each for each in definitions},
            data_converter,
            executor,
            tuple(interceptors),
            now_ms,
            asyncio.Semaphore(most),
            client,
            Flag(),
        )
        self._running: dict[_Key, RunningAttempt] = {}
        self._endings = _Endings()

    @property
    def names(self) -> list[str | None]:
        """The names of the activities; None for a dynamic one."""
        return list(self.around.definitions)

    @property
    def count(self) -> int:
        """How many run."""
        return len(self._running)

    async def run(
        self, attempt: Attempt, hold_s: float
    ) -> tuple[_proto.Ending | None, _proto.Payloads | None]:
        """Begin an attempt or find it again, and wait for it for a while.

        Args:
            attempt: The attempt.
            hold_s: How long to wait.

        Returns:
            How it ended, None if it goes on; and its last heartbeat.
        """
        key = attempt.target_id, attempt.number
        ended = self._endings.find(key)
        if ended is not None:
            return ended
        running = self._running.get(key)
        if running is None:
            running = self._running[key] = RunningAttempt(self.around, attempt, is_local=False)
        if attempt.is_cancelled:
            running.want_cancel()
        await asyncio.wait([running.task], timeout=hold_s)
        if not running.task.done():
            return None, await self._heartbeat(running)
        ended = running.task.result(), await self._heartbeat(running)
        if self._running.pop(key, None) is not None:
            self._endings.remember(key, ended)
        return ended

    async def _heartbeat(self, running: RunningAttempt) -> _proto.Payloads | None:
        """The last heartbeat of an attempt, as it travels."""
        if running.heartbeat is None:
            return None
        payloads = await self.around.converter.encoded(list(running.heartbeat.payloads))
        return _proto.Payloads(payloads=payloads)

    async def run_local(self, task: _proto.Task, number: int) -> bytes:
        """Run an attempt of a local activity; the bytes of its ending."""
        attempt = Attempt(
            f"{task.run_id}:{task.activity_id}:local",
            task,
            number,
            self.around.now_ms(),
            task.start_to_close_ms,
            1,
            _proto.Payloads(),
            is_cancelled=False,
        )
        running = RunningAttempt(self.around, attempt, is_local=True)
        return (await running.task).SerializeToString()

    async def shut_down(self, grace_s: float) -> None:
        """Tell all that the worker stops; cancel what still runs after a while, and wait for it."""
        self.around.shutdown.set()
        left = list(self._running.values())
        if not left:
            return
        await asyncio.wait([each.task for each in left], timeout=grace_s)
        for each in left:
            if not each.task.done():
                each.cancel(ActivityCancellationDetails(worker_shutdown=True))
        await asyncio.wait([each.task for each in left])
