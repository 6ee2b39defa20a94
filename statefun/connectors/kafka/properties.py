"""Properties of Java's Kafka client, translated into those of librdkafka.

Law: a property is translated, or refused, or reported as one without effect. None is dropped in
silence, and nothing reaches the C library that it does not know.

Source:
    The documentation of Apache Kafka 3.9 (consumer and producer configs) and of librdkafka 2.16,
    probed with the real thing; see the tests.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from statefun.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["Translation", "translate"]

Side: TypeAlias = Literal["consumer", "producer"]


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


_BOTH: Final = _names("""
    bootstrap.servers client.id client.rack metadata.max.age.ms reconnect.backoff.ms
    reconnect.backoff.max.ms retry.backoff.ms connections.max.idle.ms allow.auto.create.topics
    socket.connection.setup.timeout.ms security.protocol sasl.mechanism
    sasl.kerberos.service.name sasl.kerberos.kinit.cmd sasl.oauthbearer.token.endpoint.url
    sasl.oauthbearer.scope ssl.key.password ssl.cipher.suites ssl.keystore.location
    ssl.keystore.password enable.metrics.push client.dns.lookup retry.backoff.max.ms
    """)
_SAME: Final[Mapping[Side, frozenset[str]]] = {
    "consumer": _BOTH
    | _names("""
        group.id group.instance.id session.timeout.ms heartbeat.interval.ms max.poll.interval.ms
        fetch.min.bytes fetch.max.bytes max.partition.fetch.bytes check.crcs isolation.level
        group.protocol group.remote.assignor
        """),
    "producer": _BOTH
    | _names("""
        acks retries linger.ms batch.size compression.type compression.level delivery.timeout.ms
        max.in.flight.requests.per.connection enable.idempotence transaction.timeout.ms
        transactional.id request.timeout.ms
        """),
}
"""Same name, same meaning."""

_RENAMED: Final = {
    "fetch.max.wait.ms": "fetch.wait.max.ms",
    "receive.buffer.bytes": "socket.receive.buffer.bytes",
    "send.buffer.bytes": "socket.send.buffer.bytes",
    "max.request.size": "message.max.bytes",
    "ssl.truststore.certificates": "ssl.ca.pem",
    "ssl.keystore.certificate.chain": "ssl.certificate.pem",
    "ssl.keystore.key": "ssl.key.pem",
}
_OURS: Final = {
    "enable.auto.commit": "offsets are kept with the messages",
    "auto.commit.interval.ms": "offsets are kept with the messages",
    "auto.offset.reset": "'autoOffsetResetPosition' says where to begin",
    "partition.assignment.strategy": "an ingress reads all partitions",
    "partitioner.class": "keys go to the partitions that Java's default chooses",
    "max.poll.records": "an ingress takes up to 500 records at a time",
    "max.block.ms": "a full buffer holds the ingresses back",
    "key.serializer": "keys are text",
    "value.serializer": "values are bytes",
    "key.deserializer": "keys are ids",
    "value.deserializer": "'valueType' says what values are",
}
_NO_MEANING: Final = re.compile(
    r"(default\.api\.timeout\.ms|exclude\.internal\.topics|interceptor\.classes|metric\.reporters"
    r"|auto\.include\.jmx\.reporter|metadata\.max\.idle\.ms|compression\.(gzip|lz4|zstd)\.level"
    r"|metadata\.recovery\..+|partitioner\..+|metrics\..+|internal\..+|security\.providers"
    r"|sasl\.(client|login)\..+|sasl\..+\.callback\.handler\.class|ssl\.(protocol|provider)"
    r"|ssl\.(enabled\.protocols|engine\.factory\.class|secure\.random\.implementation)"
    r"|ssl\.(key|trust)manager\.algorithm|ssl\.keystore\.type|ssl\.truststore\.password"
    r"|ssl\.truststore\.type|flink\..+)"
)
DISCOVERY: Final = "flink.partition-discovery.interval-millis"
_OFF: Final = "-9223372036854775808"  # Java's Long.MIN_VALUE, how Flink switches it off

_PEM: Final = ("pem", "crt", "cer", "cert")
_LOGIN: Final = re.compile(r"\s*(?P<module>[\w.$]+)\s+(required|requisite|sufficient|optional)\b")
_OPTION: Final = re.compile(r'\s*([\w.]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;"]+))')
_LOGIN_OPTIONS: Final = {
    "username": "sasl.username",
    "password": "sasl.password",
    "keyTab": "sasl.kerberos.keytab",
    "principal": "sasl.kerberos.principal",
    "clientId": "sasl.oauthbearer.client.id",
    "clientSecret": "sasl.oauthbearer.client.secret",
    "scope": "sasl.oauthbearer.scope",
}


@dataclass(frozen=True)
class Translation:
    """What became of properties.

    Attributes:
        settings: Those of librdkafka.
        without_effect: Property → why it has no effect here.
        discovery_ms: How often to look for new partitions, in milliseconds; None if that was not
            said.
    """

    settings: dict[str, str]
    without_effect: dict[str, str] = field(default_factory=dict)
    discovery_ms: int | None = None


def translate(properties: Mapping[str, str], side: Side) -> Translation:
    """Translate properties of Java's client.

    Args:
        properties: Name → value, as a module file has them.
        side: Which client they are for.

    Raises:
        ConfigurationError: If one is unknown, or cannot be translated; the sentence says how to
            write it instead.
    """
    settings: dict[str, str] = {}
    without_effect: dict[str, str] = {}
    discovery_ms: int | None = None
    for name, value in properties.items():
        if name == DISCOVERY:
            discovery_ms = _milliseconds(name, value)
        elif name in _OURS:
            without_effect[name] = _OURS[name]
        elif _NO_MEANING.fullmatch(name):
            without_effect[name] = "it concerns Java's client or Flink alone"
        elif name == "request.timeout.ms" and side == "consumer":
            settings["socket.timeout.ms"] = value
        elif name in _SAME[side]:
            settings[name] = value
        elif name in _SAME["producer" if side == "consumer" else "consumer"]:
            without_effect[name] = f"it is not a property of a {side}"
        else:
            settings |= _translated(name, value, properties)
    _mend(settings, properties)
    return Translation(settings, without_effect, discovery_ms)


def _translated(name: str, value: str, properties: Mapping[str, str]) -> dict[str, str]:
    if name in _RENAMED:
        return {_RENAMED[name]: value}
    match name:
        case "buffer.memory":
            return {"queue.buffering.max.kbytes": str(max(1, _number(name, value) // 1024))}
        case "sasl.jaas.config":
            return _login(value)
        case "ssl.truststore.location":
            return _trust(value, properties.get("ssl.truststore.type", ""))
        case "ssl.endpoint.identification.algorithm":
            return {name: value.lower() or "none"}
    raise ConfigurationError(
        f"{name!r} is not a property of Kafka's client: correct it, or remove it"
    )


def _mend(settings: dict[str, str], properties: Mapping[str, str]) -> None:
    """Values that only Java's client takes, and what belongs together."""
    if settings.get("client.dns.lookup") == "default":
        settings["client.dns.lookup"] = "use_all_dns_ips"
    location = settings.get("ssl.keystore.location")
    if location is not None and _is_pem(location, properties.get("ssl.keystore.type", "")):
        settings["ssl.certificate.location"] = settings["ssl.key.location"] = location
        del settings["ssl.keystore.location"]
        settings.pop("ssl.keystore.password", None)
    elif location is not None:
        _check_keystore(location, properties)
    if "sasl.oauthbearer.client.id" in settings:
        settings["sasl.oauthbearer.method"] = "oidc"
    timeout, longest = settings.get("delivery.timeout.ms"), settings.get("transaction.timeout.ms")
    if timeout and longest and _number("delivery.timeout.ms", timeout) > int(longest):
        raise ConfigurationError(
            f"'delivery.timeout.ms' is {timeout} and 'transaction.timeout.ms' is {longest}: a "
            "record must be delivered or given up within its transaction, so lower the first or "
            "raise the second"
        )


def _check_keystore(location: str, properties: Mapping[str, str]) -> None:
    kind = properties.get("ssl.keystore.type", "").upper()
    if kind == "JKS" or location.lower().endswith(".jks"):
        raise ConfigurationError(
            f"'ssl.keystore.location' {location!r} is a JKS file, which only Java reads: convert "
            f"it, 'keytool -importkeystore -srckeystore {location} -destkeystore client.p12 "
            "-deststoretype PKCS12', and write 'ssl.keystore.location: client.p12'"
        )
    if not properties.get("ssl.keystore.password"):
        raise ConfigurationError(
            "'ssl.keystore.location' needs 'ssl.keystore.password' beside it: write the password "
            "of the file"
        )


def _trust(location: str, kind: str) -> dict[str, str]:
    if _is_pem(location, kind):
        return {"ssl.ca.location": location}
    raise ConfigurationError(
        f"'ssl.truststore.location' {location!r} is not a PEM file, which is the only kind that "
        f"can be read here: convert it, 'keytool -exportcert -rfc -keystore {location} -alias "
        "NAME -file ca.pem', and write 'ssl.truststore.location: ca.pem'"
    )


def _is_pem(location: str, kind: str) -> bool:
    return kind.upper() == "PEM" or location.lower().rpartition(".")[2] in _PEM


def _login(text: str) -> dict[str, str]:
    """The login of `sasl.jaas.config`; its text is not repeated in errors, it has the password."""
    begin = _LOGIN.match(text)
    options = {
        name: re.sub(r"\\(.)", r"\1", quoted) if quoted or not plain else plain
        for name, quoted, plain in _OPTION.findall(text[begin.end() :] if begin else "")
    }
    settings = {
        _LOGIN_OPTIONS[name]: value for name, value in options.items() if name in _LOGIN_OPTIONS
    }
    if begin is None or not settings:
        raise ConfigurationError(
            "'sasl.jaas.config' cannot be read: write for example "
            "'org.apache.kafka.common.security.plain.PlainLoginModule required "
            'username="me" password="secret";\''
        )
    return settings


def _milliseconds(name: str, value: str) -> int | None:
    return None if value == _OFF else _number(name, value)


def _number(name: str, value: str) -> int:
    try:
        return int(value)
    except ValueError as error:
        raise ConfigurationError(f"{name!r} must be a whole number, got {value!r}") from error


def described(without_effect: Mapping[str, str]) -> Iterable[str]:
    """A line for each property that has no effect."""
    return [f"property {name!r} has no effect here: {why}" for name, why in without_effect.items()]
