"""A server: one place where it listens, one handler, and everybody who connects."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from statefun.errors import ConfigurationError
from statefun.http.access import Access
from statefun.http.limits import ServerLimits
from statefun.http.listening import BACKLOG, cannot_listen
from statefun.http.messages import refusal
from statefun.http.unix import UnixPath

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Collection

    from statefun.errors import RequestRefusedError
    from statefun.http.connection import Connections
    from statefun.http.messages import Handler, Response

__all__ = ["HttpServer"]

_HANDSHAKE_S: Final = 15.0
_CANCELLED_S: Final = 1.0


class HttpServer:
    """Listens, and answers every request by one handler.

    How many connections there can be is also the process's limit of open files. A server does not
    change that limit, which belongs to the program.

    Args:
        handler: Answers every request, whatever its method and path; see `Routes`.
        host: Where to listen: a name or an address.
        port: Which port; 0 for any free one.
        unix: The path of a Unix domain socket to listen on instead. Only this user can connect.
        listener: A listening socket to use instead; it is closed in the end.
        access: Who may ask.
        limits: How much they may ask for.
        refuse: Makes the answer to a request that is refused; None for a line of text.
        upgrades: The protocols, in lower case, that the handler may switch a connection to with
            `Response.switch`, such as `websocket`. Offers of others are declined.

    Attributes:
        host: Where it listens.
        port: The port in use once started; until then the one asked for.

    Raises:
        ModuleNotFoundError: If httptools is not installed.
    """

    def __init__(
        self,
        handler: Handler,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        unix: str = "",
        listener: socket.socket | None = None,
        access: Access | None = None,
        limits: ServerLimits | None = None,
        refuse: Callable[[RequestRefusedError], Response] | None = None,
        upgrades: Collection[str] = (),
    ) -> None:
        _require_parser()
        self.host = host
        self.port = port
        self._unix = UnixPath(unix) if unix else None
        self._listener = listener
        self._handler = handler
        self._access = access or Access()
        self._limits = limits or ServerLimits()
        self._refuse = refuse or refusal
        self._upgrades = frozenset(upgrades)
        self._listening: asyncio.Server | None = None
        self._connections: Connections | None = None

    async def start(self) -> None:
        """Listen.

        Raises:
            ConfigurationError: If it cannot, because the port or the path is taken or may not be
                used, or because `access` says nothing of clients beyond this machine.
        """
        from statefun.http.connection import Connection, Connections  # noqa: PLC0415 - an extra

        connections = self._connections = Connections(
            self._handler, self._access, self._limits, self._upgrades, self._refuse
        )
        listening = await self._listen(lambda: Connection(connections))
        self._listening = listening
        names = [each.getsockname() for each in listening.sockets]
        try:
            for each in names:
                self._access.check(each[0] if isinstance(each, tuple) else "")
        except ConfigurationError:
            self.close_listener()
            raise
        await listening.start_serving()
        if isinstance(names[0], tuple):
            self.port = names[0][1]

    async def _listen(self, protocol: Any) -> asyncio.Server:
        loop = asyncio.get_running_loop()
        tls = self._access.tls
        options: dict[str, Any] = {
            "ssl": tls,
            "ssl_handshake_timeout": None if tls is None else _HANDSHAKE_S,
            "backlog": BACKLOG,
            "start_serving": False,
        }
        if self._unix is not None:
            self._listener = self._unix.bind()
        try:
            if self._listener is not None:
                return await loop.create_server(protocol, sock=self._listener, **options)
            return await loop.create_server(protocol, self.host, self.port, **options)
        except OSError as error:
            raise cannot_listen(self.host, self.port, error) from error

    async def stop(self, within_s: float = 3.0) -> None:
        """Listen no more, answer what has begun, and close every connection.

        Also to be called when `start` failed or was not called.

        Args:
            within_s: Answers that take longer are cancelled; so are all if this call is cancelled.
        """
        self.close_listener()
        connections, self._connections = self._connections, None
        if connections is None:
            return
        for each in list(connections.open):
            each.shutdown()
        try:
            async with asyncio.timeout(within_s):
                await connections.all_closed.wait()
                while connections.tasks:  # whose clients have left
                    await asyncio.wait(set(connections.tasks))
        except TimeoutError:
            pass
        finally:
            tasks = set(connections.tasks)
            for task in tasks:
                task.cancel()
            for each in list(connections.open):
                each.abort()
        if tasks:
            await asyncio.wait(tasks, timeout=_CANCELLED_S)
        await connections.all_closed.wait()

    def close_listener(self) -> None:
        """Accept no more connections; those that are open go on."""
        listening, self._listening = self._listening, None
        if listening is not None:
            listening.close()
        if self._unix is not None:
            self._unix.remove()


def _require_parser() -> None:
    try:
        import httptools  # noqa: F401, PLC0415 - an extra
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "listening for HTTP needs httptools: pip install 'statefun[runtime]'", name=error.name
        ) from error
