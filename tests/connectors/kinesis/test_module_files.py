"""Module files that name Kinesis: each is accepted, and means what it says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from statefun.cli.assembly import Assembly, assemble
from statefun.cli.options import FunctionRules
from statefun.connectors.kinesis import KinesisEgress, KinesisIngress, Place

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from statefun.connectors.kinesis.cloud import Cloud

FILE = """\
kind: io.statefun.endpoints.v2/http
spec: {functions: shop/*, urlPathTemplate: "http://functions:8000/statefun"}
---
kind: io.statefun.kinesis.v1/ingress
spec:
  id: shop/in
  awsRegion: {type: custom-endpoint, endpoint: "http://kinesis:4567/path", id: us-east-1}
  awsCredentials: {type: basic, accessKeyId: test, secretAccessKey: test}
  START
  streams: [{stream: orders, valueType: shop/order, targets: [shop/count, shop/audit]}]
  clientConfigProperties: [{flink.shard.getrecords.intervalmillis: "500"}, {a.b: "1"}]
---
kind: io.statefun.kinesis.v1/egress
spec:
  id: shop/out
  awsRegion: {type: specific, id: eu-west-1}
  awsCredentials: {type: basic, accessKeyId: test, secretAccessKey: test}
  maxOutstandingRecords: 7
  clientConfigProperties: [{VerifyCertificate: "false"}]
"""


def assembled(folder: Path, text: str, names: Mapping[str, str] | None = None) -> Assembly:
    file = folder / "module.yaml"
    file.write_text(text)
    return assemble(
        [str(file)],
        [],
        data=str(folder / "data"),
        dialect="embedded",
        names=names,
        options=None,
        rules=FunctionRules({}, {}),
    )


@pytest.mark.parametrize(
    ("start", "place"),
    [
        ("startupPosition: {type: earliest}", Place("oldest")),
        ("startupPosition: {type: latest}", Place("latest")),
        (
            "startupPosition: {type: date, date: '2020-02-01 04:15:00.000 +0000'}",
            Place("time", "1580530500000"),
        ),
        ("# the default", Place("latest")),
    ],
)
def test_a_module_file_with_kinesis_is_accepted_unchanged(
    tmp_path: Path, start: str, place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    """An ingress and an egress; a property without a meaning here is named in the log."""
    assembly = assembled(tmp_path, FILE.replace("START", start))

    [ingress], [egress] = assembly.ingresses, assembly.egresses
    assert isinstance(ingress, KinesisIngress)
    assert isinstance(egress, KinesisEgress)
    assert ingress._start == place
    assert ingress._pace.read.total_seconds() == 0.5
    assert egress._max_outstanding == 7
    assert "ingress shop/in, Kinesis: the property 'a.b' has no effect here" in caplog.text


async def test_the_region_and_the_credentials_are_those_of_the_file(tmp_path: Path) -> None:
    """And `--set` replaces the host of an endpoint."""
    assembly = assembled(tmp_path, FILE.replace("START", "# the default"), {"kinesis": "127.0.0.1"})
    [ingress], [egress] = assembly.ingresses, assembly.egresses

    for connector, region, url in (
        (ingress, "us-east-1", "http://127.0.0.1:4567/path"),
        (egress, "eu-west-1", "https://kinesis.eu-west-1.amazonaws.com"),
    ):
        client = cloud_of(connector)
        assert (client._client.meta.region_name, client._client.meta.endpoint_url) == (region, url)
        await client.close()


def cloud_of(connector: Any) -> Cloud:
    cloud: Cloud = connector._connect()
    return cloud


@pytest.mark.parametrize("place", ["beside", "inside"])
def test_a_stream_may_be_named_by_its_arn(tmp_path: Path, place: str) -> None:
    """Beside the streams, as the code of kzm has it, or inside one, as its documentation has it."""
    arn = "arn:aws:kinesis:eu-west-1:123456789012:stream/orders"
    text = FILE.replace("START", f"streamArn: {arn}" if place == "beside" else "# inside")
    if place == "inside":
        text = text.replace("stream: orders", f"streamArn: {arn}")

    [ingress] = assembled(tmp_path, text).ingresses

    assert isinstance(ingress, KinesisIngress)
    assert [each.name for each in ingress._streams] == [arn]
