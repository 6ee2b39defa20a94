"""Access: who may reach a server, and over which wire."""

from __future__ import annotations

import hmac
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from statefun.errors import ConfigurationError

if TYPE_CHECKING:
    from statefun.http.messages import Request

__all__ = [
    "Access",
    "AccessFiles",
    "Authorize",
    "bearer_tokens",
    "is_loopback",
    "server_tls",
    "token_lines",
]

Authorize: TypeAlias = Callable[["Request"], bool]
"""Whether a request is allowed. It is asked when the head has come, before the body is read."""


@dataclass(frozen=True, slots=True)
class Access:
    """Who may reach a server. By default: whoever is on this machine.

    Attributes:
        tls: The TLS context; see `server_tls`. None for plain HTTP.
        authorize: Whether a request is allowed; None for any. Others are answered 401.
        open_paths: Paths that need no authorization.
        is_insecure: Whether the server may listen beyond this machine with neither TLS nor
            authorization.
    """

    tls: ssl.SSLContext | None = None
    authorize: Authorize | None = None
    open_paths: frozenset[str] = frozenset({"/health"})
    is_insecure: bool = False

    def allows(self, request: Request) -> bool:
        """Whether a request is allowed."""
        if self.authorize is None or self.authorize(request):
            return True
        return request.method in ("GET", "HEAD") and request.path in self.open_paths

    def check(self, host: str) -> None:
        """Check that a server with this access may listen on an address.

        Args:
            host: The address that is listened on, in numbers; empty for a Unix domain socket.

        Raises:
            ConfigurationError: If it can be reached from beyond this machine, and nobody has said
                who may.
        """
        is_open = self.tls is None and self.authorize is None and not self.is_insecure
        if is_open and host and not is_loopback(host):
            raise ConfigurationError(
                f"listening on {host} lets in everybody who reaches this machine: ask for tokens "
                "(--token-file), use TLS (--tls-cert), or allow it (--insecure; in a program, "
                "Access(is_insecure=True))",
                option="host",
                given=host,
            )


@dataclass(frozen=True, slots=True)
class AccessFiles:
    """The files that say who may reach a server; unlike `Access` it travels to other processes.

    Attributes:
        certificate: See `server_tls`; None for plain HTTP.
        key: See `server_tls`; None if the key is in the file of the certificate.
        client_ca: See `server_tls`.
        tokens: A file with a bearer token on each line; None to ask for none.
        is_insecure: See `Access`.
    """

    certificate: str | None = None
    key: str | None = None
    client_ca: str | None = None
    tokens: str | None = None
    is_insecure: bool = False

    def open(self) -> Access:
        """Read the files.

        Raises:
            ConfigurationError: If a file cannot be read, they do not go together, or there is a key
                without a certificate.
        """
        tls = None
        if self.certificate is not None:
            tls = server_tls(self.certificate, self.key or self.certificate, self.client_ca)
        elif self.key is not None or self.client_ca is not None:
            raise ConfigurationError(
                "a key or certificates of clients are of no use without a certificate of the "
                "server: pass its file, too (--tls-cert)",
                option="certificate",
            )
        authorize = None if self.tokens is None else bearer_tokens(*token_lines(self.tokens))
        return Access(tls, authorize, is_insecure=self.is_insecure)


def token_lines(path: str) -> list[str]:
    """The tokens in a file, at least one.

    Raises:
        ConfigurationError: If it cannot be read, or has none.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not text"
        raise ConfigurationError(
            f"the file of tokens {path} cannot be read: {reason}; write one token a line",
            option="tokens",
            given=str(path),
        ) from error
    tokens = [line.strip() for line in text.splitlines() if line.strip()]
    if not tokens:
        raise ConfigurationError(
            f"the file of tokens {path} is empty: write one token a line",
            option="tokens",
            given=str(path),
        )
    return tokens


def is_loopback(host: str) -> bool:
    """Whether an address, in numbers, is reached from this machine only."""
    return ip_address(host.partition("%")[0]).is_loopback


def bearer_tokens(*tokens: str) -> Authorize:
    """Allow requests with `Authorization: Bearer TOKEN`, for any of some tokens.

    Args:
        tokens: Several make a change without an interruption possible.

    Raises:
        ConfigurationError: If there is none, or one cannot be sent in a header field.

    Source:
        RFC 6750, 2.1.
    """
    if not tokens or not all(each.isascii() and each.isprintable() and each for each in tokens):
        raise ConfigurationError(
            "a bearer token is one or more printable ASCII characters: write one token a line",
            option="tokens",
        )
    known = [each.encode() for each in tokens]

    def authorize(request: Request) -> bool:
        scheme, _, token = (request.header("authorization") or "").partition(" ")
        given = token.strip().encode(errors="surrogateescape")
        # Each is compared, in constant time: how long it takes tells nothing about a token.
        matches = [hmac.compare_digest(given, each) for each in known]
        return scheme.lower() == "bearer" and any(matches)

    return authorize


def server_tls(certificate: str, key: str, client_ca: str | None = None) -> ssl.SSLContext:
    """A TLS context for a server.

    Args:
        certificate: A file with the certificate and those between it and the root, in PEM.
        key: A file with the private key, in PEM, without a password.
        client_ca: A file with the certificates, in PEM, that clients must be signed by; None if
            clients need no certificate.

    Raises:
        ConfigurationError: If a file cannot be read, or they do not go together.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    try:
        # An empty password: OpenSSL would ask the terminal for one.
        context.load_cert_chain(certificate, key, password="")
    except (OSError, ValueError) as error:
        raise _unusable(f"the certificate {certificate} with the key {key}", error) from error
    if client_ca is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        try:
            context.load_verify_locations(client_ca)
        except (OSError, ValueError) as error:
            raise _unusable(f"the certificates of clients {client_ca}", error) from error
    return context


def _unusable(files: str, error: Exception) -> ConfigurationError:
    reason = getattr(error, "strerror", None) or str(error)
    return ConfigurationError(
        f"cannot use {files}: {reason}; write files in PEM that belong together", given=files
    )
