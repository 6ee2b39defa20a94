"""Flink with the jars of StateFun: a session in which jobs run, each from a module file."""

from __future__ import annotations

import json
import threading
import urllib.error
import urllib.request
import uuid
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from tests.tools.lab.errors import LabError, causes
from tests.tools.lab.server import START_S, Server, filled, free_port
from tests.tools.lab.software import DEFAULT, Software, java_program

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

CONF = "flink-conf.yaml"
MEMORY = "memory.yaml"
LOGGING = "log4j2.properties"
EARLY_FAILURES = 5
ENDED = ("FAILED", "CANCELED", "FINISHED")
WORKER = "taskmanager"
MEMORY_FLAGS = {
    "runtime": ("-Xmx1g",),
    "jobmanager": ("-Xmx512m",),
    WORKER: ("-Xmx512m", "-XX:MaxDirectMemorySize=256m"),
}
OPENED = (
    *("lang", "lang.reflect", "net", "io", "nio", "text", "time", "util"),
    *("util.concurrent", "util.concurrent.atomic", "util.concurrent.locks"),
)
FLAGS = (
    "-XX:+UseSerialGC",
    "--add-exports=java.base/sun.net.util=ALL-UNNAMED",
    "--add-exports=java.security.jgss/sun.security.krb5=ALL-UNNAMED",
    "--add-opens=java.base/sun.nio.ch=ALL-UNNAMED",
    *(f"--add-opens=java.base/java.{name}=ALL-UNNAMED" for name in OPENED),
)


class Flink(Server):
    """A session, in one JVM or as a manager and a worker.

    Checkpoints are exactly-once and taken every second, and a job that fails starts again for ever,
    unless the configuration says otherwise.

    Args:
        folder: Where its files and logs are.
        software: The engine; the name of a file of the lab.
        mode: `single` for one JVM, `cluster` for two; what the engine's file says of it.
        slots: How many jobs run at the same time.
        configuration: Flink's configuration, in which `$rpc_port`, `$rest_port`, `$workdir` and
            `$slots` are filled in; None for that of the lab.
        settings: Further lines for it; the last of two with one key counts.
        java_flags: Further flags for each JVM.
    """

    def __init__(
        self,
        folder: Path,
        *,
        software: str = DEFAULT,
        mode: str = "single",
        slots: int = 1,
        configuration: str | None = None,
        settings: Mapping[str, str] | None = None,
        java_flags: Sequence[str] = (),
    ) -> None:
        super().__init__(folder)
        self.software = Software.load(software)
        self._mains = self.software.mains[mode]
        self._slots = slots
        self._configuration = configuration or self.software.files[CONF]
        self._settings = dict(settings or {})
        self._java_flags = java_flags
        self._rest_port = free_port()
        self._java: list[str] = []
        # Of two programs that Flink begins at the same moment, one may come to nothing.
        self._one_at_a_time = threading.Lock()
        self._jar = ""

    @property
    def address(self) -> str:
        """Of its REST API and its console."""
        return f"127.0.0.1:{self._rest_port}"

    def prepare(self) -> None:
        jars = self.software.fetched()
        classes = self.software.compiled(jars)
        (self.folder / "tmp").mkdir(exist_ok=True)
        text = self._configuration + self.software.files[MEMORY]
        text += "".join(f"{key}: {value}\n" for key, value in self._settings.items())
        values = {
            "rpc_port": free_port(),
            "rest_port": self._rest_port,
            "workdir": self.folder,
            "slots": self._slots,
        }
        self.write(f"conf/{CONF}", filled(text, values))
        logging = self.write(f"conf/{LOGGING}", self.software.files[LOGGING].lstrip())
        self._java = [java_program("java", self.software), *FLAGS, *self._java_flags]
        self._java += [f"-Dlog4j.configurationFile={logging.as_uri()}"]
        self._java += ["-cp", f"{classes}:{jars}/*"]
        self._core = next(jars.glob(self.software.job_jar))

    def launch(self) -> None:
        for name in self._mains:
            self._start(name)
        self.wait_for(
            "a worker",
            lambda: bool(self.asked("/overview").get("slots-total")),
            patience_s=START_S,
        )
        self._jar = self._upload()

    def start_worker(self) -> None:
        """Start the worker (again); jobs go on from their latest checkpoints."""
        self._start(WORKER)

    def kill_worker(self) -> None:
        """SIGKILL the worker, as a crash would."""
        self.processes[WORKER].kill()
        del self.processes[WORKER]

    def submit(self, name: str, module: str, *, savepoint: str = "") -> Job:
        """Start a job from the text of a module file, and wait until all of it runs.

        Args:
            name: A name for it; its module file is kept under that.
            module: The module file.
            savepoint: The path of a savepoint to begin from.

        Raises:
            LabError: If the module file is refused, or the job does not come up; it is ended then.
        """
        file = self.write(f"modules/{name}.yaml", module)
        order: dict[str, object] = {
            "entryClass": self.software.job_class,
            "programArgsList": ["--statefun.remote.module-name", file.as_uri()],
        }
        if savepoint:
            order["savepointPath"] = savepoint
        with self._one_at_a_time:
            answer = self.rest(f"/jars/{self._jar}/run", json.dumps(order).encode())
        job = Job(self, answer["jobid"])
        try:
            job.wait_until(f"the job {name}", job.runs_or_keeps_failing)
        except LabError:
            with suppress(LabError):  # it may have ended by itself
                job.cancel()
            raise
        return job

    def rest(
        self, path: str, body: bytes | None = None, kind: str = "application/json", verb: str = ""
    ) -> Any:
        """Call Flink's REST API."""
        url = f"http://{self.address}{path}"
        request = urllib.request.Request(url, body, {"Content-Type": kind}, method=verb or None)
        try:
            with urllib.request.urlopen(request, timeout=30) as reply:
                return json.loads(reply.read() or b"{}")
        except urllib.error.HTTPError as error:
            said = causes(error.read().decode(errors="replace"))
            raise LabError(f"{path}: {error.code}\n{said}") from error
        except OSError as error:
            raise LabError(f"{path}: {error}") from error

    def asked(self, path: str) -> dict[str, Any]:
        """Like `rest`, but empty while there is no answer."""
        try:
            answer: dict[str, Any] = self.rest(path)
        except LabError:
            return {}
        return answer

    def _upload(self) -> str:
        """Upload the job's jar; a session needs none of the launcher's fixed folders."""
        edge = uuid.uuid4().hex
        head = (
            f'--{edge}\r\nContent-Disposition: form-data; name="jarfile"; '
            f'filename="{self._core.name}"\r\nContent-Type: application/x-java-archive\r\n\r\n'
        )
        body = head.encode() + self._core.read_bytes() + f"\r\n--{edge}--\r\n".encode()
        answer = self.rest("/jars/upload", body, f"multipart/form-data; boundary={edge}")
        return str(answer["filename"].rpartition("/")[2])

    def _start(self, name: str) -> None:
        java, *flags = self._java
        main = [self._mains[name], "--configDir", str(self.folder / "conf")]
        self.spawn(name, [java, *MEMORY_FLAGS.get(name, ()), *flags, *main])


class Failure(NamedTuple):
    """One failure of a job."""

    at_ms: int
    trace: str


def _failures(answer: Mapping[str, Any]) -> list[Failure]:
    entries = answer.get("exceptionHistory", {}).get("entries", [])
    return [Failure(entry["timestamp"], entry["stacktrace"]) for entry in entries]


class Job:
    """A job of a session."""

    def __init__(self, flink: Flink, id_: str) -> None:
        self.id = id_
        self._flink = flink

    def runs_or_keeps_failing(self) -> bool:
        """Whether every part of it runs; an error when it has ended or fails again and again."""
        has_ended = self._flink.rest(f"/jobs/{self.id}")["state"] in ENDED
        if has_ended or len(self.failures()) >= EARLY_FAILURES:
            raise LabError(f"it does not come up; {self.report()}")
        return self.runs()

    def runs(self) -> bool:
        """Whether every part of it runs."""
        job = self._flink.rest(f"/jobs/{self.id}")
        parts = {vertex["status"] for vertex in job["vertices"]}
        return job["state"] == "RUNNING" and parts == {"RUNNING"}

    def wait_until(self, what: str, ready: Callable[[], bool]) -> None:
        """Wait until something is so; else the error says how it is with the job."""
        self._flink.wait_for(what, ready, report=self.report)

    def report(self) -> str:
        """Its state and what it failed with last, as far as there are answers."""
        state = self._flink.asked(f"/jobs/{self.id}").get("state", "unknown")
        failures = _failures(self._flink.asked(f"/jobs/{self.id}/exceptions"))
        latest = f"failed last with:\n{causes(failures[0].trace)}" if failures else "has not failed"
        return f"the job is {state} and {latest}"

    def failures(self) -> list[Failure]:
        """Newest first; Flink keeps the last sixteen."""
        return _failures(self._flink.rest(f"/jobs/{self.id}/exceptions"))

    def checkpoints(self) -> int:
        """How many checkpoints it has completed; Flink 1.16 may have no answer for a moment."""
        counts: dict[str, int] = {}

        def are_told() -> bool:
            counts.update(self._flink.asked(f"/jobs/{self.id}/checkpoints").get("counts", {}))
            return "completed" in counts

        self.wait_until("tells its checkpoints", are_told)
        return counts["completed"]

    def cancel(self) -> None:
        """End it; returns when it has ended."""
        self._flink.rest(f"/jobs/{self.id}?mode=cancel", verb="PATCH")
        self._wait_for_end()

    def cancel_with_savepoint(self) -> str:
        """End it with a savepoint, and return where that is.

        Flink's newer operation, to stop with a savepoint, fails with the Kafka ingress of
        StateFun 3.3.0, so this is the older one.
        """
        order = json.dumps({"cancel-job": True}).encode()
        trigger = self._flink.rest(f"/jobs/{self.id}/savepoints", order)["request-id"]
        path = f"/jobs/{self.id}/savepoints/{trigger}"
        self.wait_until(
            "the savepoint", lambda: self._flink.rest(path)["status"]["id"] == "COMPLETED"
        )
        operation = self._flink.rest(path)["operation"]
        if "location" not in operation:
            raise LabError(causes(str(operation.get("failure-cause"))))
        self._wait_for_end()  # it still has its ports until then
        return str(operation["location"])

    def _wait_for_end(self) -> None:
        self.wait_until(
            "the job's end", lambda: self._flink.rest(f"/jobs/{self.id}")["state"] in ENDED
        )
