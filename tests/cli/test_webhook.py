"""A webhook of a module file and of the command line, on processes that are killed."""

from __future__ import annotations

import ssl
import threading
import time
from collections import defaultdict
from contextlib import contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import trustme

from tests.cli.process import Server, statefun

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

PROGRAM = """\
from statefun import IntType, StatefulFunctions, StringType, ValueSpec, egress_message_builder

functions = StatefulFunctions()


@functions.bind("t/tell", specs=[ValueSpec("count", IntType)])
async def tell(context, message):
    context.storage.count = (context.storage.count or 0) + 1
    text = f"{context.address.id} {context.storage.count}"
    context.send_egress(
        egress_message_builder("com.example/told", value=text, value_type=StringType)
    )
"""
MODULE = "kind: io.statefun.playground.v1/ingress\nspec: {port: 0}\n"
WEBHOOK = """\
---
kind: io.statefun.webhook.v1/egress
spec:
  id: com.example/told
  url: %s
  headers: {X-From: statefun}
  headerFiles: {Authorization: secret.txt}
  retry: {first: 10ms, longest: 100ms}
  maxInFlight: 2
"""
MESSAGES = 60
KILLS = 4


class Hook:
    """What was posted: record id → the bodies that came with it, as often as they came."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.posted: dict[str, list[str]] = defaultdict(list)
        self.authorizations: set[str | None] = set()
        self.changed = threading.Condition()

    def wait_for(self, count: int) -> None:
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.posted) >= count, timeout=60)


class Receiver(ThreadingHTTPServer):
    """Says nothing about senders that break off."""

    def handle_error(self, *_: object) -> None:
        """Nothing."""


@contextmanager
def hook(certificate: trustme.LeafCert | None = None, port: int = 0) -> Iterator[Hook]:
    """A receiver; with a certificate it is one of TLS."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            size = int(self.headers["Content-Length"])
            body = self.rfile.read(size)
            if len(body) < size:  # the sender was killed while it wrote
                return
            with found.changed:
                found.posted[self.headers["Record-Id"]].append(body[2:].decode())
                found.authorizations.add(self.headers["Authorization"])
                found.changed.notify_all()
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing."""

    server = Receiver(("127.0.0.1", port), Handler)
    if certificate is not None:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        certificate.configure_cert(tls)
        server.socket = tls.wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False
        )
    scheme = "http" if certificate is None else "https"
    found = Hook(f"{scheme}://127.0.0.1:{server.server_port}/hook")
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def until(condition: Callable[[], object]) -> None:
    """Wait for something to come true; patiently, for the machine may be busy."""
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def tell(server: Server, first: int, count: int) -> None:
    connection = HTTPConnection(server.url("ingress").removeprefix("http://"))
    headers = {"Content-Type": "application/vnd.io.statefun.types/string"}
    for number in range(first, first + count):
        connection.request("PUT", f"/t/tell/{number}", b"", headers)
        assert connection.getresponse().read() == b""
    connection.close()


def test_no_kill_loses_a_record_and_each_keeps_its_id(tmp_path: Path) -> None:
    """What was acknowledged is posted at least once; what comes again has id and body as before."""
    (tmp_path / "program.py").write_text(PROGRAM)
    (tmp_path / "secret.txt").write_text("Bearer abc\n")
    with hook() as receiver:
        (tmp_path / "module.yaml").write_text(MODULE + WEBHOOK % receiver.url)
        each = MESSAGES // KILLS
        for number in range(KILLS):
            run = ("run", "module.yaml", "--functions", "program:functions")
            with Server(*run, cwd=tmp_path) as server:
                tell(server, number * each, each)
                receiver.wait_for(number * each + each // 3)
                server.kill()
        with Server(*run, cwd=tmp_path) as server:
            receiver.wait_for(MESSAGES)
            assert server.stop() == 0

    bodies = [set(posted) for posted in receiver.posted.values()]
    assert sorted(map(len, bodies)) == [1] * MESSAGES
    assert {text for posted in bodies for text in posted} == {f"{n} 1" for n in range(MESSAGES)}
    assert receiver.authorizations == {"Bearer abc"}


def test_a_certificate_that_is_not_trusted_loses_no_record(tmp_path: Path) -> None:
    """The log says why nothing is posted; the records come once the certificate is right."""
    authority, stranger = trustme.CA(), trustme.CA()
    right, wrong = (each.issue_cert("127.0.0.1") for each in (authority, stranger))
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    (tmp_path / "program.py").write_text(PROGRAM)
    (tmp_path / "secret.txt").write_text("Bearer abc\n")
    run = ("run", "module.yaml", "--functions", "program:functions")
    with hook(wrong) as receiver:
        port = int(receiver.url.split(":")[2].split("/")[0])
        module = MODULE + WEBHOOK % receiver.url + "  trust_cacerts: ca.pem\n"
        (tmp_path / "module.yaml").write_text(module)
        with Server(*run, cwd=tmp_path) as server:
            tell(server, 0, 3)
            until(lambda: "is not trusted" in server.errors())
            log = server.errors()
            server.kill()
    refused = dict(receiver.posted)
    with hook(right, port) as receiver, Server(*run, cwd=tmp_path) as server:
        receiver.wait_for(3)
        assert server.stop() == 0

    said = (
        f"the certificate of {receiver.url} is not trusted (unable to get local issuer certificate"
    )
    assert said in log
    assert refused == {}
    assert sorted(map(str, receiver.posted.values())) == ["['0 1']", "['1 1']", "['2 1']"]
    assert receiver.authorizations == {"Bearer abc"}


def test_the_command_line_names_a_webhook(tmp_path: Path) -> None:
    """For those who need no more than the URL."""
    (tmp_path / "program.py").write_text(PROGRAM)
    (tmp_path / "module.yaml").write_text(MODULE)
    with hook() as receiver:
        webhook = ("--webhook", f"com.example/told={receiver.url}")
        run = ("run", "module.yaml", "--functions", "program:functions", *webhook)
        with Server(*run, cwd=tmp_path) as server:
            tell(server, 0, 3)
            receiver.wait_for(3)

    assert sorted(map(str, receiver.posted.values())) == ["['0 1']", "['1 1']", "['2 1']"]


def test_a_check_reads_the_file_of_a_webhook(tmp_path: Path) -> None:
    """And says what is wrong in it."""
    (tmp_path / "secret.txt").write_text("Bearer abc")
    (tmp_path / "good.yaml").write_text(MODULE + WEBHOOK % "https://example.com")
    (tmp_path / "bad.yaml").write_text(MODULE + WEBHOOK % "example.com")

    good = statefun("check", "good.yaml", cwd=tmp_path)
    bad = statefun("check", "bad.yaml", cwd=tmp_path)
    wrong = statefun("run", "good.yaml", "--webhook", "com.example/told", cwd=tmp_path)

    assert (good.code, good.out) == (0, "good.yaml: 0 endpoints, 1 ingress, 1 egress\n")
    assert bad.code == 1
    assert "'url' 'example.com' is not one to post to" in bad.err
    assert wrong.code == 2
    assert "write for example com.example/orders=https://example.com/hook" in wrong.err
