"""The HTTP egress: `GET /<topic>` takes the next record of a topic.

Law: a record counts as delivered once its answer has been written; until then it can come again,
with the same `Record-Id`.

Source:
    `io.statefun.playground.v1/egress` of the Flink StateFun playground.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, unquote_to_bytes

from statefun.errors import InvalidMessageError, RemoteProtocolError, StatefunError
from statefun.http import Access, HttpServer, Request, Response, ServerLimits, text_response
from statefun.http.routes import method_not_allowed
from statefun.sdk.egress import KAFKA_RECORD
from statefun.sdk.wire import decode_kafka_record, decode_typed_value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from statefun.ports import OutgoingRecord

__all__ = ["PLAYGROUND_EGRESS", "HttpEgress"]

logger = logging.getLogger("statefun.connectors")

PLAYGROUND_EGRESS: Final = "io.statefun.playground/egress"
PLAYGROUND_RECORD: Final = "io.statefun.playground/EgressRecord"

_SMALL_BODY: Final = 64 << 10  # a GET has none; others are answered 405
_OCTETS: Final = "application/octet-stream"
_TEXT: Final = "text/plain; charset=utf-8"
_VISIBLE_ASCII: Final = "".join(map(chr, range(0x21, 0x7F))).replace("%", "")


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
        access: Who may ask; by default whoever is on this machine.
        write_timeout_s: A reader that takes no byte of its record for so many seconds is sent away.
    """

    def __init__(
        self,
        port: int,
        topics: Iterable[str],
        host: str = "127.0.0.1",
        typename: str = PLAYGROUND_EGRESS,
        *,
        access: Access | None = None,
        write_timeout_s: float = 30.0,
    ) -> None:
        self._typename = typename
        limits = ServerLimits(max_body_bytes=_SMALL_BODY, write_timeout_s=write_timeout_s)
        self._server = HttpServer(self._handle, host, port, access=access, limits=limits)
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

    @property
    def has_room(self) -> bool:
        """Always: records wait in memory until they are read."""
        return True

    def put(self, epoch: int, records: Sequence[OutgoingRecord]) -> None:  # noqa: ARG002
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

    async def flush(self) -> None:
        """Reading is for others to do."""

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

    async def _handle(self, request: Request) -> Response:
        if request.method != "GET":
            return method_not_allowed(request.method, "GET")
        name = unquote_to_bytes(request.raw_path[1:]).decode(errors="replace")
        topic = self._topics.get(name)
        if topic is None:
            known = ", ".join(f"/{quote(each)}" for each in self._topics) or "none"
            return text_response(404, f"there is no topic {name!r}; topics: {known}")
        # A reader that hung up behind its request is seen only after one turn of the event loop.
        await asyncio.sleep(0)
        if request.is_abandoned or not topic:
            return text_response(404, f"there is no record in {name!r} now")
        return self._hand_out(topic)

    def _hand_out(self, topic: deque[tuple[int, _Record]]) -> Response:
        """The oldest record of a topic, which is put back unless all of it leaves."""
        taken = record_id, record = topic.popleft()

        def sent(is_sent: bool) -> None:  # noqa: FBT001 - see `Response`
            if not is_sent:
                _put_back(topic, taken)
            elif self._delivered is not None:
                self._delivered([record_id])

        headers = [("Record-Id", str(record_id))]
        if record.key:
            headers.append(("Record-Key", quote(record.key, safe=_VISIBLE_ASCII)))
        return Response(200, record.body, record.content_type, tuple(headers), sent=sent)


def _put_back(topic: deque[tuple[int, _Record]], taken: tuple[int, _Record]) -> None:
    """Put a record where it was: others may have been taken and put back meanwhile."""
    topic.insert(sum(record_id < taken[0] for record_id, _ in topic), taken)


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
