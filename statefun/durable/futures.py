"""Futures: what the durable steps of a handler return."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from statefun.durable.context_types import (
    DurableCallFuture,
    DurableFuture,
    DurableSleepFuture,
)
from statefun.durable.exceptions import TerminalError
from statefun.durable.outcomes import failure_of

if TYPE_CHECKING:
    from statefun.durable import _proto
    from statefun.durable.loop import DeterministicLoop

__all__ = ["CallFuture", "Decode", "SleepFuture", "StepFuture", "done"]

T = TypeVar("T")
Decode: TypeAlias = Callable[[bytes], T]


class StepFuture(DurableFuture[T]):
    """The result of a step, completed by an event.

    Args:
        loop: The loop of its run.
        decode: The bytes of the result → the result.
    """

    def __init__(self, loop: DeterministicLoop, decode: Decode[T]) -> None:
        self._hash = loop.next_hash()
        super().__init__(loop=loop)
        self._decode = decode

    def __hash__(self) -> int:
        return self._hash

    @property
    def is_awaited(self) -> bool:
        """Whether somebody waits for it."""
        return bool(getattr(self, "_callbacks", None))

    def complete(self, outcome: _proto.Outcome) -> None:
        """Give it the outcome of its step."""
        if self.done():
            return
        failure = failure_of(outcome)
        if failure is not None:
            self.fail(failure)
            return
        try:
            self.set_result(self._decode(outcome.value))
        except Exception as error:  # noqa: BLE001 - it is raised where the result is awaited
            self.fail(error)

    def fail(self, error: BaseException) -> None:
        """Let whoever awaits it fail."""
        if not self.done():
            self.set_exception(error)
            self._log_traceback = False  # that nobody awaits it says nothing


class SleepFuture(StepFuture[None], DurableSleepFuture):
    """The end of a sleep."""


class CallFuture(StepFuture[T], DurableCallFuture[T]):
    """The result of a call."""

    invocation: str | None = None
    cancel_call: Callable[[str], None]

    async def invocation_id(self) -> str:
        """The id of the invocation that was called."""
        if self.invocation is None:
            await self
            raise TerminalError("a call that was refused has no invocation", 409)
        return self.invocation

    async def cancel_invocation(self) -> None:
        """Cancel that invocation."""
        if self.invocation is not None:
            self.cancel_call(self.invocation)


def done(loop: DeterministicLoop, value: T) -> StepFuture[T]:
    """A future that has its value already."""
    future: StepFuture[T] = StepFuture(loop, _no_value)
    future.set_result(value)
    return future


def _no_value(_: bytes) -> Any:
    return None
