"""Functions behind HTTP endpoints: which endpoint serves a typename, and one POST to it.

Law: one call of `invoke` is one attempt. Whether and when there is another one is the engine's
decision; this module only says whether a connection was made at all. If one broke off under the
request, the functions may have run: that is an attempt, and nothing here sends a POST twice.
"""

from __future__ import annotations

import asyncio
import io
import sys
from datetime import timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlsplit

from statefun.errors import (
    MessageRefusedError,
    ReplyTooLargeError,
    TransportError,
    ValueRefusedError,
)
from statefun.runtime.engine.policy import Limits
from statefun.runtime.transports.options import (
    NO_NAMES,
    PLACEHOLDER,
    SOCKET,
    SOCKET_SCHEMES,
    HttpOptions,
    parse_functions,
    parse_url_template,
)
from statefun.sdk.address import parse_typename
from statefun.sdk.specs import whole_millis

if TYPE_CHECKING:
    import ssl

    import aiohttp

    from statefun.runtime.engine.policy import FailurePolicy

__all__ = ["HttpEndpoint", "HttpTransport"]

_OCTETS: Final = "application/octet-stream"
_HEADERS: Final = {"Content-Type": _OCTETS, "Accept": _OCTETS, "User-Agent": "statefun"}
_LARGE_BODY_BYTES: Final = 1 << 20
_REASON_BYTES: Final = 4000
_LONGEST_NUMBER: Final = 9  # digits, of seconds
_FAILURES: Final[dict[str | None, type[TransportError]]] = {
    "unreadable-value": ValueRefusedError,
    "do-not-retry": MessageRefusedError,
}
"""What an endpoint of ours says in the header `Statefun-Failure` → the error that it stands for."""

_LATER: Final = frozenset({429, 503})
"""With `Retry-After`, an endpoint says by these that it takes no request now."""


class HttpEndpoint:
    """Serves the functions of a namespace, or one function, over HTTP.

    Args:
        functions: `namespace/name`, or `namespace/*` for all of a namespace.
        url_path_template: Where to POST; each `{function.name}` is replaced by the function's name.
            `http+unix:///path/to.sock/path` reaches a Unix domain socket.
        max_batch: From how many messages waiting for one address on there is back pressure; 0 or
            less for never.
        options: How the functions are called.
        failure: The policy for messages that its functions fail on; None for the runtime's.
        limits: How much an address of its functions may have; None for what `max_batch` says, and
            else the runtime's limits.

    Raises:
        ConfigurationError: If the pattern or the template is malformed, or files for TLS are not
            there or do not go together.
        ModuleNotFoundError: If aiohttp is not installed.
    """

    def __init__(
        self,
        functions: str,
        url_path_template: str,
        *,
        max_batch: int = 1000,
        options: HttpOptions | None = None,
        failure: FailurePolicy | None = None,
        limits: Limits | None = None,
    ) -> None:
        _require_client()
        self.functions = functions
        self.url_path_template = parse_url_template(url_path_template)
        self.max_batch = max_batch
        self.options = options or HttpOptions()
        self.failure = failure
        self.limits = limits or Limits(max_waiting=max_batch if max_batch > 0 else sys.maxsize)
        self._tls = None if self.options.tls is None else self.options.tls.context()
        self._pattern = parse_functions(functions)
        self._sessions: dict[str, aiohttp.ClientSession] = {}
        self._turns: asyncio.Semaphore | None = None

    @property
    def is_specific(self) -> bool:
        """Whether it names one function; then it goes before an endpoint of the namespace."""
        return self._pattern.name is not None

    def matches(self, typename: str) -> bool:
        """Whether it serves functions of this typename.

        A namespace matches as a whole only. A function named `.` or `..` cannot be part of a URL.
        """
        return self._pattern.matches(typename) and parse_typename(typename).name not in NO_NAMES

    def transport(self, typename: str) -> HttpTransport:
        """The transport to a function that `matches`."""
        return HttpTransport(self.url(typename), self)

    def url(self, typename: str) -> str:
        """Where a function that `matches` is called."""
        _, name = parse_typename(typename)
        return self.url_path_template.replace(PLACEHOLDER, quote(name, safe="!$&'()*+,;=:@"))

    def session(self, socket_path: str) -> aiohttp.ClientSession:
        """The connections to a Unix domain socket, or for an empty path to everywhere else."""
        session = self._sessions.get(socket_path)
        if session is None:
            session = _open_session(self.options, socket_path, self._tls)
            self._sessions[socket_path] = session
        return session

    def turn(self) -> asyncio.Semaphore:
        """To be held during a call: there are as many as connections."""
        if self._turns is None:
            self._turns = asyncio.Semaphore(self.options.pool_size)
        return self._turns

    async def close(self) -> None:
        """Close every connection. The endpoint may be used again, on another event loop too."""
        while self._sessions:
            await self._sessions.popitem()[1].close()
        self._turns = None

    def __repr__(self) -> str:
        return f"<HttpEndpoint {self.functions} at {self.url_path_template}>"


class HttpTransport:
    """The transport to the functions at one URL of an endpoint."""

    def __init__(self, url: str, endpoint: HttpEndpoint) -> None:
        self.url = url
        self._endpoint = endpoint
        self._socket_path, self._target = _split_socket(url)

    async def invoke(self, request: bytes) -> bytes:
        """POST a batch and return the reply; one attempt, redirects are not followed.

        Args:
            request: A serialized `ToFunction`.

        Returns:
            The body of the answer; a serialized `FromFunction` unless the other side is mistaken.

        Raises:
            TransportError: If there was no connection (`connected` is False then), no answer in
                time, or an answer of something else than an endpoint.
        """
        import aiohttp  # noqa: PLC0415 - an optional dependency; `HttpEndpoint` has checked for it

        session = self._endpoint.session(self._socket_path)
        body = request if len(request) < _LARGE_BODY_BYTES else io.BytesIO(request)
        try:
            async with (
                self._endpoint.turn(),
                session.post(self._target, data=body, allow_redirects=False) as response,
            ):
                await self._check(response)
                return await self._read(response)
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise TransportError(
                f"no connection to {self.url}: {_sentence(error)}; is the endpoint running?",
                connected=False,
            ) from error
        except aiohttp.SocketTimeoutError as error:
            raise self._late(self._endpoint.options.read) from error
        except TimeoutError as error:
            raise self._late(self._endpoint.options.call) from error
        except aiohttp.ClientError as error:
            raise TransportError(f"{self.url} broke off: {_sentence(error)}") from error

    async def _check(self, response: aiohttp.ClientResponse) -> None:
        content_type = response.headers.get("Content-Type", "")
        if not 200 <= response.status < 300:
            reason = _first_line(await response.content.read(_REASON_BYTES))
            status = f"{response.status} {response.reason or ''}".rstrip()
            kind = _FAILURES.get(response.headers.get("Statefun-Failure"), TransportError)
            wait_ms = _wait_ms(response.headers.get("Retry-After"), response.headers.get("Date"))
            place = response.headers.get("Statefun-At")
            at = "" if place is None else f" (at {place[:_REASON_BYTES]})"
            raise kind(
                f"{self.url} answered {status}{': ' if reason else ''}{reason}{at}",
                connected=wait_ms is None or response.status not in _LATER,
                retry_after_ms=wait_ms,
            )
        if content_type.lower() != _OCTETS:
            raise TransportError(
                f"{self.url} answered {response.status} with the content type {content_type!r}: "
                f"an endpoint answers exactly {_OCTETS!r}, without parameters"
            )

    async def _read(self, response: aiohttp.ClientResponse) -> bytes:
        most = self._endpoint.options.payload_max_bytes
        chunks: list[bytes] = []
        size = response.content_length or 0
        if size <= most:
            size = 0
            async for chunk in response.content.iter_any():
                chunks.append(chunk)
                size += len(chunk)
                if size > most:
                    break
        if size > most:
            raise ReplyTooLargeError(
                f"{self.url} answered with more than {most} bytes: let the function send less at "
                "once, or raise payload_max_bytes of the endpoint",
                url=str(self.url),
                limit_bytes=most,
            )
        return b"".join(chunks)

    def _late(self, after: timedelta | None) -> TransportError:
        within_ms = (after or self._endpoint.options.call) // timedelta(milliseconds=1)
        return TransportError(
            f"{self.url} gave no answer within {within_ms} ms: make the function faster, or "
            "give its endpoint a longer timeout"
        )

    def __repr__(self) -> str:
        return f"<HttpTransport {self.url}>"


def _split_socket(url: str) -> tuple[str, str]:
    """The path of the socket, empty if there is none, and the URL to ask for.

    The engine sends the path behind a socket as one percent-encoded segment; a server that works
    with it does not look at the path, so here it is sent as it is written.
    """
    parts = urlsplit(url)
    socket = SOCKET.match(parts.path) if parts.scheme in SOCKET_SCHEMES else None
    if socket is None:
        return "", url
    path = parts.path[socket.end() :] or "/"
    return socket.group(), f"http://localhost{path}" + (f"?{parts.query}" if parts.query else "")


def _open_session(
    options: HttpOptions, socket_path: str, tls: ssl.SSLContext | None
) -> aiohttp.ClientSession:
    import aiohttp  # noqa: PLC0415 - an optional dependency; `HttpEndpoint` has checked for it

    keep = options.pool_ttl > timedelta()
    pool: dict[str, Any] = {"limit": options.pool_size, "force_close": not keep}
    if keep:
        pool["keepalive_timeout"] = options.pool_ttl.total_seconds()
    return aiohttp.ClientSession(
        connector=(
            aiohttp.UnixConnector(socket_path, **pool)
            if socket_path
            else aiohttp.TCPConnector(ssl=True if tls is None else tls, **pool)
        ),
        headers=_HEADERS,
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(
            total=options.call.total_seconds(),
            connect=options.connect.total_seconds(),
            sock_read=None if options.read is None else options.read.total_seconds(),
        ),
    )


def _require_client() -> None:
    try:
        import aiohttp  # noqa: F401, PLC0415 - an optional dependency
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "remote functions need aiohttp: pip install 'statefun[runtime]'"
        ) from error


def _wait_ms(retry_after: str | None, date: str | None) -> int | None:
    """How long a server asks to be left alone, None if it does not say so.

    Args:
        retry_after: Seconds, or a date.
        date: The server's own time, by which that date is meant.

    Source:
        RFC 9110, 10.2.3.
    """
    if retry_after is None:
        return None
    if retry_after.strip().isdecimal():
        return int(retry_after[:_LONGEST_NUMBER]) * 1000
    try:
        wait = parsedate_to_datetime(retry_after) - parsedate_to_datetime(date or "")
    except (TypeError, ValueError):  # not a date, or one with a zone and one without
        return None
    return max(0, whole_millis(wait))


def _first_line(body: bytes) -> str:
    lines = body.decode(errors="replace").split("\n", 1)
    return lines[0].strip()


def _sentence(error: Exception) -> str:
    return str(error) or type(error).__name__
