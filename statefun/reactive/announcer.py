"""Who is told of a change, and in which order.

The laws:

1. A change is announced level by level from its path up to the root; who is called at a level is
   settled when the level is reached.
2. Announcing goes depth first: what a callback writes is announced to the end before the next
   callback is called.
3. Inside a transaction nobody is told; its end announces what then differs.
4. After an exception no callback is called any more. Derived values are still computed, and streams
   still fed; then the exception comes out.
5. Whoever writes or deletes a derived value, its derivation puts it right at the end.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

from statefun.reactive.derivations import Derivation, in_order
from statefun.reactive.events import StateEvent
from statefun.reactive.paths import levels, posix
from statefun.reactive.subscriptions import Registration, Subscriptions

if TYPE_CHECKING:
    from collections.abc import Callable

    from statefun.reactive.state import State
    from statefun.reactive.steps import Steps

__all__ = ["Announcer", "Failure"]


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
        self,
        path: str,
        before: Any,
        value: Any,
        payload: Any,
        *,
        is_delete: bool = False,
        by: Derivation | None = None,
        is_quiet: bool = False,
    ) -> Steps[None]:
        """Tell everybody of a change now, or at the end of the transaction.

        Args:
            path: What has changed.
            before: Its value before.
            value: Its value now.
            payload: What the writer added.
            is_delete: Whether it was deleted.
            by: The derivation that has written it.
            is_quiet: Whether callbacks are not to be called.
        """
        transaction = self.state.transaction
        if transaction is not None:
            change = transaction.changes[path]
            change.is_announced, change.payload = True, payload
            change.is_direct |= by is None
            transaction.writes += by is None
        elif not self.subscriptions.is_empty:
            event = self.event(path, before, value, payload, is_delete=is_delete)
            yield from self.deliver(path, event, by=by, is_quiet=is_quiet)

    def deliver(
        self,
        path: str,
        event: StateEvent[Any, Any],
        *,
        to_derivations: bool = True,
        by: Derivation | None = None,
        is_quiet: bool = False,
        is_cut: bool = False,
    ) -> Steps[None]:
        """Deliver an event at a path and all levels above, whether a transaction is open or not.

        Args:
            path: The first level.
            event: What to deliver.
            to_derivations: Whether derived values are to be computed; else they are right already.
            by: The derivation that has written the path.
            is_quiet: Whether callbacks are not to be called.
            is_cut: Whether anything below the path may have changed.
        """
        bubbling = event.bubbling
        failure = Failure(is_quiet=is_quiet)
        waiting: list[Derivation] = []
        is_deep = is_cut or event.is_delete
        if to_derivations and (is_deep or self.derivations.get(path, by) is not by):
            waiting = self.put_wrong(path, by=by, is_deep=is_deep)
            if waiting and not self._is_in_circle(path):  # nobody derives of what is wrong
                to_derivations = False
                waiting = self._ordered([*waiting, *self.derived_from(path)])
        for level in levels(path):
            subscribers = self.subscriptions.at(level)
            if subscribers:
                seen = replace(event, current_path=posix(level), bubbling=bubbling)
                yield from self._deliver_at_level(
                    subscribers, seen, failure, to_derivations=to_derivations
                )
                bubbling = seen.bubbling
        runs = [(each, each.runs) for each in waiting]
        for derivation, before in runs:
            if derivation.runs == before:  # one before it may have run it
                with failure:
                    yield from derivation.update(is_quiet=failure.is_quiet)
        failure.come_out()

    def _deliver_at_level(
        self,
        subscribers: list[Any],
        event: StateEvent[Any, Any],
        failure: Failure,
        *,
        to_derivations: bool,
    ) -> Steps[None]:
        call = self.controller.call
        for each in subscribers:
            is_heard = event.bubbling and not failure.is_quiet
            with failure:
                if type(each) is Registration:
                    if is_heard and each.callback is not None:
                        yield call, (each.callback, event)
                elif isinstance(each, Derivation):
                    if to_derivations and str(event.emitting_path) != each.dest:
                        yield from each.update(is_quiet=failure.is_quiet)
                elif is_heard or not each.is_stoppable:
                    yield from each.deliver(event)

    def begin_derivation(self, derivation: Derivation) -> Steps[Derivation]:
        """Compute a derived value from now on, in place of a former derivation of its path."""
        former = self.derivations.get(derivation.dest)
        if (transaction := self.state.transaction) is not None:
            transaction.declared.append((derivation, former))
        self._subscribe(derivation, former)
        yield from derivation.update()
        return derivation

    def take_back(self, declared: list[tuple[Derivation, Derivation | None]]) -> Steps[None]:
        """Undo declarations of a transaction that has failed, the last one first."""
        for derivation, former in reversed(declared):
            if self.derivations.get(derivation.dest) is derivation:
                self._subscribe(former, derivation)
                if former is not None:
                    yield from former.update()

    def _subscribe(self, derivation: Derivation | None, former: Derivation | None) -> None:
        """Subscribe a derivation to its sources, in place of a former one of the same path."""
        if former is not None:
            del self.derivations[former.dest]
            for source in former.sources:
                self.subscriptions.discard(source, former)
        if derivation is not None:
            self.derivations[derivation.dest] = derivation
            for source in derivation.sources:
                self.subscriptions.add(source, derivation, derivation)

    def is_current(self, derivation: Derivation) -> bool:
        """Whether a derivation has neither been replaced nor ended."""
        return self.derivations.get(derivation.dest) is derivation and any(
            self.subscriptions.has(source, derivation) for source in derivation.sources
        )

    def derived_from(self, path: str) -> list[Derivation]:
        """Give the derivations that an event at a path runs."""
        return [
            each
            for level in levels(path)
            for each in self.subscriptions.at(level)
            if isinstance(each, Derivation) and each.dest != path
        ]

    def put_wrong(self, path: str, *, by: Derivation | None, is_deep: bool) -> list[Derivation]:
        """Give the derivations whose value a change may have made wrong, in their order.

        That is beside those which an event at the path runs.

        Args:
            path: What has changed.
            by: The derivation that has written it, if that was one.
            is_deep: Whether everything below has changed, too: then what lies there and what is
                derived of it are meant as well.
        """
        own = self.derivations.get(path)
        found = [] if own is None or own is by else [own]
        if is_deep:
            found += [each for each in self.derivations.values() if each.is_within(path)]
        return self._ordered([each for each in found if self.is_current(each)])

    def _ordered(self, derivations: list[Derivation]) -> list[Derivation]:
        """Sort derivations, each behind those it depends on."""
        if len(derivations) < 2:
            return derivations
        found = in_order(derivations, lambda each: self.derived_from(each.dest))
        return [each for each in found if each in derivations]

    def _is_in_circle(self, path: str) -> bool:
        """Whether a derived value depends on itself: a write of it is then taken over by others."""
        own = self.derivations.get(path)
        return own in in_order(self.derived_from(path), lambda each: self.derived_from(each.dest))


class Failure:
    """Keeps the first exception until everybody who must be told is told.

    Attributes:
        is_quiet: Whether callbacks are not to be called, as after an exception.
    """

    def __init__(self, *, is_quiet: bool) -> None:
        self.is_quiet = is_quiet
        self._error: BaseException | None = None

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> bool:
        if not isinstance(error, (Exception, asyncio.CancelledError)):
            return False
        self._error = self._error or error
        self.is_quiet = True
        return True

    def come_out(self) -> None:
        """Raise the first exception, if there was one."""
        error, self._error = self._error, None
        if error is not None:
            raise error
