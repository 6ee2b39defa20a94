"""What requests and replies say, once as we take them and once as protobuf's own parser does."""

from __future__ import annotations

from typing import Any

from statefun import Context, Message, RequestReplyHandler, StatefulFunctions
from statefun.errors import (
    IncompleteRequestError,
    RemoteProtocolError,
    StatefunError,
    UnknownFunctionError,
)
from statefun.sdk.wire import decode_reply
from statefun.sdk.wire._proto import FromFunction, ToFunction
from tests.protocol.exchanges import OLD_SDK, bodies_with_headers, recorded
from tests.protocol.mutations import Stock

__all__ = [
    "BODIES",
    "REPLY_STOCK",
    "STOCK",
    "Observer",
    "decoding_of",
    "expected",
    "expected_decoding_of",
]

BODIES = [exchange.request for exchange in recorded() if len(exchange.request) < 1_000]
BODIES += [body for name, body in bodies_with_headers().items() if name.endswith("request")]
STOCK = Stock(BODIES, ToFunction.DESCRIPTOR)
REPLIES = [exchange.reply for exchange in recorded() if exchange.by == OLD_SDK]
REPLY_STOCK = Stock([each for each in REPLIES if 0 < len(each) < 1_000], FromFunction.DESCRIPTOR)
TYPENAMES = sorted({exchange.function for exchange in recorded()} | {"t/headers"})


class Observer:
    """A handler whose functions write down everything they are shown, and send nothing."""

    def __init__(self) -> None:
        self.seen: list[Any] = []
        functions = StatefulFunctions()
        for typename in TYPENAMES:
            functions.register(typename, self._observe)
        self._handler = RequestReplyHandler(functions)

    def _observe(self, context: Context, message: Message) -> None:
        caller = context.caller
        self.seen.append(
            (
                (context.address.namespace, context.address.name, context.address.id),
                None if caller is None else (caller.namespace, caller.name, caller.id),
                message.value_typename(),
                message.raw_value(),
                tuple((header.key, header.value) for header in message.headers),
                message.typed_value.SerializeToString(deterministic=True),
            )
        )

    async def outcome(self, body: bytes) -> Any:
        """What the functions saw, or the class of the error that came out."""
        self.seen.clear()
        try:
            await self._handler.handle_async(body)
        except StatefunError as error:
            return type(error)
        return list(self.seen)


def expected(body: bytes) -> Any:
    """What protobuf's own parser makes of a body, in the words of `Observer`."""
    try:
        request = ToFunction.FromString(body)
    except Exception:  # noqa: BLE001 - the implementations of protobuf disagree about the class
        return RemoteProtocolError
    target = request.invocation.target
    if _names(target) is None:
        return IncompleteRequestError
    if f"{target.namespace}/{target.type}" not in TYPENAMES:
        return UnknownFunctionError
    return [
        (_names(target), _names(each.caller), *_value(each.argument))
        for each in request.invocation.invocations
    ]


def _names(address: Any) -> tuple[str, str, str] | None:
    names = (address.namespace, address.type, address.id)
    return names if any(names) else None


def _value(argument: Any) -> tuple[Any, ...]:
    headers = ((each.key, each.value if each.has_value else None) for each in argument.metadata)
    return (
        argument.typename,
        argument.value if argument.has_value else None,
        tuple(headers),
        argument.SerializeToString(deterministic=True),
    )


def decoding_of(reply: bytes) -> str:
    """Whether an engine of ours takes a reply."""
    try:
        decode_reply(reply)
    except RemoteProtocolError:
        return "refused"
    return "decoded"


def expected_decoding_of(reply: bytes) -> str:
    """Whether it should: what protobuf takes, but for a mutation of a kind that nobody knows."""
    try:
        parsed = FromFunction.FromString(reply)
    except Exception:  # noqa: BLE001 - the implementations of protobuf disagree about the class
        return "refused"
    kinds = {each.mutation_type for each in parsed.invocation_result.state_mutations}
    return "decoded" if kinds <= {0, 1} else "refused"
