"""A callback that records what it is called with."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from statefun.reactive import StateEvent


class Seen(NamedTuple):
    """What of an event is compared."""

    name: str
    emitting: str
    current: str
    before: Any
    after: Any
    payload: Any = None


@dataclass
class Recorder:
    """Makes callbacks, and keeps all their events in order."""

    seen: list[Seen] = field(default_factory=list)

    def __call__(self, name: str) -> Any:
        """Make a callback of that name."""

        def callback(event: StateEvent) -> None:
            self.seen.append(
                Seen(
                    name,
                    str(event.emitting_path),
                    str(event.current_path),
                    event.prev_value,
                    event.new_value,
                    event.payload,
                )
            )

        callback.__qualname__ = name
        return callback

    @property
    def names(self) -> list[str]:
        """The names of the callbacks that were called."""
        return [each.name for each in self.seen]

    def take(self) -> list[Seen]:
        """Give what was recorded, and begin anew."""
        seen, self.seen = self.seen, []
        return seen
