"""State kept by a stateful function."""

from __future__ import annotations

import asyncio
import threading
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from confluent_kafka import Consumer, Producer

from statefun.errors import CallTimeoutError, TransactionConflictError, ValueSerializationError
from statefun.reactive import (
    ControllerAsync,
    ControllerSync,
    FunctionBackend,
    FunctionSyncBackend,
    KafkaCaller,
    bind_state_tree,
)
from statefun.reactive.backends.base import Write
from statefun.reactive.backends.function import REQUEST
from statefun.runtime import Runtime
from statefun.sdk.functions import StatefulFunctions
from statefun.testing import Harness
from tests.unit.reactive.recording import Recorder, Seen

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


def state_trees() -> StatefulFunctions:
    """The function, answering into a topic as well."""
    functions = StatefulFunctions()
    bind_state_tree(functions, egress="t/answers", topic="answers")
    return functions


@pytest.fixture
async def runtime() -> AsyncIterator[Runtime]:
    """An embedded runtime in memory."""
    async with Runtime(state_trees(), egresses=["t/answers"], durability="memory") as running:
        yield running


async def test_a_function_keeps_a_tree(runtime: Runtime) -> None:
    """It reads and writes as any backend, and each id is a tree of its own."""
    controller = ControllerAsync(FunctionBackend(runtime, "one"))
    other = ControllerAsync(FunctionBackend(runtime, "other"))
    recorder = Recorder()
    controller.subscribe("/", recorder("root"))

    await controller.set_state("/a/b", {"k": [1, None]})
    await controller.set_state("/a", 2)
    assert await controller.set_state("/a/b", {"k": [1, None]}) is False
    assert await controller.get_state("/") == {"a": {"/": 2, "b": {"k": [1, None]}}}
    assert await controller.del_state("/a/b") is True
    assert await controller.del_state("/a/b") is False
    assert await controller.get_state("/") == {"a": 2}
    assert await controller.get_state("/a/b", 7) == 7

    assert await other.get_state("/", 7) == 7
    assert len(recorder.seen) == 3


async def test_derivations_below_their_source_work_there(runtime: Runtime) -> None:
    """The node of the source is asked for."""
    controller = ControllerAsync(FunctionBackend(runtime, "one"))

    await controller.set_state("/n", 3)
    await controller.derive("/n/squared", "/n", lambda n: n**2)
    await controller.set_state("/n", 4)

    assert await controller.get_state("/n") == {"/": 4, "squared": 16}


async def test_a_transaction_is_one_turn(runtime: Runtime) -> None:
    """Another one's change of what it has read is a conflict, and nothing is written."""
    one = ControllerAsync(FunctionBackend(runtime, "one"))
    other = ControllerAsync(FunctionBackend(runtime, "one"))
    await one.set_state("/n", 1)

    with pytest.raises(TransactionConflictError, match="'/n'"):  # noqa: PT012 - at its end
        async with one.transaction():
            await one.set_state("/n", await one.get_state("/n") + 1)
            await one.set_state("/m", 1)
            await other.set_state("/n", 10)
    async with one.transaction():
        await one.set_state("/n", await one.get_state("/n") + 1)
        await other.set_state("/elsewhere", 1)

    assert await other.get_state("/") == {"n": 11, "elsewhere": 1}


async def test_changes_of_other_controllers_are_announced_on_demand(runtime: Runtime) -> None:
    """Once, and none from before."""
    one = ControllerAsync(FunctionBackend(runtime, "one"))
    await one.set_state("/before", 1)
    other = ControllerAsync(FunctionBackend(runtime, "one"))
    recorder = Recorder()
    other.subscribe("/a", recorder("a"))
    assert await other.refresh() == 0

    await one.set_state("/a/b", 1)
    await one.set_state("/a/b", None)
    await one.del_state("/a/b")
    await other.set_state("/a", 5)
    assert await other.refresh() == 3
    assert await other.refresh() == 0

    assert recorder.seen[1:] == [
        Seen("a", "/a/b", "/a", None, 1),
        Seen("a", "/a/b", "/a", 1, None),
        Seen("a", "/a/b", "/a", None, None),
    ]


async def test_a_log_that_was_cut_is_a_change_of_the_root(runtime: Runtime) -> None:
    """Whoever was away for too long looks at everything."""
    one = FunctionBackend(runtime, "one")
    other = ControllerAsync(FunctionBackend(runtime, "one"))
    await other.refresh()
    recorder = Recorder()
    other.subscribe("/", recorder("root"))
    await one.apply([Write(f"/n/{number}", number) for number in range(1_001)])

    assert await other.refresh() == 1_001  # the root, and the thousand that are remembered

    assert recorder.seen[0].emitting == "/"


async def test_a_log_that_was_cut_is_a_conflict(runtime: Runtime) -> None:
    """What a transaction has read may have changed, since the log does not go back to it."""
    one = ControllerAsync(FunctionBackend(runtime, "one"))
    other = FunctionBackend(runtime, "one")
    await one.set_state("/n", 1)

    with pytest.raises(TransactionConflictError, match="'/n'"):  # noqa: PT012 - at its end
        async with one.transaction():
            await one.set_state("/m", await one.get_state("/n"))
            await other.apply([Write("/elsewhere", number) for number in range(1_001)])

    assert await one.get_state("/m") is None


async def test_a_write_of_what_is_there_is_no_change(runtime: Runtime) -> None:
    """As JSON: `true` is not 1."""
    one, other = FunctionBackend(runtime, "one"), FunctionBackend(runtime, "one")
    await one.write("/a", 1)
    await other.changes()

    await one.write("/a", 1)
    assert await other.changes() == []
    await one.write("/a", value=True)
    assert [change.new_value for change in await other.changes()] == [True]


async def test_a_transaction_that_has_written_below_what_it_reads_minds_the_rest(
    runtime: Runtime,
) -> None:
    """A node is read with its children, whatever of it the transaction itself has written."""
    one = ControllerAsync(FunctionBackend(runtime, "one"))
    other = ControllerAsync(FunctionBackend(runtime, "one"))

    with pytest.raises(TransactionConflictError, match="'/a'"):  # noqa: PT012 - at its end
        async with one.transaction():
            await one.write_state("/a/b", 2)
            await one.write_state("/copy", await one.get_state("/a"))
            await other.set_state("/a/c", 3)

    assert await one.get_state("/") == {"a": {"c": 3}}


async def test_a_value_that_is_no_json_changes_nothing(runtime: Runtime) -> None:
    """The error names the path."""
    controller = ControllerAsync(FunctionBackend(runtime, "one"))

    with pytest.raises(ValueSerializationError, match="'/a'"):
        await controller.set_state("/a", object())

    assert await controller.get_state("/", 7) == 7


async def test_a_function_that_does_not_answer_times_out() -> None:
    """The error of the call comes out."""
    functions = StatefulFunctions()

    @functions.bind("t/silent")
    async def silent(context: Any, message: Any) -> None:
        """Say nothing."""

    async with Runtime(functions, durability="memory") as runtime:
        backend = FunctionBackend(runtime, "one", "t/silent", timeout=timedelta(milliseconds=50))
        with pytest.raises(CallTimeoutError):
            await ControllerAsync(backend).get_state("/a")


async def test_a_sync_controller_uses_it_from_a_thread(runtime: Runtime) -> None:
    """Beside the loop of the runtime."""
    backend = FunctionSyncBackend(FunctionBackend(runtime, "one"), asyncio.get_running_loop())

    def work() -> Any:
        controller = ControllerSync(backend)
        controller.set_state("/a/b", 1)
        controller.derive("/a/count", "/a", len)
        with controller.transaction():
            controller.set_state("/a/c", 2)
            controller.del_state("/a/b")
        controller.set_state("/d", 1)
        controller.del_state("/d")
        return controller.refresh(), controller.get_state("/")

    assert await asyncio.to_thread(work) == (0, {"a": {"count": 1, "c": 2}})


class FakeCluster:
    """What a cluster does: requests of a topic go to the function, its answers to another topic.

    Args:
        servers: The brokers.
    """

    def __init__(self, servers: str) -> None:
        group = {"bootstrap.servers": servers, "group.id": "cluster", "fetch.wait.max.ms": 10}
        self._consumer = Consumer({**group, "auto.offset.reset": "earliest"})
        self._consumer.subscribe(["requests"])
        self._producer = Producer({"bootstrap.servers": servers})
        self._is_over = threading.Event()
        self.is_deaf = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        harness = Harness(state_trees())
        while not self._is_over.is_set():
            record = self._consumer.poll(0.1)
            if record is None or record.error() is not None or self.is_deaf:
                continue
            value = REQUEST.serializer().deserialize(record.value() or b"")
            target = (record.key() or b"").decode()
            harness.send("statefun.reactive/tree", target, value=value, value_type=REQUEST)
            harness.run()
            for answer in harness.egress("t/answers"):
                kafka = answer.kafka
                self._producer.produce(kafka.topic, key=kafka.key, value=kafka.value)
            self._producer.flush()

    def stop(self) -> None:
        """End the thread."""
        self._is_over.set()
        self._thread.join()
        self._consumer.close()


async def test_a_function_behind_a_cluster_is_called_through_kafka() -> None:
    """A topic of requests and one of answers; who is not answered in time says so."""
    producer = Producer({"test.mock.num.brokers": 1, "bootstrap.servers": "ignored"})
    brokers = producer.list_topics(timeout=10).brokers.values()
    servers = ",".join(f"{broker.host}:{broker.port}" for broker in brokers)
    for topic in ("requests", "answers"):
        producer.list_topics(topic, timeout=10)
    cluster = FakeCluster(servers)
    consumer = Consumer({"bootstrap.servers": servers, "group.id": "me", "fetch.wait.max.ms": 10})
    caller = KafkaCaller(producer, consumer, requests="requests", replies="answers")
    controller = ControllerAsync(FunctionBackend(caller, "one", timeout=timedelta(seconds=30)))
    try:
        await controller.set_state("/a", [1])
        async with controller.transaction():
            await controller.set_state("/a", [2])
            await controller.set_state("/b", 3)
        assert await controller.get_state("/") == {"a": [2], "b": 3}

        cluster.is_deaf = True
        impatient = FunctionBackend(caller, "one", timeout=timedelta(milliseconds=100))
        with pytest.raises(CallTimeoutError, match="did not reply within"):
            await impatient.read("/a")
    finally:
        await asyncio.to_thread(caller.close)
        await asyncio.to_thread(cluster.stop)
