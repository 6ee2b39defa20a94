"""Where `bank.py` runs: how messages go in, how records come out, what can be killed.

The functions are a process of `statefun serve` in every place.
"""

from __future__ import annotations

import http.client
import json
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, Self

from tests.engines.program import Program
from tests.engines.topics import Reader, make_topics, produce
from tests.tools.lab.server import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tests.tools.lab import Flink, Job

HERE = Path(__file__).parent
CLIENTS = 8
READERS = 4
AT_A_TIME = 50
PATIENCE_S = 60.0

ENDPOINT = """\
kind: io.statefun.endpoints.v2/http
spec:
  functions: bank/*
  urlPathTemplate: http://127.0.0.1:{endpoint}/statefun
"""
KAFKA = """\
---
kind: io.statefun.kafka.v1/ingress
spec:
  id: bank/in
  address: {kafka}
  consumerGroupId: bank
  startupPosition: {{type: earliest}}
  topics:
    - {{topic: orders, valueType: bank/order, targets: [bank/account]}}
---
kind: io.statefun.kafka.v1/egress
spec:
  id: bank/out
  address: {kafka}
  deliverySemantic: {{type: exactly-once, transactionTimeout: 15min}}
"""
HTTP = """\
---
kind: io.statefun.playground.v1/ingress
spec: {{port: {ingress}}}
---
kind: io.statefun.playground.v1/egress
spec: {{id: bank/out, port: {egress}, topics: [entries]}}
"""


class Place(Protocol):
    """Where the functions run."""

    def send(self, orders: Sequence[dict[str, Any]]) -> None:
        """Send each to the account `from`; returns when all of them are taken for good."""

    def records(self) -> list[str]:
        """The records that came out since the last call; waits a moment if there are none."""

    def crash(self, victim: str) -> None:
        """SIGKILL the `runtime` or the `endpoint`, and start it again."""


def serve_bank(folder: Path, port: int) -> Program:
    """The endpoint."""
    app = folder / "app"
    app.mkdir(parents=True)
    shutil.copy(HERE / "bank.py", app)
    return Program("serve", "bank:functions", "--port", str(port), folder=app)


class OnFlink:
    """A job of a cluster; Kafka in and out."""

    def __init__(
        self, flink: Flink, job: Job, endpoint: Program, bootstrap: str, reader: Reader
    ) -> None:
        self.job = job
        self._flink = flink
        self._endpoint = endpoint
        self._bootstrap = bootstrap
        self._reader = reader

    def send(self, orders: Sequence[dict[str, Any]]) -> None:
        records = [(order["from"], json.dumps(order).encode()) for order in orders]
        produce(self._bootstrap, "orders", records)

    def records(self) -> list[str]:
        return [(record.value() or b"").decode() for record in self._reader.records()]

    def crash(self, victim: str) -> None:
        if victim == "endpoint":
            self._endpoint.kill()
            self._endpoint.start()
        else:
            self._flink.kill_worker()
            self._flink.start_worker()


class Embedded:
    """A process of `statefun run`; HTTP in and out.

    A message that got no answer is sent again, with the same `Idempotency-Key`. A record that comes
    again, because its reader or the runtime was gone, has the same `Record-Id` and counts once.
    """

    def __init__(self, runtime: Program, endpoint: Program, ingress: int, egress: int) -> None:
        self._programs = {"runtime": runtime, "endpoint": endpoint}
        self._ingress = ingress
        self._egress = egress
        self._bodies: dict[str, str] = {}  # Record-Id → body

    def send(self, orders: Sequence[dict[str, Any]]) -> None:
        shares = [orders[client::CLIENTS] for client in range(CLIENTS)]
        with ThreadPoolExecutor(CLIENTS) as clients:
            list(clients.map(self._send_share, shares))

    def _send_share(self, orders: Sequence[dict[str, Any]]) -> None:
        with Connection(self._ingress) as connection:
            for order in orders:
                headers = {
                    "Content-Type": "application/vnd.bank/order",
                    "Idempotency-Key": f"{order['kind']} {order.get('number')}",
                }
                path = f"/bank/account/{order['from']}"
                answer = connection.asked("PUT", path, json.dumps(order), headers)
                assert answer.status == http.client.OK, answer.body

    def records(self) -> list[str]:
        known = len(self._bodies)
        with ThreadPoolExecutor(READERS) as readers:
            shares = [readers.submit(self._read_share) for _ in range(READERS)]
        for answer in (answer for share in shares for answer in share.result()):
            body = self._bodies.setdefault(answer.record_id, answer.body)
            assert body == answer.body, f"the record {answer.record_id} has two bodies"
        return list(self._bodies.values())[known:]

    def _read_share(self) -> list[Answer]:
        """What is there, at most so much that the caller can look at it in between."""
        found: list[Answer] = []
        with Connection(self._egress) as connection:
            while len(found) < AT_A_TIME:
                answer = connection.asked("GET", "/entries")
                if answer.status == http.client.NOT_FOUND:
                    break
                found.append(answer)
        return found

    def crash(self, victim: str) -> None:
        self._programs[victim].kill()
        self._programs[victim].start()


class Answer(NamedTuple):
    """An answer of the runtime."""

    status: int
    body: str
    record_id: str


class Connection:
    """A connection that asks again until there is an answer, wherever the other side went."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def asked(
        self, verb: str, path: str, body: str = "", headers: Mapping[str, str] | None = None
    ) -> Answer:
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                self._connection.request(verb, path, body, dict(headers or {}))
                response = self._connection.getresponse()
                text = response.read().decode()
            except (OSError, http.client.HTTPException):
                self._connection.close()
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.01)  # nobody listens: ask again a little later
                continue
            return Answer(response.status, text, response.headers.get("Record-Id", ""))


@contextmanager
def embedded(folder: Path) -> Iterator[Embedded]:
    """The runtime and the endpoint, beside one another."""
    ports = {name: free_port() for name in ("endpoint", "ingress", "egress")}
    module = (ENDPOINT + HTTP).format(**ports)
    (folder / "module.yaml").write_text(module)
    command = ("run", "module.yaml", "--data", "data", "--admin-port", "0")
    with (
        serve_bank(folder, ports["endpoint"]) as endpoint,
        Program(*command, folder=folder) as runtime,
    ):
        yield Embedded(runtime, endpoint, ports["ingress"], ports["egress"])


@contextmanager
def on_flink(folder: Path, flink: Flink, bootstrap: str) -> Iterator[OnFlink]:
    """A job of a running cluster, and the endpoint."""
    port = free_port()
    make_topics(bootstrap, {"orders": 2, "entries": 2})
    module = (ENDPOINT + KAFKA).format(endpoint=port, kafka=bootstrap)
    with serve_bank(folder, port) as endpoint:
        job = flink.submit("bank", module)
        try:
            with Reader(bootstrap, "entries") as reader:
                yield OnFlink(flink, job, endpoint, bootstrap, reader)
        finally:
            job.cancel()
