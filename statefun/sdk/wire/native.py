"""The door in native code: the names of `python`, the frequent ones from `statefun_core`.

Law: the native core reads and writes only the usual. For everything else it calls the functions of
the reference, so that answers and errors are the reference's own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

import statefun_core as core  # type: ignore[import-not-found, import-untyped, unused-ignore]

from statefun.errors import TurnEndedError
from statefun.sdk.address import Address, SdkAddress
from statefun.sdk.wire import python, records
from statefun.sdk.wire.python import (
    InvocationBatch,
    StateField,
    StateLayout,
    decode_typed_value,
    encode_headers,
    encode_typed_value,
    split_request,
    write_missing,
)
from statefun.sdk.wire.scalars import SCALARS
from statefun.sdk.wire.text import as_bytes

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterable, Mapping, Sequence

    from statefun.sdk.wire.python import EgressCarrier as EgressCarrierOfPython
    from statefun.sdk.wire.python import MessageCarrier as MessageCarrierOfPython
    from statefun.sdk.wire.records import Delayed, Invocation, Reply, StoredValue

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

Carrier = core.Carrier
MessageCarrier = core.MessageCarrier
EgressCarrier = core.EgressCarrier
incoming_message = core.incoming_message
outgoing_message = core.outgoing_message
outgoing_text = core.outgoing_text
outgoing_egress_message = core.outgoing_egress_message


def write_reply(
    messages: Iterable[MessageCarrierOfPython],
    delayed: Iterable[Delayed],
    egress: Iterable[EgressCarrierOfPython],
    mutations: Iterable[bytes],
) -> bytes:
    """See `python.write_reply`."""
    effects = list(messages), list(delayed), list(egress), list(mutations)
    written: bytes | None = core.try_write_reply(*effects)
    return python.write_reply(*effects) if written is None else written


def encode_request(
    target: Address,
    state: Mapping[str, StoredValue | None],
    invocations: Iterable[Invocation],
) -> bytes:
    """See `python.encode_request`."""
    values, messages = dict(state), list(invocations)
    written: bytes | None = core.try_encode_request(target, values, messages)
    return python.encode_request(target, values, messages) if written is None else written


def decode_reply(body: bytes) -> Reply:
    """See `python.decode_reply`."""
    read: Reply | None = core.try_decode_result(body) if type(body) is bytes else None
    return python.decode_reply(body) if read is None else read


# --- copies and pickles ---------------------------------------------------------------------------


def _reduced(carrier: Any) -> tuple[Any, ...]:
    """How a carrier is copied and pickled: by the attributes that the reference keeps."""
    kept: dict[str, Any] = {}
    for name in ("target_typename", "target_id", "typename", "_held", "_encoded"):
        try:
            kept[name] = getattr(carrier, name)
        except AttributeError:
            continue
    return _remade, (type(carrier), kept)


def _remade(carrier_class: type[Any], kept: dict[str, Any]) -> Any:
    encoded = kept.pop("_encoded", None)
    make: Any = carrier_class.__new__
    carrier = make(carrier_class)
    for name, value in kept.items():
        if value is not None or name != "_held":
            setattr(carrier, name, value)
    if encoded is not None:
        carrier._encoded = encoded  # noqa: SLF001 - a carrier, so ours
    return carrier


Carrier.__reduce__ = _reduced


# --- what is unusual: the reference answers -------------------------------------------------------


def _value_of_kind(carrier: Any, typename: str) -> Any:
    return python.Carrier.value_of(carrier, SCALARS[typename])


def _refuse_effect(effect: str, address: SdkAddress) -> NoReturn:
    raise TurnEndedError(effect, address)


def _names_of(storage_class: type[Any], names: Sequence[str]) -> list[str]:
    return sorted({*dir(storage_class), *names})


async def _awaiting(outcome: Awaitable[Any]) -> Any:
    return await outcome


def _write_reply(messages: Any, delayed: Any, egress: Any, mutations: bytes) -> bytes:
    return python.write_reply(messages or (), delayed or (), egress or (), [mutations])


core.install(
    value_of_kind=_value_of_kind,
    value_of=python.Carrier.value_of,
    typed_value=python.Carrier.typed_value.__get__,
    headers=python.Carrier.headers.__get__,
    value_typename=python.Carrier.value_typename,
    raw_value=python.Carrier.raw_value,
    argument=python.Carrier.argument,
    is_of=python.Carrier.is_of,
    as_bytes=as_bytes,
    refuse_effect=_refuse_effect,
    names_of=_names_of,
    awaiting=_awaiting,
    write_reply=_write_reply,
)
core.install_classes(
    address=Address,
    sdk_address=SdkAddress,
    batch=InvocationBatch,
    stored_value=records.StoredValue,
    outgoing_message=records.OutgoingMessage,
    delayed_message=records.DelayedMessage,
    cancellation=records.Cancellation,
    send_after=records.SendAfter,
    egress_record=records.EgressRecord,
    result=records.Result,
)
