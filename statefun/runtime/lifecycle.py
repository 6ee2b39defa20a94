"""The life of a runtime: its parts start one after another, and stop in the opposite order.

Law: each part that was started is stopped, whatever fails, and within a time of its own; see
`RuntimeOptions.stop_bound`.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from statefun.blocking import BlockingWatch
from statefun.errors import ConfigurationError, RuntimeStoppedError
from statefun.runtime.admin.control import ControlServer
from statefun.runtime.admin.figures import sources_of
from statefun.runtime.admin.types import type_changes
from statefun.runtime.dispatcher import Dispatcher
from statefun.runtime.engine.engine import Engine
from statefun.runtime.observe import Observers
from statefun.runtime.options import PARTS_STOP
from statefun.runtime.stores.sqlite import SqliteStore

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

    from statefun.ports import Egress, Ingress
    from statefun.runtime.admin.edits import Changed, Edit
    from statefun.runtime.clock import Clock
    from statefun.runtime.observe import Observer
    from statefun.runtime.options import RuntimeOptions
    from statefun.runtime.stores.base import Store
    from statefun.runtime.transports.routing import FunctionRouter

__all__ = ["Lifecycle"]

logger = logging.getLogger("statefun.runtime")


class Lifecycle:
    """Starts and stops the parts of a runtime.

    Args:
        options: How the runtime works.
        data: The data directory, None if there is none.
        open_store: Opens the store of it.
        router: The ways to the functions.
        ingresses: They bring messages in.
        egresses: Typename → egress; more may come while it runs.
        clock: Gives the time.
        random: Gives a number from 0 up to 1, for the policies.
        observers: Told of every event.
    """

    def __init__(
        self,
        options: RuntimeOptions,
        data: str | Path | None,
        open_store: Callable[[], Store],
        router: FunctionRouter,
        ingresses: Sequence[Ingress],
        egresses: Mapping[str, Egress],
        clock: Clock,
        random: Callable[[], float],
        observers: Sequence[Observer],
    ) -> None:
        self._options = options
        self._data = data
        self._open_store = open_store
        self._router = router
        self.ingresses = ingresses
        self._egresses = egresses
        self._clock = clock
        self._random = random
        self._observers = observers
        self.store: Store | None = None
        self._engine: Engine | None = None
        self._dispatcher: Dispatcher | None = None
        self._running: asyncio.Task[None] | None = None
        self._exits = AsyncExitStack()

    # --- parts ------------------------------------------------------------------------------------

    @property
    def engine(self) -> Engine:
        """The engine of a runtime that was started.

        Raises:
            RuntimeStoppedError: If it was not.
        """
        if self._engine is None:
            raise _not_started()
        return self._engine

    @property
    def dispatcher(self) -> Dispatcher:
        """The dispatcher of a runtime that was started.

        Raises:
            RuntimeStoppedError: If it was not.
        """
        if self._dispatcher is None:
            raise _not_started()
        return self._dispatcher

    @property
    def is_running(self) -> bool:
        """Whether the runtime has been started and has not ended."""
        return self._running is not None and not self._running.done()

    # --- life -------------------------------------------------------------------------------------

    async def start(self, edit: Callable[[Edit], Awaitable[Changed]]) -> None:
        """Start everything, or nothing.

        Args:
            edit: Makes the edits that come through the control socket.
        """
        if self.store is not None:
            raise ConfigurationError("a runtime is started once: make a new one")
        try:
            await self._start(edit)
        except BaseException:
            await self._exits.aclose()
            raise

    async def _start(self, edit: Callable[[Edit], Awaitable[Changed]]) -> None:
        exits, options, egresses = self._exits, self._options, self._egresses
        store = self.store = self._open_store()
        exits.callback(store.close)
        exits.push_async_callback(self._router.close)
        rules = options.rules(self._router)
        recovered = store.recover(with_letter_times=not rules.dead_letters.keeps_all)
        for change in type_changes(store.value_counts(), self._router.functions):
            Observers(self._observers).type_changed(change)
        store.mark_running()
        engine = self._engine = Engine(
            self._router,
            _Checks(egresses),
            recovered=recovered,
            rules=rules,
            random=self._random,
            can_end_process=self._router.is_in_process if store.is_blocking else None,
            can_change=lambda typename: not self._router.is_in_process(typename),
        )
        engine.retry_held()
        watch = BlockingWatch()
        exits.callback(watch.stop)
        watch.start()
        dispatcher = self._dispatcher = Dispatcher(
            engine, store, self._router, self._clock, self._observers, recovered.positions
        )
        self._running = asyncio.create_task(dispatcher.run(), name="statefun-dispatcher")
        exits.push_async_callback(self._finish)
        if self._data is not None and isinstance(store, SqliteStore):
            control = ControlServer(Path(self._data), edit, lambda: sources_of(self.ingresses))
            exits.push_async_callback(control.stop)
            await control.start()
        exits.push_async_callback(_stop_together, egresses.values())
        for egress in tuple(egresses.values()):
            await egress.start(dispatcher.delivered)
            dispatcher.add_egress(egress)
        dispatcher.hand_over(recovered.egress)
        exits.push_async_callback(self._flush)
        exits.push_async_callback(dispatcher.drain, options.drain)
        exits.push_async_callback(_stop_together, self.ingresses)
        for ingress in self.ingresses:
            await ingress.start(dispatcher.intake)
            dispatcher.add_ingress(ingress)

    async def stop(self) -> None:
        """Stop everything that was started; raises the error if the runtime has ended by one."""
        await self._exits.aclose()

    async def watch(self) -> None:
        """Wait until the runtime ends; raises the error if it ends by one."""
        if self._running is None:
            raise _not_started()
        await asyncio.shield(self._running)

    async def _flush(self) -> None:
        """Let the egresses write out what they have."""
        flushing = [egress.flush() for egress in self._egresses.values()]
        try:
            async with asyncio.timeout(self._options.flush.total_seconds()):
                await asyncio.gather(*flushing)
        except TimeoutError:
            logger.warning("not every record was written out in time; they come again")

    async def _finish(self) -> None:
        """Commit what is left and end the dispatcher."""
        self.dispatcher.close()
        if self._running is not None:
            await self._running


async def _stop_together(parts: Iterable[Ingress | Egress]) -> None:
    """Stop parts that do not wait for one another.

    Raises:
        BaseException: The first error there is; each is logged, for others may come after it.
    """
    stopping = [asyncio.ensure_future(part.stop()) for part in parts]
    if not stopping:
        return
    _, late = await asyncio.wait(stopping, timeout=PARTS_STOP.total_seconds())
    for each in late:
        each.cancel()
        logger.error("a part did not stop within %g s; left behind", PARTS_STOP.total_seconds())
    errors = [error for each in stopping if each.done() and (error := each.exception())]
    for error in errors:
        logger.error("a part could not be stopped in order: %s", error, exc_info=error)
    if errors:
        raise errors[0]


def _not_started() -> RuntimeStoppedError:
    return RuntimeStoppedError(
        "the runtime has not been started: use it inside `async with Runtime(...)`", state="new"
    )


class _Checks:
    """The checks of the egresses that there are at the moment."""

    def __init__(self, egresses: Mapping[str, Egress]) -> None:
        self._egresses = egresses

    def get(self, typename: str, /) -> Callable[[bytes], object] | None:
        egress = self._egresses.get(typename)
        return None if egress is None else egress.accept
