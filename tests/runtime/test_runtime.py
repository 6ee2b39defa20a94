"""The runtime as users hold it: asyncio, disk, ingresses and egresses around the engine."""

from __future__ import annotations

import asyncio
import logging
import threading
from contextlib import suppress
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from statefun.errors import (
    AlreadyRegisteredError,
    ConfigurationError,
    DefinitionError,
    GivenUpError,
    InvalidMessageError,
    RuntimeStoppedError,
    StoreError,
    StoreLockedError,
    UnknownFunctionError,
)
from statefun.runtime import Backoff, FailurePolicy, ManualClock, Runtime
from statefun.runtime.stores.memory import MemoryStore
from statefun.runtime.transports.base import InProcessTransport
from statefun.sdk.address import Address
from statefun.sdk.builders import egress_message_builder, message_builder
from statefun.sdk.functions import StatefulFunctions
from statefun.sdk.primitives import IntType, StringType
from statefun.sdk.specs import ValueSpec
from statefun.sdk.types import make_json_type
from statefun.testing.ports import FakeEgress, FakeIngress

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from statefun.runtime.clock import Alarm
    from statefun.runtime.engine.records import Delta
    from statefun.runtime.stores.base import Store
    from statefun.runtime.transports.base import Transport
    from statefun.sdk.context import Context
    from statefun.sdk.messages import Message

JSON = make_json_type("t/json")
COUNT = [ValueSpec("count", IntType)]


def counting(typename: str = "t/count") -> StatefulFunctions:
    functions = StatefulFunctions()

    @functions.bind(typename, specs=COUNT)
    async def count(context: Context, message: Message) -> None:
        context.storage.count = (context.storage.count or 0) + 1

    return functions


def echoing() -> StatefulFunctions:
    """Sends what it gets to the egress `t/out`."""
    functions = StatefulFunctions()

    @functions.bind("t/echo")
    async def echo(context: Context, message: Message) -> None:
        context.send_egress(
            egress_message_builder("t/out", value=message.as_string() or "", value_type=StringType)
        )

    return functions


def to(typename: str, target_id: str = "1", value: str = "x") -> Message:
    return message_builder(typename, target_id, str_value=value)


async def count_of(runtime: Runtime, target_id: str = "1") -> int:
    state = await runtime.state("t/count", target_id)
    count = state["count"].value
    assert isinstance(count, int)
    return count


def has_failed(runtime: Runtime, commits: int) -> bool:
    return runtime.metrics().failed_commits == commits


def has_taken_in(runtime: Runtime, messages: int) -> bool:
    return runtime.metrics().counters.ingress_messages == messages


class GatedStore(MemoryStore):
    """A store whose commits wait until the gate is open."""

    is_blocking = True

    def __init__(self) -> None:
        super().__init__()
        self.gate = threading.Event()
        self.commits = 0

    def commit(self, delta: Delta) -> None:
        self.gate.wait()
        self.commits += 1
        super().commit(delta)


class FullStore(MemoryStore):
    """A store without room, until there is."""

    is_blocking = True

    def __init__(self) -> None:
        super().__init__()
        self.is_full = False
        self.refused = threading.Event()

    def commit(self, delta: Delta) -> None:
        if self.is_full:
            self.refused.set()
            raise StoreError("the disk is full")
        super().commit(delta)


class RecoveringStore(GatedStore):
    """A store without room for the first commit; the others wait until the gate is open."""

    def __init__(self) -> None:
        super().__init__()
        self.is_writing = threading.Event()

    def commit(self, delta: Delta) -> None:
        if self.commits == 0:
            self.commits = 1
            raise StoreError("the disk is full")
        self.is_writing.set()
        super().commit(delta)


class WatchedClock(ManualClock):
    """A clock that counts the calls that were arranged."""

    def __init__(self) -> None:
        super().__init__()
        self.arranged = 0

    def call_at(self, due_ms: int, callback: Callable[[], object]) -> Alarm:
        self.arranged += 1
        return super().call_at(due_ms, callback)


class RuntimeOn(Runtime):
    """A runtime on a store that the test made."""

    def __init__(self, store: Store, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._given_store = store

    def _open_store(self) -> Store:
        return self._given_store


def accept(argument: bytes) -> None:
    """What the egress `t/out` of these tests takes."""
    if b"poison" in argument:
        raise InvalidMessageError("no poison")
    if b"bug" in argument:
        raise KeyError("a bug in an egress")


def list_egress(typename: str = "t/out") -> FakeEgress:
    return FakeEgress(typename, accept)


class CountEndpoint:
    """Serves `t/count` somewhere else, as far as the runtime can tell."""

    functions = "t/*"
    is_specific = False

    failure = limits = None

    def __init__(self) -> None:
        self.closed = 0

    def matches(self, typename: str) -> bool:
        return typename == "t/count"

    def transport(self, typename: str) -> Transport:  # noqa: ARG002 - there is one
        return InProcessTransport(counting())

    async def close(self) -> None:
        self.closed += 1


def files(directory: Path) -> list[str]:
    return [path.name for path in directory.iterdir()]


async def until(condition: Callable[[], object]) -> None:
    """Let the loop go on until something is so."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - a counter has no event
            await asyncio.sleep(0.001)


# --- durability -----------------------------------------------------------------------------------


async def test_a_send_returns_once_its_message_is_durable_and_not_before() -> None:
    """The function may have run long before."""
    store = GatedStore()
    egress = list_egress()
    async with RuntimeOn(store, echoing(), egresses=[egress]) as runtime:
        sending = asyncio.create_task(runtime.send(to("t/echo")))
        await until(lambda: runtime.metrics().counters.egress_records)

        before = (sending.done(), list(egress.records))
        store.gate.set()
        await sending
        await runtime.idle()

        assert before == (False, [])
        assert len(egress.records) == 1


async def test_the_loop_goes_on_while_a_commit_is_written() -> None:
    """What happens meanwhile is in the next commit, all of it."""
    store = GatedStore()
    async with RuntimeOn(store, counting()) as runtime:
        first = asyncio.create_task(runtime.send(to("t/count")))
        await until(lambda: runtime.metrics().counters.invocations == 1)
        more = [asyncio.create_task(runtime.send(to("t/count"))) for _ in range(500)]
        await until(lambda: runtime.metrics().counters.invocations == 501)
        assert await count_of(runtime) == 501  # the state of the last turn, durable or not

        store.gate.set()
        await asyncio.gather(first, *more)

        assert store.commits == 2


@pytest.mark.parametrize("durability", ["full", "normal"])
async def test_what_was_sent_survives_the_runtime(tmp_path: Path, durability: Any) -> None:
    """The next one on the directory goes on with state and all."""
    for expected in (3, 6):
        async with Runtime(counting(), data=tmp_path, durability=durability) as runtime:
            for _ in range(3):
                await runtime.send(to("t/count"))
            await runtime.idle()

            assert await count_of(runtime) == expected


@pytest.mark.parametrize("options", [{"data": None}, {"durability": "memory"}])
async def test_in_memory_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: dict[str, Any]
) -> None:
    """Neither the default directory nor anything else is made."""
    monkeypatch.chdir(tmp_path)
    async with Runtime(counting(), **options) as runtime:
        await runtime.send(to("t/count"))
        await runtime.idle()

    assert files(tmp_path) == []


async def test_without_a_word_the_data_is_in_a_hidden_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`.statefun`, in the current directory."""
    monkeypatch.chdir(tmp_path)
    async with Runtime(counting()):
        pass

    assert files(tmp_path) == [".statefun"]
    assert "statefun.db" in files(tmp_path / ".statefun")


async def test_while_the_disk_is_full_nothing_is_acknowledged_and_then_it_goes_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """One line says so, one says that it is over; nothing is lost."""
    store, clock = FullStore(), ManualClock()
    async with RuntimeOn(store, counting(), clock=clock) as runtime:
        await runtime.send(to("t/count"))
        store.is_full = True
        sends = [asyncio.create_task(runtime.send(to("t/count")))]
        for failures in (1, 2, 3):
            await until(partial(has_failed, runtime, failures))
            sends.append(asyncio.create_task(runtime.send(to("t/count"))))
            await until(partial(has_taken_in, runtime, failures + 2))
            clock.advance(timedelta(seconds=1))
        clock.advance(timedelta(seconds=1))
        await until(partial(has_failed, runtime, 4))  # nobody sends, and it is tried all the same
        is_healthy, done = runtime.is_healthy, [send.done() for send in sends]
        store.is_full = False
        clock.advance(timedelta(seconds=1))
        await asyncio.gather(*sends)

        assert (is_healthy, any(done)) == (False, False)
        assert (runtime.is_healthy, await count_of(runtime)) == (True, 5)
    assert [record.getMessage() for record in caplog.records] == [
        (
            "a commit failed, nothing is acknowledged until one succeeds; "
            "trying again every 1000 ms: the disk is full"
        ),
        "commits succeed again",
    ]


def endless() -> StatefulFunctions:
    """Never at rest: each message brings the next."""
    functions = StatefulFunctions()

    @functions.bind("t/endless")
    async def again(context: Context, message: Message) -> None:
        context.send(to("t/endless"))

    return functions


async def turns(runtime: Runtime) -> int:
    """How many messages the functions work on in many turns of the event loop."""
    before = runtime.metrics().counters.invocations
    for _ in range(200):
        await asyncio.sleep(0)
    return runtime.metrics().counters.invocations - before


async def test_while_nothing_can_be_stored_functions_wait() -> None:
    """Else what is not durable would pile up in memory for as long as the disk is full."""
    store, clock = FullStore(), ManualClock()
    async with RuntimeOn(store, endless(), clock=clock) as runtime:
        await runtime.send(to("t/endless"))
        store.is_full = True
        await until(partial(has_failed, runtime, 1))
        await turns(runtime)  # the call that was under way ends

        while_full = await turns(runtime)
        store.is_full = False
        clock.advance(timedelta(seconds=1))
        await until(lambda: runtime.is_healthy)

        assert (while_full, await turns(runtime) > 0) == (0, True)


async def test_while_a_commit_takes_very_long_functions_wait() -> None:
    """A disk that hangs is no better than a full one."""
    store, clock = GatedStore(), ManualClock()
    async with RuntimeOn(store, endless(), clock=clock) as runtime:
        sending = asyncio.create_task(runtime.send(to("t/endless")))
        at_first = await turns(runtime)
        clock.advance(timedelta(seconds=5))
        await turns(runtime)

        while_it_hangs, is_healthy = await turns(runtime), runtime.is_healthy
        store.gate.set()
        await sending

        assert (at_first > 0, while_it_hangs, is_healthy) == (True, 0, False)
        assert (await turns(runtime) > 0, runtime.is_healthy) == (True, True)


async def test_the_loop_rests_while_a_commit_is_tried_again() -> None:
    """However long that takes; it is woken when the commit is done."""
    store, clock = RecoveringStore(), WatchedClock()
    async with RuntimeOn(store, counting(), clock=clock) as runtime:
        sending = asyncio.create_task(runtime.send(to("t/count")))
        await until(partial(has_failed, runtime, 1))
        clock.advance(timedelta(seconds=1))
        await until(store.is_writing.is_set)
        before = clock.arranged
        for _ in range(50):
            await asyncio.sleep(0)
        after = clock.arranged
        store.gate.set()
        await sending

        assert after == before


async def test_what_could_not_be_stored_is_not_acknowledged_at_the_end_either() -> None:
    """Stopping says that the last commit failed; whoever waits learns that nothing is durable."""
    store = FullStore()
    runtime = RuntimeOn(store, counting(), clock=ManualClock())
    await runtime.start()
    store.is_full = True
    sending = asyncio.create_task(runtime.send(to("t/count")))
    await until(lambda: runtime.metrics().failed_commits)

    with pytest.raises(StoreError, match="the disk is full"):
        await runtime.stop()

    with pytest.raises(RuntimeStoppedError, match="stopped before this was durable"):
        await sending


async def test_what_is_stored_at_the_end_only_is_acknowledged() -> None:
    """There is room again when the runtime stops, before the next commit would have been tried."""
    store = FullStore()
    runtime = RuntimeOn(store, counting(), clock=ManualClock())
    await runtime.start()
    store.is_full = True
    sending = asyncio.create_task(runtime.send(to("t/count")))
    await until(lambda: runtime.metrics().failed_commits)
    store.is_full = False

    await runtime.stop()

    await sending


# --- going on after a stop ------------------------------------------------------------------------


async def test_a_call_under_way_ends_before_the_runtime_stops(tmp_path: Path) -> None:
    """Its effects are stored."""
    functions, entered, leave = StatefulFunctions(), asyncio.Event(), asyncio.Event()

    @functions.bind("t/count", specs=COUNT)
    async def slow(context: Context, message: Message) -> None:
        entered.set()
        await leave.wait()
        context.storage.count = 7

    async with Runtime(functions, data=tmp_path) as runtime:
        await runtime.send(to("t/count"))
        await entered.wait()
        asyncio.get_running_loop().call_later(0.01, leave.set)

    async with Runtime(counting(), data=tmp_path) as runtime:
        assert await count_of(runtime) == 7
        assert runtime.metrics().busy_addresses == 0


async def test_no_call_begins_while_the_runtime_stops(tmp_path: Path) -> None:
    """What waits behind the last one is left to the next runtime."""
    functions, calls = StatefulFunctions(), 0
    entered, leave = asyncio.Event(), asyncio.Event()

    @functions.bind("t/count")
    async def slow(context: Context, message: Message) -> None:
        nonlocal calls
        calls += 1
        entered.set()
        await leave.wait()

    async with Runtime(functions, data=tmp_path) as runtime:
        await runtime.send(to("t/count"))
        await runtime.send(to("t/count"))
        await entered.wait()
        asyncio.get_running_loop().call_later(0.01, leave.set)

    async with Runtime(counting(), data=tmp_path) as runtime:
        await runtime.idle()
        assert (calls, await count_of(runtime)) == (1, 1)


async def test_a_cancelled_call_may_clean_up_before_the_runtime_has_stopped() -> None:
    """Nothing of it runs afterwards."""
    functions, steps = StatefulFunctions(), []

    @functions.bind("t/stuck")
    async def stuck(context: Context, message: Message) -> None:
        try:
            steps.append("entered")
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.01)
            steps.append("cleaned up")

    async with Runtime(functions, data=None, drain=timedelta()) as runtime:
        await runtime.send(to("t/stuck"))
        await until(lambda: steps)

    assert steps == ["entered", "cleaned up"]


async def test_a_call_that_ignores_its_cancellation_is_left_behind(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The runtime stops all the same, and says which call goes on."""
    functions, entered, leave = StatefulFunctions(), asyncio.Event(), asyncio.Event()

    @functions.bind("t/stuck")
    async def stuck(context: Context, message: Message) -> None:
        while not leave.is_set():
            entered.set()
            with suppress(asyncio.CancelledError):
                await leave.wait()

    async with Runtime(functions, data=None, drain=timedelta()) as runtime:
        await runtime.send(to("t/stuck"))
        await entered.wait()

    assert caplog.messages == [
        "the call of t/stuck '1' goes on though it was cancelled; left behind"
    ]
    leave.set()


async def test_a_commit_under_way_ends_before_the_runtime_stops() -> None:
    """Whoever waits for it is answered for."""
    store = GatedStore()
    runtime = RuntimeOn(store, counting())
    await runtime.start()
    sending = asyncio.create_task(runtime.send(to("t/count")))
    await until(lambda: runtime.metrics().counters.invocations)
    asyncio.get_running_loop().call_later(0.05, store.gate.set)

    await runtime.stop()

    await sending


async def test_a_call_that_does_not_end_is_made_again_by_the_next_runtime(tmp_path: Path) -> None:
    """Stopping takes no longer than was allowed, and loses nothing."""
    functions = StatefulFunctions()
    entered = asyncio.Event()

    @functions.bind("t/count")
    async def stuck(context: Context, message: Message) -> None:
        entered.set()
        await asyncio.Event().wait()

    async with Runtime(functions, data=tmp_path, drain=timedelta()) as runtime:
        await runtime.send(to("t/count"))
        await runtime.send(to("t/count"))
        await entered.wait()

    async with Runtime(counting(), data=tmp_path) as runtime:
        await runtime.idle()
        assert await count_of(runtime) == 2


async def test_delayed_messages_wait_for_the_next_runtime(tmp_path: Path) -> None:
    """One that became due meanwhile is delivered at once."""
    functions = counting()

    @functions.bind("t/later")
    async def later(context: Context, message: Message) -> None:
        context.send_after(timedelta(hours=1), to("t/count", value="delayed"))

    clock = ManualClock()
    async with Runtime(functions, data=tmp_path, clock=clock) as runtime:
        await runtime.send(to("t/later"))
        await runtime.idle()
        waiting = runtime.metrics().waiting_timers

    clock.advance(timedelta(hours=1))
    async with Runtime(functions, data=tmp_path, clock=clock) as runtime:
        await runtime.idle()
        assert (waiting, await count_of(runtime)) == (1, 1)


async def test_a_delayed_message_is_delivered_when_its_time_comes() -> None:
    """The clock wakes the runtime."""
    functions = counting()

    @functions.bind("t/later")
    async def later(context: Context, message: Message) -> None:
        context.send_after(timedelta(hours=1), to("t/count"))

    clock = ManualClock()
    async with Runtime(functions, data=None, clock=clock) as runtime:
        await runtime.send(to("t/later"))
        await runtime.idle()
        early = await runtime.state("t/count", "1")
        clock.advance(timedelta(hours=1))
        await until(lambda: runtime.metrics().counters.timers_fired)
        await runtime.idle()

        assert (early, await count_of(runtime)) == ({}, 1)


async def test_a_data_directory_has_one_runtime_at_a_time(tmp_path: Path) -> None:
    """The second one is refused, and changes nothing for the first."""
    async with Runtime(counting(), data=tmp_path) as runtime:
        with pytest.raises(StoreLockedError):
            await Runtime(counting(), data=tmp_path).start()

        await runtime.send(to("t/count"))


# --- failures -------------------------------------------------------------------------------------


async def test_a_function_that_fails_is_tried_again_while_others_go_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Its message is not lost, and the log says where and why."""
    functions, is_broken = counting(), True

    @functions.bind("t/flaky", specs=COUNT)
    async def flaky(context: Context, message: Message) -> None:
        context.storage.count = 1
        context.send(to("t/count"))
        if is_broken:
            raise OSError("no luck")

    clock = ManualClock()
    async with Runtime(functions, data=None, clock=clock, random=lambda: 0.0) as runtime:
        await runtime.send(to("t/flaky"))
        await until(lambda: runtime.metrics().counters.failed_attempts == 1)
        await runtime.send(to("t/count", "other"))
        await until(lambda: runtime.metrics().counters.invocations)
        while_failing = [await runtime.state("t/flaky", "1"), await count_of(runtime, "other")]
        is_broken = False
        clock.advance(timedelta(milliseconds=100))
        await runtime.idle()

        assert while_failing == [{}, 1]
        assert await count_of(runtime) == 1
    [record] = caplog.records
    assert record.getMessage() == (
        "attempt 1 at t/flaky '1' failed, trying again in 100 ms: "
        "t/flaky '1' failed on message 1 of 1 (type 'io.statefun.types/string'): OSError: no luck"
    )
    assert record.exc_info is not None
    facts = {key: value for key, value in vars(record).items() if key.startswith("statefun_")}
    assert facts == {"statefun_typename": "t/flaky", "statefun_id": "1"}


class Panic(BaseException):
    """What an extension may raise: no Exception, and nothing that Python itself has."""


ENDS = [
    asyncio.CancelledError(),
    SystemExit(3),
    Panic(),
    GeneratorExit(),
    BaseExceptionGroup("several", [Panic()]),
]


@pytest.mark.parametrize("end", ENDS, ids=repr)
@pytest.mark.parametrize("is_blocking", [False, True], ids=["on the loop", "in a thread"])
async def test_a_function_that_ends_more_than_itself_is_tried_again(
    end: BaseException, *, is_blocking: bool
) -> None:
    """It takes neither its messages nor the process with it."""
    functions, attempts = StatefulFunctions(), 0

    def once(context: Context, message: Message) -> None:
        nonlocal attempts
        attempts += 1
        if attempts == 1:
            raise end

    functions.register("t/once", once, blocking=is_blocking)

    clock = ManualClock()
    async with Runtime(functions, data=None, clock=clock) as runtime:
        await runtime.send(to("t/once"))
        await until(lambda: runtime.metrics().counters.failed_attempts)
        clock.advance(timedelta(milliseconds=100))
        await runtime.idle()

    assert attempts == 2


class BreakingEndpoint(CountEndpoint):
    """Its first call ends by something that no transport should raise."""

    failure = limits = None

    def __init__(self, end: BaseException) -> None:
        super().__init__()
        self.ends = [end]

    def transport(self, typename: str) -> Transport:  # noqa: ARG002 - there is one
        return self

    async def invoke(self, request: bytes) -> bytes:
        if self.ends:
            raise self.ends.pop()
        return await InProcessTransport(counting()).invoke(request)


@pytest.mark.parametrize("end", ENDS, ids=repr)
async def test_a_call_that_ends_by_anything_is_a_failed_attempt(end: BaseException) -> None:
    """Also by what is no failure of a function: no address stops without a word."""
    clock, endpoint = ManualClock(), BreakingEndpoint(end)
    async with Runtime(endpoints=[endpoint], data=None, clock=clock) as runtime:
        await runtime.send(to("t/count"))
        await until(lambda: runtime.metrics().counters.failed_attempts)
        clock.advance(timedelta(milliseconds=100))
        await runtime.idle()

        assert await count_of(runtime) == 1


@pytest.mark.parametrize("is_blocking", [False, True], ids=["on the loop", "in a thread"])
async def test_an_interrupt_that_a_function_raises_counts_as_a_failed_attempt(
    *, is_blocking: bool
) -> None:
    """The runtime goes on, and the message is tried again like any other."""
    functions, attempts = counting(), 0

    def interrupted(context: Context, message: Message) -> None:
        nonlocal attempts
        attempts += 1
        if attempts == 1:
            raise KeyboardInterrupt

    functions.register("t/interrupted", interrupted, blocking=is_blocking)
    clock = ManualClock()

    async with Runtime(functions, data=None, clock=clock) as runtime:
        await runtime.send(to("t/interrupted"))
        await until(lambda: runtime.metrics().counters.failed_attempts)
        clock.advance(timedelta(seconds=10))
        await runtime.send(to("t/count"))
        await runtime.idle()

        assert (attempts, await count_of(runtime)) == (2, 1)


async def test_a_function_that_cancels_its_own_call_is_tried_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Only a runtime that stops cancels calls for good."""
    functions, attempts = StatefulFunctions(), 0

    @functions.bind("t/once")
    async def once(context: Context, message: Message) -> None:
        nonlocal attempts
        attempts += 1
        task = asyncio.current_task()
        if attempts == 1 and task is not None:
            task.cancel()
        await asyncio.sleep(0)

    clock = ManualClock()
    async with Runtime(functions, data=None, clock=clock) as runtime:
        await runtime.send(to("t/once"))
        await until(lambda: runtime.metrics().counters.failed_attempts)
        clock.advance(timedelta(milliseconds=100))
        await runtime.idle()

    assert attempts == 2
    assert "the call of t/once '1' was cancelled by its own code" in caplog.text


@pytest.mark.parametrize("hours", [-1, 1])
async def test_a_retry_waits_as_long_when_the_clock_is_set(hours: int) -> None:
    """Neither an hour longer nor not at all; timers go by the clock."""
    functions, attempts = StatefulFunctions(), 0

    @functions.bind("t/flaky")
    async def flaky(context: Context, message: Message) -> None:
        nonlocal attempts
        attempts += 1
        if attempts == 1:
            raise OSError("no luck")

    functions.register("t/other", flaky)
    clock = ManualClock()
    async with Runtime(functions, data=None, clock=clock, random=lambda: 0.0) as runtime:
        await runtime.send(to("t/flaky"))
        await until(lambda: runtime.metrics().counters.failed_attempts)
        clock.set_to(clock.now_ms() + hours * 3_600_000)
        clock.advance(timedelta(milliseconds=99))
        await runtime.send(to("t/other"))
        await until(lambda: runtime.metrics().counters.invocations)
        before = attempts

        clock.advance(timedelta(milliseconds=1))
        await runtime.idle()

    assert (before, attempts) == (2, 3)


async def test_commits_are_tried_again_when_the_clock_is_set_back() -> None:
    """After a second, not after an hour and a second."""
    store, clock = FullStore(), ManualClock()
    store.is_full = True
    async with RuntimeOn(store, counting(), clock=clock) as runtime:
        sending = asyncio.create_task(runtime.send(to("t/count")))
        await until(lambda: runtime.metrics().failed_commits)
        store.is_full = False

        clock.set_to(clock.now_ms() - 3_600_000)
        clock.advance(timedelta(seconds=1))

        await sending


async def test_a_record_that_its_egress_does_not_accept_fails_the_turn() -> None:
    """Nothing of it goes out."""
    egress = list_egress()
    async with Runtime(echoing(), data=None, egresses=[egress], clock=ManualClock()) as runtime:
        await runtime.send(to("t/echo", value="poison"))
        await until(lambda: runtime.metrics().counters.failed_attempts)
        await runtime.send(to("t/echo", "2", "fine"))
        await runtime.idle()

    assert len(egress.records) == 1


async def test_what_should_not_happen_ends_the_runtime_with_its_error() -> None:
    """Whoever waits learns of it, nobody waits for ever, and stopping raises it."""
    store = FullStore()
    store.is_full = True
    runtime = RuntimeOn(store, echoing(), egresses=[list_egress()])
    await runtime.start()
    waiting = asyncio.create_task(runtime.idle())
    sending = asyncio.create_task(runtime.send(to("t/echo", value="bug")))

    with pytest.raises(KeyError, match="a bug in an egress"):
        await runtime.watch()

    outcomes = await asyncio.gather(waiting, sending, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [RuntimeStoppedError] * 2
    with pytest.raises(RuntimeStoppedError) as refusal:
        await runtime.send(to("t/echo"))
    assert isinstance(refusal.value.__cause__, KeyError)
    assert not runtime.is_healthy
    with pytest.raises(KeyError, match="a bug in an egress"):
        await runtime.stop()


# --- egress ---------------------------------------------------------------------------------------


async def test_records_are_read_in_order() -> None:
    """By an async iterator that waits for the next."""
    async with Runtime(echoing(), data=None, egresses=["t/out"]) as runtime:
        for value in "abc":
            await runtime.send(to("t/echo", value=value))

        read = []
        async for record in runtime.egress("t/out"):
            read.append((record.typename, record.value))
            if len(read) == 3:
                break

    assert read == [("io.statefun.types/string", value) for value in "abc"]


async def test_a_record_is_delivered_when_the_next_one_is_asked_for(tmp_path: Path) -> None:
    """The one read last comes again after a restart, under the same id."""
    async with Runtime(echoing(), data=tmp_path, egresses=["t/out"]) as runtime:
        for value in "abc":
            await runtime.send(to("t/echo", value=value))
        records = aiter(runtime.egress("t/out"))
        first, second = await anext(records), await anext(records)

    async with Runtime(echoing(), data=tmp_path, egresses=["t/out"]) as runtime:
        records = aiter(runtime.egress("t/out"))
        again, third = await anext(records), await anext(records)

    assert (first.value, again, third.value) == ("a", second, "c")


async def test_a_reader_does_not_acknowledge_what_another_one_was_given(tmp_path: Path) -> None:
    """Each record goes to one reader, and counts as delivered when that one asks for the next."""
    async with Runtime(echoing(), data=tmp_path, egresses=["t/out"]) as runtime:
        for value in "abcd":
            await runtime.send(to("t/echo", value=value))
        one, other = runtime.egress("t/out"), runtime.egress("t/out")
        read = [(await anext(reader)).value for reader in (one, other, other, one)]

    async with Runtime(echoing(), data=tmp_path, egresses=["t/out"]) as runtime:
        records = runtime.egress("t/out")
        again = [(await anext(records)).value for _ in range(2)]

    assert (read, again) == (["a", "b", "c", "d"], ["c", "d"])


async def test_reading_ends_with_the_runtime() -> None:
    """Nobody waits for a record that cannot come."""
    async with Runtime(echoing(), data=None) as runtime:
        records = runtime.egress("t/out")
        reading = asyncio.ensure_future(anext(records, None))
        await asyncio.sleep(0)

    assert await reading is None


async def test_an_egress_begins_to_exist_when_it_is_read() -> None:
    """Messages to it before that are tried again, and arrive."""
    clock = ManualClock()
    async with Runtime(echoing(), data=None, clock=clock) as runtime:
        await runtime.send(to("t/echo", value="early"))
        await until(lambda: runtime.metrics().counters.failed_attempts)

        records = runtime.egress("t/out")
        clock.advance(timedelta(seconds=1))

        assert (await anext(records)).value == "early"


async def test_records_whose_egress_is_gone_wait_for_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A restart without it keeps them."""
    async with Runtime(echoing(), data=tmp_path, egresses=["t/out"]) as runtime:
        await runtime.send(to("t/echo", value="kept"))
        await runtime.idle()
    async with Runtime(counting(), data=tmp_path):
        pass

    async with Runtime(counting(), data=tmp_path) as runtime:
        assert (await anext(runtime.egress("t/out"))).value == "kept"
    assert "records wait for the egress t/out, which is not there" in caplog.text


async def test_an_egress_that_goes_elsewhere_cannot_be_read_here() -> None:
    """There is one place for each record."""
    async with Runtime(echoing(), data=None, egresses=[list_egress()]) as runtime:
        with pytest.raises(ConfigurationError, match="the records of 't/out' go to"):
            runtime.egress("t/out")


async def test_delivered_records_are_forgotten(tmp_path: Path) -> None:
    """Once an egress has reported them, a restart does not bring them again."""
    egress = list_egress()
    async with Runtime(echoing(), data=tmp_path, egresses=[egress]) as runtime:
        await runtime.send(to("t/echo", value="1"))
        await runtime.send(to("t/echo", value="2"))
        await runtime.idle()
        assert egress.delivered is not None
        egress.delivered([egress.records[0].id])
        await runtime.idle()

    again = list_egress()
    async with Runtime(echoing(), data=tmp_path, egresses=[again]):
        pass
    assert again.records == egress.records[1:]


# --- ingresses and the life of the parts ----------------------------------------------------------


async def test_an_ingress_delivers_like_send() -> None:
    """It gets the same answers: durable, or an error."""
    ingress = FakeIngress()
    async with Runtime(counting(), data=None, ingresses=[ingress]) as runtime:
        message = to("t/count")
        await ingress.deliver(Address("t/count", ""), message.argument())
        with pytest.raises(UnknownFunctionError):
            await ingress.deliver(Address("t/none", "1"), message.argument())
        await runtime.idle()

        assert await count_of(runtime, "") == 1


async def test_an_ingress_may_say_the_topic_of_a_message(tmp_path: Path) -> None:
    """The topic's policy is that of the message, and a dead letter tells the topic."""
    functions = StatefulFunctions()

    @functions.bind("t/fails")
    async def fail(context: Context, message: Message) -> None:
        raise ValueError("no")

    ingress, at_once = FakeIngress(), Backoff(attempts=1)
    async with Runtime(
        functions,
        data=tmp_path,
        ingresses=[ingress],
        failure=FailurePolicy("fail", at_once),
        topic_failure={
            "clicks": FailurePolicy("drop", at_once),
            "orders": FailurePolicy("dead-letter", at_once),
        },
    ) as runtime:
        for topic in ("clicks", "orders"):
            await ingress.deliver(
                Address("t/fails", "1"), to("t/fails").argument(), f"key of {topic}", topic
            )
        await runtime.idle()

        assert [letter.topic for letter in await runtime.dead_letters()] == ["orders"]


async def test_a_runtime_that_stops_says_whose_policy_that_was(tmp_path: Path) -> None:
    """Of the topic, if the message is from one that has a policy: that is what to change."""
    functions = StatefulFunctions()

    @functions.bind("t/fails")
    async def fail(context: Context, message: Message) -> None:
        raise ValueError("no")

    ingress = FakeIngress()
    policies = {"orders": FailurePolicy("fail", Backoff(attempts=1))}
    runtime = Runtime(functions, data=tmp_path, ingresses=[ingress], topic_failure=policies)
    await runtime.start()
    await ingress.deliver(Address("t/fails", "1"), to("t/fails").argument(), "", "orders")

    with pytest.raises(GivenUpError, match="and the policy of the topic 'orders' is to stop: t/fa"):
        await runtime.watch()
    with pytest.raises(GivenUpError):
        await runtime.stop()


async def test_endpoints_are_called_and_closed_in_the_end() -> None:
    """Functions here may send to functions there."""
    functions, endpoint = StatefulFunctions(), CountEndpoint()

    @functions.bind("t/front")
    async def front(context: Context, message: Message) -> None:
        context.send(to("t/count"))

    async with Runtime(functions, data=None, endpoints=[endpoint]) as runtime:
        await runtime.send(to("t/front"))
        await runtime.idle()

        assert (await count_of(runtime), endpoint.closed) == (1, 0)
    assert endpoint.closed == 1


async def test_parts_are_stopped_in_the_opposite_order() -> None:
    """What brings messages in goes first."""
    life: list[str] = []
    ingress, egress = FakeIngress(), list_egress()
    ingress.life = egress.life = life

    async with Runtime(counting(), data=None, ingresses=[ingress], egresses=[egress]):
        assert life == ["start", "start"]
        ingress.life, egress.life = [], life

    assert (ingress.life, egress.life) == (["stop"], ["start", "start", "flush", "stop"])


class MeetingIngress(FakeIngress):
    """An ingress that stops when another one does."""

    def __init__(self, meeting: asyncio.Barrier) -> None:
        super().__init__()
        self.meeting = meeting

    async def stop(self) -> None:
        async with asyncio.timeout(10):
            await self.meeting.wait()


class MeetingEgress(FakeEgress):
    """An egress that stops when another one does."""

    def __init__(self, typename: str, meeting: asyncio.Barrier) -> None:
        super().__init__(typename)
        self.meeting = meeting

    async def stop(self) -> None:
        async with asyncio.timeout(10):
            await self.meeting.wait()


async def test_parts_of_a_kind_are_stopped_at_the_same_time() -> None:
    """Many of them take no longer than the slowest."""
    ingresses, egresses = asyncio.Barrier(3), asyncio.Barrier(3)

    async with Runtime(
        counting(),
        data=None,
        ingresses=[MeetingIngress(ingresses) for _ in range(3)],
        egresses=[MeetingEgress(f"t/{number}", egresses) for number in range(3)],
    ):
        pass


class StubbornIngress(FakeIngress):
    """An ingress that stops with an error."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text

    async def stop(self) -> None:
        await super().stop()
        raise OSError(self.text)


class StubbornEgress(FakeEgress):
    """An egress that stops with an error."""

    async def stop(self) -> None:
        await super().stop()
        raise OSError(self.typename)


async def test_what_cannot_be_stopped_in_order_keeps_no_other_part(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Each part is told to stop, and no error is lost: each is in the log, and one is raised."""
    ingresses = [StubbornIngress("ingress 1"), StubbornIngress("ingress 2"), FakeIngress()]
    egresses = [StubbornEgress("t/1"), list_egress("t/2"), StubbornEgress("t/3")]
    runtime = Runtime(counting(), data=tmp_path, ingresses=ingresses, egresses=egresses)
    await runtime.start()

    with pytest.raises(OSError, match="t/1"):
        await runtime.stop()

    assert caplog.messages == [
        f"a part could not be stopped in order: {text}"
        for text in ("ingress 1", "ingress 2", "t/1", "t/3")
    ]
    lives = [part.life for part in ingresses] + [part.life for part in egresses]
    assert lives == [["start", "stop"]] * 3 + [["start", "flush", "stop"]] * 3
    async with Runtime(counting(), data=tmp_path):
        pass


async def test_a_part_that_cannot_start_stops_everything_and_lets_the_directory_go(
    tmp_path: Path,
) -> None:
    """The error comes out as it is."""
    egress = list_egress()
    broken = FakeIngress(ConfigurationError("port 80 is taken"))
    runtime = Runtime(counting(), data=tmp_path, ingresses=[broken], egresses=[egress])

    with pytest.raises(ConfigurationError, match="port 80 is taken"):
        await runtime.start()

    assert (broken.life, egress.life) == (["start", "stop"], ["start", "flush", "stop"])
    async with Runtime(counting(), data=tmp_path):
        pass


async def test_stopping_again_does_nothing() -> None:
    """Whoever is in doubt may stop."""
    runtime = Runtime(counting(), data=None)
    await runtime.start()

    await runtime.stop()
    await runtime.stop()

    with pytest.raises(ConfigurationError, match="a runtime is started once"):
        await runtime.start()


# --- what users do wrong --------------------------------------------------------------------------


async def test_sending_to_an_unknown_function_is_an_error() -> None:
    """It names the functions there are."""
    async with Runtime(counting(), data=None) as runtime:
        with pytest.raises(UnknownFunctionError) as error:
            await runtime.send(to("t/none"))

    assert (error.value.typename, error.value.registered) == ("t/none", ("t/count",))


async def test_sending_something_else_is_an_error() -> None:
    """Only messages can be sent."""
    async with Runtime(counting(), data=None) as runtime:
        with pytest.raises(InvalidMessageError, match="'hello' is not a message"):
            await runtime.send("hello")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("functions", "wrong"), [("nope", "'n'"), (5, "5"), ([counting(), "nope"], "'nope'")]
)
def test_what_is_no_functions_cannot_be_run(functions: Any, wrong: str) -> None:
    """It is said when the runtime is made."""
    with pytest.raises(DefinitionError) as caught:
        Runtime(functions, data=None)

    assert str(caught.value) == (
        f"{wrong} is not a StatefulFunctions: pass what the functions are bound to, or several of "
        "them"
    )


async def test_a_runtime_that_has_stopped_shows_no_state(tmp_path: Path) -> None:
    """Its data directory may be another one's by now."""
    async with Runtime(counting(), data=tmp_path) as runtime:
        await runtime.send(to("t/count"))

    with pytest.raises(RuntimeStoppedError, match="the runtime has stopped"):
        await runtime.state("t/count", "1")


async def test_a_runtime_that_is_not_running_takes_no_messages() -> None:
    """Neither before it was started nor after it was stopped."""
    runtime = Runtime(counting(), data=None)
    with pytest.raises(RuntimeStoppedError, match="has not been started"):
        await runtime.send(to("t/count"))
    await runtime.start()
    await runtime.stop()

    with pytest.raises(RuntimeStoppedError, match="is stopping"):
        await runtime.send(to("t/count"))


def test_parts_that_do_not_go_together_are_refused() -> None:
    """Before anything is started."""
    with pytest.raises(ConfigurationError, match="there is no durability 'best'"):
        Runtime(counting(), durability="best")  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="two egresses are named 't/out'"):
        Runtime(counting(), egresses=["t/out", list_egress()])
    with pytest.raises(AlreadyRegisteredError, match="'t/count' is registered by two"):
        Runtime([counting(), counting()])


# --- what users see -------------------------------------------------------------------------------


async def test_state_is_decoded_where_the_type_is_built_in() -> None:
    """Other types are read with their type; a deleted value is not there."""
    functions = StatefulFunctions()
    specs = [ValueSpec("text", StringType), ValueSpec("json", JSON), ValueSpec("gone", IntType)]

    @functions.bind("t/all", specs=specs)
    async def write(context: Context, message: Message) -> None:
        context.storage.text = "Grüße"
        context.storage.json = {"a": 1}
        context.storage.gone = 1
        del context.storage.gone

    async with Runtime(functions, data=None) as runtime:
        await runtime.send(to("t/all"))
        await runtime.idle()
        state = await runtime.state("t/all", "1")

    assert {name: (value.is_built_in, value.value) for name, value in state.items()} == {
        "text": (True, "Grüße"),
        "json": (False, b'{"a": 1}'),
    }
    assert state["json"].as_type(JSON) == {"a": 1}


async def test_an_expired_value_is_not_shown() -> None:
    """Nobody has to call the function for that."""
    functions = StatefulFunctions()
    spec = ValueSpec("short", IntType, expire_after_write=timedelta(seconds=1))

    @functions.bind("t/a", specs=[spec])
    async def write(context: Context, message: Message) -> None:
        context.storage.short = 1

    clock = ManualClock()
    async with Runtime(functions, data=None, clock=clock) as runtime:
        await runtime.send(to("t/a"))
        await runtime.idle()
        before = await runtime.state("t/a", "1")
        clock.advance(timedelta(seconds=1))

        assert (list(before), await runtime.state("t/a", "1")) == (["short"], {})


async def test_the_state_of_an_unknown_address_is_empty() -> None:
    """Asking does not make it exist."""
    async with Runtime(counting(), data=None) as runtime:
        assert await runtime.state("t/count", "nobody") == {}
        assert runtime.metrics().resident_addresses == 0


async def test_functions_may_come_from_several_registries() -> None:
    """They send to one another as if they were registered in one place."""
    functions = StatefulFunctions()

    @functions.bind("t/front")
    async def front(context: Context, message: Message) -> None:
        context.send(to("t/count"))

    async with Runtime([functions, counting()], data=None) as runtime:
        await runtime.send(to("t/front"))
        await runtime.idle()

        assert await count_of(runtime) == 1


def test_the_runtime_logs_under_one_name() -> None:
    """And configures nothing by itself."""
    assert logging.getLogger("statefun.runtime").handlers == []
