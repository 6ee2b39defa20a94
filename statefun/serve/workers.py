"""Workers: the processes that share the requests; one that dies is replaced.

Written by hand: the supervisors that exist belong to a server of their own (uvicorn's runs ASGI
applications, gunicorn forks what has started threads) or hand out tasks (`concurrent.futures`).
This one keeps some processes on one listening socket, and stops them in bounded time.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import threading
import time
from contextlib import contextmanager
from multiprocessing import resource_tracker
from multiprocessing.connection import wait
from typing import TYPE_CHECKING

from statefun.serve.worker import STOP_SIGNALS

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator
    from multiprocessing.context import SpawnProcess

    from statefun.serve.worker import Worker

__all__ = ["Workers"]

# One that dies as soon as it is started must not keep a core busy with starting it.
_PAUSE_SECONDS = 0.5

# The time that a worker takes to end by itself, after the time for the requests.
_ENDING_SECONDS = 5.0

logger = logging.getLogger("statefun.serve")


class Workers:
    """Several processes that take requests from one listening socket.

    Args:
        count: How many.
        worker: What each of them runs.
        listener: The listening socket.
    """

    def __init__(self, count: int, worker: Worker, listener: socket.socket) -> None:
        self._count = count
        self._worker = worker
        self._listener = listener
        self._processes: list[SpawnProcess] = []
        self._spawn = multiprocessing.get_context("spawn")
        self._stopped, self._stop = self._spawn.Pipe(duplex=False)

    def run(self, on_ready: Callable[[], None]) -> None:
        """Keep the processes running until SIGTERM or SIGINT, then stop them in bounded time.

        Args:
            on_ready: Called once they are starting, and a signal would stop them in order.
        """
        before = {each: signal.signal(each, self._on_signal) for each in STOP_SIGNALS}
        try:
            self._processes = [self._start() for _ in range(self._count)]
            on_ready()
            while not self._stopped.poll():
                wait([self._stopped, *(each.sentinel for each in self._processes)])
                self._replace_the_dead()
        finally:
            self._end()
            for each, handler in before.items():
                signal.signal(each, handler)

    def _on_signal(self, *_: object) -> None:
        self._stop.send(None)

    def _start(self) -> SpawnProcess:
        process = self._spawn.Process(
            target=_work, args=(self._worker, self._listener), name="statefun-serve"
        )
        resource_tracker.ensure_running()  # the first start would, and let interrupts through
        with _interrupts_held_back():
            process.start()
        return process

    def _replace_the_dead(self) -> None:
        for index, process in enumerate(self._processes):
            if process.exitcode is not None and not self._stopped.poll(_PAUSE_SECONDS):
                logger.error(
                    "worker process %d ended with exit code %d: another one is started",
                    process.pid,
                    process.exitcode,
                )
                self._processes[index] = self._start()

    def _end(self) -> None:
        self._listener.close()
        for process in self._processes:
            process.terminate()
        deadline = time.monotonic() + self._worker.drain_s + _ENDING_SECONDS
        for process in self._processes:
            process.join(max(0.0, deadline - time.monotonic()))
            if process.exitcode is None:
                logger.error("worker process %d does not end: it is killed", process.pid)
                process.kill()
                process.join()


@contextmanager
def _interrupts_held_back() -> Iterator[None]:
    """Have what is started meanwhile never see SIGINT.

    A terminal sends it to all processes; the one that watches stops the others in order.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _work(worker: Worker, listener: socket.socket) -> None:
    """What runs in each process."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    worker.run(listener)


def _end_with_parent() -> None:
    """Stop when the process that watches this one is gone: nobody else would."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)
