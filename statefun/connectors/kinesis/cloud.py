"""The service of AWS, by boto3 in threads of its own."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from statefun.connectors.kinesis.service import Batch, ServiceError, StreamRecord
from statefun.connectors.kinesis.shards import Shard

try:
    import boto3
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError
    from botocore.session import Session
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        "Kinesis needs boto3: pip install 'statefun[kinesis]'", name=error.name
    ) from error

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from statefun.connectors.kinesis.service import Entry
    from statefun.connectors.kinesis.shards import Place

__all__ = ["Account", "Cloud"]

_THREADS: Final = 8
_TIMEOUT_S: Final = 10


@dataclass(frozen=True)
class Account:
    """Where the streams are, and by what they are opened.

    Attributes:
        region: The region; None for that of the environment.
        endpoint: The URL of the service; None for that of the region.
        access_key_id: The id of a key; None to look where AWS's tools look.
        secret_access_key: The key.
        profile: A profile of the file of credentials.
        profile_path: That file; None for the usual one.
        verifies_certificate: Whether the certificate of the service is checked.
    """

    region: str | None = None
    endpoint: str | None = None
    access_key_id: str | None = None
    secret_access_key: str | None = field(default=None, repr=False)
    profile: str | None = None
    profile_path: str | None = None
    verifies_certificate: bool = True


class Cloud:
    """A client of Kinesis; see `Service`.

    Args:
        account: Where, and by what.

    Raises:
        BotoCoreError: If the region or the profile is missing.
    """

    def __init__(self, account: Account) -> None:
        core = Session(profile=account.profile)
        if account.profile_path is not None:
            core.set_config_variable("credentials_file", account.profile_path)
        session = boto3.Session(
            botocore_session=core,
            aws_access_key_id=account.access_key_id,
            aws_secret_access_key=account.secret_access_key,
            region_name=account.region,
        )
        self._client = session.client(
            "kinesis",
            endpoint_url=account.endpoint,
            verify=None if account.verifies_certificate else False,
            config=Config(
                retries={"total_max_attempts": 1},  # the caller waits and tries again
                connect_timeout=_TIMEOUT_S,
                read_timeout=_TIMEOUT_S,
                max_pool_connections=_THREADS,
            ),
        )
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="statefun-kinesis")

    async def shards(self, stream: str) -> list[Shard]:
        """Give all shards of a stream that have records; see `Service`."""
        found: list[Shard] = []
        page: dict[str, str] = _named(stream)
        while page:
            answer = await self._call(self._client.list_shards, **page)
            found += [_shard(each) for each in answer["Shards"]]
            token = answer.get("NextToken")
            page = {"NextToken": token} if token else {}
        return found

    async def iterator(self, stream: str, shard: str, place: Place) -> str:
        """Give an iterator that begins at a place; see `Service`."""
        facts: dict[str, Any] = {}
        match place.kind:
            case "after":
                kind = "AFTER_SEQUENCE_NUMBER"
                facts["StartingSequenceNumber"] = place.value
            case "time":
                kind = "AT_TIMESTAMP"
                facts["Timestamp"] = datetime.fromtimestamp(int(place.value) / 1000, UTC)
            case "latest":
                kind = "LATEST"
            case _:
                kind = "TRIM_HORIZON"
        answer = await self._call(
            self._client.get_shard_iterator,
            **_named(stream),
            ShardId=shard,
            ShardIteratorType=kind,
            **facts,
        )
        iterator: str = answer["ShardIterator"]
        return iterator

    async def records(self, stream: str, iterator: str, limit: int) -> Batch:
        """Read up to so many records; see `Service`."""
        named = {key: value for key, value in _named(stream).items() if key == "StreamARN"}
        answer = await self._call(
            self._client.get_records, ShardIterator=iterator, Limit=limit, **named
        )
        found = [
            StreamRecord(each["SequenceNumber"], each["PartitionKey"], each["Data"])
            for each in answer["Records"]
        ]
        return Batch(found, answer.get("NextShardIterator"), answer.get("MillisBehindLatest", 0))

    async def put(self, stream: str, entries: Sequence[Entry]) -> list[str]:
        """Write records; see `Service`."""
        records = [
            {
                "Data": each.data,
                "PartitionKey": each.key,
                **({} if each.hash_key is None else {"ExplicitHashKey": each.hash_key}),
            }
            for each in entries
        ]
        answer = await self._call(self._client.put_records, **_named(stream), Records=records)
        return [each.get("ErrorCode") or "" for each in answer["Records"]]

    async def close(self) -> None:
        """Release every resource; a call that is under way may go on for some seconds."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._client.close()

    async def _call(self, function: Callable[..., Any], **facts: Any) -> Any:
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._threads, lambda: function(**facts))
        except ClientError as error:
            facts_of_error = error.response.get("Error", {})
            code = str(facts_of_error.get("Code", "Unknown"))
            raise ServiceError(code, f"{code}: {facts_of_error.get('Message', '')}") from error
        except BotoCoreError as error:
            raise ServiceError(type(error).__name__, str(error)) from error


def _named(stream: str) -> dict[str, str]:
    return {"StreamARN" if stream.startswith("arn:") else "StreamName": stream}


def _shard(facts: dict[str, Any]) -> Shard:
    parents = [facts.get(name) for name in ("ParentShardId", "AdjacentParentShardId")]
    is_closed = "EndingSequenceNumber" in facts["SequenceNumberRange"]
    return Shard(facts["ShardId"], tuple(each for each in parents if each), is_closed)
