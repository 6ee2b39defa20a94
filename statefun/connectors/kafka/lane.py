"""One partition on its way into the runtime.

Law: records are delivered in order, each together with the position behind it. What is refused is
delivered again; a record that can never be taken in is handled as its topic says, and is never
passed over in silence.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from itertools import islice
from typing import TYPE_CHECKING, Final

from statefun.connectors.kafka.records import forwarded, messages_of
from statefun.errors import (
    AddressBusyError,
    InvalidMessageError,
    MessageTooLargeError,
    RuntimeStoppedError,
    StoreError,
    UnknownFunctionError,
)
from statefun.ports import Position

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from statefun.connectors.kafka.reader import Partition
    from statefun.connectors.kafka.records import Defect, KafkaTopic, Record
    from statefun.ports import IngressMessage, Intake

__all__ = ["Lane"]

logger = logging.getLogger("statefun.connectors")

_MOST_RECORDS: Final = 500
_FULL: Final = 1000
"""A partition with so many records that wait is paused, and resumed at half of them."""
_FULL_BYTES: Final = 16 << 20
_SHORTEST_S: Final = 0.01
_LONGEST_S: Final = 1.0


class Lane:
    """The records of one partition that wait to be delivered.

    Args:
        subject: Whose: begins each sentence.
        name: The name of its position.
        partition: Which.
        topic: What its records become.
        intake: Where they go.
        hold: Called with True when too much waits, with False when it goes on.

    Attributes:
        position: The offset at which a restart goes on.
        is_held: Whether it is paused because too much waits.
        problem: Why it stands still; empty if it does not.
    """

    def __init__(
        self,
        subject: str,
        name: str,
        partition: Partition,
        topic: KafkaTopic,
        intake: Intake,
        position: int,
        hold: Callable[[Partition, bool], None],
    ) -> None:
        self.position = position
        self.is_held = False
        self.problem = ""
        self.topic = topic
        self._subject = subject
        self._name = name
        self._partition = partition
        self._intake = intake
        self._hold = hold
        self._waiting: deque[Record] = deque()
        self._waiting_bytes = 0
        self._most = _MOST_RECORDS
        self._news = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._delivering: asyncio.Future[None] | None = None

    def start(self) -> None:
        """Begin to deliver."""
        self._task = asyncio.create_task(self._run(), name=f"statefun-kafka-{self._name}")

    async def stop(self) -> None:
        """Deliver nothing more; what is under way is waited for, though not for long."""
        if self._delivering is not None:
            await asyncio.wait([self._delivering], timeout=_LONGEST_S)
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    def put(self, records: Sequence[Record]) -> None:
        """Let records wait behind the others."""
        if self.problem:
            return
        self._waiting += records
        self._waiting_bytes += sum(_size(each) for each in records)
        self._news.set()
        if not self.is_held and self._is_full():
            self.is_held = True
            self._hold(self._partition, True)  # noqa: FBT003 - the one argument

    def stand_still(self, problem: str) -> None:
        """Take no more records, for good: somebody has to decide."""
        self.problem = problem
        self._waiting.clear()
        self._hold(self._partition, True)  # noqa: FBT003 - the one argument
        topic, number = self._partition
        logger.error(
            "%s: partition %d of topic %s stands still at offset %d, others go on: %s",
            *(self._subject, number, topic, self.position, problem),
        )

    def _is_full(self, part: int = 1) -> bool:
        return len(self._waiting) >= _FULL // part or self._waiting_bytes >= _FULL_BYTES // part

    async def _run(self) -> None:
        pause_s = _SHORTEST_S
        while not self.problem:
            if not self._waiting:
                self._news.clear()
                await self._news.wait()
                continue
            try:
                await self._deliver_some()
            except (AddressBusyError, StoreError):
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, _LONGEST_S)
            except RuntimeStoppedError:
                return
            except Exception as error:
                logger.exception("%s: an unexpected error", self._subject)
                self.stand_still(f"an unexpected error, {error!r}; start again")
            else:
                pause_s = _SHORTEST_S

    async def _deliver_some(self) -> None:
        """Deliver the records that wait, or as many of the first as are taken together.

        Raises:
            AddressBusyError: If the first is refused for now.
            StoreError: If nothing can be stored for now.
            RuntimeStoppedError: If the runtime stops.
        """
        records, messages, defect = self._batch()
        if defect is not None:
            await self._handle_invalid(records[0], defect)
            return
        try:
            await self._deliver(records, messages)
        except (AddressBusyError, MessageTooLargeError) as error:
            if len(records) > 1:
                self._most = len(records) // 2
            elif isinstance(error, MessageTooLargeError):
                await self._handle_invalid(records[0], "TOO_LARGE")
            else:
                raise
        except (UnknownFunctionError, InvalidMessageError) as error:
            self.stand_still(f"{error}. Correct the targets of the topic, and start again")
        else:
            self._most = min(2 * self._most, _MOST_RECORDS)

    def _batch(self) -> tuple[list[Record], list[IngressMessage], Defect | None]:
        """Give the next valid records and their messages; or one that is not, and why."""
        records: list[Record] = []
        messages: list[IngressMessage] = []
        for record in islice(self._waiting, self._most):
            made = messages_of(self.topic, record)
            if isinstance(made, str):
                return (records, messages, None) if records else ([record], [], made)
            records.append(record)
            messages += made
        return records, messages, None

    async def _handle_invalid(self, record: Record, defect: Defect) -> None:
        handling = self.topic.invalid
        if handling.action == "fail":
            self.stand_still(
                f"invalid record: defect [{defect}], {record}. Write 'invalidRecordHandling: "
                "{type: skip}' to pass over such records, and start again"
            )
            return
        messages: tuple[IngressMessage, ...] = ()
        if handling.action == "forward":
            messages = forwarded(self.topic, record, defect)
        await self._deliver([record], messages)
        verb = "skipping" if handling.action == "skip" else f"forwarding to {handling.target} an"
        level = getattr(logging, handling.log_level.upper().replace("WARN", "WARNING"))
        text = "%s: %s invalid record: defect [%s], %s"
        logger.log(level, text, self._subject, verb, defect, record)

    async def _deliver(self, records: Sequence[Record], messages: Sequence[IngressMessage]) -> None:
        """Deliver the first records that wait, and wait for them no more once they are durable."""
        behind = records[-1].offset + 1
        position = Position(self._name, b"%d" % behind)
        self._delivering = asyncio.ensure_future(self._intake.deliver(messages, position))
        try:
            await self._delivering
        finally:
            self._delivering = None
        self.position = behind
        for record in records:
            self._waiting.popleft()
            self._waiting_bytes -= _size(record)
        if self.is_held and not self.problem and not self._is_full(2):
            self.is_held = False
            self._hold(self._partition, False)  # noqa: FBT003 - the one argument


def _size(record: Record) -> int:
    return len(record.key or b"") + len(record.value or b"")
