"""What holds after any sequence of operations."""
# ruff: noqa: PT012, TRY301 - a transaction raises at its end

from __future__ import annotations

import asyncio
import json
import random
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from statefun.reactive import (
    AsyncBackend,
    CachingSyncBackend,
    ControllerAsync,
    ControllerSync,
    DeriveData,
    FileSystemSyncBackend,
    HybridSyncBackend,
    InMemoryBackend,
    SqliteBackend,
    StateEvent,
)
from statefun.reactive.backends.base import MISSING, Forwarding, Node
from tests.unit.reactive.recording import Recorder

names = st.sampled_from(["a", "b", "1.0", "a.json"])
paths = st.lists(names, max_size=3).map(lambda parts: "/" + "/".join(parts))
values = st.none() | st.integers(0, 3) | st.sampled_from(["x", [1], {"a": 1}, {}])
operations = st.lists(
    st.tuples(st.just("write"), paths, values)
    | st.tuples(st.just("delete"), paths, st.none())
    | st.tuples(st.just("flush"), st.just("/"), st.none()),
    max_size=12,
)


def do(backend: Any, verb: str, path: str, value: Any) -> None:
    """One operation of a backend."""
    if verb == "write":
        backend.write(path, value)
    elif verb == "delete":
        backend.delete(path)
    elif isinstance(backend, CachingSyncBackend):
        backend.flush()


def contents(backend: Any, path: str = "/") -> dict[str, Any]:
    """All values of a tree by their paths; nodes without one are not listed."""
    node: Node = backend.node(path)
    found = {} if node.value is MISSING else {path: node.value}
    for name in node.names:
        found |= contents(backend, path.rstrip("/") + "/" + name)
    return found


@settings(max_examples=25)
@given(steps=operations)
def test_memory_files_and_sqlite_agree(steps: list[tuple[str, str, Any]]) -> None:
    """After any sequence; memory alone goes on to have the nodes that were emptied."""
    with (
        tempfile.TemporaryDirectory() as folder,
        SqliteBackend(Path(folder) / "state.db") as sqlite,
    ):
        memory, files = InMemoryBackend(), FileSystemSyncBackend(Path(folder) / "files")
        for step in steps:
            for backend in (memory, files, sqlite):
                do(backend, *step)

        assert files.read("/") == sqlite.read("/")
        assert contents(memory) == contents(files) == contents(sqlite)


def wrapped(kind: str, folder: str) -> Any:
    """A backend that a cache stands in front of."""
    match kind:
        case "memory":
            return InMemoryBackend()
        case "files":
            return FileSystemSyncBackend(Path(folder) / "files")
        case _:
            hybrid = HybridSyncBackend(InMemoryBackend())
            hybrid.mount("/a/b", FileSystemSyncBackend(Path(folder) / "files"))
            return hybrid


@settings(max_examples=50)
@pytest.mark.parametrize("kind", ["memory", "files", "hybrid"])
@given(steps=operations, read=paths)
def test_a_cache_reads_as_the_backend_will_after_the_flush(
    kind: str, steps: list[tuple[str, str, Any]], read: str
) -> None:
    """Every path, at every moment, and as if there were no cache at all."""
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as other:
        inner, plain = wrapped(kind, folder), wrapped(kind, other)
        cache = CachingSyncBackend(inner, flush_interval=1e9)
        for step in steps:
            do(cache, *step)
            do(plain, *step)
            assert cache.read(read, MISSING) == plain.read(read, MISSING)
            assert node_of(cache, read) == node_of(plain, read)
        expected = cache.read("/", MISSING)

        cache.flush()

        assert inner.read("/", MISSING) == expected == plain.read("/", MISSING)


def node_of(backend: Any, path: str) -> Any:
    node: Node = backend.node(path)
    return node.value, set(node.names), node.exists


@given(steps=operations, pivot=st.integers(0, 12))
def test_a_transaction_ends_in_what_the_same_steps_end_in_without_it(
    steps: list[tuple[str, str, Any]], pivot: int
) -> None:
    """One event for each path whose value differs; none of it if it fails."""
    plain, atomic = ControllerSync(), ControllerSync()
    for step in steps[:pivot]:
        do(plain.backend, *step)
        do(atomic.backend, *step)
    before, written = atomic.get_state("/"), {step[1] for step in steps[pivot:]}
    old = {path: atomic.get_state(path, MISSING) for path in written}
    recorder = Recorder()
    atomic.subscribe("/", recorder("root"))

    with pytest.raises(ZeroDivisionError), atomic.transaction():
        perform(atomic, steps[pivot:])
        raise ZeroDivisionError
    assert (atomic.get_state("/"), recorder.seen) == (before, [])

    perform(plain, steps[pivot:])
    with atomic.transaction():
        perform(atomic, steps[pivot:])

    assert atomic.get_state("/") == plain.get_state("/")
    told = [each.emitting for each in recorder.seen]
    assert len(told) == len(set(told))
    assert set(told) <= written
    for each in recorder.seen:
        assert atomic.get_state(each.emitting) == each.after
        now, was = atomic.get_state(each.emitting, MISSING), old[each.emitting]
        assert (now is MISSING) != (was is MISSING) or now != was


def perform(controller: ControllerSync, steps: list[tuple[str, str, Any]]) -> None:
    """The operations of a controller that are like those of a backend."""
    for verb, path, value in steps:
        if verb == "write":
            controller.set_state(path, value)
        elif verb == "delete":
            controller.del_state(path)


class Derived(RuleBasedStateMachine):
    """Sources that change in every way, and derivations of every shape."""

    sources = ("/s", "/s/a", "/s/b", "/s/a/x", "/t", "/t/y")
    anywhere = (*sources, "/d/0", "/d/1", "/d/next1", "/d/sum", "/t/below")

    def __init__(self) -> None:
        super().__init__()
        self.controller = ControllerSync()
        self.recorder = Recorder()
        self.gone = self.recorder("gone")
        self.derivations: dict[str, tuple[str, Any]] = {}
        for number, source in enumerate(self.sources):
            self.derive(f"/d/{number}", source, shape)
        for number in range(3):
            self.derive(f"/d/next{number}", f"/d/{number}", len)
        self.derive("/t/below", "/t", shape)
        self.controller.derive_many("/d/sum", ["/s/a", "/d/next0", "/t"], joined)
        self.controller.subscribe("/s/b", clamp)
        self.controller.subscribe("/d/next1", stubborn)
        self.controller.subscribe("/s/a", failing)

    def derive(self, dest: str, source: str, transform: Any) -> None:
        self.derivations[dest] = (source, transform)
        self.controller.derive(dest, source, transform)

    @rule(path=st.sampled_from(anywhere), value=values)
    def write(self, path: str, value: Any) -> None:
        """Write a source, or a derived value."""
        with suppress(LookupError):
            self.controller.set_state(path, value)

    @rule(path=st.sampled_from([*anywhere, "/d", "/"]))
    def delete(self, path: str) -> None:
        """Delete a source, a derived value, or everything."""
        with suppress(LookupError):
            self.controller.del_state(path)

    @rule(path=st.sampled_from(anywhere))
    def ping(self, path: str) -> None:
        """Ping a source, or a derived value."""
        with suppress(LookupError):
            self.controller.ping(path)

    @rule(
        steps=st.lists(
            st.tuples(st.sampled_from([*anywhere, "/d", "/"]), values | st.just(MISSING)),
            max_size=4,
        ),
        fails=st.booleans(),
    )
    def transact(self, steps: list[tuple[str, Any]], *, fails: bool) -> None:
        """Several of these as one, or in vain."""
        with suppress(ZeroDivisionError, LookupError), self.controller.transaction():
            for path, value in steps:
                if value is MISSING:
                    self.controller.del_state(path)
                elif path != "/":
                    self.controller.set_state(path, value)
            if fails:
                raise ZeroDivisionError

    @rule(
        number=st.integers(0, 2),
        source=st.sampled_from(sources),
        value=values,
        fails=st.booleans(),
    )
    def derive_anew(self, number: int, source: str, value: Any, *, fails: bool) -> None:
        """Declare a derivation again, in a transaction that may fail."""
        before = dict(self.derivations)
        try:
            with self.controller.transaction():
                self.derive(f"/d/again{number}", source, shape)
                self.controller.set_state(source, value)
                if fails:
                    raise ZeroDivisionError
        except (ZeroDivisionError, LookupError) as error:
            if isinstance(error, ZeroDivisionError):
                self.derivations = before

    @rule(path=st.sampled_from(sources))
    def subscribe_and_unsubscribe(self, path: str) -> None:
        """A callback that is subscribed and unsubscribed again."""
        self.controller.subscribe(path, self.gone)
        self.controller.unsubscribe(path, self.gone)

    @invariant()
    def a_derived_value_equals_its_transform_of_its_source(self) -> None:
        """Where a derived value lies below its source, the source is seen without it."""
        for dest, (source, transform) in self.derivations.items():
            value = self.controller.get_state(source)
            if dest == "/t/below":
                value = {key: each for key, each in value.items() if key != "below"}
                value = value.get("/") if value.keys() == {"/"} else value or None
            assert self.controller.get_state(dest) == transform(value), dest
        expected = tuple(map(shape, map(self.controller.get_state, ["/s/a", "/d/next0", "/t"])))
        assert self.controller.get_state("/d/sum") == expected

    @invariant()
    def what_is_unsubscribed_is_silent(self) -> None:
        """For good."""
        assert self.recorder.seen == []


def joined(data: Any) -> Any:
    return tuple(shape(value) for value in data.data.values())


def shape(value: Any) -> str:
    """A value as text, whatever the order of its children, which is no part of it."""
    return json.dumps(value, sort_keys=True)


def stubborn(event: StateEvent) -> None:
    """Write a derived value that is being announced."""
    event.set_state("/d/next1", 7)


def failing(event: StateEvent) -> None:
    """Raise at some values."""
    if event.new_value in (2, "x"):
        raise LookupError(event.new_value)


def clamp(event: StateEvent) -> None:
    """Correct a source while it is being announced."""
    if event.new_value == 3 and str(event.emitting_path) == "/s/b":
        event.set_state("/s/b", 2)


Derived.TestCase.settings = settings(max_examples=25, stateful_step_count=15)
TestDerived = Derived.TestCase


class Slow(Forwarding, AsyncBackend):
    """A tree in memory that lets others run before and behind each operation."""

    def __init__(self, chance: random.Random) -> None:
        super().__init__(InMemoryBackend())
        self._chance = chance

    async def _forward(self, function: Any, *arguments: Any) -> Any:
        await nap(self._chance)
        result = function(*arguments)
        await nap(self._chance)
        return result


async def nap(chance: random.Random) -> None:
    """Let others run, a few times."""
    for _ in range(chance.randrange(3)):
        await asyncio.sleep(0)


@settings(max_examples=60)
@given(seed=st.integers(0, 1_000_000))
def test_tasks_that_interleave_leave_every_derived_value_right(seed: int) -> None:
    """Whatever they write or delete, in transactions that end or fail, and beside them."""
    asyncio.run(interleave(random.Random(seed)))


async def interleave(chance: random.Random) -> None:  # noqa: C901 - one program
    """Some tasks on one tree; then the law."""
    sources = ["/s/a", "/s/b", "/t"]
    derived = {"/d/1": ["/s/a", "/s/b"], "/d/2": ["/d/1", "/t"], "/d/3": ["/s"]}
    derived["/d/4"] = ["/d/2", "/d/3"]
    controller = ControllerAsync(Slow(chance))

    async def transform(data: DeriveData) -> Any:
        await nap(chance)
        return [shape(value) for value in data.data.values()]

    async def change(value: Any) -> None:
        await nap(chance)
        if chance.random() < 0.7:
            await controller.set_state(chance.choice([*sources, *derived]), value)
        else:
            await controller.del_state(chance.choice([*sources, "/s", "/d"]))

    async def work(number: int) -> None:
        for step in range(chance.randrange(1, 5)):
            if chance.random() < 0.6:
                await change([number, step])
                continue
            with suppress(ZeroDivisionError):
                async with controller.transaction():
                    for inner in range(chance.randrange(1, 4)):
                        await change([number, step, inner])
                    if chance.random() < 0.25:
                        raise ZeroDivisionError

    for dest, origin in derived.items():
        await controller.derive_many(dest, origin, transform)
    await asyncio.gather(*map(work, range(chance.randrange(1, 4))))

    for dest, origin in derived.items():
        expected = [shape(await controller.get_state(source)) for source in origin]
        assert await controller.get_state(dest) == expected, dest
