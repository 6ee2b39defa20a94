"""Tracked callbacks: subscribed to the paths that they read in their last run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from statefun.reactive.events import Tracker

if TYPE_CHECKING:
    from collections.abc import Callable

    from statefun.reactive.events import StateEvent
    from statefun.reactive.steps import Steps
    from statefun.reactive.subscriptions import Subscriptions

__all__ = ["TrackedCallback"]


class Host(Protocol):
    """Where tracked callbacks are called and subscribed: the announcer."""

    controller: Any
    subscriptions: Subscriptions


class TrackedCallback:
    """A callback and the paths it depends on; of nested runs, the one that ends last decides.

    Args:
        host: Where it is subscribed.
        callback: What to call.
    """

    is_stoppable = True

    def __init__(self, host: Host, callback: Callable[[Any], Any]) -> None:
        self._host = host
        self._callback = callback
        self._paths: dict[str, None] = {}

    def deliver(self, event: StateEvent[Any, Any]) -> Steps[None]:
        """Run the callback, and subscribe to what it has read; if it raises, nothing changes."""
        tracker = event.tracker = Tracker()
        try:
            yield self._host.controller.call, (self._callback, event)
        finally:
            event.tracker = None
        subscriptions = self._host.subscriptions
        for path in self._paths.keys() - tracker.paths.keys():
            subscriptions.discard(path, self)
        for path in tracker.paths:
            subscriptions.add(path, self, self)
        self._paths = tracker.paths
