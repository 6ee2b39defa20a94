"""Identity: the names of invocations and awakeables, which say where they live.

Law: an id is a function of what asked for it. A turn that runs twice gives the same ids twice, so
whatever it starts is started once.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from dataclasses import dataclass
from enum import IntEnum

from statefun.durable.exceptions import TerminalError

__all__ = ["Awakeable", "InvocationId", "Place", "chain_link", "derived"]

_INVOCATION = "inv_1"
_AWAKEABLE = "prom_1"
_UNIQUE_BYTES = 16


class Place(IntEnum):
    """The kind of address an invocation lives at; the numbers are part of ids."""

    SERVICE = 1
    OBJECT = 2
    TICKET = 3
    WORKFLOW = 4


@dataclass(frozen=True, slots=True)
class InvocationId:
    """The id of an invocation, taken apart.

    Attributes:
        place: Where it lives.
        service: The name of its service, object or workflow.
        key: The key; empty for a service.
        unique: 16 bytes that no other invocation has.
    """

    place: Place
    service: str
    key: str
    unique: bytes

    def __str__(self) -> str:
        body = bytes((self.place,)) + self.unique + f"{self.service}\0{self.key}".encode()
        return _INVOCATION + _text(body)

    @classmethod
    def parse(cls, text: str) -> InvocationId:
        """The parts of an id.

        Raises:
            TerminalError: If it is malformed, code 400.
        """
        body = _bytes(text, _INVOCATION)
        try:
            service, _, key = body[1 + _UNIQUE_BYTES :].decode().partition("\0")
            parsed = cls(Place(body[0]), service, key, body[1 : 1 + _UNIQUE_BYTES])
        except (ValueError, IndexError):
            raise _malformed(text) from None
        if not service or len(parsed.unique) < _UNIQUE_BYTES:
            raise _malformed(text)
        return parsed


@dataclass(frozen=True, slots=True)
class Awakeable:
    """The id of an awakeable, taken apart: a command of an invocation."""

    invocation: str
    seq: int

    def __str__(self) -> str:
        owner = self.invocation.removeprefix(_INVOCATION)
        return _AWAKEABLE + _text(self.seq.to_bytes(4, "big")) + owner

    @classmethod
    def parse(cls, text: str) -> Awakeable:
        """The parts of an id.

        Raises:
            TerminalError: If it is malformed, code 400.
        """
        if not isinstance(text, str) or not text.startswith(_AWAKEABLE):
            raise _malformed(text)
        rest = text.removeprefix(_AWAKEABLE)
        seq = int.from_bytes(_bytes(rest[:6], ""), "big")
        invocation = _INVOCATION + rest[6:]
        try:
            InvocationId.parse(invocation)
        except TerminalError:
            raise _malformed(text) from None
        return cls(invocation, seq)


def derived(*parts: str | bytes | int) -> bytes:
    """16 bytes that only these parts give."""
    digest = hashlib.sha256()
    for part in parts:
        data = part if isinstance(part, bytes) else str(part).encode()
        digest.update(len(data).to_bytes(4, "big") + data)
    return digest.digest()[:_UNIQUE_BYTES]


def chain_link(service: str, key: str) -> int:
    """An exclusive key in a chain of waiting callers, as 64 bits."""
    return int.from_bytes(derived(service, key)[:8], "big")


def _text(body: bytes) -> str:
    return base64.urlsafe_b64encode(body).decode().rstrip("=")


def _bytes(text: object, prefix: str) -> bytes:
    if not isinstance(text, str) or not text.startswith(prefix):
        raise _malformed(text)
    body = text.removeprefix(prefix)
    try:
        return base64.b64decode(body + "=" * (-len(body) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise _malformed(text) from None


def _malformed(text: object) -> TerminalError:
    return TerminalError(f"bad invocation id {text!r}: bad format, take it as it was given", 400)
