"""What a durable scenario is: services, what is invoked from outside, and the answers that come.

A scenario is one of `tests.tools.scenarios`: each answer is told in a channel, and so is what a
handler tells. Its services are declared once; an application of them is made anew whenever the
process that runs them starts. Names of services and channels are its own, so that one application
can hold the services of all scenarios.
"""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from statefun.durable import RunOptions, _proto
from statefun.durable.endpoint import App
from statefun.durable.exceptions import TerminalError
from statefun.durable.handler import handler_from_callable
from statefun.durable.identity import Awakeable, InvocationId
from statefun.durable.limits import Limits
from statefun.durable.outcomes import as_message, failed, succeeded
from statefun.durable.routing import address_of, routed
from statefun.sdk.builders import egress_message_builder
from statefun.sdk.primitives import StringType
from tests.tools.scenarios.scenario import TOLD, Arrival, Scenario

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import timedelta

    from statefun.durable import Context
    from statefun.durable.declaration import Declaration
    from statefun.sdk.messages import Message
    from tests.tools.scenarios.scenario import Difference, NotBefore, Step

NAMESPACE = "s"
WARM = Limits().cached_addresses

INVOKED: dict[str, InvocationId] = {}
"""Channel → the invocation whose answer is told there."""
PERFORMED: Counter[tuple[str, str]] = Counter()
"""Invocation and name of an effect → how often it was performed."""


@dataclass(frozen=True)
class Invoke(Arrival):
    """Invoke a handler; its answer is told in the channel."""

    channel: str
    handler: Any
    argument: Any = None
    key: str | None = None
    idempotency_key: str | None = None
    delay: timedelta | None = None

    def message(self) -> Message:
        handler = handler_from_callable(self.handler)
        tag = handler.service_tag
        delay_ms = 0 if self.delay is None else int(self.delay.total_seconds() * 1000)
        target = routed(
            NAMESPACE,
            tag.kind,
            tag.name,
            handler.name,
            handler.kind,
            self.key,
            os.urandom(16),
            idempotency_key=self.idempotency_key,
            is_ticket=delay_ms > 0,
        )
        INVOKED[self.channel] = target.invocation_id
        invoke = _proto.Invoke(
            id=str(target.invocation_id),
            handler=handler.name,
            argument=handler.handler_io.input_serde.serialize(self.argument),
            idempotency_key=self.idempotency_key or "",
            delay_ms=delay_ms,
            reply=_proto.Route(typename=TOLD, id=self.channel, is_egress=True),
        )
        return _sent(target.invocation_id, invoke=invoke)


@dataclass(frozen=True)
class Command(Arrival):
    """Cancel, kill, pause or resume the invocation of a channel."""

    word: Literal["cancel", "kill", "pause", "resume"]
    of: str

    def message(self) -> Message:
        invocation = INVOKED[self.of]
        return _sent(invocation, **{self.word: str(invocation)})


@dataclass(frozen=True)
class Attach(Arrival):
    """Let the outcome of another channel's invocation be told in this channel."""

    channel: str
    of: str
    peek: bool = False

    def message(self) -> Message:
        invocation = INVOKED[self.of]
        reply = _proto.Route(typename=TOLD, id=self.channel, is_egress=True)
        attach = _proto.Attach(id=str(invocation), reply=reply, peek=self.peek)
        return _sent(invocation, attach=attach)


@dataclass(frozen=True)
class Complete(Arrival):
    """Complete the awakeable that was so many commands after the first, with JSON or a failure."""

    of: str
    command: int
    value: str = ""
    rejection: str = ""

    def message(self) -> Message:
        awakeable = Awakeable(str(INVOKED[self.of]), self.command)
        outcome = succeeded(self.value.encode())
        if self.rejection:
            outcome = failed(TerminalError(self.rejection))
        done = _proto.Done(execution=awakeable.invocation, seq=awakeable.seq, outcome=outcome)
        return _sent(INVOKED[self.of], done=done)


@dataclass(frozen=True)
class Signal(Arrival):
    """Send a named signal with JSON to the invocation of a channel."""

    of: str
    name: str
    value: str

    def message(self) -> Message:
        invocation = INVOKED[self.of]
        outcome = succeeded(self.value.encode())
        signal = _proto.Signal(execution=str(invocation), name=self.name, outcome=outcome)
        return _sent(invocation, signal=signal)


def _sent(invocation: InvocationId, **content: Any) -> Message:
    address = address_of(invocation, NAMESPACE)
    return as_message(address.typename, address.id, _proto.Envelope(version=1, **content))


@dataclass(frozen=True)
class DurableScenario(Scenario):
    """A scenario of durable handlers.

    Attributes:
        services: What the application is made of.
        bind: Binds plain functions to the application.
        is_exact: Whether it counts how often effects were performed, which is as told only where
            no reply is lost and nothing is rolled back.
    """

    services: tuple[Declaration, ...] = ()
    bind: Callable[[App], None] | None = None
    is_exact: bool = False

    def cold(self) -> DurableScenario:
        """The same, with nothing of a suspended handler left in memory."""
        return replace(self, functions=partial(application, self.services, self.bind, cached=0))


def application(
    services: tuple[Declaration, ...],
    bind: Callable[[App], None] | None = None,
    *,
    cached: int = WARM,
) -> App:
    """An application as a process makes it when it starts."""
    app = App(services, NAMESPACE, limits=Limits(cached_addresses=cached))
    if bind is not None:
        bind(app)
    return app


def durable(
    name: str,
    law: str,
    *services: Declaration,
    steps: tuple[Step, ...],
    records: Mapping[str, tuple[str, ...]],
    places: tuple[str, ...],
    timing: tuple[NotBefore, ...] = (),
    differs_on: Mapping[str, Difference] | None = None,
    bind: Callable[[App], None] | None = None,
    is_exact: bool = False,
) -> DurableScenario:
    """One rule, and the services that show it; see `Scenario`."""
    return DurableScenario(
        name=name,
        law=law,
        functions=partial(application, services, bind),
        steps=steps,
        records=records,
        timing=timing,
        places=places,
        differs_on=differs_on or {},
        services=services,
        bind=bind,
        is_exact=is_exact,
    )


def channels(scenario: Scenario) -> set[str]:
    """The channels in which something may be told."""
    asked = {each.channel for each in scenario.steps if isinstance(each, Invoke | Attach)}
    return asked | set(scenario.records)


# --- what handlers do -----------------------------------------------------------------------------


def tell(ctx: Context, channel: str, text: object) -> None:
    """Tell a text in a channel, with what else the handler does."""
    record = egress_message_builder(TOLD, value=f"{channel}|{text}", value_type=StringType)
    ctx.send_egress(record)


def perform(ctx: Context, name: str) -> Any:
    """Perform an effect; its result is how often it was performed."""
    return ctx.run_typed(name, _perform, RunOptions(type_hint=int), ctx.request().id, name)


def performed(ctx: Context, name: str) -> Any:
    """How often an effect of this invocation was performed by now."""
    return ctx.run_typed(
        f"count {name}", _performed, RunOptions(type_hint=int), ctx.request().id, name
    )


def _perform(invocation: str, name: str) -> int:
    PERFORMED[invocation, name] += 1
    return PERFORMED[invocation, name]


def _performed(invocation: str, name: str) -> int:
    return PERFORMED[invocation, name]
