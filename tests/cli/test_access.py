"""Who may reach `statefun run` and `statefun serve`: tokens, TLS, and this machine by default."""

from __future__ import annotations

import socket
import ssl
import urllib.error
import urllib.request
from typing import TYPE_CHECKING

import pytest
import trustme

from tests.cli.process import Server, statefun

if TYPE_CHECKING:
    from pathlib import Path

FUNCTIONS = """
from statefun import StatefulFunctions
functions = StatefulFunctions()
@functions.bind("t/f")
def f(context, message):
    pass
"""
CONNECTORS = "kind: io.statefun.playground.v1/ingress\nspec: {port: 0}\n"
RUN = ("run", "m.yaml", "--functions", "f:functions", "--durability", "memory")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "f.py").write_text(FUNCTIONS)
    (tmp_path / "m.yaml").write_text(CONNECTORS)
    (tmp_path / "tokens").write_text("first\n\nsecond\n")
    (tmp_path / "wrong").write_text("third\n")
    return tmp_path


@pytest.mark.parametrize("command", [RUN, ("serve", "f:functions", "--port", "0")])
def test_nobody_beyond_this_machine_is_let_in_by_accident(
    command: tuple[str, ...], folder: Path
) -> None:
    """One line says what to pass."""
    done = statefun(*command, "--host", "0.0.0.0", cwd=folder)

    assert (done.code, done.out) == (1, "")
    assert done.err == (
        f"statefun {command[0]}: listening on 0.0.0.0 lets in everybody who reaches this machine: "
        "ask for tokens (--token-file), use TLS (--tls-cert), or allow it (--insecure; in a "
        "program, Access(is_insecure=True))\n"
    )


def test_whoever_sends_has_to_know_a_token(folder: Path) -> None:
    """Any of the file; on every port that is opened, but for the question whether it lives."""
    command = (*RUN, "--host", "0.0.0.0", "--token-file", "tokens", "--admin-port", "0")
    with Server(*command, cwd=folder) as server:
        send = ("send", "t/f", "1", "x", "--to", f"http://127.0.0.1:{server.ports['ingress']}")
        without = statefun(*send, cwd=folder)
        wrong = statefun(*send, "--token-file", "wrong", cwd=folder)
        right = statefun(*send, "--token-file", "tokens", cwd=folder)
        admin = f"http://127.0.0.1:{server.ports['admin']}"
        health = urllib.request.urlopen(f"{admin}/health").status
        with pytest.raises(urllib.error.HTTPError) as metrics:
            urllib.request.urlopen(f"{admin}/metrics")
        metrics.value.close()
        assert server.stop() == 0

    assert (without.code, wrong.code, right.code) == (1, 1, 0)
    assert "answered 401: this needs a token" in without.err
    assert (health, metrics.value.code) == (200, 401)


def test_a_runtime_can_be_reached_over_tls(folder: Path) -> None:
    """Its first line says so."""
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    issued.private_key_and_cert_chain_pem.write_to_path(str(folder / "both.pem"))
    context = ssl.create_default_context()
    authority.configure_trust(context)

    command = (*RUN, "--admin-port", "0", "--tls-cert", "both.pem")
    with Server(*command, cwd=folder) as server:
        url = f"https://127.0.0.1:{server.ports['admin']}/health"
        assert urllib.request.urlopen(url, context=context).status == 200
        assert server.stop() == 0


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--token-file", "gone"), "the file of tokens gone cannot be read: No such file"),
        (("--token-file", "empty"), "the file of tokens empty is empty: write one token a line"),
        (("--tls-cert", "tokens"), "cannot use the certificate tokens with the key tokens"),
        (("--tls-key", "tokens"), "a key or certificates of clients are of no use without"),
    ],
)
def test_files_that_cannot_be_used_are_a_clear_error(
    options: tuple[str, ...], sentence: str, folder: Path
) -> None:
    """Before anything listens."""
    (folder / "empty").write_text("\n")
    done = statefun("serve", "f:functions", "--port", "0", *options, cwd=folder)

    assert (done.code, done.out) == (1, "")
    assert done.err.startswith(f"statefun serve: {sentence}")


def test_functions_can_be_served_on_a_unix_socket(folder: Path) -> None:
    """At the path, which is removed in the end; a runtime finds it there."""
    path = folder / "f.sock"
    with Server("serve", "f:functions", "--unix", str(path), cwd=folder) as server:
        assert server.ready == f"statefun serve: http+unix://{path}/statefun answers for t/f"
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))
            client.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            with client.makefile("rb") as answer:
                assert answer.read().endswith(b"\r\n\r\nok\n")
        assert server.stop() == 0

    assert not path.exists()
