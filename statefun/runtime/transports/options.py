"""Options of the transports: how functions behind HTTP are called, and patterns that name them.

Law: plain values. Nothing here opens a connection or needs a library; only `TlsFiles.context` and
`file_path` read files.

Source:
    `trust_cacerts`, `client_cert`, `client_key` and `client_key_password` of the transport
    `io.statefun.transports.v1/async` of Flink Stateful Functions. Different from there, the name of
    the host is checked against the certificate of the server.
"""

from __future__ import annotations

import re
import ssl
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from statefun.errors import ConfigurationError, InvalidTypenameError
from statefun.sdk.address import TypenamePattern, parse_engine_typename

__all__ = [
    "NO_NAMES",
    "PLACEHOLDER",
    "SOCKET",
    "SOCKET_SCHEMES",
    "HttpOptions",
    "TlsFiles",
    "file_path",
    "parse_functions",
    "parse_url_template",
]

PLACEHOLDER: Final = "{function.name}"
SOCKET: Final = re.compile(r"/.*?\.sock(?=/|$)")
SOCKET_SCHEMES: Final = ("http+unix", "https+unix")
NO_NAMES: Final = (".", "..")
_BRACES: Final = re.compile(r"\{[^{}]*\}?|\}")


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """Paths of PEM files, each None if there is none.

    Attributes:
        trust_cacerts: The certificates that are trusted; None for those the system trusts.
        client_cert: The certificate to show, followed by those that lead to a trusted one.
        client_key: Its private key.
        client_key_password: A file that holds the password of that key.
    """

    trust_cacerts: str | None = None
    client_cert: str | None = None
    client_key: str | None = None
    client_key_password: str | None = None

    def context(self) -> ssl.SSLContext:
        """The context of a TLS connection.

        Raises:
            ConfigurationError: If a file cannot be read, or they do not go together.
        """
        if (self.client_cert is None) is not (self.client_key is None):
            there, missing = "client_cert", "client_key"
            if self.client_cert is None:
                there, missing = missing, there
            raise ConfigurationError(
                f"{there} needs {missing} too: write '{missing}: <path of a PEM file>'",
                option=missing,
            )
        context = self._trusting()
        if self.client_cert is not None:
            self._show_certificate(context, self.client_cert)
        return context

    def _trusting(self) -> ssl.SSLContext:
        try:
            return ssl.create_default_context(cafile=self.trust_cacerts)
        except OSError as error:
            raise ConfigurationError(
                f"trust_cacerts {self.trust_cacerts!r} cannot be used: {_reason(error)}; it must "
                "be a PEM file of certificates",
                option="trust_cacerts",
                given=self.trust_cacerts,
            ) from error

    def _show_certificate(self, context: ssl.SSLContext, client_cert: str) -> None:
        try:
            context.load_cert_chain(client_cert, self.client_key, self._password)
        except OSError as error:
            raise ConfigurationError(
                f"client_cert {client_cert!r} cannot be used with client_key {self.client_key!r}: "
                f"{_reason(error)}; both must be PEM files that belong together, and "
                "client_key_password a file with the password of the key, if it has one",
                option="client_cert",
                given=client_cert,
            ) from error

    def _password(self) -> bytes:
        """The password; asked for only if the key has one, and empty if there is no file of it."""
        if self.client_key_password is None:
            return b""
        try:
            return Path(self.client_key_password).read_bytes().rstrip(b"\r\n")
        except OSError as error:
            raise ConfigurationError(
                f"client_key_password {self.client_key_password!r} cannot be read: "
                f"{_reason(error)}; it must be a file that holds the password",
                option="client_key_password",
                given=self.client_key_password,
            ) from error


@dataclass(frozen=True, slots=True)
class HttpOptions:
    """How the functions of an endpoint are called; the defaults are the engine's own.

    Attributes:
        call: How long one call may take from beginning to end.
        connect: How long to wait for a connection.
        read: How long to wait for the next byte of an answer; None for as long as `call`.
        pool_size: How many calls may be made at once, each on a connection of its own; others wait
            for their turn, before their time begins.
        pool_ttl: How long an idle connection is kept; nothing to keep none.
        payload_max_bytes: The size of the largest answer that is read.
        tls: The certificates to trust and to show; None to trust those of the system.

    Source:
        Transport `io.statefun.transports.v1/async` of Flink Stateful Functions.
    """

    call: timedelta = timedelta(minutes=2)
    connect: timedelta = timedelta(seconds=20)
    read: timedelta | None = None
    pool_size: int = 1024
    pool_ttl: timedelta = timedelta(seconds=15)
    payload_max_bytes: int = 33_554_432
    tls: TlsFiles | None = None


def parse_functions(functions: str) -> TypenamePattern:
    """The functions that an endpoint serves.

    Raises:
        ConfigurationError: If it is neither `namespace/name` nor `namespace/*`.
    """
    try:
        pattern = TypenamePattern.parse(parse_engine_typename(functions))
        is_valid = "*" not in f"{pattern.namespace}{pattern.name}" and pattern.name not in NO_NAMES
    except InvalidTypenameError:
        is_valid = False
    if not is_valid:
        raise ConfigurationError(
            f"functions {functions!r} is neither 'namespace/name' nor 'namespace/*': "
            "write for example 'com.example/greeter' or 'com.example/*'",
            option="functions",
            given=functions,
        )
    return pattern


def parse_url_template(template: str) -> str:
    """Check an `urlPathTemplate`, and return it without its fragment.

    Raises:
        ConfigurationError: If it is not a URL of a known scheme, or has an unknown placeholder.
    """
    for braces in _BRACES.findall(template):
        if braces != PLACEHOLDER:
            raise ConfigurationError(
                f"urlPathTemplate {template!r} has the unknown placeholder {braces!r}: "
                f"only {PLACEHOLDER!r} is replaced",
                option="urlPathTemplate",
                given=template,
            )
    if not _is_url(template.replace(PLACEHOLDER, "name")):
        raise ConfigurationError(
            f"urlPathTemplate {template!r} is not a URL that can be called: write for example "
            "'http://localhost:8000/statefun' or 'http+unix:///path/to.sock/statefun'",
            option="urlPathTemplate",
            given=template,
        )
    return template.partition("#")[0]


def _is_url(url: str) -> bool:
    if not url.isprintable() or " " in url:
        return False
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises if it is not a number
    except ValueError:
        return False
    if parts.scheme in SOCKET_SCHEMES:
        return SOCKET.match(parts.path) is not None
    return parts.scheme in ("http", "https") and bool(parts.hostname)


def file_path(location: str) -> str:
    """The path that a location means: a path, or a URL `file:`.

    Raises:
        ConfigurationError: If it is something else, or there is no such file.
    """
    if location.startswith("classpath:"):
        raise ConfigurationError(
            f"{location!r} is on a class path, and there is none here: write the path of a file",
            given=location,
        )
    is_url = location.startswith("file:")
    path = unquote(urlsplit(location).path) if is_url else location
    if not Path(path).is_file():
        raise ConfigurationError(f"there is no file {path!r}: correct the path", given=path)
    return path


def _reason(error: OSError) -> str:
    """The reason, without the error number that Python puts before it."""
    return error.strerror or str(error)
