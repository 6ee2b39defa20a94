"""A driver for the pure engine: short ways to say what goes in and to see what comes out."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from statefun.errors import InvalidMessageError
from statefun.runtime.engine.driver import Driver as EngineDriver
from statefun.runtime.engine.engine import Engine
from statefun.runtime.engine.policy import FailurePolicy, Rules
from statefun.runtime.engine.retry import Backoff
from statefun.runtime.stores.memory import MemoryStore
from statefun.runtime.transports.routing import FunctionRouter
from statefun.sdk.address import Address
from statefun.sdk.functions import StatefulFunctions
from statefun.sdk.wire import encode_typed_value
from statefun.sdk.wire._proto import FromFunction, ToFunction, TypedValue
from tests.builders import wire

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from statefun.runtime.engine.mailbox import Attempt
    from statefun.runtime.engine.policy import Outcome
    from statefun.runtime.engine.records import Delta

A, B = Address("t/a", "1"), Address("t/b", "1")
START_MS = 1_000_000
TEXT = "t/text"
OUT = "e/out"


@dataclass
class Seen:
    """What a function would see of a request."""

    address: Address
    messages: list[str]
    state: dict[str, str | None] = field(default_factory=dict)
    callers: list[Address | None] = field(default_factory=list)


async def until(condition: Callable[[], object]) -> None:
    """Wait for something that is not an event."""
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - whatever it is, it is not an event
            await asyncio.sleep(0.001)


def text(value: str) -> bytes:
    return encode_typed_value(TEXT, value.encode())


def typed(value: str, typename: str = TEXT) -> TypedValue:
    return TypedValue(typename=typename, has_value=True, value=value.encode())


class Effects:
    """A reply, said step by step."""

    def __init__(self) -> None:
        self._reply = FromFunction()
        self._result = self._reply.invocation_result
        self._result.SetInParent()

    def send(self, target: Address, value: str) -> Effects:
        self._result.outgoing_messages.add(target=wire(target), argument=typed(value))
        return self

    def delay(self, delay_ms: int, target: Address, value: str, token: str = "") -> Effects:
        self._result.delayed_invocations.add(
            delay_in_ms=delay_ms,
            target=wire(target),
            argument=typed(value),
            cancellation_token=token,
        )
        return self

    def cancel(self, token: str) -> Effects:
        self._result.delayed_invocations.add(is_cancellation_request=True, cancellation_token=token)
        return self

    def egress(self, value: str, typename: str = OUT) -> Effects:
        namespace, _, name = typename.rpartition("/")
        self._result.outgoing_egresses.add(
            egress_namespace=namespace, egress_type=name, argument=typed(value)
        )
        return self

    def set(self, name: str, value: str, typename: str = TEXT, has_value: bool = True) -> Effects:  # noqa: FBT001, FBT002
        stored = typed(value, typename)
        stored.has_value = has_value
        self._result.state_mutations.add(mutation_type=1, state_name=name, state_value=stored)
        return self

    def delete(self, name: str) -> Effects:
        self._result.state_mutations.add(mutation_type=0, state_name=name)
        return self

    def __bytes__(self) -> bytes:
        return self._reply.SerializeToString()


NEVER = FromFunction.ExpirationSpec.NONE
AFTER_WRITE = FromFunction.ExpirationSpec.AFTER_WRITE
AFTER_CALL = FromFunction.ExpirationSpec.AFTER_INVOKE


def missing(
    *names: str,
    typename: str = TEXT,
    mode: FromFunction.ExpirationSpec.ExpireMode = NEVER,
    millis: int = 0,
    upgrades: Sequence[str] = (),
) -> bytes:
    """A reply that asks for values."""
    reply = FromFunction()
    reply.incomplete_invocation_context.SetInParent()
    for name in names:
        spec = reply.incomplete_invocation_context.missing_values.add(
            state_name=name, type_typename=typename, upgraded_typenames=upgrades
        )
        spec.expiration_spec.mode = mode
        spec.expiration_spec.expire_after_millis = millis
    return reply.SerializeToString()


def accept_no_poison(argument: bytes) -> None:
    if TypedValue.FromString(argument).value == b"poison":
        raise InvalidMessageError("this egress takes no poison")


def _unused(context: Any, message: Any) -> None:
    """Functions are answered for by the driver."""


def rules(then: Outcome = "dead-letter", **others: Any) -> Rules:
    """Rules of which chance is no part."""
    return Rules(FailurePolicy(then, Backoff(jitter=0)), **others)


class Driver(EngineDriver[MemoryStore]):
    """An engine with a memory store, a time, and one function after another called by hand."""

    def __init__(self, store: MemoryStore | None = None, **options: Any) -> None:
        functions = StatefulFunctions()
        for typename in ("t/a", "t/b", "t/c"):
            functions.register(typename, _unused)
        kept = store or MemoryStore()
        options.setdefault("rules", rules())
        engine = Engine(
            FunctionRouter([functions]),
            {OUT: accept_no_poison},
            recovered=kept.recover(),
            **options,
        )
        super().__init__(engine, kept)
        self.now_ms = START_MS
        self.loads: list[Address] = []

    def load(self, addresses: Sequence[Address]) -> None:
        self.loads += addresses
        super().load(addresses)

    # --- going in ---

    def send(self, target: Address, value: str, ticket: object = None, *, topic: str = "") -> None:
        self.engine.intake.deliver(target, text(value), ticket, topic=topic)

    def answer(self, batch: Attempt, reply: bytes | Effects | None = None) -> None:
        self.engine.replied(batch, b"" if reply is None else bytes(reply), self.now_ms)

    def fail(self, batch: Attempt, error: Exception | None = None) -> None:
        self.engine.failed(batch, error or ValueError("no"), self.now_ms)

    def wait(self, milliseconds: int) -> None:
        self.now_ms += milliseconds
        self.tick()

    def tick(self) -> None:
        self.tell_time(self.now_ms)

    # --- coming out ---

    def batches(self) -> list[Attempt]:
        """All batches that are ready, after the loads they need."""
        return self.take_attempts(self.now_ms)

    def batch(self) -> Attempt:
        """The only batch that is ready."""
        [batch] = self.batches()
        return batch

    def seen(self, batch: Attempt) -> Seen:
        request = ToFunction.FromString(batch.request).invocation
        target = request.target
        return Seen(
            Address(f"{target.namespace}/{target.type}", target.id),
            [each.argument.value.decode() for each in request.invocations],
            {
                each.state_name: each.state_value.value.decode()
                if each.HasField("state_value")
                else None
                for each in request.state
            },
            [
                Address(f"{each.caller.namespace}/{each.caller.type}", each.caller.id)
                if each.HasField("caller")
                else None
                for each in request.invocations
            ],
        )

    def take(self) -> list[Seen]:
        """What the functions of all ready batches see; each is answered with nothing."""
        seen = []
        for batch in self.batches():
            seen.append(self.seen(batch))
            self.answer(batch)
        return seen

    def drain(self) -> list[Seen]:
        """Like `take`, until nothing is ready."""
        seen = []
        while more := self.take():
            seen += more
        return seen

    def turn(self, target: Address, reply: bytes | Effects, value: str = "go") -> None:
        """One message to an idle address, answered by `reply`."""
        self.send(target, value)
        self.answer(self.batch(), reply)

    def declare(self, *names: str, target: Address = A, **spec: Any) -> None:
        """Let a function declare values: its first request is answered by asking for them."""
        self.send(target, "declare")
        self.answer(self.batch(), missing(*names, **spec))
        self.answer(self.batch())

    def errors(self) -> list[str]:
        """The sentences of what failed since the last call."""
        return [str(failed_attempt.error) for failed_attempt in self.engine.take_failed_attempts()]

    # --- commits ---

    def delta(self) -> Delta:
        delta = self.engine.begin_commit()
        assert delta is not None
        return delta

    def restarted(self, **options: Any) -> Driver:
        """An engine that goes on from what was committed, at the same time."""
        successor = Driver(self.store, **options)
        successor.now_ms = self.now_ms
        return successor
