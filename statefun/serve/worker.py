"""A worker: uvicorn's server around one endpoint, in one process."""

from __future__ import annotations

import logging
import os
import signal
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import uvicorn

from statefun.loading import load_functions
from statefun.serve.connection import Connection
from statefun.serve.endpoint import Endpoint

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator
    from types import FrameType

__all__ = ["STOP_SIGNALS", "Worker"]

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)

# Time for what follows the grace: cancelled functions end, threads are joined.
_ENDING_SECONDS = 3

logger = logging.getLogger("statefun.serve")


@dataclass(frozen=True, slots=True)
class Worker:
    """What a process needs to know to serve; travels to other processes.

    Attributes:
        target: `MODULE:ATTR`.
        path: Where requests are answered.
        grace_seconds: How long requests that have begun may take after a signal to stop.
    """

    target: str
    path: str
    grace_seconds: int

    def load(self) -> Endpoint:
        """Import the target.

        Raises:
            ConfigurationError: If it cannot be served.
        """
        return Endpoint(load_functions(self.target), self.path)

    def run(
        self,
        listener: socket.socket,
        endpoint: Endpoint | None = None,
        on_ready: Callable[[], None] | None = None,
    ) -> None:
        """Serve until SIGTERM or SIGINT.

        Args:
            listener: The listening socket; closed in the end.
            endpoint: What to serve; None to load it.
            on_ready: Called once a signal would stop it in order.
        """
        config = uvicorn.Config(
            endpoint or self.load(),  # type: ignore[arg-type]  # only our own protocol sees it
            http=Connection,
            ws="none",
            lifespan="off",
            interface="asgi3",
            proxy_headers=False,
            server_header=False,
            access_log=False,
            log_config=None,
            timeout_graceful_shutdown=self.grace_seconds,
        )
        server = _Server(config)
        with _handling_signals(server):
            if on_ready is not None:
                on_ready()
            server.run(sockets=[listener])


class _Server(uvicorn.Server):
    """A server that ends in bounded time, even if a function never gives the process back."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to stop."""
        if not self.should_exit:
            patience = (self.config.timeout_graceful_shutdown or 0) + _ENDING_SECONDS
            last_resort = threading.Timer(patience, _exit_at_once)
            last_resort.daemon = True
            last_resort.start()
        super().handle_exit(sig, frame)


def _exit_at_once() -> None:
    logger.error("a function holds up the end of this process: it is cut off")
    os._exit(1)


@contextmanager
def _handling_signals(server: _Server) -> Iterator[None]:
    """Have the server told of a signal before and after it listens itself.

    When it has stopped, uvicorn raises the signal again for whoever handled it before: without
    this the process would die of it instead of returning.
    """
    before = {each: signal.signal(each, server.handle_exit) for each in STOP_SIGNALS}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
