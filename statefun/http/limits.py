"""How much a client may ask of a server."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["ServerLimits"]


@dataclass(frozen=True, slots=True)
class ServerLimits:
    """How much a client may ask of a server. Who exceeds it is told so.

    Attributes:
        max_body_bytes: The longest body, decompressed; None for any.
        max_decompressed_bytes: The longest body that comes compressed, decompressed, if
            `max_body_bytes` is None: a few bytes can stand for very many.
        max_unfinished_bytes: The most bytes of unfinished bodies over all connections, besides the
            first 64 KiB of each.
        max_head_bytes: The longest head of a request.
        max_header_fields: The most header fields of a request.
        max_connections: The most connections at a time.
        idle_timeout_s: A connection is closed after so many seconds without a request, within a
            head, or without a byte of a body.
        write_timeout_s: A client that takes no byte of its answer for so many seconds is sent away.
    """

    max_body_bytes: int | None = 32 << 20
    max_decompressed_bytes: int = 256 << 20
    max_unfinished_bytes: int = 256 << 20
    max_head_bytes: int = 64 << 10
    max_header_fields: int = 128
    max_connections: int = 65_536
    idle_timeout_s: float = 60.0
    write_timeout_s: float = 30.0
