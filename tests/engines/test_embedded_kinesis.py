"""Kinesis in and out of the embedded runtime; a stand-in takes the place of the cloud."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from tests.tools.lab.server import Process, free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.engines, pytest.mark.timeout(180)]

PATIENCE_S = 60.0
MODULE = """\
kind: io.statefun.kinesis.v1/ingress
spec:
  id: k/in
  awsRegion: {{type: custom-endpoint, endpoint: "http://kinesis:{port}", id: us-east-1}}
  awsCredentials: {{type: basic, accessKeyId: test, secretAccessKey: test}}
  startupPosition: {{type: earliest}}
  streams: [{{stream: in, valueType: io.statefun.types/string, targets: [k/count]}}]
---
kind: io.statefun.kinesis.v1/egress
spec:
  id: k/out
  awsRegion: {{type: custom-endpoint, endpoint: "http://kinesis:{port}", id: us-east-1}}
  awsCredentials: {{type: basic, accessKeyId: test, secretAccessKey: test}}
"""
COUNTING = """\
from statefun import IntType, StatefulFunctions, ValueSpec, kinesis_egress_message

functions = StatefulFunctions()


@functions.bind("k/count", specs=[ValueSpec("seen", IntType)])
async def count(context, message):
    context.storage.seen = (context.storage.seen or 0) + 1
    context.send_egress(
        kinesis_egress_message("k/out", "out", str(context.storage.seen), context.address.id)
    )
"""
KEYS = [f"key {number}" for number in range(5)]


class Cloud(NamedTuple):
    """The stand-in: its port and a client of it."""

    port: int
    client: Any

    def records(self, stream: str) -> list[tuple[str, bytes]]:
        """Partition key and data of all records, each shard in order."""
        found: list[tuple[str, bytes]] = []
        for shard in self.client.list_shards(StreamName=stream)["Shards"]:
            iterator = self.client.get_shard_iterator(
                StreamName=stream, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
            )["ShardIterator"]
            while records := (answer := self.client.get_records(ShardIterator=iterator))["Records"]:
                found += [(record["PartitionKey"], record["Data"]) for record in records]
                iterator = answer["NextShardIterator"]
        return found

    def wait_for(self, count: int) -> None:
        """Wait until each key has gone out with that count."""
        deadline = time.monotonic() + PATIENCE_S
        while not {(key, str(count).encode()) for key in KEYS} <= set(self.records("out")):
            assert time.monotonic() < deadline, self.records("out")
            time.sleep(0.1)


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Cloud]:
    """Two streams with two shards each."""
    import boto3  # noqa: PLC0415 - of the extra `engines`
    from botocore.exceptions import EndpointConnectionError  # noqa: PLC0415 - as above

    port = free_port()
    program = str(Path(sys.executable).with_name("moto_server"))
    server = Process("moto", [program, "-H", "127.0.0.1", "-p", str(port)], tmp_path)
    client = boto3.client(
        "kinesis",
        endpoint_url=f"http://127.0.0.1:{port}",
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
    deadline = time.monotonic() + PATIENCE_S
    try:
        for stream in ("in", "out"):
            while True:
                try:
                    client.create_stream(StreamName=stream, ShardCount=2)
                    break
                except EndpointConnectionError:
                    assert server.alive, server.tail()
                    assert time.monotonic() < deadline, server.tail()
                    time.sleep(0.1)
        yield Cloud(port, client)
    finally:
        client.close()
        server.stop()


def test_every_record_is_counted_once_however_often_the_runtime_is_killed(
    cloud: Cloud, tmp_path: Path
) -> None:
    """A record may go out again after a kill; each key keeps its order."""
    (tmp_path / "counting.py").write_text(COUNTING)
    (tmp_path / "module.yaml").write_text(MODULE.format(port=cloud.port))
    program = str(Path(sys.executable).with_name("statefun"))
    command = [program, "run", "module.yaml", "--functions", "counting:functions"]
    command += ["--data", "data", "--set", "kinesis=127.0.0.1"]

    sent = 0
    for _ in range(3):
        with subprocess.Popen(command, cwd=tmp_path) as process:
            for _ in range(6):
                sent += 1
                for key in KEYS:
                    cloud.client.put_record(StreamName="in", Data=b"\x0a\x01a", PartitionKey=key)
            cloud.wait_for(sent - 3)
            process.kill()
    with subprocess.Popen(command, cwd=tmp_path) as process:
        cloud.wait_for(sent)
        process.terminate()
    for key in KEYS:
        counts = [int(data) for each, data in cloud.records("out") if each == key]
        assert list(dict.fromkeys(counts)) == list(range(1, sent + 1))
