"""Loggers that say a thing once: silent while a handler replays what it has done before."""

from __future__ import annotations

import logging

from statefun.durable.current import is_replaying

__all__ = ["RestateLoggingFilter", "getLogger"]


class RestateLoggingFilter(logging.Filter):
    """Drops the records of a handler that is replaying. Add it to a handler of your own logging."""

    def filter(self, record: logging.LogRecord) -> bool:  # noqa: ARG002 - it asks who logs, not what
        """Whether the record is new."""
        return not is_replaying()


_FILTER = RestateLoggingFilter()


def getLogger(name: str | None = None) -> logging.Logger:  # noqa: N802 - the name in logging
    """A logger of the standard library that is silent while a handler replays.

    Args:
        name: The name of the logger; None is `statefun.durable.handlers`. The logger is the one
            that `logging.getLogger` gives for the name.
    """
    logger = logging.getLogger(name or "statefun.durable.handlers")
    logger.addFilter(_FILTER)  # a second time changes nothing
    return logger
