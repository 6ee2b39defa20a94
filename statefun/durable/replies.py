"""The way back to clients: outcomes that durable handlers send to the ingress, as an egress.

Law: an outcome is handed to the request that waits for it once it is durable. Without such a
request, after a restart or when the client has left, it is only acknowledged: the invocation keeps
its outcome, and whoever asks by the id gets it.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from statefun.durable import _proto
from statefun.durable.messages import ENVELOPE, REPLIES
from statefun.errors import InvalidMessageError
from statefun.sdk.wire import decode_typed_value

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from statefun.ports import OutgoingRecord

__all__ = ["Answer", "Outcome", "Replies"]


class Answer(Enum):
    """What an outcome says."""

    ENDED = "ended"
    RUNNING = "running"
    UNKNOWN = "unknown"
    REPEATED = "repeated"


@dataclass(frozen=True)
class Outcome:
    """How an invocation ended, or what is known of it.

    Attributes:
        value: Its result; None if it failed.
        code: The code of its failure; 0 for none.
        message: The message of its failure.
        metadata: More facts of its failure.
        answer: Whether it has ended at all.
        expires_ms: Until when it is kept, if it was kept before somebody asked; 0 if not.
    """

    value: bytes | None
    code: int = 0
    message: str = ""
    metadata: dict[str, str] | None = None
    answer: Answer = Answer.ENDED
    expires_ms: int = 0


class Replies:
    """An egress whose records are the answers to open requests; see `statefun.ports.Egress`.

    Args:
        prefix: Begins the names of the requests of this process, and of no other one.
    """

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._count = 0
        self._open: dict[str, asyncio.Future[Outcome]] = {}
        self._delivered: Callable[[Sequence[int]], None] | None = None

    @property
    def typename(self) -> str:
        """The egress typename; see `Egress`."""
        return REPLIES

    def expect(self) -> tuple[str, asyncio.Future[Outcome]]:
        """A name that an outcome can be sent to, and the outcome; cancel it to forget both."""
        self._count += 1
        name = f"{self._prefix}{self._count}"
        future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._open[name] = future
        future.add_done_callback(lambda _: self._open.pop(name, None))
        return name, future

    def accept(self, argument: bytes) -> None:
        """Check a record; see `Egress`."""
        typed = decode_typed_value(argument)
        if typed.typename != ENVELOPE:
            raise InvalidMessageError(
                f"the egress {REPLIES} takes outcomes of durable handlers, got a "
                f"{typed.typename!r}: send it to an egress of your own",
                argument="record",
                given=typed.typename,
            )

    async def start(self, delivered: Callable[[Sequence[int]], None]) -> None:
        """Begin; see `Egress`."""
        self._delivered = delivered

    @property
    def has_room(self) -> bool:
        """Always: outcomes are handed over at once."""
        return True

    def put(self, epoch: int, records: Sequence[OutgoingRecord]) -> None:  # noqa: ARG002
        """Hand outcomes over; see `Egress`."""
        for record in records:
            done = _proto.Envelope.FromString(decode_typed_value(record.argument).data).done
            future = self._open.get(done.execution)
            if future is not None and not future.done():
                future.set_result(_outcome(done))
        if self._delivered is not None:
            self._delivered([record.id for record in records])

    async def flush(self) -> None:
        """Nothing waits to be written."""

    async def stop(self) -> None:
        """Give up the requests that are open; see `Egress`."""
        for future in list(self._open.values()):
            future.cancel()


def _outcome(done: _proto.Done) -> Outcome:
    told = done.outcome
    if told.WhichOneof("result") != "failure":
        return Outcome(told.value, expires_ms=done.expires_ms)
    failure = told.failure
    metadata = dict(failure.metadata)
    answer = _ANSWERS.get((failure.code, failure.message), Answer.ENDED)
    if answer is Answer.REPEATED:
        metadata.pop("invocation_id", None)  # the header of the answer tells it
    return Outcome(None, failure.code, failure.message, metadata, answer, done.expires_ms)


# What a host answers about an invocation that has no outcome yet.
_ANSWERS = {
    (404, "not found"): Answer.UNKNOWN,
    (470, "the invocation exists but has not completed yet"): Answer.RUNNING,
    (409, "the workflow method was already invoked"): Answer.REPEATED,
}
