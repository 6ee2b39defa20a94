"""The context of the old SDK, for programs that test their functions with it.

`UserFacingContext` only collects: read `_outgoing_messages` and its like, or `collect_success`.
What runs functions uses `statefun.sdk.handler` and `statefun.sdk.context` instead.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from statefun.sdk.address import SdkAddress, parse_typename
from statefun.sdk.context import Context
from statefun.sdk.specs import whole_millis
from statefun.sdk.wire._proto import FromFunction

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import timedelta

    from statefun.legacy.cells import Cell
    from statefun.sdk.messages import EgressMessage, Message
    from statefun.sdk.specs import ValueSpec

__all__ = [
    "DelayedMessage",
    "UserFacingContext",
    "collect_delayed",
    "collect_egress",
    "collect_failure",
    "collect_messages",
    "collect_mutations",
    "collect_success",
    "sdk_address_from_pb",
]


@dataclass
class DelayedMessage:
    """A delayed message, or the cancellation of one.

    Attributes:
        is_cancellation: Whether it cancels.
        duration: The delay in milliseconds, None for a cancellation.
        message: The message, None for a cancellation.
        cancellation_token: The token, empty or None if there is none.
    """

    is_cancellation: bool | None = None
    duration: int | None = None
    message: Message | None = None
    cancellation_token: str | None = None


class UserFacingContext(Context):
    """A context that collects what a function asks for.

    Args:
        address: The address of the function.
        storage: Its storage, for example from `resolve`.
    """

    __slots__ = (
        "_caller",
        "_outgoing_delayed_messages",
        "_outgoing_egress_messages",
        "_outgoing_messages",
        "_self_address",
        "_storage",
    )

    def __init__(self, address: SdkAddress, storage: Any) -> None:
        self._self_address = address
        self._storage = storage
        self._caller: SdkAddress | None = None
        self._outgoing_messages: list[Message] = []
        self._outgoing_delayed_messages: list[DelayedMessage] = []
        self._outgoing_egress_messages: list[EgressMessage] = []

    @property
    def address(self) -> SdkAddress:
        """The address of the function."""
        return self._self_address

    @property
    def storage(self) -> Any:
        """Its storage."""
        return self._storage

    @property
    def caller(self) -> SdkAddress | None:
        """Who sent the message, as `_caller` says."""
        return self._caller

    def send(self, message: Message) -> None:
        """Add to `_outgoing_messages`."""
        self._outgoing_messages.append(message)

    def send_after(
        self, duration: timedelta, message: Message, cancellation_token: str = ""
    ) -> None:
        """Add to `_outgoing_delayed_messages`."""
        delay_ms = whole_millis(duration)
        self._outgoing_delayed_messages.append(
            DelayedMessage(False, delay_ms, message, cancellation_token)  # noqa: FBT003
        )

    def cancel_delayed_message(self, cancellation_token: str) -> None:
        """Add to `_outgoing_delayed_messages`."""
        self._outgoing_delayed_messages.append(
            DelayedMessage(is_cancellation=True, cancellation_token=cancellation_token)
        )

    def send_egress(self, message: EgressMessage) -> None:
        """Add to `_outgoing_egress_messages`."""
        self._outgoing_egress_messages.append(message)


def sdk_address_from_pb(addr: Any) -> SdkAddress | None:
    """Give the address that an `Address` stands for, None if it is empty."""
    if not addr or not (addr.namespace or addr.type or addr.id):
        return None
    return SdkAddress(addr.namespace, addr.type, addr.id, f"{addr.namespace}/{addr.type}")


def collect_success(ctx: UserFacingContext) -> FromFunction:
    """Give the answer to a request of which everything is done."""
    answer = FromFunction()
    result = answer.invocation_result
    result.SetInParent()
    collect_messages(ctx._outgoing_messages, result)  # noqa: SLF001 - the lists are its interface
    collect_delayed(ctx._outgoing_delayed_messages, result)  # noqa: SLF001
    collect_egress(ctx._outgoing_egress_messages, result)  # noqa: SLF001
    collect_mutations(getattr(ctx.storage, "_cells", {}), result)
    return answer


def collect_failure(missing_state_specs: Iterable[ValueSpec]) -> FromFunction:
    """Give the answer to a request that lacks these values."""
    answer = FromFunction()
    missing = answer.incomplete_invocation_context.missing_values
    for spec in missing_state_specs:
        each = missing.add(state_name=spec.name, type_typename=spec.type.typename)
        expiration = each.expiration_spec
        if spec.after_call:
            expiration.mode = FromFunction.ExpirationSpec.AFTER_INVOKE
        elif spec.after_write:
            expiration.mode = FromFunction.ExpirationSpec.AFTER_WRITE
        else:
            expiration.mode = FromFunction.ExpirationSpec.NONE
        if spec.after_call or spec.after_write:
            expiration.expire_after_millis = spec.duration
    return answer


def collect_messages(messages: Iterable[Message], pb_invocation_result: Any) -> None:
    """Add messages to a result."""
    for message in messages:
        _fill(pb_invocation_result.outgoing_messages.add(), message)


def collect_delayed(delayed_messages: Iterable[DelayedMessage], invocation_result: Any) -> None:
    """Add delayed messages and cancellations to a result."""
    for delayed in delayed_messages:
        added = invocation_result.delayed_invocations.add()
        if delayed.is_cancellation or delayed.message is None:
            added.is_cancellation_request = True
        else:
            _fill(added, delayed.message)
            added.delay_in_ms = delayed.duration
        added.cancellation_token = delayed.cancellation_token or ""


def collect_egress(egresses: Iterable[EgressMessage], invocation_result: Any) -> None:
    """Add egress messages to a result."""
    for message in egresses:
        added = invocation_result.outgoing_egresses.add()
        added.egress_namespace, added.egress_type = parse_typename(message.typename)
        added.argument.MergeFromString(message.typed_value.SerializeToString())


def collect_mutations(cells: Mapping[str, Cell], invocation_result: Any) -> None:
    """Add the cells that were written or deleted to a result."""
    for name, cell in cells.items():
        if not cell.dirty:
            continue
        added = invocation_result.state_mutations.add(state_name=name)
        if cell.typed_value is None:
            added.mutation_type = FromFunction.PersistedValueMutation.DELETE
        else:
            added.mutation_type = FromFunction.PersistedValueMutation.MODIFY
            added.state_value.CopyFrom(cell.typed_value)


def _fill(added: Any, message: Message) -> None:
    added.target.namespace, added.target.type = parse_typename(message.target_typename)
    added.target.id = message.target_id
    added.argument.MergeFromString(message.typed_value.SerializeToString())
