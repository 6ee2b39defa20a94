"""The type watch: tells which stored values a function behind an endpoint declares as another type.

The functions of this process say at the start what they declare. Those of endpoints say it with
their first replies, and again after a deploy.

Law: each function is compared once after each declaration, by the counts of the store; nothing
waits for that.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from statefun.errors import StoreError
from statefun.runtime.admin.types import declared_changes

if TYPE_CHECKING:
    from statefun.runtime.engine.engine import Engine
    from statefun.runtime.observe import Observer
    from statefun.runtime.reads import Reads
    from statefun.runtime.transports.routing import FunctionRouter

__all__ = ["TypeWatch"]


class TypeWatch:
    """Compares what functions declare with what is stored.

    Args:
        engine: Knows what functions have declared.
        reads: Looks up the counts.
        router: Says which functions are behind endpoints.
        observer: Learns of each change.
    """

    def __init__(
        self, engine: Engine, reads: Reads, router: FunctionRouter, observer: Observer
    ) -> None:
        self._engine = engine
        self._reads = reads
        self._router = router
        self._observer = observer
        self._tasks: set[asyncio.Task[None]] = set()

    def look(self) -> None:
        """Compare the functions that have declared something since the last look."""
        declared = self._engine.declared
        if not declared.has_news:
            return
        news = [each for each in declared.take_news() if not self._router.is_in_process(each)]
        if news and self._reads.is_apart:
            task = asyncio.create_task(self._compare(news), name="statefun-types")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def close(self) -> None:
        """Compare nothing more."""
        for task in self._tasks:
            task.cancel()

    async def _compare(self, typenames: list[str]) -> None:
        with suppress(StoreError):  # whoever needs the store learns of it
            counts = await self._reads.read(lambda reader: reader.value_counts())
            for typename in typenames:
                declared = self._engine.declared.of(typename)
                for change in declared_changes(counts, typename, declared):
                    self._observer.type_changed(change)
