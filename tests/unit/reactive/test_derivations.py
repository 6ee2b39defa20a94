"""Derived values."""
# ruff: noqa: PT012 - a transaction raises at its end

from __future__ import annotations

import asyncio
import contextvars
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from statefun.reactive import ControllerAsync, ControllerSync, DeriveData, StateEvent
from tests.unit.reactive.recording import Recorder, Seen


@pytest.fixture
def controller() -> ControllerSync:
    """An empty tree in memory."""
    return ControllerSync()


def test_a_transform_runs_at_once_and_with_each_change(controller: ControllerSync) -> None:
    """With None for a missing source; an equal result is no event."""
    recorder = Recorder()
    calls: list[Any] = []

    def parity(value: int | None) -> int | None:
        calls.append(value)
        return None if value is None else value % 2

    controller.subscribe("/parity", recorder("parity"))
    controller.derive("/parity", "/n", parity, payload="p")
    for value in (1, 3, 4):
        controller.set_state("/n", value, payload="other")

    assert calls == [None, 1, 3, 4]
    assert recorder.seen == [
        Seen("parity", "/parity", "/parity", None, 1, "p"),
        Seen("parity", "/parity", "/parity", 1, 0, "p"),
    ]


def test_a_chain_is_computed_depth_first(controller: ControllerSync) -> None:
    """Each link once, before the next subscriber of its source is called."""
    recorder = Recorder()
    for source, dest in (("/a", "/b"), ("/b", "/c")):
        controller.derive(dest, source, lambda value: (value or 0) + 1)
        controller.subscribe(source, recorder(source))
    controller.subscribe("/c", recorder("/c"))

    controller.set_state("/a", 5)

    assert [(each.name, each.after) for each in recorder.seen] == [("/c", 7), ("/b", 6), ("/a", 5)]


def test_a_diamond_joins_once_for_each_arm(controller: ControllerSync) -> None:
    """The first time with the other arm's former value; a transaction does it once."""
    seen: list[Any] = []

    def join(data: DeriveData) -> int:
        seen.append((data.left, data.right))
        return (data.left or 0) + (data.right or 0)

    controller.set_state("/n", 1)
    controller.derive("/left", "/n", lambda n: n)
    controller.derive("/right", "/n", lambda n: 10 * n)
    controller.derive_many("/sum", ["/left", "/right"], join)

    controller.set_state("/n", 2)
    assert seen == [(1, 10), (2, 10), (2, 20)]

    with controller.transaction():
        controller.set_state("/n", 3)
    assert seen[3:] == [(3, 30)]
    assert controller.get_state("/sum") == 33


@pytest.mark.parametrize("dest", ["x", "/x", Path("/x"), PurePosixPath("x"), "atom"], ids=str)
def test_deriving_the_same_path_again_replaces_the_derivation(
    controller: ControllerSync, dest: Any
) -> None:
    """However the path is written; the former source no longer triggers anything."""
    calls: list[Any] = []
    controller.derive("/x", "/a", calls.append)
    controller.derive(controller.atom("/x") if dest == "atom" else dest, "/b", lambda b: b)

    controller.set_state("/b", 2)
    controller.set_state("/a", 1)

    assert calls == [None]
    assert controller.get_state("/x") == 2


def test_a_derivation_ends_when_its_id_is_unsubscribed(controller: ControllerSync) -> None:
    """Source by source."""
    derivation = controller.derive("/d", "/a", lambda a: a)
    controller.set_state("/a", 1)

    controller.unsubscribe_by_id("/b", derivation)
    controller.set_state("/a", 2)
    controller.unsubscribe_by_id("/a", derivation)
    controller.set_state("/a", 3)

    assert controller.get_state("/d") == 2


def test_the_transform_gets_the_source_as_it_is_now(controller: ControllerSync) -> None:
    """Also with children below the source, and when a callback corrects what is being announced."""
    controller.derive("/d", "/a", lambda value: value)
    controller.set_state("/a/x", 1)
    assert controller.get_state("/d") == {"x": 1}
    controller.set_state("/a", 5)
    assert controller.get_state("/d") == {"/": 5, "x": 1}

    controller.subscribe("/n", lambda event: event.set_state("/n", min(event.new_value, 10)))
    controller.derive("/m", "/n", lambda value: value)
    controller.set_state("/n", 50)
    assert (controller.get_state("/n"), controller.get_state("/m")) == (10, 10)


def test_deleting_a_source_is_a_change(controller: ControllerSync) -> None:
    """The transform then gets None; also if a node above the source is deleted."""
    recorder = Recorder()
    controller.subscribe("/a/b", recorder("below"))
    controller.derive("/d", "/a/b", lambda value: value)
    for deleted in ("/a/b", "/a", "/"):
        controller.set_state("/a/b", 1)
        assert controller.get_state("/d") == 1
        recorder.take()

        controller.del_state(deleted)

        assert controller.get_state("/d", 7) in {None, 7}
        assert len(recorder.seen) == (deleted == "/a/b")

    controller.set_state("/a/b", 1)
    with controller.transaction():
        controller.del_state("/a")
        controller.set_state("/a/c", 1)
    assert controller.get_state("/d") is None


def test_the_root_can_be_a_source(controller: ControllerSync) -> None:
    """The transform sees everything but the derived value."""
    controller.set_state("/a", 1)
    controller.derive("/count", "/", len)
    assert controller.get_state("/count") == 1

    controller.set_state("/b", 2)
    assert controller.get_state("/count") == 2


def test_a_derived_value_may_lie_below_its_source(controller: ControllerSync) -> None:
    """It does not feed itself: the source is seen as if it were not there."""
    calls: list[Any] = []

    def squared(value: int) -> int:
        calls.append(value)
        return value**2

    controller.set_state("/counter", 3)
    controller.derive("/counter/squared", "/counter", squared)
    controller.set_state("/counter", 4)

    assert calls == [3, 4]
    assert controller.get_state("/counter") == {"/": 4, "squared": 16}


def test_a_derived_value_deep_below_its_source_hides_only_itself(
    controller: ControllerSync,
) -> None:
    """Its neighbours are seen."""
    seen: list[Any] = []
    controller.set_state("/a/b/x", 1)
    controller.derive("/a/b/d", "/a", lambda value: seen.append(value) or 5)  # type: ignore[func-returns-value]

    controller.set_state("/a/c", 2)

    assert seen == [{"b": {"x": 1}}, {"b": {"x": 1}, "c": 2}]


def test_what_a_transform_raises_comes_out(controller: ControllerSync) -> None:
    """Of the derivation, and of each later write of the source, which stands."""

    def fail(value: Any) -> Any:
        raise LookupError(value)

    with pytest.raises(LookupError):
        controller.derive("/d", "/a", fail)
    with pytest.raises(LookupError):
        controller.set_state("/a", 1)

    assert controller.get_state("/a") == 1


def test_derive_data_has_the_sources(controller: ControllerSync) -> None:
    """By any path, the top-level ones by name; what is no source is None."""
    found: list[Any] = []

    def transform(data: DeriveData) -> None:
        found.extend(
            [data.get("a"), data.get(PurePosixPath("/b/c")), data.a, data.get("z"), data.z]
        )
        found.extend([dict(data.data), data.controller is controller])

    controller.set_state("/a", 1)
    controller.set_state("/z", 9)
    controller.derive_many("/d", ["a", controller.atom("/b/c")], transform)

    data = {PurePosixPath("/a"): 1, PurePosixPath("/b/c"): None}
    assert found == [1, None, 1, None, None, data, True]


async def test_an_async_transform_is_awaited_and_a_plain_one_called() -> None:
    """Both work with the async controller."""
    controller = ControllerAsync()

    async def double(value: int | None) -> int:
        await asyncio.sleep(0)
        return 2 * (value or 0)

    await controller.derive("/double", "/a", double)
    await controller.derive("/square", "/a", lambda value: (value or 0) ** 2)
    await controller.derive_many("/sum", ["/double", "/square"], lambda d: d.double + d.square)
    await controller.set_state("/a", 3)

    assert await controller.get_state("/") == {"a": 3, "double": 6, "square": 9, "sum": 15}


async def test_a_slow_transform_does_not_overwrite_a_newer_result() -> None:
    """However two writes of the source interleave, the derived value is right in the end."""
    controller = ControllerAsync()
    gates: dict[int, asyncio.Event] = {1: asyncio.Event(), 2: asyncio.Event()}

    async def slow(value: int | None) -> int | None:
        if value is not None:
            await gates[value].wait()
        return value

    recorder = Recorder()
    controller.subscribe("/d", recorder("d"))
    await controller.derive("/d", "/a", slow)
    first = asyncio.create_task(controller.set_state("/a", 1))
    await asyncio.sleep(0)
    second = asyncio.create_task(controller.set_state("/a", 2))
    await asyncio.sleep(0)
    gates[2].set()
    await second
    gates[1].set()
    await first

    assert await controller.get_state("/d") == 2
    assert recorder.seen == [Seen("d", "/d", "/d", None, 2)]


def test_a_derivation_declared_again_goes_to_the_end(controller: ControllerSync) -> None:
    """Of the subscribers of its source."""
    order: list[str] = []
    controller.derive("/d", "/a", lambda _: order.append("derived"))
    controller.subscribe("/a", lambda _: order.append("callback"))
    controller.set_state("/a", 1)
    controller.derive("/d", "/a", lambda _: order.append("derived"))
    controller.set_state("/a", 2)

    assert order == ["derived", "derived", "callback", "derived", "callback", "derived"]


def test_a_payload_reaches_the_callbacks_of_a_derived_value(controller: ControllerSync) -> None:
    """That of the derivation, at registration too."""
    payloads: list[Any] = []

    def callback(event: StateEvent) -> None:
        payloads.append(event.payload)

    controller.subscribe("/d", callback)
    controller.derive_many("/d", ["/a"], lambda data: data.a or 0, payload="p")
    controller.set_state("/a", 1, payload="q")

    assert payloads == ["p", "p"]


# --- whoever writes a derived value ---------------------------------------------------------------


def test_a_derived_value_that_is_written_is_put_right(controller: ControllerSync) -> None:
    """The write is announced, then the right value; what follows never sees the wrong one."""
    recorder = Recorder()
    seen: list[Any] = []
    controller.set_state("/a", 1)
    controller.derive("/d", "/a", lambda a: 10 * a)
    controller.derive("/next", "/d", lambda d: seen.append(d) or d + 1)  # type: ignore[func-returns-value]
    controller.subscribe("/d", recorder("d"))

    assert controller.set_state("/d", "wrong") is True
    assert controller.del_state("/d") is True
    with controller.transaction():
        controller.set_state("/d", "wrong")
        assert controller.get_state("/d") == "wrong"

    assert controller.get_state("/") == {"a": 1, "d": 10, "next": 11}
    assert [(each.before, each.after) for each in recorder.seen] == [
        *((10, "wrong"), ("wrong", 10)),
        *((10, None), (None, 10)),
    ]
    assert seen == [10] * 4  # at registration, and once for each operation


@pytest.mark.parametrize("is_transaction", [False, True])
@pytest.mark.parametrize("deleted", ["/d", "/"])
def test_a_derived_value_outlives_the_node_above_it(
    controller: ControllerSync, deleted: str, *, is_transaction: bool
) -> None:
    """It is computed again of what is left of its sources, in the order of dependencies."""
    controller.set_state("/a", 1)
    for _ in range(2):  # the second time behind the other one
        controller.derive("/d/x/first", "/a", lambda a: 10 * (a or 0))
        controller.derive("/d/last", "/d/x/first", lambda first: first + 1)
    controller.derive("/d/x/first", "/a", lambda a: 10 * (a or 0))

    if is_transaction:
        with controller.transaction():
            controller.del_state(deleted)
    else:
        controller.del_state(deleted)

    first = 10 if deleted == "/d" else 0
    assert controller.get_state("/d") == {"x": {"first": first}, "last": first + 1}


def test_a_write_in_silence_is_no_business_of_a_derivation(controller: ControllerSync) -> None:
    """The value stays wrong until something is announced."""
    controller.set_state("/a", 1)
    controller.derive("/d", "/a", lambda a: a)

    controller.write_state("/d", 5)
    controller.set_state("/d", 6, skip_notify=True)
    assert controller.get_state("/d") == 6

    controller.ping("/d")
    assert controller.get_state("/d") == 1


def test_an_ended_derivation_puts_nothing_right(controller: ControllerSync) -> None:
    """Neither a write, nor a delete above its source or itself; its transform is not called."""
    calls: list[Any] = []
    derivation = controller.derive("/d/x", "/a/b", lambda b: calls.append(b) or "none")  # type: ignore[func-returns-value]
    controller.unsubscribe_by_id("/a/b", derivation)
    calls.clear()

    controller.set_state("/d/x", 5)
    controller.set_state("/a/b", 1)
    controller.del_state("/a")
    assert controller.get_state("/") == {"d": {"x": 5}}

    controller.del_state("/d")
    assert controller.get_state("/") == {}
    assert calls == []


@pytest.mark.parametrize("is_transaction", [False, True])
def test_two_values_may_be_derived_of_one_another(
    controller: ControllerSync, *, is_transaction: bool
) -> None:
    """In a circle, a write of one is taken over by the other, and so it stays."""
    controller.set_state("/celsius", 0)
    controller.derive("/fahrenheit", "/celsius", lambda c: c * 9 // 5 + 32)
    controller.derive("/celsius", "/fahrenheit", lambda f: (f - 32) * 5 // 9)

    for path, value in (("/celsius", 100), ("/fahrenheit", 50)):
        if is_transaction:
            with controller.transaction():
                controller.set_state(path, value)
        else:
            controller.set_state(path, value)
        assert controller.get_state(path) == value

    assert controller.get_state("/") == {"celsius": 10, "fahrenheit": 50}


def test_a_callback_that_insists_loses_against_the_derivation(controller: ControllerSync) -> None:
    """The value is put back without calling it again, so that both come to an end."""
    told: list[Any] = []

    def insist(event: StateEvent) -> None:
        told.append(event.new_value)
        event.set_state("/d", 10)

    controller.subscribe("/d", insist)
    controller.derive("/next", "/d", lambda d: d)
    controller.derive("/d", "/a", lambda a: a)
    controller.set_state("/a", 20)

    assert told == [20, 10]
    assert controller.get_state("/") == {"a": 20, "d": 20, "next": 20}


def test_a_callback_that_raises_keeps_no_derivation_from_its_work(
    controller: ControllerSync,
) -> None:
    """Values are right when the exception comes out; no further callback is called."""
    recorder = Recorder()

    def fail(event: StateEvent) -> None:
        raise LookupError(event.new_value)

    controller.subscribe("/a", fail)
    controller.derive("/d", "/a", lambda a: a)
    controller.derive("/next", "/d", lambda d: d)
    controller.derive("/root", "/", lambda tree: len(tree or {}))
    controller.subscribe("/d", recorder("d"))
    controller.subscribe("/next", recorder("next"))

    with pytest.raises(LookupError, match="1"):
        controller.set_state("/a", 1)

    assert controller.get_state("/") == {"a": 1, "d": 1, "next": 1, "root": 3}
    assert recorder.seen == []


def test_a_derivation_that_a_failed_transaction_has_declared_is_taken_back(
    controller: ControllerSync,
) -> None:
    """The one before it goes on; so it is when only the inner transaction fails."""
    controller.set_state("/a", 1)
    controller.derive("/d", "/a", lambda a: a)

    with pytest.raises(ZeroDivisionError), controller.transaction():
        controller.derive("/d", "/b", lambda _: "other")
        controller.derive("/new", "/a", lambda a: a)
        raise ZeroDivisionError
    controller.set_state("/b", 1)
    controller.set_state("/a", 2)
    assert controller.get_state("/") == {"a": 2, "b": 1, "d": 2}

    with controller.transaction():
        with pytest.raises(ZeroDivisionError), controller.transaction():
            controller.derive("/d", "/b", lambda _: "other")
            raise ZeroDivisionError
        controller.set_state("/a", 3)
        controller.derive("/kept", "/b", lambda b: b)
    controller.set_state("/b", 2)
    assert controller.get_state("/") == {"a": 3, "b": 2, "d": 3, "kept": 2}


@pytest.mark.parametrize("fails", [False, True])
async def test_a_transaction_and_another_task_leave_the_right_derived_value(*, fails: bool) -> None:
    """Each writes one of two sources, and neither sees what the other has written in time."""
    controller = ControllerAsync()
    is_computing, may_go_on = asyncio.Event(), asyncio.Event()

    async def joined(data: DeriveData) -> Any:
        if data.a and not data.b:
            is_computing.set()
            await may_go_on.wait()
            if fails:
                raise LookupError
        return (data.a, data.b)

    async def change_a() -> None:
        async with controller.transaction():
            await controller.set_state("/a", 1)

    await controller.derive_many("/pair", ["/a", "/b"], joined)
    task = asyncio.create_task(change_a())
    await is_computing.wait()
    await controller.set_state("/b", 1)
    assert await controller.get_state("/pair") == (None, 1)
    may_go_on.set()
    await asyncio.wait([task])

    assert isinstance(task.exception(), LookupError) is fails
    assert await controller.get_state("/pair") == ((None, 1) if fails else (1, 1))


def test_of_several_exceptions_the_first_comes_out(controller: ControllerSync) -> None:
    """The transform that raises behind the callback has not spoilt its derived value."""

    def fail(event: StateEvent) -> None:
        raise LookupError(event.new_value)

    controller.subscribe("/a", fail)
    controller.derive("/d", "/a", lambda a: a and 1 // (a - 1))
    controller.derive("/e", "/a", lambda a: a)

    with pytest.raises(LookupError):
        controller.set_state("/a", 1)

    assert controller.get_state("/") == {"a": 1, "e": 1}


async def test_a_derivation_that_another_task_declares_outlives_a_failed_transaction() -> None:
    """It has taken the place of the one that the transaction had declared."""
    controller = ControllerAsync()

    with pytest.raises(ZeroDivisionError):
        async with controller.transaction():
            await controller.derive("/d", "/a", lambda _: "inside")
            outside = contextvars.Context()
            declaring = controller.derive("/d", "/a", lambda _: "outside")
            await asyncio.create_task(declaring, context=outside)
            raise ZeroDivisionError
    await controller.set_state("/a", 1)

    assert await controller.get_state("/d") == "outside"


async def test_a_replaced_derivation_writes_nothing_any_more() -> None:
    """Even if its transform was already waiting."""
    controller, recorder = ControllerAsync(), Recorder()
    may_go_on = asyncio.Event()

    async def slow(value: Any) -> Any:
        if value:
            await may_go_on.wait()
        return "old"

    await controller.derive("/d", "/a", slow)
    task = asyncio.create_task(controller.set_state("/a", 1))
    await asyncio.sleep(0)
    await controller.derive("/d", "/a", lambda _: "new")
    controller.subscribe("/d", recorder("d"))
    may_go_on.set()
    await task

    assert await controller.get_state("/d") == "new"
    assert recorder.seen == []


async def test_a_task_that_is_cancelled_leaves_derived_values_right() -> None:
    """It is cancelled in a callback, after its write."""
    controller = ControllerAsync()
    is_called = asyncio.Event()

    async def wait(event: StateEvent) -> None:
        is_called.set()
        await asyncio.sleep(60)

    controller.subscribe("/a", wait)
    await controller.derive("/d", "/a", lambda a: a)
    task = asyncio.create_task(controller.set_state("/a", 1))
    await is_called.wait()
    task.cancel()
    await asyncio.wait([task])

    assert task.cancelled()
    assert await controller.get_state("/d") == 1
