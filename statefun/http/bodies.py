"""The bodies of requests: how long they may be, and how a compressed one is undone."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Final

from statefun.errors import RequestRefusedError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Body", "BodyBudget", "Decoder", "body_decoder", "decompressed", "too_long"]

_SMALL_BYTES: Final = 64 << 10
_PIECE_BYTES: Final = 64 << 10
_WINDOW_BITS: Final = {"gzip": 16 + zlib.MAX_WBITS, "deflate": zlib.MAX_WBITS}
"""Content encoding → the name that `zlib` has for it."""


class BodyBudget:
    """How many bytes of unfinished bodies are kept, over all connections of a server.

    The first 64 KiB of a body are always taken, so that senders of long bodies that never end do
    not hold up anybody who sends short ones.

    Args:
        max_bytes: The most bytes, besides those.
    """

    def __init__(self, max_bytes: int) -> None:
        self._free_bytes = max_bytes

    def take(self, before: int, after: int) -> None:
        """Count a body that grows from `before` to `after` bytes.

        Raises:
            RequestRefusedError: If that exceeds the budget; nothing is counted.
        """
        more = _counted(after) - _counted(before)
        if more > self._free_bytes:
            raise RequestRefusedError(
                503, "too many long bodies are being sent at the same time: send again later"
            )
        self._free_bytes -= more

    def give_back(self, size: int) -> None:
        """Count no more a body of `size` bytes, which is complete or was given up."""
        self._free_bytes += _counted(size)


def _counted(size: int) -> int:
    return max(0, size - _SMALL_BYTES)


class Body:
    """A body that is coming in.

    Args:
        max_bytes: The longest body that is taken, decompressed; None for any.
        budget: What it is counted in.
        decoder: How it is compressed; None if it is not.
    """

    __slots__ = ("_at_once_bytes", "_budget", "_decoder", "_max_bytes", "_pieces", "size")

    def __init__(
        self, max_bytes: int | None, budget: BodyBudget, decoder: Decoder | None = None
    ) -> None:
        self.size = 0
        self._max_bytes = max_bytes
        self._budget = budget
        self._decoder = decoder
        self._pieces: list[bytes] = []
        self._at_once_bytes = _SMALL_BYTES if max_bytes is None else min(max_bytes, _SMALL_BYTES)

    def add(self, piece: bytes) -> None:
        """Take the next bytes.

        Raises:
            RequestRefusedError: If the body is too long, is not encoded as it says, or exceeds the
                budget.
        """
        if self._decoder is None and not self._pieces and len(piece) <= self._at_once_bytes:
            self.size = len(piece)  # most bodies come in one small piece
            self._pieces.append(piece)
        elif self._decoder is None:
            self._keep(piece)
        else:
            for each in self._decoder.decode(piece):
                self._keep(each)

    def _keep(self, piece: bytes) -> None:
        size = self.size + len(piece)
        if self._max_bytes is not None and size > self._max_bytes:
            raise too_long(self._max_bytes)
        if size > _SMALL_BYTES:
            self._budget.take(self.size, size)
        self.size = size
        self._pieces.append(piece)

    def whole(self) -> bytes:
        """The body, now that all of it has come.

        Raises:
            RequestRefusedError: If it ends too early for its encoding.
        """
        if self._decoder is not None:
            self._decoder.end()
        pieces, self._pieces = self._pieces, []
        if self.size > _SMALL_BYTES:
            self._budget.give_back(self.size)
        self.size = 0
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def give_back(self) -> None:
        """Count it no more in the budget."""
        if self.size > _SMALL_BYTES:
            self._budget.give_back(self.size)
        self.size = 0


def too_long(max_bytes: int) -> RequestRefusedError:
    """The error for a body that is longer than `max_bytes`."""
    return RequestRefusedError(
        413, f"the body has more than {max_bytes} bytes, which is the limit here"
    )


def decompressed(body: bytes, coding: str, max_bytes: int) -> bytes:
    """A whole body that somebody else has read, decompressed.

    Args:
        body: As it came.
        coding: The value of the header field `Content-Encoding`; empty without one.
        max_bytes: The longest body that is taken, decompressed.

    Raises:
        RequestRefusedError: If it is too long, or not encoded as it says.
    """
    decoder = body_decoder(coding.strip().lower())
    if decoder is None:
        return body
    whole = Body(max_bytes, BodyBudget(max_bytes), decoder)
    whole.add(body)
    return whole.whole()


def body_decoder(coding: str) -> Decoder | None:
    """The decoder for a `Content-Encoding`, None if it says that the body is not compressed.

    Args:
        coding: The value of the header field, in lower case.

    Raises:
        RequestRefusedError: If bodies with this encoding are not taken.
    """
    if coding in ("", "identity"):
        return None
    if coding not in _WINDOW_BITS:
        raise RequestRefusedError(
            415,
            f"the content encoding {coding!r} is not taken: send the body as it is, or once as "
            f"{' or '.join(_WINDOW_BITS)}",
        )
    return Decoder(coding)


class Decoder:
    """Decompresses a body piece by piece.

    Source:
        RFC 9110, 8.4.1: `gzip` is that of RFC 1952, which may be several one after another, and
        `deflate` is the zlib format of RFC 1950.
    """

    __slots__ = ("_coding", "_stream")

    def __init__(self, coding: str) -> None:
        self._coding = coding
        self._stream = zlib.decompressobj(_WINDOW_BITS[coding])

    def decode(self, packed: bytes) -> Iterator[bytes]:
        """Decompress the next bytes, into pieces of 64 KiB at most.

        Raises:
            RequestRefusedError: If they are not of this encoding.
        """
        piece = b""
        while packed or (len(piece) == _PIECE_BYTES and not self._stream.eof):
            if self._stream.eof:
                if self._coding != "gzip":
                    raise self._refused("there is more behind its end")
                self._stream = zlib.decompressobj(_WINDOW_BITS[self._coding])
            try:
                piece = self._stream.decompress(packed, _PIECE_BYTES)
            except zlib.error as error:
                raise self._refused(str(error).rpartition(": ")[2]) from error
            packed = self._stream.unconsumed_tail or self._stream.unused_data
            yield piece

    def end(self) -> None:
        """Check that the body is complete.

        Raises:
            RequestRefusedError: If it is not.
        """
        if not self._stream.eof:
            raise self._refused("it ends too early")

    def _refused(self, reason: str) -> RequestRefusedError:
        return RequestRefusedError(
            400, f"the body is not the {self._coding} that its Content-Encoding says: {reason}"
        )
