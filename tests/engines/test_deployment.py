"""The greeter on the real engine, exactly as docker-compose.yml deploys it."""

from __future__ import annotations

import json
import shutil
import socket
import time
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from tests.cli.process import statefun
from tests.engines import compose
from tests.engines.program import Program
from tests.engines.topics import Reader, make_topics, produce
from tests.tools.lab import Flink, LabError
from tests.tools.lab.server import filled, free_port

if TYPE_CHECKING:
    from pathlib import Path

    from tests.tools.lab import Job, Kafka

pytestmark = [pytest.mark.engines, pytest.mark.timeout(300)]

PEOPLE = 20
VISITS = 25
PATIENCE_S = 60.0
UNKNOWN_KIND = """\
kind: io.statefun.kafka.v7/ingress
spec:
  id: com.example/visits
"""


def endpoint(folder: Path, port: int) -> Program:
    """The endpoint, started in a folder with the files that its image has."""
    folder.mkdir()
    for name, file in compose.endpoint_files().items():
        shutil.copy(file, folder / name)
    arguments = [filled(word, {"endpoint_port": port}) for word in compose.endpoint_template()]
    return Program(*arguments, folder=folder)


def test_the_greeter_counts_every_visit_once(
    deployed_flink: Flink, deployed_kafka: Kafka, tmp_path: Path
) -> None:
    """Visits come in and greetings go out through Kafka; each greeting is committed once."""
    values = {"endpoint_port": free_port(), "port": deployed_kafka.port}
    make_topics(deployed_kafka.bootstrap, compose.topics())
    names = [f"guest-{number}" for number in range(PEOPLE)]
    visits = [(name, json.dumps({"name": name}).encode()) for name in names * VISITS]

    with endpoint(tmp_path / "app", values["endpoint_port"]):
        job = deployed_flink.submit("greeter", filled(compose.module_template(), values))
        try:
            produce(deployed_kafka.bootstrap, "visits", visits)
            greetings = committed_greetings(deployed_kafka, job, len(visits))
        finally:
            job.cancel()

    assert greetings == Counter(
        (name, f"Hello {name}, this is visit number {number}.")
        for name in names
        for number in range(1, VISITS + 1)
    )


def committed_greetings(kafka: Kafka, job: Job, wanted: int) -> Counter[tuple[str, str]]:
    """Key and value of every record, until so many are there and nothing more is on its way."""
    found: Counter[tuple[str, str]] = Counter()
    deadline = time.monotonic() + PATIENCE_S
    with Reader(kafka.bootstrap, "greetings") as reader:

        def read() -> None:
            found.update(
                ((record.key() or b"").decode(), (record.value() or b"").decode())
                for record in reader.records()
            )

        while found.total() < wanted and time.monotonic() < deadline:
            read()
        committed = job.checkpoints()
        while job.checkpoints() < committed + 2:  # the next one commits whatever is open
            read()
        read()
    return found


def test_a_session_that_cannot_start_says_so_at_once(tmp_path: Path) -> None:
    """Its process ends, instead of living on without what it is for."""
    flink = Flink(tmp_path)
    host, _, port = flink.address.partition(":")

    with socket.socket() as other:
        other.bind((host, int(port)))
        with pytest.raises(
            LabError, match=r"waiting for a worker: runtime ended(.|\n)*BindException"
        ):
            flink.__enter__()


def test_a_module_file_of_an_unknown_kind_is_refused_by_the_engine_and_by_check(
    deployed_flink: Flink, tmp_path: Path
) -> None:
    """The engine refuses the job at once and says why; `statefun check` says it beforehand."""
    (tmp_path / "module.yaml").write_text(UNKNOWN_KIND)

    checked = statefun(
        "check", "module.yaml", "--dialect", deployed_flink.software.dialect, cwd=tmp_path
    )
    with pytest.raises(LabError) as refused:
        deployed_flink.submit("unknown-kind", UNKNOWN_KIND)

    assert checked.code == 1
    assert checked.err.startswith("module.yaml:1: unknown kind 'io.statefun.kafka.v7/ingress'")
    assert str(refused.value).splitlines()[-2] == (
        "Caused by: java.lang.IllegalStateException: An extension with type "
        "TypeName(io.statefun.kafka.v7, ingress) does not exist."
    )
