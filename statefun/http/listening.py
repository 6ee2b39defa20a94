"""Listening on a host and a port, and the error of a port that cannot be had."""

from __future__ import annotations

import os
import socket
from typing import Final

from statefun.errors import ConfigurationError

__all__ = ["BACKLOG", "LAST_PORT", "cannot_listen", "listen"]

BACKLOG: Final = 2048
"""So many connections wait to be accepted."""

LAST_PORT: Final = 65535


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens.

    Args:
        host: The name or the address of a network interface.
        port: The port; 0 for any that is free.

    Raises:
        ConfigurationError: If the port is taken, may not be used, or does not exist.
    """
    if not 0 <= port <= LAST_PORT:
        raise ConfigurationError(
            f"cannot listen on port {port}: choose one of 0 to {LAST_PORT}",
            option="port",
            given=str(port),
        )
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        raise cannot_listen(host, port, error) from error


def cannot_listen(host: str, port: int, error: OSError) -> ConfigurationError:
    """The error for a host and a port that cannot be listened on."""
    reason = os.strerror(error.errno) if error.errno and error.errno > 0 else str(error)
    advice = "stop what uses the port, or choose another one"
    if isinstance(error, socket.gaierror):
        reason, advice = str(error.strerror), "write the name or the address of this host"
    where = f"{host}:{port}"
    return ConfigurationError(
        f"cannot listen on {where}: {reason}; {advice}", option="port", given=where
    )
