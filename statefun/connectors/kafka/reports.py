"""Sentences about trouble with a broker, each at most once a minute.

Law: whatever a client reports is told within seconds, with whose client it is and that it goes on
trying; a trouble that lasts does not fill the log.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Reports"]

logger = logging.getLogger("statefun.connectors")

_AGAIN_S: Final = 60.0
_HINTS: Final = {
    "_RESOLVE": "check the address, or the name server",
    "_TRANSPORT": "check the address, and whether the broker runs",
    "_ALL_BROKERS_DOWN": "check the address, and whether the broker runs",
    "_AUTHENTICATION": "check user name, password and 'sasl.mechanism'",
    "_FENCED": "another process has a copy of the data directory: stop one of the two",
    "_SSL": "check the certificates, and 'security.protocol'",
    "SASL_AUTHENTICATION_FAILED": "check user name, password and 'sasl.mechanism'",
    "TOPIC_AUTHORIZATION_FAILED": "let the user read or write the topic",
    "GROUP_AUTHORIZATION_FAILED": "let the user use the group",
    "TRANSACTIONAL_ID_AUTHORIZATION_FAILED": "let the user use the transactional id",
}


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

    def trouble(self, what: str, error: Any) -> None:
        """Tell of an error of the client, unless the same was told within the last minute.

        Args:
            what: What could not be done.
            error: A `KafkaError`.
        """
        name = error.name()
        hint = _HINTS.get(name, "")
        text = f"{what}: {error.str()}" + (f"; {hint}" if hint else "")
        self.tell(name, f"{text}; it goes on trying")

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
