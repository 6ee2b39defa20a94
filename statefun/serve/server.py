"""The server behind `statefun serve`: functions as a remote endpoint, in one process or several.

It stands on the server of `statefun.http`, and on uvloop where that is installed.
"""

from __future__ import annotations

import socket
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from statefun.errors import ConfigurationError
from statefun.http import AccessFiles
from statefun.http.listening import listen
from statefun.http.unix import UnixPath
from statefun.serve.worker import Worker
from statefun.serve.workers import Workers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from statefun.serve.endpoint import FunctionEndpoint

__all__ = ["serve"]


def serve(
    target: str,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    unix: str = "",
    path: str = "/statefun",
    workers: int = 1,
    drain: timedelta = timedelta(seconds=20),
    access: AccessFiles | None = None,
    announce: Callable[[str], None] | None = None,
) -> None:
    """Serve functions over HTTP until SIGTERM or SIGINT; to be called from the main thread.

    On a signal no connection is accepted any more, requests that have begun are answered, and it
    returns; what takes longer than `drain` is cut off. A worker process that dies is replaced.

    Args:
        target: `MODULE:ATTR`, a StatefulFunctions or a RequestReplyHandler; the current directory
            is searched first.
        host: The address to listen on.
        port: The port to listen on; 0 for any that is free.
        unix: The path of a Unix domain socket to listen on instead; only this user can connect.
        path: Where requests are answered. `GET /health` is answered with 200.
        workers: How many processes share the requests; 1 serves in this process.
        drain: How long requests that have begun may take after the signal.
        access: Who may ask; by default every process of this machine.
        announce: Told where it listens and what it serves, in one line, once it does; None prints.

    Raises:
        ConfigurationError: If the target cannot be served, the address cannot be listened on, or it
            can be reached from beyond this machine and `access` does not say by whom.
        ModuleNotFoundError: If the extra `serve` is not installed.
    """
    try:
        import httptools  # noqa: F401, PLC0415 - the extra
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"serving needs {error.name}: pip install 'statefun[serve]'", name=error.name
        ) from error
    if workers < 1:
        raise ConfigurationError(
            f"there cannot be {workers} workers: pass 1 or more",
            option="workers",
            given=str(workers),
        )
    files = access or AccessFiles()
    opened = files.open()
    worker = Worker(target, path, drain.total_seconds(), files)
    endpoint = worker.load()
    scheme = "http" if opened.tls is None else "https"
    with _listening_at(host, port, unix) as listener:
        opened.check("" if unix else listener.getsockname()[0])
        on_ready = partial(announce or _print, _ready(scheme, listener, endpoint))
        if workers == 1:
            worker.run(listener, endpoint, on_ready)
        else:
            Workers(workers, worker, listener).run(on_ready)


@contextmanager
def _listening_at(host: str, port: int, unix: str) -> Iterator[socket.socket]:
    path = UnixPath(unix) if unix else None
    with listen(host, port) if path is None else path.bind() as listener:
        try:
            yield listener
        finally:
            if path is not None:
                path.remove()


def _ready(scheme: str, listener: socket.socket, endpoint: FunctionEndpoint) -> str:
    if listener.family == socket.AF_UNIX:
        where = f"{scheme}+unix://{listener.getsockname()}"
    else:
        host, port = listener.getsockname()[:2]
        where = f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"
    names = ", ".join(endpoint.typenames) or "no functions"
    return f"statefun serve: {where}{endpoint.path} answers for {names}"


def _print(line: str) -> None:
    print(line, flush=True)  # noqa: T201 - what the command prints
