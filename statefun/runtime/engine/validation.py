"""Replies: whether a result could be applied whole.

Law: nothing here changes anything. What passes is applied without a further question; what does not
is refused as a whole, with the sentence that says why.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from statefun.errors import RemoteProtocolError, UnknownEgressError
from statefun.runtime.engine.replies import CALLER
from statefun.sdk.wire import Cancellation

if TYPE_CHECKING:
    from collections.abc import Callable

    from statefun.runtime.engine.declarations import Declarations
    from statefun.runtime.engine.policy import Limits
    from statefun.runtime.engine.timers import Timers
    from statefun.sdk.address import Address
    from statefun.sdk.wire import DelayedMessage, Result

__all__ = ["LONGEST_DELAY_MS", "EgressChecks", "KnownFunctions", "ReplyCheck"]

LONGEST_DELAY_MS = 1000 * 365 * 24 * 60 * 60 * 1000
"""A thousand years: what is due then still fits into the tables of a store."""


class KnownFunctions(Protocol):
    """Which functions there are."""

    @property
    def typenames(self) -> tuple[str, ...]:
        """The typenames, or patterns of typenames, to name in an error."""
        ...

    def knows(self, typename: str) -> bool:
        """Whether messages may be addressed to `typename`."""
        ...


class EgressChecks(Protocol):
    """Which egresses there are: a mapping of typename → check, of which only `get` is used."""

    def get(self, typename: str, /) -> Callable[[bytes], object] | None:
        """The check of an egress: raises InvalidMessageError for a record it could never write."""
        ...


class ReplyCheck:
    """Refuses results that could not be applied whole.

    Args:
        functions: Which functions can be sent to.
        egresses: Which egresses there are.
        timers: Which tokens are pending.
    """

    __slots__ = ("_egresses", "_functions", "_timers")

    def __init__(self, functions: KnownFunctions, egresses: EgressChecks, timers: Timers) -> None:
        self._functions = functions
        self._egresses = egresses
        self._timers = timers

    def check(
        self, sender: Address, result: Result, declared: Declarations, limits: Limits
    ) -> None:
        """Go through a result.

        Args:
            sender: Whose result it is.
            result: The effects it asks for.
            declared: The values that it may change.
            limits: How long values and messages may be.

        Raises:
            RemoteProtocolError, InvalidMessageError: If something in it cannot be.
        """
        knows = self._functions.knows
        for message in result.messages:
            typename = message.target.typename
            if not knows(typename) and typename != CALLER:
                raise self._unknown_target(sender, message.target)
        if result.delayed:
            self._check_delayed(sender, result)
        for record in result.egress:
            check = self._egresses.get(record.typename)
            if check is None:
                raise UnknownEgressError(
                    f"{sender} sent to the egress {record.typename!r}, which does not exist: "
                    "add it to the module file, or correct the function",
                    egress=record.typename,
                    sender=sender,
                )
            check(record.argument)
        if result.mutations:
            for name, change in result.mutations.items():
                declared.of(name, change)
        _check_sizes(sender, result, limits)

    def _check_delayed(self, sender: Address, result: Result) -> None:
        """Go through delayed messages and cancellations as they would be applied, in order."""
        pending: dict[str, bool] = {}  # what this result has done to a token so far
        for effect in result.delayed:
            token = effect.token
            if isinstance(effect, Cancellation):
                if not token:
                    raise RemoteProtocolError(
                        f"{sender} cancelled a delayed message with an empty token: "
                        "send and cancel it with a token",
                        address=sender,
                    )
                pending[token] = False
                continue
            self._check_delayed_message(sender, effect)
            if token:
                if pending.get(token, self._timers.is_pending(sender.id, token)):
                    raise RemoteProtocolError(
                        f"{sender} sent a delayed message with the token {token!r} while another "
                        f"one sent by the id {sender.id!r} waits under it: cancel that one first, "
                        "or use another token",
                        address=sender,
                    )
                pending[token] = True

    def _check_delayed_message(self, sender: Address, message: DelayedMessage) -> None:
        if message.delay_ms < 0:
            raise RemoteProtocolError(
                f"{sender} sent a message with a delay of {message.delay_ms} ms: "
                "a delay is 0 or more",
                address=sender,
            )
        if message.delay_ms > LONGEST_DELAY_MS:
            raise RemoteProtocolError(
                f"{sender} sent a message with a delay of {message.delay_ms} ms: "
                f"a delay is {LONGEST_DELAY_MS} ms (a thousand years) or less",
                address=sender,
            )
        typename = message.target.typename
        if not self._functions.knows(typename) and typename != CALLER:
            raise self._unknown_target(sender, message.target)

    def _unknown_target(self, sender: Address, target: Address) -> RemoteProtocolError:
        known = ", ".join(self._functions.typenames) or "none"
        return RemoteProtocolError(
            f"{sender} sent a message to {target}, a function that does not exist; "
            f"known: {known}. Add an endpoint for it, or correct the sender",
            address=sender,
        )


def _check_sizes(sender: Address, result: Result, limits: Limits) -> None:
    """Refuse what is longer than the sender's limits."""
    longest = limits.max_message_bytes
    for message in result.messages:
        if len(message.argument) > longest:
            what = f"a message to {message.target}"
            raise _too_long(sender, what, message.argument, longest)
    for effect in result.delayed:
        if not isinstance(effect, Cancellation) and len(effect.argument) > longest:
            raise _too_long(sender, f"a message to {effect.target}", effect.argument, longest)
    for record in result.egress:
        if len(record.argument) > longest:
            raise _too_long(sender, f"a record to {record.typename}", record.argument, longest)
    if result.mutations:
        for name, change in result.mutations.items():
            if change is not None and len(change.data) > limits.max_value_bytes:
                raise _too_long(sender, f"value {name!r}", change.data, limits.max_value_bytes)


def _too_long(sender: Address, what: str, data: bytes, longest: int) -> RemoteProtocolError:
    return RemoteProtocolError(
        f"{sender}: {what} has {len(data)} bytes, and the limit is {longest}: split it up, or "
        "raise the limit of the function",
        address=sender,
        size_bytes=len(data),
    )
