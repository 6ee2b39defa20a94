"""Sentences about trouble with the outside world, each at most once a minute.

Law: a trouble that lasts does not fill the log, and its end is told.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Reports"]

logger = logging.getLogger("statefun.connectors")

_AGAIN_S: Final = 60.0


class Reports:
    """The log of one connector; may be used from any thread.

    Args:
        subject: Whose log: begins each sentence.
        now_s: The time, in seconds from any moment on.

    Attributes:
        latest: The last trouble, empty since the last `clear`.
    """

    def __init__(self, subject: str, now_s: Callable[[], float] = time.monotonic) -> None:
        self.latest = ""
        self._subject = subject
        self._now_s = now_s
        self._lock = threading.Lock()
        self._told_s: dict[str, float] = {}

    def tell(self, kind: str, text: str, level: int = logging.WARNING) -> None:
        """Tell something, unless something of the kind was told within the last minute."""
        with self._lock:
            self.latest = text
            now_s = self._now_s()
            if now_s < self._told_s.get(kind, now_s):
                return
            self._told_s[kind] = now_s + _AGAIN_S
        logger.log(level, "%s: %s", self._subject, text)

    def clear(self) -> None:
        """Note that it works."""
        with self._lock:
            is_news = bool(self.latest)
            self.latest = ""
            self._told_s.clear()
        if is_news:
            logger.info("%s: it works again", self._subject)
