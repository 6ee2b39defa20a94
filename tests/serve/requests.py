"""Requests as an engine sends them, and what the tests look at in the answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from statefun.sdk.address import Address
from statefun.sdk.builders import message_builder
from statefun.sdk.messages import Message
from statefun.sdk.wire import Invocation, Result, _proto, decode_reply, encode_request

if TYPE_CHECKING:
    from collections.abc import Mapping

    from statefun.sdk.wire import StoredValue

OCTETS = "application/octet-stream"
TEXT = "text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Heard:
    """What came back over HTTP."""

    status: int
    content_type: str
    body: bytes
    allow: str | None = None


def request(
    typename: str,
    text: str = "Ada",
    *,
    target_id: str = "id",
    state: Mapping[str, StoredValue | None] | None = None,
) -> bytes:
    """A ToFunction with one message, a text."""
    argument = message_builder(typename, "x", str_value=text).argument()
    invocations = [Invocation(None, argument)]
    return encode_request(Address(typename, target_id), state or {}, invocations)


GREETER_REQUEST = request("test/greeter", state={"seen": None})


def sent(reply: bytes) -> list[str | int | None]:
    """The values of the messages in a FromFunction."""
    result = decode_reply(reply)
    assert isinstance(result, Result)
    values: list[str | int | None] = []
    for outgoing in result.messages:
        message = Message(*outgoing.target, _proto.TypedValue.FromString(outgoing.argument))
        values.append(message.as_string() if message.is_string() else message.as_int())
    return values
