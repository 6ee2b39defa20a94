"""Routing: which invocation is meant, and at which address it lives."""

from __future__ import annotations

from typing import NamedTuple

from statefun.durable.exceptions import TerminalError
from statefun.durable.identity import InvocationId, Place, derived
from statefun.sdk.address import Address

__all__ = ["A_KIND", "Target", "address_of", "routed"]

A_KIND = {"service": "a service", "object": "an object", "workflow": "a workflow"}
"""Kind of service → how it stands in a sentence."""


class Target(NamedTuple):
    """An invocation that is about to be made, or asked about.

    Attributes:
        invocation_id: Its id.
        address: Where a message about it is sent.
    """

    invocation_id: InvocationId
    address: Address


def routed(
    namespace: str,
    kind: str,
    service: str,
    handler: str,
    handler_kind: str | None,
    key: str | None,
    unique: bytes,
    *,
    idempotency_key: str | None = None,
    is_ticket: bool = False,
) -> Target:
    """The invocation that a call makes.

    Args:
        namespace: The namespace of the service's functions.
        kind: `"service"`, `"object"` or `"workflow"`.
        service: The name of the service.
        handler: The name of the handler.
        handler_kind: `"exclusive"`, `"shared"`, `"workflow"`, or None.
        key: The key; None for a service.
        unique: 16 bytes that no other call has; not used where calls share an invocation.
        idempotency_key: Calls with the same one share an invocation.
        is_ticket: Whether an invocation of an object has an address of its own, where it can wait
            and its outcome is kept.

    Raises:
        TerminalError: If the key is missing, empty or too many, code 400.
    """
    if (key is None) != (kind == "service") or key == "":
        needs = "no key" if kind == "service" else "a key that is not empty"
        raise TerminalError(f"{service!r} is {A_KIND[kind]}, so it is called with {needs}", 400)
    known = key or ""
    if handler_kind == "workflow":
        identity = InvocationId(Place.WORKFLOW, service, known, derived(service, known))
        return Target(identity, address_of(identity, namespace))
    if idempotency_key is not None:
        unique = derived(service, known, handler, idempotency_key)
    is_ticket = is_ticket or idempotency_key is not None
    identity = InvocationId(_place(kind, is_ticket=is_ticket), service, known, unique)
    return Target(identity, address_of(identity, namespace))


def _place(kind: str, *, is_ticket: bool) -> Place:
    if kind == "service":
        return Place.SERVICE
    if kind == "workflow":
        return Place.WORKFLOW
    return Place.TICKET if is_ticket else Place.OBJECT


def address_of(identity: InvocationId, namespace: str) -> Address:
    """Where an invocation lives.

    Args:
        identity: The invocation.
        namespace: The namespace of the service's functions.
    """
    match identity.place:
        case Place.SERVICE:
            return Address(f"{namespace}/{identity.service}", str(identity))
        case Place.TICKET:
            return Address(f"{namespace}/{identity.service}.inv", str(identity))
    return Address(f"{namespace}/{identity.service}", identity.key)
