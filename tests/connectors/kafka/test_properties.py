"""Properties of Java's client, as module files have them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from confluent_kafka import Consumer, Producer

from statefun.connectors.kafka.properties import translate
from statefun.errors import ConfigurationError

if TYPE_CHECKING:
    from statefun.connectors.kafka.properties import Side

PLAIN = "org.apache.kafka.common.security.plain.PlainLoginModule required"

SAME: dict[Side, dict[str, str]] = {
    "consumer": {
        "bootstrap.servers": "a:1,b:2",
        "group.id": "g",
        "client.id": "me",
        "client.rack": "r",
        "group.instance.id": "i",
        "session.timeout.ms": "45000",
        "heartbeat.interval.ms": "3000",
        "max.poll.interval.ms": "300000",
        "fetch.min.bytes": "1",
        "fetch.max.bytes": "52428800",
        "max.partition.fetch.bytes": "1048576",
        "metadata.max.age.ms": "300000",
        "reconnect.backoff.ms": "50",
        "reconnect.backoff.max.ms": "1000",
        "retry.backoff.ms": "100",
        "connections.max.idle.ms": "540000",
        "check.crcs": "true",
        "isolation.level": "read_committed",
        "allow.auto.create.topics": "true",
        "socket.connection.setup.timeout.ms": "10000",
        "security.protocol": "SSL",
        "sasl.mechanism": "SCRAM-SHA-512",
    },
    "producer": {
        "bootstrap.servers": "a:1",
        "acks": "all",
        "retries": "2147483647",
        "linger.ms": "5",
        "batch.size": "16384",
        "compression.type": "zstd",
        "delivery.timeout.ms": "60000",
        "max.in.flight.requests.per.connection": "5",
        "enable.idempotence": "true",
        "transaction.timeout.ms": "60000",
        "request.timeout.ms": "30000",
    },
}


@pytest.mark.parametrize("side", ["consumer", "producer"])
def test_what_has_the_same_name_is_handed_on(side: Side) -> None:
    """And the client takes it."""
    settings = translate(SAME[side], side).settings

    assert settings == SAME[side]
    client(side, settings)


def client(side: Side, settings: dict[str, str]) -> None:
    quiet: dict[str, Any] = {"log_level": 0, **settings}
    if side == "consumer":
        Consumer({"group.id": "g", **quiet}).close()
    else:
        Producer(quiet)


@pytest.mark.parametrize(
    ("side", "given", "expected"),
    [
        ("consumer", {"fetch.max.wait.ms": "7"}, {"fetch.wait.max.ms": "7"}),
        ("consumer", {"receive.buffer.bytes": "65536"}, {"socket.receive.buffer.bytes": "65536"}),
        ("consumer", {"send.buffer.bytes": "65536"}, {"socket.send.buffer.bytes": "65536"}),
        ("consumer", {"request.timeout.ms": "7000"}, {"socket.timeout.ms": "7000"}),
        ("producer", {"max.request.size": "2000000"}, {"message.max.bytes": "2000000"}),
        ("producer", {"buffer.memory": "33554432"}, {"queue.buffering.max.kbytes": "32768"}),
        ("consumer", {"client.dns.lookup": "default"}, {"client.dns.lookup": "use_all_dns_ips"}),
        (
            "consumer",
            {"ssl.endpoint.identification.algorithm": ""},
            {"ssl.endpoint.identification.algorithm": "none"},
        ),
        (
            "consumer",
            {"sasl.jaas.config": f'{PLAIN} username="a\\"b" password="x;y\\\\z";'},
            {"sasl.username": 'a"b', "sasl.password": "x;y\\z"},
        ),
        (
            "producer",
            {"sasl.jaas.config": f"{PLAIN} username=me password=secret ;"},
            {"sasl.username": "me", "sasl.password": "secret"},
        ),
    ],
)
def test_what_has_another_name_or_form_is_translated(
    side: Side, given: dict[str, str], expected: dict[str, str]
) -> None:
    """And the client takes it."""
    settings = translate(given, side).settings

    assert settings == expected
    client(side, settings)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (
            {"ssl.truststore.location": "/ca.pem", "ssl.truststore.type": "PEM"},
            {"ssl.ca.location": "/ca.pem"},
        ),
        (
            {"ssl.keystore.location": "/me.pem", "ssl.keystore.type": "PEM"},
            {"ssl.certificate.location": "/me.pem", "ssl.key.location": "/me.pem"},
        ),
        (
            {"ssl.keystore.location": "/me.p12", "ssl.keystore.password": "x"},
            {"ssl.keystore.location": "/me.p12", "ssl.keystore.password": "x"},
        ),
        ({"ssl.truststore.certificates": "PEM"}, {"ssl.ca.pem": "PEM"}),
        (
            {
                "sasl.jaas.config": "org.apache.kafka.common.security.oauthbearer."
                'OAuthBearerLoginModule required clientId="me" clientSecret="s";'
            },
            {
                "sasl.oauthbearer.client.id": "me",
                "sasl.oauthbearer.client.secret": "s",
                "sasl.oauthbearer.method": "oidc",
            },
        ),
    ],
)
def test_certificates_and_logins_are_translated(
    given: dict[str, str], expected: dict[str, str]
) -> None:
    """PEM files as they are, PKCS#12 with its password, the login out of its text."""
    assert translate(given, "consumer").settings == expected


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("enable.auto.commit", "offsets are kept"),
        ("auto.offset.reset", "'autoOffsetResetPosition'"),
        ("partition.assignment.strategy", "all partitions"),
        ("max.poll.records", "500"),
        ("key.deserializer", "ids"),
        ("interceptor.classes", "Java's client or Flink"),
        ("metrics.num.samples", "Java's client or Flink"),
        ("ssl.protocol", "Java's client or Flink"),
        ("sasl.login.callback.handler.class", "Java's client or Flink"),
        ("flink.something", "Java's client or Flink"),
        ("acks", "not a property of a consumer"),
    ],
)
def test_what_has_no_meaning_here_is_reported(name: str, why: str) -> None:
    """Not dropped in silence, and not handed to a client that does not know it."""
    translation = translate({name: "1"}, "consumer")

    assert translation.settings == {}
    assert why in translation.without_effect[name]


def test_how_often_to_look_for_partitions_is_read() -> None:
    """As Flink's consumer reads it, with its way to say never."""
    name = "flink.partition-discovery.interval-millis"

    assert translate({name: "5000"}, "consumer").discovery_ms == 5000
    assert translate({name: "-9223372036854775808"}, "consumer").discovery_ms is None


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"bootstrap.server": "a:1"}, "'bootstrap.server' is not a property"),
        ({"ssl.truststore.location": "/t.jks"}, "keytool -exportcert"),
        ({"ssl.keystore.location": "/k.jks"}, "keytool -importkeystore"),
        ({"ssl.keystore.location": "/k.p12"}, "needs 'ssl.keystore.password'"),
        ({"buffer.memory": "much"}, "must be a whole number"),
        ({"sasl.jaas.config": "username=me"}, "'sasl.jaas.config' cannot be read"),
        (
            {"delivery.timeout.ms": "120000", "transaction.timeout.ms": "60000"},
            "lower the first or raise the second",
        ),
    ],
)
def test_what_cannot_be_translated_is_refused(given: dict[str, str], message: str) -> None:
    """With what to write instead."""
    with pytest.raises(ConfigurationError, match=message):
        translate(given, "producer")


def test_a_login_that_cannot_be_read_is_not_repeated() -> None:
    """It contains a password."""
    with pytest.raises(ConfigurationError) as refused:
        translate({"sasl.jaas.config": "password=secret"}, "consumer")

    assert "password=secret" not in str(refused.value)
