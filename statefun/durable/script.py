"""The script of a replay: the commands that were recorded, with which those given are compared.

Law: a replay gives the recorded commands in their order, no more and no fewer, but for those after
the last event of an attempt that failed there. Anything else is another program.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Difference", "Script"]


@dataclass(frozen=True, slots=True)
class Difference:
    """Two commands that differ.

    Attributes:
        recorded: The one in the journal; None if there is none.
        given: The one that is given; None if there is none.
    """

    recorded: str | None
    given: str | None


class Script:
    """The commands that an execution gave in reaction to its events.

    Attributes:
        is_open: Whether more commands may follow those of this event: its attempt failed there.
    """

    __slots__ = ("_commands", "_position", "is_open")

    def __init__(self) -> None:
        self.open([], is_open=False)

    def open(self, commands: Sequence[str], *, is_open: bool) -> None:
        """Go on to the commands of the next event."""
        self._commands = tuple(commands)
        self._position = 0
        self.is_open = is_open

    @property
    def next(self) -> str | None:
        """The command that comes next; None if there is none."""
        return self._commands[self._position] if self._position < len(self._commands) else None

    def take(self, command: str) -> bool:
        """Take the next command if it is this one; whether it is."""
        position = self._position
        if position == len(self._commands) or self._commands[position] != command:
            return False
        self._position = position + 1
        return True
