"""Options of the commands that listen: which clients may connect, and how many at a time."""

from __future__ import annotations

import resource
from typing import TYPE_CHECKING, Final

from statefun.http import AccessFiles

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

__all__ = ["access_files", "add_access", "allow_connections"]

_CONNECTIONS: Final = 65_536


def add_access(parser: ArgumentParser) -> None:
    """The options that say who may reach a server."""
    group = parser.add_argument_group("access", "who may reach it beyond this machine")
    group.add_argument(
        "--tls-cert", metavar="FILE", help="serve over TLS with this certificate chain, in PEM"
    )
    group.add_argument(
        "--tls-key", metavar="FILE", help="its private key, in PEM, if it is in another file"
    )
    group.add_argument(
        "--tls-client-ca",
        metavar="FILE",
        help="let in only clients with a certificate signed by one of these, in PEM",
    )
    group.add_argument(
        "--token-file",
        metavar="FILE",
        help="let in only requests with 'Authorization: Bearer TOKEN' for a token of this file, "
        "which has one on each line",
    )
    group.add_argument(
        "--insecure",
        action="store_true",
        help="listen beyond this machine with neither TLS nor tokens",
    )


def access_files(arguments: Namespace) -> AccessFiles:
    """The access to a server, by its options."""
    return AccessFiles(
        arguments.tls_cert,
        arguments.tls_key,
        arguments.tls_client_ca,
        arguments.token_file,
        arguments.insecure,
    )


def allow_connections() -> None:
    """Take as many connections as this process may have; shells allow far fewer by default."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _CONNECTIONS if hard == resource.RLIM_INFINITY else min(_CONNECTIONS, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
