"""Writes held back."""
# ruff: noqa: ARG002, PT012 - backends with one value; a transaction raises at its end

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from statefun.errors import InvalidPathError, ValueSerializationError
from statefun.reactive import (
    AsyncBackend,
    AsyncifyBackend,
    Backend,
    CachingAsyncBackend,
    CachingSyncBackend,
    ControllerAsync,
    ControllerSync,
    FileSystemSyncBackend,
    HybridSyncBackend,
    InMemoryBackend,
    SqliteBackend,
)
from statefun.reactive.backends.base import Delete, Write
from tests.unit.reactive.backends.test_hybrid import Flat


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    """At zero."""
    return Clock()


def test_operations_wait_and_are_read(clock: Clock) -> None:
    """A read gives what the backend will give after the flush, parents and the root, too."""
    inner = InMemoryBackend()
    inner.write("/a/x", 1)
    cache = CachingSyncBackend(inner, clock=clock)

    cache.write("/a/y", 2)
    cache.write("/b", 3)
    cache.write("/b", 4)
    cache.delete("/a/x")

    assert inner.read("/") == {"a": {"x": 1}}
    assert cache.read("/") == {"a": {"y": 2}, "b": 4}
    assert cache.read("/a/x", 7) == 7
    assert cache.operations == [Write("/a/y", 2), Write("/b", 4), Delete("/a/x")]
    cache.flush()
    assert inner.read("/") == cache.read("/") == {"a": {"y": 2}, "b": 4}
    assert cache.operations == []


@pytest.mark.parametrize("verb", ["read", "write", "delete"])
def test_an_operation_flushes_when_the_interval_is_over(clock: Clock, verb: str) -> None:
    """Only if its kind is asked to: the interval counts from the last flush or the beginning."""
    options = {f"flush_on_{each}": each == verb for each in ("read", "write", "delete")}
    cache = CachingSyncBackend(inner := InMemoryBackend(), flush_interval=5, clock=clock, **options)
    inner.write("/old", 1)

    def operate(kind: str) -> None:
        match kind:
            case "read":
                cache.read("/a")
            case "write":
                cache.write("/a", clock())
            case _:
                cache.delete("/old")

    cache.write("/first", 1)
    others = [each for each in ("read", "write", "delete") if each != verb]
    clock.seconds = 4.9
    operate(verb)
    clock.seconds = 5.0
    for other in others:
        operate(other)
    assert inner.read("/first") is None

    operate(verb)
    assert inner.read("/first") == 1
    cache.write("/second", 2)
    clock.seconds = 9.9
    operate(verb)
    assert inner.read("/second") is None


def test_an_interval_of_zero_flushes_at_once() -> None:
    """As if there were no cache."""
    cache = CachingSyncBackend(inner := InMemoryBackend(), flush_interval=0)

    cache.write("/a", 1)

    assert (inner.read("/a"), cache.operations) == (1, [])


def test_a_miss_leaves_nothing_behind(clock: Clock) -> None:
    """Nor does the default of a read become a value."""
    cache = CachingSyncBackend(InMemoryBackend(), clock=clock)
    cache.write("/a/b", 1)

    assert cache.read("/a/x", 5) == 5
    assert cache.read("/a/x") is None
    assert cache.read("/a") == {"b": 1}


class Failing(InMemoryBackend):
    """Fails at a write as long as it is told to."""

    is_failing = False

    def write(self, path: Any, value: Any) -> None:
        """Fail, or write."""
        if self.is_failing:
            raise OSError("disk full")
        super().write(path, value)


def test_a_failed_flush_keeps_its_operations(clock: Clock) -> None:
    """They are read, and flushed later."""
    cache = CachingSyncBackend(inner := Failing(), clock=clock)
    cache.write("/a", 1)
    inner.is_failing = True
    with pytest.raises(OSError, match="disk full"):
        cache.flush()
    assert (cache.read("/a"), inner.read("/a")) == (1, None)

    inner.is_failing = False
    cache.flush()
    assert inner.read("/a") == 1


async def test_a_failed_async_flush_keeps_its_operations() -> None:
    """The same with coroutines."""
    cache = CachingAsyncBackend(AsyncifyBackend(inner := Failing()))
    await cache.write("/a", 1)
    inner.is_failing = True
    with pytest.raises(OSError, match="disk full"):
        await cache.flush()
    inner.is_failing = False

    await cache.close()

    assert inner.read("/a") == 1


def test_closing_flushes(clock: Clock) -> None:
    """At the end of `with`; what comes later is flushed at once."""
    with CachingSyncBackend(inner := InMemoryBackend(), clock=clock) as cache:
        cache.write("/a", 1)
        assert inner.read("/a") is None
    assert inner.read("/a") == 1

    cache.write("/a", 2)
    assert inner.read("/a") == 2


async def test_closing_flushes_the_async_cache(clock: Clock) -> None:
    """At the end of `async with`."""
    async with CachingAsyncBackend(inner := InMemoryBackend(), clock=clock) as cache:
        controller = ControllerAsync(cache)
        await controller.set_state("/a/b", 1)
        await controller.del_state("/a/b")
        await controller.set_state("/a/c", 2)
        assert await controller.get_state("/") == {"a": {"c": 2}}
        assert inner.read("/") == {}
    assert inner.read("/") == {"a": {"c": 2}}


def test_what_was_read_is_remembered_if_it_cannot_change(clock: Clock) -> None:
    """A list is read anew each time, so that changing one in place cannot hide a write."""
    inner = InMemoryBackend()
    cache = CachingSyncBackend(inner, clock=clock)
    inner.write("/n", 1)
    inner.write("/l", [1])
    assert (cache.read("/n"), cache.read("/l")) == (1, [1])

    inner.write("/n", 2)
    inner.write("/l", [2])
    assert (cache.read("/n"), cache.read("/l")) == (1, [2])

    cache.write("/n/below", 3)
    assert cache.read("/n") == {"/": 2, "below": 3}


class Slow(AsyncBackend):
    """Keeps one value, and answers the first read late."""

    def __init__(self) -> None:
        self.value: Any = 1
        self.is_read, self.may_answer = asyncio.Event(), asyncio.Event()

    async def read(self, path: PurePosixPath, default: Any = None) -> Any:
        """Read at once, and answer when it is allowed."""
        value = self.value
        if not self.is_read.is_set():
            self.is_read.set()
            await self.may_answer.wait()
        return value

    async def write(self, path: PurePosixPath, value: Any) -> None:
        """Write."""
        self.value = value

    async def delete(self, path: PurePosixPath) -> None:
        """Delete."""
        self.value = None


async def test_a_read_that_a_write_has_overtaken_is_not_remembered() -> None:
    """The cache hands out what was written and flushed meanwhile."""
    cache = CachingAsyncBackend(inner := Slow())
    task = asyncio.create_task(cache.read("/a"))
    await inner.is_read.wait()

    await cache.write("/a", 2)
    await cache.flush()
    inner.may_answer.set()
    await task

    assert await cache.read("/a") == 2


def test_a_custom_backend_is_flushed_before_it_answers_for_its_parents(clock: Clock) -> None:
    """Only it knows what a parent reads when a child was written."""
    cache = CachingSyncBackend(inner := Flat(), clock=clock)
    cache.write(PurePosixPath("/a"), 1)
    assert cache.read("/a") == 1
    assert inner.values == {}

    cache.write("/a/b", 2)

    assert cache.read("/a") == 1
    assert inner.values == {"/a": 1, "/a/b": 2}


def test_an_unknown_option_is_refused() -> None:
    """A mistyped setting is no setting."""
    with pytest.raises(TypeError, match="flush_intervall"):
        CachingSyncBackend(InMemoryBackend(), flush_intervall=1)  # type: ignore[call-arg]


def test_a_transaction_reaches_the_cache_as_one(clock: Clock) -> None:
    """And the backend with the next flush."""
    cache = CachingSyncBackend(inner := InMemoryBackend(), clock=clock)
    controller = ControllerSync(cache)

    with controller.transaction():
        controller.set_state("/a", 1)
        controller.set_state("/b", 2)
    assert (controller.get_state("/"), inner.read("/")) == ({"a": 1, "b": 2}, {})

    cache.flush()
    assert inner.read("/") == {"a": 1, "b": 2}


EXIT_PROGRAM = """
import asyncio, sys
from statefun.reactive import *

def sync():
    controller = ControllerSync(CachingSyncBackend(FileSystemSyncBackend(sys.argv[2])))
    controller.set_state("/a", 1)
    controller.set_state("/b", 2)

async def coroutine():
    controller = ControllerAsync(CachingAsyncBackend(FileSystemAsyncBackend(sys.argv[2])))
    await controller.set_state("/a", 1)
    await controller.set_state("/b", 2)

sync() if sys.argv[1] == "sync" else asyncio.run(coroutine())
"""


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_what_is_pending_is_flushed_when_the_process_ends(tmp_path: Path, kind: str) -> None:
    """Normally, that is; also when nobody knows the cache any more."""
    command = [sys.executable, "-W", "error", "-c", EXIT_PROGRAM, kind, str(tmp_path / "state")]

    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "")
    assert FileSystemSyncBackend(tmp_path / "state").read("/") == {"a": 1, "b": 2}


def test_a_cache_of_anything_is_a_backend() -> None:
    """So caches can be mounted, and wrapped."""
    assert isinstance(CachingSyncBackend(InMemoryBackend()), Backend)


@pytest.mark.parametrize("kind", ["files", "sqlite", "mount", "cache"])
def test_a_cache_refuses_at_once_what_its_backend_cannot_take(kind: str, tmp_path: Path) -> None:
    """Nothing changes then, and what is written later reaches the backend."""
    files = FileSystemSyncBackend(tmp_path / "files")
    hybrid = HybridSyncBackend(InMemoryBackend())
    hybrid.mount("/a", files)
    with SqliteBackend(tmp_path / "state.db") as sqlite:
        backends: dict[str, Backend] = {
            "files": files,
            "sqlite": sqlite,
            "mount": hybrid,
            "cache": CachingSyncBackend(files, flush_interval=0.0),
        }
        cache = CachingSyncBackend(backends[kind], flush_interval=60.0)
        controller = ControllerSync(cache)
        controller.set_state("/a/b", 1)

        with pytest.raises(ValueSerializationError, match="'/a/b'"):
            controller.set_state("/a/b", {1, 2})
        if kind != "sqlite":
            with pytest.raises(InvalidPathError):
                controller.set_state("/a/../b", 1)
        with pytest.raises(ValueSerializationError), controller.transaction():
            controller.set_state("/a/c", 1)
            controller.set_state("/a/d", object())

        assert controller.get_state("/") == {"a": {"b": 1}}
        controller.set_state("/a/e", 2)
        cache.flush()
        assert backends[kind].read(PurePosixPath("/a")) == {"b": 1, "e": 2}


async def test_an_async_cache_refuses_values_at_once(tmp_path: Path) -> None:
    """As the sync one does."""
    cache = CachingAsyncBackend(FileSystemSyncBackend(tmp_path), flush_interval=60.0)
    controller = ControllerAsync(cache)

    with pytest.raises(ValueSerializationError):
        await controller.set_state("/a", {1, 2})
    await controller.set_state("/b", 2)
    await cache.flush()
    assert await controller.get_state("/") == {"b": 2}


def test_a_cache_of_a_custom_backend_knows_no_children_in_a_transaction() -> None:
    """A derived value is that of what is read afterwards: the backend's paths are independent."""
    controller = ControllerSync(CachingSyncBackend(Flat(), flush_interval=60.0))
    controller.derive("/copy", "/a", lambda value: value)

    with controller.transaction():
        controller.set_state("/a/b", 1)
        assert controller.get_state("/a") is None

    assert controller.get_state("/a") is None
    assert controller.get_state("/copy") is None
