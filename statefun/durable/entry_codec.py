"""Codecs of values: what stands between serdes and everything that is kept or sent.

Law: a codec sees the bytes of every argument, result, value of state, promise and awakeable, and of
no failure. Whoever talks to an app with a codec over HTTP encodes and decodes as it does.

Source:
    The names are those of restate-sdk 1.2.0.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from statefun.durable.serde import Serde
from statefun.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Coroutine

__all__ = ["JournalValueCodec", "JournalValueCodecProvider", "ValueCodec"]

T = TypeVar("T")


class JournalValueCodec(ABC):
    """Transforms values after they were serialized and before they are read: it may encrypt.

    `encode` is also given no bytes, which is how None is serialized. No bytes are never decoded.
    """

    @abstractmethod
    def encode(self, buf: bytes) -> bytes:
        """The bytes to keep and to send.

        Args:
            buf: What a serde has written.
        """

    @abstractmethod
    async def decode(self, buf: bytes) -> bytes:
        """The bytes for a serde. It may await, as long as it waits for nothing.

        Args:
            buf: What `encode` has returned.
        """


JournalValueCodecProvider: TypeAlias = Callable[[], Awaitable[JournalValueCodec]]
"""Makes a codec, once for an app; it may wait, to load a key."""


class ValueCodec:
    """The codec of an app, which may be none.

    Args:
        given: The codec, what makes one, or None.
    """

    def __init__(self, given: JournalValueCodec | JournalValueCodecProvider | None = None) -> None:
        self._codec = given if isinstance(given, JournalValueCodec) else None
        self._provider = None if isinstance(given, JournalValueCodec) else given
        if self._provider is not None and not callable(self._provider):
            raise ConfigurationError(
                f"journal_value_codec takes a JournalValueCodec or a function that makes one, got "
                f"{given!r}",
                option="journal_value_codec",
                given=repr(given),
            )

    async def ready(self) -> None:
        """Have the codec made, if it is not."""
        if self._provider is not None and self._codec is None:
            self._codec = await self._provider()

    def ready_now(self) -> None:
        """The same, for who cannot await."""
        if self._provider is not None and self._codec is None:
            with ThreadPoolExecutor(1) as thread:
                thread.submit(asyncio.run, self.ready()).result()

    def over(self, serde: Serde[T]) -> Serde[T]:
        """The serde whose bytes are encoded; the same if there is no codec."""
        return serde if self._codec is None else _CodedSerde(serde, self._codec)

    def encode(self, data: bytes) -> bytes:
        """Encode what a serde has written."""
        return data if self._codec is None else bytes(self._codec.encode(data))

    def decode(self, data: bytes) -> bytes:
        """Decode for a serde."""
        return data if self._codec is None or not data else _at_once(self._codec.decode(data))


class _CodedSerde(Serde[T]):
    def __init__(self, serde: Serde[T], codec: JournalValueCodec) -> None:
        self._serde = serde
        self._codec = codec
        self.media_type = serde.media_type

    def serialize(self, obj: T | None) -> bytes:
        """The encoded bytes of a value."""
        return bytes(self._codec.encode(self._serde.serialize(obj)))

    def deserialize(self, buf: bytes) -> T | None:
        """The value of encoded bytes."""
        return self._serde.deserialize(_at_once(self._codec.decode(buf)) if buf else buf)


def _at_once(decoding: Coroutine[Any, Any, bytes]) -> bytes:
    """The result of a coroutine that waits for nothing."""
    try:
        decoding.send(None)
    except StopIteration as ended:
        return bytes(ended.value)
    decoding.close()
    raise ConfigurationError(
        "the decode() of the journal_value_codec waits for something, and values are read while a "
        "handler runs: let the function that makes the codec load what it needs",
        option="journal_value_codec",
    )
