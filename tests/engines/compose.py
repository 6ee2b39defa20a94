"""docker-compose.yml as what the lab starts: the same configuration, moved onto loopback.

The compose file, the files that it mounts and the Dockerfile that it builds are the source. What
the lab runs differs from them in nothing but the tables at the top; `test_compose.py` says so.

What the images do with that configuration was looked up where they are made:

- `apache/flink-statefun:3.3.0` (repository `apache/flink-statefun-docker`, folder `3.3.0-java11`)
  runs as root. `docker-entry-point.sh` starts `standalone-job.sh` for the role `master` and
  `taskmanager.sh` for `worker`, both with `-Djobmanager.rpc.address=$MASTER_HOST`; all else comes
  from `conf/flink-conf.yaml`, of which the image's own is replaced by the mount.
- The launcher's job is `StatefulFunctionsJob`, as in the lab. It has the folders below
  `/opt/statefun/modules` on its class path and loads every `module.yaml` that it finds there
  (`StatefulFunctionsJobGraphRetriever`, `JsonServiceLoader`), each of them several documents. The
  lab gives it one file with the documents of all.
- `apache/kafka:3.9.1` (repository `apache/kafka`: `KafkaDockerWrapper`, `docker/resources`): with
  any `KAFKA_…` in the environment, these are the broker's whole configuration; the image's own file
  is used only when there is none. All that it adds is the id of the cluster.
"""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import yaml

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).parents[2]
COMPOSE = ROOT / "docker-compose.yml"
FLINK_CONF = "/opt/flink/conf/flink-conf.yaml"
MODULES = "/opt/statefun/modules/"
TOPICS_TOOL = "/opt/kafka/bin/kafka-topics.sh"


class Change(NamedTuple):
    """What the lab has in place of a value, None for nothing; and why."""

    value: str | None
    why: str


LOOPBACK = "everything is on one machine, and listens there only"
PORT = "several labs run at the same time, on ports that are free"
FOLDER = "a folder of the test in place of a volume, or of the container's own"
MEMORY = "read by Flink's scripts, which a plain Java process goes without; the lab says each part"
QUICK = "a test asks more often than a person who looks at the console"
CRASH = "a worker that was killed is missed after seconds, not after a minute"

FLINK = {
    "jobmanager.rpc.address": Change("127.0.0.1", LOOPBACK),
    "jobmanager.bind-host": Change("127.0.0.1", LOOPBACK),
    "jobmanager.rpc.port": Change("$rpc_port", PORT),
    "jobmanager.memory.process.size": Change(None, MEMORY),
    "rest.address": Change("127.0.0.1", LOOPBACK),
    "rest.bind-address": Change("127.0.0.1", LOOPBACK),
    "rest.port": Change("$rest_port", PORT),
    "taskmanager.host": Change("127.0.0.1", LOOPBACK),
    "taskmanager.bind-host": Change("127.0.0.1", LOOPBACK),
    "taskmanager.memory.process.size": Change(None, MEMORY),
    "io.tmp.dirs": Change("$workdir/tmp", FOLDER),
    "web.tmpdir": Change("$workdir/tmp", FOLDER),
    "state.checkpoints.dir": Change("file://$workdir/checkpoints", FOLDER),
    "web.refresh-interval": Change("50", QUICK),
    "heartbeat.interval": Change("500", CRASH),
    "heartbeat.timeout": Change("5000", CRASH),
}
BROKER = {
    "listeners": Change(
        "PLAINTEXT://127.0.0.1:$port,CONTROLLER://127.0.0.1:$controller_port", LOOPBACK
    ),
    "advertised.listeners": Change("PLAINTEXT://127.0.0.1:$port", LOOPBACK),
    "controller.quorum.voters": Change("1@127.0.0.1:$controller_port", LOOPBACK),
    "log.dirs": Change("$workdir/data", FOLDER),
}
ENDPOINT = {
    "--host": Change("127.0.0.1", LOOPBACK),
    "--port": Change("$endpoint_port", PORT),
}
ADDRESSES = {
    "localhost:8000": Change("127.0.0.1:$endpoint_port", PORT),
    "kafka:9092": Change("127.0.0.1:$port", PORT),
}


def services() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = yaml.safe_load(COMPOSE.read_text())["services"]
    return found


def mounted_files(service: str) -> dict[str, Path]:
    """Path in the container → file of this repository."""
    found = {}
    for volume in services()[service]["volumes"]:
        source, target = volume.split(":")[:2]
        if source.startswith("./"):
            found[target] = ROOT / source
    return found


def flink_properties() -> dict[str, str]:
    """Flink's configuration in the manager and the worker, read line by line as Flink 1.16 does."""
    text = mounted_files("statefun-manager")[FLINK_CONF].read_text()
    lines = (line.partition("#")[0].strip() for line in text.splitlines())
    properties = dict(line.split(": ", 1) for line in lines if line)
    host = services()["statefun-manager"]["environment"]["MASTER_HOST"]
    return properties | {"jobmanager.rpc.address": host}


def broker_properties() -> dict[str, str]:
    """The broker's configuration, made of its environment as the image makes it."""
    environment: dict[str, object] = services()["kafka"]["environment"]
    return {
        _property(name): str(value)
        for name, value in environment.items()
        if name.startswith("KAFKA_")
    }


def _property(name: str) -> str:
    dotted = name.removeprefix("KAFKA_").lower().replace("_", ".")
    return dotted.replace("...", "-").replace("..", "_")


def modules() -> str:
    """The documents of every module file that is mounted."""
    mounted = mounted_files("statefun-manager").items()
    files = [file for path, file in mounted if path.startswith(MODULES)]
    return "\n---\n".join(file.read_text() for file in files)


def endpoint_files() -> dict[str, Path]:
    """Name in the folder in which the endpoint is started → file of this repository."""
    recipe = _dockerfile()
    [folder] = re.findall(r"^WORKDIR (\S+)$", recipe, re.MULTILINE)
    copies = re.findall(rf"^COPY (\S+) {folder}/(\S+)$", recipe, re.MULTILINE)
    return {name: ROOT / source for source, name in copies}


def endpoint_arguments() -> list[str]:
    """What follows the word `statefun` in the endpoint's command."""
    [command] = re.findall(r"^CMD (.+)$", _dockerfile(), re.MULTILINE)
    words: list[str] = json.loads(command)
    program, *arguments = words
    assert program == "statefun"
    assert "command" not in services()["endpoint"]
    return arguments


def _dockerfile() -> str:
    build = services()["endpoint"]["build"]
    assert build["context"] == "."
    text: str = (ROOT / build["dockerfile"]).read_text()
    return text


def topics() -> dict[str, int]:
    """Topic → partitions."""
    calls = topics_calls()
    return {_option(call, "--topic"): int(_option(call, "--partitions")) for call in calls}


def topics_calls() -> list[list[str]]:
    """What the topics tool is told: the service's own script, run with a tool that says it."""
    service = services()["topics"]
    [script] = service["command"]
    script = script.replace("$$", "$").replace(TOPICS_TOOL, "echo")
    done = subprocess.run(
        [*service["entrypoint"], script], capture_output=True, text=True, check=True
    )
    return [shlex.split(line) for line in done.stdout.splitlines()]


def broker_addresses() -> set[str]:
    """Every address at which something looks for the broker."""
    calls = [*topics_calls(), shlex.split(services()["kafka"]["healthcheck"]["test"])]
    specs = [document["spec"] for document in yaml.safe_load_all(modules())]
    return {
        *(_option(call, "--bootstrap-server") for call in calls),
        *(spec["address"] for spec in specs if "address" in spec),
    }


def image_versions() -> dict[str, set[str]]:
    """Image → the tags under which services have it."""
    versions: dict[str, set[str]] = {}
    for service in services().values():
        name, _, tag = service.get("image", "").rpartition(":")
        if name:
            versions.setdefault(name, set()).add(tag)
    return versions


def _option(call: list[str], name: str) -> str:
    return call[call.index(name) + 1]


def changed(source: Mapping[str, str], table: Mapping[str, Change]) -> dict[str, str]:
    """The source with the changes of a table."""
    merged = {**source, **{key: change.value for key, change in table.items()}}
    return {key: value for key, value in merged.items() if value is not None}


def flink_template() -> str:
    """What the lab's Flink is configured with, but for the ports and the folder."""
    properties = changed(flink_properties(), FLINK)
    return "".join(f"{key}: {value}\n" for key, value in properties.items())


def broker_template() -> str:
    """What the lab's Kafka is configured with, but for the ports and the folder."""
    properties = changed(broker_properties(), BROKER)
    return "".join(f"{key}={value}\n" for key, value in properties.items())


def module_template() -> str:
    """The one module file of the lab, but for the ports."""
    text = modules()
    for address, change in ADDRESSES.items():
        text = text.replace(address, str(change.value))
    return text


def endpoint_template() -> list[str]:
    """What the lab tells `statefun`, but for the port."""
    functions, *options = endpoint_arguments()[1:]
    options.remove("--insecure")  # the lab listens on this machine
    given = dict(zip(options[::2], options[1::2], strict=True))
    changes = changed(given, ENDPOINT)
    return ["serve", functions, *(word for option in changes.items() for word in option)]
