"""The memo: replies of turns that have performed effects, for a batch that comes again.

Law: the same state and the same messages are the same turn, since each turn changes the stamp of
what waits, and no two invocations have one id. So a reply that was lost on its way is given again,
and one that is still being made is waited for; no effect is repeated for it.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING

from statefun.durable.turn import Reply

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from statefun.durable import _proto

__all__ = ["Memo", "Remembered"]


@dataclass(slots=True)
class Remembered:
    """A turn that has performed effects, or is about to.

    Attributes:
        host: The part of its state that most turns change.
        digest: All of its state, and its messages.
        reply: Its reply, once there is one.
    """

    host: bytes | None
    digest: bytes
    reply: asyncio.Future[Reply]


class Memo:
    """The latest turn with effects of each address of a function.

    Args:
        limit: Of how many addresses it is remembered.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._by_address: OrderedDict[str, Remembered] = OrderedDict()

    async def find(
        self,
        target_id: str,
        values: Mapping[str, bytes | None],
        envelopes: Iterable[_proto.Envelope],
    ) -> Reply | None:
        """The reply to the same batch, if it was here before; that of an earlier one is forgotten.

        Raises:
            Exception: What ended the turn of that batch, if it is waited for.
        """
        known = self._by_address.get(target_id)
        if known is None:
            return None
        if (
            known.host == values["host"]
            and known.reply.get_loop() is asyncio.get_running_loop()
            and known.digest == _digest(values, envelopes)
        ):
            return await asyncio.shield(known.reply)
        self._forget(target_id, known)
        return None

    def begin(
        self,
        target_id: str,
        values: Mapping[str, bytes | None],
        envelopes: Iterable[_proto.Envelope],
    ) -> Remembered:
        """Remember a turn that is about to perform effects."""
        reply = asyncio.get_running_loop().create_future()
        remembered = Remembered(values["host"], _digest(values, envelopes), reply)
        self._by_address[target_id] = remembered
        self._by_address.move_to_end(target_id)
        while len(self._by_address) > self._limit:
            self._by_address.popitem(last=False)
        return remembered

    def end(self, remembered: Remembered, reply: Reply) -> None:
        """Remember its reply, without what stays in memory."""
        if not remembered.reply.done():
            kept = Reply(reply.values, reply.outbox, has_acted=reply.has_acted)
            remembered.reply.set_result(kept)

    def fail(self, target_id: str, remembered: Remembered, error: BaseException) -> None:
        """Forget a turn that has failed; who waits for it fails as well."""
        self._forget(target_id, remembered)
        if not remembered.reply.done():
            remembered.reply.set_exception(
                error if isinstance(error, Exception) else RuntimeError("the turn was ended")
            )
            remembered.reply.exception()  # nobody has to wait for it

    def _forget(self, target_id: str, remembered: Remembered) -> None:
        if self._by_address.get(target_id) is remembered:
            del self._by_address[target_id]


def _digest(values: Mapping[str, bytes | None], envelopes: Iterable[_proto.Envelope]) -> bytes:
    parts = [value or b"" for value in values.values()]
    parts += [each.SerializeToString(deterministic=True) for each in envelopes]
    lengths = repr([*map(len, parts)]).encode()
    return blake2b(b"".join((lengths, *parts)), digest_size=16).digest()
