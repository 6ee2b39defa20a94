"""Pages: lists that the service gives in parts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from typing import Self

__all__ = ["PageIterator"]

T = TypeVar("T")


class PageIterator(Generic[T]):
    """Items for `async for`, page by page.

    Args:
        fetch: Asks for a page: its token, None for the first one, and its size, None for the size
            that was chosen; gives its items, and the token of the next one, if there is one.
        limit: How many items there are at most; None for all.
        next_page_token: Where to begin.
    """

    def __init__(
        self,
        fetch: Callable[[bytes | None, int | None], Awaitable[tuple[Sequence[T], bytes | None]]],
        limit: int | None = None,
        next_page_token: bytes | None = None,
    ) -> None:
        self._fetch = fetch
        self._limit = limit
        self._token = next_page_token
        self._page: Sequence[T] | None = None
        self._index = 0
        self._given = 0

    @property
    def current_page(self) -> Sequence[T] | None:
        """The page that is read; None before the first."""
        return self._page

    @property
    def current_page_index(self) -> int:
        """Which item of it is next."""
        return self._index

    @property
    def next_page_token(self) -> bytes | None:
        """The token of the next page; None if there is none."""
        return self._token

    async def fetch_next_page(self, *, page_size: int | None = None) -> None:
        """Ask for the next page; the rest of the current one is passed over.

        Args:
            page_size: How many items it has at most; None for the size that was chosen.
        """
        self._page, self._token = await self._fetch(self._token, page_size)
        self._index = 0

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T:
        """The next item."""
        if self._limit is not None and self._given >= self._limit:
            raise StopAsyncIteration
        while self._page is None or self._index >= len(self._page):
            if self._page is not None and self._token is None:
                raise StopAsyncIteration
            await self.fetch_next_page()
        item = self._page[self._index]
        self._index += 1
        self._given += 1
        return item
