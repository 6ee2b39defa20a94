"""The runtime: functions, a data directory, ingresses and egresses, put together."""

from __future__ import annotations

import random as chance
from datetime import timedelta
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

from statefun.errors import ConfigurationError, InvalidMessageError, RuntimeStoppedError
from statefun.runtime.admin.edits import apply, find
from statefun.runtime.clock import SystemClock
from statefun.runtime.lifecycle import Lifecycle
from statefun.runtime.log import LogObserver
from statefun.runtime.options import RuntimeOptions
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
    from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
    from pathlib import Path
    from typing import Self, Unpack

    from statefun.ports import Egress, Ingress
    from statefun.runtime.admin.edits import Changed, Edit
    from statefun.runtime.admin.figures import Metrics
    from statefun.runtime.clock import Clock
    from statefun.runtime.engine.records import DeadLetter, StoredEntry
    from statefun.runtime.observe import Observer
    from statefun.runtime.options import RuntimeOptionValues
    from statefun.runtime.stores.base import Reader, Store
    from statefun.runtime.transports.routing import Endpoint
    from statefun.sdk.functions import StatefulFunctions

__all__ = ["Runtime"]

T = TypeVar("T")

_STATES_AT_A_TIME = 500


class Runtime:
    """An embedded durable runtime, used as `async with Runtime(functions) as runtime:`.

    When the block is left, messages that were answered for and not yet worked on stay in the data
    directory, and the next runtime on it goes on with them.

    Args:
        functions: Functions that run in this process; one registry, several, or None. They go
            before endpoints that name them too.
        data: The data directory, made if it does not exist; None to keep everything in memory.
        endpoints: Where other functions are.
        ingresses: They bring messages in, besides `send`.
        egresses: They take records out; a typename stands for one that is read by `egress`.
        clock: Gives the time; by default that of the machine.
        random: Gives a number from 0 up to 1, for the policies.
        observers: Told of every event, besides the log.
        options: How it works; by default as `RuntimeOptions` says.
        **values: Single options, which go before those of `options`; see `RuntimeOptions`.

    Attributes:
        options: How it works.

    Raises:
        ConfigurationError: If these things do not go together, or an option makes no sense.

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
        endpoints: Sequence[Endpoint] = (),
        ingresses: Sequence[Ingress] = (),
        egresses: Sequence[Egress | str] = (),
        clock: Clock | None = None,
        random: Callable[[], float] = chance.random,
        observers: Sequence[Observer] = (),
        options: RuntimeOptions | None = None,
        **values: Unpack[RuntimeOptionValues],
    ) -> None:
        self._data = data
        self.options = (options or RuntimeOptions()).replaced(**values)
        self._egresses: dict[str, Egress] = {}
        for egress in egresses:
            self._add_egress(StreamEgress(egress) if isinstance(egress, str) else egress)
        self._clock = clock or SystemClock()
        self._recorder = Recorder()
        self._life = Lifecycle(
            self.options,
            data,
            self._open_store,
            FunctionRouter(registries_of(functions), endpoints),
            tuple(ingresses),
            self._egresses,
            self._clock,
            random,
            (LogObserver(), self._recorder, *observers),
        )

    # --- life -------------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """Open the data directory, go on where its last runtime ended, and take messages in.

        Raises:
            StoreLockedError: If another process is using the data directory.
            StoreError: If the data directory cannot be used for another reason.
            ConfigurationError: If an ingress or an egress cannot start, or this was started before.
        """
        await self._life.start(self.edit)

    async def stop(self) -> None:
        """Take in no more messages, let what is under way end, commit, and release everything.

        Takes `options.stop_bound` at most. Calling it again does nothing.

        Raises:
            Exception: The error by which the runtime ended, if it did not end by this.
        """
        await self._life.stop()

    async def watch(self) -> None:
        """Wait until the runtime ends.

        Raises:
            Exception: The error by which it ended, unless it was by `stop`.
        """
        await self._life.watch()

    # --- use --------------------------------------------------------------------------------------

    async def send(self, message: Message) -> None:
        """Send a message to a function; returns once it is durable.

        While too much waits for the address, or for all, and while nothing can be stored, this
        waits too.

        Raises:
            UnknownFunctionError: If no function and no endpoint serves the typename.
            InvalidMessageError: If it is not a message, or the id is not valid text.
            RuntimeStoppedError: If the runtime is stopping or stopped.
        """
        address, argument = _target_and_argument(message)
        await self._life.dispatcher.intake.send(address, argument)

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
        _check_timeout(timeout)
        intake = self._life.dispatcher.intake
        return Value.decode(await intake.send_and_wait(address, argument, timeout))

    async def idle(self) -> None:
        """Wait until no message waits or is being worked on, and everything is durable.

        Delayed messages may wait, so may those of paused addresses, and egress records may be
        unread. A message that fails keeps this waiting until it is given up.

        Raises:
            RuntimeStoppedError: If the runtime stops before.
        """
        await self._life.dispatcher.idle()

    async def state(self, typename: str, target_id: str) -> dict[str, Value]:
        """The values of an address by name, without those that were deleted or have expired.

        They are those of the last turn, which may not be durable yet; after `idle` it is.

        Raises:
            RuntimeStoppedError: If the runtime has stopped.
        """
        address = Address(typename, target_id)
        stored = await self._read("state", "state", lambda reader: reader.load(address))
        values = self._life.engine.residency.values_of(address, stored)
        return visible_values(values, self._clock.now_ms())

    async def states(self, typename: str) -> AsyncIterator[tuple[str, dict[str, Value]]]:
        """The values of every address of a function, ordered by id, as far as they are durable.

        It is read in parts, while the runtime goes on: each address as it was at some moment.

        Yields:
            The id of an address, and its values by name.

        Raises:
            RuntimeStoppedError: If the runtime has stopped, or stops meanwhile.
        """
        after: str | None = None
        while True:
            found = await self._read("states", "state", partial(_load_some, typename, after))
            for address, entries in found.items():
                yield address.id, visible_values(entries, self._clock.now_ms())
                after = address.id
            if len(found) < _STATES_AT_A_TIME:
                return

    async def dead_letters(self) -> list[DeadLetter]:
        """The messages that were given up and are kept; those of which that is durable.

        Raises:
            RuntimeStoppedError: If the runtime has stopped.
        """
        command = "dead-letters list"
        return await self._read("dead letters", command, lambda reader: list(reader.dead_letters()))

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
        dispatcher = self._life.dispatcher
        dispatcher.intake.check_running()
        with self._life.engine.edits.looking():
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
        dispatcher = self._life.dispatcher
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
    def calls_under_way(self) -> list[str]:
        """The calls that wait for something, each by its address; a stop waits for them."""
        return self._life.dispatcher.calls.names if self._life.is_running else []

    @property
    def is_healthy(self) -> bool:
        """Whether messages are taken in and what happens becomes durable."""
        return self._life.is_running and self._life.dispatcher.is_healthy

    def metrics(self) -> Metrics:
        """How the runtime is doing."""
        return self._recorder.metrics(self._life)

    async def _read(self, what: str, command: str, look: Callable[[Reader], T]) -> T:
        """See what is stored, unless the runtime has stopped, or does so meanwhile."""
        dispatcher = self._life.dispatcher
        if self._life.is_running:
            found = await dispatcher.read(look)
            if self._life.is_running:
                return found
        raise RuntimeStoppedError(
            f"the runtime has stopped: ask for {what} before, or read the data directory with "
            f"'statefun {command}'",
            state="stopped",
        )

    def _open_store(self) -> Store:
        if self._data is None or self.options.durability == "memory":
            return MemoryStore()
        return SqliteStore(self._data, self.options.durability)

    def _add_egress(self, egress: Egress) -> None:
        if egress.typename in self._egresses:
            raise ConfigurationError(
                f"two egresses are named {egress.typename!r}: give one of them another typename",
                option="egresses",
                given=egress.typename,
            )
        self._egresses[egress.typename] = egress


def _check_timeout(timeout: timedelta | None) -> None:
    if timeout is not None and (not isinstance(timeout, timedelta) or timeout < timedelta(0)):
        raise ConfigurationError(
            f"the time-out of a call is {timeout!r}: pass a timedelta of zero or more, or None",
            option="timeout",
            given=repr(timeout),
        )


def _load_some(
    typename: str, after: str | None, reader: Reader
) -> dict[Address, Mapping[str, StoredEntry]]:
    """The values of the next addresses of a function, in order."""
    addresses = list(islice(reader.addresses(typename, after), _STATES_AT_A_TIME))
    return reader.load_many(addresses)


def _target_and_argument(message: Message) -> tuple[Address, bytes]:
    """The target of a message, and its value as a serialized `TypedValue`."""
    if not isinstance(message, Message):
        raise InvalidMessageError(
            f"{message!r} is not a message: make one with message_builder(...)",
            argument="message",
            given=repr(message),
        )
    return Address(message.target_typename, message.target_id), message.argument()
