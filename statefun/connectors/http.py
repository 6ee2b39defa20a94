"""Messages in and egress records out over HTTP: the ingress and the egress of the playground.

Law: nothing is kept here that a crash may not take. A message is answered once it is durable, and
a record counts as delivered once its answer has been written; until then it can come again.

Source:
    `io.statefun.playground.v1/ingress` and `/egress` of the Flink StateFun playground, which put
    the status into a header of the answer; here it is the status of the answer.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, unquote_to_bytes

from statefun.connectors.server import BodyRoom, HttpServer, RefusedError, answer, read_body
from statefun.errors import (
    AddressBusyError,
    IdempotencyConflictError,
    InvalidMessageError,
    InvalidTypenameError,
    MessageTooLargeError,
    RemoteProtocolError,
    RuntimeStoppedError,
    StatefunError,
    StoreError,
    UnknownFunctionError,
)
from statefun.sdk.address import Address, parse_typename
from statefun.sdk.egress import KAFKA_RECORD
from statefun.sdk.wire import decode_kafka_record, decode_typed_value, encode_typed_value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from aiohttp import web

    from statefun.ports import Delivery, OutgoingRecord

__all__ = ["PLAYGROUND_EGRESS", "HttpEgress", "HttpIngress"]

logger = logging.getLogger("statefun.connectors")

PLAYGROUND_EGRESS: Final = "io.statefun.playground/egress"
PLAYGROUND_RECORD: Final = "io.statefun.playground/EgressRecord"

_VENDOR: Final = "application/vnd."
_OCTETS: Final = "application/octet-stream"
_TEXT: Final = "text/plain; charset=utf-8"
_LONGEST_BODY: Final = 32 << 20
_LONGEST_KEY: Final = 255
_WRITE_S: Final = 30.0
_BROKEN_ESCAPE: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
_VISIBLE_ASCII: Final = "".join(map(chr, range(0x21, 0x7F))).replace("%", "")


# --- in -------------------------------------------------------------------------------------------


class HttpIngress:
    """Takes messages in: `PUT /<namespace>/<type>/<id>`, the body being the value's bytes.

    The content type names the type of the value: `application/vnd.<namespace>/<name>`. The answer
    200 means that the message is durable. A request that repeats another one with the same header
    `Idempotency-Key` to the same address is answered like that one and not delivered again.

    Args:
        port: Which port; 0 for any free one.
        host: Where to listen.
        max_body_bytes: The longest body that is read; functions may take less.
        patience_s: A request that stops coming for so many seconds is given up.
    """

    def __init__(
        self,
        port: int,
        host: str = "127.0.0.1",
        *,
        max_body_bytes: int = _LONGEST_BODY,
        patience_s: float = 60.0,
    ) -> None:
        self._server = HttpServer(self._handle, host, port, patience_s=patience_s)
        self._max_body_bytes = max_body_bytes
        self._room = BodyRoom()
        self._deliver: Delivery | None = None

    @property
    def port(self) -> int:
        """The port in use; 0 if any may be taken and it has not started."""
        return self._server.port

    async def start(self, deliver: Delivery) -> None:
        """Listen; see `Ingress`."""
        self._deliver = deliver
        await self._server.start()

    async def stop(self) -> None:
        """Listen no more; see `Ingress`."""
        await self._server.stop()

    async def _handle(self, request: web.Request) -> web.Response:
        try:
            if request.method not in ("PUT", "POST"):
                return answer(405, f"{request.method} is not served: use PUT", Allow="PUT, POST")
            target = _parse_target(request.rel_url.raw_path)
            typename = _parse_content_type(request.headers.get("Content-Type"))
            key = _parse_key(request.headers.getall("Idempotency-Key", []))
            await self._take(target, await self._read(request, typename), key)
        except (AddressBusyError, RuntimeStoppedError, StoreError) as error:
            raise RefusedError(503, str(error)) from error
        return answer(200)

    async def _read(self, request: web.Request, typename: str) -> bytes:
        """The message in a request; nothing else keeps its bytes while that is being stored."""
        patience_s = self._server.patience_s
        body = await read_body(request, self._max_body_bytes, patience_s, self._room)
        return encode_typed_value(typename, body)

    async def _take(self, target: Address, argument: bytes, key: str) -> None:
        assert self._deliver is not None  # noqa: S101 - the server listens after `start` only
        try:
            if key:
                await self._deliver(target, argument, key)
            else:
                await self._deliver(target, argument)
        except UnknownFunctionError as error:
            raise RefusedError(404, str(error)) from error
        except MessageTooLargeError as error:
            raise RefusedError(413, str(error)) from error
        except IdempotencyConflictError as error:
            raise RefusedError(409, str(error)) from error
        except InvalidMessageError as error:
            raise RefusedError(400, str(error)) from error


def _parse_target(raw_path: str) -> Address:
    """The address that a path means; `%2F` is part of a segment, not the end of one."""
    if _BROKEN_ESCAPE.search(raw_path):
        raise RefusedError(
            400, f"the path {raw_path!r} has a '%' without two hex digits: write %25 for a '%'"
        )
    segments = raw_path.removeprefix("/").split("/")
    if len(segments) != 3 or not all(segments):
        raise RefusedError(
            400,
            f"the path {raw_path!r} names no address: expected /<namespace>/<type>/<id>, none of "
            "them empty, with every '/' inside one of them written as %2F",
        )
    try:
        namespace, name, target_id = (unquote_to_bytes(segment).decode() for segment in segments)
    except UnicodeError as error:
        raise RefusedError(400, f"the path {raw_path!r} is not UTF-8: {error}") from error
    return Address(f"{namespace}/{name}", target_id)


def _parse_content_type(content_type: str | None) -> str:
    """The typename that a content type means; parameters are dropped."""
    media_type = (content_type or "").partition(";")[0].strip()
    is_vendor = media_type[: len(_VENDOR)].lower() == _VENDOR
    typename = media_type[len(_VENDOR) :] if is_vendor else ""
    try:
        parse_typename(typename)
        typename.encode()
    except (InvalidTypenameError, UnicodeError):
        raise RefusedError(
            415,
            f"the content type {content_type or ''!r} names no type: write the typename of the "
            f"body behind {_VENDOR!r}, for example "
            "'Content-Type: application/vnd.io.statefun.types/string'",
        ) from None
    return typename


def _parse_key(values: list[str]) -> str:
    """The idempotency key, empty if there is none."""
    if not values:
        return ""
    key = values[0].strip()
    try:
        is_key = len(values) == 1 and 0 < len(key.encode()) <= _LONGEST_KEY
    except UnicodeError:
        is_key = False
    if not is_key:
        raise RefusedError(
            400,
            f"the header Idempotency-Key is {', '.join(map(repr, values))[:_LONGEST_KEY]}: send it "
            f"once, with 1 to {_LONGEST_KEY} bytes of UTF-8",
        )
    return key


# --- out ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Record:
    """What a reader is given.

    Attributes:
        key: The key of a Kafka record, empty if it has none.
    """

    topic: str
    body: bytes
    content_type: str
    key: str = ""


class HttpEgress:
    """Hands egress records out: `GET /<topic>` takes the oldest one of a topic.

    A function sends either the playground's JSON record, or a Kafka record. A record is forgotten
    once its answer has been written; until then it comes again, with the same `Record-Id`.

    Args:
        port: Which port; 0 for any free one.
        topics: The topics that functions may send to.
        host: Where to listen.
        typename: The egress typename that functions send to.
    """

    def __init__(
        self,
        port: int,
        topics: Iterable[str],
        host: str = "127.0.0.1",
        typename: str = PLAYGROUND_EGRESS,
    ) -> None:
        self._typename = typename
        self._server = HttpServer(self._handle, host, port)
        self._topics: dict[str, deque[tuple[int, _Record]]] = {topic: deque() for topic in topics}
        self._delivered: Callable[[Sequence[int]], None] | None = None

    @property
    def typename(self) -> str:
        """The egress typename that functions send to."""
        return self._typename

    @property
    def port(self) -> int:
        """The port in use; 0 if any may be taken and it has not started."""
        return self._server.port

    def accept(self, argument: bytes) -> None:
        """Check a record; see `Egress`."""
        self._parse(argument)

    async def start(self, delivered: Callable[[Sequence[int]], None]) -> None:
        """Listen; see `Egress`."""
        self._delivered = delivered
        await self._server.start()

    def put(self, records: Sequence[OutgoingRecord]) -> None:
        """Take over records; see `Egress`.

        Records that it cannot write stay where they are, in the store, and come again to the next
        process: the module file may have had another topic, or another egress of this name.
        """
        refused: list[tuple[int, StatefunError]] = []
        for record in records:
            try:
                parsed = self._parse(record.argument)
            except (InvalidMessageError, RemoteProtocolError) as error:
                refused.append((record.id, error))
            else:
                self._topics[parsed.topic].append((record.id, parsed))
        if refused:
            logger.warning(
                "egress %s keeps %d records that it cannot write, the first is %d: %s",
                self._typename,
                len(refused),
                *refused[0],
            )

    async def stop(self) -> None:
        """Listen no more; see `Egress`."""
        await self._server.stop()

    def _parse(self, argument: bytes) -> _Record:
        record = _parse_record(argument)
        if record.topic not in self._topics:
            raise InvalidMessageError(
                f"the egress {self._typename} has no topic {record.topic!r}: it has "
                f"{', '.join(map(repr, self._topics)) or 'none'}; add it to the module file, or "
                "correct the function"
            )
        return record

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        if request.method != "GET":
            return answer(405, f"{request.method} is not served: use GET", Allow="GET")
        name = unquote_to_bytes(request.rel_url.raw_path[1:]).decode(errors="replace")
        topic = self._topics.get(name)
        if topic is None:
            known = ", ".join(f"/{quote(each)}" for each in self._topics) or "none"
            return answer(404, f"there is no topic {name!r}; topics: {known}")
        # A reader that hung up behind its request is seen only after one turn of the event loop.
        await asyncio.sleep(0)
        is_gone = request.transport is None or request.transport.is_closing()
        if is_gone or not topic:
            return answer(404, f"there is no record in {name!r} now")
        return await self._hand_out(topic, request)

    async def _hand_out(
        self, topic: deque[tuple[int, _Record]], request: web.Request
    ) -> web.StreamResponse:
        taken = record_id, record = topic.popleft()
        response = _record_response(record_id, record)
        is_written = False
        try:
            is_written = await _write(response, request)
        finally:
            if not is_written:
                _put_back(topic, taken)
        if is_written and self._delivered is not None:
            self._delivered([record_id])
        return response


async def _write(response: web.Response, request: web.Request) -> bool:
    """Write an answer until every byte of it has left this process.

    Returns:
        False if the reader left, or did not read for so long that it was sent away.
    """
    transport = request.transport
    if transport is None:
        return False
    transport.set_write_buffer_limits(high=0)  # so that draining waits for the last byte
    try:
        async with asyncio.timeout(_WRITE_S):
            await response.prepare(request)
            await response.write_eof()
            await request.writer.drain()
    except ConnectionError:
        return False
    except TimeoutError:
        transport.abort()
        return False
    return request.transport is not None


def _put_back(topic: deque[tuple[int, _Record]], taken: tuple[int, _Record]) -> None:
    """Put a record where it was: others may have been taken and put back meanwhile."""
    topic.insert(sum(record_id < taken[0] for record_id, _ in topic), taken)


def _record_response(record_id: int, record: _Record) -> web.Response:
    from aiohttp import web  # noqa: PLC0415 - an optional dependency; the server has checked

    headers = {"Content-Type": record.content_type, "Record-Id": str(record_id)}
    if record.key:
        headers["Record-Key"] = quote(record.key, safe=_VISIBLE_ASCII)
    return web.Response(body=record.body, headers=headers)


def _parse_record(argument: bytes) -> _Record:
    typed = decode_typed_value(argument)
    if typed.typename == PLAYGROUND_RECORD:
        return _parse_playground_record(typed.data)
    if typed.typename == KAFKA_RECORD:
        record = decode_kafka_record(typed.data)
        return _Record(record.topic, record.value, _OCTETS, record.key)
    raise InvalidMessageError(
        f"the HTTP egress cannot write a {typed.typename!r}: send a {PLAYGROUND_RECORD!r}, "
        'which is JSON of the form {"topic": …, "payload": …}, or use kafka_egress_message'
    )


def _parse_playground_record(data: bytes) -> _Record:
    """A record as JSON. Numbers and booleans become text, numbers as they are written."""
    try:
        fields = json.loads(data, parse_int=str, parse_float=str, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise InvalidMessageError(f"a {PLAYGROUND_RECORD} is no JSON: {error}") from error
    if not isinstance(fields, dict) or fields.keys() != {"topic", "payload"}:
        names = sorted(fields) if isinstance(fields, dict) else type(fields).__name__
        raise InvalidMessageError(
            f'a {PLAYGROUND_RECORD} is of the form {{"topic": …, "payload": …}}, got {names}'
        )
    return _Record(
        _scalar(fields, "topic"), _scalar(fields, "payload").encode(errors="replace"), _TEXT
    )


def _scalar(fields: dict[str, Any], name: str) -> str:
    value = fields[name]
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str):
        kind = "null" if value is None else type(value).__name__
        raise InvalidMessageError(
            f"the {name} of a {PLAYGROUND_RECORD} must be text, a number or a boolean, got {kind}: "
            "send other things as JSON text"
        )
    return value


def _refuse_constant(text: str) -> str:
    raise InvalidMessageError(f"{text} is no JSON")
