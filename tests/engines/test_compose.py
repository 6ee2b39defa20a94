"""What the lab runs of docker-compose.yml is what stands there, but for a table of changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.engines import compose
from tests.tools.lab.server import filled
from tests.tools.lab.software import DEFAULT, Software

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

NOWHERE = object()


def differences(before: Mapping[str, object], after: Mapping[str, object]) -> set[str]:
    """The keys that two mappings do not have in common."""
    return {
        key
        for key in before.keys() | after.keys()
        if before.get(key, NOWHERE) != after.get(key, NOWHERE)
    }


def parsed(text: str, separator: str) -> dict[str, str]:
    return dict(line.split(separator, 1) for line in text.splitlines())


def leaves(value: Any, path: tuple[object, ...] = ()) -> Iterator[tuple[tuple[object, ...], Any]]:
    """Path → scalar, for all scalars of a parsed document."""
    if isinstance(value, dict | list):
        for key, each in value.items() if isinstance(value, dict) else enumerate(value):
            yield from leaves(each, (*path, key))
    else:
        yield path, value


def scalars(text: str) -> dict[str, Any]:
    return {str(path): value for path, value in leaves(list(yaml.safe_load_all(text)))}


def test_flink_is_configured_as_the_mounted_file_says() -> None:
    """Every other key has the value that stands in the file; no row of the table is idle."""
    rendered = parsed(compose.flink_template(), ": ")

    assert differences(compose.flink_properties(), rendered) == set(compose.FLINK)


def test_flink_reads_the_mounted_file_as_yaml_does() -> None:
    """The file is simple enough for both ways of reading it."""
    text = compose.mounted_files("statefun-manager")[compose.FLINK_CONF].read_text()
    as_yaml = {
        key: str(value).replace("True", "true") for key, value in yaml.safe_load(text).items()
    }

    assert compose.flink_properties() == as_yaml


def test_the_broker_is_configured_as_its_environment_says() -> None:
    """Every other property has the value that stands in the compose file."""
    rendered = parsed(compose.broker_template(), "=")

    assert differences(compose.broker_properties(), rendered) == set(compose.BROKER)


def test_the_images_have_the_versions_that_the_lab_runs() -> None:
    """The tag of an image is the version of the jars."""
    engine, broker = Software.load(DEFAULT), Software.load("kafka")

    assert compose.image_versions() == {
        "apache/flink-statefun": {version(engine, "org.apache.flink:statefun-flink-distribution")},
        "apache/kafka": {version(broker, "org.apache.kafka:kafka_2.13")},
    }


def version(software: Software, artifact: str) -> str:
    [found] = [
        jar.removeprefix(f"{artifact}:")
        for jar in (*software.jars, *software.bare_jars)
        if jar.startswith(f"{artifact}:")
    ]
    return found


@pytest.mark.parametrize("service", ["statefun-manager", "statefun-worker"])
def test_every_module_file_is_where_the_image_loads_it(service: str) -> None:
    """It loads `module.yaml` of each folder below its modules, and no other file."""
    mounted = compose.mounted_files(service)

    modules = {path for path in mounted if path != compose.FLINK_CONF}
    assert modules == {f"{compose.MODULES}{name}/module.yaml" for name in ("greeter", "kafka")}
    assert [str(file) for file in mounted.values() if not file.is_file()] == []


def test_manager_and_worker_look_for_the_manager() -> None:
    """By the name of its service, each in its own role."""
    services, host = compose.services(), "statefun-manager"

    assert services["statefun-manager"]["environment"] == {"ROLE": "master", "MASTER_HOST": host}
    assert services["statefun-worker"]["environment"] == {"ROLE": "worker", "MASTER_HOST": host}


def test_everybody_looks_for_the_broker_where_it_is() -> None:
    """At the name of its service and a port on which it listens, as it says itself."""
    properties = compose.broker_properties()

    assert compose.broker_addresses() == {"kafka:9092"}
    assert properties["advertised.listeners"] == "PLAINTEXT://kafka:9092"
    assert properties["listeners"].split(",")[0] == "PLAINTEXT://:9092"
    assert "kafka" in compose.services()


def test_the_endpoint_is_in_the_network_of_the_worker() -> None:
    """There it is at localhost, as the module file says."""
    services = compose.services()
    networks = {services[name]["network_mode"] for name in ("endpoint", "statefun-worker")}

    assert networks == {"service:pod"}
    assert "pod" in services
    assert "http://localhost:8000/" in compose.modules()


def test_the_module_files_are_the_mounted_ones_but_for_two_addresses() -> None:
    """Documents in the same order; only the names of services are other ones."""
    before, after = scalars(compose.modules()), scalars(compose.module_template())

    back = {change.value: address for address, change in compose.ADDRESSES.items()}
    restored = {path: _replaced(value, back) for path, value in after.items()}
    assert restored == before
    assert len(differences(before, after)) == 3


def _replaced(value: object, words: Mapping[str | None, str]) -> object:
    if not isinstance(value, str):
        return value
    for old, new in words.items():
        value = value.replace(str(old), new)
    return value


def test_the_endpoint_is_started_as_in_its_image() -> None:
    """The command of the Dockerfile, in a folder with the files that it copies there."""
    assert compose.endpoint_arguments() == [
        "serve",
        "functions:functions",
        "--host",
        "0.0.0.0",
        "--insecure",
    ]
    assert compose.endpoint_template() == [
        *("serve", "functions:functions", "--host", "127.0.0.1", "--port", "$endpoint_port")
    ]
    greeter = compose.ROOT / "examples" / "greeter"
    assert compose.endpoint_files() == {"functions.py": greeter / "functions.py"}


def test_the_topics_are_those_of_the_module_file_and_of_the_functions() -> None:
    """They are made beforehand, so their names are written down a second time."""
    documents = yaml.safe_load_all(compose.modules())
    read = [topic["topic"] for each in documents for topic in each["spec"].get("topics", ())]

    assert compose.topics() == dict.fromkeys([*read, "greetings"], 2)


@pytest.mark.parametrize("table", ["FLINK", "BROKER", "ENDPOINT", "ADDRESSES"])
def test_every_change_has_a_reason(table: str) -> None:
    """A row says what the lab has instead, and why."""
    rows: dict[str, compose.Change] = getattr(compose, table)

    assert [key for key, change in rows.items() if not change.why] == []


def test_all_that_is_left_open_is_what_the_lab_fills_in() -> None:
    """Ports and the folder; anything else would stay unfilled."""
    values = dict.fromkeys(("port", "controller_port", "rpc_port", "rest_port", "workdir"), "1")
    values["endpoint_port"] = "1"

    texts = (compose.flink_template(), compose.broker_template(), compose.module_template())

    assert [text for text in texts if "$" in filled(text, values)] == []
