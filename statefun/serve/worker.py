"""A worker: one endpoint behind one server, in one process."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from statefun.blocking import BlockingWatch
from statefun.http import AccessFiles, HttpServer, ServerLimits
from statefun.http.loops import collect_rarely, new_event_loop
from statefun.loading import load_functions
from statefun.serve.endpoint import FunctionEndpoint

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator

__all__ = ["STOP_SIGNALS", "Worker"]

STOP_SIGNALS = tuple(
    each
    for each in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    if each != signal.SIGHUP or signal.getsignal(each) is not signal.SIG_IGN  # by nohup
)
"""The signals that stop a process in order."""

# Time for the rest of a stop: cancelled functions end, threads are joined.
_ENDING_SECONDS = 3

# An engine keeps a connection that it does not use for less: it is the one to close it. It sends
# batches as long as they are, and nobody else is let in.
_LIMITS: Final = ServerLimits(
    max_body_bytes=None, max_unfinished_bytes=sys.maxsize, idle_timeout_s=120.0
)

logger = logging.getLogger("statefun.serve")


@dataclass(frozen=True, slots=True)
class Worker:
    """What a process needs to know to serve; travels to other processes.

    Attributes:
        target: `MODULE:ATTR`.
        path: Where requests are answered.
        drain_s: How long requests that have begun may take after a signal to stop, in seconds.
        access: Who may ask.
    """

    target: str
    path: str
    drain_s: float
    access: AccessFiles

    def load(self) -> FunctionEndpoint:
        """Import the target.

        Raises:
            ConfigurationError: If it cannot be served.
        """
        return FunctionEndpoint(load_functions(self.target), self.path)

    def run(
        self,
        listener: socket.socket,
        endpoint: FunctionEndpoint | None = None,
        on_ready: Callable[[], None] | None = None,
    ) -> None:
        """Serve until SIGTERM or SIGINT; a second SIGINT ends what has begun, too.

        Args:
            listener: The listening socket; closed in the end.
            endpoint: What to serve; None to load it.
            on_ready: Called once a signal would stop it in order.
        """
        stopping = _Stopping(self.drain_s + _ENDING_SECONDS)
        with stopping.on_signals(), asyncio.Runner(loop_factory=new_event_loop) as runner:
            served = endpoint or self.load()
            collect_rarely()
            runner.run(self._serve(listener, served, stopping, on_ready))

    async def _serve(
        self,
        listener: socket.socket,
        endpoint: FunctionEndpoint,
        stopping: _Stopping,
        on_ready: Callable[[], None] | None,
    ) -> None:
        stopping.watch(asyncio.get_running_loop())
        server = HttpServer(
            endpoint.handle, listener=listener, access=self.access.open(), limits=_LIMITS
        )
        await server.start()
        watch = BlockingWatch()
        watch.start()
        if on_ready is not None:
            on_ready()
        await stopping.begun.wait()
        stop = asyncio.create_task(server.stop(self.drain_s))
        cutting = asyncio.create_task(stopping.cut_short.wait())
        await asyncio.wait((stop, cutting), return_when=asyncio.FIRST_COMPLETED)
        cutting.cancel()
        stop.cancel()  # unless it is over
        watch.stop()


class _Stopping:
    """What a process that is told to stop has to do, and by when.

    Args:
        within_s: A process that has not ended so long after the signal is cut off: a function that
            never gives the event loop back cannot be cancelled.
    """

    def __init__(self, within_s: float) -> None:
        self.begun = asyncio.Event()
        self.cut_short = asyncio.Event()
        self._within_s = within_s
        self._loop: asyncio.AbstractEventLoop | None = None
        self._signals: list[int] = []

    def watch(self, loop: asyncio.AbstractEventLoop) -> None:
        """Have an event loop told, also of a signal that came before."""
        self._loop = loop
        for each in STOP_SIGNALS:
            # It wakes the loop also when another thread gets the signal.
            loop.add_signal_handler(each, self._tell)
            signal.signal(each, self._on_signal)
        self._tell()

    @contextmanager
    def on_signals(self) -> Iterator[None]:
        """Stop by signals meanwhile."""
        before = {each: signal.signal(each, self._on_signal) for each in STOP_SIGNALS}
        try:
            yield
        finally:
            self._loop = None
            for each, handler in before.items():
                signal.signal(each, handler)

    def _on_signal(self, number: int, _: object) -> None:
        if not self._signals:
            last_resort = threading.Timer(self._within_s, _exit_at_once)
            last_resort.daemon = True
            last_resort.start()
        self._signals.append(number)
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._tell)

    def _tell(self) -> None:
        if self._signals:
            self.begun.set()
        if signal.SIGINT in self._signals[1:]:
            self.cut_short.set()


def _exit_at_once() -> None:
    logger.error("a function holds up the end of this process: it is cut off")
    os._exit(1)
