"""The greeter's files agree with one another: functions, module files, compose file, Flink's."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
GREETER = ROOT / "examples" / "greeter"
PLACES = ("embedded.yaml", "cluster.yaml")


def components(name: str) -> dict[str, dict[str, Any]]:
    """Last part of the kind (`ingress`, …) → spec."""
    documents = yaml.safe_load_all((GREETER / name).read_text())
    return {document["kind"].rpartition("/")[2]: document["spec"] for document in documents}


@pytest.fixture(scope="module")
def typenames() -> set[str]:
    """The typenames of the greeter's functions."""
    return set(runpy.run_path(str(GREETER / "functions.py"))["functions"].typenames)


@pytest.fixture(scope="module")
def services() -> dict[str, dict[str, Any]]:
    """The services of docker-compose.yml."""
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    found: dict[str, dict[str, Any]] = compose["services"]
    return found


@pytest.mark.parametrize("place", PLACES)
def test_every_place_has_the_egress_that_the_functions_write_to(place: str) -> None:
    """One egress id in the functions, and a component with that id in every place."""
    assert components(place)["egress"]["id"] == "com.example/greetings"
    assert '"com.example/greetings"' in (GREETER / "functions.py").read_text()


def test_the_cluster_sends_records_to_a_function_that_exists(typenames: set[str]) -> None:
    """The targets of the Kafka ingress are registered, and its value type is the functions' own."""
    [topic] = components("cluster.yaml")["ingress"]["topics"]

    assert set(topic["targets"]) <= typenames
    assert topic["valueType"] == "com.example/Visit"


def test_the_module_file_names_the_endpoint_of_every_function(typenames: set[str]) -> None:
    """`com.example/*` covers all functions of the greeter."""
    assert components("module.yaml")["http"]["functions"] == "com.example/*"
    assert {typename.rpartition("/")[0] for typename in typenames} == {"com.example"}


def test_every_file_that_the_compose_file_mounts_exists(services: dict[str, Any]) -> None:
    """A path that does not exist would be mounted as an empty folder."""
    mounted = [
        volume.split(":")[0]
        for service in services.values()
        for volume in service.get("volumes", ())
        if volume.startswith("./")
    ]

    assert mounted
    assert [path for path in mounted if not (ROOT / path).is_file()] == []


def test_manager_and_worker_see_the_same_modules_and_configuration(
    services: dict[str, Any],
) -> None:
    """The worker reads the module files again when an operator opens."""
    manager, worker = services["statefun-manager"], services["statefun-worker"]

    assert manager["image"] == worker["image"] == "apache/flink-statefun:3.3.0"
    assert manager["volumes"] == worker["volumes"]
    assert (manager["environment"]["ROLE"], worker["environment"]["ROLE"]) == ("master", "worker")


def test_the_worker_finds_the_endpoint_at_localhost(services: dict[str, Any]) -> None:
    """The worker makes the calls, so it shares a network with the endpoint."""
    networks = {services[name]["network_mode"] for name in ("statefun-worker", "endpoint")}

    assert networks == {"service:pod"}
    assert "//localhost:8000/" in components("module.yaml")["http"]["urlPathTemplate"]


def test_a_crash_of_worker_or_endpoint_leaves_the_network_of_the_other(
    services: dict[str, Any],
) -> None:
    """The shared network belongs to a service that does nothing."""
    assert services["pod"]["entrypoint"] == ["sleep", "infinity"]


def test_the_cluster_takes_checkpoints_that_both_processes_can_read(
    services: dict[str, Any],
) -> None:
    """Without checkpoints a restart begins with empty state, and the image has them off."""
    conf = yaml.safe_load((GREETER / "flink-conf.yaml").read_text())

    assert conf["execution.checkpointing.interval"] == "1s"
    folder = conf["state.checkpoints.dir"].removeprefix("file://")
    for name in ("statefun-manager", "statefun-worker"):
        assert f"checkpoints:{folder}" in services[name]["volumes"]


def test_the_kafka_address_is_the_name_of_the_service(services: dict[str, Any]) -> None:
    """Ingress and egress reach the broker by its name on the compose network."""
    cluster = components("cluster.yaml")
    advertised = services["kafka"]["environment"]["KAFKA_ADVERTISED_LISTENERS"]

    assert {cluster["ingress"]["address"], cluster["egress"]["address"]} == {"kafka:9092"}
    assert advertised == "PLAINTEXT://kafka:9092"
