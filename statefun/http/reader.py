"""The reading half of a connection: bytes become requests.

Law: a request is refused as soon as the reason is known, by its head if possible. Neither a body
that nobody will take nor a head without an end is kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import httptools

from statefun.errors import RequestRefusedError
from statefun.http.bodies import Body, BodyBudget, Decoder, body_decoder, too_long
from statefun.http.messages import Request

if TYPE_CHECKING:
    from collections.abc import Callable

    from statefun.http.access import Access
    from statefun.http.limits import ServerLimits
    from statefun.http.messages import Peer

__all__ = ["Intake", "RequestReader"]

_CHECKED: Final = {
    *(b"host", b"content-length", b"connection"),
    *(b"transfer-encoding", b"content-encoding", b"expect"),
}
_OF_AN_OFFER: Final = {b"connection", b"upgrade", b"http2-settings"}
_FRAMING: Final = {b"content-length", b"transfer-encoding"}
_LONGEST_REASON: Final = 200
_SLASH: Final = ord("/")


class Intake:
    """What the readers of a server have in common.

    Attributes:
        access: Who may ask.
        limits: How much a client may send.
        upgrades: The protocols that handlers may switch to, in lower case.
        budget: The bodies that are not complete.
    """

    __slots__ = ("access", "budget", "limits", "upgrades")

    def __init__(self, access: Access, limits: ServerLimits, upgrades: frozenset[str]) -> None:
        self.access = access
        self.limits = limits
        self.upgrades = upgrades
        self.budget = BodyBudget(limits.max_unfinished_bytes)


class RequestReader:
    """Reads the requests of one connection.

    Args:
        intake: What it shares with other connections.
        peer: The client, as requests know it.
        take: Called with each request that is complete.
        clock: The time in seconds.

    Attributes:
        wants_continue: Whether the client holds a body back until it is told `100 Continue`.
        heard_at: When the last bytes of a body that is not complete came.
        rest: The bytes behind a request that offers another protocol; None without one. Nothing
            more is read until `decline` is called.
    """

    __slots__ = (
        *(
            "_intake",
            "_peer",
            "_take",
            "_clock",
            "_parser",
            "_url",
            "_fields",
            "_usual_fields",
            "_request",
            "_body",
            "_plain_body",
        ),
        *("_head_bytes", "_is_long", "wants_continue", "heard_at", "rest"),
    )

    def __init__(
        self,
        intake: Intake,
        peer: Peer,
        take: Callable[[Request], None],
        clock: Callable[[], float],
    ) -> None:
        self._intake = intake
        self._peer = peer
        self._take = take
        self._clock = clock
        self._parser: Any = httptools.HttpRequestParser(self)
        self._url = b""
        self._fields: list[tuple[bytes, bytes]] = []
        self._usual_fields: list[tuple[bytes, bytes]] | None = None  # of a head that was checked
        self._request: Request | None = None
        self._body: Body | None = None
        self._plain_body = Body(intake.limits.max_body_bytes, intake.budget)  # used again and again
        self._head_bytes = -1
        self._is_long = False
        self.wants_continue = False
        self.heard_at = clock()
        self.rest: bytes | None = None

    @property
    def has_begun(self) -> bool:
        """Whether a request has begun to come, and is not complete."""
        return bool(self._url)

    @property
    def body_bytes(self) -> int | None:
        """How many bytes of a body have come; None if no body is expected now."""
        return None if self._body is None else self._body.size

    def feed(self, data: bytes) -> None:
        """Read bytes; requests that they complete are taken.

        Raises:
            RequestRefusedError: If they are not HTTP/1.1, or ask for too much. Nothing that comes
                afterwards can be read.
        """
        if self.rest is not None:
            self.rest += data
            return
        size = len(data)
        self._is_long = size + self._head_bytes > self._intake.limits.max_head_bytes
        try:
            while data:
                try:
                    self._parser.feed_data(data)
                    break
                except httptools.HttpParserUpgrade as upgrade:
                    data = self._consider_offer(data[upgrade.args[0] :])
        except httptools.HttpParserCallbackError as error:
            raise error.__context__ or error from None
        except httptools.HttpParserError as error:
            raise _malformed(_reason(error, data)) from None
        if self._request is not None:
            self.heard_at = self._clock()
        elif self._url:
            self._watch_head(size)

    def close(self) -> None:
        """Drop a request that is not complete."""
        if self._body is not None:
            self._body.give_back()
        self._forget()
        self._parser = None  # which refers to this reader

    def _watch_head(self, size: int) -> None:
        """Count the bytes of a head that is not complete, but for those that it began in."""
        self._head_bytes = 0 if self._head_bytes < 0 else self._head_bytes + size
        if self._head_bytes > self._intake.limits.max_head_bytes:
            raise self._head_too_long()

    def _head_too_long(self) -> RequestRefusedError:
        max_bytes = self._intake.limits.max_head_bytes
        return RequestRefusedError(
            431, f"the head of this request is longer than {max_bytes} bytes"
        )

    # --- what the parser calls --------------------------------------------------------------------

    def on_url(self, url: bytes) -> None:
        """A piece of the request's target."""
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header field; or a trailer, which is ignored."""
        if self._request is None:
            self._fields.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        """The head is complete; most have the same fields as the one before it."""
        is_usual = self._fields == self._usual_fields and self._url[0] == _SLASH
        if is_usual and not self._is_long and self._parser.should_keep_alive():
            method, target = self._parser.get_method().decode(), self._url.decode()
            self._request = Request(method, target, "1.1", self._fields, self._peer)
            self._body = self._plain_body
        else:
            self._look_at_head()

    def on_body(self, piece: bytes) -> None:
        """A piece of the request's body."""
        self.wants_continue = False
        if self._body is not None:
            self._body.add(piece)

    def on_message_complete(self) -> None:
        """The request is complete, or would be if the client's offer to upgrade were accepted."""
        if not self._parser.should_upgrade():
            self._complete()

    # --- inside -----------------------------------------------------------------------------------

    def _look_at_head(self) -> None:
        """Check a head; most have nothing but a host and a length to look at."""
        parser, fields, intake = self._parser, self._fields, self._intake
        keeps_alive = parser.should_keep_alive()
        # Only since 1.1 a connection is kept by default; to ask for the version takes longer.
        version = "1.1" if keeps_alive else parser.get_http_version()
        hosts = length = 0
        is_special = self._is_long or self._url[0] != _SLASH or intake.access.authorize is not None
        is_usual = keeps_alive
        for name, value in fields:
            if name in _CHECKED:
                if name == b"host":
                    hosts += 1
                elif name == b"content-length":
                    length = int(value)  # the parser has seen to it that it is one
                elif name == b"connection":
                    version = parser.get_http_version()
                    is_usual = False
                else:
                    is_special = True
        self._request = request = Request(
            parser.get_method().decode(), self._url.decode(), version, fields, self._peer
        )
        request.keeps_alive = keeps_alive and version != "1.0"
        if hosts != 1 and version != "1.0":
            raise _malformed("it needs one header field 'Host'")
        if len(fields) > intake.limits.max_header_fields:
            raise RequestRefusedError(
                431, f"this request has more than {intake.limits.max_header_fields} header fields"
            )
        decoder = self._check_closely(request) if is_special else None
        max_bytes = intake.limits.max_body_bytes
        if max_bytes is not None and length > max_bytes:
            raise too_long(max_bytes)
        if decoder is None:
            self._body = self._plain_body
            self._usual_fields = fields if is_usual and not is_special else None
        else:
            self._body = Body(
                intake.limits.max_decompressed_bytes if max_bytes is None else max_bytes,
                intake.budget,
                decoder,
            )

    def _check_closely(self, request: Request) -> Decoder | None:
        """Check what few requests have; returns how the body is compressed."""
        if self._is_long:
            size = sum(len(name) + len(value) + 4 for name, value in request.fields)
            if size + len(self._url) > self._intake.limits.max_head_bytes:
                raise self._head_too_long()
        if not request.target.startswith("/"):
            _check_target(request)
        expected = request.header("expect")
        if expected is not None:
            if expected.lower() != "100-continue":
                raise RequestRefusedError(
                    417, f"'Expect: {expected}' cannot be met: leave it out, or send '100-continue'"
                )
            self.wants_continue = request.version != "1.0"
        if not self._intake.access.allows(request):
            raise RequestRefusedError(
                401, "this needs a token: send the header field 'Authorization: Bearer TOKEN'"
            )
        transfer = (request.header("transfer-encoding") or "chunked").lower()
        if transfer != "chunked":
            raise RequestRefusedError(
                400,
                f"the transfer encoding {transfer!r} is not taken: send the body chunked or with "
                "its length, and what is compressed with a Content-Encoding",
            )
        return body_decoder((request.header("content-encoding") or "").strip().lower())

    def _complete(self) -> None:
        """Hand over the request that has come."""
        request, body = self._request, self._body
        assert request is not None  # noqa: S101 - its head is complete
        assert body is not None  # noqa: S101 - likewise
        request.body = body.whole()
        self._url, self._fields, self._request, self._body = b"", [], None, None
        self._head_bytes = -1
        self.wants_continue = False
        self._take(request)

    def _forget(self) -> None:
        self._url, self._fields, self._request, self._body = b"", [], None, None
        self._head_bytes = -1
        self.wants_continue = False

    # --- offers of another protocol ---------------------------------------------------------------

    def decline(self) -> bytes:
        """Go on in HTTP behind an offer that the handler did not take.

        Returns:
            What has come behind it, to be fed.
        """
        rest, self.rest = self.rest, None
        self._parser = httptools.HttpRequestParser(self)
        return rest or b""

    def _consider_offer(self, rest: bytes) -> bytes:
        """Leave an offer to the handler, or decline it.

        It is declined by answering as if it had not been made (Java's client makes one with every
        request). The parser takes the rest for the other protocol, but it is the body.

        Args:
            rest: The bytes behind the head.

        Returns:
            What a new parser has to be fed.
        """
        request = self._request
        assert request is not None  # noqa: S101 - its head is complete
        offered = (request.header("upgrade") or "").strip().lower()
        has_body = any(name in _FRAMING for name, _ in request.fields)
        if request.method != "CONNECT" and offered in self._intake.upgrades and not has_body:
            request.upgrade = offered
            self.rest = rest
            self._complete()
            return b""
        self._parser = httptools.HttpRequestParser(self)
        if request.method == "CONNECT":  # an offer by itself, and without a body
            self._complete()
            return rest
        fields = [each for each in request.fields if each[0] not in _OF_AN_OFFER]
        if not request.keeps_alive:
            fields.append((b"connection", b"close"))
        head = f"{request.method} {request.target} HTTP/{request.version}\r\n".encode()
        self._forget()
        return b"%b%b\r\n%b" % (head, b"".join(b"%b: %b\r\n" % each for each in fields), rest)


def _check_target(request: Request) -> None:
    """A target that is not a path is a whole URL, or belongs to its method."""
    if request.method != "CONNECT" and request.target != "*":
        try:
            httptools.parse_url(request.target.encode())
        except httptools.HttpParserInvalidURLError:
            raise _malformed(f"{request.target[:_LONGEST_REASON]!r} is not a URL") from None


def _malformed(reason: str) -> RequestRefusedError:
    return RequestRefusedError(400, f"the request is not HTTP/1.1 that can be read: {reason}")


def _reason(error: Exception, data: bytes) -> str:
    """The reason why bytes cannot be parsed."""
    if data.startswith(b"\x16\x03"):
        return "it begins like TLS, which is not spoken here: use http:// instead of https://"
    if "PRI/Upgrade" in str(error):
        return "it begins like HTTP/2, which is not spoken here"
    return str(error)
