"""The threads that write records to Kafka.

Laws:

1. A record is reported as delivered only when the broker has it: each by itself (`PlainWriter`), or
   with the transaction that contains it (`TransactionWriter`).
2. A producer that has failed for good is left behind, and a new one goes on with all records that
   were not reported.
3. A record that the broker will never take stays where it is, in the store; others go on.
"""

from __future__ import annotations

import json
import logging
import queue
import threading
import time
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from confluent_kafka import Message

    from statefun.connectors.kafka.identity import EgressIdentity
    from statefun.connectors.kafka.reports import Reports

__all__ = ["Outgoing", "PlainWriter", "TransactionWriter", "Writer"]

logger = logging.getLogger("statefun.connectors")

_MOST_RECORDS: Final = 500
_IDLE_S: Final = 0.2
_REPORTS_S: Final = 0.01
_AGAIN_S: Final = 1.0
_CALL_S: Final = 10.0
_LATE_S: Final = 5.0
"""A call that does not come back so long after its own time-out is left behind."""
_DAY_S: Final = 86_400.0
_MOST_KEPT: Final = 200  # their ids stand in the metadata of the position, 4,096 bytes
_END: Final = None
_NEVER: Final = (
    KafkaError.MSG_SIZE_TOO_LARGE,
    KafkaError.TOPIC_EXCEPTION,
    KafkaError.INVALID_RECORD,
)
"""The broker will not take such a record, however often it is sent."""


class Outgoing(NamedTuple):
    """A record as Kafka takes it.

    Attributes:
        record_id: Grows from record to record.
        key: None for a null key.
        is_new: Whether this process made it; an earlier one cannot have written it then.
    """

    record_id: int
    topic: str
    key: bytes | None
    value: bytes
    headers: list[tuple[str, str | bytes | None]]
    is_new: bool = False


class _FailedError(Exception):
    """The producer is of no use any more; the reason was reported."""


class Writer:
    """A thread with a producer.

    Args:
        settings: Those of librdkafka.
        reports: Told of trouble.
        delivered: Called in this thread with the ids of records that the broker has.
        kept: Called in this thread with a record that it will never take, and why.
    """

    def __init__(
        self,
        settings: Mapping[str, str],
        reports: Reports,
        delivered: Callable[[Sequence[int]], None],
        kept: Callable[[Outgoing, str], None],
    ) -> None:
        self._settings: dict[str, Any] = {
            **settings,
            "log_level": 0,
            "error_cb": self._report,
        }
        self._reports = reports
        self._delivered = delivered
        self._kept = kept
        self._queue: queue.SimpleQueue[Outgoing | None] = queue.SimpleQueue()
        self._is_stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="statefun-kafka", daemon=True)
        self._producer = Producer(self._settings)

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def put(self, record: Outgoing) -> None:
        """Write a record, behind those before it."""
        self._queue.put(record)

    def stop(self) -> None:
        """Write nothing more; blocks until the thread has ended, though not for long."""
        self._is_stopped.set()
        self._queue.put(_END)
        if self._thread.is_alive():
            self._thread.join(_LATE_S)

    def _run(self) -> None:
        while not self._is_stopped.is_set():
            try:
                self._write()
            except KafkaException as error:
                self._reports.trouble("records could not be written", error.args[0])
            except _FailedError:
                pass  # told already
            except Exception:
                logger.exception("records could not be written; it goes on trying")
            if self._is_stopped.wait(_AGAIN_S):
                return
            self._producer = Producer(self._settings)

    def _write(self) -> None:
        """Write with the present producer, until the end.

        Raises:
            KafkaException: If the producer is of no use any more.
            _FailedError: Likewise.
        """
        raise NotImplementedError

    def _next(self, wait_s: float) -> Iterator[Outgoing]:
        """Give the records that wait, up to 500; waits for the first."""
        try:
            for _ in range(_MOST_RECORDS):
                record = self._queue.get(timeout=wait_s) if wait_s else self._queue.get_nowait()
                if record is _END:
                    return
                yield record
                wait_s = 0.0
        except queue.Empty:
            return

    def _produce(
        self, record: Outgoing, report: Callable[[KafkaError | None, Message], None]
    ) -> None:
        """Hand a record to the producer; waits while its buffer is full."""
        while not self._is_stopped.is_set():
            try:
                self._producer.produce(
                    record.topic,
                    record.value,
                    record.key,
                    headers=record.headers,
                    on_delivery=report,
                )
            except BufferError:
                self._producer.poll(_REPORTS_S)
            else:
                return

    def _report(self, error: KafkaError) -> None:
        self._reports.trouble("the broker", error)


class PlainWriter(Writer):
    """Each record by itself, at least once."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._open: dict[int, Outgoing] = {}  # in the order in which they came
        self._done: list[int] = []
        self._failed: list[Outgoing] = []
        self._is_dead = False
        self._suspects: list[Outgoing] = []  # refused in a batch with others
        self._alone: int | None = None

    def _write(self) -> None:
        again, self._failed, self._is_dead = list(self._open.values()), [], False
        self._suspects.clear()
        for record in again:
            self._produce(record, partial(self._reported, record))
        while not self._is_stopped.is_set():
            for record in self._next(0.0 if self._open else _IDLE_S):
                self._open[record.record_id] = record
                self._produce(record, partial(self._reported, record))
            self._producer.poll(_REPORTS_S if self._open else 0)
            if self._done:
                done, self._done = self._done, []
                self._reports.clear()
                self._delivered(done)
            if self._is_dead:
                raise _FailedError
            if self._suspects:
                self._send_alone()
            if self._failed and not self._is_stopped.wait(_AGAIN_S):
                failed, self._failed = self._failed, []
                for record in failed:
                    self._produce(record, partial(self._reported, record))

    def _send_alone(self) -> None:
        """Send records by themselves, to find out which of them is refused."""
        suspects, self._suspects = self._suspects, []
        self._producer.flush(_CALL_S)
        for record in suspects:
            self._alone = record.record_id
            self._produce(record, partial(self._reported, record))
            self._producer.flush(_CALL_S)
        self._alone = None

    def _reported(self, record: Outgoing, error: KafkaError | None, _message: Message) -> None:
        if error is None:
            if self._open.pop(record.record_id, None) is not None:
                self._done.append(record.record_id)
        elif error.code() in _NEVER and record.record_id != self._alone:
            self._suspects.append(record)  # the broker has refused a batch, not this record
        elif error.code() in _NEVER:
            if self._open.pop(record.record_id, None) is not None:
                self._kept(record, error.str())
        else:
            self._reports.trouble(f"a record for topic {record.topic!r} was not taken", error)
            self._is_dead |= error.fatal() or error.code() == KafkaError._PURGE_QUEUE  # noqa: SLF001 - that is its name
            self._failed.append(record)


class TransactionWriter(Writer):
    """Records in transactions that contain the position behind them: exactly once.

    Args:
        identity: Who it is, over restarts.
    """

    def __init__(
        self,
        settings: Mapping[str, str],
        reports: Reports,
        delivered: Callable[[Sequence[int]], None],
        kept: Callable[[Outgoing, str], None],
        identity: EgressIdentity,
    ) -> None:
        name = f"statefun-{identity.id}"
        super().__init__({**settings, "transactional.id": name}, reports, delivered, kept)
        readable = {
            key: value
            for key, value in settings.items()
            if key.startswith(("bootstrap.", "client.", "security.", "sasl.", "ssl.", "socket."))
        }
        group: dict[str, Any] = {
            **readable,
            "group.id": name,
            "enable.auto.commit": "false",
            "log_level": 0,
            "error_cb": self._report,
        }
        self._group = Consumer(group)
        self._identity = identity
        self._waiting: deque[Outgoing] = deque()
        self._position = 0  # the id of the first record that is not written
        self._kept_ids: set[int] = set()  # below the position, and not written
        self._refused: dict[int, str] = {}
        self._alone_until = -1  # up to this id each record has a transaction of its own
        self._written_s = 0.0

    def stop(self) -> None:
        """Write nothing more; see `Writer.stop`."""
        super().stop()
        if not self._thread.is_alive():
            self._group.close()

    def _write(self) -> None:
        self._bounded(self._producer.init_transactions, _CALL_S)
        self._read_position()
        while not self._is_stopped.is_set():
            self._waiting += self._next(0.0 if self._waiting else _IDLE_S)
            self._drop_written()
            if self._waiting:
                is_alone = self._waiting[0].record_id <= self._alone_until
                count = 1 if is_alone else min(len(self._waiting), _MOST_RECORDS)
                self._transact([self._waiting[each] for each in range(count)])
            elif self._position and time.monotonic() - self._written_s > _DAY_S:
                self._transact([])  # or the broker forgets the position after some days

    def _read_position(self) -> None:
        """Read how far a former producer has come, now that its last transaction is settled."""
        topic = self._identity.topic
        if not topic:
            return
        places = [TopicPartition(topic, 0)]
        [place] = self._bounded(partial(self._group.committed, places, timeout=_CALL_S))
        if place.error is not None:
            raise KafkaException(place.error)
        if place.offset < 0:
            self._reports.tell(
                "position",
                "the broker has forgotten the position of this egress: records that were written "
                "last may come twice. Brokers forget it after 'offsets.retention.minutes'",
            )
            return
        self._position = max(self._position, place.offset)
        self._kept_ids |= set(json.loads(place.metadata or "[]"))
        self._written_s = time.monotonic()

    def _drop_written(self) -> None:
        """Report what a former producer has written, and keep what it could not."""
        written = []
        while self._waiting and self._waiting[0].record_id < self._position:
            if self._waiting[0].is_new:  # the data directory is an older copy: its ids come again
                self._reports.tell(
                    "older copy",
                    "the data directory is older than what was written: it goes on with its own "
                    "numbers, and records that were written since that copy may come twice",
                )
                self._position, self._kept_ids = self._waiting[0].record_id, set()
                break
            record = self._waiting.popleft()
            if record.record_id in self._kept_ids:
                self._kept(record, "an earlier attempt was refused by the broker")
            else:
                written.append(record.record_id)
        if written:
            self._delivered(written)

    def _transact(self, records: Sequence[Outgoing]) -> None:
        """Write records and the position behind them, all or nothing."""
        producer = self._producer
        sent = [each for each in records if each.record_id not in self._refused]
        producer.begin_transaction()
        errors: dict[int, KafkaError] = {}

        def reported(record: Outgoing, error: KafkaError | None, _message: Message) -> None:
            if error is not None:
                errors[record.record_id] = error

        for record in sent:
            self._produce(record, partial(reported, record))
        self._bounded(partial(producer.flush, _CALL_S))
        if errors:
            self._note(errors, sent)
        if self._is_stopped.is_set():
            raise _FailedError
        if records and not self._identity.topic:
            self._identity.settle(sent[0].topic if sent else records[0].topic)
        self._commit(records)

    def _commit(self, records: Sequence[Outgoing]) -> None:
        position = records[-1].record_id + 1 if records else self._position
        refused = {each.record_id for each in records if each.record_id in self._refused}
        kept = sorted(self._kept_ids | refused)
        if len(kept) > _MOST_KEPT:
            self._reports.tell(
                "kept",
                f"the broker refuses more than {_MOST_KEPT} records, for example because they are "
                "too large: raise the limit of the topic; the egress stands still until then",
            )
            self._refused.clear()
            raise _FailedError
        place = TopicPartition(self._identity.topic, 0, position, json.dumps(kept))
        producer, member = self._producer, self._group.consumer_group_metadata()
        self._bounded(partial(producer.send_offsets_to_transaction, [place], member, _CALL_S))
        self._bounded(partial(producer.commit_transaction, _CALL_S))
        self._position, self._written_s = position, time.monotonic()
        self._kept_ids |= refused
        self._reports.clear()
        for record in records:
            self._waiting.popleft()
            if record.record_id in refused:
                self._kept(record, self._refused.pop(record.record_id))
        done = [each.record_id for each in records if each.record_id not in refused]
        if done:
            self._delivered(done)

    def _note(self, errors: Mapping[int, KafkaError], sent: Sequence[Outgoing]) -> None:
        """Remember a record that is refused for good; the broker refuses batches, so look closer.

        Raises:
            _FailedError: Always: a producer is of no use after a record has failed.
        """
        never = {each: error for each, error in errors.items() if error.code() in _NEVER}
        if never and len(sent) > 1:
            self._alone_until = sent[-1].record_id
        elif never:
            self._refused |= {each: error.str() for each, error in never.items()}
        else:
            self._reports.trouble("records could not be written", next(iter(errors.values())))
        raise _FailedError

    def _bounded(self, call: Callable[..., Any], *arguments: Any) -> Any:
        """Call the client, and give up waiting when it does not keep its own time-out.

        Raises:
            KafkaException: Whatever it raises.
            _FailedError: If it does not come back; the producer is left behind then.
        """
        outcome: queue.SimpleQueue[tuple[bool, Any]] = queue.SimpleQueue()

        def run() -> None:
            try:
                outcome.put((True, call(*arguments)))
            except Exception as error:  # noqa: BLE001 - raised where it was called
                outcome.put((False, _reason(error)))

        threading.Thread(target=run, name="statefun-kafka-call", daemon=True).start()
        deadline_s = time.monotonic() + _CALL_S + _LATE_S
        while not self._is_stopped.is_set() and time.monotonic() < deadline_s:
            try:
                is_done, result = outcome.get(timeout=_IDLE_S)
            except queue.Empty:
                continue
            if is_done:
                return result
            raise result
        raise _FailedError


def _reason(error: Exception) -> BaseException:
    """The error of the client: a fatal one, met in a callback, comes inside a `SystemError`."""
    inner = error.__cause__ or error.__context__
    return inner if isinstance(inner, KafkaException) else error
