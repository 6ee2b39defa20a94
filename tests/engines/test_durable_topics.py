"""Durable handlers behind the real engine: requests and outcomes travel in Kafka topics.

The module file is the one that `statefun module` prints; the TaskManager is killed meanwhile.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from statefun.durable import _proto
from statefun.durable.identity import InvocationId, Place
from tests.cli.process import statefun
from tests.engines.program import Program
from tests.engines.topics import Reader, make_topics, produce
from tests.tools.lab.server import free_port

if TYPE_CHECKING:
    from tests.tools.lab import Flink, Job, Kafka

pytestmark = [pytest.mark.engines, pytest.mark.timeout(300)]

FACTORY = Path(__file__).parents[1] / "cli" / "factory.py"
ORDERS = 40
PATIENCE_S = 90.0
TOPICS = {"durable.requests": 1, "durable.Factory": 1, "durable.Shelf": 1, "outcomes": 1}


def request(number: int) -> tuple[str, bytes]:
    """The record that invokes `Factory.make`; its key is the number, as is that of the outcome."""
    invocation = InvocationId(Place.SERVICE, "Factory", "", os.urandom(16))
    return str(number), invoke(str(invocation), "make", number, f"order {number}")


def invoke(invocation: str, handler: str, argument: int, name: str) -> bytes:
    reply = _proto.Route(typename="durable/replies", id=name, is_egress=True, topic="outcomes")
    content = _proto.Invoke(
        id=invocation, handler=handler, argument=json.dumps(argument).encode(), reply=reply
    )
    return bytes(_proto.Envelope(version=1, invoke=content).SerializeToString())


def test_every_invocation_in_a_topic_has_one_outcome_in_a_topic(
    deployed_flink: Flink, deployed_kafka: Kafka, tmp_path: Path
) -> None:
    """Though the TaskManager is killed: each outcome is committed once, each call counts once."""
    port = free_port()
    shutil.copy(FACTORY, tmp_path)
    make_topics(deployed_kafka.bootstrap, TOPICS)
    url = f"http://127.0.0.1:{port}/statefun"
    kafka = ("--kafka", deployed_kafka.bootstrap)
    module = statefun("module", "factory:app", "--url", url, *kafka, cwd=tmp_path)
    assert module.code == 0, module.err

    with Program("serve", "factory:app", "--port", str(port), folder=tmp_path):
        job = deployed_flink.submit("factory", module.out)
        try:
            orders = [request(number) for number in range(ORDERS)]
            produce(deployed_kafka.bootstrap, "durable.requests", orders[: ORDERS // 2])
            first = outcomes(deployed_kafka, job, 1)
            deployed_flink.kill_worker()
            deployed_flink.start_worker()
            produce(deployed_kafka.bootstrap, "durable.requests", orders[ORDERS // 2 :])
            found = outcomes(deployed_kafka, job, ORDERS)
            shelf = InvocationId(Place.OBJECT, "Shelf", "shelf", os.urandom(16))
            count = ("shelf", invoke(str(shelf), "put", 0, "total"))
            produce(deployed_kafka.bootstrap, "durable.requests", [count])
            total = outcomes(deployed_kafka, job, ORDERS + 1)["total"]
        finally:
            job.cancel()

    assert first
    assert sorted(found) == sorted(f"order {number}" for number in range(ORDERS))
    assert {len(each) for each in found.values()} == {1}
    assert [json.loads(each.outcome.value) for each in total] == [ORDERS]


def outcomes(kafka: Kafka, job: Job, wanted: int) -> dict[str, list[_proto.Done]]:
    """The outcomes that are committed, by the name that the request gave them."""
    found: dict[str, list[_proto.Done]] = {}
    deadline = time.monotonic() + PATIENCE_S
    with Reader(kafka.bootstrap, "outcomes") as reader:
        while len(found) < wanted:
            assert time.monotonic() < deadline, f"{len(found)} of {wanted}; {job.report()}"
            for record in reader.records():
                done = _proto.Envelope.FromString(record.value() or b"").done
                found.setdefault(done.execution, []).append(done)
    return found
