"""Kinesis in and out, on the real engine; a stand-in takes the place of the cloud."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
import trustme

from statefun.sdk.egress import kinesis_egress_message
from statefun.sdk.functions import StatefulFunctions
from tests.tools.lab import SHORT_LIVED, Flink
from tests.tools.lab.server import Process, free_port
from tests.tools.lab.software import Software, java_program
from tests.tools.scenarios.function_server import FunctionServer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from statefun.sdk.context import Context
    from statefun.sdk.messages import Message

pytestmark = [pytest.mark.engines, pytest.mark.timeout(180)]

PASSWORD = "changeit"
PATIENCE_S = 60.0
MODULE = """\
kind: io.statefun.endpoints.v2/http
spec: {{functions: k/*, urlPathTemplate: "{functions}"}}
---
kind: io.statefun.kinesis.v1/ingress
spec:
  id: k/in
  awsRegion: {{type: custom-endpoint, endpoint: "{cloud}", id: us-east-1}}
  awsCredentials: {{type: basic, accessKeyId: test, secretAccessKey: test}}
  startupPosition: {{type: earliest}}
  streams: [{{stream: in, valueType: io.statefun.types/string, targets: [k/echo]}}]
  clientConfigProperties: [{{flink.shard.getrecords.intervalmillis: "200"}}]
---
kind: io.statefun.kinesis.v1/egress
spec:
  id: k/out
  awsRegion: {{type: custom-endpoint, endpoint: "{cloud}", id: us-east-1}}
  awsCredentials: {{type: basic, accessKeyId: test, secretAccessKey: test}}
  clientConfigProperties:
    - {{VerifyCertificate: "false"}}
    - {{MetricsLevel: none}}
    - {{AggregationEnabled: "false"}}  # or records that go out together may become one
"""


class Cloud(NamedTuple):
    """The stand-in: where it is, a client of it, and whom Java has to trust."""

    url: str
    client: Any
    trust_store: Path


def echoing() -> StatefulFunctions:
    functions = StatefulFunctions()

    @functions.bind("k/echo")
    async def echo(context: Context, message: Message) -> None:
        key, value = context.address.id, message.as_string()
        context.send_egress(kinesis_egress_message("k/out", "out", f"{value} again", key))
        record = kinesis_egress_message("k/out", "out", b"\x00\xff", "žluť", explicit_hash_key="1")
        context.send_egress(record)

    return functions


@pytest.fixture
def cloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    """Two streams, over HTTPS: the engine takes nothing else."""
    import boto3  # noqa: PLC0415 - of the extra `engines`

    monkeypatch.setenv("AWS_CBOR_DISABLE", "1")  # the stand-in reads no CBOR
    authority = trustme.CA()
    files = {name: tmp_path / name for name in ("ca.pem", "cert.pem", "key.pem", "trust.p12")}
    authority.cert_pem.write_to_path(files["ca.pem"])
    certificate = authority.issue_cert("127.0.0.1")
    certificate.cert_chain_pems[0].write_to_path(files["cert.pem"])
    certificate.private_key_pem.write_to_path(files["key.pem"])
    keytool = [java_program("keytool", Software.load("apache")), "-importcert", "-noprompt"]
    keytool += ["-file", str(files["ca.pem"]), "-keystore", str(files["trust.p12"])]
    subprocess.run([*keytool, "-storepass", PASSWORD], check=True, capture_output=True)
    port = free_port()
    program = str(Path(sys.executable).with_name("moto_server"))
    arguments = ["-H", "127.0.0.1", "-p", str(port), "-s"]
    arguments += ["-c", str(files["cert.pem"]), "-k", str(files["key.pem"])]
    server = Process("moto", [program, *arguments], tmp_path)
    url = f"https://127.0.0.1:{port}"
    client = boto3.client(
        "kinesis",
        endpoint_url=url,
        verify=str(files["ca.pem"]),
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
    try:
        _make_streams(client, server)
        yield Cloud(url, client, files["trust.p12"])
    finally:
        client.close()
        server.stop()


def _make_streams(client: Any, server: Process) -> None:
    from botocore.exceptions import EndpointConnectionError  # noqa: PLC0415 - as above

    deadline = time.monotonic() + PATIENCE_S
    for stream in ("in", "out"):
        while True:
            try:
                client.create_stream(StreamName=stream, ShardCount=1)
                break
            except EndpointConnectionError:
                assert server.alive, server.tail()
                assert time.monotonic() < deadline, server.tail()
                time.sleep(0.1)


def _records(cloud: Cloud, stream: str) -> list[tuple[str, bytes]]:
    """Partition key and data, in order."""
    shards = cloud.client.list_shards(StreamName=stream)["Shards"]
    found = []
    for shard in shards:
        iterator = cloud.client.get_shard_iterator(
            StreamName=stream, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        records = cloud.client.get_records(ShardIterator=iterator)["Records"]
        found += [(record["PartitionKey"], record["Data"]) for record in records]
    return found


async def test_records_of_a_stream_reach_functions_and_go_out_to_another(
    cloud: Cloud, tmp_path: Path
) -> None:
    """The partition key is the id; text, bytes and keys of any kind go out as they were sent."""
    for key, data in (("one", b"\x0a\x02hi"), ("ключ", b"")):
        cloud.client.put_record(StreamName="in", Data=data, PartitionKey=key)
    flags = [
        *SHORT_LIVED,
        f"-Djavax.net.ssl.trustStore={cloud.trust_store}",
        f"-Djavax.net.ssl.trustStorePassword={PASSWORD}",
    ]

    async with FunctionServer() as server:
        await server.start(echoing())
        module = MODULE.format(functions=server.url, cloud=cloud.url)

        def run() -> list[tuple[str, bytes]]:
            with Flink(tmp_path / "flink", java_flags=flags) as flink:
                job = flink.submit("kinesis", module)
                job.wait_until("four records", lambda: len(_records(cloud, "out")) >= 4)
                return _records(cloud, "out")

        records = await asyncio.to_thread(run)

    assert sorted(records) == [
        ("one", b"hi again"),
        ("žluť", b"\x00\xff"),
        ("žluť", b"\x00\xff"),
        ("ключ", b" again"),
    ]
