"""Values of pydantic, and everything that pydantic can convert, as arguments and results.

It needs pydantic: `pip install 'statefun[serde]'`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

try:
    from pydantic import TypeAdapter
    from pydantic_core import PydanticSerializationError, to_json
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        "the converter needs pydantic: pip install 'statefun[serde]'", name=error.name
    ) from error

from statefun.workflows import _proto
from statefun.workflows.converter import (
    CompositePayloadConverter,
    DataConverter,
    DefaultPayloadConverter,
    EncodingPayloadConverter,
)

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "PydanticJSONPlainPayloadConverter",
    "PydanticPayloadConverter",
    "ToJsonOptions",
    "pydantic_data_converter",
]


@dataclass
class ToJsonOptions:
    """How pydantic writes JSON.

    Attributes:
        exclude_unset: Whether fields are left out that nobody has set.
    """

    exclude_unset: bool = False


class PydanticJSONPlainPayloadConverter(EncodingPayloadConverter):
    """JSON as pydantic writes and reads it.

    Args:
        to_json_options: How it is written.
    """

    def __init__(self, to_json_options: ToJsonOptions | None = None) -> None:
        self._exclude_unset = to_json_options is not None and to_json_options.exclude_unset

    @property
    def encoding(self) -> str:
        """See `EncodingPayloadConverter`."""
        return "json/plain"

    def to_payload(self, value: Any) -> _proto.Payload | None:
        """See `EncodingPayloadConverter`.

        Raises:
            TypeError: If pydantic cannot write it.
        """
        dump: Callable[..., bytes] = getattr(type(value), "__pydantic_serializer__", _PLAIN).to_json
        options = {"exclude_unset": True} if self._exclude_unset and dump is not to_json else {}
        try:
            data = dump(value, **options)
        except PydanticSerializationError as error:
            raise TypeError(str(error)) from error
        return _proto.Payload(metadata={"encoding": b"json/plain"}, data=data)

    def from_payload(self, payload: _proto.Payload, type_hint: type | None = None) -> Any:
        """See `EncodingPayloadConverter`.

        Raises:
            pydantic.ValidationError: If it is not of that type.
        """
        return TypeAdapter(Any if type_hint is None else type_hint).validate_json(payload.data)


class _Plain:
    to_json = staticmethod(to_json)


_PLAIN = _Plain()


class PydanticPayloadConverter(CompositePayloadConverter):
    """The default converter with the JSON of pydantic.

    Args:
        to_json_options: How it is written.
    """

    def __init__(self, to_json_options: ToJsonOptions | None = None) -> None:
        json = PydanticJSONPlainPayloadConverter(to_json_options)
        kept = DefaultPayloadConverter.default_encoding_payload_converters
        super().__init__(*(json if each.encoding == "json/plain" else each for each in kept))


pydantic_data_converter = DataConverter(payload_converter_class=PydanticPayloadConverter)
"""The data converter for programs that use pydantic."""
