"""Frames: what the service and who connects to it send each other; see `protos/workflows.proto`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from statefun.workflows import _proto

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

__all__ = ["PATH", "PROTOCOL", "FrameError", "FrameStream"]

PATH = "/statefun/workflows"
PROTOCOL = "statefun.workflows.v1"

_LONGEST = 64 << 20
_SILENCE_S = 30.0
_PING_S = 10.0


class FrameError(Exception):
    """The other side sent something else than a frame, or nothing for too long."""


class FrameStream:
    """Frames over a connection.

    Args:
        reader: What is read from.
        writer: What is written to.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._count = 0
        self._waiting: list[bytes] = []
        self._pinging: asyncio.Task[None] | None = None

    def next_number(self) -> int:
        """A number for a frame that is to be answered."""
        self._count += 1
        return self._count

    def send(self, frame: _proto.Frame) -> None:
        """Send a frame, with the others of this moment; it is lost if the connection is."""
        data = frame.SerializeToString()
        if not self._waiting:
            asyncio.get_running_loop().call_soon(self._flush)
        self._waiting += (len(data).to_bytes(4, "big"), data)

    def _flush(self) -> None:
        waiting, self._waiting = self._waiting, []
        if waiting and not self._writer.is_closing():
            self._writer.write(b"".join(waiting))

    async def frames(self) -> AsyncIterator[_proto.Frame]:
        """The frames that come, without pings, until the connection ends.

        Raises:
            FrameError: If something else comes, or nothing for too long.
        """
        self._pinging = asyncio.create_task(self._ping())
        try:
            while True:
                try:
                    async with asyncio.timeout(_SILENCE_S):
                        length = int.from_bytes(await self._reader.readexactly(4), "big")
                        if length > _LONGEST:
                            raise FrameError(
                                f"a frame of {length} bytes is longer than {_LONGEST}: is this a "
                                f"connection of {PROTOCOL}?"
                            )
                        data = await self._reader.readexactly(length)
                except TimeoutError:
                    raise FrameError(f"nothing came for {_SILENCE_S:g} seconds") from None
                except (asyncio.IncompleteReadError, OSError):
                    return
                try:
                    frame = _proto.Frame.FromString(data)
                except _proto.DecodeError as error:
                    raise FrameError(f"{length} bytes are not a frame") from error
                if frame.WhichOneof("content") not in (None, "ping"):
                    yield frame
        finally:
            self._pinging.cancel()

    async def _ping(self) -> None:
        """Let the other side know, again and again, that this one is there."""
        while True:
            await asyncio.sleep(_PING_S)
            self.send(_proto.Frame(ping=_proto.Ping()))

    def close(self) -> None:
        """End the connection, after what was to be sent."""
        self._flush()
        self._writer.close()
