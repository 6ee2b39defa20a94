"""Module files of every dialect: Kafka, Kinesis, the older form, and what holds by default."""

# ruff: noqa: E501 - sentences stand here as they are printed

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from textwrap import dedent
from typing import TYPE_CHECKING, Any

import pytest

from statefun.modulefiles.dialects import DIALECTS
from statefun.modulefiles.kafka import KafkaEgressSpec, KafkaIngressSpec
from statefun.modulefiles.kinds import EndpointSpec, IngressSpec, PipelineSpec
from statefun.modulefiles.kinesis import KinesisEgressSpec, KinesisIngressSpec
from statefun.modulefiles.module import ModuleReport, read_modules
from statefun.runtime.engine.policy import FailurePolicy
from statefun.runtime.engine.retry import Backoff

if TYPE_CHECKING:
    from pathlib import Path

    from statefun.runtime.engine.policy import Outcome

CLUSTERS = ("apache", "kzm", "fransking")
KAFKA = "io.statefun.kafka.v1"
KINESIS = "io.statefun.kinesis.v1"
ENDPOINT = """\
kind: io.statefun.endpoints.v2/http
spec:
  functions: com.example/*
  urlPathTemplate: http://localhost:8000/statefun
"""
KAFKA_INGRESS = """\
kind: io.statefun.kafka.v1/ingress
spec:
  id: com.example/in
  address: localhost:9092
  consumerGroupId: my-group
  topics:
    - topic: names
      valueType: io.statefun.types/string
      targets: [com.example/greeter, com.example/log/]
"""
KAFKA_EGRESS = """\
kind: io.statefun.kafka.v1/egress
spec:
  id: com.example/out
  address: localhost:9092
"""
KINESIS_INGRESS = """\
kind: io.statefun.kinesis.v1/ingress
spec:
  id: com.example/in
  streams:
    - stream: names
      valueType: io.statefun.types/string
      targets: [com.example/greeter]
"""
KINESIS_EGRESS = """\
kind: io.statefun.kinesis.v1/egress
spec:
  id: com.example/out
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def read(
    folder: Path,
    text: str,
    dialect: str = "apache",
    *,
    strict: bool = False,
    runs_here: bool | None = None,
) -> ModuleReport:
    (folder / "m.yaml").write_text(dedent(text))
    return read_modules(["m.yaml"], dialect=dialect, strict=strict, runs_here=runs_here)


def problems(reading: ModuleReport) -> tuple[list[str], list[str]]:
    return [str(each) for each in reading.errors], [str(each) for each in reading.warnings]


def spec_of(reading: ModuleReport, kind: str) -> Any:
    assert problems(reading) == ([], [])
    return next(spec for each, spec in reading.module.components if each == kind)


# --- what is right --------------------------------------------------------------------------------


def test_a_kafka_ingress_is_read_whole(folder: Path) -> None:
    """Every key of the engine's Kafka ingress has its place."""
    text = f"""\
{ENDPOINT}---
{KAFKA_INGRESS}\
    - topic: ages
      valueType: ""
      targets: []
  autoOffsetResetPosition: EARLIEST
  startupPosition:
    type: specific-offsets
    offsets: [{{names/0: 5}}, {{a/b/1: 7}}]
  properties:
    - max.poll.records: 50
    - enable.auto.commit: true
"""

    spec = spec_of(read(folder, text), f"{KAFKA}/ingress")

    assert isinstance(spec, KafkaIngressSpec)
    assert spec.model_dump() == {
        "id": "com.example/in",
        "address": "localhost:9092",
        "consumer_group_id": "my-group",
        "topics": (
            {
                "topic": "names",
                "value_type": "io.statefun.types/string",
                "targets": ("com.example/greeter", "com.example/log"),
                "forward_headers": None,
                "invalid_records": None,
                "failure_mode": None,
                "retry": None,
            },
            {
                "topic": "ages",
                "value_type": "",
                "targets": (),
                "forward_headers": None,
                "invalid_records": None,
                "failure_mode": None,
                "retry": None,
            },
        ),
        "auto_offset_reset": "earliest",
        "startup_position": {
            "type": "specific-offsets",
            "offsets": {("names", 0): 5, ("a/b", 1): 7},
            "date": None,
            "timestamp": None,
        },
        "properties": ({"max.poll.records": "50"}, {"enable.auto.commit": "true"}),
        "forward_headers": None,
        "invalid_records": None,
    }


def test_address_and_group_may_stand_among_the_properties(folder: Path) -> None:
    """`bootstrap.servers` and `group.id` do for `address` and `consumerGroupId`."""
    text = f"""\
{ENDPOINT}---
kind: {KAFKA}/ingress
spec:
  id: com.example/in
  topics: [{{topic: a, valueType: b, targets: [c/d]}}]
  startupPosition: {{type: date, date: 2020-02-01 04:15:00.000 +0100}}
  properties:
    - bootstrap.servers: localhost:9092
    - group.id: g
"""

    spec = spec_of(read(folder, text), f"{KAFKA}/ingress")

    assert (spec.address, spec.consumer_group_id) == (None, None)
    assert spec.startup_position.date == datetime(2020, 2, 1, 3, 15, tzinfo=UTC)


@pytest.mark.parametrize(
    ("semantic", "kind", "timeout_ms"),
    [
        ("{}", "at-least-once", None),
        ("{type: none}", "none", None),
        ("{type: exactly-once, transactionTimeout: 15min}", "exactly-once", 900_000),
    ],
)
def test_a_kafka_egress_says_how_often_a_record_comes_out(
    folder: Path, semantic: str, kind: str, timeout_ms: int | None
) -> None:
    """The delivery semantics are the engine's, at least once by default."""
    text = f"{ENDPOINT}---\n{KAFKA_INGRESS}---\n{KAFKA_EGRESS}  deliverySemantic: {semantic}\n"

    spec = spec_of(read(folder, text), f"{KAFKA}/egress")

    assert isinstance(spec, KafkaEgressSpec)
    assert (spec.delivery.type, spec.delivery.timeout_ms) == (kind, timeout_ms)


def test_kinesis_is_read_whole(folder: Path) -> None:
    """Region, credentials, position and streams have their places; a secret is not shown."""
    text = f"""\
{ENDPOINT}---
{KINESIS_INGRESS}\
  awsRegion: {{type: custom-endpoint, endpoint: "https://localhost:4567", id: eu-west-1}}
  awsCredentials: {{type: basic, accessKeyId: A, secretAccessKey: hidden}}
  startupPosition: {{type: date, date: "2020-02-01 04:15:00.000 +0000"}}
  clientConfigProperties: [{{SocketTimeout: 9999}}]
---
{KINESIS_EGRESS}\
  awsRegion: {{type: specific, id: us-west-1}}
  awsCredentials: {{type: profile, profileName: john, profilePath: /p}}
  maxOutstandingRecords: 9
"""

    reading = read(folder, text)

    ingress = spec_of(reading, f"{KINESIS}/ingress")
    egress = spec_of(reading, f"{KINESIS}/egress")
    assert isinstance(ingress, KinesisIngressSpec)
    assert isinstance(egress, KinesisEgressSpec)
    assert (ingress.region.endpoint, ingress.credentials.access_key_id) == (
        "https://localhost:4567",
        "A",
    )
    assert ingress.startup_position.date == datetime(2020, 2, 1, 4, 15, tzinfo=UTC)
    assert (egress.region.id, egress.credentials.profile_name, egress.max_outstanding) == (
        "us-west-1",
        "john",
        9,
    )
    assert "hidden" not in repr(ingress)


OLDER_FORM = """\
version: "3.0"
module:
  meta: {type: Remote}
  spec:
    endpoints:
      - endpoint:
          meta: {kind: http}
          spec:
            functions: com.example/*
            urlPathTemplate: http://localhost:8000/statefun
      - endpoint:
          meta: {kind: io.statefun.endpoints.v2/http}
          spec:
            functions: com.example/greeter
            urlPathTemplate: http://localhost:8001/statefun
            transport: {call: 5s}
    ingresses:
      - ingress:
          meta: {type: io.statefun.kafka/ingress, id: com.example/in}
          spec:
            address: localhost:9092
            consumerGroupId: my-group
            topics: [{topic: a, valueType: b, targets: [c/d]}]
      - ingress:
          meta: {type: io.statefun.playground.v1/ingress, id: com.example/http}
          spec: {port: 8090}
    egresses:
      - egress:
          meta: {type: io.statefun.kafka/egress, id: com.example/out}
          spec: {address: localhost:9092}
"""


def test_the_older_form_says_the_same_things(folder: Path) -> None:
    """Each entry is a component; the id stands in its meta, and `http` is the older endpoint."""
    reading = read(folder, OLDER_FORM, runs_here=False)

    assert problems(reading) == (
        [],
        [
            (
                "m.yaml:25: 'io.statefun.playground.v1/ingress' exists in the image of the playground "
                "only: other clusters refuse it"
            )
        ],
    )
    endpoints = [spec for _, spec in reading.module.components if isinstance(spec, EndpointSpec)]
    assert [
        (each.functions, each.options().call // timedelta(milliseconds=1)) for each in endpoints
    ] == [
        ("com.example/*", 60_000),
        ("com.example/greeter", 5_000),
    ]
    assert [(kind, getattr(spec, "id", None)) for kind, spec in reading.module.components[2:]] == [
        (f"{KAFKA}/ingress", "com.example/in"),
        ("io.statefun.playground.v1/ingress", "com.example/http"),
        (f"{KAFKA}/egress", "com.example/out"),
    ]


def test_an_unknown_key_of_the_older_form_is_a_warning(folder: Path) -> None:
    """Around the components, too, a key without effect is said, and a list can be misspelt."""
    text = """\
version: "3.0"
name: mine
module:
  meta: {type: remote, id: a/b}
  specs: {}
  spec:
    endpoint: []
    endpoints:
      - extra: 1
        endpoint:
          more: 2
          meta: {kind: http, name: x}
          spec: {functions: a/b, urlPathTemplate: "http://localhost", max: 5}
    ingresses:
      - ingress:
          meta: {type: io.statefun.playground.v1/ingress, idd: a/b}
          spec: {port: 0}
"""
    expected = [
        "m.yaml:2: unknown key 'name': it has no effect; known keys: version, module",
        "m.yaml:4: unknown key 'id': it has no effect; known keys: type",
        "m.yaml:5: unknown key 'specs': did you mean 'spec'? known keys: meta, spec",
        "m.yaml:7: unknown key 'endpoint': did you mean 'endpoints'? known keys: endpoints, ingresses, egresses",
        "m.yaml:9: unknown key 'extra': it has no effect; known keys: endpoint",
        "m.yaml:11: unknown key 'more': it has no effect; known keys: meta, spec",
        "m.yaml:12: unknown key 'name': it has no effect; known keys: kind",
        "m.yaml:13: unknown key 'max': it has no effect; known keys: functions, urlPathTemplate, maxNumBatchRequests, timeouts",
        "m.yaml:16: unknown key 'idd': did you mean 'id'? known keys: type, id",
    ]

    assert problems(read(folder, text, "embedded")) == ([], expected)
    assert problems(read(folder, text, "embedded", strict=True)) == (expected, [])


def test_the_older_form_runs_here(folder: Path) -> None:
    """Endpoints and the playground's ingress in the older form make a module to run."""
    text = """
        version: "3.0"
        module:
          meta: {type: remote}
          spec:
            endpoints:
              - endpoint:
                  meta: {kind: http}
                  spec: {functions: a/b, urlPathTemplate: "http://localhost"}
            ingresses:
              - ingress:
                  meta: {type: io.statefun.playground.v1/ingress, id: c/d}
                  spec: {port: 8090}
        """

    reading = read(folder, text, "embedded")

    assert problems(reading) == ([], [])
    [(_, spec)] = reading.module.ingresses
    assert spec == IngressSpec(port=8090, id="c/d")
    assert [each.functions for each in reading.module.endpoints] == ["a/b"]


# --- what holds by default ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dialect", "failure_mode", "invalid_records", "forwards_headers"),
    [
        ("apache", "fail", "fail", False),
        ("kzm", "fail", "skip", False),
        ("fransking", "fail", "fail", False),
        ("embedded", None, "fail", False),
    ],
)
def test_a_dialect_decides_what_holds_where_a_file_says_nothing(
    folder: Path,
    dialect: str,
    failure_mode: str | None,
    invalid_records: str,
    *,
    forwards_headers: bool,
) -> None:
    """One file means what the engine that it is for makes of it."""
    reading = read(folder, f"{ENDPOINT}---\n{KAFKA_INGRESS}", dialect, runs_here=False)

    ingress = spec_of(reading, f"{KAFKA}/ingress")
    [endpoint] = reading.module.endpoints
    chosen = reading.module.dialect
    [topic] = ingress.topics
    policy = endpoint.failure(chosen)
    assert (
        None if policy is None else policy.on_exhausted,
        ingress.invalid_record_handling(topic, chosen).type,
        ingress.forwards_headers(topic, chosen),
    ) == (failure_mode, invalid_records, forwards_headers)


def test_a_topic_goes_before_its_ingress_and_that_before_the_dialect(folder: Path) -> None:
    """A topic's block replaces the whole block of its ingress."""
    text = f"""\
{ENDPOINT}---
kind: {KAFKA}/ingress
spec:
  id: com.example/in
  address: a
  consumerGroupId: g
  forwardHeaders: true
  invalidRecordHandling: {{type: fail, logLevel: error}}
  topics:
    - {{topic: a, valueType: b, targets: [c/d]}}
    - topic: b
      valueType: b
      targets: [c/d]
      forwardHeaders: false
      invalidRecordHandling: {{type: skip}}
"""

    reading = read(folder, text, "kzm")

    ingress = spec_of(reading, f"{KAFKA}/ingress")
    chosen = reading.module.dialect
    assert [
        (
            ingress.invalid_record_handling(topic, chosen).model_dump(),
            ingress.forwards_headers(topic, chosen),
        )
        for topic in ingress.topics
    ] == [
        ({"type": "fail", "log_level": "error", "target": None}, True),
        ({"type": "skip", "log_level": "warn", "target": None}, False),
    ]


@pytest.mark.parametrize(
    ("dialect", "mode"),
    [
        ("fransking", "fail"),
        ("fransking", "drop"),
        ("embedded", "drop"),
        ("embedded", "pause"),
        ("embedded", "dead-letter"),
        ("embedded", "fail"),
    ],
)
def test_an_endpoint_says_what_becomes_of_a_message_it_fails_on(
    folder: Path, dialect: str, mode: Outcome
) -> None:
    """`failureMode` goes before the dialect's own way."""
    text = f"{ENDPOINT}  failureMode: {mode}\n---\n{KAFKA_INGRESS}"

    reading = read(folder, text, dialect, runs_here=False)

    assert problems(reading) == ([], [])
    [endpoint] = reading.module.endpoints
    assert endpoint.failure(reading.module.dialect) == FailurePolicy(mode)


def test_an_endpoint_says_how_often_a_message_is_tried(folder: Path) -> None:
    """What `retry` does not say is as it is everywhere."""
    texts = [
        f"{ENDPOINT}  retry: {{attempts: 3, first: 50, longest: 1 min}}\n  failureMode: pause\n",
        f"{ENDPOINT}  retry: {{attempts: 30}}\n",
    ]

    readings = [read(folder, text, "embedded") for text in texts]

    assert [problems(reading) for reading in readings] == [([], [])] * 2
    assert [
        endpoint.failure(reading.module.dialect)
        for reading in readings
        for endpoint in reading.module.endpoints
    ] == [
        FailurePolicy(
            "pause",
            Backoff(
                first=timedelta(milliseconds=50), longest=timedelta(milliseconds=60_000), attempts=3
            ),
        ),
        FailurePolicy("dead-letter", Backoff(attempts=30)),
    ]


@pytest.mark.parametrize("kind", ["ingress", "egress"])
def test_an_id_that_the_playground_has_not_is_a_warning(folder: Path, kind: str) -> None:
    """A cluster passes it over: there is one id for all that use the kind."""
    topics = ", topics: [a]" if kind == "egress" else ""
    text = f"""\
{ENDPOINT}---
{KAFKA_INGRESS}---
kind: io.statefun.playground.v1/{kind}
spec: {{port: 8091{topics}, id: %s}}
"""
    fixed = f"io.statefun.playground/{kind}"

    other = read(folder, text % "com.example/other", "apache")
    same = read(folder, text % fixed, "apache")
    here = read(folder, text % "com.example/other", "apache", runs_here=True)

    only = (
        f"m.yaml:16: 'io.statefun.playground.v1/{kind}' exists in the image of the playground only"
    )
    assert problems(other)[1] == [
        f"{only}: other clusters refuse it",
        f"m.yaml:17: 'id' has no effect on a cluster: the id is always {fixed!r} there, use that one",
    ]
    assert problems(same)[1] == [f"{only}: other clusters refuse it"]
    assert problems(here)[1] == []


@pytest.mark.parametrize("written", ["1 d", "PT24H", "P1D", "PT23H59M60.000S", "86400000"])
def test_the_pipeline_of_fransking_is_known_to_fransking(folder: Path, written: str) -> None:
    """The kind of its image is read whole, from its documentation."""
    text = f"""\
{ENDPOINT}---
{KAFKA_INGRESS}---
kind: io.statefun_tasks.v1/pipeline
spec:
  id: com.example/pipeline
  stateExpiration: {written}
  egress: com.example/out
  eventsEgress: com.example/events
  eventsTopic: events
  callbackDelayMs: 100
"""

    spec = spec_of(read(folder, text, "fransking"), "io.statefun_tasks.v1/pipeline")

    assert isinstance(spec, PipelineSpec)
    assert spec.model_dump() == {
        "id": "com.example/pipeline",
        "state_expiration": 86_400_000,
        "egress": "com.example/out",
        "events_egress": "com.example/events",
        "events_topic": "events",
        "callback_delay_ms": 100,
    }


FOREIGN_KEYS = {
    "apache": {
        "failureMode": "fransking",
        "forwardHeaders": "kzm",
        "invalidRecordHandling": "kzm",
        "retry": "embedded",
    },
    "kzm": {"failureMode": "fransking", "retry": "embedded"},
    "fransking": {"forwardHeaders": "kzm", "invalidRecordHandling": "kzm", "retry": "embedded"},
    "embedded": {},
}
EVERY_KEY = f"""\
{ENDPOINT}  failureMode: drop
  retry: {{attempts: 3}}
---
{KAFKA_INGRESS}\
      forwardHeaders: true
      invalidRecordHandling: {{type: skip}}
  forwardHeaders: true
  properties: [{{failureMode: x}}]
"""


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_key_of_another_dialect_has_no_effect(folder: Path, dialect: str) -> None:
    """What an engine would pass over silently is said, and left out."""
    lines = {5: "failureMode", 6: "retry", 17: "forwardHeaders", 18: "invalidRecordHandling"}
    expected = [
        f"m.yaml:{line}: unknown key {key!r}: the dialect {dialect} has none, it has no effect; "
        f"{FOREIGN_KEYS[dialect][key]} has it"
        for line, key in [*lines.items(), (19, "forwardHeaders")]
        if key in FOREIGN_KEYS[dialect]
    ]

    lenient = read(folder, EVERY_KEY, dialect, runs_here=False)
    strict = read(folder, EVERY_KEY, dialect, strict=True, runs_here=False)

    assert problems(lenient) == ([], expected)
    assert problems(strict) == (expected, [])


# --- what is wrong --------------------------------------------------------------------------------

TYPENAME = "is not of the form 'namespace/name', with exactly one '/': write for example"
DATE = (
    "is not a date that the engine reads: write three digits of a second and an offset, for example "
    "'2020-02-01 04:15:00.000 +0000'"
)
LIST = "must be a list with one entry per element: write for example"


def kafka(line: str) -> str:
    """A Kafka ingress with one more line; its number is 15."""
    return f"{ENDPOINT}---\n{KAFKA_INGRESS}  {line}\n"


def kafka_egress(line: str) -> str:
    """A Kafka egress with one more line; its number is 20."""
    return f"{ENDPOINT}---\n{KAFKA_INGRESS}---\n{KAFKA_EGRESS}  {line}\n"


def kinesis(line: str) -> str:
    """A Kinesis ingress with one more line; its number is 13."""
    return f"{ENDPOINT}---\n{KINESIS_INGRESS}  {line}\n"


MISTAKES: dict[str, tuple[str, str, list[str]]] = {
    # Addresses and typenames (`TypeName.parseFrom`), wherever they stand.
    "a typename without a slash": (
        "apache",
        kafka("x: 1").replace("com.example/in", "ab").replace("  x: 1\n", ""),
        [f"m.yaml:8: 'id': 'ab' {TYPENAME} 'com.example/greeter'"],
    ),
    "a typename with two slashes": (
        "apache",
        kafka_egress("properties: []").replace("com.example/out", "a/b/c"),
        [f"m.yaml:18: 'id': 'a/b/c' {TYPENAME} 'com.example/greeter'"],
    ),
    "a target that is no typename": (
        "apache",
        kafka("properties: []").replace("com.example/log/", "a//b"),
        [f"m.yaml:14: 'topics.0.targets.1': 'a//b' {TYPENAME} 'com.example/greeter'"],
    ),
    "a typename that is a number": (
        "apache",
        kafka("properties: []").replace("com.example/in", "5"),
        ["m.yaml:8: 'id' should be a valid string, got 5: put it into quotes"],
    ),
    # What a cluster refuses to start without.
    "no ingress": (
        "apache",
        ENDPOINT,
        [
            (
                "m.yaml: has no ingress: add a component, for example of the kind "
                "'io.statefun.kafka.v1/ingress'"
            )
        ],
    ),
    "no endpoint": (
        "kzm",
        KAFKA_INGRESS,
        [
            (
                "m.yaml: has no endpoint: add a component, for example of the kind "
                "'io.statefun.endpoints.v2/http'"
            )
        ],
    ),
    "nothing at all": (
        "fransking",
        "# nothing\n",
        [
            (
                "m.yaml: has no endpoint: add a component, for example of the kind "
                "'io.statefun.endpoints.v2/http'"
            ),
            (
                "m.yaml: has no ingress: add a component, for example of the kind "
                "'io.statefun.kafka.v1/ingress'"
            ),
        ],
    ),
    "one ingress twice": (
        "apache",
        f"{kafka('properties: []')}---\n{KINESIS_INGRESS}",
        [
            (
                "m.yaml:19: there is an ingress 'com.example/in' already, see m.yaml:8: remove or "
                "change one of them"
            )
        ],
    ),
    "one egress twice": (
        "apache",
        f"{kafka_egress('properties: []')}---\n{KINESIS_EGRESS}",
        [
            (
                "m.yaml:24: there is an egress 'com.example/out' already, see m.yaml:18: remove or "
                "change one of them"
            )
        ],
    ),
    # Kinds by dialect.
    "Kinesis with fransking": (
        "fransking",
        kinesis("clientConfigProperties: []"),
        [
            (
                "m.yaml:6: the dialect fransking has no 'io.statefun.kinesis.v1/ingress': use one of "
                "io.statefun.endpoints.v1/http, io.statefun.endpoints.v2/http, "
                "io.statefun.playground.v1/ingress, io.statefun.kafka.v1/ingress, "
                "io.statefun.playground.v1/egress, io.statefun.kafka.v1/egress, "
                "io.statefun_tasks.v1/pipeline"
            )
        ],
    ),
    "a pipeline with apache": (
        "apache",
        f"{kafka('properties: []')}---\nkind: io.statefun_tasks.v1/pipeline\nspec: {{id: a/b}}\n",
        [
            (
                "m.yaml:17: the dialect apache has no 'io.statefun_tasks.v1/pipeline': use one of "
                "io.statefun.endpoints.v1/http, io.statefun.endpoints.v2/http, "
                "io.statefun.playground.v1/ingress, io.statefun.kafka.v1/ingress, "
                "io.statefun.kinesis.v1/ingress, io.statefun.playground.v1/egress, "
                "io.statefun.kafka.v1/egress, io.statefun.kinesis.v1/egress"
            )
        ],
    ),
    # Endpoints.
    "a socket over the wrong transport": (
        "apache",
        kafka("properties: []").replace("http://localhost:8000", "http+unix:///run/f.sock"),
        [
            (
                "m.yaml:2: 'urlPathTemplate' 'http+unix:///run/f.sock/statefun' is a socket, which the "
                "engine reaches by another transport only: write "
                "'transport: {type: io.statefun.transports.v1/okhttp}'"
            )
        ],
    ),
    "a certificate without its key": (
        "apache",
        kafka("properties: []").replace(
            "  urlPath", "  transport: {client_cert: classpath:c.pem}\n  urlPath"
        ),
        [
            (
                "m.yaml:4: 'transport': client_cert needs client_key too: write 'client_key: <path of "
                "a PEM file>'"
            )
        ],
    ),
    "a key without its certificate": (
        "apache",
        kafka("properties: []").replace(
            "  urlPath", "  transport: {client_key: /k.pem}\n  urlPath"
        ),
        [
            (
                "m.yaml:4: 'transport': client_key needs client_cert too: write 'client_cert: <path of "
                "a PEM file>'"
            )
        ],
    ),
    "a failure mode that fransking has not": (
        "fransking",
        kafka("properties: []").replace("  urlPath", "  failureMode: pause\n  urlPath"),
        ["m.yaml:4: 'failureMode' 'pause' is unknown: write one of fail, drop"],
    ),
    # Kafka ingress.
    "a Kafka ingress without anything": (
        "apache",
        f"{ENDPOINT}---\nkind: {KAFKA}/ingress\nspec: {{}}\n",
        [
            "m.yaml:7: 'id' is missing: write for example 'id: com.example/greetings'",
            "m.yaml:7: 'topics' is missing: write for example 'topics: [greetings]'",
        ],
    ),
    "no address": (
        "apache",
        kafka("properties: []").replace("  address: localhost:9092\n", ""),
        [
            (
                "m.yaml:7: 'address' is missing: write for example 'address: localhost:9092', or "
                "'bootstrap.servers' into 'properties'"
            )
        ],
    ),
    "no group": (
        "apache",
        kafka("properties: [{a: b, group.id: second}]").replace(
            "  consumerGroupId: my-group\n", ""
        ),
        [
            (
                "m.yaml:7: 'consumerGroupId' is missing: write for example 'consumerGroupId: "
                "my-group', or 'group.id' into 'properties'"
            )
        ],
    ),
    "no topics": (
        "apache",
        (
            f"{ENDPOINT}---\nkind: {KAFKA}/ingress\n"
            "spec: {id: a/b, address: a, consumerGroupId: g, topics: []}\n"
        ),
        ["m.yaml:7: 'topics' is empty: write at least one element"],
    ),
    "topics that are names": (
        "apache",
        (
            f"{ENDPOINT}---\nkind: {KAFKA}/ingress\n"
            "spec: {id: a/b, address: a, consumerGroupId: g, topics: [names]}\n"
        ),
        ["m.yaml:7: 'topics.0' must be a mapping, got 'names': write its keys below it"],
    ),
    "a topic without anything": (
        "apache",
        (
            f"{ENDPOINT}---\nkind: {KAFKA}/ingress\n"
            "spec: {id: a/b, address: a, consumerGroupId: g, topics: [{}]}\n"
        ),
        [
            (
                "m.yaml:7: 'topics.0.targets' is missing: write for example 'targets: "
                "[com.example/greeter]'"
            ),
            "m.yaml:7: 'topics.0.topic' is missing: write for example 'topic: my-topic'",
            (
                "m.yaml:7: 'topics.0.valueType' is missing: write for example 'valueType: "
                "io.statefun.types/string'"
            ),
        ],
    ),
    "a value type that is no text": (
        "apache",
        kafka("properties: []").replace("io.statefun.types/string", "5"),
        ["m.yaml:13: 'topics.0.valueType' should be a valid string, got 5: put it into quotes"],
    ),
    "targets that are no list": (
        "apache",
        kafka("properties: []").replace("[com.example/greeter, com.example/log/]", "a/b"),
        ["m.yaml:14: 'topics.0.targets' must be a list, got 'a/b': write '- …' below it"],
    ),
    "an unknown reset": (
        "apache",
        kafka("autoOffsetResetPosition: none"),
        ["m.yaml:15: 'autoOffsetResetPosition' should be 'earliest' or 'latest', got 'none'"],
    ),
    "an unknown position": (
        "apache",
        kafka("startupPosition: {type: Latest}"),
        [
            (
                "m.yaml:15: 'startupPosition.type' should be 'group-offsets', 'earliest', 'latest', "
                "'specific-offsets', 'date', 'groupOffsets' or 'at-timestamp', got 'Latest'"
            )
        ],
    ),
    "a position of another dialect": (
        "apache",
        kafka("startupPosition: {type: groupOffsets}"),
        [
            (
                "m.yaml:15: 'startupPosition': 'type' 'groupOffsets' is known to the dialect kzm only: "
                "write 'type: group-offsets'"
            )
        ],
    ),
    "no offsets": (
        "apache",
        kafka("startupPosition: {type: specific-offsets}"),
        [
            (
                "m.yaml:15: 'startupPosition': 'type: specific-offsets' needs 'offsets' beside it: "
                "write a list of entries such as '- my-topic/0: 42'"
            )
        ],
    ),
    "empty offsets": (
        "apache",
        kafka("startupPosition: {type: specific-offsets, offsets: []}"),
        [f"m.yaml:15: 'startupPosition.offsets': {LIST} '- my-topic/0: 42' below it, got []"],
    ),
    "an offset without a partition": (
        "apache",
        kafka("startupPosition: {type: specific-offsets, offsets: [{names: 1}]}"),
        [
            (
                "m.yaml:15: 'startupPosition.offsets': {'names': 1} is not an offset of a partition: write "
                "'<topic>/<partition>: <offset>', for example 'my-topic/0: 42'"
            )
        ],
    ),
    "no date": (
        "apache",
        kafka("startupPosition: {type: date}"),
        [
            (
                "m.yaml:15: 'startupPosition': 'type: date' needs 'date' beside it: write '2020-02-01 "
                "04:15:00.000 +0000'"
            )
        ],
    ),
    "the date of the engine's own documentation": (
        "apache",
        kafka("startupPosition: {type: date, date: 2020-02-01 04:15:00.00 Z}"),
        [f"m.yaml:15: 'startupPosition.date': '2020-02-01 04:15:00+00:00' {DATE}"],
    ),
    "a date that does not exist": (
        "apache",
        kafka("startupPosition: {type: date, date: 2020-02-30 04:15:00.000 +0000}"),
        [f"m.yaml:15: 'startupPosition.date': '2020-02-30 04:15:00.000 +0000' {DATE}"],
    ),
    "properties that are a mapping": (
        "apache",
        kafka("properties: {a: b}"),
        [f"m.yaml:15: 'properties': {LIST} '- max.poll.records: 50' below it, got a mapping"],
    ),
    "a property that is no value": (
        "apache",
        kafka("properties: [{a: [1]}]"),
        ["m.yaml:15: 'properties': 'a' must be text or a number, got list: write a plain value"],
    ),
    "an unknown way with invalid records": (
        "kzm",
        kafka("invalidRecordHandling: {type: drop}"),
        [
            (
                "m.yaml:15: 'invalidRecordHandling.type' should be 'skip', 'fail' or 'forward', got "
                "'drop'"
            )
        ],
    ),
    "invalid records forwarded by a cluster": (
        "kzm",
        kafka("invalidRecordHandling: {type: forward, target: a/b}"),
        [
            (
                "m.yaml:15: 'invalidRecordHandling': 'type: forward' is known to the embedded "
                "runtime only: write 'skip' or 'fail'"
            )
        ],
    ),
    "an unknown log level": (
        "kzm",
        kafka("invalidRecordHandling: {type: skip, logLevel: loud}"),
        [
            (
                "m.yaml:15: 'invalidRecordHandling.logLevel' should be 'debug', 'info', 'warn' or "
                "'error', got 'loud'"
            )
        ],
    ),
    "headers that are neither forwarded nor not": (
        "kzm",
        kafka('forwardHeaders: "yes"'),
        ["m.yaml:15: 'forwardHeaders' should be a valid boolean, got 'yes': write true or false"],
    ),
    # Kafka egress.
    "a Kafka egress without an address": (
        "apache",
        kafka_egress("properties: [{bootstrap.servers: b}]").replace(
            "com.example/out\n  address: localhost:9092", "com.example/out"
        ),
        ["m.yaml:17: 'address' is missing: write for example 'address: localhost:9092'"],
    ),
    "an unknown semantic": (
        "apache",
        kafka_egress("deliverySemantic: {type: sometimes}"),
        [
            (
                "m.yaml:20: 'deliverySemantic.type' should be 'at-least-once', 'exactly-once' or "
                "'none', got 'sometimes'"
            )
        ],
    ),
    "exactly once without a timeout": (
        "apache",
        kafka_egress("deliverySemantic: {type: exactly-once}"),
        [
            (
                "m.yaml:20: 'deliverySemantic': 'type: exactly-once' needs 'transactionTimeout' beside "
                "it: write for example 'transactionTimeout: 15min'"
            )
        ],
    ),
    "the timeout of the engine's own documentation": (
        "apache",
        kafka_egress("deliverySemantic: {type: exactly-once, transactionTimeoutMillis: 15min}"),
        [
            (
                "m.yaml:20: 'deliverySemantic.transactionTimeoutMillis' should be a valid integer, got "
                "'15min': write a whole number, without quotes"
            )
        ],
    ),
    # Kinesis.
    "an unknown region": (
        "apache",
        kinesis("awsRegion: {type: mars}"),
        [
            (
                "m.yaml:13: 'awsRegion.type' should be 'default', 'specific' or 'custom-endpoint', got "
                "'mars'"
            )
        ],
    ),
    "a region without an id": (
        "apache",
        kinesis("awsRegion: {type: specific}"),
        ["m.yaml:13: 'awsRegion': 'type: specific' needs 'id' beside it: write 'id: …'"],
    ),
    "an endpoint without TLS": (
        "apache",
        kinesis('awsRegion: {type: custom-endpoint, id: a, endpoint: "http://localhost"}'),
        [
            (
                "m.yaml:13: 'awsRegion': 'endpoint' 'http://localhost' does not begin with https://: "
                "write for example 'endpoint: https://localhost:4567'"
            )
        ],
    ),
    "credentials without a secret": (
        "apache",
        kinesis("awsCredentials: {type: basic, accessKeyId: A}"),
        [
            (
                "m.yaml:13: 'awsCredentials': 'type: basic' needs 'secretAccessKey' beside it: write "
                "'secretAccessKey: …'"
            )
        ],
    ),
    "the profile of the engine's own documentation": (
        "apache",
        kinesis("awsCredentials: {type: basic, profileName: john, profilePath: /p}"),
        [
            (
                "m.yaml:13: 'awsCredentials': 'type: basic' needs 'accessKeyId' beside it: write "
                "'accessKeyId: …'"
            )
        ],
    ),
    "a position that Kinesis has not": (
        "apache",
        kinesis("startupPosition: {type: group-offsets}"),
        [
            (
                "m.yaml:13: 'startupPosition.type' should be 'earliest', 'latest' or 'date', got "
                "'group-offsets'"
            )
        ],
    ),
    "a date of Kinesis": (
        "apache",
        kinesis("startupPosition: {type: date}"),
        [
            (
                "m.yaml:13: 'startupPosition': 'type: date' needs 'date' beside it: write '2020-02-01 "
                "04:15:00.000 +0000'"
            )
        ],
    ),
    "a stream without a name": (
        "apache",
        kinesis("clientConfigProperties: []").replace("stream: names\n      ", ""),
        ["m.yaml:7: 'streams.0.stream' is missing: write for example 'stream: my-stream'"],
    ),
    "an ARN for two streams": (
        "kzm",
        (
            f"{ENDPOINT}---\nkind: {KINESIS}/ingress\nspec:\n  id: a/b\n  streamArn: arn\n  streams:\n"
            "    - {stream: a, valueType: b, targets: [c/d]}\n"
            "    - {stream: b, valueType: b, targets: [c/d]}\n"
        ),
        [
            (
                "m.yaml:7: 'streamArn' goes with exactly one element of 'streams', got 2: write an "
                "ingress for each stream"
            )
        ],
    ),
    "no outstanding records": (
        "apache",
        f"{kafka('properties: []')}---\n{KINESIS_EGRESS}  maxOutstandingRecords: 0\n",
        ["m.yaml:20: 'maxOutstandingRecords' should be greater than or equal to 1, got 0"],
    ),
    # The older form.
    "a version that is a number": (
        "apache",
        OLDER_FORM.replace('"3.0"', "3.0"),
        ["m.yaml:1: 'version' must be text, got 3.0: write \"version: '3.0'\""],
    ),
    "a version that is too old": (
        "apache",
        OLDER_FORM.replace("3.0", "2.0"),
        ["m.yaml:1: 'version' '2.0' is too old: write \"version: '3.0'\""],
    ),
    "a version that the engine refuses": (
        "apache",
        OLDER_FORM.replace("3.0", "3.1"),
        ["m.yaml:1: 'version' '3.1' is refused by the engine too: write \"version: '3.0'\""],
    ),
    "a version that nobody knows": (
        "apache",
        OLDER_FORM.replace("3.0", "x"),
        ["m.yaml:1: 'version' 'x' is unknown: write \"version: '3.0'\""],
    ),
    "a version and other documents": (
        "apache",
        f"{OLDER_FORM}---\n{ENDPOINT}",
        [
            (
                "m.yaml:1: a document with 'version' must be the only one of its file: move it into "
                "another file, or write one document with 'kind' and 'spec' for each component"
            )
        ],
    ),
    "no module": (
        "apache",
        'version: "3.0"\n',
        ["m.yaml:1: 'module' is missing: write it as a mapping of 'meta' and 'spec'"],
    ),
    "an empty module": (
        "apache",
        'version: "3.0"\nmodule: {}\n',
        [
            (
                "m.yaml:2: 'module.spec' is missing: write 'endpoints', 'ingresses' and 'egresses' "
                "into it"
            ),
            (
                "m.yaml:2: the module is not of the type 'remote': write 'meta: {type: remote}' into "
                "'module'"
            ),
        ],
    ),
    "entries of the older form": (
        "apache",
        """\
version: "3.0"
module:
  meta: {type: remote}
  spec:
    endpoints: {}
    ingresses:
      - 5
      - ingress: {spec: {}}
      - ingress: {meta: {type: io.statefun.kafka/ingress}}
    egresses:
      - egress:
          meta: {type: io.statefun.kafka/egress, id: abc}
          spec: {address: a}
""",
        [
            "m.yaml:5: 'endpoints' must be a list: write '- endpoint: {meta: …, spec: …}' below it",
            "m.yaml:7: an element must be of the form 'ingress: {meta: …, spec: …}'",
            (
                "m.yaml:8: the ingress needs 'meta.type': write for example 'meta: {type: "
                "io.statefun.kafka/ingress}'"
            ),
            "m.yaml:9: the ingress has no 'spec': write it as a mapping beside 'meta'",
            f"m.yaml:12: 'id': 'abc' {TYPENAME} 'com.example/greeter'",
        ],
    ),
    "an unknown kind in the older form": (
        "apache",
        OLDER_FORM.replace("{kind: http}", "{kind: htp}"),
        [
            (
                "m.yaml:7: unknown kind 'htp': known kinds: io.statefun.endpoints.v1/http, "
                "io.statefun.endpoints.v2/http, io.statefun.playground.v1/ingress, "
                "io.statefun.kafka.v1/ingress, io.statefun.kinesis.v1/ingress, "
                "io.statefun.playground.v1/egress, io.statefun.kafka.v1/egress, "
                "io.statefun.kinesis.v1/egress"
            )
        ],
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_named_with_its_line_and_what_to_write(folder: Path, mistake: str) -> None:
    """Every problem of a cluster's file says file, line, what is wrong and what to write."""
    dialect, text, expected = MISTAKES[mistake]

    assert problems(read(folder, text, dialect))[0] == expected


DOUBTS: dict[str, tuple[str, str, list[str]]] = {
    "a second entry of an element": (
        "apache",
        kafka("properties: [{a: b, c: d}]"),
        [
            (
                "m.yaml:15: 'c' has no effect, only the first entry of an element has: begin a new "
                "element, '- c: d'"
            )
        ],
    ),
    "a topic twice": (
        "apache",
        f"{ENDPOINT}---\n{KAFKA_INGRESS}    - {{topic: names, valueType: b, targets: [c/d]}}\n",
        [
            (
                "m.yaml:12: topic 'names' is listed again below, and the last one counts: remove one "
                "of them"
            )
        ],
    ),
    "a position of documents alone": (
        "kzm",
        kafka("startupPosition: {type: at-timestamp, timestamp: 5}"),
        [
            (
                "m.yaml:15: 'at-timestamp' is in the documentation of kzm and not in its code: write "
                "'type: date'"
            )
        ],
    ),
    "an ARN inside a stream": (
        "kzm",
        kinesis("clientConfigProperties: []").replace("stream: names", "streamArn: arn"),
        [
            (
                "m.yaml:10: 'streamArn' is inside a stream in the documentation of kzm, not in its "
                "code: write it beside 'streams'"
            )
        ],
    ),
    "an older timeout": (
        "apache",
        kafka_egress("deliverySemantic: {transactionTimeoutMillis: 5}"),
        ["m.yaml:20: 'transactionTimeoutMillis' is deprecated: write 'transactionTimeout: 5 ms'"],
    ),
    "an unknown key deep inside": (
        "apache",
        kafka("startupPosition: {type: latest, ofsets: []}"),
        [
            (
                "m.yaml:15: unknown key 'ofsets': did you mean 'offsets'? known keys: type, offsets, "
                "date, timestamp"
            )
        ],
    ),
}


@pytest.mark.parametrize("doubt", DOUBTS)
def test_what_can_hardly_be_meant_is_a_warning(folder: Path, doubt: str) -> None:
    """What an engine takes, and does something else with, is said."""
    dialect, text, expected = DOUBTS[doubt]

    assert problems(read(folder, text, dialect)) == ([], expected)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_kind_without_a_connector_here_is_named(folder: Path, dialect: str) -> None:
    """A Kafka ingress is right for a cluster, and cannot be run here yet."""
    text = f"{ENDPOINT}---\n{KAFKA_INGRESS}"

    assert problems(read(folder, text, dialect, runs_here=True)) == (
        [
            (
                "m.yaml:6: 'io.statefun.kafka.v1/ingress' is not available in the embedded runtime "
                "yet: use io.statefun.playground.v1/ingress, or run this file on a cluster, and "
                "check it with --dialect apache"
            )
        ],
        [],
    )


@pytest.mark.parametrize(
    ("kind", "advice"),
    [
        (
            "io.statefun_tasks.v1/pipeline",
            "run this file on a cluster, and check it with --dialect fransking",
        ),
        (
            "io.statefun.kinesis.v1/egress",
            (
                "use io.statefun.playground.v1/egress, or run this file on a cluster, and check it "
                "with --dialect apache"
            ),
        ),
    ],
)
def test_what_does_not_run_here_is_sent_to_a_dialect_that_has_it(
    folder: Path, kind: str, advice: str
) -> None:
    """And to a kind that runs here, if there is one like it."""
    reading = read(folder, f"kind: {kind}\nspec: {{id: a/b}}\n", "embedded")

    assert problems(reading)[0][:1] == [
        f"m.yaml:1: {kind!r} is not available in the embedded runtime yet: {advice}"
    ]


@pytest.mark.parametrize("dialect", CLUSTERS)
def test_a_whole_file_of_a_cluster_is_right(folder: Path, dialect: str) -> None:
    """Endpoints, an ingress and an egress are all that a cluster asks for."""
    text = f"{ENDPOINT}---\n{KAFKA_INGRESS}---\n{KAFKA_EGRESS}"

    reading = read(folder, text, dialect, strict=True)

    assert problems(reading) == ([], [])
    assert len(reading.module.components) == 3
