"""The door in pure Python: the reference that every other implementation is compared with.

Frequent messages are encoded by hand (`framing`, `tags`). Bytes in the form that all known encoders
give are read as they are; all other bytes are read by protobuf's own parser.

Law: an engine never looks into a message. The content of a message stays one piece of bytes, a
serialized `TypedValue`, so headers and unknown fields travel along.

Source:
    request-reply.proto
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from google.protobuf.message import DecodeError

from statefun.errors import (
    IncompleteRequestError,
    InvalidMessageError,
    RemoteProtocolError,
    RequestTypeError,
    TypeMismatchError,
)
from statefun.sdk.address import Address, parse_typename, sdk_address
from statefun.sdk.wire import _proto, tags
from statefun.sdk.wire.framing import (
    VARINTS,
    PrefixByContentLength,
    PrefixByTotalLength,
    delimited,
    present_fields,
)
from statefun.sdk.wire.records import (
    Cancellation,
    DelayedMessage,
    EgressRecord,
    Expiration,
    ExpireMode,
    Header,
    Incomplete,
    MissingValue,
    OutgoingMessage,
    Result,
    StoredValue,
    UncheckedValue,
)
from statefun.sdk.wire.scalars import STRING
from statefun.sdk.wire.text import utf8

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from statefun.sdk.address import SdkAddress
    from statefun.sdk.wire.records import AnyInvocation, AnyValue, Delayed, Headers, Reply
    from statefun.sdk.wire.scalars import Scalar

__all__ = [
    "Carrier",
    "EgressCarrier",
    "InvocationBatch",
    "MessageCarrier",
    "StateField",
    "StateLayout",
    "decode_reply",
    "decode_typed_value",
    "encode_headers",
    "encode_request",
    "encode_typed_value",
    "incoming_message",
    "outgoing_egress_message",
    "outgoing_message",
    "outgoing_text",
    "split_request",
    "write_missing",
    "write_reply",
]

T = TypeVar("T")

_CACHED_TYPENAMES = 4096


# --- endpoint: a request comes in -----------------------------------------------------------------


class InvocationBatch:
    """The messages that waited for one address, with its state: the content of one request.

    Attributes:
        typename: The typename of the address.
        target_id: Its id.
        state: The values, each a serialized PersistedValue.
        invocations: The messages in order, each a serialized Invocation.
    """

    __slots__ = ("_target", "invocations", "state", "target_id", "typename")

    def __init__(
        self,
        target: bytes,
        typename: str,
        target_id: str,
        state: list[bytes],
        invocations: list[bytes],
    ) -> None:
        self._target = target
        self.typename = typename
        self.target_id = target_id
        self.state = state
        self.invocations = invocations

    @property
    def address(self) -> SdkAddress:
        """The address."""
        return sdk_address(_proto.Address.FromString(self._target))

    def caller(self, position: int) -> SdkAddress | None:
        """The sender of the message at this position, from zero; None for an ingress."""
        caller = _proto.ToFunction.Invocation.FromString(self.invocations[position]).caller
        is_known = caller.namespace or caller.type or caller.id
        return sdk_address(caller) if is_known else None

    def value_typename(self, position: int) -> str:
        """The typename of the value of the message at this position, from zero."""
        return _proto.ToFunction.Invocation.FromString(self.invocations[position]).argument.typename


_parse_whole = _proto.ToFunction.FromString
_parse_into_pieces = _proto.ToFunctionInPieces.FromString


def split_request(body: bytes | bytearray | memoryview) -> InvocationBatch:
    """The batch inside a ToFunction.

    The request is read twice: once as a whole, so that nothing malformed gets further, and once
    into pieces of bytes, which are cheaper than as many objects.

    Raises:
        RemoteProtocolError: If the bytes are not a ToFunction.
        IncompleteRequestError: If there is no invocation in it, or no target.
    """
    data = body if type(body) is bytes else _plain_bytes(body)
    try:
        _parse_whole(data)
    except (DecodeError, ValueError, RecursionError) as error:
        raise RemoteProtocolError(
            f"{len(data)} bytes are not a ToFunction: {error}", size_bytes=len(data)
        ) from error
    pieces = _split_short(data) if len(data) <= _SHORT else None
    target, state, invocations = pieces or _split_by_protobuf(data)
    typename, target_id = _typename_and_id(target)
    if typename == "/" and not target_id:
        missing = "target" if invocations else "invocation"
        raise IncompleteRequestError(
            f"a request of {len(data)} bytes has no {missing}: an engine always sends one"
        )
    return InvocationBatch(target, typename, target_id, state, invocations)


Pieces: TypeAlias = tuple[bytes, list[bytes], list[bytes]]
"""The target, the state and the invocations of a batch."""


def _split_by_protobuf(data: bytes) -> Pieces:
    batch = _parse_into_pieces(data).invocation
    return batch.target.SerializeToString(), batch.state[:], batch.invocations[:]


_SHORT = 300  # bytes; splitting few pieces by hand is cheaper than protobuf's containers
_REQUEST_PREFIXES = PrefixByTotalLength(tags.REQUEST_INVOCATION)
[_TARGET_TAG] = tags.BATCH_TARGET
[_STATE_TAG] = tags.BATCH_STATE
[_INVOCATION_TAG] = tags.BATCH_INVOCATIONS


def _split_short(data: bytes) -> Pieces | None:
    """The pieces of a short and well-formed request.

    None unless it has the usual encoding, one target and no other fields.
    """
    batch = data.removeprefix(_REQUEST_PREFIXES[len(data)])
    end = len(batch)
    if end == len(data):
        return None
    target: bytes | None = None
    state: list[bytes] = []
    invocations: list[bytes] = []
    at = 0
    while at < end:
        tag, size = batch[at], batch[at + 1]
        start = at + 2
        if size > 0x7F:  # a length of two bytes, or of more in an unusual encoding
            if batch[start] > 0x7F:
                return None
            size += (batch[start] - 1) << 7
            start += 1
        at = start + size
        if tag == _INVOCATION_TAG:
            invocations.append(batch[start:at])
        elif tag == _STATE_TAG:
            state.append(batch[start:at])
        elif tag == _TARGET_TAG and target is None:
            target = batch[start:at]
        else:
            return None
    return None if target is None else (target, state, invocations)


_ID_PREFIXES = PrefixByTotalLength(tags.ADDRESS_ID)


def _typename_and_id(target: bytes) -> tuple[str, str]:
    """The typename and the id in a well-formed Address.

    The bytes of the first two fields, if short, are looked up as a whole; the id must be the rest.
    Splitting is right because protobuf reads two messages in a row as one.
    """
    try:
        second_at = target[1] + 2
        third_at = second_at + target[second_at + 1] + 2
    except IndexError:
        third_at = 0
    typename, id_field = _typename_in(target[:third_at]), target[third_at:]
    id_bytes = id_field.removeprefix(_ID_PREFIXES[len(id_field)])
    if typename is not None and len(id_bytes) < len(id_field):
        return typename, id_bytes.decode()
    address = _proto.Address.FromString(target)
    return f"{address.namespace}/{address.type}", address.id


@lru_cache(maxsize=_CACHED_TYPENAMES)
def _typename_in(fields: bytes) -> str | None:
    """The typename in the first fields of an Address; None if they end inside a field."""
    try:
        address = _proto.Address.FromString(fields)
    except (DecodeError, ValueError, RecursionError):
        return None
    return f"{address.namespace}/{address.type}"


def _plain_bytes(body: object) -> bytes:
    if isinstance(body, bytes | bytearray | memoryview):
        return bytes(body)
    raise RequestTypeError(
        f"the body of a request must be bytes, got {type(body).__name__}: pass the body unchanged"
    )


# --- endpoint: state ------------------------------------------------------------------------------

_PersistedValue = _proto.ToFunction.PersistedValue

Cell: TypeAlias = bytes | UncheckedValue | None
"""A value as it came in: its bytes, None if there is no value, or a value of a doubtful type."""


class StateField:
    """The bytes around one value of a function's state.

    Args:
        name: The name of the value.
        typename: The typename of its type.

    Attributes:
        name_field: The name, as it stands first in a serialized PersistedValue.
        prefixes: For a serialized PersistedValue with a value of the declared type.
        modification_prefixes: For a mutation that writes, as a field of the result.
        deletion: The mutation that deletes the value, for `write_reply`.
    """

    __slots__ = ("deletion", "modification_prefixes", "name", "name_field", "prefixes")

    def __init__(self, name: str, typename: str) -> None:
        encoded_name, present = name.encode(), present_fields(typename)
        name_of_mutation = delimited(tags.MUTATION_STATE_NAME, encoded_name)
        self.name = name
        self.name_field = delimited(tags.PERSISTED_STATE_NAME, encoded_name)
        self.prefixes = PrefixByTotalLength(self.name_field + tags.PERSISTED_STATE_VALUE, present)
        self.modification_prefixes = PrefixByContentLength(
            tags.RESULT_STATE_MUTATIONS,
            tags.MUTATION_TYPE + tags.TRUE + name_of_mutation + tags.MUTATION_STATE_VALUE,
            present,
        )
        self.deletion = delimited(tags.RESULT_STATE_MUTATIONS, name_of_mutation)

    def modification(self, data: bytes) -> bytes:
        """The mutation that writes a value, for `write_reply`."""
        return self.modification_prefixes[len(data)] + data


class StateLayout:
    """The values of one function, as requests carry them.

    Args:
        fields: In the order of declaration.
    """

    __slots__ = ("_by_name", "_order")

    def __init__(self, fields: Sequence[StateField]) -> None:
        self._by_name = {field.name: field for field in fields}
        self._order = tuple(fields)

    def read(self, state: Sequence[bytes]) -> dict[str, Cell]:
        """The values of a request: value name → `Cell`.

        Values that are sent and not declared are ignored; if a name is sent twice, the last counts.
        Values that are declared and not sent are absent.

        Args:
            state: Serialized PersistedValues, well-formed.
        """
        cells: dict[str, Cell] = {}
        for sent, field in zip(state, self._order):  # noqa: B905 - the keyword alone costs 2 %
            size = len(sent)
            data = sent.removeprefix(field.prefixes[size])
            if len(data) < size:
                cells[field.name] = data
            elif sent == field.name_field:
                cells[field.name] = None
            else:
                break
        return self._read_by_name(state) if len(cells) < len(state) else cells

    def _read_by_name(self, state: Sequence[bytes]) -> dict[str, Cell]:
        """Read another order, a value that is not declared, or an unusual encoding."""
        cells: dict[str, Cell] = {}
        values = [_PersistedValue.FromString(sent) for sent in state]
        for value in values:
            if value.state_name in self._by_name:
                typed = value.state_value
                cells[value.state_name] = (
                    UncheckedValue(typed.typename, typed.value) if typed.has_value else None
                )
        if len(cells) == len(self._by_name) == len(values):
            # An engine has an order of its own and keeps to it: the next request will be in it.
            self._order = tuple(self._by_name[name] for name in cells)
        return cells


# --- values and headers ---------------------------------------------------------------------------


def encode_typed_value(typename: str, data: bytes, headers: Headers | None = None) -> bytes:
    """A serialized `TypedValue` that is present.

    Args:
        typename: The name of the value's type.
        data: The value's bytes; may be empty.
        headers: Headers that travel with the value.
    """
    encoded = present_fields(typename) + VARINTS[len(data)] + data
    return encoded + encode_headers(headers) if headers else encoded


def decode_typed_value(argument: bytes) -> StoredValue:
    """The typename and the bytes of a serialized `TypedValue`; no bytes if it has no value.

    Raises:
        RemoteProtocolError: If the bytes are not a TypedValue.
    """
    try:
        typed = _proto.TypedValue.FromString(argument)
    except (DecodeError, ValueError) as error:
        raise RemoteProtocolError(
            f"{len(argument)} bytes are not a TypedValue: {error}", size_bytes=len(argument)
        ) from error
    return StoredValue(typed.typename, typed.value)


def encode_headers(headers: Headers, tag: bytes = tags.TYPED_VALUE_METADATA) -> bytes:
    """Headers as repeated fields, in order, duplicates kept; text values as UTF-8.

    Args:
        headers: Key → value, or pairs of both.
        tag: The tag of the repeated field; by default the fields go behind a `TypedValue`.

    Raises:
        InvalidMessageError: If they are not headers.

    Source:
        request-reply.proto, TypedValue.Metadata; kafka-egress.proto, KafkaProducerRecord.Header.
    """
    encoded = b""
    for key, value in _pairs(headers):
        field = delimited(tags.HEADER_KEY, utf8(key, "a header's key"))
        if value is not None:
            data = utf8(value, f"header {key!r}") if isinstance(value, str) else value
            if not isinstance(data, bytes | bytearray | memoryview):
                raise InvalidMessageError(
                    f"header {key!r} has a value of type {type(value).__name__}: "
                    "pass bytes, text, or None for a null value",
                    argument="headers",
                    given=type(value).__name__,
                )
            field += delimited(tags.HEADER_VALUE, bytes(data)) + tags.HEADER_HAS_VALUE + tags.TRUE
        encoded += delimited(tag, field)
    return encoded


def _pairs(headers: Any) -> list[tuple[Any, Any]]:
    try:
        pairs = headers.items() if hasattr(headers, "items") else headers
        return [(key, value) for key, value in pairs]
    except (TypeError, ValueError) as error:
        raise InvalidMessageError(
            f"headers must be a mapping or pairs of key and value, got {headers!r}",
            argument="headers",
            given=repr(headers),
        ) from error


# --- endpoint: messages ---------------------------------------------------------------------------


class Carrier:
    """A `TypedValue` inside a message, as bytes or as a protobuf object.

    A carrier holds the bytes that came in, the bytes that a builder made, or an object. Once
    somebody has asked for the object, and so may change it, only the object counts.
    """

    __slots__ = ("_encoded", "_held")

    _encoded: bytes
    """A serialized `TypedValue`, made by a builder."""

    _held: bytes | _proto.TypedValue | None
    """A serialized Invocation that came in; or the object; None: `_encoded` counts."""

    @property
    def typed_value(self) -> _proto.TypedValue:
        """The value as a protobuf `TypedValue`; changing it changes the message."""
        held = self._held
        if held is None:
            held = _proto.TypedValue.FromString(self._encoded)
        elif isinstance(held, bytes):
            held = _proto.ToFunction.Invocation.FromString(held).argument
        self._held = held
        return held

    @typed_value.setter
    def typed_value(self, typed: _proto.TypedValue) -> None:
        self._held = typed

    @property
    def headers(self) -> tuple[Header, ...]:
        """The headers, in order, duplicates kept; empty where the engine does not know them."""
        typed = self.typed_value
        if not isinstance(typed, _proto.TypedValue):  # of another copy of the schema
            typed = _proto.TypedValue.FromString(self.argument())
        return tuple(
            Header(each.key, each.value if each.has_value else None) for each in typed.metadata
        )

    def value_typename(self) -> str:
        """The typename of the value."""
        return self.typed_value.typename

    def raw_value(self) -> bytes | None:
        """The bytes of the value, None if there is none."""
        typed = self.typed_value
        return typed.value if typed.has_value else None

    def argument(self) -> bytes:
        """The serialized `TypedValue`, with headers and unknown fields."""
        return self._encoded if self._held is None else self.typed_value.SerializeToString()

    def value_of(self, scalar: Scalar[T]) -> T | None:
        """The value of a built-in type, None if there is none.

        Raises:
            TypeMismatchError: If the value is of another type.
        """
        held = self._held
        if type(held) is bytes:
            size = len(held)
            content = held.removeprefix(scalar.argument_prefixes[size])
            if len(content) < size:
                return scalar.decode_content(content)
            if size and held[0] == _CALLER_TAG and held[1] <= 0x7F:  # a length of one byte
                argument = held[2 + held[1] :]
                content = argument.removeprefix(scalar.argument_prefixes[len(argument)])
                if len(content) < len(argument):
                    return scalar.decode_content(content)
        typed = self.typed_value
        if not typed.has_value:
            return None
        if typed.typename != scalar.typename:
            raise TypeMismatchError("the message", scalar.typename, typed.typename)
        return scalar.decode(typed.value)

    def is_of(self, typename: str) -> bool:
        """Whether the value carries this typename."""
        return self.received_bytes(typename) is not None or self.typed_value.typename == typename

    def received_bytes(self, typename: str) -> bytes | None:
        """The value's bytes as they came in.

        None unless the value has this typename and the message the usual encoding.
        """
        held = self._held
        return _content(held, _argument_prefixes(typename)) if type(held) is bytes else None


class MessageCarrier(Carrier):
    """A `TypedValue` on its way to a function."""

    __slots__ = ("target_id", "target_typename")

    target_typename: str
    target_id: str


class EgressCarrier(Carrier):
    """A `TypedValue` on its way to an egress."""

    __slots__ = ("typename",)

    typename: str


M = TypeVar("M", bound=MessageCarrier)
E = TypeVar("E", bound=EgressCarrier)

_new = object.__new__


def incoming_message(
    message_class: type[M], target_typename: str, target_id: str, invocation: bytes
) -> M:
    """A message around one invocation of a batch."""
    message = _new(message_class)
    message.target_typename = target_typename
    message.target_id = target_id
    message._held = invocation  # noqa: SLF001 - these functions are the constructors of carriers
    return message


def outgoing_message(
    message_class: type[M], target_typename: str, target_id: str, encoded: bytes
) -> M:
    """A message around a serialized `TypedValue`."""
    message = _new(message_class)
    message.target_typename = target_typename
    message.target_id = target_id
    message._held = None  # noqa: SLF001
    message._encoded = encoded  # noqa: SLF001
    return message


def outgoing_text(message_class: type[M], target_typename: str, target_id: str, text: str) -> M:
    """A message with a value of the built-in string type: the short way for ASCII text."""
    message = _new(message_class)
    message.target_typename = target_typename
    message.target_id = target_id
    message._held = None  # noqa: SLF001
    message._encoded = _TEXT_PREFIXES[len(text)] + text.encode()  # noqa: SLF001
    return message


def outgoing_egress_message(message_class: type[E], typename: str, encoded: bytes) -> E:
    """An egress message around a serialized `TypedValue`."""
    message = _new(message_class)
    message.typename = typename
    message._held = None  # noqa: SLF001
    message._encoded = encoded  # noqa: SLF001
    return message


_TEXT_PREFIXES = PrefixByContentLength(*STRING.frame)
_TEXT_PREFIXES[0] = present_fields(STRING.typename) + VARINTS[0]  # the empty string has no field

[_CALLER_TAG] = tags.INVOCATION_CALLER


def _after_caller(invocation: bytes) -> bytes:
    """A serialized Invocation without its caller, if the caller stands first and is short."""
    if (
        invocation and invocation[0] == _CALLER_TAG and invocation[1] <= 0x7F
    ):  # a length of one byte
        return invocation[2 + invocation[1] :]
    return invocation


def _content(invocation: bytes, prefixes: PrefixByTotalLength) -> bytes | None:
    """The content behind one of the prefixes in a serialized Invocation; None for any other."""
    argument = _after_caller(invocation)
    content = argument.removeprefix(prefixes[len(argument)])
    return content if len(content) < len(argument) else None


@lru_cache(maxsize=_CACHED_TYPENAMES)
def _argument_prefixes(typename: str) -> PrefixByTotalLength:
    """For a serialized Invocation without its caller, with a present value of this type."""
    return PrefixByTotalLength(tags.INVOCATION_ARGUMENT, present_fields(typename))


# --- endpoint: a reply goes out -------------------------------------------------------------------


def write_missing(values: Iterable[MissingValue]) -> bytes:
    """A FromFunction that asks for these values."""
    missing = [delimited(tags.INCOMPLETE_MISSING_VALUES, _value_spec(each)) for each in values]
    return delimited(tags.REPLY_INCOMPLETE, b"".join(missing))


def _value_spec(value: MissingValue) -> bytes:
    expiration = b""
    if value.expiration.mode is not ExpireMode.NEVER:
        expiration = tags.EXPIRATION_MODE + VARINTS[value.expiration.mode]
        expiration += tags.EXPIRATION_MILLIS + VARINTS[value.expiration.millis]
    return (
        delimited(tags.MISSING_STATE_NAME, value.name.encode())
        + delimited(tags.MISSING_EXPIRATION, expiration)
        + delimited(tags.MISSING_TYPENAME, value.typename.encode())
        + b"".join(delimited(tags.MISSING_UPGRADED, each.encode()) for each in value.upgrades)
    )


def write_reply(
    messages: Iterable[MessageCarrier],
    delayed: Iterable[Delayed],
    egress: Iterable[EgressCarrier],
    mutations: Iterable[bytes],
) -> bytes:
    """A FromFunction with the effects of a batch; zero bytes if there are none.

    Args:
        messages: In the order they were sent.
        delayed: Delayed messages and cancellations, in order.
        egress: In the order they were sent.
        mutations: Made by `StateField`, at most one for each name.

    Raises:
        InvalidMessageError, InvalidTypenameError: If a message was made invalid after it was sent.
    """
    parts: list[bytes] = []
    for message in messages:  # many small pieces and one join: the cheapest way
        target_id = message.target_id
        is_plain = type(target_id) is str and target_id.isascii()
        id_bytes = target_id.encode() if is_plain else utf8(target_id, "a target id")
        prefix = _TARGET_PREFIXES[message.target_typename][len(id_bytes)]
        argument = message._encoded if message._held is None else message.argument()  # noqa: SLF001 - a carrier, so ours
        size = _ARGUMENT_PREFIXES[len(argument)]
        whole = _MESSAGE_PREFIXES[len(prefix) + len(id_bytes) + len(size) + len(argument)]
        parts += (whole, prefix, id_bytes, size, argument)
    if delayed:
        parts += [delimited(tags.RESULT_DELAYED_INVOCATIONS, _delayed_field(d)) for d in delayed]
    if egress:
        parts += [delimited(tags.RESULT_OUTGOING_EGRESSES, _egress_field(e)) for e in egress]
    parts += mutations
    if not parts:
        return b""
    content = b"".join(parts)
    return _RESULT_PREFIXES[len(content)] + content


_RESULT_PREFIXES = PrefixByContentLength(tags.REPLY_INVOCATION_RESULT)
_MESSAGE_PREFIXES = PrefixByContentLength(tags.RESULT_OUTGOING_MESSAGES)
_ARGUMENT_PREFIXES = PrefixByContentLength(tags.OUTGOING_ARGUMENT)


class _TargetPrefixes(dict[str, PrefixByContentLength]):
    """Typename → the target of an outgoing message, up to the bytes of the id.

    Faster than a cached function, and emptied where that one would forget the oldest.
    """

    def __missing__(self, typename: str) -> PrefixByContentLength:
        fields = _typename_fields(typename) + tags.ADDRESS_ID
        if len(self) >= _CACHED_TYPENAMES:
            self.clear()
        prefixes = self[typename] = PrefixByContentLength(tags.OUTGOING_TARGET, fields)
        return prefixes


_TARGET_PREFIXES = _TargetPrefixes()


@lru_cache(maxsize=_CACHED_TYPENAMES)
def _typename_fields(typename: str) -> bytes:
    """The first two fields of an Address."""
    namespace, name = parse_typename(typename)
    return delimited(tags.ADDRESS_NAMESPACE, namespace.encode()) + delimited(
        tags.ADDRESS_TYPE, name.encode()
    )


def _address(typename: str, target_id: str) -> bytes:
    """A serialized Address."""
    return _typename_fields(typename) + delimited(tags.ADDRESS_ID, utf8(target_id, "an id"))


def _delayed_field(delayed: Delayed) -> bytes:
    token = delimited(tags.DELAYED_TOKEN, delayed.token.encode()) if delayed.token else b""
    if isinstance(delayed, Cancellation):
        return tags.DELAYED_IS_CANCELLATION + tags.TRUE + token
    delay = tags.DELAYED_DELAY_IN_MS + VARINTS[delayed.delay_ms] if delayed.delay_ms else b""
    message = delayed.message
    target = delimited(tags.DELAYED_TARGET, _address(message.target_typename, message.target_id))
    return delay + target + delimited(tags.DELAYED_ARGUMENT, message.argument()) + token


def _egress_field(message: EgressCarrier) -> bytes:
    namespace, name = parse_typename(message.typename)
    return (
        delimited(tags.EGRESS_NAMESPACE, namespace.encode())
        + delimited(tags.EGRESS_TYPE, name.encode())
        + delimited(tags.EGRESS_ARGUMENT, message.argument())
    )


# --- engine: a request goes out -------------------------------------------------------------------


@lru_cache(maxsize=_CACHED_TYPENAMES)
def _name_of_state(name: str) -> bytes:
    return delimited(tags.PERSISTED_STATE_NAME, name.encode())


@lru_cache(maxsize=_CACHED_TYPENAMES)
def _absent(name: str) -> bytes:
    """The state of a value that is not there."""
    return delimited(tags.BATCH_STATE, _name_of_state(name))


def _stored(name: str, value: AnyValue) -> bytes:
    data = value.data
    typed = present_fields(value.typename) + VARINTS[len(data)] + data
    field = _name_of_state(name) + tags.PERSISTED_STATE_VALUE + VARINTS[len(typed)] + typed
    return tags.BATCH_STATE + VARINTS[len(field)] + field


def encode_request(
    target: Address,
    state: Mapping[str, AnyValue | None],
    invocations: Iterable[AnyInvocation],
) -> bytes:
    """A ToFunction.

    Args:
        target: The address that the batch is for.
        state: Every value registered for the function: name → its value, None if there is none.
        invocations: The messages, in order.
    """
    parts = [delimited(tags.BATCH_TARGET, _address(*target))]
    parts += [
        _absent(name) if value is None else _stored(name, value) for name, value in state.items()
    ]
    for invocation in invocations:
        argument = delimited(tags.INVOCATION_ARGUMENT, invocation.argument)
        if invocation.caller is not None:
            argument = delimited(tags.INVOCATION_CALLER, _address(*invocation.caller)) + argument
        parts.append(delimited(tags.BATCH_INVOCATIONS, argument))
    return delimited(tags.REQUEST_INVOCATION, b"".join(parts))


# --- engine: a reply comes in ---------------------------------------------------------------------


def decode_reply(body: bytes) -> Reply:
    """A FromFunction; with neither alternative set it is an empty result.

    Raises:
        RemoteProtocolError: If the bytes are not a FromFunction, or the kind of a mutation is
            unknown.
    """
    try:
        reply = _proto.FromFunction.FromString(body)
    except (DecodeError, ValueError, RecursionError) as error:
        raise RemoteProtocolError(
            f"{len(body)} bytes are not a FromFunction: {error}", size_bytes=len(body)
        ) from error
    if reply.HasField("incomplete_invocation_context"):
        missing = reply.incomplete_invocation_context.missing_values
        return Incomplete(tuple(map(_missing_value, missing)))
    # Most results have one kind of effect, and a look at a field that is not there has its price.
    fields: dict[str, Any] = {}
    for field, effects in reply.invocation_result.ListFields():
        fields[field.name] = effects
    return Result(
        tuple([_outgoing(each) for each in fields.get("outgoing_messages", ())]),
        tuple([_delayed(each) for each in fields.get("delayed_invocations", ())]),
        tuple([_record(each) for each in fields.get("outgoing_egresses", ())]),
        dict([_mutation(each) for each in fields.get("state_mutations", ())]),
    )


def _plain_address(address: _proto.Address) -> Address:
    return Address(f"{address.namespace}/{address.type}", address.id)


def _outgoing(message: _proto.FromFunction.Invocation) -> OutgoingMessage:
    return OutgoingMessage(_plain_address(message.target), message.argument.SerializeToString())


def _record(message: _proto.FromFunction.EgressMessage) -> EgressRecord:
    typename = f"{message.egress_namespace}/{message.egress_type}"
    return EgressRecord(typename, message.argument.SerializeToString())


def _delayed(message: _proto.FromFunction.DelayedInvocation) -> DelayedMessage | Cancellation:
    if message.is_cancellation_request:
        return Cancellation(message.cancellation_token)
    return DelayedMessage(
        message.delay_in_ms,
        _plain_address(message.target),
        message.argument.SerializeToString(),
        message.cancellation_token,
    )


_MODIFY = _proto.FromFunction.PersistedValueMutation.MODIFY
_DELETE = _proto.FromFunction.PersistedValueMutation.DELETE


def _mutation(
    mutation: _proto.FromFunction.PersistedValueMutation,
) -> tuple[str, StoredValue | None]:
    kind = mutation.mutation_type
    if kind == _MODIFY:
        value = mutation.state_value
        return mutation.state_name, StoredValue(value.typename, value.value)
    if kind == _DELETE:
        return mutation.state_name, None
    raise RemoteProtocolError(
        f"value {mutation.state_name!r} has the unknown mutation type {kind}: "
        "expected DELETE (0) or MODIFY (1)",
        value_name=mutation.state_name,
    )


def _missing_value(spec: _proto.FromFunction.PersistedValueSpec) -> MissingValue:
    mode = int(spec.expiration_spec.mode)
    never = mode not in (ExpireMode.AFTER_WRITE, ExpireMode.AFTER_CALL)
    millis = spec.expiration_spec.expire_after_millis
    expiration = Expiration() if never else Expiration(ExpireMode(mode), millis)
    upgrades = tuple(spec.upgraded_typenames)
    return MissingValue(spec.state_name, spec.type_typename, expiration, upgrades)
