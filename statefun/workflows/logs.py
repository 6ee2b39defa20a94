"""Loggers that say whose code logs; that of workflows is silent while a replay repeats it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, MutableMapping

__all__ = ["ContextLogger", "logger"]

logger = logging.getLogger("statefun.workflows")


class ContextLogger(logging.LoggerAdapter[logging.Logger]):
    """A logger that adds facts to what it logs.

    Args:
        name: The name of the logger.
        facts: The facts; None outside of whatever it is for.
        is_silent: Whether nothing is logged now.

    Attributes:
        workflow_info_on_message: Whether the facts are added to the text.
        workflow_info_on_extra: Whether the record has them as an attribute.
        log_during_replay: Whether a replay logs, too.
    """

    def __init__(
        self,
        name: str,
        facts: Callable[[], Mapping[str, Any] | None],
        attribute: str,
        is_silent: Callable[[], bool],
    ) -> None:
        super().__init__(logging.getLogger(name), {})
        self._facts = facts
        self._attribute = attribute
        self._is_silent = is_silent
        self.workflow_info_on_message = True
        self.workflow_info_on_extra = True
        self.log_during_replay = False

    def isEnabledFor(self, level: int) -> bool:  # noqa: N802 - of `logging`
        """Whether a level is logged now."""
        if self._is_silent() and not self.log_during_replay:
            return False
        return super().isEnabledFor(level)

    def process(
        self, msg: Any, kwargs: MutableMapping[str, Any]
    ) -> tuple[Any, MutableMapping[str, Any]]:
        """Add the facts."""
        facts = self._facts()
        if facts is None:
            return msg, kwargs
        if self.workflow_info_on_message:
            msg = f"{msg} ({dict(facts)})"
        if self.workflow_info_on_extra:
            kwargs["extra"] = {**(kwargs.get("extra") or {}), self._attribute: dict(facts)}
        return msg, kwargs
