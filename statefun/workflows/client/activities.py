"""Activities that are completed from outside, by clients."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from statefun.workflows.client.inputs import (
    CompleteAsyncActivityInput,
    FailAsyncActivityInput,
    HeartbeatAsyncActivityInput,
    ReportCancellationAsyncActivityInput,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Unpack

    from statefun.workflows.client.core import ClientCore
    from statefun.workflows.client.inputs import AsyncActivityIDReference
    from statefun.workflows.client.options import RPCOptions

__all__ = ["AsyncActivityHandle"]


class AsyncActivityHandle:
    """An activity that is completed from outside; see `Client.get_async_activity_handle`."""

    def __init__(self, client: ClientCore, id_or_token: AsyncActivityIDReference | bytes) -> None:
        self._client = client
        self._id_or_token = id_or_token

    async def heartbeat(self, *details: Any, **rpc: Unpack[RPCOptions]) -> None:
        """Say that it goes on.

        Args:
            *details: What the next attempt may want to know.
            **rpc: See `RPCOptions`.

        Raises:
            AsyncActivityCancelledError: If it is asked to cancel.
            RPCError: If there is no such activity.
        """
        given = HeartbeatAsyncActivityInput(self._id_or_token, details, **rpc)
        await self._client.outbound.heartbeat_async_activity(given)

    async def complete(self, result: Any = None, **rpc: Unpack[RPCOptions]) -> None:
        """Complete it with a result.

        Args:
            result: The result.
            **rpc: See `RPCOptions`.

        Raises:
            RPCError: If there is no such activity.
        """
        given = CompleteAsyncActivityInput(self._id_or_token, result, **rpc)
        await self._client.outbound.complete_async_activity(given)

    async def fail(
        self,
        error: Exception,
        *,
        last_heartbeat_details: Sequence[Any] = (),
        **rpc: Unpack[RPCOptions],
    ) -> None:
        """Let its attempt fail.

        Args:
            error: How.
            last_heartbeat_details: What the next attempt may want to know.
            **rpc: See `RPCOptions`.

        Raises:
            RPCError: If there is no such activity.
        """
        given = FailAsyncActivityInput(self._id_or_token, error, last_heartbeat_details, **rpc)
        await self._client.outbound.fail_async_activity(given)

    async def report_cancellation(self, *details: Any, **rpc: Unpack[RPCOptions]) -> None:
        """Say that it was cancelled, as it was asked to.

        Args:
            *details: Details for whoever waits for it.
            **rpc: See `RPCOptions`.

        Raises:
            RPCError: If there is no such activity, or it was not asked to.
        """
        given = ReportCancellationAsyncActivityInput(self._id_or_token, details, **rpc)
        await self._client.outbound.report_cancellation_async_activity(given)
