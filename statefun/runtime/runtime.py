"""The runtime: functions, a data directory, what comes in and what goes out, put together."""

from __future__ import annotations

import asyncio
import logging
import random as chance
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from statefun.errors import ConfigurationError, InvalidMessageError, RuntimeStoppedError
from statefun.runtime.admin.control import ControlServer
from statefun.runtime.admin.edits import apply, find
from statefun.runtime.admin.figures import Metrics
from statefun.runtime.clock import SystemClock
from statefun.runtime.dispatcher import Dispatcher
from statefun.runtime.engine.engine import Engine
from statefun.runtime.engine.policy import FailurePolicy, Limits, Retention, Rules
from statefun.runtime.log import LogObserver
from statefun.runtime.recorder import Recorder
from statefun.runtime.stores.memory import MemoryStore
from statefun.runtime.stores.sqlite import SqliteStore
from statefun.runtime.streams import EgressStream, StreamEgress
from statefun.runtime.transports.routing import FunctionRouter
from statefun.runtime.values import Value, visible_values
from statefun.sdk.address import Address, parse_typename
from statefun.sdk.functions import registries_of
from statefun.sdk.messages import Message

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from types import TracebackType
    from typing import Self

    from statefun.ports import Egress, Ingress
    from statefun.runtime.admin.edits import Changed, Edit
    from statefun.runtime.clock import Clock
    from statefun.runtime.engine.records import DeadLetter
    from statefun.runtime.observe import Observer
    from statefun.runtime.stores.base import Store
    from statefun.runtime.transports.routing import Endpoint
    from statefun.sdk.functions import StatefulFunctions

__all__ = ["Durability", "Runtime"]

logger = logging.getLogger("statefun.runtime")

Durability: TypeAlias = Literal["full", "normal", "memory"]
"""What a message that was answered for survives. `full`: everything but the loss of the disk;
`normal`: everything but a power failure, which may take the last commits; `memory`: nothing."""


class Runtime:
    """An embedded durable runtime, used as `async with Runtime(functions) as runtime:`.

    When the block is left, messages that were answered for and not yet worked on stay in the data
    directory, and the next runtime on it goes on with them.

    Args:
        functions: Functions that run in this process; one registry, several, or None. They go
            before endpoints that name them too.
        data: The data directory, made if it does not exist; None to keep everything in memory.
        durability: What a message that was answered for survives; see `Durability`.
        endpoints: Where other functions are.
        ingresses: What brings messages in, besides `send`.
        egresses: What takes records out; a typename stands for one that is read by `egress`.
        clock: What time it is.
        failure: What becomes of messages that functions fail on; for all functions, or by
            `namespace/name`, `namespace/*` and `*`. It goes before what endpoints say.
        topic_failure: Topic of an ingress → the same for messages from it; goes before `failure`.
        limits: How much an address may have, likewise.
        max_waiting_bytes: From so many bytes of messages waiting for all addresses together on,
            ingresses are refused: they are all in memory. Each counts with 1,000 besides its value,
            and an address for a quarter of it at most.
        dead_letters: How many dead letters are kept, and how long; None for all, for ever.
        idempotency_keys: How many idempotency keys are remembered, and how long; None for 100,000
            and a day. The message of a key that is forgotten stays; a repeat of it is a new one.
        random: Gives a number from 0 up to 1, for the policies.
        drain: How long calls that are under way may go on when the runtime stops.
        observers: Who learns of what happens, besides the log.

    Raises:
        ConfigurationError: If these things do not go together.

    Example:
        ```python
        async with Runtime(functions, data="greetings") as runtime:
            await runtime.send(message_builder("com.example/greeter", "Ada", str_value="hello"))
            await runtime.idle()
            state = await runtime.state("com.example/greeter", "Ada")
        ```
    """

    def __init__(
        self,
        functions: StatefulFunctions | Iterable[StatefulFunctions] | None = None,
        *,
        data: str | Path | None = ".statefun",
        durability: Durability = "full",
        endpoints: Sequence[Endpoint] = (),
        ingresses: Sequence[Ingress] = (),
        egresses: Sequence[Egress | str] = (),
        clock: Clock | None = None,
        failure: FailurePolicy | Mapping[str, FailurePolicy] | None = None,
        topic_failure: Mapping[str, FailurePolicy] | None = None,
        limits: Limits | Mapping[str, Limits] | None = None,
        max_waiting_bytes: int = 1 << 30,
        dead_letters: Retention | None = None,
        idempotency_keys: Retention | None = None,
        random: Callable[[], float] = chance.random,
        drain: timedelta = timedelta(seconds=10),
        observers: Sequence[Observer] = (),
    ) -> None:
        if durability not in ("full", "normal", "memory"):
            raise ConfigurationError(
                f"there is no durability {durability!r}: choose 'full', 'normal' or 'memory'",
                option="durability",
                given=repr(durability),
            )
        registries = registries_of(functions)
        self._data = data
        self._durability = durability
        self._directory = FunctionRouter(registries, endpoints)
        self._ingresses = tuple(ingresses)
        self._egresses: dict[str, Egress] = {}
        for egress in egresses:
            self._add_egress(StreamEgress(egress) if isinstance(egress, str) else egress)
        self._clock = clock or SystemClock()
        kept = Rules()
        self._rules = Rules(
            failure,
            limits,
            dead_letters or kept.dead_letters,
            idempotency_keys or kept.receipts,
            max_waiting_bytes,
            self._directory.failure_policies,
            self._directory.limits,
            topic_failure or {},
        )
        self._random = random
        self._recorder = Recorder()
        self._observers = (LogObserver(), self._recorder, *observers)
        self._drain = drain
        self._store: Store | None = None
        self._engine: Engine | None = None
        self._dispatcher: Dispatcher | None = None
        self._running: asyncio.Task[None] | None = None
        self._exits = AsyncExitStack()

    # --- life -------------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Open the data directory, go on where its last runtime ended, and take messages in.

        Raises:
            StoreLockedError: If another process is using the data directory.
            StoreError: If the data directory cannot be used for another reason.
            ConfigurationError: If an ingress or an egress cannot start, or this was started before.
        """
        if self._store is not None:
            raise ConfigurationError("a runtime is started once: make a new one")
        try:
            await self._start()
        except BaseException:
            await self._exits.aclose()
            raise

    async def _start(self) -> None:
        """Start everything, and arrange that it is stopped in the opposite order."""
        exits = self._exits
        store = self._store = self._open_store()
        exits.callback(store.close)
        exits.push_async_callback(self._directory.close)
        recovered = store.recover()
        store.mark_running()
        engine = self._engine = Engine(
            self._directory,
            _Checks(self._egresses),
            recovered=recovered,
            rules=self._rules,
            random=self._random,
            can_end_process=self._directory.is_in_process if store.is_blocking else None,
        )
        dispatcher = Dispatcher(
            engine, store, self._directory, self._clock, self._observers, recovered.positions
        )
        self._dispatcher = dispatcher
        self._running = asyncio.create_task(dispatcher.run(), name="statefun-dispatcher")
        exits.push_async_callback(self._finish)
        await self._open_control()
        exits.push_async_callback(_stop_together, self._egresses.values())
        for egress in tuple(self._egresses.values()):
            await egress.start(dispatcher.delivered)
            dispatcher.add_egress(egress)
        dispatcher.hand_over(recovered.egress)
        exits.push_async_callback(self._flush)
        exits.push_async_callback(dispatcher.drain, self._drain)
        exits.push_async_callback(_stop_together, self._ingresses)
        for ingress in self._ingresses:
            await ingress.start(dispatcher.intake)
            dispatcher.add_ingress(ingress)

    async def _flush(self) -> None:
        """Let the egresses write out what they have, as long as calls may take."""
        flushing = [egress.flush() for egress in self._egresses.values()]
        try:
            async with asyncio.timeout(self._drain.total_seconds()):
                await asyncio.gather(*flushing)
        except TimeoutError:
            logger.warning("not every record was written out in time; they come again")

    async def _finish(self) -> None:
        """Commit what is left and end the dispatcher; raises the error if it has ended by one."""
        _, dispatcher, running = self._parts()
        dispatcher.close()
        await running

    async def stop(self) -> None:
        """Take in no more messages, let what is under way end, commit, and release everything.

        Takes as long as the ingresses need to answer, and then at most `drain` for calls. Calling
        it again does nothing.

        Raises:
            Exception: The error by which the runtime ended, if it did not end by this.
        """
        await self._exits.aclose()

    async def watch(self) -> None:
        """Wait until the runtime ends.

        Raises:
            Exception: The error by which it ended, unless it was by `stop`.
        """
        _, _, running = self._parts()
        await asyncio.shield(running)

    # --- use --------------------------------------------------------------------------------------

    async def send(self, message: Message) -> None:
        """Send a message to a function; returns once it is durable.

        While too much waits for the address, or for all, and while nothing can be stored, this
        waits too.

        Raises:
            UnknownFunctionError: If no function and no endpoint serves the typename.
            InvalidMessageError: If it is no message, or the id is no valid text.
            RuntimeStoppedError: If the runtime is stopping or stopped.
        """
        address, argument = _target_and_argument(message)
        _, dispatcher, _ = self._parts()
        await dispatcher.intake.send(address, argument)

    async def call(
        self,
        message: Message,
        *,
        timeout: timedelta | None = None,  # noqa: ASYNC109 - as users know it from `asyncio.wait`
    ) -> Value:
        """Send a message to a function and wait for its reply.

        The caller that the function sees is an address of this runtime. The reply is the first
        message that is sent to that address, in the turn of this message or later; it is returned
        once that turn is durable. Later ones become dead letters, as does a reply that comes when
        nobody waits for it any more: after a time-out, a cancellation, or a restart. A restart
        keeps the message, but not who waits.

        While too much waits for the address, or for all, and while nothing can be stored, this
        waits too.

        Args:
            message: The message, with its target inside.
            timeout: How long to wait for the reply; None for any time. A reply that has come by
                then is waited for until it is durable.

        Returns:
            The reply: its typename and its bytes, decoded by `value` or `as_type`.

        Raises:
            CallFailedError: If the message is given up: it is a dead letter or was dropped.
            CallTimeoutError: If no reply comes in time. The message stays accepted if
                `is_accepted` says so.
            UnknownFunctionError: If no function and no endpoint serves the typename.
            InvalidMessageError: If it is not a message, or the id is not valid text.
            ConfigurationError: If the time-out is negative or not a `timedelta`.
            RuntimeStoppedError: If the runtime is stopping, or stops before the reply comes.
        """
        address, argument = _target_and_argument(message)
        if timeout is not None and (not isinstance(timeout, timedelta) or timeout < timedelta(0)):
            raise ConfigurationError(
                f"the time-out of a call is {timeout!r}: pass a timedelta of zero or more, or None",
                option="timeout",
                given=repr(timeout),
            )
        _, dispatcher, _ = self._parts()
        return Value.decode(await dispatcher.intake.send_and_wait(address, argument, timeout))

    async def idle(self) -> None:
        """Wait until no message waits or is being worked on, and everything is durable.

        Delayed messages may wait, so may those of paused addresses, and egress records may be
        unread. A message that fails keeps this waiting until it is given up.

        Raises:
            RuntimeStoppedError: If the runtime stops before.
        """
        _, dispatcher, _ = self._parts()
        await dispatcher.idle()

    async def state(self, typename: str, target_id: str) -> dict[str, Value]:
        """The values of an address by name, without those that were deleted or have expired.

        They are those of the last turn, which may not be durable yet; after `idle` it is.

        Raises:
            RuntimeStoppedError: If the runtime has stopped.
        """
        engine, dispatcher, running = self._parts()
        address = Address(typename, target_id)
        if not running.done():
            stored = await dispatcher.read(lambda reader: reader.load(address))
            if not running.done():
                return visible_values(
                    engine.residency.values_of(address, stored), self._clock.now_ms()
                )
        raise RuntimeStoppedError(
            "the runtime has stopped: ask for state before, or read the data directory with "
            "'statefun state'",
            state="stopped",
        )

    async def dead_letters(self) -> list[DeadLetter]:
        """The messages that were given up and are kept; those of which that is durable.

        Raises:
            RuntimeStoppedError: If the runtime has stopped.
        """
        _, dispatcher, running = self._parts()
        if running.done():
            raise RuntimeStoppedError(
                "the runtime has stopped: ask for dead letters before, or read the data directory "
                "with 'statefun dead-letters list'",
                state="stopped",
            )
        return await dispatcher.read(lambda reader: list(reader.dead_letters()))

    async def edit(self, edit: Edit) -> Changed:
        """Change something by hand; returns what was changed, once that is durable.

        Args:
            edit: One of `statefun.runtime.admin.edits`, for example `Replay(None)`.

        Raises:
            EditError: If it cannot be made; `EditTargetError` if it names something that is not
                there.
            StoreError: If nothing can be stored at the moment.
            RuntimeStoppedError: If the runtime is stopping or stopped.
        """
        _, dispatcher, _ = self._parts()
        dispatcher.intake.check_running()
        found = await dispatcher.read(lambda reader: find(edit, reader))
        return await dispatcher.intake.edit(
            lambda engine: apply(edit, engine, found, self._clock.now_ms())
        )

    def egress(self, typename: str) -> EgressStream:
        """The records that functions send to an egress, for `async for`; see `EgressStream`.

        Each call makes a reader of its own.

        An egress that was not named when the runtime was made begins to exist by this; messages
        to it before that fail, and are tried again.

        Raises:
            ConfigurationError: If the records of this egress go elsewhere.
        """
        _, dispatcher, _ = self._parts()
        egress = self._egresses.get(typename)
        if egress is None:
            parse_typename(typename)
            egress = StreamEgress(typename)
            egress.begin(dispatcher.delivered)
            self._add_egress(egress)
            dispatcher.add_egress(egress)
        if not isinstance(egress, StreamEgress):
            raise ConfigurationError(
                f"the records of {typename!r} go to {egress!r}: read them where that puts them",
                option="egresses",
                given=typename,
            )
        return EgressStream(egress)

    @property
    def is_healthy(self) -> bool:
        """Whether messages are taken in and what happens becomes durable."""
        is_running = self._running is not None and not self._running.done()
        return is_running and self._dispatcher is not None and self._dispatcher.is_healthy

    def metrics(self) -> Metrics:
        """How the runtime is doing."""
        engine, dispatcher, _ = self._parts()
        return Metrics(
            counters=engine.counters,
            commits=dispatcher.committer.commits,
            failed_commits=dispatcher.committer.failed_commits,
            busy_addresses=engine.backlog.busy,
            resident_addresses=len(engine.residency),
            waiting_timers=engine.waiting_timers,
            calls_in_flight=dispatcher.calls.in_flight,
            paused_addresses=engine.paused_addresses,
            kept_dead_letters=len(engine.dead_letters),
            commit_durations=self._recorder.commit_durations,
            functions=self._recorder.functions,
        )

    # --- parts ------------------------------------------------------------------------------------

    def _parts(self) -> tuple[Engine, Dispatcher, asyncio.Task[None]]:
        if self._engine is None or self._dispatcher is None or self._running is None:
            raise RuntimeStoppedError(
                "the runtime has not been started: use it inside `async with Runtime(...)`",
                state="new",
            )
        return self._engine, self._dispatcher, self._running

    def _open_store(self) -> Store:
        if self._data is None or self._durability == "memory":
            return MemoryStore()
        return SqliteStore(self._data, self._durability)

    async def _open_control(self) -> None:
        """Take edits from other processes, if others can find what this one keeps."""
        if self._data is not None and isinstance(self._store, SqliteStore):
            control = ControlServer(Path(self._data), self.edit)
            self._exits.push_async_callback(control.stop)
            await control.start()

    def _add_egress(self, egress: Egress) -> None:
        if egress.typename in self._egresses:
            raise ConfigurationError(
                f"two egresses are named {egress.typename!r}: give one of them another typename",
                option="egresses",
                given=egress.typename,
            )
        self._egresses[egress.typename] = egress


def _target_and_argument(message: Message) -> tuple[Address, bytes]:
    """Whom a message is for, and its value as a serialized `TypedValue`."""
    if not isinstance(message, Message):
        raise InvalidMessageError(
            f"{message!r} is not a message: make one with message_builder(...)"
        )
    return Address(message.target_typename, message.target_id), message.argument()


async def _stop_together(parts: Iterable[Ingress | Egress]) -> None:
    """Stop parts that do not wait for one another.

    Raises:
        BaseException: The first error there is; each is logged, for others may come after it.
    """
    outcomes = await asyncio.gather(*(part.stop() for part in parts), return_exceptions=True)
    errors = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
    for error in errors:
        logger.error("a part could not be stopped in order: %s", error, exc_info=error)
    if errors:
        raise errors[0]


class _Checks:
    """The checks of the egresses that there are at the moment."""

    def __init__(self, egresses: dict[str, Egress]) -> None:
        self._egresses = egresses

    def get(self, typename: str, /) -> Callable[[bytes], object] | None:
        egress = self._egresses.get(typename)
        return None if egress is None else egress.accept
