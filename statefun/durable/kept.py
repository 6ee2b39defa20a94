"""What a durable address keeps between turns, read from its values and written back to them."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from statefun.durable import _proto
from statefun.durable.exceptions import TerminalError
from statefun.durable.journal import SEGMENTS, Journal

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["VALUES", "Kept"]

VALUES: dict[str, tuple[str, ...]] = {
    "service": ("host", *SEGMENTS, "queue"),
    "object": ("host", *SEGMENTS, "queue", "entries"),
    "workflow": ("host", *SEGMENTS, "queue", "entries", "promises"),
}
"""Kind → the names of the values of its addresses."""

_FORMAT = 1


class Kept:
    """What an address of a service, object or workflow keeps.

    Args:
        values: Name → what is kept, None if there is nothing.

    Attributes:
        host: Its executions, its alarm and its receipt.
        queue: Invocations that have not begun.
        queue_bytes: How much is kept of them, about.
        entries: The values of the key.
        entries_changed: Whether they are to be kept anew.
        promises: The outcomes of promises that have one.
        promises_changed: Whether they are to be kept anew.
    """

    __slots__ = (
        *("host", "queue", "queue_bytes", "entries", "entries_changed"),
        *("promises", "promises_changed", "_values", "_closed_journal"),
    )

    def __init__(self, values: Mapping[str, bytes | None]) -> None:
        self._values = values
        self._closed_journal: Journal | None = None
        self.host = _proto.Host.FromString(values["host"] or b"")
        queue, entries, promises = map(values.get, ("queue", "entries", "promises"))
        self.queue = deque(_proto.Queue.FromString(queue).waiting if queue else ())
        self.queue_bytes = len(queue or b"")
        self.entries = dict(_proto.Entries.FromString(entries).entries if entries else ())
        self.entries_changed = False
        self.promises = dict(_proto.Promises.FromString(promises).promises if promises else ())
        self.promises_changed = False

    @property
    def receipt(self) -> _proto.Receipt | None:
        """What became of the invocation that was here."""
        return self.host.receipt if self.host.HasField("receipt") else None

    def enqueue(self, waiting: _proto.Waiting) -> None:
        """Let an invocation wait."""
        self.queue.append(waiting)
        self.queue_bytes += len(waiting.invoke.argument)

    def dequeue(self, position: int) -> _proto.Waiting:
        """Take an invocation out of the queue."""
        waiting = self.queue[position]
        del self.queue[position]
        self.queue_bytes -= len(waiting.invoke.argument)
        return waiting

    def journal_of(self, header: _proto.Execution, *, is_shared: bool) -> Journal:
        """The journal of an execution that is kept."""
        if is_shared:
            return Journal.of(header.journal)
        return Journal({name: self._values[name] or b"" for name in SEGMENTS})

    def check_state(self, name: str, data: bytes, limit: int) -> None:
        """Refuse a value that makes the state of the key too large.

        Raises:
            TerminalError: If it does.
        """
        size = sum(len(value) for key, value in self.entries.items() if key != name) + len(data)
        if size > limit:
            raise TerminalError(
                f"with {name!r} the state of this key has {size} bytes, more than the limit of "
                f"{limit}: spread it over several keys",
                413,
            )

    def close(self, header: _proto.Execution, journal: Journal) -> None:
        """Keep the journal of what has ended, as long as its receipt."""
        self.host.closed.CopyFrom(header)
        self._closed_journal = journal

    def forget(self, *, with_state: bool) -> None:
        """The time of the receipt is over, and perhaps that of the state."""
        self.host.ClearField("receipt")
        self.host.ClearField("closed")
        self._closed_journal = None
        if with_state:
            self.entries.clear()
            self.promises.clear()
            self.entries_changed = self.promises_changed = True

    def changes(
        self, headers: list[_proto.Execution], journal: Journal | None, now_ms: int, stamp: int
    ) -> dict[str, bytes | None]:
        """What is to be kept and differs from what is.

        Args:
            headers: Those of the executions that go on.
            journal: That of the one that has the key for itself; None if there is none.
            now_ms: The time.
            stamp: What a live coroutine must have to stand for this state.

        Returns:
            Name → bytes, None to delete what is there.
        """
        host = self.host
        del host.executions[:]
        host.executions.extend(headers)
        values: dict[str, bytes | None] = {"host": None}
        if headers or host.HasField("alarm") or host.HasField("receipt"):
            host.format, host.time_ms = _FORMAT, now_ms
            host.stamp = stamp if headers else 0
            values["host"] = host.SerializeToString()
        journal = journal or self._closed_journal
        if journal is not None or not host.HasField("closed"):
            segments = {} if journal is None else journal.segments()
            values |= {name: segments.get(name) or None for name in SEGMENTS}
        values["queue"] = None
        if self.queue:
            values["queue"] = _proto.Queue(waiting=self.queue).SerializeToString()
        if self.entries_changed:
            entries = _proto.Entries(entries=self.entries)
            values["entries"] = entries.SerializeToString(deterministic=True) or None
        if self.promises_changed:
            promises = _proto.Promises(promises=self.promises)
            values["promises"] = promises.SerializeToString(deterministic=True) or None
        return {name: data for name, data in values.items() if data != self._values.get(name)}
