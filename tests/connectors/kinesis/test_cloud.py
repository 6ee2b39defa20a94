"""The client of the service: the calls that it makes, and what it makes of the answers."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from botocore.stub import Stubber

from statefun.connectors.kinesis.cloud import Account, Cloud
from statefun.connectors.kinesis.service import Batch, Entry, ServiceError, StreamRecord
from statefun.connectors.kinesis.shards import Place, Shard

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

ARN = "arn:aws:kinesis:eu-west-1:123456789012:stream/orders"
ACCOUNT = Account(
    region="eu-west-1",
    endpoint="http://127.0.0.1:9",
    access_key_id="id",
    secret_access_key="secret",
)


@pytest.fixture
async def cloud() -> AsyncIterator[tuple[Cloud, Stubber]]:
    """A client, and the service of its library for tests, which checks names and types."""
    made = Cloud(ACCOUNT)
    with Stubber(made._client) as stub:
        yield made, stub
        stub.assert_no_pending_responses()
    await made.close()


async def test_shards_are_listed_page_by_page(cloud: tuple[Cloud, Stubber]) -> None:
    """With their parents, and whether they are closed."""
    client, stub = cloud
    hashes = {"StartingHashKey": "0", "EndingHashKey": "9"}
    first = {
        "ShardId": "one",
        "HashKeyRange": hashes,
        "SequenceNumberRange": {"StartingSequenceNumber": "1", "EndingSequenceNumber": "2"},
    }
    second = {
        "ShardId": "two",
        "ParentShardId": "one",
        "AdjacentParentShardId": "other",
        "HashKeyRange": hashes,
        "SequenceNumberRange": {"StartingSequenceNumber": "3"},
    }
    stub.add_response(
        "list_shards", {"Shards": [first], "NextToken": "more"}, {"StreamName": "orders"}
    )
    stub.add_response("list_shards", {"Shards": [second]}, {"NextToken": "more"})

    found = await client.shards("orders")

    assert found == [Shard("one", (), is_closed=True), Shard("two", ("one", "other"))]


@pytest.mark.parametrize(
    ("place", "facts"),
    [
        (Place("oldest"), {"ShardIteratorType": "TRIM_HORIZON"}),
        (Place("latest"), {"ShardIteratorType": "LATEST"}),
        (
            Place("after", "123"),
            {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "StartingSequenceNumber": "123"},
        ),
        (
            Place("time", "1500"),
            {
                "ShardIteratorType": "AT_TIMESTAMP",
                "Timestamp": datetime(1970, 1, 1, 0, 0, 1, 500_000, UTC),
            },
        ),
    ],
)
async def test_an_iterator_begins_at_a_place(
    cloud: tuple[Cloud, Stubber], place: Place, facts: dict[str, Any]
) -> None:
    """Each kind of place is one of the service."""
    client, stub = cloud
    stub.add_response(
        "get_shard_iterator",
        {"ShardIterator": "it"},
        {"StreamARN": ARN, "ShardId": "one", **facts},
    )

    assert await client.iterator(ARN, "one", place) == "it"


async def test_a_read_gives_records_and_the_next_iterator(cloud: tuple[Cloud, Stubber]) -> None:
    """None at the end of a closed shard."""
    client, stub = cloud
    record = {"SequenceNumber": "5", "PartitionKey": "k", "Data": b"v"}
    stub.add_response(
        "get_records",
        {"Records": [record], "NextShardIterator": "next", "MillisBehindLatest": 7},
        {"ShardIterator": "it", "Limit": 10, "StreamARN": ARN},
    )
    stub.add_response("get_records", {"Records": []}, {"ShardIterator": "next", "Limit": 10})

    assert await client.records(ARN, "it", 10) == Batch([StreamRecord("5", "k", b"v")], "next", 7)
    assert await client.records("orders", "next", 10) == Batch([], None, 0)


async def test_each_record_of_a_write_has_its_own_answer(cloud: tuple[Cloud, Stubber]) -> None:
    """An empty code where it was written."""
    client, stub = cloud
    code = "ProvisionedThroughputExceededException"
    stub.add_response(
        "put_records",
        {
            "FailedRecordCount": 1,
            "Records": [{"SequenceNumber": "1", "ShardId": "one"}, {"ErrorCode": code}],
        },
        {
            "StreamName": "orders",
            "Records": [
                {"Data": b"1", "PartitionKey": "a"},
                {"Data": b"2", "PartitionKey": "b", "ExplicitHashKey": "12"},
            ],
        },
    )

    assert await client.put("orders", [Entry("a", b"1"), Entry("b", b"2", "12")]) == ["", code]


async def test_a_refusal_keeps_its_code(cloud: tuple[Cloud, Stubber]) -> None:
    """And says in a sentence what the service says."""
    client, stub = cloud
    stub.add_client_error("list_shards", "ResourceNotFoundException", "Stream orders not found")

    with pytest.raises(ServiceError) as caught:
        await client.shards("orders")

    assert caught.value.code == "ResourceNotFoundException"
    assert caught.value.text == "ResourceNotFoundException: Stream orders not found"
    assert not caught.value.is_throttled


async def test_a_service_that_cannot_be_reached_is_an_error_with_its_address() -> None:
    """The library's own error is the cause."""
    client = Cloud(ACCOUNT)

    with pytest.raises(ServiceError, match=r"http://127\.0\.0\.1:9") as caught:
        await client.shards("orders")
    await client.close()

    assert caught.value.code == "EndpointConnectionError"


def test_a_secret_is_not_shown() -> None:
    """In no representation."""
    assert "secret" not in repr(ACCOUNT).replace("secret_access_key", "")
