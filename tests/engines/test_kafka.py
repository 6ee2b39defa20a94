"""Kafka in and out of the embedded runtime, with a real broker."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.engines.program import Program
from tests.engines.topics import Reader, make_topics, produce
from tests.tools.lab import SHORT_LIVED, Kafka

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.engines, pytest.mark.timeout(180)]

CUSTOMERS, ORDERS = 20, 100
PATIENCE_S = 90.0
MODULE = """\
kind: io.statefun.kafka.v1/ingress
spec:
  id: shop/in
  address: {address}
  consumerGroupId: shop
  startupPosition: {{type: earliest}}
  topics: [{{topic: orders, valueType: shop/order, targets: [shop/count]}}]
---
kind: io.statefun.kafka.v1/egress
spec:
  id: shop/out
  address: {address}
  deliverySemantic: {{type: {semantic}, transactionTimeout: 1min}}
"""


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kafka]:
    """A broker without topics."""
    folder = tmp_path_factory.mktemp("kafka")
    with Kafka(folder, java_flags=SHORT_LIVED) as kafka:
        yield kafka


def shop(folder: Path, kafka: Kafka, semantic: str = "exactly-once") -> Program:
    """The runtime with the functions of the shop."""
    folder.mkdir()
    shutil.copy(Path(__file__).with_name("kafka_shop.py"), folder)
    (folder / "module.yaml").write_text(MODULE.format(address=kafka.bootstrap, semantic=semantic))
    return Program("run", "module.yaml", "--functions", "kafka_shop:functions", folder=folder)


def test_every_order_is_counted_once_however_often_the_runtime_is_killed(
    kafka: Kafka, tmp_path: Path
) -> None:
    """Offsets, state and records are committed together: readers see each count once, in order."""
    make_topics(kafka.bootstrap, {"orders": 4, "counts": 4})
    orders = [(f"c{n % CUSTOMERS}", b"%d" % n) for n in range(CUSTOMERS * ORDERS)]
    counts: dict[str, list[str]] = {}
    deadline_s = time.monotonic() + PATIENCE_S

    kills_at = [60, 300, 700, 1100, 1500, 1900]  # so many counts are there
    produce(kafka.bootstrap, "orders", orders)
    with shop(tmp_path / "shop", kafka) as program, Reader(kafka.bootstrap, "counts") as reader:
        while (found := sum(map(len, counts.values()))) < len(orders):
            assert time.monotonic() < deadline_s, (found, program.errors())
            if kills_at and found >= kills_at[0]:
                del kills_at[0]
                program.kill()
                program.start()
            for record in reader.records():
                counts.setdefault((record.key() or b"").decode(), []).append(
                    (record.value() or b"").decode()
                )
        assert reader.records() == []

    assert counts == {
        f"c{customer}": [f"{n + 1}:{n * CUSTOMERS + customer}" for n in range(ORDERS)]
        for customer in range(CUSTOMERS)
    }
