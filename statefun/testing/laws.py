"""Laws that functions should keep, checked by running them under faults."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from statefun.testing.harness import Harness

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from statefun.runtime.values import Value
    from statefun.sdk.address import Address
    from statefun.sdk.functions import StatefulFunctions
    from statefun.sdk.messages import Message
    from statefun.testing.faults import Fault

__all__ = ["Outcome", "assert_same_however_delivered", "outcome_of"]

_DELIVERIES: tuple[tuple[Fault, ...], ...] = (
    *(("merged",), ("split",), ("repeated",), ("reply-lost",), ("restart",)),
    ("split", "repeated", "restart"),
    ("merged", "reply-lost", "restart"),
)


class Outcome(NamedTuple):
    """What messages led to.

    Attributes:
        state: Address → its values by name.
        egress: Egress → its records. Their order over several addresses means nothing, so they are
            sorted.
        dead_letters: The messages that were given up, sorted.
    """

    state: dict[Address, dict[str, Value]]
    egress: dict[str, list[bytes]]
    dead_letters: list[tuple[Address, bytes]]


def outcome_of(
    functions: StatefulFunctions, messages: Iterable[Message], faults: Iterable[Fault] = ()
) -> Outcome:
    """Send messages, run to the end, and look at everything.

    Args:
        functions: The functions.
        messages: In order; each is there before the first runs.
        faults: What happens to the input.

    Raises:
        InvocationError: If a function raises.
    """
    harness = Harness(functions, faults=faults)
    for message in messages:
        harness.send(message)
    harness.run()
    records: dict[str, list[bytes]] = {}
    for typename in sorted({name for name, _ in harness.sent}):
        records[typename] = sorted(each.data for each in harness.egress(typename))
    return Outcome(
        {each: harness.state(*each) for each in harness.addresses()},
        records,
        sorted((each.target, each.argument) for each in harness.dead_letters),
    )


def assert_same_however_delivered(
    functions: StatefulFunctions,
    messages: Iterable[Message],
    *,
    view: Callable[[Outcome], Any] = lambda outcome: outcome,
) -> None:
    """Check that messages lead to the same, however they are batched and repeated.

    An engine promises no batches: the same messages may come alone or together, and again after a
    reply was lost. A function whose result depends on that keeps something outside of its storage,
    or asks the clock or chance.

    Args:
        functions: The functions.
        messages: In order.
        view: What of the outcome has to be the same; all of it unless given.

    Raises:
        AssertionError: If it is not; it names the faults, and both outcomes.
    """
    sent = list(messages)
    expected = view(outcome_of(functions, sent))
    for faults in _DELIVERIES:
        found = view(outcome_of(functions, sent, faults))
        if found != expected:
            raise AssertionError(
                f"another outcome under the faults {', '.join(faults)}:\n  {found}\n"
                f"than without:\n  {expected}"
            )
