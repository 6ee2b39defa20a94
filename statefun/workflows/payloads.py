"""The seam between values and payloads."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from statefun.workflows import _proto

__all__ = ["PayloadConverter"]


class PayloadConverter(ABC):
    """Converts values to payloads and back; it is called in workflows, so it is deterministic."""

    @abstractmethod
    def to_payloads(self, values: Sequence[Any]) -> list[_proto.Payload]:
        """The payloads of values, one of each.

        Raises:
            Exception: If a value cannot be converted.
        """

    @abstractmethod
    def from_payloads(
        self, payloads: Sequence[_proto.Payload], type_hints: list[type] | None = None
    ) -> list[Any]:
        """The values of payloads.

        Args:
            payloads: The payloads.
            type_hints: The types that are wanted; with them, as many values as there are hints.

        Raises:
            Exception: If a payload cannot be read as its type.
        """

    def to_payload(self, value: Any) -> _proto.Payload:
        """The payload of one value."""
        [payload] = self.to_payloads([value])
        return payload

    def from_payload(self, payload: _proto.Payload, type_hint: type | None = None) -> Any:
        """The value of one payload."""
        [value] = self.from_payloads([payload], None if type_hint is None else [type_hint])
        return value
