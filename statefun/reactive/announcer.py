"""Who is told of a change, and in which order.

The laws:

1. A change is announced level by level from its path up to the root; who is called at a level is
   settled when the level is reached.
2. Announcing goes depth first: what a callback writes is announced to the end before the next
   callback is called.
3. Inside a transaction nobody is told; its end announces what then differs.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

from statefun.reactive.derivations import Derivation
from statefun.reactive.events import StateEvent
from statefun.reactive.paths import levels, posix, relative
from statefun.reactive.subscriptions import Registration, Subscriptions

if TYPE_CHECKING:
    from collections.abc import Callable

    from statefun.reactive.state import State
    from statefun.reactive.steps import Steps

__all__ = ["Announcer"]


class Driver(Protocol):
    """The controller: calls callbacks as its kind does, and stands in events."""

    def call(self, function: Callable[[Any], Any], argument: Any) -> Any:
        """Call a callback or a transform; a step."""


class Announcer:
    """Events on their way to callbacks, derivations, tracked callbacks and streams.

    Args:
        controller: Calls callbacks; events name it.
        state: Knows whether a transaction is open; derivations read and write it.

    Attributes:
        subscriptions: Who is told.
        derivations: Canonical path of a derived value → its derivation.
    """

    def __init__(self, controller: Driver, state: State) -> None:
        self.controller = controller
        self.state = state
        self.subscriptions = Subscriptions()
        self.derivations: dict[str, Derivation] = {}

    def event(
        self, path: str, before: Any, value: Any, payload: Any, *, is_delete: bool = False
    ) -> StateEvent[Any, Any]:
        """Make an event of a canonical path."""
        at = posix(path)
        return StateEvent(self.controller, at, at, before, value, True, None, payload, is_delete)  # noqa: FBT003 - fast

    def announce(
        self, path: str, before: Any, value: Any, payload: Any, *, is_delete: bool = False
    ) -> Steps[None]:
        """Tell everybody of a change now, or at the end of the transaction."""
        transaction = self.state.transaction
        if transaction is not None:
            change = transaction.changes[path]
            change.is_announced, change.payload = True, payload
        elif not self.subscriptions.is_empty:
            event = self.event(path, before, value, payload, is_delete=is_delete)
            yield from self.deliver(path, event)

    def deliver(
        self, path: str, event: StateEvent[Any, Any], *, to_derivations: bool = True
    ) -> Steps[None]:
        """Deliver an event at a path and all levels above, whether a transaction is open or not."""
        bubbling = event.bubbling
        if event.is_delete and to_derivations:
            for derivation in self.derived_below(path):
                yield from derivation.update()
        for level in levels(path):
            subscribers = self.subscriptions.at(level)
            if subscribers:
                seen = replace(event, current_path=posix(level), bubbling=bubbling)
                yield from self._deliver_at_level(subscribers, seen, to_derivations=to_derivations)
                bubbling = seen.bubbling

    def _deliver_at_level(
        self, subscribers: list[Any], event: StateEvent[Any, Any], *, to_derivations: bool
    ) -> Steps[None]:
        call = self.controller.call
        for each in subscribers:
            if type(each) is Registration:
                if event.bubbling and each.callback is not None:
                    yield call, (each.callback, event)
            elif isinstance(each, Derivation):
                if to_derivations:
                    yield from each.deliver(event)
            elif event.bubbling or not each.is_stoppable:
                yield from each.deliver(event)

    def begin_derivation(self, derivation: Derivation) -> Steps[Derivation]:
        """Compute a derived value from now on, in place of a former derivation of its path."""
        former = self.derivations.pop(derivation.dest, None)
        for source in former.sources if former else ():
            self.subscriptions.discard(source, former)
        self.derivations[derivation.dest] = derivation
        for source in derivation.sources:
            self.subscriptions.add(source, derivation, derivation)
        yield from derivation.update()
        return derivation

    def derived_from(self, path: str) -> list[Derivation]:
        """Give the derivations that an event at a path runs."""
        return [
            each
            for level in levels(path)
            for each in self.subscriptions.at(level)
            if isinstance(each, Derivation) and each.dest != path
        ]

    def derived_below(self, path: str) -> list[Derivation]:
        """Give the derivations with a source strictly below a path, which goes with the path."""
        return [
            each
            for each in self.derivations.values()
            if any(relative(source, path) not in {None, "/"} for source in each.sources)
        ]
