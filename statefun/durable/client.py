"""The client of an ingress over HTTP (extra `runtime`)."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from statefun.durable.client_types import Answer, Client
from statefun.durable.entry_codec import ValueCodec

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    import aiohttp

    from statefun.durable.entry_codec import JournalValueCodec

__all__ = ["HttpClient", "create_client"]


class HttpClient(Client):
    """A client over HTTP; see `create_client`.

    Args:
        session: What carries the requests.
        ingress: The base URL of the ingress, without a slash at its end.
        codec: The codec of the app; None for none.
    """

    def __init__(
        self, session: aiohttp.ClientSession, ingress: str, codec: ValueCodec | None = None
    ) -> None:
        self.codec = codec or ValueCodec()
        self._session = session
        self._ingress = ingress

    async def request(
        self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Send one HTTP request; see `Client.request`."""
        from yarl import URL  # noqa: PLC0415 - comes with aiohttp

        url = URL(f"{self._ingress}{path}", encoded=True)  # escapes are ours, and stay
        async with self._session.request(
            method, url, data=body or None, headers=headers, allow_redirects=False
        ) as response:
            return Answer(response.status, response.reason or "", await response.read())


@asynccontextmanager
async def create_client(
    ingress: str,
    headers: Mapping[str, str] | None = None,
    journal_value_codec: JournalValueCodec | None = None,
) -> AsyncIterator[Client]:
    """Connect to an ingress, for an `async with`.

    A call waits as long as the handler takes.

    Args:
        ingress: The base URL of the ingress, such as `http://localhost:8080`.
        headers: Header fields of every request, such as `Authorization`.
        journal_value_codec: The codec of the app, if it has one.

    Raises:
        ModuleNotFoundError: If aiohttp is not installed.

    Example:
        ```python
        async with create_client("http://localhost:8080") as client:
            total = await client.object_call(add, "ada", 1)
        ```
    """
    try:
        import aiohttp  # noqa: PLC0415 - of the extra `runtime`
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "the client needs aiohttp: pip install 'statefun[runtime]'", name=error.name
        ) from error
    async with aiohttp.ClientSession(
        headers=headers,
        timeout=aiohttp.ClientTimeout(),
        skip_auto_headers=("Content-Type",),
    ) as session:
        yield HttpClient(session, ingress.rstrip("/"), ValueCodec(journal_value_codec))
