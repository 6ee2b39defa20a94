"""Files for calls over TLS: whom to trust, and with what to prove who is calling.

Source:
    `trust_cacerts`, `client_cert`, `client_key` and `client_key_password` of the transport
    `io.statefun.transports.v1/async` of Flink Stateful Functions. Different from there, the name of
    the host is checked against the certificate of the server.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from statefun.errors import ConfigurationError

__all__ = ["TlsFiles", "file_path"]


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
        """What a connection needs to know.

        Raises:
            ConfigurationError: If a file cannot be read, or they do not go together.
        """
        if (self.client_cert is None) is not (self.client_key is None):
            there, missing = "client_cert", "client_key"
            if self.client_cert is None:
                there, missing = missing, there
            raise ConfigurationError(
                f"{there} needs {missing} too: write '{missing}: <path of a PEM file>'"
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
                "be a PEM file of certificates"
            ) from error

    def _show_certificate(self, context: ssl.SSLContext, client_cert: str) -> None:
        try:
            context.load_cert_chain(client_cert, self.client_key, self._password)
        except OSError as error:
            raise ConfigurationError(
                f"client_cert {client_cert!r} cannot be used with client_key {self.client_key!r}: "
                f"{_reason(error)}; both must be PEM files that belong together, and "
                "client_key_password a file with the password of the key, if it has one"
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
                f"{_reason(error)}; it must be a file that holds the password"
            ) from error


def file_path(location: str) -> str:
    """The path that a location means: a path, or a URL `file:`.

    Raises:
        ConfigurationError: If it is something else, or there is no such file.
    """
    if location.startswith("classpath:"):
        raise ConfigurationError(
            f"{location!r} is on a class path, and there is none here: write the path of a file"
        )
    is_url = location.startswith("file:")
    path = unquote(urlsplit(location).path) if is_url else location
    if not Path(path).is_file():
        raise ConfigurationError(f"there is no file {path!r}: correct the path")
    return path


def _reason(error: OSError) -> str:
    """What is wrong, without the error number that Python puts before it."""
    return error.strerror or str(error)
