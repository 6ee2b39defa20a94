"""Tracked callbacks."""

from __future__ import annotations

from typing import Any

import pytest

from statefun.reactive import ControllerAsync, ControllerSync, StateEvent
from tests.unit.reactive.recording import Recorder, Seen


@pytest.fixture
def controller() -> ControllerSync:
    """An empty tree in memory."""
    return ControllerSync()


def test_tracking_runs_at_once_and_then_with_the_real_event(controller: ControllerSync) -> None:
    """The first event is of the root, without values; `tracker` is set while the callback runs."""
    recorder, events = Recorder(), []

    def callback(event: StateEvent) -> None:
        recorder("t")(event)
        events.append((event, event.tracker is not None))
        event.get_state("/a")

    controller.track(callback, payload="p")
    controller.set_state("/a/b", 1, payload="q")
    controller.set_state("/b", 1)

    assert recorder.seen == [
        Seen("t", "/", "/", None, None, "p"),
        Seen("t", "/a/b", "/a", None, 1, "q"),
    ]
    assert [(event.tracker, was_set) for event, was_set in events] == [(None, True), (None, True)]


def test_what_the_last_run_has_not_read_is_dropped(controller: ControllerSync) -> None:
    """Dependencies change with each run."""
    runs: list[Any] = []

    def callback(event: StateEvent) -> None:
        source = "/old" if event.get_state("/is_old") else "/new"
        runs.append((source, event.get_state(source)))

    controller.track(callback)
    controller.set_state("/is_old", 1)
    controller.set_state("/new", 1)
    controller.set_state("/old", 2)
    controller.set_state("/is_old", 0)
    controller.set_state("/old", 3)

    assert runs == [("/new", None), ("/old", None), ("/old", 2), ("/new", 1)]


def test_only_reads_through_the_event_are_tracked(controller: ControllerSync) -> None:
    """Reading through the controller is not."""
    runs: list[Any] = []
    controller.track(lambda _: runs.append(controller.get_state("/a")))

    controller.set_state("/a", 1)

    assert runs == [None]


def test_tracking_twice_makes_two_trackers(controller: ControllerSync) -> None:
    """And `unsubscribe` does not end either of them."""
    runs: list[Any] = []

    def callback(event: StateEvent) -> None:
        runs.append(event.get_state("/a"))

    controller.track(callback)
    controller.track(callback)
    controller.unsubscribe("/a", callback)
    controller.set_state("/a", 1)

    assert runs == [None, None, 1, 1]


def test_a_tracked_path_keeps_its_place(controller: ControllerSync) -> None:
    """It is read again and again, and does not go to the end."""
    order: list[str] = []
    controller.track(lambda event: order.append(f"tracked {event.get_state('/a')}"))
    controller.subscribe("/a", lambda _: order.append("plain"))

    controller.set_state("/a", 1)
    controller.set_state("/a", 2)

    assert order == ["tracked None", "tracked 1", "plain", "tracked 2", "plain"]


def test_a_first_run_that_raises_subscribes_to_nothing(controller: ControllerSync) -> None:
    """A later one that raises leaves the former dependencies."""
    runs: list[Any] = []

    def callback(event: StateEvent) -> None:
        runs.append(value := event.get_state("/a"))
        event.get_state("/never")
        if value in {None, "bad"}:
            raise LookupError(value)

    with pytest.raises(LookupError):
        controller.track(callback)
    controller.set_state("/a", 1)
    assert runs == [None]

    controller.track(callback)
    with pytest.raises(LookupError):
        controller.set_state("/a", "bad")
    controller.set_state("/a", 2)
    assert runs == [None, 1, "bad", 2]


def test_a_tracked_callback_may_write_what_it_reads(controller: ControllerSync) -> None:
    """It runs again inside itself, and the run that ends last decides the dependencies."""
    runs: list[Any] = []

    def callback(event: StateEvent) -> None:
        value = event.get_state("/n") or 0
        runs.append(value)
        event.get_state(f"/only/{value}")
        if value % 2:
            event.set_state("/n", value + 1)

    controller.track(callback)
    controller.set_state("/n", 1)
    controller.set_state("/only/1", "again")
    assert runs == [0, 1, 2, 2]

    controller.set_state("/only/2", "no")
    assert runs[4:] == [2]


def test_a_stopped_event_reaches_no_tracked_callback(controller: ControllerSync) -> None:
    """They are plain callbacks in this."""
    runs: list[Any] = []
    controller.subscribe("/a", lambda event: event.stop_bubbling())
    controller.track(lambda event: runs.append(event.get_state("/a")))

    controller.set_state("/a", 1)

    assert runs == [None]


async def test_an_async_callback_is_tracked() -> None:
    """A read counts when it is asked for."""
    controller = ControllerAsync()
    runs: list[Any] = []

    async def callback(event: StateEvent) -> None:
        runs.append(await event.get_state("/a", 0))

    await controller.track(callback)
    await controller.set_state("/a", 1)

    assert runs == [0, 1]
