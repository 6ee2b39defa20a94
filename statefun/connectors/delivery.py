"""How records of a source with positions get into the runtime.

Law: they are delivered in order, each together with the position behind it, as many at a time as
are taken. What is refused for now is delivered again; what can never be taken in is a problem that
somebody has to decide.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, NamedTuple

from statefun.errors import (
    AddressBusyError,
    InvalidMessageError,
    MessageTooLargeError,
    UnknownFunctionError,
)
from statefun.ports import Position

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import timedelta

    from statefun.ports import IngressMessage, Intake

__all__ = ["Backoff", "Deliverer", "Unit"]

_MOST_RECORDS: Final = 500
_STOP_S: Final = 1.0


class Backoff:
    """Waiting times that double until something works.

    Args:
        first: The first one.
        longest: The longest one.
    """

    def __init__(self, first: timedelta, longest: timedelta) -> None:
        self._first_s = self._next_s = first.total_seconds()
        self._longest_s = longest.total_seconds()

    def next_s(self) -> float:
        """Give the seconds to wait after a refusal."""
        seconds = self._next_s
        self._next_s = min(2 * seconds, self._longest_s)
        return seconds

    def reset(self) -> None:
        """Note that it works."""
        self._next_s = self._first_s


class Unit(NamedTuple):
    """A record on its way.

    Attributes:
        messages: What it becomes.
        position: The position behind it, as it is stored.
    """

    messages: Sequence[IngressMessage]
    position: bytes


class Deliverer:
    """Delivers the records of one source.

    Args:
        name: The name of its position.
        intake: Where they go.
        backoff: How long to wait while an address is busy.

    Attributes:
        position: The position that was stored last, None if none was.
        is_held: Whether it waits, since too much waits for an address.
    """

    def __init__(self, name: str, intake: Intake, backoff: Backoff) -> None:
        self.position: bytes | None = None
        self.is_held = False
        self._name = name
        self._intake = intake
        self._backoff = backoff
        self._most = _MOST_RECORDS
        self._delivering: asyncio.Future[None] | None = None

    async def deliver_all(self, units: Sequence[Unit]) -> str:
        """Deliver records, and come back when all are durable.

        Returns:
            Why the next one can never be taken in; empty if all were.

        Raises:
            StoreError: If nothing can be stored for now.
            RuntimeStoppedError: If the runtime stops.
        """
        at = 0
        while at < len(units):
            some = units[at : at + self._most]
            try:
                await self.deliver([each for unit in some for each in unit.messages], some[-1][1])
            except (AddressBusyError, MessageTooLargeError) as error:
                if len(some) > 1:
                    self._most = len(some) // 2
                elif isinstance(error, MessageTooLargeError):
                    return f"{error}. Raise the limit of the function, and start again"
                else:
                    self.is_held = True
                    await asyncio.sleep(self._backoff.next_s())
            except (UnknownFunctionError, InvalidMessageError) as error:
                return f"{error}. Correct the targets, and start again"
            else:
                self.is_held = False
                self._most = min(2 * self._most, _MOST_RECORDS)
                at += len(some)
        return ""

    async def deliver(self, messages: Sequence[IngressMessage], position: bytes) -> None:
        """Deliver messages and a position as one; see `Intake.deliver`."""
        delivering = self._intake.deliver(messages, Position(self._name, position))
        self._delivering = asyncio.ensure_future(delivering)
        try:
            await self._delivering
        finally:
            self._delivering = None
        self.position = position

    async def settle(self) -> None:
        """Wait for what is under way, though not for long."""
        if self._delivering is not None:
            await asyncio.wait([self._delivering], timeout=_STOP_S)
