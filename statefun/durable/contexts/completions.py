"""Awakeables, signals, and other invocations: what is completed from elsewhere."""

from __future__ import annotations

from typing import Any

from statefun.durable import _proto
from statefun.durable.contexts.base import Steps
from statefun.durable.exceptions import TerminalError
from statefun.durable.identity import Awakeable, InvocationId
from statefun.durable.outcomes import failed, succeeded
from statefun.durable.serde import DEFAULT_SERDE

__all__ = ["CompletionSteps"]


class CompletionSteps(Steps):
    """The methods of `CompletingContext`."""

    def awakeable(self, serde: Any = DEFAULT_SERDE, type_hint: Any = None) -> Any:
        """An id to give away, and the value that somebody resolves it with."""
        reads = self._read_by(serde, type_hint)
        self._check_pending()
        seq, _ = self._run.step("awakeable")
        name = str(Awakeable(self._execution.id, seq))
        return name, self._run.future(seq, reads.deserialize)

    def resolve_awakeable(self, name: str, value: Any, serde: Any = DEFAULT_SERDE) -> None:
        """Complete an awakeable."""
        data = self._encode(self._read_by(serde), "the value of an awakeable", value)
        self._complete_awakeable(name, succeeded(data))

    def reject_awakeable(self, name: str, failure_message: str, failure_code: int = 500) -> None:
        """Let whoever awaits an awakeable fail."""
        self._complete_awakeable(name, failed(TerminalError(failure_message, failure_code)))

    def _complete_awakeable(self, name: str, outcome: _proto.Outcome) -> None:
        known = Awakeable.parse(name)
        self._check_sent(len(outcome.value))
        _, is_new = self._run.step("complete awakeable")
        if is_new:
            done = _proto.Done(execution=known.invocation, seq=known.seq, outcome=outcome)
            self._execution.here.outbox.send_home(known.invocation, _proto.Envelope(done=done))

    def signal(self, name: str, serde: Any = DEFAULT_SERDE, type_hint: Any = None) -> Any:
        """The next signal of a name."""
        reads = self._read_by(serde, type_hint)
        self._check_pending()
        seq, _ = self._run.step(f"signal {name}")
        future = self._run.future(seq, reads.deserialize)
        self._run.await_signal(seq, name)
        return future

    def resolve_signal(
        self, invocation_id: str, name: str, value: Any, serde: Any = DEFAULT_SERDE
    ) -> None:
        """Send a signal to an invocation."""
        data = self._encode(self._read_by(serde), "the value of a signal", value)
        self._signal(invocation_id, name, succeeded(data))

    def reject_signal(
        self, invocation_id: str, name: str, failure_message: str, failure_code: int = 500
    ) -> None:
        """Send a failure in place of a signal."""
        failure = TerminalError(failure_message, failure_code)
        self._signal(invocation_id, name, failed(failure))

    def _signal(self, invocation_id: str, name: str, outcome: _proto.Outcome) -> None:
        InvocationId.parse(invocation_id)
        self._check_sent(len(outcome.value))
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
        reads = self._read_by(serde, type_hint)
        InvocationId.parse(invocation_id)
        self._check_pending()
        seq, is_new = self._run.step("attach")
        if is_new:
            attach = _proto.Attach(id=invocation_id, reply=self._route(seq))
            self._execution.here.outbox.send_home(invocation_id, _proto.Envelope(attach=attach))
        return self._run.future(seq, reads.deserialize)


def _check_given(invocation_id: str) -> None:
    if invocation_id is None:
        raise ValueError("an invocation id is needed, got None")
