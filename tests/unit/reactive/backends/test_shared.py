"""Backends that several processes share: what they know of one another, wherever it is mounted."""
# ruff: noqa: PT012, TRY301 - a transaction raises at its end

from __future__ import annotations

import json
import random
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from statefun.errors import StateBackendError, TransactionConflictError
from statefun.reactive import (
    CachingAsyncBackend,
    CachingSyncBackend,
    ControllerAsync,
    ControllerSync,
    DeriveData,
    HybridAsyncBackend,
    HybridSyncBackend,
    InMemoryBackend,
    SqliteBackend,
)
from tests.unit.reactive.recording import Recorder, Seen

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from statefun.reactive import Backend
    from statefun.reactive.backends.base import TreeBackend


def mounted(backend: Backend) -> HybridSyncBackend:
    """Memory with a backend at `/db`."""
    hybrid = HybridSyncBackend(InMemoryBackend())
    hybrid.mount("/db", backend)
    return hybrid


def below_memory(backend: Backend) -> HybridSyncBackend:
    """A backend with memory mounted in it."""
    hybrid = HybridSyncBackend(backend)
    hybrid.mount("/db/memory", InMemoryBackend())
    return hybrid


def nested(backend: Backend) -> HybridSyncBackend:
    """A hybrid in a hybrid; the inner one gets its backend when it is in place."""
    outer, inner = HybridSyncBackend(InMemoryBackend()), HybridSyncBackend(InMemoryBackend())
    outer.mount("/db", inner)
    inner.mount("/x", backend)
    return outer


KINDS: dict[str, tuple[Callable[[Any], Any], str]] = {
    "alone": (lambda backend: backend, "/db"),
    "mounted": (mounted, "/db"),
    "below memory": (below_memory, "/db"),
    "nested": (nested, "/db/x"),
    "cached": (CachingSyncBackend, "/db"),
    "cached and mounted": (lambda backend: mounted(CachingSyncBackend(backend)), "/db"),
    "mounted and cached": (lambda backend: CachingSyncBackend(mounted(backend)), "/db"),
}


@pytest.fixture(params=KINDS)
def pair(
    request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[tuple[ControllerSync, ControllerSync, str]]:
    """Two controllers of one file, as two processes have them, and the path of what they share."""
    wrapped, top = KINDS[request.param]
    with ExitStack() as stack:
        one, other = (
            ControllerSync(wrapped(stack.enter_context(SqliteBackend(tmp_path / "state.db"))))
            for _ in range(2)
        )
        yield one, other, top
        flushed(one)
        flushed(other)


def flushed(controller: ControllerSync) -> None:
    """What the controller has written is seen by others now."""
    waiting: list[Any] = [controller.backend]
    for backend in waiting:
        if isinstance(backend, CachingSyncBackend):
            backend.flush()
            waiting.append(backend.backend)
        if isinstance(backend, HybridSyncBackend):
            waiting += backend.mounts.values()


def test_changes_of_others_are_announced_where_they_are_mounted(pair: Any) -> None:
    """With the values before and after, and once; derivations run, and the new value is read."""
    one, other, top = pair
    recorder = Recorder()
    other.subscribe("/", recorder("root"))
    other.derive("/double", f"{top}/a/b", lambda value: 2 * (value or 0))
    recorder.take()
    for value in (1, 2):
        one.set_state(f"{top}/a/b", value)
        flushed(one)
        assert other.refresh() == 1
        assert other.get_state(f"{top}/a/b") == value
        assert other.get_state("/double") == 2 * value
    one.del_state(f"{top}/a/b")
    flushed(one)

    assert other.refresh() == 1
    assert other.refresh() == 0

    changes = [each for each in recorder.seen if each.emitting.startswith(top)]
    assert changes == [
        Seen("root", f"{top}/a/b", "/", None, 1),
        Seen("root", f"{top}/a/b", "/", 1, 2),
        Seen("root", f"{top}/a/b", "/", 2, None),
    ]
    assert other.get_state("/double") == 0


def test_a_transaction_minds_what_others_change(pair: Any) -> None:
    """What it has read, at the path, above and below; other paths are no conflict."""
    one, other, top = pair
    one.set_state(f"{top}/n", 1)
    flushed(one)

    def change(path: str, value: Any) -> None:
        other.set_state(top + path, value)
        flushed(other)

    for read in (f"{top}/n", top, "/"):
        before = one.get_state(f"{top}/n")
        with pytest.raises(TransactionConflictError) as caught, one.transaction():
            one.get_state(read)
            one.write_state(f"{top}/m", 1)
            change("/n", before + 1)
        assert caught.value.path in {read, top}
        one.refresh()
        assert one.get_state(f"{top}/m") is None
        assert one.get_state(f"{top}/n") == before + 1

    with one.transaction():
        one.set_state(f"{top}/n", one.get_state(f"{top}/n") + 1)
        change("/elsewhere", 1)
    flushed(one)
    other.refresh()
    assert other.get_state(f"{top}/n") == 5


def test_a_transaction_reads_what_was_there_when_it_began(pair: Any) -> None:
    """Not what was read before, so an increment starts from the latest number."""
    one, other, top = pair
    one.set_state(f"{top}/n", 1)
    flushed(one)
    assert one.get_state(f"{top}/n") == 1
    other.set_state(f"{top}/n", 10)
    flushed(other)

    with one.transaction():
        one.set_state(f"{top}/n", one.get_state(f"{top}/n") + 1)

    flushed(one)
    other.refresh()
    assert other.get_state(f"{top}/n") == 11


COUNTING = """
import sys
from statefun.errors import TransactionConflictError
from statefun.reactive import *

with SqliteBackend(sys.argv[2]) as shared:
    backend = HybridSyncBackend(InMemoryBackend())
    backend.mount("/db", CachingSyncBackend(shared) if sys.argv[1] == "cached" else shared)
    controller = ControllerSync(backend)
    done = 0
    while done < 50:
        try:
            with controller.transaction():
                tree = controller.get_state("/db", {})
                controller.set_state("/db/n", tree.get("n", 0) + 1)
                controller.set_state(f"/db/{sys.argv[3]}", done + 1)
        except TransactionConflictError:
            continue
        done += 1
"""


@pytest.mark.parametrize("kind", ["plain", "cached"])
def test_processes_that_count_in_transactions_lose_nothing(tmp_path: Path, kind: str) -> None:
    """Two of them, each with the file mounted in a tree of its own."""
    file = tmp_path / "state.db"
    command = [sys.executable, "-c", COUNTING, kind, str(file)]

    processes = [subprocess.Popen([*command, name]) for name in ("a", "b")]

    assert [process.wait(timeout=60) for process in processes] == [0, 0]
    with SqliteBackend(file) as backend:
        assert backend.read("/") == {"n": 100, "a": 50, "b": 50}


async def test_async_trees_know_what_others_do(tmp_path: Path) -> None:
    """Mounted and cached, sync backends in async ones; a sync hybrid may get its mounts later."""
    file = tmp_path / "state.db"
    with SqliteBackend(file) as mine, SqliteBackend(file) as theirs:
        late = HybridSyncBackend(InMemoryBackend())
        hybrid = HybridAsyncBackend(late)
        one = ControllerAsync(CachingAsyncBackend(hybrid, flush_interval=0))
        late.mount("/db", mine)
        other = ControllerSync(theirs)
        seen = Recorder()
        one.subscribe("/db", seen("db"))
        other.set_state("/n", 1)
        assert await one.refresh() == 1
        assert seen.seen == [Seen("db", "/db/n", "/db", None, 1)]

        with pytest.raises(TransactionConflictError, match="'/db/n'"):
            async with one.transaction():
                await one.set_state("/db/n", await one.get_state("/db/n") + 1)
                other.set_state("/n", 10)
        async with one.transaction():
            await one.set_state("/db/n", await one.get_state("/db/n") + 1)
        assert other.get_state("/n") == 11


async def test_what_waits_in_a_cache_is_a_change_for_a_transaction(tmp_path: Path) -> None:
    """Another task has written what the transaction has read, and nothing was flushed yet."""
    with SqliteBackend(tmp_path / "state.db") as backend:
        cache = CachingAsyncBackend(backend)
        controller = ControllerAsync(cache)
        await cache.write("/n", 1)

        with pytest.raises(TransactionConflictError, match="'/n'"):
            async with controller.transaction():
                await controller.set_state("/n", await controller.get_state("/n") + 1)
                await cache.write("/n", 10)
        assert await controller.get_state("/n") == 10
        async with controller.transaction():
            await controller.set_state("/n", await controller.get_state("/n") + 1)
        assert backend.read("/n") == 11


def test_a_backend_that_fails_keeps_the_changes_of_the_others(tmp_path: Path) -> None:
    """They are announced by the next `refresh`."""
    with SqliteBackend(tmp_path / "a.db") as a, SqliteBackend(tmp_path / "a.db") as foreign:
        b = SqliteBackend(tmp_path / "b.db")
        hybrid = HybridSyncBackend(InMemoryBackend())
        hybrid.mount("/a", a)
        hybrid.mount("/b", b)
        controller, recorder = ControllerSync(hybrid), Recorder()
        controller.subscribe("/a", recorder("a"))
        foreign.write("/n", 1)
        b.close()

        with pytest.raises(StateBackendError, match="'/b'"):
            controller.refresh()
        hybrid.unmount("/b")

        assert controller.refresh() == 1
        assert recorder.seen == [Seen("a", "/a/n", "/a", None, 1)]


def test_a_change_that_a_mount_hides_is_not_announced(tmp_path: Path) -> None:
    """Nobody can read it."""
    with SqliteBackend(tmp_path / "a.db") as shared, SqliteBackend(tmp_path / "a.db") as foreign:
        hybrid = HybridSyncBackend(shared)
        hybrid.mount("/hidden", InMemoryBackend())
        controller = ControllerSync(hybrid)
        foreign.write("/hidden/n", 1)
        foreign.write("/seen", 1)

        assert controller.refresh() == 1


def test_a_shared_backend_that_is_mounted_in_a_transaction_is_a_conflict(tmp_path: Path) -> None:
    """What it held when the transaction began is not known."""
    with SqliteBackend(tmp_path / "a.db") as first, SqliteBackend(tmp_path / "b.db") as second:
        hybrid = mounted(first)
        controller = ControllerSync(hybrid)

        with pytest.raises(TransactionConflictError, match="'/late/n'"), controller.transaction():
            hybrid.mount("/late", second)
            controller.set_state("/late/n", 1)

        assert second.read("/") is None


def test_a_conflict_in_one_backend_undoes_the_others(tmp_path: Path) -> None:
    """What a transaction has written to memory and to files is taken back."""
    with SqliteBackend(tmp_path / "a.db") as shared, SqliteBackend(tmp_path / "a.db") as foreign:
        controller = ControllerSync(mounted(shared))
        controller.set_state("/m", 1)

        with pytest.raises(TransactionConflictError), controller.transaction():
            controller.set_state("/m", 2)
            controller.set_state("/db/n", 1)
            foreign.write("/n", 5)

        assert controller.get_state("/") == {"m": 1, "db": {"n": 5}}


def test_every_wrapper_says_whether_others_share_it(tmp_path: Path) -> None:
    """It asks its backend, so a mount that comes later counts."""
    with SqliteBackend(tmp_path / "a.db") as shared:
        hybrid = HybridSyncBackend(InMemoryBackend())
        wrappers: list[TreeBackend] = [
            hybrid,
            CachingSyncBackend(hybrid),
            CachingAsyncBackend(hybrid),
            HybridAsyncBackend(hybrid),
            HybridSyncBackend(hybrid),
        ]
        assert not any(each.has_revisions for each in wrappers)
        hybrid.mount("/db", shared)
        assert all(each.has_revisions for each in wrappers)


# --- derived values -------------------------------------------------------------------------------


@pytest.fixture
def both(tmp_path: Path) -> Iterator[tuple[ControllerSync, ControllerSync]]:
    """Two controllers of one file."""
    with SqliteBackend(tmp_path / "a.db") as one, SqliteBackend(tmp_path / "a.db") as other:
        yield ControllerSync(one), ControllerSync(other)


def test_a_derived_value_that_another_process_has_written_is_put_right(both: Any) -> None:
    """When its change is announced; so is one that it has deleted, by itself or with the rest."""
    one, other = both
    one.set_state("/a", 1)
    one.derive("/d/x", "/a", lambda a: 10 * (a or 0))

    for deleted in ("", "/d/x", "/d", "/"):
        if deleted:
            other.del_state(deleted)
        else:
            other.set_state("/d/x", 5)
        one.refresh()
        assert one.get_state("/d/x") == 10 * one.get_state("/a", 0)


def test_processes_that_derive_the_same_value_come_to_rest(both: Any) -> None:
    """Also where the format changes it: JSON makes a list of a tuple."""
    for controller in both:
        controller.derive("/d", "/a", lambda a: (a, float("nan")))
    both[0].set_state("/a", 1)

    announced = [controller.refresh() for _ in range(4) for controller in both]

    assert announced[-2:] == [0, 0]


def test_a_cut_log_computes_every_derived_value_anew(both: Any) -> None:
    """Since any source may have changed."""
    one, other = both
    one.derive("/d", "/n/0", lambda n: n)
    with other.backend._changing("/", "written"):
        for number in range(11_001):
            other.backend._put(f"/n/{number}", b"1")

    changes = one.backend.changes()
    assert changes[0].is_cut
    one._foreign.append(changes[0])
    one.refresh()

    assert one.get_state("/d") == 1


def test_a_callback_that_raises_leaves_the_other_changes_for_the_next_refresh(both: Any) -> None:
    """None is lost."""
    one, other = both
    recorder = Recorder()

    def fail(event: Any) -> None:
        raise LookupError(event.new_value)

    one.subscribe("/a", fail)
    one.subscribe("/b", recorder("b"))
    other.set_state("/a", 1)
    other.set_state("/b", 2)

    with pytest.raises(LookupError, match="1"):
        one.refresh()
    assert recorder.seen == []

    assert one.refresh() == 1
    assert recorder.seen == [Seen("b", "/b", "/b", None, 2)]


def test_a_write_of_what_is_there_is_no_change_for_others(both: Any) -> None:
    """Neither an event nor a conflict."""
    one, other = both
    one.set_state("/a", 1)
    other.refresh()

    with other.transaction():
        other.set_state("/b", other.get_state("/a"))
        one.write_state("/a", 1)

    assert other.refresh() == 0


# --- whatever two of them do ----------------------------------------------------------------------

SOURCES = ["/db/s/a", "/db/s/b", "/db/t"]
DERIVED = {
    "/db/d/1": ["/db/s/a", "/db/s/b"],
    "/db/d/2": ["/db/d/1", "/db/t"],
    "/db/d/3": ["/db/s"],
}


def shapes(data: Any) -> list[str]:
    """The sources as text."""
    return [json.dumps(value, sort_keys=True) for value in data.data.values()]


def change(controller: ControllerSync, chance: random.Random) -> None:
    """Write or delete something."""
    if chance.random() < 0.65:
        controller.set_state(chance.choice([*SOURCES, *DERIVED]), chance.randrange(4))
    else:
        controller.del_state(chance.choice([*SOURCES, "/db/s", "/db/d", "/db/d/1"]))


def count_up(pair: list[ControllerSync], chance: random.Random) -> bool:
    """One counts in a transaction while the other may interfere; whether it has counted."""
    one, other = chance.sample(pair, 2)
    try:
        with one.transaction():
            one.set_state("/db/n", one.get_state("/db/n", 0) + 1)
            change(one, chance)
            if chance.random() < 0.3:
                change(other, chance)
            if chance.random() < 0.2:
                other.set_state("/db/n", other.get_state("/db/n", 0))
                raise ZeroDivisionError
    except (TransactionConflictError, ZeroDivisionError):
        return False
    return True


@settings(max_examples=10)
@pytest.mark.parametrize("kind", [name for name, (_, top) in KINDS.items() if top == "/db"])
@given(seed=st.integers(0, 1_000_000))
def test_two_that_share_a_tree_lose_nothing_and_derive_what_is_right(kind: str, seed: int) -> None:
    """Both come to rest, see the same, and every derived value equals its transform."""
    chance, counted = random.Random(seed), 0
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        backends = [stack.enter_context(SqliteBackend(f"{folder}/state.db")) for _ in range(2)]
        pair = [ControllerSync(KINDS[kind][0](backend)) for backend in backends]
        for controller in pair[: chance.randrange(1, 3)]:
            for dest, sources in DERIVED.items():
                controller.derive_many(dest, sources, shapes)
        for _ in range(chance.randrange(2, 6)):
            counted += count_up(pair, chance)
            flushed(pair[0])
            change(pair[1], chance)
            flushed(pair[1])

        while announced(pair[0]) + announced(pair[1]):
            pass

        assert pair[0].get_state("/db") == pair[1].get_state("/db")
        assert pair[0].get_state("/db/n", 0) == counted
        for dest, sources in DERIVED.items():
            data = DeriveData(
                {pair[0].resolve_path(s): pair[0].get_state(s) for s in sources}, None
            )
            assert pair[1].get_state(dest) == shapes(data)


def announced(controller: ControllerSync) -> int:
    """How many changes of the other one were announced; their consequences are stored."""
    count = controller.refresh()
    flushed(controller)
    return count
