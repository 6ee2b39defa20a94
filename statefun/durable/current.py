"""The invocation that runs here."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from statefun.durable.context import Context

__all__ = ["CURRENT", "current_context", "is_replaying"]

CURRENT: ContextVar[Context | None] = ContextVar("statefun.durable.current", default=None)
"""The context of the invocation whose handler runs; the engine sets it."""


def current_context() -> Context | None:
    """The context of the handler that runs here, for code that is not given one; None outside."""
    return CURRENT.get()


def is_replaying() -> bool:
    """Whether the handler that runs here repeats what it has done before; False outside."""
    return bool(getattr(CURRENT.get(), "is_replaying", False))
