"""Records that an egress has taken over and not yet written.

Law: they wait in the order in which they came. What cannot be read never waits here; it stays in
the store.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Generic, TypeVar

from statefun.errors import InvalidMessageError, RemoteProtocolError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from statefun.ports import OutgoingRecord

__all__ = ["Backlog"]

logger = logging.getLogger("statefun.connectors")

ItemT = TypeVar("ItemT")


class Backlog(Generic[ItemT]):
    """What waits to be written by one egress.

    Args:
        typename: The egress typename, for the log.
        parse: Makes an item of a record's number and bytes; what it cannot read is an
            `InvalidMessageError` or a `RemoteProtocolError`.

    Attributes:
        items: What waits, oldest first.
    """

    def __init__(self, typename: str, parse: Callable[[int, bytes], ItemT]) -> None:
        self.items: list[ItemT] = []
        self._typename = typename
        self._parse = parse
        self._news = asyncio.Event()
        self._is_empty = asyncio.Event()
        self._is_empty.set()

    def put(self, records: Sequence[OutgoingRecord]) -> None:
        """Take over records.

        One that cannot be read stays in the store, and comes again to the next process: the module
        file may have had another egress of this name.
        """
        for record in records:
            try:
                self.items.append(self._parse(record.id, record.argument))
            except (InvalidMessageError, RemoteProtocolError) as error:
                logger.error(  # noqa: TRY400 - the reason is all there is to tell
                    "egress %s keeps record %d in the store, since it cannot be written: %s",
                    *(self._typename, record.id, error),
                )
        self.keep(self.items)

    def keep(self, items: list[ItemT]) -> None:
        """Let these wait, and no others."""
        self.items = items
        if items:
            self._is_empty.clear()
            self._news.set()
        else:
            self._news.clear()
            self._is_empty.set()

    async def wait_for_items(self) -> None:
        """Wait until something waits to be written."""
        await self._news.wait()

    async def wait_until_empty(self) -> None:
        """Wait until all is written."""
        await self._is_empty.wait()
