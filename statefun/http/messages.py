"""A request, a response, and the handler that turns one into the other."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol, TypeAlias
from urllib.parse import unquote

if TYPE_CHECKING:
    import asyncio
    from collections.abc import AsyncIterator

    from statefun.errors import RequestRefusedError

__all__ = ["Handler", "Later", "Peer", "Request", "Response", "refusal", "text_response"]

_TEXT: Final = "text/plain; charset=utf-8"


class Peer(Protocol):
    """The other end of a connection."""

    @property
    def has_left(self) -> bool:
        """Whether it hung up, or sends no more."""
        ...

    def extra_info(self, name: str) -> Any:
        """See `asyncio.BaseTransport.get_extra_info`."""
        ...


class Request:
    """A request whose head has come; a handler sees it when its body has come, too.

    Attributes:
        method: In capitals.
        target: As it was sent: a path, a URL, `*`, or `host:port`.
        version: `1.0` or `1.1`.
        fields: The header fields in their order, names in lower case.
        body: The whole body, decompressed.
        upgrade: The protocol that the client offers, in lower case, if the server was told to let
            handlers take it; else empty.
    """

    __slots__ = ("_peer", "body", "fields", "keeps_alive", "method", "target", "upgrade", "version")

    def __init__(
        self,
        method: str,
        target: str,
        version: str,
        fields: list[tuple[bytes, bytes]],
        peer: Peer,
    ) -> None:
        self.method = method
        self.target = target
        self.version = version
        self.fields = fields
        self.body = b""
        self.upgrade = ""
        self.keeps_alive = True
        self._peer = peer

    @property
    def raw_path(self) -> str:
        """The path with its percent-escapes, without host (proxies send one), query and fragment.

        Source:
            RFC 9112, 3.2.
        """
        path = self.target
        if "?" in path or "#" in path:
            path = path.partition("?")[0].partition("#")[0]
        if path.startswith("/") or path == "*":
            return path
        return f"/{path.partition('://')[2].partition('/')[2]}"

    @property
    def path(self) -> str:
        """The path, percent-decoded."""
        raw_path = self.raw_path
        return unquote(raw_path) if "%" in raw_path else raw_path

    @property
    def query(self) -> str:
        """What stands behind the question mark, as it was sent; empty if nothing does."""
        return self.target.partition("#")[0].partition("?")[2]

    def header(self, name: str) -> str | None:
        """The value of a header field, None without one. Several are joined with `, `.

        Args:
            name: In lower case.

        Returns:
            UTF-8 as text; bytes that are not UTF-8 become surrogates.
        """
        values = self.header_values(name)
        return ", ".join(values) if values else None

    def header_values(self, name: str) -> list[str]:
        """The values of all header fields of a name, in their order; see `header`."""
        wanted = name.encode()
        values = [value for each, value in self.fields if each == wanted]
        return [value.decode(errors="surrogateescape") for value in values]

    @property
    def is_abandoned(self) -> bool:
        """Whether the client has hung up, or has said that it sends no more."""
        return self._peer.has_left

    def peer_info(self, name: str) -> Any:
        """A fact about the client, such as `peername` or `peercert`.

        Args:
            name: See `asyncio.BaseTransport.get_extra_info`.
        """
        return self._peer.extra_info(name)


class Response(NamedTuple):
    """An answer.

    Attributes:
        status: The status code.
        body: The whole body.
        content_type: The header field `Content-Type`; empty for none.
        headers: More header fields. `Content-Length`, `Date` and `Connection` are the server's.
        stream: The pieces of a body that is longer than memory, or made over time; used in place
            of `body`. No piece is asked for while the client does not read.
        sent: Called once: with True when the last byte of `body` has left this process, with
            False if the connection ended before. Over TLS up to 64 KiB may still be in a buffer.
        switch: For status 101, the protocol that takes over the connection.
    """

    status: int
    body: bytes = b""
    content_type: str = _TEXT
    headers: tuple[tuple[str, str], ...] = ()
    stream: AsyncIterator[bytes] | None = None
    sent: Callable[[bool], None] | None = None
    switch: asyncio.Protocol | None = None

    @property
    def fields(self) -> list[tuple[str, str]]:
        """The header fields, but for those that are the server's."""
        content_type = [("Content-Type", self.content_type)] if self.content_type else []
        return [*content_type, *self.headers]


class Later(NamedTuple):
    """An answer that waits for a future; costs less than a task that does.

    Attributes:
        future: Any future of this event loop.
        respond: Called on the event loop with the future when it is done.
    """

    future: asyncio.Future[Any]
    respond: Callable[[asyncio.Future[Any]], Response]


Handler: TypeAlias = Callable[[Request], Response | Later | Awaitable[Response]]
"""Answers a request. It raises `RequestRefusedError` to refuse one.

What it returns at once is written at once; a coroutine runs as a task of its own. The next request
of the same connection is handled when this one is answered; other connections do not wait.
"""


def text_response(status: int, reason: str = "", **headers: str) -> Response:
    """A line of plain text.

    Args:
        status: The status code.
        reason: The line, without its end; empty for an empty body.
        headers: More header fields; an underscore in a name stands for a hyphen.
    """
    body = f"{reason}\n".encode(errors="backslashreplace") if reason else b""
    return Response(
        status,
        body,
        headers=tuple((name.replace("_", "-"), value) for name, value in headers.items()),
    )


def refusal(error: RequestRefusedError) -> Response:
    """The response to a request that is refused."""
    headers = {} if error.retry_after_s is None else {"Retry_After": str(error.retry_after_s)}
    if error.http_status == 401:
        headers["WWW_Authenticate"] = "Bearer"
    return text_response(error.http_status, error.reason, **headers)
