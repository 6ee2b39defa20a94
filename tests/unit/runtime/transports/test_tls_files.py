"""Calls over TLS: to a real server, with certificates made here."""

from __future__ import annotations

import ssl
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import trustme
from aiohttp import web
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from statefun.errors import ConfigurationError, TransportError
from statefun.modulefiles.module import read_modules
from statefun.runtime.transports.http import HttpEndpoint
from statefun.runtime.transports.options import HttpOptions, TlsFiles, file_path

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

OCTETS = "application/octet-stream"


class Files:
    """Certificates of two authorities, as files."""

    def __init__(self, folder: Path) -> None:
        self.authority, self.stranger = trustme.CA(), trustme.CA()
        self.folder = folder
        self.trusted = self.write("ca.pem", self.authority.cert_pem.bytes())
        self.not_trusted = self.write("stranger.pem", self.stranger.cert_pem.bytes())
        self.server = self.authority.issue_cert("localhost")
        client = self.authority.issue_cert("client@example.com")
        self.cert = self.write("client.pem", b"".join(p.bytes() for p in client.cert_chain_pems))
        key = client.private_key_pem.bytes()
        self.key = self.write("client.key", key)
        self.locked_key = self.write(
            "locked.key",
            load_pem_private_key(key, None).private_bytes(
                Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret")
            ),
        )
        self.password = self.write("password", b"secret\n")
        self.wrong_password = self.write("wrong", b"other")
        strange_client = self.stranger.issue_cert("client@example.com")
        self.strange_cert = self.write("s.pem", strange_client.cert_chain_pems[0].bytes())
        self.strange_key = self.write("s.key", strange_client.private_key_pem.bytes())

    def write(self, name: str, content: bytes) -> str:
        path = self.folder / name
        path.write_bytes(content)
        return str(path)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return Files(tmp_path_factory.mktemp("tls"))


@asynccontextmanager
async def serving(files: Files, *, asks_for_certificate: bool) -> AsyncIterator[str]:
    """A TLS server that answers with whom it was called by, and its URL."""

    async def answer(request: web.BaseRequest) -> web.Response:
        assert request.transport is not None
        shown = request.transport.get_extra_info("peercert")
        name = dict(shown["subjectAltName"])["email"] if shown else "nobody"
        return web.Response(body=name.encode(), headers={"Content-Type": OCTETS})

    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    files.server.configure_cert(context)
    if asks_for_certificate:
        context.verify_mode = ssl.CERT_REQUIRED
        files.authority.configure_trust(context)
    runner = web.ServerRunner(web.Server(answer))
    await runner.setup()
    await web.TCPSite(runner, "localhost", 0, ssl_context=context).start()
    try:
        yield f"https://localhost:{runner.addresses[0][1]}/"
    finally:
        await runner.cleanup()


async def call(url: str, tls: TlsFiles | None) -> bytes:
    endpoint = HttpEndpoint("a/*", url, options=HttpOptions(tls=tls))
    try:
        return await endpoint.transport("a/b").invoke(b"request")
    finally:
        await endpoint.close()


async def test_a_server_of_a_trusted_authority_is_called(files: Files) -> None:
    """`trust_cacerts` says whom to trust, in place of what the system trusts."""
    async with serving(files, asks_for_certificate=False) as url:
        assert await call(url, TlsFiles(files.trusted)) == b"nobody"


@pytest.mark.parametrize("trusts", ["the system's", "another"])
async def test_a_server_of_another_authority_is_not_called(files: Files, trusts: str) -> None:
    """A certificate that is not trusted ends the call before the request is sent."""
    tls = None if trusts == "the system's" else TlsFiles(files.not_trusted)

    async with serving(files, asks_for_certificate=False) as url:
        with pytest.raises(TransportError, match="certificate verify failed") as caught:
            await call(url, tls)

    assert not caught.value.connected


async def test_a_server_with_another_name_is_not_called(files: Files) -> None:
    """The certificate has to be for the host that is called."""
    async with serving(files, asks_for_certificate=False) as url:
        with pytest.raises(TransportError, match="certificate verify failed"):
            await call(url.replace("localhost", "127.0.0.1"), TlsFiles(files.trusted))


@pytest.mark.parametrize("is_locked", [False, True])
async def test_a_client_shows_its_certificate(files: Files, *, is_locked: bool) -> None:
    """With `client_cert` and `client_key` the server knows who calls; the key may be encrypted."""
    key = (files.locked_key, files.password) if is_locked else (files.key, None)

    async with serving(files, asks_for_certificate=True) as url:
        answer = await call(url, TlsFiles(files.trusted, files.cert, *key))

    assert answer == b"client@example.com"


@pytest.mark.parametrize("shows", ["nothing", "a stranger's"])
async def test_a_client_that_is_not_trusted_gets_no_answer(files: Files, shows: str) -> None:
    """A server that asks for a certificate refuses a client without the right one."""
    pair = (None, None) if shows == "nothing" else (files.strange_cert, files.strange_key)

    async with serving(files, asks_for_certificate=True) as url:
        with pytest.raises(TransportError):
            await call(url, TlsFiles(files.trusted, *pair))


async def test_a_module_file_names_the_files(files: Files) -> None:
    """The transport's locations are paths, or URLs of files; what they say is what is done."""
    module = files.folder / "module.yaml"
    async with serving(files, asks_for_certificate=True) as url:
        module.write_text(
            f"kind: io.statefun.endpoints.v2/http\n"
            f"spec:\n"
            f"  functions: a/*\n"
            f"  urlPathTemplate: {url}\n"
            f"  transport:\n"
            f"    trust_cacerts: {files.trusted}\n"
            f"    client_cert: file://{files.cert}\n"
            f"    client_key: file:{files.locked_key}\n"
            f"    client_key_password: {files.password}\n"
        )
        reading = read_modules([str(module)])
        assert (reading.errors, reading.warnings) == ((), ())
        [spec] = reading.module.endpoints
        endpoint = HttpEndpoint(spec.functions, spec.url_path_template, options=spec.options())
        try:
            assert await endpoint.transport("a/b").invoke(b"x") == b"client@example.com"
        finally:
            await endpoint.close()


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        (
            ["trust_cacerts: missing.pem"],
            "6: 'transport.trust_cacerts': there is no file 'missing.pem': correct the path",
        ),
        (
            ["trust_cacerts: classpath:ca.pem"],
            (
                "6: 'transport.trust_cacerts': 'classpath:ca.pem' is on a class path, and there is "
                "none here: write the path of a file"
            ),
        ),
        (
            ["trust_cacerts: password"],
            (
                "5: 'transport': trust_cacerts 'password' cannot be used: [X509: "
                "NO_CERTIFICATE_OR_CRL_FOUND] no certificate or crl found (_ssl.c:4149); it must "
                "be a PEM file of certificates"
            ),
        ),
        (
            ["client_cert: client.pem"],
            (
                "5: 'transport': client_cert needs client_key too: write 'client_key: <path of a "
                "PEM file>'"
            ),
        ),
        (
            ["client_cert: client.pem", "client_key: s.key"],
            "5: 'transport': client_cert 'client.pem' cannot be used with client_key 's.key'",
        ),
        (
            ["client_cert: client.pem", "client_key: locked.key"],
            "5: 'transport': client_cert 'client.pem' cannot be used with client_key 'locked.key'",
        ),
        (
            [
                "client_cert: client.pem",
                "client_key: locked.key",
                "client_key_password: wrong",
            ],
            "5: 'transport': client_cert 'client.pem' cannot be used with client_key 'locked.key'",
        ),
    ],
)
def test_files_that_do_not_do_are_named(
    files: Files, lines: list[str], problem: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each problem says the line, the file and what it must be."""
    monkeypatch.chdir(files.folder)
    text = "kind: io.statefun.endpoints.v2/http\nspec:\n  functions: a/*\n"
    text += "  urlPathTemplate: https://localhost\n  transport:\n"
    Path("m.yaml").write_text(text + "".join(f"    {line}\n" for line in lines))

    [error] = read_modules(["m.yaml"]).errors

    assert (
        str(error).split(" (_ssl")[0].startswith(f"m.yaml:{problem.split(' (_ssl', maxsplit=1)[0]}")
    )


def test_a_password_that_cannot_be_read_is_named(files: Files) -> None:
    """The location of a password is that of a file."""
    tls = TlsFiles(None, files.cert, files.locked_key, str(files.folder))

    with pytest.raises(ConfigurationError) as caught:
        tls.context()

    assert str(caught.value) == (
        f"client_key_password {str(files.folder)!r} cannot be read: Is a directory; it must be a "
        "file that holds the password"
    )


def test_a_url_of_a_file_is_its_path(tmp_path: Path) -> None:
    """Escapes in a URL are those of URLs; a path has none."""
    path = tmp_path / "a b"
    path.touch()

    assert file_path(f"file://{tmp_path}/a%20b") == str(path)
    assert file_path(str(path)) == str(path)
