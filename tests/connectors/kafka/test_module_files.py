"""Module files that name Kafka: each is accepted, and becomes connectors that mean what it says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from statefun.cli.assembly import Assembly, assemble
from statefun.cli.options import FunctionRules
from statefun.connectors import Surroundings
from statefun.connectors.kafka import KafkaEgress, KafkaIngress
from statefun.errors import ConfigurationError
from statefun.runtime import FailurePolicy, RuntimeOptions
from statefun.runtime.engine.retry import Backoff

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

ENDPOINT = """\
kind: io.statefun.endpoints.v2/http
spec: {functions: shop/*, urlPathTemplate: "http://functions:8000/statefun"}
---
"""
INGRESS = (
    ENDPOINT
    + """\
kind: io.statefun.kafka.v1/ingress
spec:
  id: shop/in
"""
)
EGRESS = "---\nkind: io.statefun.kafka.v1/egress\nspec:\n  id: shop/out\n"
TOPIC = "{topic: orders, valueType: shop/order, targets: [shop/count]}"
SCRAM = "org.apache.kafka.common.security.scram.ScramLoginModule"
GROUP = "  address: kafka:9092\n  consumerGroupId: shop\n"

# Shapes of module files as people write them: with the dialects that have them.
SHAPES: dict[str, tuple[str, str]] = {
    "a topic and a group": ("apache", f"{INGRESS}{GROUP}  topics: [{TOPIC}]\n"),
    "in and out": (
        "apache",
        f"{INGRESS}{GROUP}  topics: [{TOPIC}]\n{EGRESS}  address: kafka:9092\n",
    ),
    "exactly once": (
        "apache",
        (
            f"{INGRESS}{GROUP}  topics: [{TOPIC}]\n{EGRESS}  address: kafka:9092\n"
            "  deliverySemantic: {type: exactly-once, transactionTimeout: 15min}\n"
        ),
    ),
    "exactly once, the older way": (
        "apache",
        (
            f"{INGRESS}{GROUP}  topics: [{TOPIC}]\n{EGRESS}  address: kafka:9092\n"
            "  deliverySemantic: {type: exactly-once, transactionTimeoutMillis: 100000}\n"
        ),
    ),
    "no guarantee": (
        "apache",
        (
            f"{INGRESS}{GROUP}  topics: [{TOPIC}]\n{EGRESS}  address: kafka:9092\n"
            "  deliverySemantic: {type: none}\n"
        ),
    ),
    "from the beginning": (
        "apache",
        f"{INGRESS}{GROUP}  startupPosition: {{type: earliest}}\n  topics: [{TOPIC}]\n",
    ),
    "from the group": (
        "apache",
        (
            f"{INGRESS}{GROUP}  autoOffsetResetPosition: EARLIEST\n"
            f"  startupPosition: {{type: group-offsets}}\n  topics: [{TOPIC}]\n"
        ),
    ),
    "from offsets": (
        "apache",
        (
            f"{INGRESS}{GROUP}  startupPosition:\n    type: specific-offsets\n"
            f"    offsets: [orders/0: 12, orders/1: 7]\n  topics: [{TOPIC}]\n"
        ),
    ),
    "from a date": (
        "apache",
        (
            f"{INGRESS}{GROUP}  startupPosition:\n    type: date\n"
            f"    date: 2020-02-01 04:15:00.000 +0000\n  topics: [{TOPIC}]\n"
        ),
    ),
    "properties": (
        "apache",
        (
            f"{INGRESS}{GROUP}  properties:\n    - max.poll.records: 50\n"
            "    - flink.partition-discovery.interval-millis: 30000\n"
            f"  topics: [{TOPIC}]\n"
        ),
    ),
    "address and group in properties": (
        "apache",
        (
            f"{INGRESS}  properties:\n    - bootstrap.servers: kafka:9092\n    - group.id: shop\n"
            f"  topics: [{TOPIC}]\n"
        ),
    ),
    "a password": (
        "apache",
        (
            f"{INGRESS}{GROUP}  properties:\n    - security.protocol: SASL_PLAINTEXT\n"
            "    - sasl.mechanism: SCRAM-SHA-256\n"
            f"    - sasl.jaas.config: {SCRAM} required"
            f' username="a" password="b";\n  topics: [{TOPIC}]\n'
        ),
    ),
    "several topics and targets": (
        "apache",
        (
            f"{INGRESS}{GROUP}  topics:\n"
            "    - {topic: a, valueType: io.statefun.types/string, targets: [shop/count, shop/b]}\n"
            "    - {topic: b, valueType: com.example/Event, targets: [shop/other]}\n"
        ),
    ),
    "headers and invalid records": (
        "kzm",
        (
            f"{INGRESS}{GROUP}  forwardHeaders: true\n"
            f"  invalidRecordHandling: {{type: skip, logLevel: info}}\n  topics: [{TOPIC}]\n"
        ),
    ),
    "a position of the documentation": (
        "kzm",
        (
            f"{INGRESS}{GROUP}  startupPosition: {{type: at-timestamp, timestamp: 1580530500000}}\n"
            f"  topics: [{TOPIC}]\n"
        ),
    ),
    "a failure mode": (
        "fransking",
        ENDPOINT.replace("}\n", ", failureMode: drop}\n")
        + f"kind: io.statefun.kafka.v1/ingress\nspec:\n  id: shop/in\n{GROUP}  topics: [{TOPIC}]\n",
    ),
    "the older form": (
        "apache",
        (
            "version: '3.0'\nmodule:\n  meta: {type: remote}\n  spec:\n    endpoints:\n"
            "      - endpoint:\n          meta: {kind: http}\n          spec: {functions: shop/*, "
            "urlPathTemplate: 'http://functions:8000'}\n    ingresses:\n      - ingress:\n"
            "          meta: {type: io.statefun.kafka/ingress, id: shop/in}\n          spec:\n"
            "            address: kafka:9092\n            consumerGroupId: shop\n"
            f"            topics: [{TOPIC}]\n"
        ),
    ),
    "two ingresses": (
        "apache",
        (
            f"{INGRESS}{GROUP}  topics: [{TOPIC}]\n---\nkind: io.statefun.kafka.v1/ingress\nspec:\n"
            f"  id: shop/more\n{GROUP}  topics: [{TOPIC}]\n"
        ),
    ),
}


def assembled(
    folder: Path,
    text: str,
    dialect: str = "embedded",
    *,
    names: Mapping[str, str] | None = None,
    options: RuntimeOptions | None = None,
) -> Assembly:
    file = folder / "module.yaml"
    file.write_text(text)
    return assemble(
        [str(file)],
        [],
        data=str(folder / "data"),
        dialect=dialect,
        names=names,
        options=options,
        rules=FunctionRules({}, {}),
    )


@pytest.mark.parametrize("shape", SHAPES)
def test_a_module_file_with_kafka_is_accepted_unchanged(tmp_path: Path, shape: str) -> None:
    """In the dialect that it was written for, and in that of this runtime."""
    dialect, text = SHAPES[shape]

    for each in (dialect, "embedded"):
        assembly = assembled(tmp_path, text, each)

        assert {type(each) for each in assembly.ingresses} == {KafkaIngress}
        assert {type(each) for each in assembly.egresses} <= {KafkaEgress}


def test_a_target_that_nobody_serves_is_refused(tmp_path: Path) -> None:
    """Before anything is read."""
    text = f"{INGRESS}{GROUP}  topics: [{{topic: orders, valueType: a/b, targets: [other/a]}}]\n"

    with pytest.raises(ConfigurationError, match=r"'orders' goes to 'other/a', and nothing serves"):
        assembled(tmp_path, text)


@pytest.mark.parametrize(
    ("names", "address", "expected"),
    [
        ({}, "kafka:9092", "kafka:9092"),
        ({"kafka:9092": "localhost:19092"}, "kafka:9092,other:1", "localhost:19092,other:1"),
        ({"kafka": "localhost"}, "kafka:9092, kafka:9093", "localhost:9092,localhost:9093"),
        ({"kafka": "localhost:19092"}, "kafka:9092", "localhost:19092"),
        ({"kafka": "localhost"}, "kafkas:9092", "kafkas:9092"),
    ],
)
def test_a_name_in_an_address_can_be_replaced(
    names: dict[str, str], address: str, expected: str
) -> None:
    """A host keeps its port, unless the new one has its own."""
    assert Surroundings(names=names).address(address) == expected


TOPICS = """\
  topics:
    - topic: orders
      valueType: shop/order
      targets: [shop/count]
      failureMode: pause
      retry: {attempts: 7}
    - {topic: names, valueType: a/b, targets: [shop/count], failureMode: drop}
    - {topic: others, valueType: a/b, targets: [shop/count]}
"""


def test_a_topic_has_a_failure_policy_of_its_own(tmp_path: Path) -> None:
    """The command line goes before the file."""
    options = RuntimeOptions(topic_failure={"names": FailurePolicy("fail")})

    runtime = assembled(tmp_path, f"{INGRESS}{GROUP}{TOPICS}", options=options).runtime

    assert runtime.options.topic_failure == {
        "orders": FailurePolicy("pause", Backoff(attempts=7)),
        "names": FailurePolicy("fail"),
    }


def test_a_cluster_knows_no_failure_mode_of_a_topic(tmp_path: Path) -> None:
    """So `check` says it beforehand."""
    from statefun.modulefiles.module import read_modules  # noqa: PLC0415 - one test

    file = tmp_path / "module.yaml"
    file.write_text(f"{INGRESS}{GROUP}{TOPICS.replace('pause', 'fail')}")

    report = read_modules([str(file)], dialect="fransking", runs_here=False)

    assert "'failureMode' of a topic is known to the embedded runtime only" in str(report.errors[0])
