"""The part of a controller that needs no state: callbacks, subscriptions and paths."""

from __future__ import annotations

import random
import secrets
from typing import TYPE_CHECKING, Any

from statefun.reactive.paths import canonical, posix
from statefun.reactive.subscriptions import Callbacks

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable
    from pathlib import PurePosixPath

    from statefun.reactive.paths import PathLike
    from statefun.reactive.subscriptions import Subscriptions

__all__ = ["Subscribing"]


class Subscribing:
    """Registers callbacks, and subscribes them to paths and patterns.

    Args:
        subscriptions: Where they are subscribed.
    """

    def __init__(self, subscriptions: Subscriptions) -> None:
        self.subscriptions = subscriptions
        self._callbacks = Callbacks()

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
