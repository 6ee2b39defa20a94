"""Specs of Kafka ingresses and egresses.

Source:
    `io.statefun.kafka.v1/ingress` and `/egress` of Flink Stateful Functions 3.3 as its code reads
    them. `forwardHeaders`, `invalidRecordHandling` and two ways to write a startup position come
    from the documentation of kzm.
"""

from __future__ import annotations

import re
from collections import Counter
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, Self, TypeAlias

from pydantic import (
    BeforeValidator,
    Field,
    StrictBool,
    StrictInt,
    StrictStr,
    ValidationInfo,
    model_validator,
)

from statefun.errors import ConfigurationError
from statefun.modulefiles.dialects import ParseContext
from statefun.modulefiles.failures import FailureMode, RetrySpec
from statefun.modulefiles.fields import (
    Name,
    PositiveDuration,
    Properties,
    Spec,
    Typename,
    doubtful_properties,
    property_value,
)
from statefun.runtime.engine.policy import FailurePolicy

if TYPE_CHECKING:
    from collections.abc import Iterator

    from statefun.modulefiles.dialects import Dialect
    from statefun.modulefiles.yaml import KeyPath

__all__ = [
    "InvalidRecordHandling",
    "KafkaEgressSpec",
    "KafkaIngressSpec",
    "KafkaTopic",
    "StartupDate",
]

_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} [+-]\d{4}", re.ASCII)
_PARTITION: Final = re.compile(r"(.+)/(\d+)", re.ASCII)
_KZM_POSITIONS: Final = {"groupOffsets": "group-offsets", "at-timestamp": "date"}


def _parse_date(value: object) -> datetime:
    """A moment; the pattern is the engine's, `yyyy-MM-dd HH:mm:ss.SSS Z`."""
    try:
        if isinstance(value, str) and _DATE.fullmatch(value):
            return datetime.strptime(value, "%Y-%m-%d %H:%M:%S.%f %z")
    except ValueError:
        pass  # such as the 30th of February
    raise ConfigurationError(
        f"{str(value)!r} is not a date that the engine reads: write three digits of a second and "
        "an offset, for example '2020-02-01 04:15:00.000 +0000'"
    )


def _parse_offsets(value: object) -> dict[tuple[str, int], int]:
    """(Topic, partition) → offset, from a list of single entries `topic/partition: offset`."""
    if not isinstance(value, list) or not value:
        raise ConfigurationError(
            "must be a list with one entry per element: write for example '- my-topic/0: 42' below "
            f"it, got {value!r}"
        )
    offsets: dict[tuple[str, int], int] = {}
    for each in value:
        key, offset = next(iter(each.items())) if isinstance(each, dict) and each else (each, None)
        match = _PARTITION.fullmatch(str(key))
        if match is None or type(offset) is not int:
            raise ConfigurationError(
                f"{each!r} is not an offset of a partition: write '<topic>/<partition>: <offset>', "
                "for example 'my-topic/0: 42'"
            )
        offsets[match[1], int(match[2])] = offset
    return offsets


def _parse_reset(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


StartupDate: TypeAlias = Annotated[datetime, BeforeValidator(_parse_date)]
Offsets: TypeAlias = Annotated[dict[Any, int], BeforeValidator(_parse_offsets)]
Reset: TypeAlias = Annotated[Literal["earliest", "latest"], BeforeValidator(_parse_reset)]


class InvalidRecordHandling(Spec):
    """What becomes of a record without a key or without a value."""

    type: Literal["skip", "fail", "forward"]
    log_level: Literal["debug", "info", "warn", "error"] = Field(default="warn", alias="logLevel")
    target: Typename | None = None

    @model_validator(mode="after")
    def _is_complete(self, info: ValidationInfo) -> Self:
        if self.type == "forward" and not ParseContext.of(info.context).runs_here:
            raise ConfigurationError(
                "'type: forward' is known to the embedded runtime only: write 'skip' or 'fail'"
            )
        if (self.type == "forward") is (self.target is None):
            raise ConfigurationError(
                "'type: forward' and 'target' go together: write for example "
                "'{type: forward, target: com.example/invalid}'"
            )
        return self


class KafkaTopic(Spec):
    """A topic, and where its records go."""

    topic: Name
    value_type: StrictStr = Field(alias="valueType")
    targets: tuple[Typename, ...]
    forward_headers: StrictBool | None = Field(default=None, alias="forwardHeaders")
    invalid_records: InvalidRecordHandling | None = Field(
        default=None, alias="invalidRecordHandling"
    )
    failure_mode: FailureMode | None = Field(default=None, alias="failureMode")
    retry: RetrySpec | None = None

    @model_validator(mode="after")
    def _suits_the_dialect(self, info: ValidationInfo) -> Self:
        says_it = self.failure_mode is not None or self.retry is not None
        if says_it and not ParseContext.of(info.context).runs_here:
            raise ConfigurationError(
                "'failureMode' of a topic is known to the embedded runtime only: write it into the "
                "endpoint"
            )
        return self


class KafkaStartupPosition(Spec):
    """Where reading begins when nothing was stored before."""

    type: Literal[
        "group-offsets",
        "earliest",
        "latest",
        "specific-offsets",
        "date",
        "groupOffsets",
        "at-timestamp",
    ]
    offsets: Offsets | None = None
    date: StartupDate | None = None
    timestamp: StrictInt | None = None

    @property
    def timestamp_ms(self) -> int | None:
        """The moment to begin at, in milliseconds since 1970; None if none is named."""
        return self.timestamp if self.date is None else round(self.date.timestamp() * 1000)

    @model_validator(mode="after")
    def _is_complete(self, info: ValidationInfo) -> Self:
        dialect = ParseContext.of(info.context).dialect
        if self.type in _KZM_POSITIONS and dialect.name not in ("kzm", "embedded"):
            raise ConfigurationError(
                f"'type' {self.type!r} is known to the dialect kzm only: write "
                f"'type: {_KZM_POSITIONS[self.type]}'"
            )
        needed = {"specific-offsets": "offsets", "date": "date", "at-timestamp": "timestamp"}
        name = needed.get(self.type)
        if name is not None and getattr(self, name) is None:
            example = {
                "offsets": "a list of entries such as '- my-topic/0: 42'",
                "date": "'2020-02-01 04:15:00.000 +0000'",
                "timestamp": "milliseconds since 1970, such as 1580530500000",
            }[name]
            raise ConfigurationError(
                f"'type: {self.type}' needs {name!r} beside it: write {example}"
            )
        return self


class KafkaIngressSpec(Spec):
    """The kind `io.statefun.kafka.v1/ingress`."""

    id: Typename
    address: Name | None = None
    consumer_group_id: Name | None = Field(default=None, alias="consumerGroupId")
    topics: Annotated[tuple[KafkaTopic, ...], Field(min_length=1)]
    auto_offset_reset: Reset = Field(default="latest", alias="autoOffsetResetPosition")
    startup_position: KafkaStartupPosition = Field(
        default=KafkaStartupPosition(type="latest"), alias="startupPosition"
    )
    properties: Properties = ()
    forward_headers: StrictBool | None = Field(default=None, alias="forwardHeaders")
    invalid_records: InvalidRecordHandling | None = Field(
        default=None, alias="invalidRecordHandling"
    )

    @model_validator(mode="after")
    def _is_complete(self) -> Self:
        for name, value, key, example in (
            ("address", self.address, "bootstrap.servers", "localhost:9092"),
            ("consumerGroupId", self.consumer_group_id, "group.id", "my-group"),
        ):
            if value is None and property_value(self.properties, key) is None:
                raise ConfigurationError(
                    f"{name!r} is missing: write for example '{name}: {example}', or {key!r} into "
                    "'properties'"
                )
        return self

    def warnings(self) -> Iterator[tuple[KeyPath, str]]:
        """A topic that is listed twice, and ways to write that only documents know."""
        times = Counter(each.topic for each in self.topics)
        for position, each in enumerate(self.topics):
            times[each.topic] -= 1
            if times[each.topic]:
                text = f"topic {each.topic!r} is listed again below, and the last one counts"
                yield ("topics", position), f"{text}: remove one of them"
        position_type = self.startup_position.type
        if position_type in _KZM_POSITIONS:
            text = f"{position_type!r} is in the documentation of kzm and not in its code"
            better = f"write 'type: {_KZM_POSITIONS[position_type]}'"
            yield ("startupPosition", "type"), f"{text}: {better}"
        yield from doubtful_properties(self.properties, "properties")

    def topic_failures(self) -> dict[str, FailurePolicy]:
        """What becomes of messages of a topic that functions fail on, where a topic says it."""
        return {
            each.topic: FailurePolicy(each.failure_mode, (each.retry or RetrySpec()).policy())
            for each in self.topics
            if each.failure_mode is not None
        }

    def invalid_record_handling(self, topic: KafkaTopic, dialect: Dialect) -> InvalidRecordHandling:
        """What holds for a topic: what it says, or else the ingress, or else the dialect."""
        chosen = topic.invalid_records or self.invalid_records
        return chosen or InvalidRecordHandling.model_validate({"type": dialect.invalid_records})

    def forwards_headers(self, topic: KafkaTopic, dialect: Dialect) -> bool:
        """Whether headers reach functions: as the topic says, or the ingress, or the dialect."""
        for each in (topic.forward_headers, self.forward_headers):
            if each is not None:
                return each
        return dialect.forwards_headers


class DeliverySemantic(Spec):
    """How often a record can come out."""

    type: Literal["at-least-once", "exactly-once", "none"] = "at-least-once"
    transaction_timeout: PositiveDuration | None = Field(default=None, alias="transactionTimeout")
    transaction_timeout_millis: Annotated[StrictInt, Field(ge=1)] | None = Field(
        default=None, alias="transactionTimeoutMillis"
    )

    @model_validator(mode="after")
    def _is_complete(self) -> Self:
        if self.type == "exactly-once" and self.timeout_ms is None:
            raise ConfigurationError(
                "'type: exactly-once' needs 'transactionTimeout' beside it: write for example "
                "'transactionTimeout: 15min'"
            )
        return self

    @property
    def timeout_ms(self) -> int | None:
        """How long a transaction may take; the older way to write it goes before the newer."""
        return self.transaction_timeout_millis or self.transaction_timeout


class KafkaEgressSpec(Spec):
    """The kind `io.statefun.kafka.v1/egress`."""

    id: Typename
    address: Name
    delivery: DeliverySemantic = Field(default=DeliverySemantic(), alias="deliverySemantic")
    properties: Properties = ()
    record_id_header: Name | None = Field(default=None, alias="recordIdHeader")

    def warnings(self) -> Iterator[tuple[KeyPath, str]]:
        """Entries without effect, and the older way to write a timeout."""
        if self.delivery.transaction_timeout_millis is not None:
            name, millis = "transactionTimeoutMillis", self.delivery.transaction_timeout_millis
            text = f"{name!r} is deprecated: write 'transactionTimeout: {millis} ms'"
            yield ("deliverySemantic", name), text
        yield from doubtful_properties(self.properties, "properties")
