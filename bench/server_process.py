"""A server process under load: how much CPU time it and its children take for a request."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Self

from bench.environment import PROGRAMS, Unavailable

if TYPE_CHECKING:
    from types import TracebackType

__all__ = [
    "Load",
    "ServerProcess",
    "aiohttp_adapter",
    "aiohttp_endpoint",
    "cpu_seconds",
    "free_port",
    "statefun_serve",
]

_CONNECTIONS = 64
_PATIENCE_SECONDS = 15.0


class ServerProcess:
    """A server on a port of this machine; a context manager.

    Args:
        command: What starts it.
        port: Where it will listen.
    """

    def __init__(self, command: list[str], port: int) -> None:
        self.port = port
        self._process = subprocess.Popen(command, cwd=PROGRAMS, stdout=subprocess.DEVNULL)

    def __enter__(self) -> Self:
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            except OSError:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    self._process.kill()
                    raise Unavailable(f"{self._process.args!r} does not listen") from None
                time.sleep(0.05)
            else:
                return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.terminate()
        try:
            self._process.wait(_PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def cpu_seconds(self) -> float:
        """The CPU time that all its processes have taken, native threads and kernel included.

        Raises:
            Unavailable: If the system does not tell.
        """
        return cpu_seconds(self._process.pid)


def statefun_serve(program: str) -> ServerProcess:
    """`statefun serve` with a program of the benches, with one worker."""
    port = free_port()
    command = [sys.executable, "-m", "statefun", "serve", f"{program}:functions"]
    return ServerProcess([*command, "--port", str(port)], port)


def aiohttp_endpoint(python: str, program: str) -> ServerProcess:
    """The same program behind aiohttp, in an interpreter that has the old SDK."""
    port = free_port()
    script = str(PROGRAMS / "aiohttp_endpoint.py")
    return ServerProcess([python, script, program, str(port)], port)


def aiohttp_adapter(program: str) -> ServerProcess:
    """A program behind our own adapter for aiohttp."""
    port = free_port()
    script = str(PROGRAMS / "aiohttp_adapter.py")
    return ServerProcess([sys.executable, script, program, str(port)], port)


def cpu_seconds(pid: int) -> float:
    """The CPU time that a process and its children have taken, native threads and kernel included.

    Raises:
        Unavailable: If the system does not tell.
    """
    try:
        ticks = sum(_ticks(each) for each in _with_children(pid))
    except OSError as error:
        raise Unavailable("the CPU time of a process is read from Linux's /proc") from error
    return ticks / os.sysconf("SC_CLK_TCK")


def _with_children(pid: int) -> list[int]:
    pids = [pid]
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text(encoding="ascii").split():
            pids += _with_children(int(child))
    return pids


def _ticks(pid: int) -> int:
    """User and system time: fields 14 and 15 of proc(5)'s stat, counted behind the name."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def free_port() -> int:
    """A port on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        port: int = found.getsockname()[1]
    return port


class Load:
    """Requests on many connections: all are sent, then all answers are read, and again.

    Args:
        body: What each request carries.
        path: Where it is sent.
    """

    def __init__(self, body: bytes, path: str = "/statefun") -> None:
        head = (
            f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/octet-stream\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        self._request = head.encode() + body

    def seconds_each(self, server: ServerProcess, seconds: float) -> float:
        """CPU seconds of the server for one request, over that many seconds of load."""
        connections = [_connect(server.port) for _ in range(_CONNECTIONS)]
        try:
            answer_bytes = self._answer_bytes(connections[0])
            before = server.cpu_seconds()
            count = 0
            deadline = time.monotonic() + seconds
            while time.monotonic() < deadline:
                for each in connections:
                    each.sendall(self._request)
                for each in connections:
                    _skip(each, answer_bytes)
                count += _CONNECTIONS
            return (server.cpu_seconds() - before) / count
        finally:
            for each in connections:
                each.close()

    def _answer_bytes(self, connection: socket.socket) -> int:
        """How long an answer is: all are alike."""
        connection.sendall(self._request)
        data = b""
        while b"\r\n\r\n" not in data:
            data += connection.recv(1 << 16)
        head = data.partition(b"\r\n\r\n")[0]
        if not head.startswith(b"HTTP/1.1 200 "):
            raise AssertionError(f"the server answered {head!r}")
        length = int(head.lower().partition(b"content-length:")[2].split()[0])
        total = len(head) + 4 + length
        _skip(connection, total - len(data))
        return total


def _connect(port: int) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port), timeout=_PATIENCE_SECONDS)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def _skip(connection: socket.socket, count: int) -> None:
    while count:
        got = len(connection.recv(count))
        if not got:
            raise AssertionError("the server closed a connection")
        count -= got
