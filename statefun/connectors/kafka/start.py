"""Where an ingress begins to read a topic of which it has no position yet."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

from statefun.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from statefun.connectors.kafka.reader import Partition, Reader

__all__ = ["Reset", "Start", "resolved"]

Reset: TypeAlias = Literal["earliest", "latest"]


@dataclass(frozen=True)
class Start:
    """Where to begin.

    Attributes:
        at: `earliest`, `latest`, `group` for what the consumer group has committed, `offsets` for
            those given here, `time` for the first record of a time or later.
        otherwise: Where to begin a partition for which that says nothing.
        offsets: (Topic, partition) → offset.
        timestamp_ms: Milliseconds since 1970.

    Raises:
        ConfigurationError: If `offsets` or `timestamp_ms` is missing.
    """

    at: Literal["earliest", "latest", "group", "offsets", "time"] = "latest"
    otherwise: Reset = "latest"
    offsets: Mapping[tuple[str, int], int] = field(default_factory=dict)
    timestamp_ms: int | None = None

    def __post_init__(self) -> None:
        if self.at == "offsets" and not self.offsets:
            raise ConfigurationError("a start at offsets needs 'offsets': name at least one")
        if self.at == "time" and self.timestamp_ms is None:
            raise ConfigurationError("a start at a time needs 'timestamp_ms': name it")


async def resolved(
    start: Start, reader: Reader, partitions: Iterable[Partition]
) -> dict[Partition, int]:
    """Turn a start into numbers, which do not move from one process to the next.

    Raises:
        KafkaException: If the broker does not answer.
    """
    wanted = tuple(partitions)
    if start.at == "earliest":
        return await reader.beginnings(wanted)
    if start.at == "latest":
        return await reader.ends(wanted)
    if start.at == "time":
        assert start.timestamp_ms is not None  # noqa: S101 - checked when it was made
        found = await reader.at_time(wanted, start.timestamp_ms)
        later = await reader.ends(each for each in wanted if found[each] is None)
        return {each: later[each] if (at := found[each]) is None else at for each in wanted}
    if start.at == "group":
        found = await reader.committed(wanted)
    else:  # as in the engine: the group decides of partitions that are not listed
        listed = {each: start.offsets[each] for each in wanted if each in start.offsets}
        others = await reader.committed(each for each in wanted if each not in listed)
        found = {**others, **listed}
    missing = [each for each in wanted if found[each] is None]
    reset = await (
        reader.beginnings(missing) if start.otherwise == "earliest" else reader.ends(missing)
    )
    return {each: reset[each] if (at := found[each]) is None else at for each in wanted}
