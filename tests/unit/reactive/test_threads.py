"""What threads may share: a sync controller, its backends, and the file of a backend."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from statefun.reactive import (
    CachingSyncBackend,
    ControllerSync,
    FileSystemSyncBackend,
    HybridSyncBackend,
    InMemoryBackend,
    SqliteBackend,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from statefun.reactive import StateEvent

THREADS = 4
TURNS = 50


@pytest.fixture(params=["memory", "files", "sqlite", "cached", "hybrid"])
def controller(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ControllerSync]:
    """A controller over each backend in turn."""
    match request.param:
        case "memory":
            yield ControllerSync()
        case "files":
            yield ControllerSync(FileSystemSyncBackend(tmp_path))
        case "sqlite":
            with SqliteBackend(tmp_path / "state.db") as backend:
                yield ControllerSync(backend)
        case "cached":
            yield ControllerSync(CachingSyncBackend(InMemoryBackend(), flush_interval=0))
        case _:
            hybrid = HybridSyncBackend(InMemoryBackend())
            hybrid.mount("/files", FileSystemSyncBackend(tmp_path))
            yield ControllerSync(hybrid)


def at_once(work: Callable[[int], object]) -> None:
    """Do something in several threads that begin together."""
    barrier = threading.Barrier(THREADS)

    def begin(number: int) -> None:
        barrier.wait()
        work(number)

    with ThreadPoolExecutor(THREADS) as pool:
        for done in [pool.submit(begin, number) for number in range(THREADS)]:
            done.result()


def test_threads_share_a_controller(controller: ControllerSync) -> None:
    """Each operation runs alone with all that it causes, so that nothing is lost."""
    events: list[Any] = []
    running: list[int] = []

    def callback(event: StateEvent) -> None:
        running.append(1)
        events.append((str(event.emitting_path), event.new_value))
        assert len(running) == 1
        running.pop()

    controller.subscribe("/n", callback)
    controller.derive("/sum", "/n", lambda n: sum((n or {}).values()))

    def work(number: int) -> None:
        for turn in range(1, TURNS + 1):
            controller.set_state(f"/n/{number}", turn)
            controller.subscribe(f"/n/{number}/x{turn}", callback)
            controller.unsubscribe(f"/n/{number}/x{turn}", callback)

    at_once(work)

    assert len(events) == THREADS * TURNS
    assert controller.get_state("/n") == {str(number): TURNS for number in range(THREADS)}
    assert controller.get_state("/sum") == THREADS * TURNS


def test_threads_that_count_in_transactions_lose_nothing(controller: ControllerSync) -> None:
    """A transaction keeps the others out until its end."""

    def work(_: int) -> None:
        for _ in range(TURNS):
            with controller.transaction():
                controller.set_state("/n", controller.get_state("/n", 0) + 1)

    at_once(work)

    assert controller.get_state("/n") == THREADS * TURNS


def test_a_transaction_is_one_thread_s(controller: ControllerSync) -> None:
    """Another one that reads meanwhile waits for its end, and sees all of it."""
    seen: list[Any] = []
    reader = threading.Thread(target=lambda: seen.append(controller.get_state("/a")))

    with controller.transaction():
        controller.set_state("/a/x", 1)
        reader.start()
        controller.set_state("/a/y", 2)
    reader.join()

    assert seen == [{"x": 1, "y": 2}]


def test_two_controllers_share_the_files_of_a_backend(tmp_path: Path) -> None:
    """Folders that one empties while the other fills them do no harm."""
    backend = FileSystemSyncBackend(tmp_path)
    controllers = [ControllerSync(backend) for _ in range(THREADS)]

    def work(number: int) -> None:
        for turn in range(1, TURNS + 1):
            controllers[number].set_state(f"/shared/{number}", turn)
            controllers[number].del_state(f"/shared/{number}")

    at_once(work)

    assert backend.read("/", 7) == 7
