"""The engine of both controllers: what is read, written and called, and in which order.

Each operation is a generator of steps; `ControllerSync` and `ControllerAsync` only run them. The
laws:

1. A derived value equals its transform of its sources when an operation has ended that has written
   or deleted a source, the value itself or a node above; but for writes that ask for silence.
2. An exception leaves the operation as it was raised; what was written before it stays written.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING, Any

from statefun.reactive.announcer import Announcer
from statefun.reactive.backends.base import MISSING
from statefun.reactive.derivations import Derivation
from statefun.reactive.equality import is_equal
from statefun.reactive.paths import canonical
from statefun.reactive.state import State
from statefun.reactive.subscribing import Subscribing
from statefun.reactive.trackers import TrackedCallback
from statefun.reactive.transactions import current

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from statefun.reactive.backends.base import ForeignChange, Tree
    from statefun.reactive.equality import EqualityFunction
    from statefun.reactive.events import StateEvent
    from statefun.reactive.paths import PathLike
    from statefun.reactive.steps import Steps

__all__ = ["Engine"]


class Engine(Subscribing):
    """The operations of one controller: on its state, and on whom to tell of it.

    Args:
        tree: Where the state is.
    """

    def __init__(self, tree: Tree) -> None:
        self._lock = threading.RLock()
        self._state = State(tree)
        self._announcer = Announcer(self, self._state)
        self._foreign: deque[ForeignChange] = deque()
        super().__init__(self._announcer.subscriptions)

    def call(self, function: Callable[[Any], Any], argument: Any) -> Any:
        """Call a callback or a transform, as the driver does it; a step."""
        raise NotImplementedError

    # --- reading and writing ----------------------------------------------------------------------

    def _get_state(
        self,
        path: PathLike,
        default: Any = None,
        write_default: bool = False,  # noqa: FBT001, FBT002 - the signature of the peer
    ) -> Steps[Any]:
        """Read a path.

        Args:
            path: What to read. A node with children reads as a dict of them, with its own value
                under `"/"` if it has one.
            default: What to return if there is nothing at the path.
            write_default: Whether to write the default then, without any event.

        Returns:
            The value, or `default`.

        Raises:
            InvalidPathError: If `path` is not a path.
        """
        text, state = canonical(path), self._state
        if current(state) is None:
            value = yield state.tree.get, (text, MISSING)
        else:
            value = yield from state.read(text)
        if value is not MISSING:
            return value
        if write_default:
            yield from state.put(text, default)
        return default

    def _set_state(
        self,
        path: PathLike,
        value: Any,
        eq_func: EqualityFunction | None = None,
        default: Any = None,
        payload: Any = None,
        skip_notify: bool = False,  # noqa: FBT001, FBT002 - the signature of the peer
    ) -> Steps[bool]:
        """Write a path and announce it, unless the value equals the one before.

        A derived value that is written like this is computed again behind the event.

        Args:
            path: Where to write; children of the path stay.
            value: The value; it is opaque, a dict makes no children.
            eq_func: Called with the new value and the previous one; a true result means that
                nothing changes. By default `==`.
            default: What counts as the previous value if there is none.
            payload: Anything that callbacks should see.
            skip_notify: Whether to tell nobody; derived values then stay as they are.

        Returns:
            Whether the value was written.

        Raises:
            Exception: Whatever a callback raises. The value stays written, and nobody after that
                callback is called.
        """
        text, state = canonical(path), self._state
        previous = yield from state.read(text)
        before = default if previous is MISSING else previous
        if is_equal(value, before, eq_func):
            return False
        yield from state.write(text, value, previous, default)
        if not skip_notify:
            yield from self._announcer.announce(text, before, value, payload)
        return True

    def _del_state(
        self,
        path: PathLike,
        payload: Any = None,
        skip_notify: bool = False,  # noqa: FBT001, FBT002 - the signature of the peer
    ) -> Steps[bool]:
        """Delete a path with everything below it, and announce it at the path and above.

        Callbacks below the path are not told; derivations of what was below are computed anew.

        Args:
            path: What to delete.
            payload: Anything that callbacks should see.
            skip_notify: Whether to tell nobody.

        Returns:
            Whether there was anything.
        """
        text = canonical(path)
        previous = yield from self._state.read(text)
        if previous is MISSING:
            return False
        yield from self._state.remove(text, previous, is_announced=not skip_notify)
        if not skip_notify:
            yield from self._announcer.announce(text, previous, None, payload, is_delete=True)
        return True

    def _write_state(self, path: PathLike, value: Any) -> Steps[None]:
        """Write a path without a comparison and without any event.

        Args:
            path: Where to write.
            value: The value.
        """
        yield from self._state.put(canonical(path), value)

    def _ping(self, path: PathLike, default: Any = None, payload: Any = None) -> Steps[None]:
        """Announce a path as if it had changed; derived values are computed anew.

        Args:
            path: What to announce.
            default: The value of the event if there is nothing at the path.
            payload: Anything that callbacks should see.
        """
        text, state = canonical(path), self._state
        found = yield from state.read(text)
        value = default if found is MISSING else found
        transaction = state.transaction
        if transaction is None:
            yield from self._announcer.announce(text, value, value, payload)
        else:
            change = yield from state.changing(transaction, text, found, default)
            change.is_pinged, change.payload = True, payload

    # --- events -----------------------------------------------------------------------------------

    def build_event(
        self, path: PathLike, prev_value: Any, new_value: Any, payload: Any = None
    ) -> StateEvent[Any, Any]:
        """Make an event for `notify`.

        Args:
            path: Its emitting path.
            prev_value: The value before.
            new_value: The value now.
            payload: Anything that callbacks should see.

        Returns:
            The event.
        """
        return self._announcer.event(canonical(path), prev_value, new_value, payload)

    def _notify(self, path: PathLike, event: StateEvent[Any, Any]) -> Steps[None]:
        """Deliver an event at a path and all levels above.

        Args:
            path: The first level.
            event: What to deliver; each level gets a copy with its `current_path`.
        """
        transaction = self._state.transaction
        if transaction is None:
            yield from self._announcer.deliver(canonical(path), event)
        else:
            transaction.notices.append((canonical(path), event))

    # --- derivations ------------------------------------------------------------------------------

    def _derive(
        self,
        dest: PathLike,
        source: PathLike,
        transform: Callable[[Any], Any],
        payload: Any = None,
    ) -> Steps[Derivation]:
        """Keep a path equal to a transform of another one.

        The transform runs at once, with None if the source is missing, and whenever the source or
        anything below it changes. It sees the source without the derived value, if that is below.
        Deriving the same path again replaces the derivation.

        Args:
            dest: Where the derived value is kept.
            source: What it is computed of.
            transform: Called with the value of the source.
            payload: What the events of the derived value carry.

        Returns:
            An id for `unsubscribe_by_id(source, …)`, which ends the derivation.
        """
        sources = [canonical(source)]
        derivation = Derivation(
            self._announcer, canonical(dest), sources, transform, payload, is_many=False
        )
        return (yield from self._announcer.begin_derivation(derivation))

    def _derive_many(
        self,
        dest: PathLike,
        sources: Iterable[PathLike],
        transform: Callable[[Any], Any],
        payload: Any = None,
    ) -> Steps[Derivation]:
        """Keep a path equal to a transform of several others.

        Args:
            dest: Where the derived value is kept.
            sources: What it is computed of.
            transform: Called with a `DeriveData`.
            payload: What the events of the derived value carry.

        Returns:
            An id for `unsubscribe_by_id`, for each source by itself.
        """
        texts = [canonical(source) for source in sources]
        derivation = Derivation(
            self._announcer, canonical(dest), texts, transform, payload, is_many=True
        )
        return (yield from self._announcer.begin_derivation(derivation))

    # --- tracking ---------------------------------------------------------------------------------

    def _track(self, callback: Callable[[Any], Any], payload: Any = None) -> Steps[None]:
        """Call a callback at once, and again whenever something changes that it has read.

        What it reads by `event.get_state` in its last run is what it depends on. A first run that
        raises subscribes to nothing.

        Args:
            callback: What to call. The event of the first run has the root as its path.
            payload: The payload of the event of the first run.
        """
        event = self._announcer.event("/", None, None, payload)
        yield from TrackedCallback(self._announcer, callback).deliver(event)

    # --- changes of other processes ---------------------------------------------------------------

    def _refresh(self) -> Steps[int]:
        """Announce what other processes have changed since the last time.

        Only a backend that many processes share has such changes; with any other nothing happens.

        Returns:
            How many changes were announced.

        Raises:
            Exception: Whatever a callback raises. What is left is announced by the next call.
        """
        tree, announcer, foreign = self._state.tree, self._announcer, self._foreign
        if tree.has_revisions:
            foreign.extend((yield tree.changes, ()))
        count = 0
        while foreign:
            path, before, value, is_delete, is_cut = foreign.popleft()
            count += 1
            event = announcer.event(path, before, value, None, is_delete=is_delete)
            yield from announcer.deliver(path, event, is_cut=is_cut)
        return count
