"""Threads: what waits is called, nothing waits behind what blocks, results come back."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

import pytest

from statefun.threads import Threads

if TYPE_CHECKING:
    from collections.abc import Iterator

_PATIENCE_S = 20
_MOST = 3


@pytest.fixture
def threads() -> Iterator[Threads]:
    threads = Threads(_MOST, "test")
    yield threads
    threads.close()


async def start_all(threads: Threads) -> None:
    """Let all threads exist, so that none begins before everything waits that a test gives them."""
    barrier = threading.Barrier(_MOST)
    await asyncio.gather(*(threads.call(barrier.wait, _PATIENCE_S) for _ in range(_MOST)))


async def test_results_and_errors_come_back(threads: Threads) -> None:
    """Each future has the outcome of its own function."""
    calls = [threads.call(int, text) for text in ("1", "two", "3")]
    outcomes = await asyncio.gather(*calls, return_exceptions=True)

    assert (outcomes[0], outcomes[2]) == (1, 3)
    assert isinstance(outcomes[1], ValueError)


async def test_one_thread_keeps_the_order() -> None:
    """A writer may rely on it."""
    threads, seen = Threads(1, "test"), list[int]()
    await asyncio.gather(*(threads.call(seen.append, number) for number in range(500)))
    threads.close()

    assert seen == list(range(500))


async def test_short_functions_share_threads(threads: Threads) -> None:
    """What waits together is done by few threads, and told together."""
    names = await asyncio.gather(*(threads.call(threading.get_ident) for _ in range(500)))

    assert len(set(names)) <= _MOST


@pytest.mark.parametrize("blocked", [1, 2])
async def test_nothing_waits_behind_what_blocks(threads: Threads, blocked: int) -> None:
    """While a thread is free, those behind a function that blocks go on, and are told."""
    await start_all(threads)
    gate = threading.Event()
    late = [threads.call(gate.wait, _PATIENCE_S) for _ in range(blocked)]
    early = [threads.call(int, "7") for _ in range(50)]
    try:
        assert await asyncio.wait_for(asyncio.gather(*early), _PATIENCE_S) == [7] * 50
        assert not any(each.done() for each in late)
    finally:
        gate.set()
    assert all(await asyncio.gather(*late))


async def test_a_result_is_told_although_all_threads_block(threads: Threads) -> None:
    """The last free thread has a short function before one that blocks."""
    await start_all(threads)
    gate = threading.Event()
    late = [threads.call(gate.wait, _PATIENCE_S) for _ in range(_MOST - 1)]
    early = threads.call(int, "7")
    late += [threads.call(gate.wait, _PATIENCE_S) for _ in range(4)]
    try:
        assert await asyncio.wait_for(early, _PATIENCE_S) == 7
    finally:
        gate.set()
    assert all(await asyncio.gather(*late))


async def test_what_is_cancelled_before_it_began_is_not_called(threads: Threads) -> None:
    """Its result would be nobody's."""
    gate, seen = threading.Event(), list[int]()
    late = [threads.call(gate.wait, _PATIENCE_S) for _ in range(_MOST)]
    behind = threads.call(seen.append, 1)
    behind.cancel()
    gate.set()
    await asyncio.gather(*late)
    await threads.call(int, "0")

    assert seen == []


async def test_stop_iteration_comes_back_as_an_error(threads: Threads) -> None:
    """Futures do not carry it, and who waits must not wait for ever."""
    with pytest.raises(RuntimeError, match="raised StopIteration") as raised:
        await threads.call(next, iter(()))
    assert isinstance(raised.value.__cause__, StopIteration)


def test_threads_end_although_their_event_loop_is_gone() -> None:
    """Nobody is told, and nothing hangs."""
    threads, gate = Threads(1, "test"), threading.Event()

    async def leave() -> None:
        threads.call(gate.wait, _PATIENCE_S)

    asyncio.run(leave())
    gate.set()
    threads.close()

    assert not any(each.name.startswith("test") for each in threading.enumerate())
