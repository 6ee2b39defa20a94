"""Calls and sends: invocations that an execution starts."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from statefun.durable import _proto
from statefun.durable.context_types import SendHandle
from statefun.durable.contexts.base import ONE_MILLISECOND
from statefun.durable.contexts.completions import CompletionSteps
from statefun.durable.exceptions import TerminalError
from statefun.durable.futures import CallFuture
from statefun.durable.handler import handler_from_callable
from statefun.durable.identity import InvocationId, chain_link, derived

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["CallSteps"]


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


class CallSteps(CompletionSteps):
    """The methods of `CallingContext`."""

    def _call(
        self,
        tpe: Any,
        key: str | None,
        arg: Any,
        idempotency_key: str | None,
        headers: Mapping[str, str] | None,
    ) -> Any:
        """Call a handler of whatever kind."""
        handler = handler_from_callable(tpe)
        argument = self._encode(self._coded(handler.handler_io.input_serde), "an argument", arg)
        decode = self._coded(handler.handler_io.output_serde).deserialize
        target = (handler.service_tag.name, handler.name, key)
        return self._call_bytes(target, argument, decode, idempotency_key, headers)

    def _send(
        self,
        tpe: Any,
        key: str | None,
        arg: Any,
        delay: timedelta | None,
        idempotency_key: str | None,
        headers: Mapping[str, str] | None,
    ) -> SendHandle:
        """Start a handler of whatever kind."""
        handler = handler_from_callable(tpe)
        argument = self._encode(self._coded(handler.handler_io.input_serde), "an argument", arg)
        target = (handler.service_tag.name, handler.name, key)
        return self._send_bytes(target, argument, delay, idempotency_key, headers)

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
        codec = self._execution.here.directory.codec
        return self._call_bytes(
            (service, handler, key),
            codec.encode(bytes(arg)),
            codec.decode,
            idempotency_key,
            headers,
        )

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
        argument = self._execution.here.directory.codec.encode(bytes(arg))
        return self._send_bytes(
            (service, handler, key), argument, send_delay, idempotency_key, headers
        )

    def scope(self, scope: str) -> Any:
        """Refused: a preview elsewhere."""
        _check_scope(scope, None)

    def _call_bytes(
        self,
        target: tuple[str, str, str | None],
        argument: bytes,
        decode: Callable[[bytes], Any],
        idempotency_key: str | None,
        headers: Mapping[str, str] | None,
    ) -> Any:
        told = _checked_headers(headers, idempotency_key)
        try:
            self._check_target(target, idempotency_key, waits=True)
        except TerminalError as error:  # it is raised where the call is awaited
            refused: CallFuture[Any] = CallFuture(self._run.loop, decode)
            refused.fail(error)
            return refused
        self._check_pending()
        self._check_sent(len(argument))
        seq, is_new = self._run.step(f"call {_shown(*target)}")
        invocation = self._child(seq, target, idempotency_key, is_delayed=False)
        if is_new:
            self._invoke(invocation, seq, target, argument, idempotency_key, told)
        self._run.children[seq] = str(invocation)
        future: CallFuture[Any] = self._run.future(seq, decode, CallFuture)
        future.invocation = str(invocation)
        future.cancel_call = self.cancel_invocation
        return future

    def _send_bytes(
        self,
        target: tuple[str, str, str | None],
        argument: bytes,
        delay: timedelta | None,
        idempotency_key: str | None,
        headers: Mapping[str, str] | None,
    ) -> SendHandle:
        told = _checked_headers(headers, idempotency_key)
        self._check_target(target, idempotency_key, waits=False)
        if delay is not None and not (isinstance(delay, timedelta) and delay >= timedelta(0)):
            raise TerminalError(f"a delay is a timedelta of zero or more, got {delay!r}", 400)
        delay_ms = (delay or timedelta(0)) // ONE_MILLISECOND
        self._check_sent(len(argument))
        seq, is_new = self._run.step(f"send {_shown(*target)}")
        invocation = self._child(seq, target, idempotency_key, is_delayed=delay_ms > 0)
        if is_new:
            self._invoke(invocation, None, target, argument, idempotency_key, told, delay_ms)
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
        headers: Mapping[str, str],
        delay_ms: int = 0,
    ) -> None:
        execution, here = self._execution, self._execution.here
        invoke = _proto.Invoke(
            id=str(invocation),
            handler=target[1],
            argument=argument,
            headers=headers,
            idempotency_key=idempotency_key or "",
            delay_ms=delay_ms,
        )
        if seq is not None:
            invoke.reply.CopyFrom(self._route(seq))
            invoke.chain[:] = execution.invoke.chain
            if execution.handler.kind in ("exclusive", "workflow"):
                invoke.chain.append(chain_link(here.service, here.key))
        here.outbox.send_home(str(invocation), _proto.Envelope(invoke=invoke))


def _shown(service: str, handler: str, key: str | None) -> str:
    return f"{service}.{handler}" if key is None else f"{service}/{key}.{handler}"


def _checked_headers(
    headers: Mapping[str, str] | None, idempotency_key: str | None
) -> dict[str, str]:
    """The headers of a call in lower case; refused before the call is recorded."""
    for text in (*(headers or {}), *(headers or {}).values(), idempotency_key or ""):
        if not isinstance(text, str) or (not text.isascii() and _is_broken(text)):
            raise TerminalError(
                f"headers and the idempotency key of a call are texts, got {text!r}", 400
            )
    return {name.lower(): value for name, value in (headers or {}).items()}


def _is_broken(text: str) -> bool:
    """Whether a text has halves of characters."""
    return text.encode(errors="replace").decode() != text


def _check_scope(scope: str | None, limit_key: str | None) -> None:
    if scope is not None or limit_key is not None:
        raise TerminalError(
            "scopes and limit keys are not offered: give the handler a rate_limit",
            501,
        )
