"""Edits: the changes that people make by hand.

Law: an edit changes what is there at this moment, and belongs to the next commit. A call that is
under way has not seen it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from statefun.errors import UnknownFunctionError, UnknownValueError, UnreadableValueError
from statefun.runtime.engine.replies import CALLER

if TYPE_CHECKING:
    from collections.abc import Iterable
    from contextlib import AbstractContextManager

    from statefun.runtime.engine.backlog import Backlog
    from statefun.runtime.engine.changes import Changes
    from statefun.runtime.engine.consequences import Consequences
    from statefun.runtime.engine.dead_letters import DeadLetters
    from statefun.runtime.engine.declarations import DeclaredFunctions
    from statefun.runtime.engine.holds import Holds
    from statefun.runtime.engine.records import DeadLetter, StoredEntry
    from statefun.runtime.engine.residency import Residency
    from statefun.runtime.engine.timers import Timers
    from statefun.runtime.engine.turns import Turns
    from statefun.runtime.engine.validation import KnownFunctions
    from statefun.sdk.address import Address

__all__ = ["Edits"]


class Edits:
    """Changes an engine by hand.

    Args:
        functions: Which functions there are.
        declared: The values that they declare.
        residency: The mailboxes.
        backlog: Where messages wait.
        dead_letters: The messages that were given up.
        consequences: Releases addresses that are paused.
        holds: Releases addresses that are held because of a value.
        turns: Cancels delayed messages.
        timers: The delayed messages.
        changes: Told of each ticket.
    """

    def __init__(
        self,
        functions: KnownFunctions,
        declared: DeclaredFunctions,
        residency: Residency,
        backlog: Backlog,
        dead_letters: DeadLetters,
        consequences: Consequences,
        holds: Holds,
        turns: Turns,
        timers: Timers,
        changes: Changes,
    ) -> None:
        self._functions = functions
        self._declared = declared
        self._residency = residency
        self._backlog = backlog
        self._dead_letters = dead_letters
        self._consequences = consequences
        self._holds = holds
        self._turns = turns
        self._timers = timers
        self._changes = changes

    def notify(self, ticket: object) -> None:
        """Let a ticket come out of `committed` once what has changed until now is durable."""
        self._changes.ticket(ticket)

    def replay(self, letters: Iterable[DeadLetter]) -> list[int]:
        """Send dead letters again, as new messages; those that do not exist any more are skipped.

        Returns:
            The ids of those that were sent.

        Raises:
            UnknownFunctionError: If the function of one of them does not exist; nothing is done.
        """
        letters = tuple(letters)
        for letter in letters:
            typename = letter.target.typename
            if typename == CALLER or not self._functions.knows(typename):
                raise UnknownFunctionError(typename, self._functions.typenames)
        replayed = [letter for letter in letters if self.forget_dead_letter(letter.id)]
        for letter in replayed:
            self._backlog.add(letter.target, letter.caller, letter.argument, letter.topic)
        return [letter.id for letter in replayed]

    def forget_dead_letter(self, letter_id: int) -> bool:
        """Forget a dead letter; returns whether there was one."""
        return self._dead_letters.forget(letter_id)

    def release(self, address: Address) -> bool:
        """Go on with an address that is paused; returns whether it was."""
        mailbox = self._residency.find(address)
        if mailbox is None:
            return False
        if mailbox.is_held:
            self._holds.release(mailbox)
            return True
        return self._consequences.release(mailbox)

    def set_value(self, address: Address, name: str, entry: StoredEntry | None) -> None:
        """Set or (None) remove a value of an address.

        It expires as its function declares, or as it does itself before that is known. What the
        reply of a call that is under way changes goes over it. An address that is held because of
        a value is tried again.

        Raises:
            UnknownValueError: If its function declares no such value.
            UnreadableValueError: If its function cannot read the value.
        """
        declared = self._declared.of(address.typename)
        declaration = declared.get(name)
        if entry is not None and declaration is None and len(declared):
            raise UnknownValueError(name, address.typename, tuple(declared))
        if entry is not None and declaration is not None:
            readable = declaration.readable(entry)
            if readable is None:
                what = f"value {name!r}"
                raise UnreadableValueError(what, declaration.typename, entry.typename, address)
            entry = readable._replace(ttl_ms=declaration.ttl_ms)
        mailbox = self._residency.open(address)
        self._residency.set_value(mailbox, name, entry)
        if mailbox.is_held:
            self._holds.release(mailbox)

    def looking(self) -> AbstractContextManager[None]:
        """While somebody looks into the store and edits by what is there."""
        return self._timers.looking()

    def cancel_timer(self, seq: int) -> bool:
        """Cancel a delayed message that was found in the store; returns whether it waits still."""
        return self._turns.cancel_timer(seq)
