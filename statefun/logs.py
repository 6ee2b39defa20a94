"""Log records of failures: short entries that no text from outside can forge."""

from __future__ import annotations

import logging

from statefun.sdk.failures import traceback_text

__all__ = ["ShortTracebacks"]


class ShortTracebacks(logging.Filter):
    """Gives records the traceback that formatters print: the user's frames, a few lines.

    The exception itself stays in the record, for handlers that look at it.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every record pass."""
        if record.exc_info is not None and record.exc_info[1] is not None:
            record.exc_text = traceback_text(record.exc_info[1])
        return True
