"""Observers: who learns of what the runtime does.

Law: an observer only looks. It is called on the event loop, returns at once and raises nothing; the
runtime does the same with any number of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from statefun.errors import StoreError
    from statefun.runtime.admin.types import TypeChange
    from statefun.runtime.engine.failures import FailedAttempt
    from statefun.sdk.address import Address

__all__ = ["Observer", "Observers"]


class Observer:
    """Learns of what the runtime does; override the methods that matter, the others do nothing."""

    def call_ended(
        self, address: Address, messages: int, seconds: float, error: Exception | None
    ) -> None:
        """A request to a function was answered, or failed.

        Args:
            address: Whose messages it carried.
            messages: How many.
            seconds: How long it took.
            error: Why there was no answer, None if there was one. An answer can still be invalid:
                then `attempt_failed` follows.
        """

    def attempt_failed(self, failed: FailedAttempt) -> None:
        """An attempt failed, for whatever reason, and it was decided what happens next."""

    def call_left_behind(self, name: str) -> None:
        """A call went on though it was cancelled, and is not waited for any more."""

    def interrupted(self, address: Address) -> None:
        """A function let a KeyboardInterrupt through, which interrupts the process."""

    def committed(self, seconds: float) -> None:
        """Everything until now is durable.

        Args:
            seconds: How long the store took.
        """

    def commits_failed(self, error: StoreError, retry_ms: int) -> None:
        """A commit failed after one that succeeded.

        Args:
            error: Why.
            retry_ms: The time from one further try to the next.
        """

    def commits_resumed(self) -> None:
        """A commit succeeded after one that failed."""

    def dead_letters_expired(self, count: int) -> None:
        """Dead letters were forgotten because they were too many or too old.

        Args:
            count: How many since the last call; there is one a minute at most.
        """

    def records_wait(self, typename: str) -> None:
        """Records wait for an egress that is not there."""

    def type_changed(self, change: TypeChange) -> None:
        """Values are stored otherwise than a function declares them.

        Args:
            change: Which values, and what becomes of them; told once for each, at start, or when
                a function behind an endpoint has said what it declares.
        """


class Observers(Observer):
    """Several observers as one, each called in turn.

    Args:
        observers: Which.
    """

    def __init__(self, observers: Sequence[Observer]) -> None:
        self._observers = tuple(observers)
        self._on_call = tuple(each.call_ended for each in self._observers)  # the most frequent

    def call_ended(
        self, address: Address, messages: int, seconds: float, error: Exception | None
    ) -> None:
        """See `Observer`."""
        for call_ended in self._on_call:
            call_ended(address, messages, seconds, error)

    def attempt_failed(self, failed: FailedAttempt) -> None:
        """See `Observer`."""
        for each in self._observers:
            each.attempt_failed(failed)

    def call_left_behind(self, name: str) -> None:
        """See `Observer`."""
        for each in self._observers:
            each.call_left_behind(name)

    def interrupted(self, address: Address) -> None:
        """See `Observer`."""
        for each in self._observers:
            each.interrupted(address)

    def committed(self, seconds: float) -> None:
        """See `Observer`."""
        for each in self._observers:
            each.committed(seconds)

    def commits_failed(self, error: StoreError, retry_ms: int) -> None:
        """See `Observer`."""
        for each in self._observers:
            each.commits_failed(error, retry_ms)

    def commits_resumed(self) -> None:
        """See `Observer`."""
        for each in self._observers:
            each.commits_resumed()

    def dead_letters_expired(self, count: int) -> None:
        """See `Observer`."""
        for each in self._observers:
            each.dead_letters_expired(count)

    def records_wait(self, typename: str) -> None:
        """See `Observer`."""
        for each in self._observers:
            each.records_wait(typename)

    def type_changed(self, change: TypeChange) -> None:
        """See `Observer`."""
        for each in self._observers:
            each.type_changed(change)
