"""Names for libraries that extend durable handlers."""

from __future__ import annotations

from statefun.durable.context_managers import contextvar
from statefun.durable.current import current_context

__all__ = ["contextvar", "current_context"]
