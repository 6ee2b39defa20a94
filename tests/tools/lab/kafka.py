"""A Kafka broker."""

from __future__ import annotations

import subprocess
import uuid
from typing import TYPE_CHECKING

from tests.tools.lab.errors import LabError
from tests.tools.lab.server import START_S, Server, filled, free_port
from tests.tools.lab.software import Software, java_program

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

SOFTWARE = "kafka"
FILE = "kafka.properties"


class Kafka(Server):
    """One broker with its own controller; a topic appears when it is first asked for.

    Args:
        folder: Where its data and logs are.
        properties: Its configuration, in which `$port`, `$controller_port`, `$workdir` and
            `$partitions` are filled in; None for that of the lab.
        partitions: How many a new topic has.
        java_flags: Further flags for each JVM.
    """

    def __init__(
        self,
        folder: Path,
        *,
        properties: str | None = None,
        partitions: int = 1,
        java_flags: Sequence[str] = (),
    ) -> None:
        super().__init__(folder)
        self.port = free_port()
        self._properties = properties
        self._partitions = partitions
        self._java_flags = java_flags
        self._command: list[str] = []

    @property
    def bootstrap(self) -> str:
        return f"127.0.0.1:{self.port}"

    def prepare(self) -> None:
        software = Software.load(SOFTWARE)
        values = {
            "port": self.port,
            "controller_port": free_port(),
            "workdir": self.folder,
            "partitions": self._partitions,
        }
        conf = str(self.write(FILE, filled(self._properties or software.files[FILE], values)))
        logging = [
            "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
            "-Dorg.slf4j.simpleLogger.log.kafka.server.KafkaRaftServer=info",
        ]
        java = [java_program("java", software), "-Xmx384m", "-XX:+UseSerialGC", *logging]
        java += self._java_flags
        java += ["-cp", f"{software.fetched()}/*"]
        formatting = ["kafka.tools.StorageTool", "format", "-t", uuid.uuid4().hex[:22], "-c", conf]
        done = subprocess.run([*java, *formatting], capture_output=True, text=True, check=False)
        if done.returncode:
            raise LabError(f"formatting the storage of Kafka failed:\n{done.stdout}{done.stderr}")
        self._command = [*java, "kafka.Kafka", conf]

    def launch(self) -> None:
        broker = self.spawn("kafka", self._command)
        started = "Kafka Server started"
        self.wait_for("Kafka", lambda: started in broker.tail(400), patience_s=START_S)
