"""The small language that simulated functions are written in, and what runs it.

Law: a turn is a pure function of the request. A message is a name; the plan says which steps the
function takes that gets it. Every name is unique, so whatever comes out says where it came from.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple, TypeAlias
from zlib import crc32

from statefun.sdk.address import Address
from statefun.sdk.wire import encode_typed_value
from statefun.sdk.wire._proto import Address as WireAddress
from statefun.sdk.wire._proto import FromFunction, ToFunction, TypedValue

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "EGRESS",
    "OTHER",
    "VALUE",
    "Cancel",
    "Delay",
    "Effects",
    "Emit",
    "Fail",
    "Forget",
    "Function",
    "Note",
    "Programs",
    "Request",
    "Send",
    "Spec",
    "Step",
    "argument_of",
    "name_of",
    "read_request",
    "run",
    "will_fail",
]

EGRESS = "s/out"
_MESSAGE = "s/message"
VALUE, OTHER = "s/value", "s/other"
"""The types of values."""


class Send(NamedTuple):
    """Send a message, if a value is there or none is named."""

    target: Address
    message: str
    if_there: str = ""


class Delay(NamedTuple):
    """Send a message after so many milliseconds."""

    delay_ms: int
    target: Address
    message: str
    token: str = ""


class Cancel(NamedTuple):
    """Cancel a delayed message."""

    token: str


class Emit(NamedTuple):
    """Send to the egress what a value is."""

    value: str


class Note(NamedTuple):
    """Write into a value that this message came, after all that came before.

    Attributes:
        padding: So many bytes are added.
    """

    value: str
    padding: int = 0


class Forget(NamedTuple):
    """Delete a value."""

    value: str


class Fail(NamedTuple):
    """Raise, until the function has been mended.

    Attributes:
        says_where: Whether the error says which message of the batch it was.
    """

    says_where: bool


Step: TypeAlias = Send | Delay | Cancel | Emit | Note | Forget | Fail
Programs: TypeAlias = "Mapping[str, tuple[Step, ...]]"


class Spec(NamedTuple):
    """A declared value: it expires so long after it was written, or used; never for 0.

    Attributes:
        typename: Its type.
        upgrades: Other types from which the function upgrades it.
    """

    name: str
    written_ms: int = 0
    used_ms: int = 0
    typename: str = VALUE
    upgrades: tuple[str, ...] = ()

    @property
    def ttl_ms(self) -> int:
        return self.written_ms or self.used_ms

    def reads(self, typename: str) -> bool:
        """Whether the function can read what is stored as that type."""
        return typename == self.typename or typename in self.upgrades


@dataclass(frozen=True)
class Function:
    """A simulated function.

    Attributes:
        specs: The values it declares.
        asks_one_by_one: Whether it asks for one missing value at a time.
        asks_in_vain: Whether it asks for values that it has got.
    """

    specs: tuple[Spec, ...]
    asks_one_by_one: bool = False
    asks_in_vain: bool = False


class Request(NamedTuple):
    """A request, read.

    Attributes:
        target: Whom it is for.
        state: Every value that it carries, None for one that is not there.
        messages: Name and caller of each message.
        types: The types of the values that are there.
    """

    target: Address
    state: dict[str, bytes | None]
    messages: tuple[tuple[str, Address | None], ...]
    types: dict[str, str]


@dataclass
class Effects:
    """What a turn asks for; `missing` is not empty if it only asks for values."""

    messages: list[tuple[Address, str]] = field(default_factory=list)
    delayed: list[Delay | Cancel] = field(default_factory=list)
    egress: list[str] = field(default_factory=list)
    changes: dict[str, bytes | None] = field(default_factory=dict)
    missing: list[Spec] = field(default_factory=list)


@lru_cache(maxsize=1 << 14)
def argument_of(name: str) -> bytes:
    """The message of this name, as an argument."""
    return encode_typed_value(_MESSAGE, name.encode())


@lru_cache(maxsize=1 << 14)
def name_of(argument: bytes) -> str:
    """The name of the message with this argument."""
    return TypedValue.FromString(argument).value.decode()


def read_request(body: bytes) -> Request:
    """What an engine asks."""
    batch = ToFunction.FromString(body).invocation
    return Request(
        _address(batch.target),
        {
            each.state_name: each.state_value.value if each.HasField("state_value") else None
            for each in batch.state
        },
        tuple(
            (
                each.argument.value.decode(),
                _address(each.caller) if each.HasField("caller") else None,
            )
            for each in batch.invocations
        ),
        {
            each.state_name: each.state_value.typename
            for each in batch.state
            if each.HasField("state_value")
        },
    )


def will_fail(programs: Programs, request: Request) -> tuple[int, Fail] | None:
    """Which message of a request makes the function raise, the first being 1, and how."""
    for position, (name, _) in enumerate(request.messages, start=1):
        for step in programs[name]:
            if isinstance(step, Fail):
                return position, step
    return None


def run(function: Function, programs: Programs, request: Request) -> tuple[bytes, Effects]:
    """Answer a request: the reply, and what is in it."""
    missing = [spec for spec in function.specs if spec.name not in request.state]
    if missing:
        effects = Effects(missing=missing[:1] if function.asks_one_by_one else missing)
    elif function.asks_in_vain and function.specs:
        effects = Effects(missing=list(function.specs))
    else:
        effects = _turn(programs, request)
    return _encode(effects, {spec.name: spec.typename for spec in function.specs}), effects


def _turn(programs: Programs, request: Request) -> Effects:
    effects, state = Effects(), dict(request.state)
    for name, _ in request.messages:
        for number, step in enumerate(programs[name]):
            if isinstance(step, Note | Forget) and step.value not in state:
                continue  # this version of the function declares no such value
            match step:
                case Send(target, message, if_there):
                    if not if_there or state.get(if_there) is not None:
                        effects.messages.append((target, message))
                case Delay() | Cancel():
                    effects.delayed.append(step)
                case Emit(value):
                    content = (state.get(value) or b"").decode()
                    effects.egress.append(f"{name}#{number}={content}")
                case Note(value, padding):
                    before = state.get(value) or b""
                    after = b"%08x" % crc32(before + name.encode()) + b"." * padding
                    state[value] = effects.changes[value] = after
                case Forget(value):
                    state[value] = effects.changes[value] = None
    return effects


def _encode(effects: Effects, types: Mapping[str, str]) -> bytes:
    reply = FromFunction()
    for spec in effects.missing:
        added = reply.incomplete_invocation_context.missing_values.add(
            state_name=spec.name,
            type_typename=spec.typename,
            upgraded_typenames=spec.upgrades,
        )
        if spec.written_ms or spec.used_ms:
            added.expiration_spec.mode = (
                FromFunction.ExpirationSpec.AFTER_WRITE
                if spec.written_ms
                else FromFunction.ExpirationSpec.AFTER_INVOKE
            )
            added.expiration_spec.expire_after_millis = spec.written_ms or spec.used_ms
    if effects.missing:
        return reply.SerializeToString()
    result = reply.invocation_result
    for target, name in effects.messages:
        result.outgoing_messages.add(target=_wire(target), argument=_typed(name))
    for each in effects.delayed:
        if isinstance(each, Cancel):
            result.delayed_invocations.add(
                is_cancellation_request=True, cancellation_token=each.token
            )
        else:
            result.delayed_invocations.add(
                delay_in_ms=each.delay_ms,
                target=_wire(each.target),
                argument=_typed(each.message),
                cancellation_token=each.token,
            )
    namespace, _, name = EGRESS.partition("/")
    for text in effects.egress:
        result.outgoing_egresses.add(
            egress_namespace=namespace, egress_type=name, argument=_typed(text)
        )
    for value, data in effects.changes.items():
        if data is None:
            result.state_mutations.add(mutation_type=0, state_name=value)
        else:
            stored = TypedValue(typename=types[value], has_value=True, value=data)
            result.state_mutations.add(mutation_type=1, state_name=value, state_value=stored)
    return reply.SerializeToString()


def _typed(name: str) -> TypedValue:
    return TypedValue(typename=_MESSAGE, has_value=True, value=name.encode())


def _wire(address: Address) -> WireAddress:
    namespace, _, name = address.typename.partition("/")
    return WireAddress(namespace=namespace, type=name, id=address.id)


def _address(wire: WireAddress) -> Address:
    return Address(f"{wire.namespace}/{wire.type}", wire.id)
