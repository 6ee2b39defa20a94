"""Derived values: a transform of one or many sources, kept at a destination."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Protocol

from statefun.reactive.backends.base import MISSING
from statefun.reactive.equality import is_equal
from statefun.reactive.events import DeriveData
from statefun.reactive.paths import posix, relative

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from statefun.reactive.state import State
    from statefun.reactive.steps import Steps
    from statefun.reactive.transactions import Transaction

__all__ = ["Derivation", "in_order"]


class Host(Protocol):
    """Where derivations run: the announcer."""

    controller: Any
    state: State

    def announce(
        self,
        path: str,
        before: Any,
        value: Any,
        payload: Any,
        *,
        by: Derivation | None,
        is_quiet: bool,
    ) -> Steps[None]:
        """Tell everybody of a change."""

    def is_current(self, derivation: Derivation) -> bool:
        """Whether a derivation has neither been replaced nor ended."""


# The derivations whose value is being announced around this point, the outermost first.
_announcing: ContextVar[tuple[Derivation, ...]] = ContextVar("announcing", default=())


class Derivation:
    """One derived value; its own id, by which it can be unsubscribed from a source.

    Attributes:
        dest: Canonical path of the derived value.
        sources: Canonical paths of what it is computed of.
        payload: What its events carry.
        runs: How often it was computed outside of transactions.
    """

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
        self.runs = 0
        self._running = 0

    def __repr__(self) -> str:
        return f"<derivation of {self.dest}>"

    def is_within(self, path: str) -> bool:
        """Whether the derived value is at or below a path, or a source strictly below it."""
        return relative(self.dest, path) is not None or any(
            relative(source, path) not in {None, "/"} for source in self.sources
        )

    def update(self, *, is_quiet: bool = False) -> Steps[None]:
        """Compute the value, write it and announce it if it differs.

        With an async controller a run may be overtaken by a newer one. The newer one has read the
        sources later, so the older one gives up; if both have written, the later writer runs again.

        A callback of the derived value may write that value itself. It is put back, but not
        announced to callbacks again, or the two would go on for ever.

        Args:
            is_quiet: Whether callbacks are not to be called.
        """
        host = self._host
        transaction = host.state.transaction
        if transaction is not None:
            transaction.computed[self] = self.runs if self._running == 0 else None
        self._running += transaction is None
        try:
            written = yield from self._write(transaction)
        finally:
            self._running -= transaction is None
        if written is None:
            return
        outer = _announcing.get()
        _announcing.set((*outer, self))
        try:
            yield from host.announce(
                self.dest, *written, self.payload, by=self, is_quiet=is_quiet or self in outer
            )
        finally:
            _announcing.set(outer)

    def _write(self, transaction: Transaction | None) -> Steps[tuple[Any, Any] | None]:
        """Compute the value and write it; give the one before and it, None if they are equal."""
        host, dest = self._host, self.dest
        origin: Any = MISSING
        while True:
            self.runs += transaction is None
            run = self.runs
            value = yield from self.compute()
            previous = yield from host.state.read(dest)
            before = None if previous is MISSING else previous
            is_overtaken = transaction is None and run != self.runs
            if is_overtaken or is_equal(value, before) or not host.is_current(self):
                # the newer run may have taken what this one has written for announced
                return None if origin is MISSING else (origin, before)
            yield from host.state.write(dest, value, previous)
            origin = before if origin is MISSING else origin
            if transaction is not None or run == self.runs:
                return origin, value

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
