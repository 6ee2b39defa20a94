"""Requests as engines send them and replies as engines read them, by protobuf's own classes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from statefun.sdk.address import Address
from statefun.sdk.primitives import IntType, StringType
from statefun.sdk.wire import _proto

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from statefun.sdk.types import Type

__all__ = [
    "Asked",
    "asked",
    "missing",
    "number",
    "plain",
    "text",
    "to_function",
    "typed",
    "wire",
]

_WRAPPERS: dict[str, Any] = {
    "io.statefun.types/bool": _proto.BooleanWrapper,
    "io.statefun.types/int": _proto.IntWrapper,
    "io.statefun.types/float": _proto.FloatWrapper,
    "io.statefun.types/long": _proto.LongWrapper,
    "io.statefun.types/double": _proto.DoubleWrapper,
    "io.statefun.types/string": _proto.StringWrapper,
}


# --- in -------------------------------------------------------------------------------------------


def typed(
    value_type: Type[Any], value: Any, headers: Iterable[tuple[str, bytes | None]] = ()
) -> _proto.TypedValue:
    """A present value with its headers."""
    wrapper = _WRAPPERS.get(value_type.typename)
    data = (
        value_type.serializer().serialize(value)
        if wrapper is None
        else wrapper(value=value).SerializeToString()
    )
    built = _proto.TypedValue(typename=value_type.typename, has_value=True, value=data)
    for key, content in headers:
        built.metadata.add(key=key, value=content or b"", has_value=content is not None)
    return built


def text(value: str) -> _proto.TypedValue:
    return typed(StringType, value)


def number(value: int) -> _proto.TypedValue:
    return typed(IntType, value)


def wire(address: Address) -> _proto.Address:
    namespace, _, name = address.typename.rpartition("/")
    return _proto.Address(namespace=namespace, type=name, id=address.id)


def to_function(
    target: Address,
    *arguments: _proto.TypedValue,
    state: Mapping[str, _proto.TypedValue | None] | None = None,
    caller: Address | None = None,
) -> bytes:
    """A batch; a value of the state that is None is known to the engine and has never been set."""
    request = _proto.ToFunction()
    request.invocation.target.CopyFrom(wire(target))
    for name, value in (state or {}).items():
        request.invocation.state.add(state_name=name, state_value=value)
    for argument in arguments:
        sender = None if caller is None else wire(caller)
        request.invocation.invocations.add(caller=sender, argument=argument)
    return request.SerializeToString()


# --- out ------------------------------------------------------------------------------------------


@dataclass
class Asked:
    """What a batch asks for; `plain` says what values look like.

    Attributes:
        messages: Target and value, in order.
        delayed: Milliseconds, target, value and token, or the token of a cancellation, in order.
        egress: Typename of the egress and value, in order.
        mutations: Name → new value, None if it is deleted.
    """

    messages: list[tuple[Address, Any]] = field(default_factory=list)
    delayed: list[tuple[int, Address, Any, str] | str] = field(default_factory=list)
    egress: list[tuple[str, Any]] = field(default_factory=list)
    mutations: dict[str, Any] = field(default_factory=dict)


def plain(value: _proto.TypedValue) -> Any:
    """The Python value of a built-in type; of any other type its typename and its bytes."""
    wrapper = _WRAPPERS.get(value.typename)
    if wrapper is None:
        return value.typename, value.value
    return wrapper.FromString(value.value).value


def asked(reply: bytes) -> Asked:
    """What a FromFunction asks for."""
    result = _proto.FromFunction.FromString(reply).invocation_result
    return Asked(
        [(_address(each.target), plain(each.argument)) for each in result.outgoing_messages],
        [
            each.cancellation_token
            if each.is_cancellation_request
            else (
                each.delay_in_ms,
                _address(each.target),
                plain(each.argument),
                each.cancellation_token,
            )
            for each in result.delayed_invocations
        ],
        [
            (f"{each.egress_namespace}/{each.egress_type}", plain(each.argument))
            for each in result.outgoing_egresses
        ],
        {
            each.state_name: plain(each.state_value) if each.mutation_type else None
            for each in result.state_mutations
        },
    )


def missing(reply: bytes) -> list[tuple[str, str, int, int]]:
    """Name, typename, mode and milliseconds of each value that a FromFunction asks for."""
    context = _proto.FromFunction.FromString(reply).incomplete_invocation_context
    return [
        (
            each.state_name,
            each.type_typename,
            int(each.expiration_spec.mode),
            each.expiration_spec.expire_after_millis,
        )
        for each in context.missing_values
    ]


def _address(address: _proto.Address) -> Address:
    return Address(f"{address.namespace}/{address.type}", address.id)
