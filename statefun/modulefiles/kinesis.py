"""Specs of Kinesis ingresses and egresses.

Source:
    `io.statefun.kinesis.v1/ingress` and `/egress` of Flink Stateful Functions 3.3 as its code reads
    them. `streamArn`, and endpoints without TLS, come from the documentation of kzm.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import Field, StrictStr, ValidationInfo, model_validator

from statefun.errors import ConfigurationError
from statefun.modulefiles.dialects import ParseContext
from statefun.modulefiles.fields import (
    Count,
    Name,
    Properties,
    Spec,
    Typename,
    doubtful_properties,
)
from statefun.modulefiles.kafka import StartupDate  # noqa: TC001 - pydantic reads it

if TYPE_CHECKING:
    from collections.abc import Iterator

    from statefun.modulefiles.yaml import KeyPath

__all__ = ["KinesisEgressSpec", "KinesisIngressSpec"]


def _need(spec: Spec, chosen: str, names: tuple[str, ...]) -> None:
    """Check that what a chosen type needs stands beside it."""
    for name in names:
        field = next(
            key for key, field in type(spec).model_fields.items() if name in (key, field.alias)
        )
        if getattr(spec, field) is None:
            raise ConfigurationError(
                f"'type: {chosen}' needs {name!r} beside it: write '{name}: …'"
            )


class AwsRegion(Spec):
    """Where the streams are."""

    type: Literal["default", "specific", "custom-endpoint"] = "default"
    id: Name | None = None
    endpoint: Name | None = None

    @model_validator(mode="after")
    def _is_complete(self, info: ValidationInfo) -> Self:
        needed = {"specific": ("id",), "custom-endpoint": ("endpoint", "id")}
        _need(self, self.type, needed.get(self.type, ()))
        schemes: tuple[str, ...] = ("https://",)
        if ParseContext.of(info.context).dialect.name in ("kzm", "embedded"):
            schemes = ("https://", "http://")
        if self.endpoint is not None and not self.endpoint.startswith(schemes):
            raise ConfigurationError(
                f"'endpoint' {self.endpoint!r} does not begin with {' or '.join(schemes)}: write "
                "for example 'endpoint: https://localhost:4567'"
            )
        return self


class AwsCredentials(Spec):
    """By what a stream is opened."""

    type: Literal["default", "basic", "profile"] = "default"
    access_key_id: Name | None = Field(default=None, alias="accessKeyId")
    secret_access_key: Name | None = Field(default=None, alias="secretAccessKey", repr=False)
    profile_name: Name | None = Field(default=None, alias="profileName")
    profile_path: Name | None = Field(default=None, alias="profilePath")

    @model_validator(mode="after")
    def _is_complete(self) -> Self:
        needed = {"basic": ("accessKeyId", "secretAccessKey"), "profile": ("profileName",)}
        _need(self, self.type, needed.get(self.type, ()))
        return self


class KinesisStartupPosition(Spec):
    """Where reading begins when nothing was stored before."""

    type: Literal["earliest", "latest", "date"] = "latest"
    date: StartupDate | None = None

    @model_validator(mode="after")
    def _is_complete(self) -> Self:
        if self.type == "date" and self.date is None:
            raise ConfigurationError(
                "'type: date' needs 'date' beside it: write '2020-02-01 04:15:00.000 +0000'"
            )
        return self


class KinesisStream(Spec):
    """A stream, and where its records go."""

    stream: Name | None = None
    stream_arn: Name | None = Field(default=None, alias="streamArn")
    value_type: StrictStr = Field(alias="valueType")
    targets: tuple[Typename, ...]


class KinesisIngressSpec(Spec):
    """The kind `io.statefun.kinesis.v1/ingress`."""

    id: Typename
    region: AwsRegion = Field(default=AwsRegion(), alias="awsRegion")
    credentials: AwsCredentials = Field(default=AwsCredentials(), alias="awsCredentials")
    startup_position: KinesisStartupPosition = Field(
        default=KinesisStartupPosition(), alias="startupPosition"
    )
    stream_arn: Name | None = Field(default=None, alias="streamArn")
    streams: Annotated[tuple[KinesisStream, ...], Field(min_length=1)]
    properties: Properties = Field(default=(), alias="clientConfigProperties")

    @model_validator(mode="after")
    def _names_its_streams(self) -> Self:
        if self.stream_arn is not None and len(self.streams) > 1:
            raise ConfigurationError(
                f"'streamArn' goes with exactly one element of 'streams', got {len(self.streams)}: "
                "write an ingress for each stream"
            )
        for position, each in enumerate(self.streams):
            if each.stream is None and each.stream_arn is None and self.stream_arn is None:
                raise ConfigurationError(
                    f"'streams.{position}.stream' is missing: write for example 'stream: my-stream'"
                )
        return self

    def warnings(self) -> Iterator[tuple[KeyPath, str]]:
        """Entries without effect, and a place that only one document knows."""
        for position, each in enumerate(self.streams):
            if each.stream_arn is not None:
                text = "'streamArn' is inside a stream in the documentation of kzm, not in its code"
                yield ("streams", position, "streamArn"), f"{text}: write it beside 'streams'"
        yield from doubtful_properties(self.properties, "clientConfigProperties")


class KinesisEgressSpec(Spec):
    """The kind `io.statefun.kinesis.v1/egress`."""

    id: Typename
    region: AwsRegion = Field(default=AwsRegion(), alias="awsRegion")
    credentials: AwsCredentials = Field(default=AwsCredentials(), alias="awsCredentials")
    max_outstanding: Count = Field(default=1000, alias="maxOutstandingRecords")
    properties: Properties = Field(default=(), alias="clientConfigProperties")

    def warnings(self) -> Iterator[tuple[KeyPath, str]]:
        """Entries without effect."""
        return doubtful_properties(self.properties, "clientConfigProperties")
