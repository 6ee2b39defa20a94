"""Derived values: a transform of one or many sources, kept at a destination."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from statefun.reactive.backends.base import MISSING
from statefun.reactive.equality import is_equal
from statefun.reactive.events import DeriveData
from statefun.reactive.paths import posix

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from statefun.reactive.events import StateEvent
    from statefun.reactive.state import State
    from statefun.reactive.steps import Steps

__all__ = ["Derivation", "in_order"]


class Host(Protocol):
    """Where derivations run: the announcer."""

    controller: Any
    state: State

    def announce(self, path: str, before: Any, value: Any, payload: Any) -> Steps[None]:
        """Tell everybody of a change."""


class Derivation:
    """One derived value; its own id, by which it can be unsubscribed from a source.

    Attributes:
        dest: Canonical path of the derived value.
        sources: Canonical paths of what it is computed of.
        payload: What its events carry.
    """

    is_stoppable = False

    def __init__(
        self,
        host: Host,
        dest: str,
        sources: Sequence[str],
        transform: Callable[[Any], Any],
        payload: Any,
        *,
        is_many: bool,
    ) -> None:
        self.dest = dest
        self.sources = tuple(dict.fromkeys(sources))
        self.payload = payload
        self._host = host
        self._transform = transform
        self._is_many = is_many
        self._runs = 0

    def __repr__(self) -> str:
        return f"<derivation of {self.dest}>"

    def deliver(self, event: StateEvent[Any, Any]) -> Steps[None]:
        """Compute the value anew, unless the event is of the derived value itself."""
        if str(event.emitting_path) != self.dest:
            yield from self.update()

    def update(self) -> Steps[None]:
        """Compute the value, write it and announce it if it differs.

        With an async controller a run may be overtaken by a newer one. The newer one has read the
        sources later, so the older one gives up; if both have written, the later writer runs again.
        """
        state, dest = self._host.state, self.dest
        while True:
            self._runs += 1
            run = self._runs
            value = yield from self.compute()
            previous = yield from state.read(dest)
            before = None if previous is MISSING else previous
            if run != self._runs or is_equal(value, before):
                return
            yield from state.write(dest, value, previous)
            if run == self._runs:
                break
        yield from self._host.announce(dest, before, value, self.payload)

    def compute(self) -> Steps[Any]:
        """Give the transform of the sources as they are now."""
        host = self._host
        values = {}
        for source in self.sources:
            value = yield from host.state.read_without(source, self.dest)
            values[source] = None if value is MISSING else value
        if self._is_many:
            data: Any = DeriveData(
                {posix(path): each for path, each in values.items()}, host.controller
            )
        else:
            [data] = values.values()
        return (yield host.controller.call, (self._transform, data))


def in_order(
    first: Iterable[Derivation], after: Callable[[Derivation], Iterable[Derivation]]
) -> list[Derivation]:
    """Give derivations and all that follow from them, each behind those it depends on.

    Those of a circle come last, in the order in which they were found.

    Args:
        first: Where to begin.
        after: A derivation → those that its value is a source of.
    """
    found: dict[Derivation, list[Derivation]] = {}
    waiting = list(first)
    while waiting:
        each = waiting.pop(0)
        if each not in found:
            found[each] = list(after(each))
            waiting += found[each]
    needs = dict.fromkeys(found, 0)
    for followers in found.values():
        for each in followers:
            needs[each] += 1
    ready = [each for each, count in needs.items() if count == 0]
    for each in ready:
        for follower in found[each]:
            needs[follower] -= 1
            if needs[follower] == 0:
                ready.append(follower)
    return [*ready, *(each for each, count in needs.items() if count > 0)]
