"""The connectors of the embedded runtime: which kinds of module files run here, and as what.

Law: a kind is one entry of `CONNECTORS`, or an entry point of an installed package. A connector's
library is imported when one is made.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

from statefun.connectors.files import FileEgress, FileIngress
from statefun.connectors.http import HttpEgress, HttpIngress
from statefun.connectors.registry import Connector, Surroundings, installed_connectors
from statefun.connectors.webhook import WebhookEgress, WebhookOptions
from statefun.errors import ConfigurationError
from statefun.modulefiles.dialects import DIALECTS
from statefun.modulefiles.durable import INVOCATIONS, InvocationIngressSpec
from statefun.modulefiles.fields import properties_of
from statefun.modulefiles.files import (
    FILES_EGRESS,
    FILES_INGRESS,
    FileEgressSpec,
    FileIngressSpec,
)
from statefun.modulefiles.kafka import KafkaEgressSpec, KafkaIngressSpec
from statefun.modulefiles.kinds import EgressSpec, IngressSpec, Kind
from statefun.modulefiles.kinesis import KinesisEgressSpec, KinesisIngressSpec
from statefun.modulefiles.webhook import WEBHOOK_EGRESS, WebhookEgressSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from statefun.connectors.kafka import Start
    from statefun.connectors.kinesis import Service
    from statefun.ports import Egress, Ingress

__all__ = ["CONNECTORS", "connectors", "kinds_of"]


# Properties of Java's Kinesis clients that have a meaning here.
_VERIFY: Final = "VerifyCertificate"
_READ_INTERVAL: Final = "flink.shard.getrecords.intervalmillis"


def _http_ingress(spec: IngressSpec, around: Surroundings) -> HttpIngress:
    return HttpIngress(spec.port, around.host, access=around.access, functions=around.functions)


def _http_egress(spec: EgressSpec, around: Surroundings) -> HttpEgress:
    return HttpEgress(spec.port, spec.topics, around.host, spec.id, access=around.access)


def _kafka_ingress(spec: KafkaIngressSpec, around: Surroundings) -> Ingress:
    from statefun.connectors.kafka import (  # noqa: PLC0415 - needs an extra
        InvalidRecords,
        KafkaIngress,
        KafkaTopic,
    )

    dialect = DIALECTS[around.dialect]
    topics = []
    for topic in spec.topics:
        invalid = spec.invalid_record_handling(topic, dialect)
        topics.append(
            KafkaTopic(
                topic.topic,
                topic.value_type,
                topic.targets,
                spec.forwards_headers(topic, dialect),
                InvalidRecords(invalid.type, invalid.log_level, invalid.target or ""),
            )
        )
    return KafkaIngress(
        spec.id,
        topics,
        address=around.address(spec.address) if spec.address else None,
        group_id=spec.consumer_group_id,
        start=_kafka_start(spec),
        properties=_kafka_properties(spec, around),
    )


def _kafka_properties(spec: KafkaIngressSpec, around: Surroundings) -> dict[str, str]:
    properties = properties_of(spec.properties)
    if "bootstrap.servers" in properties:
        properties["bootstrap.servers"] = around.address(properties["bootstrap.servers"])
    return properties


def _kafka_start(spec: KafkaIngressSpec) -> Start:
    from statefun.connectors.kafka import Start  # noqa: PLC0415 - needs an extra

    position, otherwise = spec.startup_position, spec.auto_offset_reset
    match position.type:
        case "earliest" | "latest":
            return Start(position.type, otherwise)
        case "group-offsets" | "groupOffsets":
            return Start("group", otherwise)
        case "specific-offsets":
            return Start("offsets", otherwise, offsets=position.offsets or {})
        case "date" | "at-timestamp":
            return Start("time", otherwise, timestamp_ms=position.timestamp_ms)


def _kafka_egress(spec: KafkaEgressSpec, around: Surroundings) -> Egress:
    from statefun.connectors.kafka import KafkaEgress  # noqa: PLC0415 - needs an extra

    delivery = spec.delivery
    is_exact = delivery.type == "exactly-once"
    return KafkaEgress(
        spec.id,
        around.address(spec.address),
        delivery="exactly-once" if is_exact else "at-least-once",
        transaction_timeout=timedelta(milliseconds=delivery.timeout_ms or 60_000),
        properties=properties_of(spec.properties),
        data=around.data,
        record_id_header=spec.record_id_header,
    )


def _kinesis_ingress(spec: KinesisIngressSpec, around: Surroundings) -> Ingress:
    from statefun.connectors.kinesis import (  # noqa: PLC0415 - seldom needed
        KinesisIngress,
        KinesisStream,
        Pace,
        Place,
    )

    streams = [
        KinesisStream(
            spec.stream_arn or each.stream_arn or each.stream or "", each.value_type, each.targets
        )
        for each in spec.streams
    ]
    start = spec.startup_position
    match start.type:
        case "earliest":
            place = Place("oldest")
        case "latest":
            place = Place("latest")
        case "date":
            assert start.date is not None  # noqa: S101 - checked when the spec was read
            place = Place("time", str(round(start.date.timestamp() * 1000)))
    connect = _kinesis_access(spec, around)
    properties = properties_of(spec.properties)
    pace = Pace()
    if _READ_INTERVAL in properties:
        pace = replace(pace, read=timedelta(milliseconds=int(properties[_READ_INTERVAL])))
    unused = properties.keys() - {_READ_INTERVAL, _VERIFY}
    return KinesisIngress(spec.id, streams, connect, start=place, pace=pace, unused=sorted(unused))


def _kinesis_egress(spec: KinesisEgressSpec, around: Surroundings) -> Egress:
    from statefun.connectors.kinesis import KinesisEgress  # noqa: PLC0415 - seldom needed

    connect = _kinesis_access(spec, around)
    unused = properties_of(spec.properties).keys() - {_VERIFY}
    return KinesisEgress(
        spec.id, connect, max_outstanding=spec.max_outstanding, unused=sorted(unused)
    )


def _kinesis_access(
    spec: KinesisIngressSpec | KinesisEgressSpec, around: Surroundings
) -> Callable[[], Service]:
    """Give what opens the streams, by the region and the credentials of a spec."""
    from statefun.connectors.kinesis.cloud import (  # noqa: PLC0415 - needs an extra
        Account,
        Cloud,
    )

    region, credentials = spec.region, spec.credentials
    properties = properties_of(spec.properties)
    account = Account(
        region=region.id,
        endpoint=None if region.endpoint is None else around.url(region.endpoint),
        access_key_id=credentials.access_key_id,
        secret_access_key=credentials.secret_access_key,
        profile=credentials.profile_name,
        profile_path=credentials.profile_path,
        verifies_certificate=properties.get(_VERIFY, "true").lower() != "false",
    )
    return lambda: Cloud(account)


def _file_ingress(spec: FileIngressSpec, _: Surroundings) -> FileIngress:
    return FileIngress(spec.id, Path(spec.path), spec.value_type, spec.targets, key=spec.key)


def _file_egress(spec: FileEgressSpec, _: Surroundings) -> FileEgress:
    return FileEgress(spec.id, None if spec.path is None else Path(spec.path))


def _webhook_egress(spec: WebhookEgressSpec, _: Surroundings) -> WebhookEgress:
    secrets = {name: _read_secret(name, path) for name, path in spec.header_files.items()}
    options = WebhookOptions(
        headers={**spec.headers, **secrets},
        max_in_flight=spec.max_in_flight,
        timeout=timedelta(milliseconds=spec.timeout),
        first_retry=timedelta(milliseconds=spec.retry.first),
        longest_retry=timedelta(milliseconds=spec.retry.longest),
        on_refused=spec.on_refused,
        max_waiting=spec.max_waiting,
        tls=None if spec.tls is None else spec.tls.context(),
    )
    return WebhookEgress(spec.id, spec.url, options)


def _read_secret(name: str, path: str) -> str:
    """The value of a header field, which is the first line of a file."""
    try:
        return Path(path).read_text(encoding="utf-8").split("\n", 1)[0].strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            f"the file {path} of the header {name!r} cannot be read ({error}): check its name and "
            "its permissions",
            option="headerFiles",
            given=path,
        ) from error


CONNECTORS: Final[Mapping[str, Connector]] = {
    "io.statefun.playground.v1/ingress": Connector("ingress", IngressSpec, _http_ingress),
    "io.statefun.playground.v1/egress": Connector("egress", EgressSpec, _http_egress),
    "io.statefun.kafka.v1/ingress": Connector("ingress", KafkaIngressSpec, _kafka_ingress),
    "io.statefun.kafka.v1/egress": Connector("egress", KafkaEgressSpec, _kafka_egress),
    "io.statefun.kinesis.v1/ingress": Connector("ingress", KinesisIngressSpec, _kinesis_ingress),
    "io.statefun.kinesis.v1/egress": Connector("egress", KinesisEgressSpec, _kinesis_egress),
    FILES_INGRESS: Connector("ingress", FileIngressSpec, _file_ingress),
    FILES_EGRESS: Connector("egress", FileEgressSpec, _file_egress),
    WEBHOOK_EGRESS: Connector("egress", WebhookEgressSpec, _webhook_egress),
}


def connectors() -> Mapping[str, Connector]:
    """All connectors by kind: those of this package, and those that installed packages add.

    Raises:
        ConfigurationError: If a package adds something else, or a kind that exists.
    """
    installed = installed_connectors()
    for kind in installed.keys() & CONNECTORS.keys():
        raise ConfigurationError(
            f"an installed package adds the connector {kind!r}, which exists: remove that package"
        )
    return {**CONNECTORS, **installed}


def kinds_of(known: Mapping[str, Connector]) -> Mapping[str, Kind]:
    """The kinds that run here, for whoever reads module files.

    The ingress of invocations is not a connector: it is made of the apps, by `assembly`.
    """
    kinds = {kind: Kind(each.role, each.spec) for kind, each in known.items()}
    return {**kinds, INVOCATIONS: Kind("ingress", InvocationIngressSpec)}
