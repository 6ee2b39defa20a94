"""Who is to be told of what: callbacks by id, and subscribers by path or pattern.

At a level the subscribers of the exact path come first, in the order in which they subscribed
there, then those of matching patterns, the patterns in the order of their first subscription. A
path or a pattern without subscribers is forgotten.
"""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any, Protocol

from statefun.errors import CallbackIdTakenError, UnknownCallbackError

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Iterator

    from statefun.reactive.events import StateEvent
    from statefun.reactive.steps import Steps

__all__ = ["Callbacks", "Registration", "Subscriber", "Subscriptions", "is_pattern"]


class Subscriber(Protocol):
    """What stands at a path.

    Attributes:
        is_stoppable: Whether it is skipped once a callback has stopped the bubbling.
    """

    is_stoppable: bool

    def deliver(self, event: StateEvent[Any, Any]) -> Steps[None]:
        """Take an event in."""


class Registration:
    """A callback under its id.

    Attributes:
        callback_id: The id.
        callback: The callback, None as long as only the id is known.
    """

    __slots__ = ("callback", "callback_id")
    is_stoppable = True

    def __init__(self, callback_id: str) -> None:
        self.callback_id = callback_id
        self.callback: Callable[[Any], Any] | None = None


class Callbacks:
    """Callbacks by id. A registration stays, so that its id can be subscribed again."""

    def __init__(self) -> None:
        self._by_id: dict[str, Registration] = {}
        self._own_ids: dict[Hashable, str] = {}
        self._numbers = count(1)

    def register(
        self, callback: Callable[[Any], Any], force_id: str | None, *, replace: bool
    ) -> Registration:
        """Register a callback under its own id, or under the one that is asked for.

        Raises:
            CallbackIdTakenError: If the id is another callback's and `replace` is False.
        """
        callback_id = force_id or self._own_id(callback)
        registration = self._by_id.setdefault(callback_id, Registration(callback_id))
        if registration.callback not in (None, callback) and not replace:
            raise CallbackIdTakenError(callback_id)
        registration.callback = callback
        return registration

    def known(self, callback_id: str, path: str, *, ignore_missing: bool) -> Registration:
        """Give the registration of an id, or make one that waits for its callback.

        Raises:
            UnknownCallbackError: If there is none and `ignore_missing` is False.
        """
        registration = self._by_id.get(callback_id)
        if registration is not None and (registration.callback is not None or ignore_missing):
            return registration
        if not ignore_missing:
            raise UnknownCallbackError(callback_id, path)
        return self._by_id.setdefault(callback_id, Registration(callback_id))

    def _own_id(self, callback: Callable[[Any], Any]) -> str:
        """The id that equal callbacks share, as all mentions of one bound method are."""
        try:
            return self._own_ids.setdefault(callback, f"#{next(self._numbers):x}")
        except TypeError:  # not hashable: equal only to itself, and kept by its registration
            return f"#{id(callback):x}@"


class _Level:
    """One node of the patterns: the subscribers of a pattern that ends here, and what is below."""

    __slots__ = ("below", "order", "subscribers")

    def __init__(self) -> None:
        self.below: dict[str, _Level] = {}
        self.subscribers: dict[Hashable, Any] = {}
        self.order = 0


def is_pattern(path: str) -> bool:
    """Whether a part of the path is the wildcard `*`, which stands for exactly one level."""
    return "*" in path and "*" in path.split("/")


class Subscriptions:
    """Subscribers by path and pattern; a subscriber has one key at each path."""

    def __init__(self) -> None:
        self._exact: dict[str, dict[Hashable, Any]] = {}
        self._patterns = _Level()
        self._pattern_count = 0
        self._orders = count(1)

    @property
    def is_empty(self) -> bool:
        """Whether nobody is subscribed to anything."""
        return not self._exact and not self._pattern_count

    def add(self, path: str, key: Hashable, subscriber: object) -> None:
        """Subscribe at a path; a key that is there already keeps its place.

        Args:
            path: A path or a pattern.
            key: By which it is unsubscribed.
            subscriber: A `Registration`, a `Subscriber`, or a derivation.
        """
        if is_pattern(path):
            self._pattern(path).setdefault(key, subscriber)
        else:
            self._exact.setdefault(path, {}).setdefault(key, subscriber)

    def discard(self, path: str, key: Hashable) -> None:
        """Unsubscribe at a path; nothing happens if it is not subscribed."""
        if is_pattern(path):
            self._discard_pattern(self._patterns, path[1:].split("/"), key)
        elif (subscribers := self._exact.get(path)) is not None:
            subscribers.pop(key, None)
            if not subscribers:
                del self._exact[path]

    def has(self, path: str, key: Hashable) -> bool:
        """Whether a key is subscribed at exactly this path or pattern."""
        exact = self._exact.get(path, {})
        return key in (self._found_pattern(path) if is_pattern(path) else exact)

    def keys_of(self, path: str, callback: Callable[[Any], Any]) -> list[Hashable]:
        """Give the keys under which a callback is subscribed at exactly this path or pattern."""
        exact = self._exact.get(path, {})
        subscribers = self._found_pattern(path) if is_pattern(path) else exact
        return [
            key
            for key, each in subscribers.items()
            if isinstance(each, Registration) and each.callback == callback
        ]

    def at(self, path: str) -> list[Any]:
        """Give the subscribers of a level in their order, as they are now."""
        exact = self._exact.get(path)
        found = list(exact.values()) if exact else []
        if self._pattern_count and path != "/":
            matches = sorted(self._matches(path), key=lambda level: level.order)
            found += [each for level in matches for each in level.subscribers.values()]
        return found

    def _pattern(self, path: str) -> dict[Hashable, Any]:
        level = self._patterns
        for name in path[1:].split("/"):
            level = level.below.setdefault(name, _Level())
        if not level.subscribers:
            level.order = next(self._orders)
            self._pattern_count += 1
        return level.subscribers

    def _found_pattern(self, path: str) -> dict[Hashable, Any]:
        level: _Level | None = self._patterns
        for name in path[1:].split("/"):
            level = level and level.below.get(name)
        return level.subscribers if level else {}

    def _discard_pattern(self, level: _Level, names: list[str], key: Hashable) -> None:
        """Drop a subscriber of a pattern, and the nodes that nobody needs any more."""
        if not names:
            was_used = bool(level.subscribers)
            level.subscribers.pop(key, None)
            self._pattern_count -= was_used and not level.subscribers
            return
        name, *rest = names
        if (found := level.below.get(name)) is not None:
            self._discard_pattern(found, rest, key)
            if not found.below and not found.subscribers:
                del level.below[name]

    def _matches(self, path: str) -> Iterable[_Level]:
        found = [self._patterns]
        for name in path[1:].split("/"):
            found = [below for level in found for below in _steps_down(level, name)]
        return [level for level in found if level.subscribers]


def _steps_down(level: _Level, name: str) -> Iterator[_Level]:
    for wanted in {name, "*"}:
        if (below := level.below.get(wanted)) is not None:
            yield below
