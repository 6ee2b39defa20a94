"""Processes of one server in a folder: started, waited for, stopped by process id."""

from __future__ import annotations

import random
import socket
import subprocess
import threading
import time
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Self

from tests.tools.lab.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from types import TracebackType

START_S = 120.0
PATIENCE_S = 60.0
GRACE_S = 10.0
LENT = Path("/proc/sys/net/ipv4/ip_local_port_range")
_given_out: set[int] = set()
_giving_out = threading.Lock()


def first_port_lent() -> int:
    """From here on the kernel lends ports to connections that go out."""
    try:
        return int(LENT.read_text().split()[0])
    except OSError:
        return 32_768


def free_port() -> int:
    """A port on which nobody listens, that goes to nobody else and to no outgoing connection."""
    last = max(first_port_lent(), 20_000)
    with _giving_out:
        while True:
            port = random.randrange(10_000, last)
            if port not in _given_out and _can_be_bound(port):
                _given_out.add(port)
                return port


def _can_be_bound(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def filled(template: str, values: Mapping[str, object]) -> str:
    """A template with its `$name`s replaced; one without a value is a KeyError."""
    return Template(template.lstrip()).substitute({key: str(each) for key, each in values.items()})


class Process:
    """A child process whose output goes to a file."""

    def __init__(self, name: str, command: Sequence[str], folder: Path) -> None:
        self.log = folder / f"{name}.log"
        self.name = name
        with self.log.open("ab") as sink:
            self._child = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=sink, stderr=sink, cwd=folder
            )

    @property
    def pid(self) -> int:
        return self._child.pid

    @property
    def alive(self) -> bool:
        return self._child.poll() is None

    def tail(self, lines: int = 40) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def kill(self) -> None:
        """SIGKILL, as a crash would be."""
        self._child.kill()
        self._child.wait()

    def stop(self) -> None:
        """SIGTERM, then SIGKILL after a grace."""
        self._child.terminate()
        try:
            self._child.wait(GRACE_S)
        except subprocess.TimeoutExpired:
            self.kill()


class Server:
    """Something made of processes; a context manager that starts and stops it.

    Args:
        folder: Where its files and logs are; made if need be.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self.processes: dict[str, Process] = {}
        self._has_stopped = False
        self._processes_change = threading.Lock()

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.prepare()
        try:
            self.launch()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def prepare(self) -> None:
        """Fetch what is needed and write configuration."""
        raise NotImplementedError

    def launch(self) -> None:
        """Start the processes; return when it is ready."""
        raise NotImplementedError

    def stop(self) -> None:
        """End all processes; from then on none is started, whatever another thread is about."""
        with self._processes_change:
            self._has_stopped = True
        for process in reversed(self.processes.values()):
            process.stop()

    def spawn(self, name: str, command: Sequence[str]) -> Process:
        with self._processes_change:
            if self._has_stopped:
                raise LabError(f"{name} is not started: its server has stopped")
            self.processes[name] = process = Process(name, command, self.folder)
        return process

    def write(self, name: str, text: str) -> Path:
        file = self.folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return file

    def wait_for(
        self,
        what: str,
        ready: Callable[[], bool],
        *,
        patience_s: float | None = None,
        report: Callable[[], str] | None = None,
    ) -> None:
        """Wait until something is so; a process that ends meanwhile is an error.

        Args:
            what: What is waited for.
            ready: Whether it is so.
            patience_s: How long; None for `PATIENCE_S`.
            report: What to say besides when it does not come to that.
        """
        patience_s = PATIENCE_S if patience_s is None else patience_s
        deadline = time.monotonic() + patience_s
        while not ready():
            ended = [process for process in self.processes.values() if not process.alive]
            if ended or time.monotonic() > deadline:
                why = f"{ended[0].name} ended" if ended else f"not so after {patience_s:g} s"
                besides = [report()] if report else []
                tails = [f"--- {each.log.name}\n{each.tail()}" for each in self.processes.values()]
                raise LabError("\n".join([f"waiting for {what}: {why}", *besides, *tails]))
            time.sleep(0.05)
