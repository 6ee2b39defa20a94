"""The harness for durable handlers: invoke, let time pass, break things, look at the calls."""

from __future__ import annotations

import inspect
import weakref
from copy import copy
from dataclasses import dataclass, replace
from datetime import timedelta
from random import Random
from typing import TYPE_CHECKING, Any, Literal

from statefun.durable import _proto
from statefun.durable.endpoint import App
from statefun.durable.exceptions import TerminalError
from statefun.durable.handler import handler_from_callable
from statefun.durable.identity import Awakeable, InvocationId
from statefun.durable.outcomes import ENVELOPE_TYPE, as_message, failed, failure_of, succeeded
from statefun.durable.recording import Recording, recordings_of
from statefun.durable.serde import DEFAULT_SERDE
from statefun.errors import ConfigurationError, SerializationError
from statefun.runtime.clock import ManualClock
from statefun.runtime.engine.policy import FailurePolicy
from statefun.runtime.engine.retry import Backoff
from statefun.sdk.address import Address
from statefun.sdk.functions import StatefulFunctions
from statefun.sdk.messages import Message
from statefun.sdk.wire import incoming_message
from statefun.testing.harness import Harness
from statefun.testing.replays import ReplayingHost

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from statefun.durable.context import Context
    from statefun.durable.declaration import Declaration

__all__ = ["Called", "DurableHarness", "Invocation"]

_ANY: Any = object()
_ANSWERS = "io.statefun.testing/answers"
_LONGEST = timedelta(days=3650)
_STEP = timedelta(milliseconds=50)
_PATIENT = FailurePolicy(
    retry=Backoff(
        first=timedelta(milliseconds=10), longest=timedelta(seconds=1), attempts=1_000_000
    )
)


class _ReplayedApp(App):
    """An app whose turns also run from the journal."""

    host_type = ReplayingHost


class _LostReplyError(Exception):
    """The process has died: a turn has run, and nobody gets its reply."""


@dataclass(frozen=True)
class Called:
    """An invocation that has reached its service.

    Attributes:
        service: The name of the service, object or workflow.
        handler: The name of the handler.
        key: The key; empty for a service.
        argument: Its argument, as the handler gets it.
        id: The id of the invocation.
    """

    service: str
    handler: str
    key: str
    argument: Any
    id: str


@dataclass(frozen=True)
class Invocation:
    """An invocation that a test has made.

    Attributes:
        id: Its id.
    """

    id: str
    _harness: DurableHarness
    _decode: Callable[[bytes], Any]

    @property
    def is_done(self) -> bool:
        """Whether it has ended."""
        return self._harness._outcome(self.id) is not None  # noqa: SLF001 - its own harness

    def result(self) -> Any:
        """Its result.

        Raises:
            TerminalError: If it has failed.
            AssertionError: If it has not ended; the sentence says what it has been told so far.
        """
        outcome = self._harness._outcome(self.id)  # noqa: SLF001 - its own harness
        if outcome is None:
            raise AssertionError(f"{self.id} has not ended: {self._harness._waits(self.id)}")  # noqa: SLF001
        failure = failure_of(outcome)
        if failure is not None:
            raise failure
        return self._decode(outcome.value)


class _Calls:
    """The invocations that have reached their service, in order."""

    def __init__(self, app: App) -> None:
        self._codec = app.directory.codec
        self._called: dict[str, Called] = {}

    def of(self, handler: Any) -> list[Called]:
        """Those of a handler; all for None."""
        if handler is None:
            return list(self._called.values())
        known = handler_from_callable(handler)
        names = known.service_tag.name, known.name
        return [each for each in self._called.values() if (each.service, each.handler) == names]

    def note(self, declaration: Declaration, context: Any) -> None:
        """Take note of those in a batch."""
        batch = context.batch
        for each in batch.invocations:
            message = incoming_message(Message, batch.typename, batch.target_id, each)
            if not message.is_type(ENVELOPE_TYPE):
                continue
            envelope = _proto.Envelope.FromString(message.raw_value() or b"")
            handler = declaration.handlers.get(envelope.invoke.handler)
            if handler is not None and envelope.invoke.id not in self._called:
                reads = self._codec.over(handler.handler_io.input_serde)
                try:
                    argument = reads.deserialize(envelope.invoke.argument)
                except SerializationError:
                    argument = envelope.invoke.argument  # the handler will say so
                key = "" if declaration.service_tag.kind == "service" else batch.target_id
                self._called[envelope.invoke.id] = Called(
                    declaration.name, handler.name, key, argument, envelope.invoke.id
                )


class DurableHarness:
    """Runs an app in a test, on a clock that the test moves; nothing runs by itself.

    Args:
        app: What `app([...])` returns.
        replay: `"always"` runs every turn once more from the journal and compares what both ask
            for, which shows at once what is not deterministic: that raises where the test goes on.
            `"never"` keeps suspended handlers in memory, as a process does until it ends.
        faults: From 0 up to 1: so often the process dies between a turn and its reply. The turn
            runs again then, and its effects are performed again.
        seed: What chance there is: the same seed, the same faults, and the same `ctx.random()` and
            `ctx.uuid()` of handlers.
        mocks: Handler → a function that runs in its place, with the same parameters.

    Example:
        ```python
        harness = DurableHarness(app, replay="always", faults=0.2, mocks={charge: lambda ctx, _: 7})
        assert harness.call(buy, "book", key="ada") == "sold"
        harness.assert_called(charge, argument="book", times=1)
        ```

    Raises:
        ConfigurationError: If an argument makes no sense.
    """

    def __init__(
        self,
        app: App,
        *,
        replay: Literal["always", "never"] = "never",
        faults: float = 0.0,
        seed: int = 0,
        mocks: Mapping[Any, Callable[..., Any]] | None = None,
    ) -> None:
        if not isinstance(app, App):
            raise ConfigurationError(f"a DurableHarness needs what app([...]) returns, got {app!r}")
        if replay not in ("always", "never"):
            raise ConfigurationError(f"replay is 'always' or 'never', got {replay!r}")
        if not 0 <= faults < 1:
            raise ConfigurationError(f"faults are from 0 up to 1, without 1, got {faults!r}")
        self.clock = ManualClock()
        limits = app.directory.limits
        if faults:
            limits = replace(limits, remembered_turns=0)
        services = _with_mocks(app.services, mocks or {})
        clock = self.clock
        self._app = (_ReplayedApp if replay == "always" else App)(
            services,
            app.directory.namespace,
            limits=limits,
            clock=lambda: clock.now_ms() / 1000,
            codec=app.directory.codec,
        )
        weakref.finalize(self, self._app.forget)
        self._random = Random(seed)  # noqa: S311 - to be repeated
        self._ids = Random(f"{seed} ids")  # noqa: S311 - chance of a handler is made of its id
        self._faults = faults
        self._calls = _Calls(self._app)
        self._addresses: dict[Address, None] = {}
        self._known_answers = 0
        self._outcomes: dict[str, _proto.Outcome] = {}
        functions = StatefulFunctions()
        for typename in self._app.typenames:
            function = self._app.for_typename(typename)
            specs = list(function.storage_spec.specs)
            functions.register(typename, self._watched(typename, function.fun), specs)
        self._harness = Harness(functions, clock=self.clock, raise_failures=False, failure=_PATIENT)

    # --- going in ---

    def invoke(
        self,
        handler: Any,
        argument: Any = None,
        *,
        key: str | None = None,
        delay: timedelta | None = None,
        idempotency_key: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Invocation:
        """Invoke a handler, and let everything run that can run now.

        Args:
            handler: The decorated function.
            argument: Its argument; None if it takes none.
            key: The key of the object or workflow.
            delay: How long it waits before it begins.
            idempotency_key: Invocations with the same one are one.
            headers: Headers for the handler.

        Raises:
            TerminalError: If a key is missing or too much.
            AssertionError: See `run`.
        """
        known = handler_from_callable(handler)
        message = self._app.invoke(
            handler,
            argument,
            key=key,
            delay=delay,
            idempotency_key=idempotency_key,
            headers=headers,
            reply=_proto.Route(typename=_ANSWERS, id="", is_egress=True),
            unique=self._ids.randbytes(16),
        )
        envelope = _proto.Envelope.FromString(message.raw_value() or b"")
        envelope.invoke.reply.id = envelope.invoke.id
        self._harness.send(as_message(message.target_typename, message.target_id, envelope))
        self.run()
        reads = self._app.directory.codec.over(known.handler_io.output_serde)
        return Invocation(envelope.invoke.id, self, reads.deserialize)

    def call(self, handler: Any, argument: Any = None, **options: Any) -> Any:
        """Invoke a handler, let time pass until it has ended, and return its result.

        Args:
            handler: The decorated function.
            argument: Its argument.
            **options: Those of `invoke`.

        Raises:
            TerminalError: If it fails.
            AssertionError: If it waits for something that no time brings.
        """
        invocation = self.invoke(handler, argument, **options)
        waited = timedelta(0)
        while not invocation.is_done and waited < _LONGEST:
            if not self._harness.pending_timers and self._harness.is_idle:
                break
            waited += self._pass_time()
        return invocation.result()

    def cancel(self, invocation: Invocation) -> None:
        """Cancel an invocation."""
        self._tell(invocation.id, cancel=invocation.id)

    def complete_awakeable(self, name: str, value: Any = None, *, failure: str = "") -> None:
        """Complete an awakeable, as a client does.

        Args:
            name: The id that `ctx.awakeable()` gave.
            value: Its value.
            failure: The message of the failure that it ends with instead.
        """
        known = Awakeable.parse(name)
        outcome = succeeded(self._app.directory.codec.over(DEFAULT_SERDE).serialize(value))
        if failure:
            outcome = failed(TerminalError(failure))
        done = _proto.Done(execution=known.invocation, seq=known.seq, outcome=outcome)
        self._tell(known.invocation, done=done)

    def run(self) -> None:
        """Let everything run that can run now.

        Raises:
            AssertionError: If a handler does not do what its journal says.
        """
        self._harness.run()
        self._look()

    def advance(self, by: timedelta) -> None:
        """Let time pass; what is due on the way runs at its time.

        Raises:
            AssertionError: See `run`.
        """
        self._harness.advance(by)
        self._look()

    # --- coming out ---

    def called(self, handler: Any = None) -> list[Called]:
        """The invocations that have reached their service, in order.

        Args:
            handler: Only those of this handler; None for all.
        """
        return self._calls.of(handler)

    def assert_called(
        self,
        handler: Any,
        *,
        times: int | None = None,
        key: str | None = None,
        argument: Any = _ANY,
    ) -> None:
        """Check that a handler was called.

        Args:
            handler: The decorated function.
            times: How often; None for once at least.
            key: Only calls with this key count.
            argument: Only calls with this argument count.

        Raises:
            AssertionError: If it was not; the sentence says what was called instead.
        """
        wanted = self.called(handler)
        if key is not None:
            wanted = [each for each in wanted if each.key == key]
        if argument is not _ANY:
            wanted = [each for each in wanted if each.argument == argument]
        if (times is None and wanted) or len(wanted) == times:
            return
        name = handler_from_callable(handler)
        expected = "at least once" if times is None else f"{times} times"
        shown = [(each.service, each.handler, each.key, each.argument) for each in self.called()]
        raise AssertionError(
            f"{name.service_tag.name}.{name.name} was called {len(wanted)} times so, expected "
            f"{expected}; all calls: {shown}"
        )

    def recordings(self) -> list[Recording]:
        """The journals of all invocations that have begun and not ended, to be replayed by others.

        `recording.to_json()` is a line for `statefun replay`.
        """
        return [
            recording
            for address in self._addresses
            for recording in recordings_of(address, self._values(address))
        ]

    @property
    def failed_batches(self) -> list[Exception]:
        """What turns failed by, oldest first; faults are not among them.

        A turn fails if the app cannot work: for example, its codec cannot be made. Whatever a
        handler does wrong is the failure of its invocation.
        """
        errors = [failure.error for failure in self._harness.failures]
        return [error for error in errors if not _is_fault(error)]

    # --- inside ---

    def _pass_time(self) -> timedelta:
        before = self.clock.now_ms()
        self.advance(_STEP)
        step = _STEP
        while not self._outcomes_changed() and step < timedelta(days=1):
            step *= 2
            self.advance(step)
        return timedelta(milliseconds=self.clock.now_ms() - before)

    def _outcomes_changed(self) -> bool:
        return len(self._harness.egress(_ANSWERS)) > self._known_answers

    def _tell(self, invocation: str, **content: Any) -> None:
        home = self._app.directory.home_of(InvocationId.parse(invocation))
        self._harness.send(as_message(*home, _proto.Envelope(version=1, **content)))
        self.run()

    def _outcome(self, invocation: str) -> _proto.Outcome | None:
        records = self._harness.egress(_ANSWERS)
        for record in records[self._known_answers :]:
            done = _proto.Envelope.FromString(record.data).done
            self._outcomes.setdefault(done.execution, done.outcome)
        self._known_answers = len(records)
        return self._outcomes.get(invocation)

    def _waits(self, invocation: str) -> str:
        for recording in self.recordings():
            if recording.invocation_id == invocation:
                return recording.in_words()
        return "it has not begun, or nobody keeps anything of it"

    def _values(self, address: Address) -> dict[str, bytes]:
        values = self._harness.state(address.typename, address.id)
        return {name: value.data for name, value in values.items()}

    def _look(self) -> None:
        """Raise what a replay does otherwise, and what blocks an invocation."""
        for each in self._app.hosts:
            if isinstance(each, ReplayingHost) and each.differences:
                raise AssertionError(each.differences.pop(0))
        for address in self._addresses:
            host = _proto.Host.FromString(self._values(address).get("host") or b"")
            for execution in host.executions:
                if execution.status == _proto.BLOCKED:
                    raise AssertionError(execution.failure)

    def _watched(self, typename: str, fun: Callable[..., Any]) -> Callable[..., Any]:
        """A function whose calls are noted, and whose replies are lost now and then."""
        name = typename.rpartition("/")[2]
        declaration = self._app.directory.declarations.get(name)

        async def watched(context: Any, message: Message) -> None:
            if not context.position and declaration is not None:
                self._addresses.setdefault(Address(typename, context.address.id))
                self._calls.note(declaration, context)
            done = fun(context, message)
            if inspect.isawaitable(done):
                await done
            is_last = context.position == len(context.batch.invocations) - 1
            if is_last and self._random.random() < self._faults:
                self._app.forget()
                raise _LostReplyError

        return watched


def _is_fault(error: BaseException | None) -> bool:
    while error is not None and not isinstance(error, _LostReplyError):
        error = error.__cause__
    return error is not None


def _with_mocks(
    services: tuple[Declaration, ...], mocks: Mapping[Any, Callable[..., Any]]
) -> list[Declaration]:
    known = {}
    for mocked, function in mocks.items():
        handler = handler_from_callable(mocked)
        known[handler.service_tag.name, handler.name] = function
    changed = []
    for service in services:
        same = copy(service)
        same.handlers = {
            name: replace(handler, fn=_mock(known.pop((service.name, name))))
            if (service.name, name) in known
            else handler
            for name, handler in service.handlers.items()
        }
        changed.append(same)
    if known:
        names = ", ".join(".".join(each) for each in known)
        raise ConfigurationError(f"the app has no {names} to mock: mock handlers of its services")
    return changed


def _mock(function: Callable[..., Any]) -> Callable[..., Any]:
    """A handler that a function stands in for; for each invocation it has one result."""
    results: dict[str, Any] = {}

    async def mocked(context: Context, *arguments: Any) -> Any:
        invocation = context.request().id
        if invocation in results:
            return results[invocation]
        result = function(context, *arguments)
        if inspect.isawaitable(result):
            return await result
        results[invocation] = result
        return result

    return mocked
