"""The loop: asyncio for handlers, deterministic and without a world outside.

Law: callbacks run in the order in which they became ready, time is what the journal says, and
nothing depends on where objects lie in memory. So a replay runs the same steps in the same order.

Time never passes while it runs: a timer is started through `on_timer` and fires when the journal
has an event for it. What would reach outside is refused, with the durable step to use instead.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
import sys
from asyncio import events, tasks
from collections import deque
from contextlib import contextmanager, suppress
from random import Random
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from statefun.durable.eviction import close_generator, evict
from statefun.durable.guards import guarded, unguarded
from statefun.errors import NotDeterministicError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator

__all__ = ["DeterministicLoop", "LoopFuture", "LoopTask"]

T = TypeVar("T")
logger = logging.getLogger("statefun.durable")


class LoopFuture(asyncio.Future[T]):
    """A future whose place in a set is the same in every replay."""

    def __init__(self, loop: DeterministicLoop) -> None:
        self._hash = loop.next_hash()
        super().__init__(loop=loop)

    def __hash__(self) -> int:
        return self._hash


class LoopTask(asyncio.Task[T]):
    """A task whose place in a set is the same in every replay.

    Attributes:
        context: The context that it runs in.
    """

    def __init__(
        self,
        coroutine: Coroutine[Any, Any, T],
        loop: DeterministicLoop,
        name: str | None = None,
        context: contextvars.Context | None = None,
    ) -> None:
        self._hash = loop.next_hash()
        self.context = contextvars.copy_context() if context is None else context
        super().__init__(coroutine, loop=loop, name=name, context=self.context)

    def __hash__(self) -> int:
        return self._hash


class _UnobservedLoop(asyncio.AbstractEventLoop):
    """The answers of a loop that nobody debugs or observes."""

    def get_debug(self) -> bool:
        """Never: a debugging loop would behave differently."""
        return False

    def set_debug(self, enabled: bool) -> None:  # noqa: FBT001 - as asyncio has it
        """Changes nothing."""

    def get_task_factory(self) -> None:
        """None: tasks are this loop's own."""

    def get_exception_handler(self) -> None:
        """None: what nobody awaits is logged."""

    async def shutdown_asyncgens(self) -> None:
        """Nothing: `close` does it."""


class DeterministicLoop(_UnobservedLoop):
    """An event loop that is driven by its owner: `drain` runs until nothing is ready.

    Args:
        salt: Makes hashes of different loops differ.
        seed: What random numbers are made from that its code draws.
        on_timer: Starts a timer; what it returns is remembered for `off_timer`.
        off_timer: Ends a timer that was cancelled.

    Attributes:
        now_ms: The time, set by the owner.
        is_stopped: Ends a drain at once, and all later ones.
        is_cut_off: Whether its code has computed too long and was interrupted.
        longest_drain: How many seconds its code may compute without waiting.
        progress: Counts drains, for who watches that.
    """

    def __init__(
        self,
        salt: int,
        seed: bytes,
        on_timer: Callable[[int, asyncio.TimerHandle], object],
        off_timer: Callable[[asyncio.TimerHandle], object],
    ) -> None:
        self._ready: deque[asyncio.Handle] = deque()
        self._tasks: list[LoopTask[Any]] = []
        self._generators: list[Any] = []
        self._most_generators = 64
        self._hash = salt
        self._seed = seed
        self._random: Random | None = None
        self._is_entered = False
        self._on_timer = on_timer
        self._off_timer = off_timer
        self.now_ms = 0
        self.is_stopped = False
        self.is_closing = False
        self.is_cut_off = False
        self.longest_drain = float("inf")
        self.progress = 0

    def next_hash(self) -> int:
        """The hash of the next future or task."""
        self._hash += 1
        return self._hash

    @property
    def random(self) -> Random:
        """What the modules `random` and `uuid` draw from while it runs."""
        if self._random is None:
            self._random = Random(self._seed)  # noqa: S311 - to be repeated, not to be secret
        return self._random

    # --- driving ---

    def drain(self) -> None:
        """Run what is ready, and what becomes ready by that, until nothing is."""
        self.progress += 1
        if self._is_entered:
            self._run_ready()
        else:
            with self.entered():
                self._run_ready()

    def _run_ready(self) -> None:
        ready = self._ready
        while ready and not self.is_stopped:
            handle = ready.popleft()
            if not handle.cancelled():
                with suppress(SystemExit):  # its task has it, and that attempt has failed
                    handle._run()  # noqa: SLF001 - as every loop does

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Make this the running loop, in whatever other loop and task that happens."""
        if self._is_entered:
            yield
            return
        self._is_entered = True
        outer = events._get_running_loop()  # noqa: SLF001 - for whoever writes a loop
        task = None if outer is None else tasks.current_task(outer)
        if outer is not None and task is not None:
            tasks._leave_task(outer, task)  # noqa: SLF001
        events._set_running_loop(self)  # noqa: SLF001
        hooks = sys.get_asyncgen_hooks()
        sys.set_asyncgen_hooks(firstiter=self._hold, finalizer=None)
        try:
            with guarded(self):
                yield
        finally:
            self._is_entered = False
            sys.set_asyncgen_hooks(*hooks)
            events._set_running_loop(outer)  # noqa: SLF001
            if outer is not None and task is not None:
                tasks._enter_task(outer, task)  # noqa: SLF001

    @contextmanager
    def unguarded(self) -> Iterator[None]:
        """While in the block, let the guards pass everything."""
        with unguarded(self):
            yield

    def close(self) -> None:
        """End every coroutine, the newest first; their `finally` blocks run now and here."""
        self.is_closing = True
        if self._tasks or self._generators:
            with self.entered():
                ended: set[LoopTask[Any]] = set()
                while waiting := [each for each in self.waiting() if each not in ended]:
                    for task in reversed(waiting):
                        self._evict(task)
                    ended.update(waiting)  # their `finally` blocks may have started others
                for generator in reversed(self._generators):
                    close_generator(generator)
        self._ready.clear()
        self._tasks.clear()
        self._generators.clear()

    def _evict(self, task: LoopTask[Any]) -> None:
        """End the coroutine of a task as that task, in its context."""
        tasks._enter_task(self, task)  # noqa: SLF001 - as a loop may
        try:
            task.context.run(evict, task.get_coro())
        finally:
            tasks._leave_task(self, task)  # noqa: SLF001

    def waiting(self) -> list[LoopTask[Any]]:
        """The tasks that are not done, in the order of their creation."""
        return [task for task in self._tasks if not task.done()]

    # --- what asyncio asks of a loop ---

    def call_soon(  # type: ignore[override]  # looser than typeshed's
        self,
        callback: Callable[..., object],
        *args: Any,
        context: contextvars.Context | None = None,
    ) -> asyncio.Handle:
        """Run a callback after those that are ready already."""
        handle = asyncio.Handle(callback, args, self, context)
        self._ready.append(handle)
        return handle

    def call_later(  # type: ignore[override]  # looser than typeshed's
        self,
        delay: float,
        callback: Callable[..., object],
        *args: Any,
        context: contextvars.Context | None = None,
    ) -> asyncio.TimerHandle:
        """Run a callback once a durable timer has fired."""
        return self.call_at(self.time() + delay, callback, *args, context=context)

    def call_at(  # type: ignore[override]  # looser than typeshed's
        self,
        when: float,
        callback: Callable[..., object],
        *args: Any,
        context: contextvars.Context | None = None,
    ) -> asyncio.TimerHandle:
        """Run a callback once a durable timer has fired."""
        handle = asyncio.TimerHandle(when, callback, args, self, context)
        handle._scheduled = True  # type: ignore[attr-defined]  # noqa: SLF001 - tells us of cancel
        if not self.is_closing:
            self._on_timer(max(self.now_ms, -int(-when * 1000 // 1)), handle)
        return handle

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        self._off_timer(handle)

    def fire(self, handle: asyncio.TimerHandle) -> None:
        """Let a timer's callback be ready."""
        handle._scheduled = False  # type: ignore[attr-defined]  # noqa: SLF001
        self._ready.append(handle)

    def time(self) -> float:
        """The time of the event that is being told, in seconds."""
        return self.now_ms / 1000

    def create_future(self) -> LoopFuture[Any]:
        """A future of this loop."""
        return LoopFuture(self)

    def create_task(  # type: ignore[override]
        self,
        coro: Coroutine[Any, Any, T],
        *,
        name: str | None = None,
        context: contextvars.Context | None = None,
        **_: object,
    ) -> LoopTask[T]:
        """Start a task."""
        task = LoopTask(coro, self, name, context)
        self.adopt(task)
        return task

    def adopt(self, task: LoopTask[Any]) -> None:
        """Take a task for its own that was made for this loop."""
        task._log_destroy_pending = False  # type: ignore[attr-defined]  # noqa: SLF001 - a replay would bring it back
        if len(self._tasks) > 64 and len(self._tasks) > 2 * len(waiting := self.waiting()):
            self._tasks = waiting
        self._tasks.append(task)

    def _hold(self, generator: AsyncGenerator[Any, Any]) -> None:
        """Keep a generator from the collector, which would end it at any time."""
        if len(self._generators) > self._most_generators:
            self._generators = [each for each in self._generators if each.ag_frame is not None]
            self._most_generators = 2 * len(self._generators) + 64
        self._generators.append(generator)

    def is_running(self) -> bool:
        """Whether it is being driven."""
        return events._get_running_loop() is self  # noqa: SLF001

    def is_closed(self) -> bool:
        """Whether it was closed."""
        return self.is_closing

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Log an exception that nobody has awaited."""
        if not self.is_closing:
            error = context.get("exception")
            logger.warning("in a durable handler: %s", context.get("message"), exc_info=error)

    default_exception_handler = call_exception_handler


def _refused(method: str, hint: str) -> Any:
    def refuse(*_: object, **__: object) -> NoReturn:
        raise NotDeterministicError(f"loop.{method}", hint)

    refuse.__doc__ = f"Refused: {hint}."
    return refuse


_THREADS = "run it as an effect: await ctx.run_typed(name, function)"
_SOCKETS = "talk to the world in an effect: await ctx.run_typed(name, function)"
for _method in ("run_in_executor", "call_soon_threadsafe", "set_default_executor"):
    setattr(DeterministicLoop, _method, _refused(_method, _THREADS))
for _method in (
    *("create_connection", "create_server", "create_datagram_endpoint", "start_tls", "sendfile"),
    *("create_unix_connection", "create_unix_server", "connect_accepted_socket", "getaddrinfo"),
    *("getnameinfo", "sock_recv", "sock_recv_into", "sock_recvfrom", "sock_recvfrom_into"),
    *("sock_sendall", "sock_sendto", "sock_connect", "sock_accept", "sock_sendfile"),
    *("add_reader", "remove_reader", "add_writer", "remove_writer", "connect_read_pipe"),
    *("connect_write_pipe", "subprocess_shell", "subprocess_exec", "add_signal_handler"),
):
    setattr(DeterministicLoop, _method, _refused(_method, _SOCKETS))
for _method in ("run_forever", "run_until_complete", "stop"):
    setattr(DeterministicLoop, _method, _refused(_method, "await it: a handler runs on a loop"))
