"""A sync backend for `ControllerAsync`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from statefun.reactive.backends.base import AsyncBackend, Forwarding, tree_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from statefun.reactive.backends.base import Backend

__all__ = ["AsyncifyBackend", "asyncified"]


class AsyncifyBackend(Forwarding, AsyncBackend):
    """Calls a sync backend straight through: no thread, so a slow backend blocks the event loop.

    Args:
        sync_backend: The backend.
    """

    def __init__(self, sync_backend: Backend) -> None:
        super().__init__(tree_of(sync_backend))
        self.sync_backend = sync_backend

    async def _forward(self, function: Callable[..., Any], *arguments: Any) -> Any:
        return function(*arguments)


def asyncified(backend: Backend | AsyncBackend) -> AsyncBackend:
    """Give an async backend as it is, and a sync one wrapped."""
    return backend if isinstance(backend, AsyncBackend) else AsyncifyBackend(backend)
