"""A state tree that a function behind Flink keeps, changed by messages through Kafka."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from confluent_kafka import Consumer, Producer

from statefun.errors import CallTimeoutError, TransactionConflictError
from statefun.reactive import ControllerAsync, FunctionBackend, KafkaCaller, bind_state_tree
from statefun.sdk.functions import StatefulFunctions
from tests.engines.topics import make_topics
from tests.tools.lab import SHORT_LIVED, Flink, Kafka
from tests.tools.scenarios.function_server import FunctionServer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

pytestmark = [pytest.mark.engines, pytest.mark.timeout(300)]

MODULE = """\
kind: io.statefun.endpoints.v2/http
spec: {{functions: statefun.reactive/*, urlPathTemplate: "{functions}"}}
---
kind: io.statefun.kafka.v1/ingress
spec:
  id: tree/requests
  address: {kafka}
  consumerGroupId: trees
  startupPosition: {{type: earliest}}
  topics:
    - topic: requests
      valueType: statefun.reactive/request
      targets: [statefun.reactive/tree]
---
kind: io.statefun.kafka.v1/egress
spec: {{id: tree/answers, address: {kafka}, deliverySemantic: {{type: at-least-once}}}}
"""
PATIENCE = timedelta(seconds=90)


@asynccontextmanager
async def caller_of(kafka: Kafka, name: str) -> AsyncIterator[KafkaCaller]:
    """A process of its own, as far as the cluster can tell."""
    servers = {"bootstrap.servers": kafka.bootstrap}
    producer = Producer({**servers, "enable.idempotence": True})
    consumer = Consumer({**servers, "group.id": name})
    caller = KafkaCaller(producer, consumer, requests="requests", replies="answers")
    try:
        yield caller
    finally:
        await asyncio.to_thread(caller.close)


async def test_a_tree_is_kept_by_a_cluster_that_loses_its_worker(tmp_path: Path) -> None:
    """What two controllers write survives; while the function is away, calls time out."""
    functions = StatefulFunctions()
    bind_state_tree(functions, egress="tree/answers", topic="answers")

    async with FunctionServer() as server:
        await server.start(functions)
        with (
            Kafka(tmp_path / "kafka", java_flags=SHORT_LIVED) as kafka,
            Flink(tmp_path / "flink", mode="cluster", java_flags=SHORT_LIVED) as flink,
        ):
            make_topics(kafka.bootstrap, {"requests": 1, "answers": 1})
            module = MODULE.format(functions=server.url, kafka=kafka.bootstrap)
            job = await asyncio.to_thread(flink.submit, "tree", module)
            async with caller_of(kafka, "one") as one, caller_of(kafka, "two") as two:
                mine = ControllerAsync(FunctionBackend(one, "settings", timeout=PATIENCE))
                others = ControllerAsync(FunctionBackend(two, "settings", timeout=PATIENCE))
                heard: list[tuple[str, object]] = []
                others.subscribe(
                    "/", lambda event: heard.append((str(event.emitting_path), event.new_value))
                )
                assert await others.get_state("/", "nothing") in ({}, "nothing")

                await mine.derive("/sum", "/numbers", lambda numbers: sum(numbers or []))
                async with mine.transaction():
                    await mine.set_state("/numbers", [1, 2])
                    await mine.set_state("/theme", "dark")

                async def overtaken() -> None:
                    async with mine.transaction():
                        await mine.get_state("/theme")
                        await others.set_state("/theme", "light")
                        await mine.set_state("/numbers", [7])

                with pytest.raises(TransactionConflictError):
                    await overtaken()
                committed = job.checkpoints()
                await asyncio.to_thread(
                    job.wait_until, "a checkpoint", lambda: job.checkpoints() > committed + 1
                )
                flink.kill_worker()
                await asyncio.to_thread(flink.start_worker)

                await others.refresh()
                assert await mine.get_state("/") == {
                    "numbers": [1, 2],
                    "sum": 3,
                    "theme": "light",
                }
                own, *foreign = heard
                assert own == ("/theme", "light")
                assert dict(foreign) == {"/numbers": [1, 2], "/sum": 3, "/theme": "dark"}

                await server.stop()
                hurried = FunctionBackend(one, "settings", timeout=timedelta(seconds=1))
                with pytest.raises(CallTimeoutError, match="did not reply within"):
                    await ControllerAsync(hurried).get_state("/theme")
                await server.start(functions)
                await mine.set_state("/theme", "grey")
                assert await others.get_state("/theme") == "grey"
            job.cancel()
