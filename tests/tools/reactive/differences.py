"""Where the peer differs on purpose of ours, as data: each row rewrites the peer's trace.

A row names what the peer does, what we do instead, and the test that says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["DIFFERENCES", "Difference", "Entry", "in_order"]

Entry: TypeAlias = "list[Any]"
"""An operation, its outcome, and the calls it caused, each with the calls it caused."""


@dataclass(frozen=True)
class Difference:
    """One thing that the peer does otherwise.

    Attributes:
        peer: What it does.
        ours: What we do.
        test: The test of ours.
        rewrite: Turns the peer's trace into what it would be without the difference.
    """

    peer: str
    ours: str
    test: str
    rewrite: Callable[[list[Entry]], None]


LABEL, PATH, EMITTING, CURRENT, BEFORE, AFTER, PAYLOAD, BUBBLING, BELOW = range(9)


def calls_of(calls: list[Any]) -> Iterator[list[Any]]:
    """All calls, those inside others too."""
    for call in calls:
        if len(call) == 9:
            yield call
            yield from calls_of(call[BELOW])


def level_of(call: list[Any]) -> str:
    """The level at which a callback was called: as deep as its path or pattern."""
    depth = len([part for part in call[PATH].split("/") if part])
    parts = [part for part in call[EMITTING].split("/") if part]
    return "/" + "/".join(parts[:depth])


def name_levels(trace: list[Entry]) -> None:
    payloads: dict[str, Any] = {}
    for operation, _, calls in trace:
        if operation[0] in {"derive", "derive_many"}:
            payloads[operation[1]] = operation[-1]
        for call in calls_of(calls):
            if call[PATH] != "tracked":
                call[CURRENT] = level_of(call)
                call[PAYLOAD] = payload_of(operation, call[EMITTING], payloads)


def payload_of(operation: list[Any], emitting: str, derived: dict[str, Any]) -> Any:
    """The payload that the program gave to whoever wrote a path."""
    if emitting in derived:
        return derived[emitting]
    if emitting.startswith("/o/"):
        return None
    match operation:
        case ["set", _, _, options]:
            return options.get("payload")
        case ["delete", _, payload] | ["ping", _, _, payload]:
            return payload
    return None


def drop_unsubscribed(trace: list[Entry]) -> None:
    gone = set()
    for operation, _, calls in trace:
        if operation[0] == "unsubscribe":
            gone.add(operation[1])
        drop(calls, lambda call: call[LABEL] in gone)


def drop_stale_dependencies(trace: list[Entry]) -> None:
    reads: dict[str, set[str]] = {}

    def is_stale(call: list[Any]) -> bool:
        if call[PATH] != "tracked":
            return False
        known = reads.get(call[LABEL])
        if known is not None and not any(
            (call[EMITTING] + "/").startswith(path + "/") for path in known
        ):
            return True
        reads[call[LABEL]] = {each[1] for each in call[BELOW] if each[0] == "reads"}
        return False

    for _, _, calls in trace:
        drop(calls, is_stale)


def drop(calls: list[Any], is_wrong: Callable[[list[Any]], bool]) -> None:
    calls[:] = [each for each in calls if len(each) != 9 or not is_wrong(each)]
    for call in calls:
        if len(call) == 9:
            drop(call[BELOW], is_wrong)


def in_order(trace: list[Entry]) -> list[Entry]:
    """Sort the calls of each level, since the peer's order there is by hash."""

    def sort(calls: list[Any]) -> list[Any]:
        for call in calls:
            if len(call) == 9:
                call[BELOW] = sort(call[BELOW])
                if call[PATH] == "tracked":
                    call[CURRENT] = call[PAYLOAD] = None  # several paths, so the level is not known
        reads = [each for each in calls if len(each) != 9]
        return reads + sorted((each for each in calls if len(each) == 9), key=repr)

    return [[operation, outcome, sort(calls)] for operation, outcome, calls in trace]


DIFFERENCES = [
    Difference(
        "`current_path` is never above the parent of the emitting path, and that of a pattern is "
        "the pattern; `payload` is None above the first level",
        "`current_path` is the path of the level, and `payload` is there at every level",
        "test_an_event_bubbles_up_to_the_root",
        name_levels,
    ),
    Difference(
        "`unsubscribe` and `unsubscribe_by_id` do nothing",
        "they end the subscription",
        "test_what_is_unsubscribed_is_silent",
        drop_unsubscribed,
    ),
    Difference(
        "a tracked callback also runs for paths that its last run has not read",
        "such paths are dropped",
        "test_what_the_last_run_has_not_read_is_dropped",
        drop_stale_dependencies,
    ),
]
