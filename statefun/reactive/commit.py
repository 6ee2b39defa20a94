"""The end of a transaction.

The laws:

1. Each derived value is computed once, behind those it depends on.
2. Everything is applied to the tree as one.
3. Then there is one event for each path whose value differs from that before the transaction.
   Tasks may begin another transaction by then, and so may callbacks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from statefun.reactive.announcer import Failure
from statefun.reactive.backends.base import MISSING
from statefun.reactive.derivations import in_order
from statefun.reactive.equality import is_equal

if TYPE_CHECKING:
    from statefun.reactive.announcer import Announcer
    from statefun.reactive.events import StateEvent
    from statefun.reactive.steps import Steps
    from statefun.reactive.transactions import Change, Transaction

__all__ = ["Events", "commit", "tell"]

Events: TypeAlias = "list[tuple[str, StateEvent[Any, Any]]]"


def commit(announcer: Announcer, transaction: Transaction) -> Steps[Events]:
    """Compute what is derived and apply everything as one.

    Returns:
        What to tell of it, by path.
    """
    events: Events = []
    seen = -1
    while seen != transaction.writes:  # tasks that it has started may go on writing
        seen = transaction.writes
        yield from _derive_pending(announcer, transaction)
        events = []
        for path, change in list(transaction.changes.items()):
            event = yield from _event_of(announcer, path, change)
            if event is not None:
                events.append((path, event))
    transaction.is_open = False
    operations = transaction.operations()
    if operations:
        yield announcer.state.tree.apply, (operations,)
    transaction.declared.clear()
    return events


def tell(announcer: Announcer, transaction: Transaction, events: Events) -> Steps[None]:
    """Announce what a transaction has changed, when it is applied and others may begin."""
    failure = Failure(is_quiet=False)
    for path, event in events:
        with failure:
            yield from announcer.deliver(
                path, event, to_derivations=False, is_quiet=failure.is_quiet
            )
    for path, event in transaction.notices:
        with failure:
            yield from announcer.deliver(path, event, is_quiet=failure.is_quiet)
    for derivation, runs in transaction.computed.items():
        if derivation.runs != runs:  # by other tasks, which have not seen these writes
            with failure:
                yield from derivation.update(is_quiet=failure.is_quiet)
    failure.come_out()


def _derive_pending(announcer: Announcer, transaction: Transaction) -> Steps[None]:
    """Compute each derived value that depends on a change, once and in order."""
    # also where a value has come back: a node above may exist now that did not
    told = {
        path: change
        for path, change in transaction.changes.items()
        if change.is_announced or change.is_pinged
    }
    waiting = dict.fromkeys(each for path in told for each in announcer.derived_from(path))
    for path, change in told.items():
        own = None if change.is_direct else announcer.derivations.get(path)
        waiting |= dict.fromkeys(announcer.put_wrong(path, by=own, is_deep=change.is_deleted))
    for derivation in in_order(waiting, lambda each: announcer.derived_from(each.dest)):
        if derivation in waiting:
            yield from derivation.update()
            made = transaction.changes.get(derivation.dest)
            if made and (yield from _event_of(announcer, derivation.dest, made)) is not None:
                waiting |= dict.fromkeys(announcer.derived_from(derivation.dest))


def _event_of(
    announcer: Announcer, path: str, change: Change
) -> Steps[StateEvent[Any, Any] | None]:
    """Give the event that a transaction ends with at a path, None if there is none."""
    value = yield from announcer.state.read(path)
    is_gone = value is MISSING
    if is_gone:  # a ping of what is missing announces its default
        value = change.prev_value if change.is_pinged and not change.existed else None
    differs = change.existed is is_gone or (
        change.existed and not is_equal(value, change.prev_value)
    )
    if not change.is_pinged and not (change.is_announced and differs):
        return None
    is_delete = is_gone and change.existed
    return announcer.event(path, change.prev_value, value, change.payload, is_delete=is_delete)
