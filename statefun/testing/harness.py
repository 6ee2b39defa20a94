"""The harness: runs functions inside a test, on the engine of the embedded runtime.

Law: what happens here happens in the same order, through the same bytes and by the same engine as
in a running process; only time passes by hand, and nothing is kept on disk.
"""

from __future__ import annotations

from asyncio import CancelledError
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Unpack, cast

from statefun.errors import (
    ConfigurationError,
    MessageArgumentsError,
    UnknownFunctionError,
)
from statefun.runtime.clock import ManualClock
from statefun.runtime.engine.driver import Driver
from statefun.runtime.engine.engine import Engine
from statefun.runtime.options import RuntimeOptions
from statefun.runtime.transports.base import cancelled
from statefun.runtime.transports.routing import FunctionRouter
from statefun.runtime.values import EgressValue, visible_values
from statefun.sdk.address import Address
from statefun.sdk.builders import OneValue, message_builder
from statefun.sdk.executor import run_here
from statefun.sdk.functions import StatefulFunctions, registries_of
from statefun.sdk.handler import RequestReplyHandler
from statefun.sdk.messages import Message
from statefun.testing.faults import CountingStore, ExpiringStore, check_faults, limits_under

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from statefun.runtime.engine.failures import FailedAttempt
    from statefun.runtime.engine.mailbox import Attempt
    from statefun.runtime.engine.policy import Rules
    from statefun.runtime.engine.records import DeadLetter
    from statefun.runtime.options import RuntimeOptionValues
    from statefun.runtime.transports.routing import Endpoint
    from statefun.runtime.values import Value
    from statefun.testing.faults import Fault

__all__ = ["Harness"]


class _Egresses:
    """The egresses of a test: those that were named, or any."""

    def __init__(self, typenames: Iterable[str] | None) -> None:
        self._typenames = None if typenames is None else frozenset(typenames)

    def get(self, typename: str, /) -> Callable[[bytes], object] | None:
        known = self._typenames is None or typename in self._typenames
        return len if known else None  # any bytes will do


class Harness:
    """Runs functions in a test: send messages, run, look at state and egress, let time pass.

    Args:
        functions: What is under test; one registry or several.
        clock: The clock to go by; a new one that stands still, unless given.
        raise_failures: Whether a function that fails makes `run` and `advance` raise. If not, what
            failed is in `failures` and is tried again as time advances, until it is given up.
        egresses: The egress typenames there are; None for any.
        endpoints: Functions elsewhere, with their policies and limits, as those of a runtime; for
            example a `FakeEndpoint` of `statefun.testing.ports`.
        faults: What an engine may do to the input of functions, such as `["repeated", "split"]`;
            see `Fault`.
        options: The options of a runtime; those that concern disk and stop have no effect.
        **values: Single options, which go before those of `options`; see `RuntimeOptions`.

    Attributes:
        clock: The clock. Move it by `advance`, so that timers fire on the way.
        failures: Every attempt that failed, oldest first.

    Example:
        ```python
        harness = Harness(functions)
        harness.send("com.example/greeter", "Ada", str_value="hello")
        harness.run()
        assert harness.state("com.example/greeter", "Ada")["seen"].value == 1
        ```
    """

    def __init__(
        self,
        functions: StatefulFunctions | Iterable[StatefulFunctions] | None,
        *,
        clock: ManualClock | None = None,
        raise_failures: bool = True,
        egresses: Iterable[str] | None = None,
        endpoints: Sequence[Endpoint] = (),
        faults: Iterable[Fault] = (),
        options: RuntimeOptions | None = None,
        **values: Unpack[RuntimeOptionValues],
    ) -> None:
        self.clock = clock or ManualClock()
        self.failures: list[FailedAttempt] = []
        self._raise_failures = raise_failures
        self._egresses = _Egresses(egresses)
        self._options = (options or RuntimeOptions()).replaced(**values)
        self._endpoints = endpoints
        self._faults = check_faults(faults)
        self._store = ExpiringStore() if "expired" in self._faults else CountingStore()
        self._egress: list[tuple[str, EgressValue]] = []
        self._functions = functions
        self.restart()

    def restart(
        self, functions: StatefulFunctions | Iterable[StatefulFunctions] | None = None
    ) -> None:
        """Go on as a new process does, with what was committed by the last `run` or `advance`.

        Args:
            functions: The functions from now on, as a deploy changes them; None for the same.

        Example:
            ```python
            harness.restart(next_version)  # reads the state that this version left
            ```
        """
        if functions is not None:
            self._functions = functions
        registries = registries_of(self._functions)
        self._handlers = {
            typename: RequestReplyHandler(registry)
            for registry in registries
            for typename in registry.typenames
        }
        self._router = FunctionRouter(registries, self._endpoints)
        self._engine = Engine(
            self._router,
            self._egresses,
            recovered=self._store.recover(),
            rules=self._rules(),
        )
        self._engine.retry_held()
        self._driver = Driver(self._engine, self._store)

    def _rules(self) -> Rules:
        """The rules that the options say, under the faults."""
        rules, limits = self._options.rules(self._router), limits_under(self._faults)
        return rules if limits is None else replace(rules, limits={"*": limits})

    def send(
        self,
        target: Message | str,
        target_id: str = "",
        *,
        key: str = "",
        topic: str = "",
        **value: Unpack[OneValue],
    ) -> None:
        """Send a message as an ingress would. Nothing runs before `run` or `advance`.

        Args:
            target: A message; or the typename of a function, followed by what else
                `message_builder` takes.
            target_id: The id, if `target` is a typename.
            key: The idempotency key: a message that comes again with it is not taken in again.
            topic: The topic of the ingress that it comes from.
            value: The value, if `target` is a typename: `str_value="hello"` and its like, or
                `value` with `value_type`; and `headers`.

        Raises:
            UnknownFunctionError: If no function is registered under the typename.
            InvalidMessageError: If this does not make a message.
            AddressBusyError: If the address has as much waiting as its limits allow.
        """
        if isinstance(target, Message):
            if target_id or value:
                raise MessageArgumentsError(
                    f"{target!r} is a whole message: send it alone, or pass a typename, an id and "
                    "a value"
                )
            message = target
        else:
            message = message_builder(target, target_id, **cast("dict[str, Any]", value))
        address = Address(message.target_typename, message.target_id)
        self._engine.intake.deliver(
            address, message.argument(), key=key, topic=topic, now_ms=self.clock.now_ms()
        )

    def run(self) -> None:
        """Run until nothing is left that can run now; timers that are due fire.

        Raises:
            InvocationError: If a function raised; `__cause__` is what it raised. Nothing that its
                batch did is kept, and the batch will be tried again when time advances. Other
                errors of `statefun.errors` come out for a reply that no engine would accept.
        """
        try:
            while self._step() or self._engine.awaits_commit:
                commits = self._store.commits
                if self._engine.awaits_commit or self._restarts:
                    self._commit()
                if self._restarts and self._store.commits > commits:
                    self.restart()
        finally:
            self._commit()

    def advance(self, by: timedelta) -> None:
        """Let time pass. What becomes due on the way runs at its time, each to its end.

        Raises:
            InvocationError: See `run`; the clock then stands where the function failed.
            ConfigurationError: If `by` is negative, or no `timedelta`.
        """
        if not isinstance(by, timedelta):
            raise ConfigurationError(
                f"advance takes a timedelta, got {type(by).__name__} {by!r}: write for example "
                "timedelta(seconds=5)",
                option="by",
                given=repr(by),
            )
        goal = ManualClock(self.clock.now_ms())
        goal.advance(by)
        self.run()
        while True:
            due_ms = self._engine.next_wake_ms()
            if due_ms is None or due_ms > goal.now_ms():
                break
            self.clock.advance_to(due_ms)
            self.run()
        self.clock.advance_to(goal.now_ms())
        self.run()

    def state(self, typename: str, target_id: str) -> dict[str, Value]:
        """The values of an address by name, without those that were deleted or have expired.

        Raises:
            UnknownFunctionError: If no function is registered under the typename.
        """
        if not self._router.knows(typename):
            raise UnknownFunctionError(typename, self._router.typenames)
        address = Address(typename, target_id)
        values = self._engine.residency.values_of(address, self._store.load(address))
        return visible_values(values, self.clock.now_ms())

    def egress(self, typename: str | None = None) -> list[EgressValue]:
        """What was sent to an egress (or to any, for None), in order."""
        return [value for egress, value in self._egress if typename in (None, egress)]

    def addresses(self) -> list[Address]:
        """The addresses that have values, ordered."""
        store = self._store
        return sorted(each for name in store.typenames() for each in store.addresses(name))

    @property
    def _restarts(self) -> bool:
        """Whether the process ends after each commit."""
        return not self._faults.isdisjoint({"restart", "expired"})

    @property
    def sent(self) -> list[tuple[str, EgressValue]]:
        """What was sent to any egress, in order, with the typename of the egress."""
        return list(self._egress)

    @property
    def dead_letters(self) -> list[DeadLetter]:
        """The messages that were given up, in the order in which they were sent."""
        return list(self._store.dead_letters())

    @property
    def pending_timers(self) -> int:
        """How many delayed messages wait."""
        return len(self._engine.timers)

    @property
    def is_idle(self) -> bool:
        """Whether no message waits, not even one to be tried again. Timers may wait."""
        return self._engine.is_idle

    def _step(self) -> bool:
        """Do what can be done now; returns whether there was anything."""
        has_called = self._driver.step(self._call, self.clock.now_ms)
        failed_attempts = self._engine.take_failed_attempts()
        self.failures += failed_attempts
        if failed_attempts and self._raise_failures:
            raise failed_attempts[0].error
        return has_called

    def _call(self, attempt: Attempt) -> bytes:
        reply = self._call_once(attempt)
        if "repeated" in self._faults:
            self._call_once(attempt)
        return self._call_once(attempt) if "reply-lost" in self._faults else reply

    def _call_once(self, attempt: Attempt) -> bytes:
        typename = attempt.address.typename
        handler = self._handlers.get(typename)
        try:
            if handler is None:
                return run_here(self._invoke(typename, attempt.request))
            return handler.invoke_sync(attempt.request)
        except CancelledError:
            raise cancelled(attempt.address) from None

    async def _invoke(self, typename: str, request: bytes) -> bytes:
        return await self._router.transport(typename).invoke(request)

    def _commit(self) -> None:
        released = self._driver.commit()
        for record in released.egress:
            value = EgressValue.decode(record.argument, record.id)
            self._egress.append((record.typename, value))
        self._engine.egress_delivered(record.id for record in released.egress)
