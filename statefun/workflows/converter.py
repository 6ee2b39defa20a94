"""Converters: values to payloads and back, and exceptions to failures and back.

A payload says by its metadata `encoding` how its bytes are to be read. `None`, bytes and messages
of protobuf have encodings of their own; everything else is JSON, read by the type hints of whoever
takes it.
"""

from __future__ import annotations

import collections.abc
import dataclasses
import json
import uuid
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar

from google.protobuf import json_format, symbol_database
from google.protobuf.message import Message

from statefun.workflows import _proto
from statefun.workflows.common import RawValue
from statefun.workflows.failures import (
    DefaultFailureConverter,
    DefaultFailureConverterWithEncodedAttributes,
    FailureConverter,
    payloads_of,
)
from statefun.workflows.json_types import JSONTypeConverter, value_to_type
from statefun.workflows.payloads import PayloadConverter

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = [
    "AdvancedJSONEncoder",
    "BinaryNullPayloadConverter",
    "BinaryPlainPayloadConverter",
    "BinaryProtoPayloadConverter",
    "CompositePayloadConverter",
    "DataConverter",
    "DefaultFailureConverter",
    "DefaultFailureConverterWithEncodedAttributes",
    "DefaultPayloadConverter",
    "EncodingPayloadConverter",
    "FailureConverter",
    "JSONPlainPayloadConverter",
    "JSONProtoPayloadConverter",
    "JSONTypeConverter",
    "PayloadCodec",
    "PayloadConverter",
    "default",
    "value_to_type",
]

Payload = _proto.Payload
_NO_CODEC = (
    "Whoever wrote it has a payload_codec or a converter that is missing here: give the same "
    "DataConverter to all clients, whose workers take it from them."
)


# --- values ---------------------------------------------------------------------------------------


class EncodingPayloadConverter(ABC):
    """Converts values of one encoding."""

    @property
    @abstractmethod
    def encoding(self) -> str:
        """The encoding, as it stands in the metadata of payloads."""

    @abstractmethod
    def to_payload(self, value: Any) -> _proto.Payload | None:
        """The payload of a value; None if this converter is not for it."""

    @abstractmethod
    def from_payload(self, payload: _proto.Payload, type_hint: type | None = None) -> Any:
        """The value of a payload of this encoding."""


class CompositePayloadConverter(PayloadConverter):
    """Tries converters of encodings one after another.

    Args:
        converters: The converters; the first that takes a value converts it.

    Attributes:
        converters: Encoding → converter.
    """

    converters: Mapping[bytes, EncodingPayloadConverter]

    def __init__(self, *converters: EncodingPayloadConverter) -> None:
        self.converters = {each.encoding.encode(): each for each in converters}

    def to_payloads(self, values: Sequence[Any]) -> list[_proto.Payload]:
        """See `PayloadConverter`; a `RawValue` is its payload.

        Raises:
            RuntimeError: If no converter takes a value.
        """
        return [self._to_payload(index, value) for index, value in enumerate(values)]

    def _to_payload(self, index: int, value: Any) -> _proto.Payload:
        if isinstance(value, RawValue):
            return value.payload
        for converter in self.converters.values():
            payload = converter.to_payload(value)
            if payload is not None:
                return payload
        raise RuntimeError(f"Value at index {index} of type {type(value)} has no known converter")

    def from_payloads(
        self, payloads: Sequence[_proto.Payload], type_hints: list[type] | None = None
    ) -> list[Any]:
        """See `PayloadConverter`.

        Raises:
            KeyError: If a payload has an unknown encoding.
            RuntimeError: If it cannot be read.
        """
        hints: Sequence[type | None] = [None] * len(payloads) if type_hints is None else type_hints
        values = []
        for index, (payload, hint) in enumerate(zip(payloads, hints, strict=False)):
            if hint is RawValue:
                values.append(RawValue(payload))
                continue
            encoding = payload.metadata.get("encoding", b"")
            converter = self.converters.get(encoding)
            if converter is None:
                error = KeyError(f"Unknown payload encoding {encoding.decode(errors='replace')}")
                error.add_note(_NO_CODEC)
                raise error
            try:
                values.append(converter.from_payload(payload, hint))
            except RuntimeError as error:
                known = encoding.decode(errors="replace")
                raise RuntimeError(
                    f"Payload at index {index} with encoding {known} could not be converted"
                ) from error
        return values


class BinaryNullPayloadConverter(EncodingPayloadConverter):
    """`None`, as no bytes."""

    @property
    def encoding(self) -> str:
        """See `EncodingPayloadConverter`."""
        return "binary/null"

    def to_payload(self, value: Any) -> _proto.Payload | None:
        """See `EncodingPayloadConverter`."""
        return None if value is not None else Payload(metadata={"encoding": b"binary/null"})

    def from_payload(self, payload: _proto.Payload, type_hint: type | None = None) -> Any:
        """See `EncodingPayloadConverter`.

        Raises:
            RuntimeError: If it has bytes.
        """
        del type_hint
        if payload.data:
            raise RuntimeError("Expected empty data set for binary/null")


class BinaryPlainPayloadConverter(EncodingPayloadConverter):
    """Bytes, as they are."""

    @property
    def encoding(self) -> str:
        """See `EncodingPayloadConverter`."""
        return "binary/plain"

    def to_payload(self, value: Any) -> _proto.Payload | None:
        """See `EncodingPayloadConverter`."""
        if not isinstance(value, bytes):
            return None
        return Payload(metadata={"encoding": b"binary/plain"}, data=value)

    def from_payload(self, payload: _proto.Payload, type_hint: type | None = None) -> Any:
        """See `EncodingPayloadConverter`."""
        del type_hint
        return payload.data


class JSONProtoPayloadConverter(EncodingPayloadConverter):
    """Messages of protobuf, as JSON.

    Args:
        ignore_unknown_fields: Whether fields that the message does not have are passed over.
    """

    def __init__(self, ignore_unknown_fields: bool = False) -> None:  # noqa: FBT001, FBT002 - peer's
        self._ignore_unknown_fields = ignore_unknown_fields

    @property
    def encoding(self) -> str:
        """See `EncodingPayloadConverter`."""
        return "json/protobuf"

    def to_payload(self, value: Any) -> _proto.Payload | None:
        """See `EncodingPayloadConverter`."""
        if not isinstance(value, Message):
            return None
        text = json.dumps(json_format.MessageToDict(value), separators=(",", ":"), sort_keys=True)
        return _of_message("json/protobuf", value, text.encode())

    def from_payload(self, payload: _proto.Payload, type_hint: type | None = None) -> Any:
        """See `EncodingPayloadConverter`.

        Raises:
            RuntimeError: If it cannot be read.
        """
        del type_hint
        message = _message_of(payload)
        try:
            return json_format.Parse(
                payload.data, message, ignore_unknown_fields=self._ignore_unknown_fields
            )
        except json_format.ParseError as error:
            raise RuntimeError("Failed parsing") from error


class BinaryProtoPayloadConverter(EncodingPayloadConverter):
    """Messages of protobuf, as their bytes."""

    @property
    def encoding(self) -> str:
        """See `EncodingPayloadConverter`."""
        return "binary/protobuf"

    def to_payload(self, value: Any) -> _proto.Payload | None:
        """See `EncodingPayloadConverter`."""
        if not isinstance(value, Message):
            return None
        return _of_message("binary/protobuf", value, value.SerializeToString())

    def from_payload(self, payload: _proto.Payload, type_hint: type | None = None) -> Any:
        """See `EncodingPayloadConverter`.

        Raises:
            RuntimeError: If it cannot be read.
        """
        del type_hint
        message = _message_of(payload)
        message.ParseFromString(payload.data)
        return message


def _of_message(encoding: str, value: Message, data: bytes) -> _proto.Payload:
    name = value.DESCRIPTOR.full_name.encode()
    return Payload(metadata={"encoding": encoding.encode(), "messageType": name}, data=data)


def _message_of(payload: _proto.Payload) -> Message:
    name = payload.metadata.get("messageType", b"<unknown>").decode()
    try:
        found = symbol_database.Default().GetSymbol(name)
    except KeyError as error:
        raise RuntimeError(f"Unknown Protobuf type {name}") from error
    made: Message = found()
    return made


class AdvancedJSONEncoder(json.JSONEncoder):
    """JSON with times, UUIDs, dataclasses, objects with a `dict` method, and whatever iterates."""

    def default(self, o: Any) -> Any:
        """What stands for an object that JSON does not know.

        Raises:
            TypeError: If nothing does.
        """
        if isinstance(o, datetime):
            return o.isoformat()
        if isinstance(o, uuid.UUID):
            return str(o)
        if dataclasses.is_dataclass(o) and not isinstance(o, type):
            return dataclasses.asdict(o)
        as_dict = getattr(o, "dict", None)
        if callable(as_dict):
            return as_dict()
        return list(o) if isinstance(o, collections.abc.Iterable) else super().default(o)


class JSONPlainPayloadConverter(EncodingPayloadConverter):
    """JSON.

    Args:
        encoder: Writes it; None for that of `json`.
        decoder: Reads it; None for that of `json`.
        encoding: The encoding.
        custom_type_converters: Read types of one's own.
    """

    def __init__(
        self,
        *,
        encoder: type[json.JSONEncoder] | None = AdvancedJSONEncoder,
        decoder: type[json.JSONDecoder] | None = None,
        encoding: str = "json/plain",
        custom_type_converters: Sequence[JSONTypeConverter] = (),
    ) -> None:
        self._encoder = encoder
        self._decoder = decoder
        self._encoding = encoding
        self._custom_type_converters = custom_type_converters
        self._metadata = {"encoding": encoding.encode()}

    @property
    def encoding(self) -> str:
        """See `EncodingPayloadConverter`."""
        return self._encoding

    def to_payload(self, value: Any) -> _proto.Payload | None:
        """See `EncodingPayloadConverter`."""
        text = json.dumps(value, cls=self._encoder, separators=(",", ":"), sort_keys=True)
        return Payload(metadata=self._metadata, data=text.encode())

    def from_payload(self, payload: _proto.Payload, type_hint: type | None = None) -> Any:
        """See `EncodingPayloadConverter`.

        Raises:
            RuntimeError: If it is not JSON.
            TypeError: If it is not of that type.
        """
        try:
            value = json.loads(payload.data, cls=self._decoder)
        except json.JSONDecodeError as error:
            raise RuntimeError("Failed parsing") from error
        if type_hint is None:
            return value
        return value_to_type(type_hint, value, self._custom_type_converters)


class DefaultPayloadConverter(CompositePayloadConverter):
    """`None`, bytes, messages of protobuf, and JSON for everything else."""

    default_encoding_payload_converters: ClassVar[tuple[EncodingPayloadConverter, ...]] = (
        BinaryNullPayloadConverter(),
        BinaryPlainPayloadConverter(),
        JSONProtoPayloadConverter(),
        BinaryProtoPayloadConverter(),
        JSONPlainPayloadConverter(),
    )

    def __init__(self) -> None:
        super().__init__(*self.default_encoding_payload_converters)


# --- codecs, and all of it together ---------------------------------------------------------------


class PayloadCodec(ABC):
    """Encodes payloads once more, for example to encrypt or to compress them."""

    @abstractmethod
    async def encode(self, payloads: Sequence[_proto.Payload]) -> list[_proto.Payload]:
        """The payloads as they travel and are kept."""

    @abstractmethod
    async def decode(self, payloads: Sequence[_proto.Payload]) -> list[_proto.Payload]:
        """The payloads as they were before `encode`."""


@dataclass(frozen=True)
class DataConverter:
    """How values and exceptions travel.

    Attributes:
        payload_converter_class: The class of the payload converter, made without arguments.
        payload_codec: Encodes payloads once more; None for nobody.
        failure_converter_class: The class of the failure converter, made without arguments.
        payload_converter: The payload converter.
        failure_converter: The failure converter.
        default: The one that is used unless another is given.
    """

    payload_converter_class: type[PayloadConverter] = DefaultPayloadConverter
    payload_codec: PayloadCodec | None = None
    failure_converter_class: type[FailureConverter] = DefaultFailureConverter
    payload_converter: PayloadConverter = field(init=False)
    failure_converter: FailureConverter = field(init=False)
    default: ClassVar[DataConverter]

    def __post_init__(self) -> None:
        object.__setattr__(self, "payload_converter", self.payload_converter_class())
        object.__setattr__(self, "failure_converter", self.failure_converter_class())

    async def encode(self, values: Sequence[Any]) -> list[_proto.Payload]:
        """The payloads of values as they travel."""
        payloads = self.payload_converter.to_payloads(values)
        return await self.encoded(payloads)

    async def decode(
        self, payloads: Sequence[_proto.Payload], type_hints: list[type] | None = None
    ) -> list[Any]:
        """The values of payloads that have travelled."""
        plain = await self.decoded(payloads)
        return self.payload_converter.from_payloads(plain, type_hints)

    async def encoded(self, payloads: Sequence[_proto.Payload]) -> list[_proto.Payload]:
        """Payloads after the codec, if there is one."""
        if self.payload_codec is None or not payloads:
            return list(payloads)
        return await self.payload_codec.encode(payloads)

    async def decoded(self, payloads: Sequence[_proto.Payload]) -> list[_proto.Payload]:
        """Payloads before the codec, if there is one."""
        if self.payload_codec is None or not payloads:
            return list(payloads)
        return await self.payload_codec.decode(payloads)

    async def encode_failure(self, exception: BaseException, failure: _proto.Failure) -> None:
        """Write an exception into a failure as it travels."""
        self.failure_converter.to_failure(exception, self.payload_converter, failure)
        await self._each_payload(failure, self.encoded)

    async def decode_failure(self, failure: _proto.Failure) -> BaseException:
        """The exception of a failure that has travelled."""
        plain = _proto.Failure()
        plain.CopyFrom(failure)
        await self._each_payload(plain, self.decoded)
        return self.failure_converter.from_failure(plain, self.payload_converter)

    async def _each_payload(self, failure: _proto.Failure, convert: Any) -> None:
        if self.payload_codec is None:
            return
        at: _proto.Failure | None = failure
        while at is not None:
            if at.HasField("encoded_attributes"):
                [payload] = await convert([at.encoded_attributes])
                at.encoded_attributes.CopyFrom(payload)
            for details in payloads_of(at):
                converted = await convert(list(details.payloads))
                del details.payloads[:]
                details.payloads.extend(converted)
            at = at.cause if at.HasField("cause") else None


DataConverter.default = DataConverter()


def default() -> DataConverter:
    """The data converter that is used unless another is given."""
    return DataConverter.default
