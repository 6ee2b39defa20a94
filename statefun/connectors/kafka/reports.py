"""Sentences about trouble with a broker, each at most once a minute.

Law: whatever a client reports is told within seconds, with whose client it is and that it goes on
trying; a trouble that lasts does not fill the log.
"""

from __future__ import annotations

from typing import Any, Final

from statefun.connectors import reports

__all__ = ["Reports"]

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


class Reports(reports.Reports):
    """The log of one connector to Kafka; may be used from any thread."""

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
