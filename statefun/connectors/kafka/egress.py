"""The Kafka egress: records of functions become records of topics.

Law: a record that this runtime has forgotten is in Kafka. With `exactly-once`, readers of committed
records see each of them once, however often this process or the broker is killed; with
`at-least-once`, a record may come again after that, and with the same id.

Source:
    `io.statefun.kafka.v1/egress` of Flink Stateful Functions 3.3; `KafkaProducerRecord` in
    kafka-egress.proto.
"""

from __future__ import annotations

import asyncio
import logging
import re
from datetime import timedelta
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from confluent_kafka import KafkaException

from statefun.connectors.kafka.identity import EgressIdentity
from statefun.connectors.kafka.properties import described, translate
from statefun.connectors.kafka.reports import Reports
from statefun.connectors.kafka.writer import Outgoing, PlainWriter, TransactionWriter
from statefun.errors import ConfigurationError, InvalidMessageError, RemoteProtocolError
from statefun.sdk.egress import KAFKA_RECORD
from statefun.sdk.wire import decode_kafka_record, decode_typed_value

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from statefun.connectors.kafka.writer import Writer
    from statefun.ports import OutgoingRecord

__all__ = ["Delivery", "KafkaEgress"]

logger = logging.getLogger("statefun.connectors")

Delivery: TypeAlias = Literal["at-least-once", "exactly-once"]

_TOPIC: Final = re.compile(r"[a-zA-Z0-9._-]{1,249}", re.ASCII)
_MOST_BYTES: Final = 1_048_576  # Java's `max.request.size`
_OVERHEAD: Final = 64
_MOST_WAITING: Final = 10_000
_MOST_WAITING_BYTES: Final = 64 << 20


class KafkaEgress:
    """Writes records to Kafka, from `kafka_egress_message`.

    A record goes to the partition that Java's client chooses for its key. A broker that cannot be
    reached is told in the log, and tried again.

    Args:
        egress_id: The egress typename that functions send to.
        address: Addresses of brokers, `host:port`, with commas between them.
        delivery: `at-least-once`, or `exactly-once` by transactions.
        transaction_timeout: How long a transaction may take; only for `exactly-once`.
        properties: Further properties of Java's producer.
        data: The data directory of the runtime; None if nothing survives the process.
        record_id_header: A header for the id of a record, which it keeps when it comes again; None
            for none.

    Raises:
        ConfigurationError: If these do not go together, or a property is not one.
    """

    def __init__(
        self,
        egress_id: str,
        address: str,
        *,
        delivery: Delivery = "at-least-once",
        transaction_timeout: timedelta = timedelta(minutes=1),
        properties: Mapping[str, str] | None = None,
        data: Path | None = None,
        record_id_header: str | None = None,
    ) -> None:
        if delivery not in ("at-least-once", "exactly-once"):
            raise ConfigurationError(
                f"there is no delivery {delivery!r}: choose 'at-least-once' or 'exactly-once'"
            )
        self._typename = egress_id
        self._delivery = delivery
        given = {**(properties or {}), "bootstrap.servers": address}
        if delivery == "exactly-once":
            given["transaction.timeout.ms"] = str(transaction_timeout // timedelta(milliseconds=1))
        translation = translate(given, "producer")
        self._settings = {
            "enable.idempotence": "true",
            "message.max.bytes": str(_MOST_BYTES),
            "partitioner": "murmur2_random",
            **({"delivery.timeout.ms": "0"} if delivery == "at-least-once" else {}),
            **translation.settings,
        }
        self._most_bytes = int(self._settings["message.max.bytes"])
        self._data = data
        self._header = record_id_header
        self._identity: EgressIdentity | None = None
        self._reports = Reports(f"egress {egress_id}, Kafka at {address}")
        for line in described(translation.without_effect):
            self._reports.tell(line, line)
        self._writer: Writer | None = None
        self._tell: Callable[[Sequence[int]], None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._sizes: dict[int, int] = {}  # record id → size, of those that wait
        self._waiting_bytes = 0
        self._is_empty = asyncio.Event()
        self._is_empty.set()
        self.kept = 0

    @property
    def typename(self) -> str:
        """The egress typename that functions send to."""
        return self._typename

    @property
    def has_room(self) -> bool:
        """Whether not too many records wait for the broker."""
        return len(self._sizes) < _MOST_WAITING and self._waiting_bytes < _MOST_WAITING_BYTES

    def accept(self, argument: bytes) -> None:
        """Check a record; see `Egress`."""
        self._parse(0, argument)

    async def start(self, delivered: Callable[[Sequence[int]], None]) -> None:
        """Begin to write; see `Egress`."""
        self._tell = delivered
        self._loop = asyncio.get_running_loop()
        self._identity = EgressIdentity(self._typename, self._data)
        arguments = (self._settings, self._reports, self._delivered, self._keep)
        try:
            if self._delivery == "exactly-once":
                self._writer = TransactionWriter(*arguments, self._identity)
            else:
                self._writer = PlainWriter(*arguments)
        except (KafkaException, ValueError) as error:
            reason = error.args[0].str() if isinstance(error, KafkaException) else str(error)
            raise ConfigurationError(
                f"the egress {self._typename} cannot be made: {reason}; correct its properties"
            ) from error
        self._writer.start()

    def put(self, epoch: int, records: Sequence[OutgoingRecord]) -> None:
        """Take over records; see `Egress`.

        One that it cannot write stays in the store, and comes again to the next process: the module
        file may have had another egress of this name.
        """
        assert self._writer is not None  # noqa: S101 - it was started
        for record in records:
            try:
                outgoing = self._parse(record.id, record.argument)
            except (InvalidMessageError, RemoteProtocolError) as error:
                self._note_kept(record.id, str(error))
                continue
            size = len(record.argument)
            self._sizes[record.id] = size
            self._waiting_bytes += size
            self._is_empty.clear()
            self._writer.put(outgoing._replace(is_new=epoch > 0))

    async def flush(self) -> None:
        """Wait until the broker has every record; see `Egress`."""
        await self._is_empty.wait()

    async def stop(self) -> None:
        """Write nothing more; see `Egress`."""
        if self._writer is not None:
            writer, self._writer = self._writer, None
            await asyncio.to_thread(writer.stop)

    # --- from the thread that writes --------------------------------------------------------------

    def _delivered(self, ids: Sequence[int]) -> None:
        self._on_loop(self._report_delivered, ids)

    def _keep(self, record: Outgoing, reason: str) -> None:
        size = len(record.key or b"") + len(record.value)
        text = f"topic {record.topic!r} does not take its {size} bytes: {reason}"
        self._on_loop(self._report_kept, record.record_id, text)

    def _on_loop(self, function: Callable[..., None], *arguments: object) -> None:
        assert self._loop is not None  # noqa: S101 - it was started
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(function, *arguments)

    # --- on the event loop ------------------------------------------------------------------------

    def _report_delivered(self, ids: Sequence[int]) -> None:
        for each in ids:
            self._forget(each)
        if self._tell is not None:
            self._tell(ids)

    def _report_kept(self, record_id: int, reason: str) -> None:
        self._forget(record_id)
        self._note_kept(record_id, reason)
        if self._tell is not None:
            self._tell(())  # there is room again

    def _forget(self, record_id: int) -> None:
        self._waiting_bytes -= self._sizes.pop(record_id, 0)
        if not self._sizes:
            self._is_empty.set()

    def _note_kept(self, record_id: int, reason: str) -> None:
        self.kept += 1
        logger.error(
            "egress %s keeps record %d in the store, since it cannot be written: %s",
            *(self._typename, record_id, reason),
        )

    def _parse(self, record_id: int, argument: bytes) -> Outgoing:
        """Read a record.

        Raises:
            InvalidMessageError: If it is not one that Kafka could take.
            RemoteProtocolError: If the bytes are not a value.
        """
        typed = decode_typed_value(argument)
        if typed.typename != KAFKA_RECORD:
            raise InvalidMessageError(
                f"the Kafka egress {self._typename} cannot write a {typed.typename!r}: use "
                "kafka_egress_message",
                argument="record",
                given=typed.typename,
            )
        record = decode_kafka_record(typed.data)
        if not _TOPIC.fullmatch(record.topic) or record.topic in {".", ".."}:
            raise InvalidMessageError(
                f"{record.topic!r} cannot be the name of a topic: use up to 249 letters, digits, "
                "dots, underscores and hyphens",
                argument="topic",
                given=record.topic,
            )
        key = record.key.encode()
        headers: list[tuple[str, str | bytes | None]] = [
            (header.key, header.value) for header in record.headers
        ]
        size = _OVERHEAD + len(key) + len(record.value)
        size += sum(len(each.key.encode()) + len(each.value or b"") for each in record.headers)
        if size > self._most_bytes:
            raise InvalidMessageError(
                f"a record for topic {record.topic!r} has {size} bytes, and the egress "
                f"{self._typename} writes at most {self._most_bytes}: send less, or raise "
                "'max.request.size' and the limit of the topic",
                argument="record",
                given=f"{size} bytes",
            )
        if self._header is not None and self._identity is not None:
            headers.append((self._header, f"{self._identity.id}-{record_id}".encode()))
        return Outgoing(record_id, record.topic, key or None, record.value, headers)
