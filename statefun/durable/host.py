"""The host: the shell that runs turns as a stateful function.

It is the only part of the core that has a clock, chance, threads and I/O: it reads the state, lets
`Turn` decide, performs the effects it names, and hands its reply to the SDK.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import os
from abc import ABC, abstractmethod
from dataclasses import dataclass
from datetime import timedelta
from random import Random
from typing import TYPE_CHECKING, Any, Protocol
from weakref import WeakKeyDictionary

from statefun.durable import _proto
from statefun.durable.cache import Cache
from statefun.durable.exceptions import TerminalError
from statefun.durable.gateway import admitted, reply_routes
from statefun.durable.kept import VALUES
from statefun.durable.memo import Memo
from statefun.durable.outbox import Outbox
from statefun.durable.outcomes import ENVELOPE_TYPE, as_message, failed, succeeded
from statefun.durable.tickets import TicketTurn
from statefun.durable.turn import Cached, Reply, Turn
from statefun.durable.watchdog import start_watchdog
from statefun.sdk.builders import egress_message_builder
from statefun.sdk.messages import Message
from statefun.sdk.specs import ValueSpec
from statefun.sdk.types import simple_type
from statefun.sdk.wire import TypedValue, incoming_message
from statefun.threads import Threads

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from statefun.durable.declaration import Declaration
    from statefun.durable.directory import Directory
    from statefun.durable.effects import Ready
    from statefun.durable.execution import FrontEnd
    from statefun.durable.pending import Effect
    from statefun.sdk.context import BatchContext
    from statefun.sdk.functions import StatefulFunctions

__all__ = [
    "STATE_TYPE",
    "EnvelopeHost",
    "GatewayHost",
    "Host",
    "ProxyHost",
    "Shell",
    "TicketHost",
    "nonce",
]

_MOST_THREADS = 64

logger = logging.getLogger("statefun.durable")


def _bytes(data: bytes) -> bytes:
    return data


STATE_TYPE = simple_type("io.statefun.durable.v1/state", serialize_fn=_bytes, deserialize_fn=_bytes)
"""The type of everything that durable addresses keep."""


@dataclass(frozen=True, slots=True)
class Shell:
    """What all hosts of an application share.

    Attributes:
        directory: All services.
        clock: The time in seconds since 1970.
        dead_letters: The egress for messages that cannot be read; None only logs them.
    """

    directory: Directory
    clock: Callable[[], float]
    dead_letters: str | None

    def now_ms(self) -> int:
        """The time in milliseconds."""
        return int(self.clock() * 1000)


class _Function(Protocol):
    """What all hosts have."""

    shell: Shell
    typename: str


def _messages(context: BatchContext) -> list[Message]:
    """All messages of the batch of this call; a turn takes them together."""
    batch = context.batch
    return [
        incoming_message(Message, batch.typename, batch.target_id, each)
        for each in batch.invocations
    ]


def _envelope(host: _Function, context: BatchContext, message: Message) -> _proto.Envelope | None:
    """The envelope in a message; None if there is none that can be read, which is told."""
    if message.is_type(ENVELOPE_TYPE):
        try:
            envelope = _proto.Envelope.FromString(message.raw_value() or b"")
        except (_proto.DecodeError, ValueError):
            pass
        else:
            if envelope.version <= 1:
                return envelope
    logger.error(
        "%s %r got a %s of %d bytes, which it cannot read: send what Application.invoke makes",
        host.typename,
        context.batch.target_id,
        message.value_typename(),
        len(message.raw_value() or b""),
    )
    if host.shell.dead_letters is not None:
        letter = egress_message_builder(host.shell.dead_letters, message.argument(), _LETTER_TYPE)
        context.send_egress(letter)
    return None


_LETTER_TYPE = simple_type(
    "io.statefun.durable.v1/unreadable", serialize_fn=_bytes, deserialize_fn=_bytes
)


def nonce() -> int:
    """A number that no other turn has."""
    return _chance.getrandbits(64) or 1


_chance = Random(os.urandom(32))  # noqa: S311 - to be unique, not to be secret
os.register_at_fork(after_in_child=lambda: _chance.seed(os.urandom(32)))


def _apply(context: BatchContext, reply: Reply) -> None:
    """Ask the SDK for what a turn asks for."""
    for name, data in reply.values.items():
        if data is None:
            delattr(context.storage, name)
        else:
            setattr(context.storage, name, data)
    outbox = reply.outbox
    for typename, target_id, envelope in outbox.messages:
        context.send(as_message(typename, target_id, envelope))
    for token in outbox.withdrawn:
        context.cancel_delayed_message(token)
    for delay_ms, typename, target_id, envelope, token in outbox.delayed:
        message = as_message(typename, target_id, envelope)
        context.send_after(timedelta(milliseconds=delay_ms), message, token)
    for plain, delay_ms in outbox.plain:
        if delay_ms:
            context.send_after(timedelta(milliseconds=delay_ms), plain)
        else:
            context.send(plain)
    for record in outbox.egress:
        context.send_egress(record)


class EnvelopeHost(ABC):
    """The function of addresses that take envelopes; each batch is one turn.

    Args:
        shell: What all hosts share.
        typename: The typename.
        names: The names of the values of its addresses.
    """

    def __init__(self, shell: Shell, typename: str, names: Sequence[str]) -> None:
        self.shell = shell
        self.typename = typename
        self._names = names

    def bind(self, functions: StatefulFunctions) -> None:
        """Register it."""
        specs = [ValueSpec(name, STATE_TYPE) for name in self._names]
        functions.register(self.typename, self.handle, specs)

    async def handle(self, context: Any, _: Message) -> None:
        """Handle a batch; with its first message, all of it."""
        if context.position:
            return
        envelopes = [_envelope(self, context, message) for message in _messages(context)]
        values = {name: getattr(context.storage, name) for name in self._names}
        readable = [envelope for envelope in envelopes if envelope is not None]
        reply = await self.turn(context.batch.target_id, values, readable)
        _apply(context, reply)
        context.has_acted = reply.has_acted

    @abstractmethod
    async def turn(
        self, target_id: str, values: Mapping[str, bytes | None], envelopes: list[_proto.Envelope]
    ) -> Reply:
        """Run a turn.

        Args:
            target_id: The id of the address.
            values: Name → what it keeps, None if there is nothing.
            envelopes: The messages, in order.
        """


class Host(EnvelopeHost):
    """The function of a service, an object or a workflow.

    Args:
        shell: What all hosts share.
        typename: The typename.
        declaration: The service, object or workflow.
        front_end: Who knows how its invocations run.

    Attributes:
        cache: Its suspended handlers.
    """

    def __init__(
        self, shell: Shell, typename: str, declaration: Declaration, front_end: FrontEnd
    ) -> None:
        super().__init__(shell, typename, VALUES[declaration.service_tag.kind])
        start_watchdog()
        self.cache = Cache(shell.directory.limits.cached_addresses)
        self._memo = Memo(shell.directory.limits.remembered_turns)
        self.declaration = declaration
        self.front_end = front_end

    async def turn(
        self, target_id: str, values: Mapping[str, bytes | None], envelopes: list[_proto.Envelope]
    ) -> Reply:
        """Run a turn; see `Turn`."""
        await self.shell.directory.codec.ready()
        known = await self._memo.find(target_id, values, envelopes)
        if known is not None:
            return known
        turn = self.begin(target_id, values, self.cache.take(self.typename, target_id))
        remembered = None
        try:
            for envelope in envelopes:
                turn.receive(envelope)
            has_acted = False
            while wave := turn.effects.wave():
                has_acted = has_acted or any(not each.execution.is_relaxed for each in wave)
                remembered = remembered or self._memo.begin(target_id, values, envelopes)
                outcomes = await self.perform(wave)
                for ready, outcome in zip(wave, outcomes, strict=True):
                    turn.effects.complete(ready, outcome)
                turn.resume()
            reply = turn.end()
            reply.has_acted = has_acted
        except BaseException as error:
            turn.abandon()
            if remembered is not None:
                self._memo.fail(target_id, remembered, error)
            raise
        if remembered is not None:
            self._memo.end(remembered, reply)
        if reply.cached is not None:
            self.cache.put(self.typename, target_id, reply.cached)
        return reply

    def begin(
        self, target_id: str, values: Mapping[str, bytes | None], cached: Cached | None
    ) -> Turn:
        """A turn that has received nothing yet."""
        return Turn(
            self.shell.directory,
            self.declaration,
            self.front_end,
            self.typename,
            target_id,
            values,
            self.shell.now_ms(),
            nonce(),
            cached,
        )

    async def perform(self, wave: list[Ready]) -> list[bytes | BaseException]:
        """Perform effects side by side; what each has returned, encoded, or raised."""
        limits = self.shell.directory.limits
        work = [
            _outcome(each.effect, limits.time_of(each.execution.handler.options)) for each in wave
        ]
        if len(wave) == 1 and not wave[0].execution.is_relaxed:
            return [await work[0]]  # no other effect can see its context variables
        return await asyncio.gather(*work)


_threads_of: WeakKeyDictionary[asyncio.AbstractEventLoop, Threads] = WeakKeyDictionary()


def _threads() -> Threads:
    """Where effects run that are not async; they mostly wait."""
    loop = asyncio.get_running_loop()
    threads = _threads_of.get(loop)
    if threads is None:
        threads = _threads_of[loop] = Threads(_MOST_THREADS, "statefun-effect")
    return threads


async def _outcome(effect: Effect, limit: timedelta) -> bytes | BaseException:
    """What an effect returned, encoded, or what it raised."""
    task = asyncio.current_task()
    seconds = limit.total_seconds()
    try:
        async with asyncio.timeout(seconds) as deadline:
            if inspect.iscoroutinefunction(effect.action):
                result: Any = effect.begin()
            else:
                result = await _threads().call(effect.begin)
            if inspect.isawaitable(result):
                result = await result
        return effect.encode(result)
    except asyncio.CancelledError as error:
        if task is not None and task.cancelling():
            raise
        return error
    except (Exception, SystemExit, GeneratorExit) as error:  # noqa: BLE001 - one failed attempt
        if isinstance(error, TimeoutError) and deadline.expired():
            return TimeoutError(
                f"the effect {effect.name!r} took longer than the {seconds:g} s that its handler "
                "allows, its inactivity timeout and its abort timeout together: give it more time"
            )
        return error


class TicketHost(EnvelopeHost):
    """The function of the tickets of an object."""

    def __init__(self, shell: Shell, typename: str) -> None:
        super().__init__(shell, typename, ("ticket",))

    async def turn(
        self, target_id: str, values: Mapping[str, bytes | None], envelopes: list[_proto.Envelope]
    ) -> Reply:
        """Run a turn; see `TicketTurn`."""
        turn = TicketTurn(
            self.shell.directory,
            self.typename,
            target_id,
            values["ticket"],
            self.shell.now_ms(),
            nonce(),
        )
        for envelope in envelopes:
            turn.receive(envelope)
        return turn.end()


class ProxyHost:
    """The function that calls plain functions for handlers and takes what they send back."""

    def __init__(self, shell: Shell, typename: str) -> None:
        self.shell = shell
        self.typename = typename

    def bind(self, functions: StatefulFunctions) -> None:
        """Register it."""
        specs = [ValueSpec("route", STATE_TYPE)]
        functions.register(self.typename, self.handle, specs)

    async def handle(self, context: Any, message: Message) -> None:
        """Pass a question on, or the first answer back."""
        storage = context.storage
        if message.is_type(ENVELOPE_TYPE):
            envelope = _envelope(self, context, message)
            if envelope is not None and envelope.WhichOneof("content") == "ask":
                ask = envelope.ask
                storage.route = ask.reply.SerializeToString()
                typed = TypedValue.FromString(ask.argument)
                context.send(Message(ask.typename, ask.id, typed))
        elif storage.route is not None:
            route = _proto.Route.FromString(storage.route)
            del storage.route
            done = _proto.Done(
                execution=route.execution, seq=route.seq, outcome=succeeded(_typed_value(message))
            )
            envelope = _proto.Envelope(version=1, done=done)
            context.send(as_message(route.typename, route.id, envelope))


class GatewayHost:
    """The function that passes on what comes from topics, to whom its ids name."""

    def __init__(self, shell: Shell, typename: str) -> None:
        self.shell = shell
        self.typename = typename

    def bind(self, functions: StatefulFunctions) -> None:
        """Register it."""
        functions.register(self.typename, self.handle)

    async def handle(self, context: Any, message: Message) -> None:
        """Pass an envelope on, or answer why not."""
        envelope = _envelope(self, context, message)
        if envelope is None:
            return
        try:
            home = admitted(self.shell.directory, envelope)
        except TerminalError as error:
            outbox = Outbox(self.shell.directory, self.typename, context.batch.target_id)
            outbox.answer(reply_routes(envelope), failed(error))
            _apply(context, Reply({}, outbox))
        else:
            context.send(as_message(*home, envelope))


def _typed_value(message: Message) -> bytes:
    return message.typed_value.SerializeToString()
