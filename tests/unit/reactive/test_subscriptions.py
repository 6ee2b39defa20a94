"""Ids, subscribing and unsubscribing."""

from __future__ import annotations

from typing import Any

import pytest

from statefun.errors import CallbackIdTakenError, UnknownCallbackError
from statefun.reactive import ControllerSync, StateEvent
from tests.unit.reactive.recording import Recorder


@pytest.fixture
def controller() -> ControllerSync:
    """An empty tree in memory."""
    return ControllerSync()


def test_an_automatic_id_is_the_same_for_the_same_function(controller: ControllerSync) -> None:
    """Text, opaque, and another one for another function."""
    first = controller.register_callback(print)

    assert controller.subscribe("/a", print) == first
    assert controller.register_callback(repr) != first
    assert first.startswith("#")


class Owner:
    """Has a method that is subscribed."""

    def __init__(self) -> None:
        self.calls = 0

    def method(self, event: StateEvent) -> None:
        """Count a call."""
        self.calls += event.bubbling


def test_a_bound_method_is_one_callback(controller: ControllerSync) -> None:
    """Each mention makes another object, but they are equal: one subscription, and none after."""
    owner, other = Owner(), Owner()
    controller.subscribe("/a", owner.method)
    controller.subscribe("/a", owner.method)
    controller.subscribe("/a", other.method)

    controller.set_state("/a", 1)
    controller.unsubscribe("/a", owner.method)
    controller.set_state("/a", 2)

    assert (owner.calls, other.calls) == (1, 2)


class Unhashable:
    """A callable with an equality and no hash."""

    def __init__(self, calls: list[Any]) -> None:
        self.calls = calls

    def __call__(self, event: StateEvent) -> None:
        self.calls.append(event.new_value)

    def __eq__(self, other: object) -> bool:
        return self is other

    __hash__ = None  # type: ignore[assignment]


def test_a_callable_without_a_hash_is_a_callback(controller: ControllerSync) -> None:
    """It is equal to itself alone."""
    calls: list[Any] = []
    callback = Unhashable(calls)
    controller.subscribe("/a", callback)
    controller.subscribe("/a", callback)

    controller.set_state("/a", 1)
    controller.unsubscribe("/a", callback)
    controller.set_state("/a", 2)

    assert calls == [1]


def test_an_id_belongs_to_one_callback(controller: ControllerSync) -> None:
    """The same callback again is fine; another one is refused, unless it replaces it everywhere."""
    recorder = Recorder()
    first, second = recorder("first"), recorder("second")
    assert controller.subscribe("/a", first, force_id="i") == "i"
    assert controller.register_callback(first, force_id="i") == "i"
    controller.subscribe_by_id("/b", "i")

    with pytest.raises(CallbackIdTakenError):
        controller.register_callback(second, force_id="i")
    with pytest.raises(CallbackIdTakenError):
        controller.subscribe("/c", second, force_id="i")
    controller.set_state("/a", 1)
    controller.register_callback(second, force_id="i", replace=True)
    controller.set_state("/a", 2)
    controller.set_state("/b", 2)
    controller.set_state("/c", 2)

    assert recorder.names == ["first", "second", "second"]


def test_an_empty_id_is_none(controller: ControllerSync) -> None:
    """The automatic one is used."""
    assert controller.register_callback(print, force_id="") == controller.register_callback(print)


def test_an_unknown_id_is_refused_or_waits(controller: ControllerSync) -> None:
    """With `ignore_missing` it is silent until a callback is registered under it."""
    recorder = Recorder()
    with pytest.raises(UnknownCallbackError, match="'i'"):
        controller.subscribe_by_id("/a", "i")

    assert controller.subscribe_by_id("/a", "i", ignore_missing=True) == "i"
    with pytest.raises(UnknownCallbackError):
        controller.subscribe_by_id("/b", "i")
    controller.set_state("/a", 1)
    controller.register_callback(recorder("late"), force_id="i")
    controller.set_state("/a", 2)

    assert recorder.names == ["late"]


@pytest.mark.parametrize("path", ["/a", "/*"])
@pytest.mark.parametrize("by", ["callback", "id"])
def test_what_is_unsubscribed_is_silent(controller: ControllerSync, path: str, by: str) -> None:
    """Other paths of it and other callbacks of the path go on; the id can be subscribed again."""
    recorder = Recorder()
    gone = recorder("gone")
    callback_id = controller.subscribe(path, gone)
    controller.subscribe("/b/c", gone)
    controller.subscribe(path, recorder("stays"))

    if by == "callback":
        controller.unsubscribe(path, gone)
    else:
        controller.unsubscribe_by_id(path, callback_id)
    controller.set_state("/a", 1)
    controller.set_state("/b/c", 1)
    assert [name for name in recorder.names if name == "gone"] == ["gone"]
    assert "stays" in recorder.names

    controller.subscribe_by_id(path, callback_id)
    recorder.take()
    controller.set_state("/a", 2)
    assert recorder.names == ["stays", "gone"]


def test_unsubscribing_what_is_not_subscribed_does_nothing(controller: ControllerSync) -> None:
    """Unknown callbacks, ids, paths and patterns alike."""
    controller.unsubscribe("/a", print)
    controller.unsubscribe_by_id("/a", "unknown")
    controller.unsubscribe("/*/b", print)
    controller.unsubscribe_by_id("/*", "unknown")
    controller.subscribe("/*/b", print)
    controller.unsubscribe("/*", print)

    assert controller.set_state("/a", 1) is True
