"""The HTTP egress: `GET /<topic>` takes the next record of a topic.

Law: a record counts as delivered once its answer has been written, or, with `?ack=explicit`, once
the reader has acknowledged it. Until then it can come again, with the same `Record-Id`.

Source:
    `io.statefun.playground.v1/egress` of the Flink StateFun playground.
"""

from __future__ import annotations

import asyncio
import json
import logging
from base64 import b64encode
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, unquote_to_bytes

from statefun.connectors.http.queries import parse_choice, parse_duration, parse_number
from statefun.connectors.http.records import TEXT, parse_record
from statefun.connectors.http.topics import Entry, Topic
from statefun.errors import InvalidMessageError, RemoteProtocolError, StatefunError
from statefun.http import Access, HttpServer, Request, Response, ServerLimits, text_response
from statefun.http.routes import method_not_allowed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from statefun.connectors.http.records import Record
    from statefun.ports import OutgoingRecord

__all__ = ["PLAYGROUND_EGRESS", "HttpEgress"]

logger = logging.getLogger("statefun.connectors")

PLAYGROUND_EGRESS: Final = "io.statefun.playground/egress"

_SMALL_BODY: Final = 64 << 10  # requests have none; others are answered 405
_VISIBLE_ASCII: Final = "".join(map(chr, range(0x21, 0x7F))).replace("%", "")
_LEASE_S: Final = 30.0
_LONGEST_ID: Final = 20
_MOST_RECORDS: Final = 10_000
_MOST_BYTES: Final = 16 << 20
"""Many records at once have so many bytes at most; one alone may have more."""


class HttpEgress:
    """Hands egress records out: `GET /<topic>` takes the oldest one of a topic.

    A function sends either the playground's JSON record, or a Kafka record. A record is forgotten
    once its answer has been written; until then it comes again, with the same `Record-Id`. A query
    says more: `ack=explicit` leases the record instead, for 30 s or as `lease` says, until
    `DELETE /<topic>/<Record-Id>` acknowledges it; `wait=10s` waits for a record; `max=100` takes
    up to so many, as a JSON array.

    Args:
        port: Which port; 0 for any free one.
        topics: The topics that functions may send to.
        host: Where to listen.
        typename: The egress typename that functions send to.
        access: Who may ask; by default whoever is on this machine.
        write_timeout: A reader that takes no byte of its record for so long is sent away.
    """

    def __init__(
        self,
        port: int,
        topics: Iterable[str],
        host: str = "127.0.0.1",
        typename: str = PLAYGROUND_EGRESS,
        *,
        access: Access | None = None,
        write_timeout: timedelta = timedelta(seconds=30),
    ) -> None:
        self._typename = typename
        limits = ServerLimits(
            max_body_bytes=_SMALL_BODY, write_timeout_s=write_timeout.total_seconds()
        )
        self._server = HttpServer(self._handle, host, port, access=access, limits=limits)
        self._topics = {topic: Topic() for topic in topics}
        self._is_stopping = False
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
                self._topics[parsed.topic].put(Entry(record.id, parsed))
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
        """Listen no more; see `Egress`. Records that are leased come again."""
        self._is_stopping = True
        for topic in self._topics.values():
            topic.close()
        await self._server.stop()

    def _parse(self, argument: bytes) -> Record:
        record = parse_record(argument)
        if record.topic not in self._topics:
            raise InvalidMessageError(
                f"the egress {self._typename} has no topic {record.topic!r}: it has "
                f"{', '.join(map(repr, self._topics)) or 'none'}; add it to the module file, or "
                "correct the function",
                argument="topic",
                given=record.topic,
            )
        return record

    async def _handle(self, request: Request) -> Response:
        path = request.raw_path[1:]
        topic, name = self._topic(path)
        if request.method == "DELETE" and topic is None:
            return self._acknowledge(*path.rpartition("/")[::2])
        if request.method != "GET":
            return method_not_allowed(request.method, "GET")
        if topic is None:
            return self._no_topic(name)
        query = request.query
        most = parse_number(query, "max", _MOST_RECORDS)
        is_explicit = parse_choice(query, "ack", ("explicit",)) is not None
        lease = parse_duration(query, "lease")
        wait = parse_duration(query, "wait")
        # A reader that hung up behind its request is seen only after one turn of the event loop.
        await asyncio.sleep(0)
        if wait is not None:
            await self._wait(request, topic, wait.total_seconds())
        if request.is_abandoned or not topic:
            topic.wake()
            return text_response(404, f"there is no record in {name!r} now")
        entries = topic.take(1 if most is None else most, _MOST_BYTES)
        topic.wake()
        if is_explicit:
            lease_s = _LEASE_S if lease is None else lease.total_seconds()
            return _answer(entries, self._leased(topic, entries, lease_s), is_many=most is not None)
        return _answer(entries, self._taken(topic, entries), is_many=most is not None)

    async def _wait(self, request: Request, topic: Topic, seconds: float) -> None:
        """Wait for a record, as long as the reader does and the egress is open."""
        loop = asyncio.get_running_loop()
        ends_s = loop.time() + seconds
        while not (topic or request.is_abandoned or self._is_stopping):
            remaining_s = ends_s - loop.time()
            if remaining_s <= 0:
                return
            await topic.wait(remaining_s)

    def _taken(self, topic: Topic, entries: list[Entry]) -> Callable[[bool], None]:
        """What becomes of records that are given for good, once it is known whether they left."""

        def sent(is_sent: bool) -> None:  # noqa: FBT001 - see `Response`
            if not is_sent:
                topic.put_back(entries)
            elif self._delivered is not None:
                self._delivered([entry.id for entry in entries])

        return sent

    def _leased(self, topic: Topic, entries: list[Entry], seconds: float) -> Callable[[bool], None]:
        """What becomes of records that are leased."""
        topic.lease(entries, seconds)

        def sent(is_sent: bool) -> None:  # noqa: FBT001 - see `Response`
            if not is_sent:
                topic.return_leased(entries)

        return sent

    def _acknowledge(self, path: str, record_id: str) -> Response:
        """Forget a record that a reader has for good."""
        topic, name = self._topic(path)
        if topic is None:
            return self._no_topic(name)
        is_id = record_id.isascii() and record_id.isdecimal() and len(record_id) < _LONGEST_ID
        if not is_id or not topic.acknowledge(int(record_id)):
            return text_response(
                404, f"there is no record {record_id!r} in {name!r}: it was acknowledged before"
            )
        if self._delivered is not None:
            self._delivered([int(record_id)])
        return Response(204)

    def _topic(self, path: str) -> tuple[Topic | None, str]:
        """The topic that a percent-encoded path names, None if there is none, and its name."""
        name = unquote_to_bytes(path).decode(errors="replace")
        return self._topics.get(name), name

    def _no_topic(self, name: str) -> Response:
        known = ", ".join(f"/{quote(each)}" for each in self._topics) or "none"
        return text_response(404, f"there is no topic {name!r}; topics: {known}")


def _answer(entries: Sequence[Entry], sent: Callable[[bool], None], *, is_many: bool) -> Response:
    """One record as it is, or many as a JSON array."""
    if is_many:
        body = json.dumps([_described(entry) for entry in entries], ensure_ascii=False).encode()
        return Response(200, body, "application/json", sent=sent)
    [entry] = entries
    headers = [("Record-Id", str(entry.id))]
    if entry.record.key:
        headers.append(("Record-Key", quote(entry.record.key, safe=_VISIBLE_ASCII)))
    record = entry.record
    return Response(200, record.body, record.content_type, tuple(headers), sent=sent)


def _described(entry: Entry) -> dict[str, Any]:
    """A record as one of many: its value is text, or base64 where it is bytes."""
    record = entry.record
    described: dict[str, Any] = {"id": str(entry.id)}
    if record.key:
        described["key"] = record.key
    if record.content_type == TEXT:
        described["value"] = record.body.decode(errors="replace")
    else:
        described["base64"] = b64encode(record.body).decode()
    return described
