"""A server: where it listens, who may connect, and who is told to come later."""

from __future__ import annotations

import asyncio
import socket
import ssl
import stat
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
import trustme

from statefun.errors import ConfigurationError
from statefun.http import (
    Access,
    HttpServer,
    ServerLimits,
    bearer_tokens,
    server_tls,
    text_response,
)
from tests.unit.http.raw import Client, Served, echo, request, serving, until

if TYPE_CHECKING:
    from pathlib import Path

    from statefun.http import Request, Response

HELLO = request("PUT / HTTP/1.1", body=b"hello")


# --- where ----------------------------------------------------------------------------------------


async def test_a_port_that_is_taken_is_a_clear_error() -> None:
    """It says what to do."""
    async with serving(echo) as served:
        other = HttpServer(echo, port=served.server.port)
        with pytest.raises(ConfigurationError) as caught:
            await other.start()
        await other.stop()

    assert str(caught.value) == (
        f"cannot listen on 127.0.0.1:{served.server.port}: Address already in use; stop what uses "
        "the port, or choose another one"
    )


async def test_a_unix_socket_is_for_this_user_alone(tmp_path: Path) -> None:
    """It is made at the path, and removed in the end."""
    path = tmp_path / "socket"
    async with serving(echo, unix=str(path)):
        mode = stat.S_IMODE(path.stat().st_mode)
        client = Client(*await asyncio.open_unix_connection(str(path)))
        await client.send(HELLO)
        answer = await client.hear()
        client.writer.close()

    assert (mode, answer.body, path.exists()) == (0o600, b"hello", False)


async def test_a_unix_socket_that_nobody_listens_on_is_replaced(tmp_path: Path) -> None:
    """A process that was killed leaves one; that of a process that runs is not taken."""
    path = tmp_path / "socket"
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))

    async with serving(echo, unix=str(path)):
        other = HttpServer(echo, unix=str(path))
        with pytest.raises(ConfigurationError) as caught:
            await other.start()
        await other.stop()
        still_there = path.exists()

    assert still_there
    assert str(caught.value) == (
        f"cannot listen on {path}: Address already in use; stop what uses the path, or choose "
        "another one"
    )


async def test_a_file_that_is_not_a_socket_is_left_alone(tmp_path: Path) -> None:
    """The path may have been a mistake."""
    path = tmp_path / "data"
    path.write_text("precious")

    with pytest.raises(ConfigurationError):
        await HttpServer(echo, unix=str(path)).start()

    assert path.read_text() == "precious"


async def test_a_socket_that_listens_already_can_be_used() -> None:
    """Several processes may share one."""
    listener = socket.create_server(("127.0.0.1", 0))
    async with serving(echo, listener=listener) as served:
        assert served.server.port == listener.getsockname()[1]
        assert (await served.ask(HELLO)).body == b"hello"


def test_a_missing_library_names_the_extra_that_brings_it() -> None:
    """The room can be imported without it."""
    code = (
        "import sys; sys.modules['httptools'] = None\n"
        "from statefun.http import HttpServer\n"
        "try: HttpServer(print)\n"
        "except ModuleNotFoundError as error: print(error)"
    )
    shown = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)

    assert shown.stdout == "listening for HTTP needs httptools: pip install 'statefun[runtime]'\n"


# --- who ------------------------------------------------------------------------------------------


async def test_nobody_beyond_this_machine_is_let_in_by_accident() -> None:
    """Listening elsewhere takes TLS, tokens, or a word that it is meant."""
    with pytest.raises(ConfigurationError) as caught:
        await HttpServer(echo, "0.0.0.0").start()

    assert str(caught.value) == (
        "listening on 0.0.0.0 lets in everybody who reaches this machine: ask for tokens "
        "(--token-file), use TLS (--tls-cert), or allow it (--insecure; in a program, "
        "Access(is_insecure=True))"
    )


@pytest.mark.parametrize(
    "access",
    [
        Access(is_insecure=True),
        Access(authorize=bearer_tokens("secret")),
        Access(tls=ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)),
    ],
    ids=["meant", "tokens", "TLS"],
)
async def test_a_server_with_a_lock_may_listen_anywhere(access: Access) -> None:
    """Each of them is enough; on this machine none is needed."""
    for host, chosen in (("0.0.0.0", access), ("127.0.0.1", None), ("::1", None)):
        server = HttpServer(echo, host, access=chosen)
        await server.start()
        await server.stop()


@pytest.mark.parametrize(
    ("field", "status"),
    [
        ("Authorization: Bearer secret", 200),
        ("authorization: bearer  other", 200),
        ("Authorization: Bearer wrong", 401),
        ("Authorization: Bearer \xff", 401),
        ("Authorization: Basic secret", 401),
        ("Authorization: Bearer", 401),
        ("X-Nothing: 1", 401),
    ],
)
async def test_a_request_needs_one_of_the_tokens(field: str, status: int) -> None:
    """It is refused by its head: its body is not waited for."""
    access = Access(authorize=bearer_tokens("secret", "other"))
    head = request("PUT / HTTP/1.1", "Content-Length: 5", field)
    async with serving(echo, access=access) as served:
        client = await served.connect()
        await client.send(head + (b"hello" if status == 200 else b""))
        answer = await client.hear()

    assert answer.status == status
    if status == 401:
        assert answer.fields["WWW-Authenticate"] == "Bearer"
        assert b"send the header field 'Authorization: Bearer TOKEN'" in answer.body


async def test_whether_it_lives_may_be_asked_without_a_token() -> None:
    """Whoever watches over processes has none; nothing else may be done."""
    access = Access(authorize=bearer_tokens("secret"))
    async with serving(lambda _: text_response(200, "ok"), access=access) as served:
        lines = ("GET /health HTTP/1.1", "HEAD /health HTTP/1.1", "PUT /health HTTP/1.1")
        client = [await served.connect() for _ in lines]
        for each, line in zip(client, lines, strict=True):
            await each.send(request(line))
        statuses = [(await each.hear(has_body=False)).status for each in client]

    assert statuses == [200, 200, 401]


@pytest.mark.parametrize("tokens", [(), ("",), ("a\n",), ("é",)])
def test_a_token_that_nobody_can_send_is_a_clear_error(tokens: tuple[str, ...]) -> None:
    """An empty file of tokens must not let anybody in."""
    with pytest.raises(ConfigurationError, match="one or more printable ASCII characters"):
        bearer_tokens(*tokens)


# --- TLS ------------------------------------------------------------------------------------------


class Keys:
    """Certificates of an authority that a test trusts, in files."""

    def __init__(self, folder: Path) -> None:
        self.authority = trustme.CA()
        self.ca = str(folder / "ca.pem")
        self.authority.cert_pem.write_to_path(self.ca)
        issued = self.authority.issue_cert("127.0.0.1")
        self.certificate, self.key = str(folder / "cert.pem"), str(folder / "key.pem")
        issued.cert_chain_pems[0].write_to_path(self.certificate)
        issued.private_key_pem.write_to_path(self.key)

    def client(self, *, has_certificate: bool = False) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=self.ca)
        if has_certificate:
            self.authority.issue_cert("client@example.com").configure_cert(context)
        return context


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    return Keys(tmp_path)


async def test_requests_come_over_tls(keys: Keys) -> None:
    """One after another, at once, and longer than a record; without it there is no answer."""
    access = Access(tls=server_tls(keys.certificate, keys.key))
    long = request("PUT / HTTP/1.1", body=bytes(1 << 20))
    async with serving(echo, access=access) as served:
        client = await served.connect(keys.client())
        await client.send(HELLO * 3)
        assert [(await client.hear()).body for _ in range(3)] == [b"hello"] * 3
        await client.send(long)
        assert len((await client.hear()).body) == 1 << 20
        await client.send(b"nonsense\r\n\r\n")
        assert (await client.hear()).status == 400

        plain = await served.connect()
        await plain.send(HELLO)
        assert not (await plain.rest()).startswith(b"HTTP")


async def test_a_long_answer_over_tls_is_noticed_when_it_has_left(keys: Keys) -> None:
    """As it is without."""
    told: list[bool] = []
    access = Access(tls=server_tls(keys.certificate, keys.key))

    def handler(_: Request) -> Response:
        return text_response(200, "x" * (4 << 20))._replace(sent=told.append)

    async with serving(handler, access=access) as served:
        client = await served.connect(keys.client())
        await client.send(HELLO + HELLO)
        assert [len((await client.hear()).body) for _ in range(2)] == [(4 << 20) + 1] * 2
        await until(lambda: len(told) == 2)

    assert told == [True, True]


async def test_clients_can_be_asked_for_a_certificate(keys: Keys) -> None:
    """Whoever has none of the authority is not heard; a handler can see whose it is."""
    access = Access(tls=server_tls(keys.certificate, keys.key, keys.ca))

    def handler(request: Request) -> Response:
        return text_response(200, str("subject" in request.peer_info("peercert")))

    async with serving(handler, access=access) as served:
        client = await served.connect(keys.client(has_certificate=True))
        await client.send(HELLO)
        assert (await client.hear()).body == b"True\n"

        with pytest.raises((ssl.SSLError, ConnectionError, asyncio.IncompleteReadError)):
            await served_without_certificate(served, keys)


async def served_without_certificate(served: Served, keys: Keys) -> None:
    client = await served.connect(keys.client())
    await client.send(HELLO)
    await client.hear()


@pytest.mark.parametrize("is_missing", [True, False])
def test_files_that_do_not_go_together_are_a_clear_error(keys: Keys, *, is_missing: bool) -> None:
    """It names them."""
    key = "/nowhere.pem" if is_missing else keys.certificate

    with pytest.raises(ConfigurationError, match=r"cannot use the certificate .*cert.pem with the"):
        server_tls(keys.certificate, key)
    with pytest.raises(ConfigurationError, match="cannot use the certificates of clients"):
        server_tls(keys.certificate, keys.key, "/nowhere.pem" if is_missing else keys.key)


# --- limits ---------------------------------------------------------------------------------------


async def test_a_connection_too_many_is_told_to_come_later() -> None:
    """Those that are there go on; when one has left another may come."""
    async with serving(echo, limits=ServerLimits(max_connections=2)) as served:
        there = [await served.connect() for _ in range(2)]
        await until(lambda: len(served.connections) == 2)
        more = await served.connect()
        answer = await more.hear()
        assert await more.rest() == b""
        for each in there:
            await each.send(HELLO)
            assert (await each.hear()).status == 200
        there[0].writer.close()
        await until(lambda: len(served.connections) == 1)

        assert (await served.ask(HELLO)).status == 200
    assert (answer.status, answer.fields["Retry-After"]) == (503, "1")


async def test_a_server_leaves_the_limit_of_open_files_alone() -> None:
    """It belongs to the program, not to a library."""
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    async with serving(echo) as served:
        await served.ask(HELLO)

        assert resource.getrlimit(resource.RLIMIT_NOFILE) == before


async def test_a_server_that_has_not_started_can_be_stopped() -> None:
    """Whoever cleans up need not ask."""
    await HttpServer(echo).stop()
