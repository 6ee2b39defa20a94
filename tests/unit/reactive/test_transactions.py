"""Transactions: many writes as one."""
# ruff: noqa: PT012 - a transaction raises at its end

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from statefun.reactive import (
    AsyncBackend,
    Backend,
    CachingSyncBackend,
    ControllerAsync,
    ControllerSync,
    FileSystemSyncBackend,
    HybridSyncBackend,
    InMemoryBackend,
    SqliteBackend,
)
from tests.unit.reactive.backends.test_hybrid import Flat
from tests.unit.reactive.recording import Recorder, Seen

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path, PurePosixPath

    from statefun.reactive import StateEvent


@pytest.fixture
def controller() -> ControllerSync:
    """An empty tree in memory."""
    return ControllerSync()


class Mine(Exception):  # noqa: N818 - raised to end a transaction
    """What the body of a transaction raises."""


def test_there_is_one_event_for_each_changed_path(controller: ControllerSync) -> None:
    """At the end, in the order of the first write, with the values before and after all of it."""
    recorder = Recorder()
    controller.set_state("/a", 1)
    controller.set_state("/same", 1)
    controller.subscribe("/", recorder("root"))

    with controller.transaction():
        controller.set_state("/b", 1)
        controller.set_state("/a", 2, payload="p")
        controller.set_state("/a", 3, payload="q")
        controller.set_state("/same", 2)
        controller.set_state("/same", 1)
        controller.set_state("/gone", 1)
        controller.del_state("/gone")
        controller.set_state("/silent", 1, skip_notify=True)
        controller.write_state("/also silent", 1)
        assert recorder.seen == []

    assert recorder.seen == [
        Seen("root", "/b", "/", None, 1),
        Seen("root", "/a", "/", 1, 3, "q"),
    ]
    assert controller.get_state("/silent") == controller.get_state("/also silent") == 1


def test_a_path_that_a_write_below_brought_into_being_counts_as_new(
    controller: ControllerSync,
) -> None:
    """The value before is that of the beginning, and a path missing at both ends has no event."""
    recorder = Recorder()
    controller.subscribe("/a", recorder("a"))
    controller.subscribe("/b", recorder("b"))

    with controller.transaction():
        controller.set_state("/a/x", 0, skip_notify=True)
        controller.set_state("/a", 1)
        controller.set_state("/b/x", 0, skip_notify=True)
        controller.set_state("/b", 1, default=2)
        controller.del_state("/b")

    assert recorder.seen == [Seen("a", "/a", "/a", None, {"/": 1, "x": 0})]


def test_inside_one_reads_what_one_has_written(controller: ControllerSync) -> None:
    """Values, parents, deletes and defaults."""
    controller.set_state("/a/x", 1)

    with controller.transaction():
        controller.set_state("/a/y", 2)
        assert controller.get_state("/a") == {"x": 1, "y": 2}
        assert controller.del_state("/a/x") is True
        assert controller.del_state("/a/x") is False
        assert controller.get_state("/") == {"a": {"y": 2}}
        assert controller.get_state("/d", 5, write_default=True) == 5
        assert controller.set_state("/a/y", 2) is False

    assert controller.get_state("/") == {"a": {"y": 2}, "d": 5}


def test_pings_and_notices_come_at_the_end(controller: ControllerSync) -> None:
    """A ping is an event even where nothing differs."""
    recorder = Recorder()
    controller.subscribe("/", recorder("root"))

    with controller.transaction():
        controller.ping("/a", 7, payload="p")
        controller.notify("/z", controller.build_event("/z", 1, 2, "n"))
        assert recorder.seen == []

    assert recorder.seen == [
        Seen("root", "/a", "/", 7, 7, "p"),
        Seen("root", "/z", "/", 1, 2, "n"),
    ]


def test_each_derived_value_is_computed_once_in_the_order_of_dependencies(
    controller: ControllerSync,
) -> None:
    """Whatever the order in which they were declared; a value that stays ends the chain."""
    calls: list[str] = []

    def computing(name: str) -> Any:
        def transform(data: Any) -> int:
            calls.append(name)
            return sum(value or 0 for value in data.data.values())

        return transform

    controller.derive_many("/total", ["/left", "/right", "/b"], computing("total"))
    controller.derive_many("/right", ["/a", "/left"], computing("right"))
    controller.derive_many("/left", ["/a", "/b"], computing("left"))
    controller.derive_many("/other", ["/elsewhere"], computing("other"))
    controller.derive_many("/last", ["/total"], computing("last"))
    recorder = Recorder()
    controller.subscribe("/", recorder("root"))
    calls.clear()

    with controller.transaction():
        controller.set_state("/a", 1)
        controller.set_state("/b", 2)
        assert controller.get_state("/left") == 0

    assert calls == ["left", "right", "total", "last"]
    assert [(each.emitting, each.after) for each in recorder.seen] == [
        *(("/a", 1), ("/b", 2)),
        *(("/left", 3), ("/right", 4), ("/total", 9), ("/last", 9)),
    ]

    calls.clear()
    with controller.transaction():
        controller.set_state("/a", 2)
        controller.set_state("/b", 1)
    assert calls == ["left", "right", "total"]


def test_derived_values_in_a_circle_are_computed_once(controller: ControllerSync) -> None:
    """A circle has no order; it is not run round."""
    calls: list[str] = []
    for dest, source in (("/a", "/b"), ("/b", "/a")):
        controller.derive(dest, source, lambda v, d=dest: calls.append(d) or v)  # type: ignore[misc, func-returns-value]
    calls.clear()

    with controller.transaction():
        controller.set_state("/a", 1)

    assert controller.get_state("/") == {"a": 1, "b": 1}
    assert sorted(calls) == ["/a", "/b"]


@pytest.fixture(params=["memory", "files", "sqlite", "cached", "hybrid", "custom"])
def backend(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Backend]:
    """Each backend in turn."""
    match request.param:
        case "memory":
            yield InMemoryBackend()
        case "files":
            yield FileSystemSyncBackend(tmp_path)
        case "sqlite":
            with SqliteBackend(tmp_path / "s.db") as sqlite:
                yield sqlite
        case "cached":
            yield CachingSyncBackend(FileSystemSyncBackend(tmp_path), flush_interval=0)
        case "hybrid":
            hybrid = HybridSyncBackend(InMemoryBackend())
            hybrid.mount("/a", FileSystemSyncBackend(tmp_path))
            yield hybrid
        case _:
            yield Flat()


def test_an_exception_restores_every_path(backend: Backend) -> None:
    """On every backend: values, subtrees and what was missing; nobody is told."""
    controller = ControllerSync(backend)
    recorder = Recorder()
    paths = ["/a", "/a/b", "/a/b/c", "/d/e", "/new", "/new/x"]
    for path in paths[:4]:
        controller.set_state(path, path)
    before = {path: controller.get_state(path) for path in paths}
    controller.subscribe("/", recorder("root"))

    with pytest.raises(Mine), controller.transaction():
        controller.set_state("/a", 1)
        controller.del_state("/a/b")
        controller.set_state("/a/b/z", 2)
        controller.set_state("/new/x", 3)
        controller.del_state("/d/e")
        raise Mine

    assert {path: controller.get_state(path) for path in paths} == before
    assert recorder.seen == []


def test_a_transaction_is_done_on_every_backend(backend: Backend) -> None:
    """What was read inside is what is read afterwards."""
    controller = ControllerSync(backend)
    controller.set_state("/a/b", 1)

    with controller.transaction():
        controller.set_state("/a/c", 2)
        controller.set_state("/d", 3)
        controller.del_state("/a/b")
        paths = ("/a/b", "/a/c", "/d")
        inside = [controller.get_state(path) for path in paths]

    assert inside == [None, 2, 3]
    assert [controller.get_state(path) for path in paths] == inside


class Failing(FileSystemSyncBackend):
    """Fails at one path."""

    def write(self, path: Any, value: Any) -> None:
        """Fail there, and write elsewhere."""
        if str(path) == "/bad":
            raise OSError("disk full")
        super().write(path, value)


def test_a_backend_that_fails_at_the_end_leaves_everything_as_it_was(tmp_path: Path) -> None:
    """What had been applied is undone, in other backends, too; nobody is told."""
    hybrid = HybridSyncBackend(InMemoryBackend())
    for name in ("one", "two"):
        hybrid.mount(f"/{name}", Failing(tmp_path / name))
    controller = ControllerSync(hybrid)
    controller.set_state("/one/a", 1)
    recorder = Recorder()
    controller.subscribe("/", recorder("root"))

    with pytest.raises(OSError, match="disk full"), controller.transaction():
        controller.set_state("/m", 1)
        controller.set_state("/one/a", 2)
        controller.set_state("/one/b", 2)
        controller.set_state("/two/a", 2)
        controller.set_state("/two/bad", 2)

    assert controller.get_state("/") == {"one": {"a": 1}}
    assert recorder.seen == []


def test_a_transform_that_raises_ends_the_transaction(controller: ControllerSync) -> None:
    """Nothing was written: what is derived belongs to it."""
    controller.derive("/d", "/a", lambda a: a and 1 / a)

    with pytest.raises(TypeError), controller.transaction():
        controller.set_state("/b", 1)
        controller.set_state("/a", "text")

    assert controller.get_state("/") == {}


def test_a_callback_that_raises_at_the_end_finds_everything_written(
    controller: ControllerSync,
) -> None:
    """The same rule as outside: it comes out, the writes stand, nobody after it is called."""
    recorder = Recorder()

    def fail(event: Any) -> None:
        raise Mine

    controller.subscribe("/a", fail)
    controller.subscribe("/b", recorder("b"))
    with pytest.raises(Mine), controller.transaction():
        controller.set_state("/a", 1)
        controller.set_state("/b", 1)

    assert controller.get_state("/") == {"a": 1, "b": 1}
    assert recorder.seen == []
    assert controller.set_state("/b", 2) is True


def test_a_nested_transaction_can_fail_by_itself(controller: ControllerSync) -> None:
    """It is a part of the outer one, which goes on from where the inner one began."""
    recorder = Recorder()
    controller.subscribe("/", recorder("root"))

    with controller.transaction():
        controller.set_state("/a", 1)
        with pytest.raises(Mine), controller.transaction():
            controller.set_state("/a", 2)
            controller.set_state("/b", 2)
            controller.notify("/z", controller.build_event("/z", 1, 2))
            raise Mine
        with controller.transaction():
            controller.set_state("/c", 3)
        assert controller.get_state("/") == {"a": 1, "c": 3}

    assert [each.emitting for each in recorder.seen] == ["/a", "/c"]


def test_what_callbacks_write_at_the_end_is_announced_as_ever(controller: ControllerSync) -> None:
    """The transaction is over by then."""
    controller.derive("/double", "/b", lambda b: 2 * (b or 0))
    controller.subscribe("/a", lambda event: event.set_state("/b", event.new_value))

    with controller.transaction():
        controller.set_state("/a", 4)

    assert controller.get_state("/double") == 8


def test_a_transaction_of_another_controller_is_another_one(controller: ControllerSync) -> None:
    """One inside the other, each with its own end."""
    other = ControllerSync()

    with pytest.raises(Mine), controller.transaction():
        controller.set_state("/a", 1)
        with other.transaction():
            other.set_state("/a", 2)
            controller.set_state("/b", 1)
        raise Mine

    assert (controller.get_state("/"), other.get_state("/")) == ({}, {"a": 2})


async def test_the_async_transaction_is_seen_by_its_own_task_alone() -> None:
    """Others read what was before, write past it, and begin their own when it is over."""
    controller = ControllerAsync()
    order: list[str] = []
    is_inside, may_end = asyncio.Event(), asyncio.Event()

    async def first() -> None:
        async with controller.transaction():
            await controller.set_state("/a", 1)
            is_inside.set()
            await may_end.wait()
            assert await controller.get_state("/b") == 2
        order.append("first")

    async def second() -> None:
        async with controller.transaction():
            order.append("second")
            assert await controller.get_state("/a") == 1

    tasks = [asyncio.create_task(first())]
    await is_inside.wait()
    tasks.append(asyncio.create_task(second()))
    assert await controller.get_state("/a") is None
    await controller.set_state("/b", 2)
    may_end.set()
    await asyncio.gather(*tasks)

    assert order == ["first", "second"]
    assert await controller.get_state("/") == {"a": 1, "b": 2}


async def test_an_async_exception_restores_everything() -> None:
    """A cancellation as well; the next transaction can begin."""
    controller = ControllerAsync()

    async def cancelled() -> None:
        async with controller.transaction():
            await controller.set_state("/a", 1)
            await asyncio.sleep(60)

    task = asyncio.create_task(cancelled())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    with pytest.raises(Mine):
        async with controller.transaction():
            await controller.set_state("/b", 1)
            raise Mine

    async with controller.transaction():
        await controller.derive("/d", "/c", lambda c: c)
        await controller.set_state("/c", 1)
    assert await controller.get_state("/") == {"c": 1, "d": 1}


def test_deleting_above_a_mount_leaves_the_mount_in_a_transaction_too() -> None:
    """It is read, and what was written there before the delete is written."""
    hybrid = HybridSyncBackend(InMemoryBackend())
    hybrid.mount("/a/b/m", InMemoryBackend())
    controller = ControllerSync(hybrid)
    controller.set_state("/a/x", 1)
    controller.set_state("/a/b/m/old", 2)

    with controller.transaction():
        controller.set_state("/a/b/m/new", 3)
        controller.del_state("/a")
        assert controller.get_state("/a/b/m/old") == 2
        assert controller.get_state("/a") == {"b": {"m": {"old": 2, "new": 3}}}

    assert controller.get_state("/a") == {"b": {"m": {"old": 2, "new": 3}}}


async def test_a_callback_of_an_async_transaction_may_begin_another_one() -> None:
    """Callbacks are called when others may begin: one that does so, or waits for it, goes on."""
    controller = ControllerAsync()

    async def add_up(event: StateEvent[Any, Any]) -> None:
        async with controller.transaction():
            await controller.set_state("/sum", int(event.new_value or 0) + 1)

    async def wait_for_another_task(event: StateEvent[Any, Any]) -> None:
        await asyncio.create_task(add_up(event))

    controller.subscribe("/a", add_up)
    controller.subscribe("/b", wait_for_another_task)
    for path, value in (("/a", 1), ("/b", 2)):
        async with asyncio.timeout(10), controller.transaction():
            await controller.set_state(path, value)
        assert await controller.get_state("/sum") == value + 1


class Yielding(AsyncBackend):
    """Lets other tasks run at each of its operations."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}

    async def read(self, path: PurePosixPath, default: Any = None) -> Any:
        await asyncio.sleep(0)
        return self.values.get(str(path), default)

    async def write(self, path: PurePosixPath, value: Any) -> None:
        await asyncio.sleep(0)
        self.values[str(path)] = value

    async def delete(self, path: PurePosixPath) -> None:
        await asyncio.sleep(0)
        del self.values[str(path)]


async def test_a_task_that_outlives_its_transaction_loses_no_write() -> None:
    """It writes within the transaction until that is applied, and past it from then on."""
    controller = ControllerAsync(Yielding())
    heard: list[str] = []
    controller.subscribe("/", lambda event: heard.append(str(event.emitting_path)))
    await controller.derive("/twice", "/n5", lambda value: None if value is None else 2 * value)

    async def write() -> None:
        for number in range(40):
            await controller.set_state(f"/n{number}", number)

    async with controller.transaction():
        for number in range(10):
            await controller.set_state(f"/first{number}", number)
        task = asyncio.create_task(write())
    await task

    for number in range(40):
        assert await controller.get_state(f"/n{number}") == number
    assert await controller.get_state("/twice") == 10
    assert len(heard) == len(set(heard)) == 51


async def test_a_nested_transaction_takes_back_what_all_tasks_have_written_since() -> None:
    """Tasks that a transaction starts share it, nested transactions included."""
    controller = ControllerAsync()
    has_begun, has_written = asyncio.Event(), asyncio.Event()

    async def fail() -> None:
        with pytest.raises(Mine):
            async with controller.transaction():
                has_begun.set()
                await has_written.wait()
                raise Mine

    async with controller.transaction():
        await controller.set_state("/before", 1)
        task = asyncio.create_task(fail())
        await has_begun.wait()
        await controller.set_state("/since", 1)
        has_written.set()
        await task

    assert await controller.get_state("/") == {"before": 1}
