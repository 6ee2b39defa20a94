"""The egress of a file: each record becomes a line, a JSON object.

Law: a record that this runtime has forgotten is in the file, on the disk. After a crash the last
lines may come again, with the same `record`; a line that was written in part stays one of its own.
"""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import os
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from statefun.connectors.backlog import Backlog
from statefun.connectors.reports import Reports
from statefun.errors import ConfigurationError
from statefun.sdk.egress import KAFKA_RECORD, KINESIS_RECORD
from statefun.sdk.wire import decode_kafka_record, decode_kinesis_record, decode_typed_value

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from statefun.ports import OutgoingRecord

__all__ = ["FileEgress"]

logger = logging.getLogger("statefun.connectors")

_STDOUT: Final = 1
_MOST_WAITING: Final = 10_000
_AGAIN: Final = timedelta(seconds=1)


class FileEgress:
    """Appends records to a file as JSON lines, or writes them to standard output.

    It takes any record: those for Kafka and for Kinesis with their topic or stream and their key,
    others with their type.

    Args:
        egress_id: The egress typename that functions send to.
        path: The file, which is made if it is not there; None for standard output.
        again: How long to wait before it writes again what the disk has not taken.
    """

    def __init__(
        self, egress_id: str, path: Path | None = None, *, again: timedelta = _AGAIN
    ) -> None:
        self._typename = egress_id
        self._path = path
        self._again_s = again.total_seconds()
        self._reports = Reports(f"egress {egress_id}, file {path or 'stdout'}")
        self._backlog = Backlog(
            egress_id, lambda record_id, argument: (record_id, _line_of(record_id, argument))
        )
        self._file = -1
        self._begins_anew = False  # whether the last line has no end
        self._tell: Callable[[Sequence[int]], None] | None = None
        self._task: asyncio.Task[None] | None = None
        self._writing: asyncio.Future[None] | None = None

    @property
    def typename(self) -> str:
        """The egress typename that functions send to."""
        return self._typename

    @property
    def has_room(self) -> bool:
        """Whether not too many records wait for the disk."""
        return len(self._backlog.items) < _MOST_WAITING

    def accept(self, argument: bytes) -> None:
        """Check a record; see `Egress`."""
        _line_of(0, argument)

    async def start(self, delivered: Callable[[Sequence[int]], None]) -> None:
        """Open the file; see `Egress`.

        Raises:
            ConfigurationError: If it cannot be written.
        """
        self._tell = delivered
        try:
            self._file, self._begins_anew = _opened(self._path)
        except OSError as error:
            raise ConfigurationError(
                f"the egress {self._typename} cannot write {self._path}: {error}; check its folder",
                option="path",
                given=str(self._path),
            ) from error
        self._task = asyncio.create_task(self._run(), name="statefun-file-egress")

    def put(self, epoch: int, records: Sequence[OutgoingRecord]) -> None:  # noqa: ARG002 - no transactions
        """Take over records; see `Egress`. One that it cannot read stays in the store."""
        self._backlog.put(records)

    async def flush(self) -> None:
        """Wait until every record is in the file; see `Egress`."""
        await self._backlog.wait_until_empty()

    async def stop(self) -> None:
        """Write nothing more; see `Egress`."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        if self._writing is not None:
            await asyncio.wait([self._writing])  # or it would write to a file that is closed
        if self._file not in {-1, _STDOUT}:
            os.close(self._file)
        self._file = -1

    async def _run(self) -> None:
        while True:
            await self._backlog.wait_for_items()
            written = list(self._backlog.items)
            try:
                content = b"".join(line for _, line in written)
                self._writing = asyncio.ensure_future(asyncio.to_thread(self._write, content))
                await asyncio.shield(self._writing)
            except OSError as error:
                self._reports.tell("write", f"it cannot be written ({error}); it goes on trying")
                await asyncio.sleep(self._again_s)
                continue
            self._reports.clear()
            self._backlog.keep(self._backlog.items[len(written) :])
            if self._tell is not None:
                self._tell([record_id for record_id, _ in written])

    def _write(self, content: bytes) -> None:
        """Write lines, and wait until the disk has them."""
        if self._begins_anew:
            content = b"\n" + content
        self._begins_anew = True
        while content:
            content = content[os.write(self._file, content) :]
        if self._file != _STDOUT:
            os.fsync(self._file)
        self._begins_anew = False


def _opened(path: Path | None) -> tuple[int, bool]:
    """Open the file at its end; say whether its last line has no end."""
    if path is None:
        return _STDOUT, False
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
    size = os.fstat(file).st_size
    return file, bool(size) and os.pread(file, 1, size - 1) != b"\n"


def _line_of(record_id: int, argument: bytes) -> bytes:
    """Give a record as a line.

    Raises:
        InvalidMessageError: If it is not a record.
        RemoteProtocolError: If the bytes are not a value.
    """
    typed = decode_typed_value(argument)
    facts: dict[str, Any] = {"record": record_id}
    if typed.typename == KAFKA_RECORD:
        kafka = decode_kafka_record(typed.data)
        facts |= {"topic": kafka.topic, "key": kafka.key, "value": _shown(kafka.value)}
    elif typed.typename == KINESIS_RECORD:
        kinesis = decode_kinesis_record(typed.data)
        key, value = kinesis.partition_key, _shown(kinesis.value)
        facts |= {"stream": kinesis.stream, "key": key, "value": value}
    else:
        facts |= {"type": typed.typename, "value": _shown(typed.data)}
    return json.dumps(facts, ensure_ascii=False).encode() + b"\n"


def _shown(value: bytes) -> Any:
    """Give bytes as JSON if they are that, else as text, else as base64."""
    try:
        text = value.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(value).decode()}
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
