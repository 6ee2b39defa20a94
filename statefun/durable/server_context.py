"""The contexts as handlers get them: each method gives a command to the run and returns a future.

Law: bytes are made before a command is given. So a value that cannot be written gives no command,
in the first run as in every replay.
"""

from __future__ import annotations

import asyncio
import inspect
import typing
import uuid
from datetime import timedelta
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

from statefun.durable import _proto
from statefun.durable.context import (
    AttemptFinishedEvent,
    Context,
    DurablePromise,
    ObjectContext,
    ObjectSharedContext,
    Request,
    RunOptions,
    SendHandle,
    WorkflowContext,
    WorkflowSharedContext,
)
from statefun.durable.exceptions import TerminalError
from statefun.durable.futures import CallFuture, SleepFuture
from statefun.durable.handler import handler_from_callable
from statefun.durable.identity import Awakeable, InvocationId, chain_link, derived
from statefun.durable.outcomes import failed, succeeded
from statefun.durable.pending import Effect
from statefun.durable.retries import retries_of_effect
from statefun.durable.serde import DEFAULT_SERDE, serde_of
from statefun.sdk.builders import message_builder
from statefun.sdk.messages import EgressMessage, Message
from statefun.sdk.wire import TypedValue

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from statefun.durable.execution import Execution
    from statefun.durable.run import Run
    from statefun.durable.serde import Serde

__all__ = ["make_context"]

_ONE_MILLISECOND = timedelta(milliseconds=1)


def make_context(execution: Execution, run: Run) -> Any:
    """The context of the kind that the handler of an execution gets."""
    kinds: dict[tuple[str, str | None], type[_Steps]] = {
        ("service", None): _ServiceContext,
        ("object", "exclusive"): _ObjectContext,
        ("object", "shared"): _ObjectSharedContext,
        ("workflow", "workflow"): _WorkflowContext,
        ("workflow", "shared"): _WorkflowSharedContext,
    }
    return kinds[execution.declaration.service_tag.kind, execution.handler.kind](execution, run)


class _AttemptFinished(AttemptFinishedEvent):
    def __init__(self, run: Run) -> None:
        self._run = run

    def is_set(self) -> bool:
        """Whether the attempt is over."""
        return self._run.loop.is_closing

    async def wait(self) -> None:
        """Return once the attempt is over; whoever waits longer than an effect may is cancelled."""
        while not self.is_set():  # noqa: ASYNC110 - it is asked from loops that know nothing of us
            await asyncio.sleep(0.05)


class _Sent(SendHandle):
    def __init__(self, invocation: str, cancel: Callable[[str], None]) -> None:
        self._invocation = invocation
        self._cancel = cancel

    async def invocation_id(self) -> str:
        """The id of the invocation."""
        return self._invocation

    async def cancel_invocation(self) -> None:
        """Cancel it."""
        self._cancel(self._invocation)


class _Steps:
    """What all contexts have."""

    def __init__(self, execution: Execution, run: Run) -> None:
        self._execution = execution
        self._run = run
        self._model: Any = None

    @property
    def is_replaying(self) -> bool:
        """Whether the handler repeats what it has done before."""
        return self._run.is_replaying

    def flush(self) -> None:
        """Keep what was changed in `state`."""

    def request(self) -> Request:
        """How this invocation came."""
        invoke = self._execution.invoke
        return Request(
            id=invoke.id,
            headers=dict(invoke.headers),
            attempt_headers={},
            body=invoke.argument,
            attempt_finished_event=_AttemptFinished(self._run),
            idempotency_key=invoke.idempotency_key or None,
        )

    def random(self) -> Any:
        """Random numbers of this invocation."""
        return self._run.random

    def uuid(self) -> uuid.UUID:
        """A new UUID of version 4."""
        return uuid.UUID(int=self._run.random.getrandbits(128), version=4)

    def time(self) -> Any:
        """The time of the event that the handler was told last."""
        return self._run.done(self._run.now_ms / 1000)

    # --- effects and sleeps ---

    def run(
        self,
        name: str,
        action: Callable[..., Any],
        serde: Any = DEFAULT_SERDE,
        max_attempts: int | None = None,
        max_retry_duration: timedelta | None = None,
        type_hint: Any = None,
        args: tuple[Any, ...] | None = None,
    ) -> Any:
        """Run an effect and record its result."""
        options: RunOptions[Any] = RunOptions(
            serde=serde,
            type_hint=type_hint,
            max_attempts=max_attempts,
            max_duration=max_retry_duration,
        )
        return self.run_typed(name, action, options, *(args or ()))

    def run_typed(
        self,
        name: str,
        action: Callable[..., Any],
        options: RunOptions[Any] = RunOptions(),  # noqa: B008 - it is never changed
        /,
        *args: Any,
        **kwargs: Any,
    ) -> Any:
        """Run an effect and record its result."""
        if not callable(action):
            raise TerminalError(f"the action of {name!r} is not callable, got {action!r}", 400)
        serde = _serde(options.serde, options.type_hint or _result_of(action))
        self._check_pending()
        seq, _ = self._run.step(f"run {name}")
        call = partial(action, *args, **kwargs)
        encode = partial(self._encode, serde, f"the result of {name!r}")
        retries = retries_of_effect(options, self._execution.retries)
        self._run.effects[seq] = Effect(seq, name, call, encode, retries)
        return self._run.future(seq, serde.deserialize)

    def sleep(self, delta: timedelta, name: str | None = None) -> Any:
        """Sleep."""
        if not isinstance(delta, timedelta) or delta < timedelta(0):
            raise TerminalError(f"sleep takes a timedelta of zero or more, got {delta!r}", 400)
        self._check_pending()
        seq, _ = self._run.step(f"sleep {name}" if name else "sleep")
        self._run.start_timer(seq, self._run.now_ms + delta // _ONE_MILLISECOND)
        return self._run.future(seq, _nothing, SleepFuture)

    # --- calls and sends ---

    def service_call(
        self, tpe: Any, arg: Any, idempotency_key: Any = None, headers: Any = None
    ) -> Any:
        """Call a handler of a service."""
        return self.call(tpe, arg, idempotency_key=idempotency_key, headers=headers)

    def object_call(
        self, tpe: Any, key: str, arg: Any, idempotency_key: Any = None, headers: Any = None
    ) -> Any:
        """Call a handler of an object."""
        return self.call(tpe, arg, key=key, idempotency_key=idempotency_key, headers=headers)

    workflow_call = object_call

    def service_send(
        self,
        tpe: Any,
        arg: Any,
        send_delay: timedelta | None = None,
        idempotency_key: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        """Start a handler of a service."""
        return self.send(
            tpe, arg, delay=send_delay, idempotency_key=idempotency_key, headers=headers
        )

    def object_send(
        self,
        tpe: Any,
        key: str,
        arg: Any,
        send_delay: timedelta | None = None,
        idempotency_key: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        """Start a handler of an object."""
        return self.send(
            tpe, arg, key=key, delay=send_delay, idempotency_key=idempotency_key, headers=headers
        )

    workflow_send = object_send

    def call(
        self,
        tpe: Any,
        arg: Any = None,
        *,
        key: str | None = None,
        idempotency_key: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        """Call a handler of whatever kind."""
        handler = handler_from_callable(tpe)
        argument = self._encode(handler.handler_io.input_serde, "an argument", arg)
        decode = handler.handler_io.output_serde.deserialize
        target = (handler.service_tag.name, handler.name, key)
        return self._call(target, argument, decode, idempotency_key, headers)

    def send(
        self,
        tpe: Any,
        arg: Any = None,
        *,
        key: str | None = None,
        delay: timedelta | None = None,
        idempotency_key: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        """Start a handler of whatever kind."""
        handler = handler_from_callable(tpe)
        argument = self._encode(handler.handler_io.input_serde, "an argument", arg)
        target = (handler.service_tag.name, handler.name, key)
        return self._send(target, argument, delay, idempotency_key, headers)

    def generic_call(
        self,
        service: str,
        handler: str,
        arg: bytes,
        key: str | None = None,
        idempotency_key: str | None = None,
        headers: Mapping[str, str] | None = None,
        scope: str | None = None,
        limit_key: str | None = None,
    ) -> Any:
        """Call a handler by its name."""
        _check_scope(scope, limit_key)
        return self._call((service, handler, key), bytes(arg), bytes, idempotency_key, headers)

    def generic_send(
        self,
        service: str,
        handler: str,
        arg: bytes,
        key: str | None = None,
        send_delay: timedelta | None = None,
        idempotency_key: str | None = None,
        headers: Mapping[str, str] | None = None,
        scope: str | None = None,
        limit_key: str | None = None,
    ) -> Any:
        """Start a handler by its name."""
        _check_scope(scope, limit_key)
        return self._send((service, handler, key), bytes(arg), send_delay, idempotency_key, headers)

    def scope(self, scope: str) -> Any:
        """Refused: a preview elsewhere."""
        _check_scope(scope, None)

    def _call(
        self,
        target: tuple[str, str, str | None],
        argument: bytes,
        decode: Callable[[bytes], Any],
        idempotency_key: str | None,
        headers: Mapping[str, str] | None,
    ) -> Any:
        try:
            self._check_target(target, idempotency_key, waits=True)
        except TerminalError as error:  # it is raised where the call is awaited
            refused: CallFuture[Any] = CallFuture(self._run.loop, decode)
            refused.fail(error)
            return refused
        self._check_pending()
        seq, is_new = self._run.step(f"call {_shown(*target)}")
        invocation = self._child(seq, target, idempotency_key, is_delayed=False)
        if is_new:
            self._invoke(invocation, seq, target, argument, idempotency_key, headers)
        self._run.children[seq] = str(invocation)
        future: CallFuture[Any] = self._run.future(seq, decode, CallFuture)
        future.invocation = str(invocation)
        future.cancel_call = self.cancel_invocation
        return future

    def _send(
        self,
        target: tuple[str, str, str | None],
        argument: bytes,
        delay: timedelta | None,
        idempotency_key: str | None,
        headers: Mapping[str, str] | None,
    ) -> SendHandle:
        self._check_target(target, idempotency_key, waits=False)
        if delay is not None and delay < timedelta(0):
            raise TerminalError(f"a delay is zero or more, got {delay!r}", 400)
        delay_ms = (delay or timedelta(0)) // _ONE_MILLISECOND
        seq, is_new = self._run.step(f"send {_shown(*target)}")
        invocation = self._child(seq, target, idempotency_key, is_delayed=delay_ms > 0)
        if is_new:
            self._invoke(invocation, None, target, argument, idempotency_key, headers, delay_ms)
        return _Sent(str(invocation), self.cancel_invocation)

    def _check_target(
        self, target: tuple[str, str, str | None], idempotency_key: str | None, *, waits: bool
    ) -> None:
        """Refuse at once what can never succeed."""
        here, execution = self._execution.here, self._execution
        service, name, key = target
        handler = here.directory.handler(service, name, key)
        is_main = handler.kind == "workflow"
        if is_main and idempotency_key is not None:
            raise TerminalError(f"{service}.{name} runs once for each key: give no other key", 400)
        if waits and handler.kind in ("exclusive", "workflow"):
            links = set(execution.invoke.chain)
            if execution.handler.kind in ("exclusive", "workflow"):
                links.add(chain_link(here.service, here.key))
            if chain_link(service, key or "") in links:
                raise TerminalError(
                    f"{_shown(*target)} waits for this invocation and would be awaited by it: "
                    "call a shared handler, or send",
                    409,
                )

    def _child(
        self,
        seq: int,
        target: tuple[str, str, str | None],
        idempotency_key: str | None,
        *,
        is_delayed: bool,
    ) -> InvocationId:
        service, name, key = target
        own = derived(self._execution.id, seq)
        return self._execution.here.directory.invocation_id(
            service, name, key or "", own, idempotency_key, is_delayed=is_delayed
        )

    def _invoke(
        self,
        invocation: InvocationId,
        seq: int | None,
        target: tuple[str, str, str | None],
        argument: bytes,
        idempotency_key: str | None,
        headers: Mapping[str, str] | None,
        delay_ms: int = 0,
    ) -> None:
        execution, here = self._execution, self._execution.here
        invoke = _proto.Invoke(
            id=str(invocation),
            handler=target[1],
            argument=argument,
            headers={name.lower(): value for name, value in (headers or {}).items()},
            idempotency_key=idempotency_key or "",
            delay_ms=delay_ms,
        )
        if seq is not None:
            invoke.reply.CopyFrom(self._route(seq))
            invoke.chain[:] = execution.invoke.chain
            if execution.handler.kind in ("exclusive", "workflow"):
                invoke.chain.append(chain_link(here.service, here.key))
        here.outbox.send_home(str(invocation), _proto.Envelope(invoke=invoke))

    def _route(self, seq: int) -> _proto.Route:
        here = self._execution.here
        return _proto.Route(
            typename=here.typename, id=here.target_id, execution=self._execution.id, seq=seq
        )

    # --- completions from outside ---

    def awakeable(self, serde: Any = DEFAULT_SERDE, type_hint: Any = None) -> Any:
        """An id to give away, and the value that somebody resolves it with."""
        reads = _serde(serde, type_hint)
        self._check_pending()
        seq, _ = self._run.step("awakeable")
        name = str(Awakeable(self._execution.id, seq))
        return name, self._run.future(seq, reads.deserialize)

    def resolve_awakeable(self, name: str, value: Any, serde: Any = DEFAULT_SERDE) -> None:
        """Complete an awakeable."""
        data = self._encode(_serde(serde), "the value of an awakeable", value)
        self._complete_awakeable(name, succeeded(data))

    def reject_awakeable(self, name: str, failure_message: str, failure_code: int = 500) -> None:
        """Let whoever awaits an awakeable fail."""
        self._complete_awakeable(name, failed(TerminalError(failure_message, failure_code)))

    def _complete_awakeable(self, name: str, outcome: _proto.Outcome) -> None:
        known = Awakeable.parse(name)
        _, is_new = self._run.step("complete awakeable")
        if is_new:
            done = _proto.Done(execution=known.invocation, seq=known.seq, outcome=outcome)
            self._execution.here.outbox.send_home(known.invocation, _proto.Envelope(done=done))

    def signal(self, name: str, serde: Any = DEFAULT_SERDE, type_hint: Any = None) -> Any:
        """The next signal of a name."""
        reads = _serde(serde, type_hint)
        self._check_pending()
        seq, _ = self._run.step(f"signal {name}")
        future = self._run.future(seq, reads.deserialize)
        self._run.await_signal(seq, name)
        return future

    def resolve_signal(
        self, invocation_id: str, name: str, value: Any, serde: Any = DEFAULT_SERDE
    ) -> None:
        """Send a signal to an invocation."""
        data = self._encode(_serde(serde), "the value of a signal", value)
        self._signal(invocation_id, name, succeeded(data))

    def reject_signal(
        self, invocation_id: str, name: str, failure_message: str, failure_code: int = 500
    ) -> None:
        """Send a failure in place of a signal."""
        failure = TerminalError(failure_message, failure_code)
        self._signal(invocation_id, name, failed(failure))

    def _signal(self, invocation_id: str, name: str, outcome: _proto.Outcome) -> None:
        InvocationId.parse(invocation_id)
        _, is_new = self._run.step(f"send signal {name}")
        if is_new:
            signal = _proto.Signal(execution=invocation_id, name=name, outcome=outcome)
            self._execution.here.outbox.send_home(invocation_id, _proto.Envelope(signal=signal))

    def cancel_invocation(self, invocation_id: str) -> None:
        """Ask an invocation to stop."""
        _check_given(invocation_id)
        InvocationId.parse(invocation_id)
        _, is_new = self._run.step("cancel invocation")
        if is_new:
            envelope = _proto.Envelope(cancel=invocation_id)
            self._execution.here.outbox.send_home(invocation_id, envelope)

    def attach_invocation(
        self, invocation_id: str, serde: Any = DEFAULT_SERDE, type_hint: Any = None
    ) -> Any:
        """The result of another invocation."""
        _check_given(invocation_id)
        reads = _serde(serde, type_hint)
        InvocationId.parse(invocation_id)
        self._check_pending()
        seq, is_new = self._run.step("attach")
        if is_new:
            attach = _proto.Attach(id=invocation_id, reply=self._route(seq))
            self._execution.here.outbox.send_home(invocation_id, _proto.Envelope(attach=attach))
        return self._run.future(seq, reads.deserialize)

    # --- plain functions ---

    def call_function(
        self,
        typename: str,
        id: str,  # noqa: A002 - the word of an address
        value: Any,
        *,
        value_type: Any = None,
        reply_type: Any = None,
    ) -> Any:
        """Call a plain function and await what it sends to its caller."""
        message = _plain_message(typename, id, value, value_type)
        self._execution.here.outbox.check_message(message)
        self._check_pending()
        seq, is_new = self._run.step(f"call function {typename}/{id}")
        if is_new:
            ask = _proto.Ask(
                reply=self._route(seq), typename=typename, id=id, argument=message.argument()
            )
            here = self._execution.here
            proxy = f"{self._execution.id}:{seq}"
            here.outbox.send(here.directory.proxy_typename, proxy, _proto.Envelope(ask=ask))
        return self._run.future(seq, partial(_plain_answer, reply_type))

    def send_function(self, message: Message, delay: timedelta | None = None) -> None:
        """Send a message to a plain function."""
        if not isinstance(message, Message):
            raise TerminalError(f"send_function takes a Message, got {message!r}", 400)
        if delay is not None and delay < timedelta(0):
            raise TerminalError(f"a delay is zero or more, got {delay!r}", 400)
        self._execution.here.outbox.check_message(message)
        target = f"{message.target_typename}/{message.target_id}"
        _, is_new = self._run.step(f"send function {target}")
        if is_new:
            self._execution.here.outbox.send_plain(
                message, (delay or timedelta(0)) // _ONE_MILLISECOND
            )

    def send_egress(self, message: EgressMessage) -> None:
        """Send a record to an egress."""
        if not isinstance(message, EgressMessage):
            raise TerminalError(f"send_egress takes an EgressMessage, got {message!r}", 400)
        self._execution.here.outbox.check_egress(message)
        _, is_new = self._run.step(f"send egress {message.typename}")
        if is_new:
            self._execution.here.outbox.send_egress(message)

    # --- for all of them ---

    def _encode(self, serde: Serde[Any], what: str, value: Any) -> bytes:
        data = serde.serialize(value)
        self._execution.here.limits.check_value(what, data)
        return data

    def _check_pending(self) -> None:
        limit = self._execution.here.limits.pending_steps
        if self._run.unfinished >= limit:
            raise TerminalError(
                f"{limit} steps of this invocation are unfinished: await some before the next", 429
            )


class _Keyed(_Steps):
    """What contexts of objects and workflows have."""

    def key(self) -> str:
        """The key."""
        return self._execution.here.key

    @property
    def state(self) -> Any:
        """The state as one object."""
        if self._model is None:
            model = self._execution.declaration.model
            if model is None:
                raise TerminalError(
                    f"{self._execution.here.service} declares no state: pass its class as state=…"
                )
            self._model = model.load(self._kept(model.serdes))
            self._run.before_step = self.flush
        return self._model

    def _kept(self, names: Any) -> dict[str, bytes]:
        values = ((name, self._execution.read(name)) for name in names)
        return {name: value for name, value in values if value is not None}

    def get(
        self, name: str, serde: Any = DEFAULT_SERDE, type_hint: Any = None, entry_name: Any = None
    ) -> Any:
        """A value; None if there is none."""
        del entry_name
        reads = _serde(serde, type_hint)
        self.flush()
        data = self._execution.read(name)
        return self._run.done(None if data is None else reads.deserialize(data))

    def state_keys(self, entry_name: str | None = None) -> Any:
        """The names of all values."""
        del entry_name
        self.flush()
        return self._run.done(sorted(self._execution.names()))


class _Writing(_Keyed):
    """What contexts of exclusive handlers have."""

    def flush(self) -> None:
        """Keep what was changed in `state`."""
        model = self._execution.declaration.model
        if self._model is None or model is None:
            return
        for name, data in model.changes(self._model, self._kept(model.serdes)).items():
            self._run.plain_step(f"set {name}")
            self._execution.write(name, data)

    def set(
        self, name: str, value: Any, serde: Any = DEFAULT_SERDE, entry_name: str | None = None
    ) -> None:
        """Keep a value."""
        del entry_name
        data = self._encode(_serde(serde), f"the value {name!r}", value)
        here = self._execution.here
        here.kept.check_state(name, data, here.limits.state_bytes)
        self._run.step(f"set {name}")
        self._execution.write(name, data)
        self._model = None

    def clear(self, name: str, entry_name: str | None = None) -> None:
        """Remove a value."""
        del entry_name
        self._run.step(f"clear {name}")
        self._execution.write(name, None)
        self._model = None

    def clear_all(self, entry_name: str | None = None) -> None:
        """Remove all values."""
        del entry_name
        self._run.step("clear all")
        for name in self._execution.names():
            self._execution.write(name, None)
        self._model = None


class _Promise(DurablePromise[Any]):
    def __init__(self, name: str, serde: Serde[Any], execution: Execution, run: Run) -> None:
        super().__init__(name, serde)
        self._execution = execution
        self._run = run

    def value(self) -> Any:
        """The value, once there is one."""
        seq, is_new = self._run.step(f"await promise {self.name}")
        future = self._run.future(seq, self.serde.deserialize)
        self._run.promises.setdefault(self.name, []).append(seq)
        if is_new:
            known = self._execution.here.kept.promises.get(self.name)
            if known is not None:
                self._execution.here.answer(self._execution, seq, known)
        return future

    def peek(self) -> Any:
        """The value if there is one by now."""
        seq, is_new = self._run.step(f"peek promise {self.name}")
        if is_new:
            known = self._execution.here.kept.promises.get(self.name)
            self._execution.here.answer(self._execution, seq, known or _proto.Outcome())
        return self._run.future(seq, self.serde.deserialize)

    def resolve(self, value: Any) -> Any:
        """Give the value."""
        return self._complete(succeeded(self.serde.serialize(value)))

    def reject(self, message: str, code: int = 500) -> Any:
        """Let whoever awaits it fail."""
        return self._complete(failed(TerminalError(message, code)))

    def _complete(self, outcome: _proto.Outcome) -> Any:
        seq, is_new = self._run.step(f"complete promise {self.name}")
        if is_new:
            here = self._execution.here
            if self.name in here.kept.promises:
                again = TerminalError(f"promise {self.name!r} was already completed", 409)
                here.answer(self._execution, seq, failed(again))
            else:
                here.complete_promise(self.name, outcome)
                here.answer(self._execution, seq, _proto.Outcome())
        return self._run.future(seq, _nothing)


class _Promising(_Keyed):
    """What contexts of workflows have."""

    def promise(self, name: str, serde: Any = DEFAULT_SERDE, type_hint: Any = None) -> Any:
        """A promise of this workflow."""
        return _Promise(name, _serde(serde, type_hint), self._execution, self._run)


class _Reading(_Keyed):
    """What contexts of shared handlers have: writing is refused in words."""

    def set(self, name: str, *_: object, **__: object) -> None:
        """Refused."""
        handler = self._execution.handler.name
        raise TerminalError(
            f"{handler} is a shared handler and cannot write {name!r}: write in an exclusive one",
            403,
        )

    def clear(self, name: str, *_: object, **__: object) -> None:
        """Refused."""
        self.set(name)

    def clear_all(self, *_: object, **__: object) -> None:
        """Refused."""
        self.set("every value")


class _ServiceContext(_Steps, Context):
    pass


class _ObjectContext(_Writing, ObjectContext[Any]):
    pass


class _ObjectSharedContext(_Reading, ObjectSharedContext[Any]):
    pass


class _WorkflowContext(_Promising, _Writing, WorkflowContext[Any]):
    pass


class _WorkflowSharedContext(_Promising, _Reading, WorkflowSharedContext[Any]):
    pass


def _serde(serde: Any, type_hint: Any = None) -> Serde[Any]:
    """The serde that is meant; those of types are made once."""
    hint = type_hint if serde is DEFAULT_SERDE else serde
    try:
        if hint is None or isinstance(hint, type):
            return _serde_of_type(hint)
    except TypeError:  # a type that cannot be looked up
        pass
    return serde_of(serde, type_hint)


@lru_cache(maxsize=1024)
def _serde_of_type(hint: type[Any] | None) -> Serde[Any]:
    return serde_of(DEFAULT_SERDE, hint)


def _shown(service: str, handler: str, key: str | None) -> str:
    return f"{service}.{handler}" if key is None else f"{service}/{key}.{handler}"


def _nothing(_: bytes) -> None:
    return None


def _check_given(invocation_id: str) -> None:
    if invocation_id is None:
        raise ValueError("an invocation id is needed, got None")


def _check_scope(scope: str | None, limit_key: str | None) -> None:
    if scope is not None or limit_key is not None:
        raise TerminalError(
            "scopes and limit keys are not offered: give the handler a rate_limit",
            501,
        )


def _result_of(action: Any) -> Any:
    """The return annotation of an action; None if it has none that can be read."""
    while isinstance(action, partial):
        action = action.func
    action = inspect.unwrap(action)
    hint = getattr(action, "__annotations__", {}).get("return")
    if isinstance(hint, str):
        try:
            hint = typing.get_type_hints(action).get("return")
        except (NameError, TypeError, AttributeError):
            return None
    return None if hint is type(None) else hint


def _plain_message(typename: str, target_id: str, value: Any, value_type: Any) -> Message:
    if value_type is not None:
        return message_builder(typename, target_id, value=value, value_type=value_type)
    for kind, keyword in ((bool, "bool_value"), (int, "int_value"), (float, "double_value")):
        if isinstance(value, kind):
            plain: Any = {keyword: value}
            return message_builder(typename, target_id, **plain)
    return message_builder(typename, target_id, str_value=value)


def _plain_answer(reply_type: Any, data: bytes) -> Any:
    message = Message("io.statefun.durable/answer", "answer", TypedValue.FromString(data))
    if reply_type is not None:
        return message.as_type(reply_type)
    for is_kind, read in (
        (message.is_string, message.as_string),
        (message.is_int, message.as_int),
        (message.is_bool, message.as_bool),
        (message.is_long, message.as_long),
        (message.is_double, message.as_double),
        (message.is_float, message.as_float),
    ):
        if is_kind():
            return read()
    return message.raw_value()
