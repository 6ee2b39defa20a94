"""Who is called, when, and with what."""

from __future__ import annotations

import asyncio
import dataclasses
from pathlib import PurePosixPath
from typing import Any

import pytest

from statefun.errors import CoroutineCallbackError
from statefun.reactive import ControllerAsync, ControllerSync, StateEvent
from tests.unit.reactive.recording import Recorder, Seen


@pytest.fixture
def controller() -> ControllerSync:
    """An empty tree in memory."""
    return ControllerSync()


def test_an_event_bubbles_up_to_the_root(controller: ControllerSync) -> None:
    """Level by level; only `current_path` differs, and the payload is there at every level."""
    recorder = Recorder()
    for path in ("/", "/a", "/a/b", "/a/b/c", "/a/b/c/d"):
        controller.subscribe(path, recorder(path))

    controller.set_state("/a/b/c", 1, payload="p")

    assert recorder.seen == [
        Seen(level, "/a/b/c", level, None, 1, "p") for level in ("/a/b/c", "/a/b", "/a", "/")
    ]


def test_the_exact_path_comes_before_patterns_each_in_order_of_subscription(
    controller: ControllerSync,
) -> None:
    """A pattern stands where it was first subscribed; within a path callbacks do."""
    recorder = Recorder()
    order = [("/u/*", "p1"), ("/u/1", "e1"), ("/*/1", "q1"), ("/u/*", "p2"), ("/u/1", "e2")]
    for path, name in order:
        controller.subscribe(path, recorder(name))

    controller.set_state("/u/1", 1)

    assert recorder.names == ["e1", "e2", "p1", "p2", "q1"]


def test_a_pattern_that_was_forgotten_goes_to_the_end(controller: ControllerSync) -> None:
    """It is forgotten with its last subscriber; so is the place of a callback."""
    recorder = Recorder()
    first, second, third = (recorder(name) for name in ("first", "second", "third"))
    controller.subscribe("/*", first)
    controller.subscribe("/a", second)
    controller.subscribe("/a", third)

    controller.subscribe("/*", second)
    controller.unsubscribe("/*", first)
    controller.subscribe("/a", second)
    controller.set_state("/a", 1)
    assert recorder.names == ["second", "third", "second"]

    controller.unsubscribe("/a", second)
    controller.subscribe("/a", second)
    recorder.take()
    controller.set_state("/a", 2)
    assert recorder.names == ["third", "second", "second"]


@pytest.mark.parametrize(
    ("pattern", "path", "calls"),
    [
        ("/u/*", "/u/1", 1),
        ("/u/*", "/u/1/name", 1),
        ("/u/*", "/u", 0),
        ("/u/*/name", "/u/1/name", 1),
        ("/u/*/name", "/u/1/2/name", 0),
        ("/*/*", "/u/1", 1),
        ("/u/1*", "/u/12", 0),
        ("/u/1*", "/u/1*", 1),
        ("/u/*", "/u/*", 1),
        ("/*", "/u/1/2", 1),
    ],
)
def test_a_star_is_exactly_one_level(
    controller: ControllerSync, pattern: str, path: str, calls: int
) -> None:
    """As a whole part only; a literal star matches its own pattern once."""
    recorder = Recorder()
    controller.subscribe(pattern, recorder("pattern"))

    controller.set_state(path, 1)

    assert len(recorder.seen) == calls
    assert all(
        each.current == "/".join(path.split("/")[: pattern.count("/") + 1])
        for each in recorder.seen
    )


def test_reading_knows_no_patterns(controller: ControllerSync) -> None:
    """A star is a name there."""
    controller.set_state("/u/1", 1)

    assert controller.get_state("/u/*") is None


def test_the_same_callback_is_called_once_for_each_path(controller: ControllerSync) -> None:
    """Twice on one path is once; on a path and a pattern that match the same level it is twice."""
    recorder = Recorder()
    callback = recorder("c")
    for path in ("/u/1", "/u/1", "/u/*"):
        controller.subscribe(path, callback)

    controller.set_state("/u/1", 1)

    assert recorder.names == ["c", "c"]


def test_writing_a_parent_tells_no_child(controller: ControllerSync) -> None:
    """Events go up only."""
    recorder = Recorder()
    controller.subscribe("/a/b", recorder("b"))

    controller.set_state("/a", {"b": 1})

    assert recorder.seen == []


def test_a_nested_write_is_announced_before_the_next_callback(controller: ControllerSync) -> None:
    """Depth first."""
    recorder = Recorder()
    controller.subscribe("/a", recorder("first"))
    controller.subscribe("/a", lambda event: event.set_state("/b", event.new_value))
    controller.subscribe("/a", recorder("last"))
    controller.subscribe("/b", recorder("nested"))

    controller.set_state("/a", 1)

    assert recorder.names == ["first", "nested", "last"]


def test_who_is_called_is_settled_when_the_level_is_reached(controller: ControllerSync) -> None:
    """Subscribed meanwhile: from the next level on. Unsubscribed meanwhile: still called here."""
    recorder = Recorder()
    late, gone, pattern = recorder("late"), recorder("gone"), recorder("pattern")

    def change(event: StateEvent) -> None:
        controller.subscribe("/a/b", late)
        controller.subscribe("/a", late)
        controller.subscribe("/*/b", pattern)
        controller.subscribe("/*", pattern)
        controller.unsubscribe("/a/b", gone)
        controller.unsubscribe("/a", gone)

    controller.subscribe("/a/b", change)
    controller.subscribe("/a/b", gone)
    controller.subscribe("/a", gone)
    controller.set_state("/a/b", 1)

    assert [(each.name, each.current) for each in recorder.seen] == [
        ("gone", "/a/b"),
        ("late", "/a"),
        ("pattern", "/a"),
    ]


@pytest.mark.parametrize("how", ["method", "attribute"])
def test_stopping_the_bubbling_skips_later_callbacks_but_no_derivation(
    controller: ControllerSync, how: str
) -> None:
    """Of this level and of all above; `stop_bubbling()` is `bubbling = False`."""
    recorder = Recorder()

    def stop(event: StateEvent) -> None:
        recorder("stop")(event)
        if how == "method":
            event.stop_bubbling()
        else:
            event.bubbling = False

    controller.subscribe("/a/b", recorder("before"))
    controller.subscribe("/a/b", stop)
    controller.subscribe("/a/b", recorder("after"))
    controller.subscribe("/a", recorder("above"))
    controller.derive("/d", "/a/b", lambda value: value)
    controller.derive("/e", "/a", lambda value: value)
    controller.set_state("/a/b", 1)

    assert recorder.names == ["before", "stop"]
    assert (controller.get_state("/d"), controller.get_state("/e")) == (1, {"b": 1})


def test_one_event_serves_a_level(controller: ControllerSync) -> None:
    """The callbacks of a level see the same object, those of the next one another."""
    events: list[StateEvent] = []
    for path in ("/a/b", "/a"):
        controller.subscribe(path, events.append, force_id=f"1{path}")
        controller.subscribe(path, events.append, force_id=f"2{path}")

    controller.set_state("/a/b", 1)

    assert events[0] is events[1]
    assert events[2] is events[3]
    assert events[0] is not events[2]


def test_a_ping_is_an_event_without_a_change(controller: ControllerSync) -> None:
    """Both values are the current one, or the default; it bubbles, and derivations run."""
    recorder = Recorder()
    runs: list[Any] = []
    controller.subscribe("/", recorder("root"))
    controller.set_state("/a/b", 1)
    controller.derive("/d", "/a/b", runs.append)
    recorder.take()

    controller.ping("/a/b", payload="p")
    controller.ping("/x", 9)
    controller.ping("/x")

    assert runs == [1, 1]
    assert recorder.seen == [
        Seen("root", "/a/b", "/", 1, 1, "p"),
        Seen("root", "/x", "/", 9, 9),
        Seen("root", "/x", "/", None, None),
    ]


def test_what_a_callback_raises_comes_out_and_ends_the_announcement(
    controller: ControllerSync,
) -> None:
    """The write stands; nobody after that callback is called."""
    recorder = Recorder()

    def fail(event: StateEvent) -> None:
        raise LookupError("mine")

    controller.subscribe("/a/b", recorder("before"))
    controller.subscribe("/a/b", fail)
    controller.subscribe("/a/b", recorder("after"))
    controller.subscribe("/a", recorder("above"))
    with pytest.raises(LookupError, match="mine"):
        controller.set_state("/a/b", 1)

    assert controller.get_state("/a/b") == 1
    assert recorder.names == ["before"]


def test_a_callback_that_writes_its_own_path_ends_by_equality(controller: ControllerSync) -> None:
    """Or in a `RecursionError`: there is no guard."""
    controller.subscribe("/a", lambda event: event.set_state("/a", min(event.new_value + 1, 5)))
    controller.set_state("/a", 1)
    assert controller.get_state("/a") == 5

    controller.subscribe("/b", lambda event: event.set_state("/b", event.new_value + 1))
    with pytest.raises(RecursionError):
        controller.set_state("/b", 1)


def test_an_event_has_the_fields_that_are_documented(controller: ControllerSync) -> None:
    """A dataclass; `old_value` is `prev_value`."""
    event = controller.build_event("/a/b", 1, 2, "p")

    assert [each.name for each in dataclasses.fields(event)] == [
        *("controller", "emitting_path", "current_path", "prev_value", "new_value"),
        *("bubbling", "tracker", "payload", "is_delete"),
    ]
    assert event == StateEvent(
        controller, PurePosixPath("/a/b"), PurePosixPath("/a/b"), 1, 2, payload="p"
    )
    assert event.old_value == 1
    assert event.get_bubbled() == dataclasses.replace(event, current_path=PurePosixPath("/a"))
    assert str(StateEvent[ControllerSync]).endswith("ControllerSync]")
    assert str(StateEvent[ControllerSync, int]).endswith(", int]")


def test_an_event_can_be_delivered_by_hand(controller: ControllerSync) -> None:
    """At a path and above, whatever its own path is; the event that was given stays as it is."""
    recorder = Recorder()
    for path in ("/a/b", "/a", "/z"):
        controller.subscribe(path, recorder(path))
    event = controller.build_event("/z", 1, 2, "p")

    controller.notify("/a/b", event)

    assert recorder.seen == [Seen(at, "/z", at, 1, 2, "p") for at in ("/a/b", "/a")]
    assert event.current_path == PurePosixPath("/z")


def test_an_event_reads_writes_and_deletes(controller: ControllerSync) -> None:
    """As its controller does; the payload of a delete may be left out."""
    results: list[Any] = []

    def callback(event: StateEvent) -> None:
        results.append(event.get_state("/x", 4, write_default=True))
        results.append(event.set_state("/x", 5, payload="p"))
        results.append(event.del_state("/x"))
        results.append(event.controller is controller)

    controller.subscribe("/a", callback)
    controller.set_state("/a", 1)

    assert results == [4, True, True, True]


def test_the_sync_controller_runs_a_coroutine_to_its_end(controller: ControllerSync) -> None:
    """Without a running loop."""
    recorder = Recorder()

    async def callback(event: StateEvent) -> None:
        await asyncio.sleep(0)
        recorder("coroutine")(event)

    controller.subscribe("/a", callback)
    controller.set_state("/a", 1)

    assert recorder.names == ["coroutine"]


async def test_the_sync_controller_runs_no_coroutine_inside_a_running_loop(
    controller: ControllerSync,
) -> None:
    """It closes the coroutine and says so; the write stands."""

    async def callback(event: StateEvent) -> None:
        """Not run."""

    controller.subscribe("/a", callback)
    with pytest.raises(CoroutineCallbackError, match=r"callback returned a coroutine"):
        controller.set_state("/a", 1)

    assert controller.get_state("/a") == 1


async def test_the_async_controller_calls_one_after_another() -> None:
    """Plain functions and coroutines; a task that a callback returns is left alone."""
    controller = ControllerAsync()
    recorder = Recorder()
    tasks: list[asyncio.Task[None]] = []

    async def slow(event: StateEvent) -> None:
        await asyncio.sleep(0)
        recorder("slow")(event)
        await event.set_state("/b", await event.get_state("/a"))

    def starts_a_task(event: StateEvent) -> asyncio.Task[None]:
        tasks.append(asyncio.create_task(asyncio.sleep(0)))
        return tasks[0]

    controller.subscribe("/a", slow)
    controller.subscribe("/a", starts_a_task)
    controller.subscribe("/a", recorder("plain"))
    controller.subscribe("/b", recorder("nested"))
    await controller.set_state("/a", 1)

    assert recorder.names == ["slow", "nested", "plain"]
    assert not tasks[0].done()
    await tasks[0]
