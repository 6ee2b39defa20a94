"""The engine of both controllers: what is read, written and called, and in which order.

Each operation is a generator of steps; `ControllerSync` and `ControllerAsync` only run them. The
laws:

1. A write is announced level by level from its path up to the root; who is called at a level is
   settled when the level is reached.
2. Announcing goes depth first: what a callback writes is announced to the end before the next
   callback is called.
3. A derived value equals its transform of its sources when the write of a source has ended.
4. An exception leaves the operation as it was raised; what was written before it stays written.
"""

from __future__ import annotations

import random
import secrets
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from statefun.reactive.backends.base import MISSING, composed
from statefun.reactive.derivations import Derivation, in_order
from statefun.reactive.equality import is_equal
from statefun.reactive.events import StateEvent
from statefun.reactive.paths import canonical, join, levels, posix, relative
from statefun.reactive.subscriptions import Callbacks, Registration, Subscriptions
from statefun.reactive.trackers import TrackedCallback
from statefun.reactive.transactions import Transaction, current, open_transaction

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Sequence
    from pathlib import PurePosixPath

    from statefun.reactive.backends.base import ForeignChange, Node, Tree
    from statefun.reactive.equality import EqualityFunction
    from statefun.reactive.paths import PathLike
    from statefun.reactive.steps import Steps
    from statefun.reactive.transactions import Change

__all__ = ["Engine"]


class Engine:
    """State, subscriptions, derivations and transactions of one controller.

    Args:
        tree: Where the state is.
    """

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._lock = threading.RLock()
        self._callbacks = Callbacks()
        self._derivations: dict[str, Derivation] = {}
        self.subscriptions = Subscriptions()

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
            InvalidPathError: If `path` is no path.
        """
        text = canonical(path)
        if current(self) is None:
            value = yield self._tree.get, (text, MISSING)
        else:
            value = yield from self.read(text)
        if value is not MISSING:
            return value
        if write_default:
            yield from self._put(text, default)
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
        text = canonical(path)
        previous = yield from self.read(text)
        before = default if previous is MISSING else previous
        if is_equal(value, before, eq_func):
            return False
        yield from self.write(text, value, previous, default)
        if not skip_notify:
            yield from self.announce(text, before, value, payload)
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
        previous = yield from self.read(text)
        if previous is MISSING:
            return False
        transaction = current(self)
        if transaction is None:
            yield self._tree.remove, (text,)
        else:
            change = yield from self._changing(transaction, text, previous, None)
            change.is_deleted |= not skip_notify
            transaction.overlay.remove(text)
        if not skip_notify:
            yield from self.announce(text, previous, None, payload, is_delete=True)
        return True

    def _write_state(self, path: PathLike, value: Any) -> Steps[None]:
        """Write a path without a comparison and without any event.

        Args:
            path: Where to write.
            value: The value.
        """
        yield from self._put(canonical(path), value)

    def _ping(self, path: PathLike, default: Any = None, payload: Any = None) -> Steps[None]:
        """Announce a path as if it had changed; derived values are computed anew.

        Args:
            path: What to announce.
            default: The value of the event if there is nothing at the path.
            payload: Anything that callbacks should see.
        """
        text = canonical(path)
        found = yield from self.read(text)
        value = default if found is MISSING else found
        transaction = current(self)
        if transaction is None:
            yield from self.announce(text, value, value, payload)
        else:
            change = yield from self._changing(transaction, text, found, default)
            change.is_pinged, change.payload = True, payload

    # --- what derivations and transactions use ----------------------------------------------------

    def read(self, path: str) -> Steps[Any]:
        """Read a canonical path; `MISSING` if there is nothing."""
        transaction = current(self)
        if transaction is None:
            return (yield self._tree.get, (path, MISSING))
        transaction.note_read(path)
        return (yield from transaction.overlay.get(path, MISSING))

    def read_without(self, path: str, hidden: str) -> Steps[Any]:
        """Read a path as if a path below it were not there; `MISSING` if nothing is left."""
        if hidden == path or relative(hidden, path) is None:
            return (yield from self.read(path))
        transaction = current(self)
        if transaction is None:
            node: Node = yield self._tree.node, (path,)
        else:
            node = yield from transaction.overlay.node(path)
        children = {}
        for name in node.names:
            below = join(path, name)
            if below != hidden:
                child = yield from self.read_without(below, hidden)
                if child is not MISSING:
                    children[name] = child
        return composed(node.value, children)

    def write(self, path: str, value: Any, previous: Any, default: Any = None) -> Steps[None]:
        """Write a canonical path; `previous` was read, `default` counts if that is missing."""
        transaction = current(self)
        if transaction is None:
            yield self._tree.put, (path, value)
        else:
            yield from self._changing(transaction, path, previous, default)
            transaction.overlay.put(path, value)

    def _changing(
        self, transaction: Transaction, path: str, previous: Any, default: Any
    ) -> Steps[Change]:
        """Note a change; what counts as the value before is that of the beginning."""
        if path not in transaction.changes and not transaction.overlay.is_untouched(path):
            previous = yield self._tree.get, (path, MISSING)
        existed = previous is not MISSING
        return transaction.note_change(path, previous if existed else default, existed=existed)

    def announce(
        self, path: str, before: Any, value: Any, payload: Any, *, is_delete: bool = False
    ) -> Steps[None]:
        """Tell everybody of a change now, or at the end of the transaction."""
        transaction = current(self)
        if transaction is not None:
            change = transaction.changes[path]
            change.is_announced, change.payload = True, payload
        elif not self.subscriptions.is_empty:
            event = self._event(path, before, value, payload, is_delete=is_delete)
            yield from self._deliver(path, event)

    def _put(self, path: str, value: Any) -> Steps[None]:
        transaction = current(self)
        if transaction is None:
            yield self._tree.put, (path, value)
        else:
            transaction.overlay.put(path, value)

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
        return self._event(canonical(path), prev_value, new_value, payload)

    def _event(
        self, path: str, before: Any, value: Any, payload: Any, *, is_delete: bool = False
    ) -> StateEvent[Any, Any]:
        at = posix(path)
        return StateEvent(self, at, at, before, value, True, None, payload, is_delete)  # noqa: FBT003 - fast

    def _notify(self, path: PathLike, event: StateEvent[Any, Any]) -> Steps[None]:
        """Deliver an event at a path and all levels above.

        Args:
            path: The first level.
            event: What to deliver; each level gets a copy with its `current_path`.
        """
        transaction = current(self)
        if transaction is None:
            yield from self._deliver(canonical(path), event)
        else:
            transaction.notices.append((canonical(path), event))

    def _deliver(
        self, path: str, event: StateEvent[Any, Any], *, to_derivations: bool = True
    ) -> Steps[None]:
        bubbling = event.bubbling
        if event.is_delete and to_derivations:
            for derivation in self._derived_below(path):
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
        for each in subscribers:
            if type(each) is Registration:
                if event.bubbling and each.callback is not None:
                    yield self.call, (each.callback, event)
            elif isinstance(each, Derivation):
                if to_derivations:
                    yield from each.deliver(event)
            elif event.bubbling or not each.is_stoppable:
                yield from each.deliver(event)

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
        derivation = Derivation(self, canonical(dest), sources, transform, payload, is_many=False)
        return (yield from self._begin_derivation(derivation))

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
        derivation = Derivation(self, canonical(dest), texts, transform, payload, is_many=True)
        return (yield from self._begin_derivation(derivation))

    def _begin_derivation(self, derivation: Derivation) -> Steps[Derivation]:
        former = self._derivations.pop(derivation.dest, None)
        for source in former.sources if former else ():
            self.subscriptions.discard(source, former)
        self._derivations[derivation.dest] = derivation
        for source in derivation.sources:
            self.subscriptions.add(source, derivation, derivation)
        yield from derivation.update()
        return derivation

    # --- tracking ---------------------------------------------------------------------------------

    def _track(self, callback: Callable[[Any], Any], payload: Any = None) -> Steps[None]:
        """Call a callback at once, and again whenever something changes that it has read.

        What it reads by `event.get_state` in its last run is what it depends on. A first run that
        raises subscribes to nothing.

        Args:
            callback: What to call. The event of the first run has the root as its path.
            payload: The payload of the event of the first run.
        """
        event = self._event("/", None, None, payload)
        yield from TrackedCallback(self, callback).deliver(event)

    # --- subscribing ------------------------------------------------------------------------------

    def register_callback(
        self,
        callback: Callable[[Any], Any],
        force_id: str | None = None,
        replace: bool = False,  # noqa: FBT001, FBT002 - the signature of the peer
    ) -> str:
        """Register a callback without subscribing it.

        Args:
            callback: What to call with events.
            force_id: The id to use; by default equal callbacks have one id.
            replace: Whether it may take the place of another callback, under all its subscriptions.

        Returns:
            The id.

        Raises:
            CallbackIdTakenError: If the id belongs to another callback and `replace` is False.
        """
        return self._callbacks.register(callback, force_id, replace=replace).callback_id

    def subscribe(
        self,
        path: PathLike,
        callback: Callable[[Any], Any],
        force_id: str | None = None,
        replace: bool = False,  # noqa: FBT001, FBT002 - the signature of the peer
    ) -> str:
        """Have a callback called whenever a path or anything below it changes.

        Args:
            path: What to watch. A part `*` stands for any one name.
            callback: What to call with events.
            force_id: The id to use; by default equal callbacks have one id.
            replace: Whether it may take the place of another callback with that id.

        Returns:
            The id.

        Raises:
            CallbackIdTakenError: If the id belongs to another callback and `replace` is False.
        """
        text = canonical(path)
        registration = self._callbacks.register(callback, force_id, replace=replace)
        self.subscriptions.add(text, registration.callback_id, registration)
        return registration.callback_id

    def subscribe_by_id(
        self,
        path: PathLike,
        callback_id: str,
        ignore_missing: bool = False,  # noqa: FBT001, FBT002 - the signature of the peer
    ) -> str:
        """Subscribe a registered callback.

        Args:
            path: What to watch.
            callback_id: The id of the callback.
            ignore_missing: Whether the id may be registered later; until then nothing is called.

        Returns:
            The id.

        Raises:
            UnknownCallbackError: If the id is unknown and `ignore_missing` is False.
        """
        text = canonical(path)
        registration = self._callbacks.known(callback_id, text, ignore_missing=ignore_missing)
        self.subscriptions.add(text, callback_id, registration)
        return callback_id

    def unsubscribe(self, path: PathLike, callback: Callable[[Any], Any]) -> None:
        """End the subscription of a callback at exactly this path or pattern.

        Other paths of the callback stay, and so does its registration. Nothing happens if it is not
        subscribed.
        """
        text = canonical(path)
        for key in self.subscriptions.keys_of(text, callback):
            self.subscriptions.discard(text, key)

    def unsubscribe_by_id(self, path: PathLike, callback_id: Hashable) -> None:
        """End the subscription of an id at exactly this path or pattern.

        Args:
            path: The path or pattern.
            callback_id: The id of a callback, or what `derive` has returned.
        """
        self.subscriptions.discard(canonical(path), callback_id)

    # --- paths ------------------------------------------------------------------------------------

    def resolve_path(self, path: PathLike) -> PurePosixPath:
        """Return the absolute path that is meant by `path`."""
        return posix(canonical(path))

    def get_temporary_path(self, key: str | None = None) -> PurePosixPath:
        """Return a path below `/tmp`: by chance, or one that depends on the key alone.

        Args:
            key: Any text; the same one gives the same path in every process.
        """
        if key is None:
            return posix(f"/tmp/{secrets.token_hex(16)}")  # noqa: S108 - no folder but a node
        number = random.Random(key).randbytes(16)  # noqa: S311 - a name, no secret
        return posix(f"/tmp/{number.hex()}")  # noqa: S108 - no folder but a node

    # --- transactions -----------------------------------------------------------------------------

    def _begin(self) -> Steps[Transaction]:
        """Begin a transaction; the driver keeps others out until its end."""
        revision = (yield self._tree.revision, ()) if self._tree.has_revisions else None
        return Transaction(self, self._tree, revision, open_transaction.get())

    def _commit(self, transaction: Transaction) -> Steps[None]:
        """Compute what is derived, apply everything as one, and tell of what differs."""
        yield from self._derive_pending(transaction)
        events = []
        for path, change in transaction.changes.items():
            event = yield from self._event_of(path, change)
            if event is not None:
                events.append((path, event))
        transaction.is_open = False
        operations = transaction.operations()
        if transaction.overlay.operations:
            yield self._tree.apply, (operations,)
        for path, event in events:
            yield from self._deliver(path, event, to_derivations=False)
        for path, event in transaction.notices:
            yield from self._deliver(path, event)

    def _derive_pending(self, transaction: Transaction) -> Steps[None]:
        """Compute each derived value that depends on a change, once and in order."""
        # also where a value has come back: a node above may exist now that did not
        told = [
            path
            for path, change in transaction.changes.items()
            if change.is_announced or change.is_pinged
        ]
        waiting = dict.fromkeys(each for path in told for each in self._derived_from(path))
        for path, change in transaction.changes.items():
            if change.is_deleted:
                waiting |= dict.fromkeys(self._derived_below(path))
        for derivation in in_order(waiting, lambda each: self._derived_from(each.dest)):
            if derivation in waiting:
                yield from derivation.update()
                made = transaction.changes.get(derivation.dest)
                if made and (yield from self._event_of(derivation.dest, made)) is not None:
                    waiting |= dict.fromkeys(self._derived_from(derivation.dest))

    def _derived_from(self, path: str) -> list[Derivation]:
        """Give the derivations that an event at a path runs."""
        return [
            each
            for level in levels(path)
            for each in self.subscriptions.at(level)
            if isinstance(each, Derivation) and each.dest != path
        ]

    def _derived_below(self, path: str) -> list[Derivation]:
        """Give the derivations with a source strictly below a path, which goes with the path."""
        return [
            each
            for each in self._derivations.values()
            if any(relative(source, path) not in {None, "/"} for source in each.sources)
        ]

    def _event_of(self, path: str, change: Change) -> Steps[StateEvent[Any, Any] | None]:
        """Give the event that a transaction ends with at a path, None if there is none."""
        value = yield from self.read(path)
        is_gone = value is MISSING
        if is_gone:  # a ping of what is missing announces its default
            value = change.prev_value if change.is_pinged and not change.existed else None
        differs = change.existed is is_gone or (
            change.existed and not is_equal(value, change.prev_value)
        )
        if not change.is_pinged and not (change.is_announced and differs):
            return None
        is_delete = is_gone and change.existed
        return self._event(path, change.prev_value, value, change.payload, is_delete=is_delete)

    # --- changes of other processes ---------------------------------------------------------------

    def _refresh(self) -> Steps[int]:
        """Announce what other processes have changed since the last time.

        Only a backend that many processes share has such changes; with any other nothing happens.

        Returns:
            How many changes were announced.
        """
        if not self._tree.has_revisions:
            return 0
        changes: Sequence[ForeignChange] = yield self._tree.changes, ()
        for change in changes:
            event = self._event(
                change.path, change.prev_value, change.new_value, None, is_delete=change.is_delete
            )
            yield from self._deliver(change.path, event)
        return len(changes)
