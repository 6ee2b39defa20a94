"""Eviction: how coroutines and async generators leave memory before they have ended.

Law: whatever they await raises `SuspendedException`, also in their `finally` blocks, until they
have ended. So nothing is left that the garbage collector would wake up somewhere else.

It is raised and not `GeneratorExit`, since Python closes an async generator that somebody awaits
without telling it, up to version 3.12.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from statefun.durable.exceptions import SdkInternalBaseException, SuspendedException

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

__all__ = ["close_generator", "evict"]

_MOST_AWAITS = 100

logger = logging.getLogger("statefun.durable")


def close_generator(generator: AsyncGenerator[Any, Any]) -> None:
    """End an async generator that nobody awaits."""
    closing = generator.aclose()
    try:
        closing.send(None)
    except (StopIteration, StopAsyncIteration, SdkInternalBaseException):
        return
    except BaseException:
        logger.warning("an async generator failed while it left memory", exc_info=True)
        return
    evict(closing, "an async generator")


def evict(awaitable: Any, what: str = "a durable handler") -> None:
    """Let each await of a coroutine raise, until it has ended.

    Args:
        awaitable: The coroutine.
        what: What it is, for the log.
    """
    for _ in range(_MOST_AWAITS):
        try:
            awaitable.throw(SuspendedException())
        except (StopIteration, StopAsyncIteration, SdkInternalBaseException):
            return
        except BaseException:
            logger.warning("%s failed while it left memory", what, exc_info=True)
            return
    logger.warning(
        "%s goes on while it leaves memory: raise again what is_internal_exception knows", what
    )
