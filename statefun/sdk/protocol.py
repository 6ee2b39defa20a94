"""Bytes to requests and replies, and back: all four directions of the request/reply protocol.

An endpoint decodes requests and encodes replies; an engine encodes requests and decodes replies.
What is hot is encoded by hand (`wire`); everything is decoded by protobuf's own parser.

Law: an engine never looks into a message. What a message carries stays one piece of bytes, a
serialized `TypedValue`, so headers and fields nobody here knows travel along.

Source:
    request-reply.proto
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, TypeAlias

from google.protobuf.message import DecodeError

from statefun.errors import IncompleteRequestError, RemoteProtocolError
from statefun.sdk import _proto
from statefun.sdk.address import Address, parse_typename
from statefun.sdk.batch import Batch
from statefun.sdk.effects import Cancel
from statefun.sdk.messages import encode_address, typename_fields
from statefun.sdk.specs import Expiration, ExpireMode
from statefun.sdk.valuetypes import utf8
from statefun.sdk.wire import VARINTS, Heads, HeadsOfWholes, delimited

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from statefun.sdk.effects import Delayed, Effects
    from statefun.sdk.messages import EgressMessage
    from statefun.sdk.specs import ValueSpec

__all__ = [
    "Cancellation",
    "DelayedMessage",
    "EgressRecord",
    "Incomplete",
    "Invocation",
    "MissingValue",
    "OutgoingMessage",
    "Reply",
    "Result",
    "StoredValue",
    "decode_reply",
    "decode_request",
    "decode_typed_value",
    "encode_incomplete",
    "encode_request",
    "encode_result",
]


# --- what an engine sends and gets ----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class StoredValue:
    """A value of an address's state: its typename and its bytes."""

    typename: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Invocation:
    """One message of a batch.

    Attributes:
        caller: Who sent it; None if it came from an ingress.
        argument: A serialized `TypedValue`.
    """

    caller: Address | None
    argument: bytes


@dataclass(frozen=True, slots=True)
class OutgoingMessage:
    """A message to a function; `argument` is a serialized `TypedValue`."""

    target: Address
    argument: bytes


@dataclass(frozen=True, slots=True)
class DelayedMessage:
    """A message to a function after `delay_ms` (as received, maybe negative).

    `token` is empty if the message cannot be cancelled.
    """

    delay_ms: int
    target: Address
    argument: bytes
    token: str


@dataclass(frozen=True, slots=True)
class Cancellation:
    """The wish to forget the pending delayed message with this token (as received, maybe empty)."""

    token: str


@dataclass(frozen=True, slots=True)
class EgressRecord:
    """A message to the egress `typename`; `argument` is a serialized `TypedValue`."""

    typename: str
    argument: bytes


@dataclass(frozen=True, slots=True)
class Result:
    """What a batch asks for.

    Attributes:
        messages: In the order they were sent.
        delayed: Delayed messages and cancellations, in order.
        egress: In the order they were sent.
        mutations: Value name → its new value, None to delete it.
    """

    messages: tuple[OutgoingMessage, ...] = ()
    delayed: tuple[DelayedMessage | Cancellation, ...] = ()
    egress: tuple[EgressRecord, ...] = ()
    mutations: Mapping[str, StoredValue | None] | None = None


@dataclass(frozen=True, slots=True)
class MissingValue:
    """A value that the function declares and the request did not carry."""

    name: str
    typename: str
    expiration: Expiration


@dataclass(frozen=True, slots=True)
class Incomplete:
    """The function did not run: it needs these values in the request too."""

    missing: tuple[MissingValue, ...]


Reply: TypeAlias = Result | Incomplete


# --- endpoint side --------------------------------------------------------------------------------


_parse_whole = _proto.ToFunction.FromString
_parse_into_pieces = _proto.ToFunctionInPieces.FromString


def decode_request(body: bytes | bytearray | memoryview) -> Batch:
    """The batch inside a ToFunction.

    The request is read twice: whole, so that nothing malformed comes further, and then into pieces
    of bytes, which are cheaper to look into than as many objects.

    Raises:
        RemoteProtocolError: If the bytes are no ToFunction.
        IncompleteRequestError: If there is no invocation in it, or no target.
    """
    data = body if type(body) is bytes else _plain_bytes(body)
    try:
        request = _parse_whole(data)
    except (DecodeError, ValueError, RecursionError) as error:
        raise RemoteProtocolError(f"{len(data)} bytes are no ToFunction: {error}") from error
    pieces = _cut(data) if len(data) <= _SHORT else None
    target, state, invocations = pieces or _cut_by_protobuf(data)
    typename, target_id = _typename_and_id(target)
    if typename == "/" and not target_id:
        missing = "target" if invocations else "invocation"
        raise IncompleteRequestError(
            f"a request of {len(data)} bytes has no {missing}: an engine always sends one"
        )
    return Batch(request, typename, target_id, state, invocations)


Pieces: TypeAlias = tuple[bytes, list[bytes], list[bytes]]
"""The target, the state and the invocations of a batch."""


def _cut_by_protobuf(data: bytes) -> Pieces:
    batch = _parse_into_pieces(data).invocation
    return batch.target.SerializeToString(), batch.state[:], batch.invocations[:]


_SHORT = 300  # bytes; to cut few pieces by hand is cheaper than protobuf's containers
_REQUESTS = HeadsOfWholes(b"\xa2\x06")


def _cut(data: bytes) -> Pieces | None:
    """The same for a short and well-formed request.

    None unless it is encoded as everybody does it, with one target and no other fields.
    """
    batch = data.removeprefix(_REQUESTS[len(data)])
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
        if size > 0x7F:  # a length of two bytes, or if the request is odd of more
            if batch[start] > 0x7F:
                return None
            size += (batch[start] - 1) << 7
            start += 1
        at = start + size
        if tag == 0x1A:
            invocations.append(batch[start:at])
        elif tag == 0x12:
            state.append(batch[start:at])
        elif tag == 0x0A and target is None:
            target = batch[start:at]
        else:
            return None
    return None if target is None else (target, state, invocations)


_IDS = HeadsOfWholes(b"\x1a")


def _typename_and_id(target: bytes) -> tuple[str, str]:
    """What a well-formed Address says.

    It is cut behind its second field, if the first two are short, and before the id if the rest is
    nothing else: protobuf's rule is that two messages in a row are the same as one.
    """
    try:
        second_at = target[1] + 2
        third_at = second_at + target[second_at + 1] + 2
    except IndexError:
        third_at = 0
    typename, id_field = _typename_in(target[:third_at]), target[third_at:]
    id_bytes = id_field.removeprefix(_IDS[len(id_field)])
    if typename is not None and len(id_bytes) < len(id_field):
        return typename, id_bytes.decode()
    address = _proto.Address.FromString(target)
    return f"{address.namespace}/{address.type}", address.id


@lru_cache(maxsize=4096)
def _typename_in(fields: bytes) -> str | None:
    """The typename in the first fields of an Address; None if they are cut in the middle of one."""
    try:
        address = _proto.Address.FromString(fields)
    except (DecodeError, ValueError, RecursionError):
        return None
    return f"{address.namespace}/{address.type}"


def _plain_bytes(body: object) -> bytes:
    if isinstance(body, bytes | bytearray | memoryview):
        return bytes(body)
    raise RemoteProtocolError(f"a request is bytes, got {type(body).__name__}")


def encode_incomplete(specs: Iterable[ValueSpec]) -> bytes:
    """A FromFunction that asks for these values."""
    return delimited(b"\xaa\x06", b"".join(delimited(b"\x0a", _value_spec(spec)) for spec in specs))


def _value_spec(spec: ValueSpec) -> bytes:
    expiration = b""
    if spec.expiration.mode is not ExpireMode.NEVER:
        expiration = b"\x08" + VARINTS[spec.expiration.mode]
        expiration += b"\x10" + VARINTS[spec.expiration.millis]
    return (
        delimited(b"\x0a", spec.name.encode())
        + delimited(b"\x12", expiration)
        + delimited(b"\x1a", spec.type.typename.encode())
    )


def encode_result(effects: Effects, mutations: Iterable[bytes]) -> bytes:
    """A FromFunction with what a batch asks for; zero bytes if it asks for nothing.

    Args:
        effects: What the functions asked for.
        mutations: Fields of the result, from `StorageSpec.seal`.

    Raises:
        InvalidMessageError, InvalidTypenameError: If a message was made unfit after it was sent.
    """
    parts: list[bytes] = []
    for message in effects.messages:  # piece by piece: joining once is what makes it cheap
        target_id = message.target_id
        is_plain = type(target_id) is str and target_id.isascii()
        id_bytes = target_id.encode() if is_plain else utf8(target_id, "a target id")
        head = _target_heads(message.target_typename)[len(id_bytes)]
        built = message._held is None  # noqa: SLF001 - hot
        argument = message._encoded if built else message.argument()  # noqa: SLF001
        size = _FIELD_2[len(argument)]
        whole = _FIELD_2[len(head) + len(id_bytes) + len(size) + len(argument)]
        parts += (whole, head, id_bytes, size, argument)
    if effects.delayed:
        parts += [delimited(b"\x1a", _delayed_invocation(each)) for each in effects.delayed]
    if effects.egress:
        parts += [delimited(b"\x22", _egress(each)) for each in effects.egress]
    parts += mutations
    if not parts:
        return b""
    content = b"".join(parts)
    return _RESULT[len(content)] + content


_RESULT = Heads(b"\xa2\x06")
_FIELD_2 = Heads(b"\x12")  # outgoing_messages of the result, and argument in each of them


@lru_cache(maxsize=4096)
def _target_heads(typename: str) -> Heads:
    """For an id: field 1 of an Invocation, the target, up to the bytes of the id."""
    return Heads(b"\x0a", typename_fields(typename) + b"\x1a")


def _delayed_invocation(delayed: Delayed) -> bytes:
    token = (
        delimited(b"\x5a", utf8(delayed.token, "a cancellation token")) if delayed.token else b""
    )
    if isinstance(delayed, Cancel):
        return b"\x50\x01" + token
    delay = b"\x08" + VARINTS[delayed.delay_ms] if delayed.delay_ms else b""
    message = delayed.message
    target = delimited(b"\x12", encode_address(message.target_typename, message.target_id))
    return delay + target + delimited(b"\x1a", message.argument()) + token


def _egress(message: EgressMessage) -> bytes:
    namespace, name = parse_typename(message.typename)
    return (
        delimited(b"\x0a", namespace.encode())
        + delimited(b"\x12", name.encode())
        + delimited(b"\x1a", message.argument())
    )


# --- engine side ----------------------------------------------------------------------------------


def _stored(name: str, value: StoredValue | None) -> bytes:
    field = delimited(b"\x0a", name.encode())
    if value is None:
        return field
    typed = delimited(b"\x0a", value.typename.encode()) + b"\x10\x01"
    return field + delimited(b"\x12", typed + delimited(b"\x1a", value.data))


def encode_request(
    target: Address,
    state: Mapping[str, StoredValue | None],
    invocations: Iterable[Invocation],
) -> bytes:
    """A ToFunction.

    Args:
        target: Whom the batch is for.
        state: Every value registered for the function: name → its value, None if there is none.
        invocations: The messages, in order.
    """
    parts = [delimited(b"\x0a", encode_address(*target))]
    parts += [delimited(b"\x12", _stored(name, value)) for name, value in state.items()]
    for invocation in invocations:
        argument = delimited(b"\x12", invocation.argument)
        if invocation.caller is not None:
            argument = delimited(b"\x0a", encode_address(*invocation.caller)) + argument
        parts.append(delimited(b"\x1a", argument))
    return delimited(b"\xa2\x06", b"".join(parts))


def decode_reply(body: bytes) -> Reply:
    """A FromFunction; with neither alternative set it is an empty result.

    Raises:
        RemoteProtocolError: If the bytes are no FromFunction, or a mutation is of no known kind.
    """
    try:
        reply = _proto.FromFunction.FromString(body)
    except (DecodeError, ValueError, RecursionError) as error:
        raise RemoteProtocolError(f"{len(body)} bytes are no FromFunction: {error}") from error
    if reply.HasField("incomplete_invocation_context"):
        missing = reply.incomplete_invocation_context.missing_values
        return Incomplete(tuple(map(_missing_value, missing)))
    result = reply.invocation_result
    return Result(
        tuple(_outgoing(each) for each in result.outgoing_messages),
        tuple(_delayed(each) for each in result.delayed_invocations),
        tuple(
            EgressRecord(
                f"{each.egress_namespace}/{each.egress_type}", each.argument.SerializeToString()
            )
            for each in result.outgoing_egresses
        ),
        dict(map(_mutation, result.state_mutations)),
    )


def decode_typed_value(argument: bytes) -> StoredValue:
    """The typename and the bytes of a serialized `TypedValue`; no bytes if it has no value.

    Raises:
        RemoteProtocolError: If the bytes are no TypedValue.
    """
    try:
        typed = _proto.TypedValue.FromString(argument)
    except (DecodeError, ValueError) as error:
        raise RemoteProtocolError(f"{len(argument)} bytes are no TypedValue: {error}") from error
    return StoredValue(typed.typename, typed.value)


def _plain_address(address: _proto.Address) -> Address:
    return Address(f"{address.namespace}/{address.type}", address.id)


def _outgoing(message: _proto.FromFunction.Invocation) -> OutgoingMessage:
    return OutgoingMessage(_plain_address(message.target), message.argument.SerializeToString())


def _delayed(message: _proto.FromFunction.DelayedInvocation) -> DelayedMessage | Cancellation:
    if message.is_cancellation_request:
        return Cancellation(message.cancellation_token)
    return DelayedMessage(
        message.delay_in_ms,
        _plain_address(message.target),
        message.argument.SerializeToString(),
        message.cancellation_token,
    )


def _mutation(
    mutation: _proto.FromFunction.PersistedValueMutation,
) -> tuple[str, StoredValue | None]:
    kinds = _proto.FromFunction.PersistedValueMutation
    if mutation.mutation_type == kinds.MODIFY:
        value = mutation.state_value
        return mutation.state_name, StoredValue(value.typename, value.value)
    if mutation.mutation_type == kinds.DELETE:
        return mutation.state_name, None
    raise RemoteProtocolError(
        f"value {mutation.state_name!r} has the unknown mutation type {mutation.mutation_type}: "
        "expected DELETE (0) or MODIFY (1)"
    )


def _missing_value(spec: _proto.FromFunction.PersistedValueSpec) -> MissingValue:
    mode = int(spec.expiration_spec.mode)
    never = mode not in (ExpireMode.AFTER_WRITE, ExpireMode.AFTER_CALL)
    millis = spec.expiration_spec.expire_after_millis
    expiration = Expiration() if never else Expiration(ExpireMode(mode), millis)
    return MissingValue(spec.state_name, spec.type_typename, expiration)
