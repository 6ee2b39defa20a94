"""Attached functions: those that come and go while the runtime runs.

Law: a batch for functions that nobody serves waits; nothing fails. If who serves it goes while a
batch is under way, another one gets the batch.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Protocol
from zlib import crc32

from statefun.errors import TransportError
from statefun.runtime.engine.policy import ENDLESS
from statefun.sdk.handler import RequestReplyHandler
from statefun.sdk.wire import split_request

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from statefun.runtime.engine.policy import FailurePolicy, Limits
    from statefun.runtime.transports.base import Transport
    from statefun.sdk.functions import StatefulFunctions

__all__ = ["AttachedFunctions", "Attachment", "LocalAttachments"]


class Attachment(Protocol):
    """Functions that are served by somebody."""

    @property
    def typenames(self) -> Collection[str]:
        """Their typenames."""
        ...

    @property
    def offer(self) -> Any:
        """What they say of themselves, for whoever asks; None for nothing."""
        ...

    async def invoke(self, request: bytes) -> bytes:
        """Make one attempt; see `Transport`."""
        ...


class LocalAttachment:
    """Functions of this process.

    Args:
        functions: The functions.
    """

    def __init__(self, functions: StatefulFunctions) -> None:
        self.typenames: Collection[str] = tuple(functions.typenames)
        self.offer: Any = getattr(functions, "offer", None)
        self.invoke = RequestReplyHandler(functions).invoke


class AttachedFunctions:
    """An endpoint of functions that come and go; see `Endpoint`.

    Of several that serve a function, each address has one of its own, as long as that stays: there
    is what it keeps in memory.

    Args:
        matches: Whether a typename is one of them.

    Attributes:
        waiting: How many batches wait for somebody who serves their function.
    """

    def __init__(self, matches: Callable[[str], bool]) -> None:
        self._matches = matches
        self._serving: dict[str, list[Attachment]] = {}
        self._under_way: dict[Attachment, set[asyncio.Task[bytes]]] = {}
        self._changed = asyncio.Event()
        self._is_closed = False
        self.waiting = 0

    @property
    def functions(self) -> str:
        """See `Endpoint`: all, as far as they match."""
        return "*"

    @property
    def is_specific(self) -> bool:
        """See `Endpoint`."""
        return False

    @property
    def failure(self) -> FailurePolicy | None:
        """See `Endpoint`: what fails is tried until it succeeds."""
        return ENDLESS

    @property
    def limits(self) -> Limits | None:
        """See `Endpoint`."""
        return None

    def matches(self, typename: str) -> bool:
        """See `Endpoint`."""
        return self._matches(typename)

    def transport(self, typename: str) -> Transport:
        """See `Endpoint`."""
        return _Transport(self, typename)

    async def close(self) -> None:
        """See `Endpoint`."""
        self.refuse()

    # --- who comes and goes ---

    @property
    def typenames(self) -> list[str]:
        """The typenames that are served now."""
        return [name for name, serving in self._serving.items() if serving]

    def offers(self, typename: str) -> list[Any]:
        """What those say of themselves who serve a function now."""
        return [each.offer for each in self._serving.get(typename, ())]

    def attach(self, attachment: Attachment) -> None:
        """Let functions be called from now on."""
        for typename in attachment.typenames:
            self._serving.setdefault(typename, []).append(attachment)
        self._under_way[attachment] = set()
        self._change()

    async def detach(self, attachment: Attachment, *, is_lost: bool = False) -> None:
        """Let functions be called no more.

        Args:
            attachment: The functions.
            is_lost: Whether what is under way is given to others; otherwise this waits for it.
        """
        for serving in self._serving.values():
            if attachment in serving:
                serving.remove(attachment)
        calls = self._under_way.pop(attachment, set())
        if is_lost:
            for call in calls:
                call.cancel()
        elif calls:
            await asyncio.wait(calls)
        self._change()

    def refuse(self) -> None:
        """Let what waits for functions fail from now on; the runtime stops."""
        self._is_closed = True
        self._change()

    def _change(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    # --- calls ---

    async def call(self, typename: str, request: bytes) -> bytes:
        """Make an attempt, however long it takes until somebody serves the function.

        Raises:
            TransportError: If the runtime stops before.
        """
        while True:
            serving = self._serving.get(typename)
            if self._is_closed:
                raise TransportError(
                    f"nobody serves {typename}, and the runtime stops", connected=False
                )
            if not serving:
                self.waiting += 1
                try:
                    await self._changed.wait()
                finally:
                    self.waiting -= 1
                continue
            attachment = serving[0] if len(serving) == 1 else _its_own(serving, request)
            call = asyncio.ensure_future(attachment.invoke(request))
            under_way = self._under_way[attachment]
            under_way.add(call)
            try:
                return await call
            except asyncio.CancelledError:
                if attachment in self._under_way:
                    call.cancel()
                    raise
            finally:
                under_way.discard(call)


class LocalAttachments:
    """Functions of this process that come and go.

    Args:
        attached: Where they are attached.
    """

    def __init__(self, attached: AttachedFunctions) -> None:
        self._attached = attached
        self._local: dict[StatefulFunctions, LocalAttachment] = {}

    def attach(self, functions: StatefulFunctions) -> None:
        """Let functions be called from now on."""
        attachment = self._local[functions] = LocalAttachment(functions)
        self._attached.attach(attachment)

    async def detach(self, functions: StatefulFunctions) -> None:
        """Let functions be called no more; returns when no call is under way."""
        await self._attached.detach(self._local.pop(functions))

    def offers(self, typename: str) -> list[Any]:
        """See `AttachedFunctions`."""
        return self._attached.offers(typename)

    @property
    def typenames(self) -> list[str]:
        """See `AttachedFunctions`."""
        return self._attached.typenames

    def close(self) -> None:
        """Let what waits for functions fail from now on."""
        self._attached.refuse()


def _its_own(serving: list[Attachment], request: bytes) -> Attachment:
    """The one that an address has: the same as long as it stays, whoever else comes and goes."""
    address = split_request(request).target_id.encode()
    return max(serving, key=lambda each: crc32(address, id(each) & 0xFFFFFFFF))


class _Transport:
    def __init__(self, owner: AttachedFunctions, typename: str) -> None:
        self._owner = owner
        self._typename = typename

    async def invoke(self, request: bytes) -> bytes:
        return await self._owner.call(self._typename, request)
