"""Handles of schedules, and lists of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from statefun.workflows.client.inputs import (
    BackfillScheduleInput,
    DeleteScheduleInput,
    DescribeScheduleInput,
    PauseScheduleInput,
    TriggerScheduleInput,
    UnpauseScheduleInput,
    UpdateScheduleInput,
)
from statefun.workflows.client.paging import PageIterator
from statefun.workflows.client.schedules import ScheduleListDescription

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import Unpack

    from statefun.workflows.client.core import ClientCore
    from statefun.workflows.client.options import RPCOptions
    from statefun.workflows.client.schedules import (
        ScheduleBackfill,
        ScheduleDescription,
        ScheduleOverlapPolicy,
        ScheduleUpdate,
        ScheduleUpdateInput,
    )

__all__ = ["ScheduleAsyncIterator", "ScheduleHandle"]


class ScheduleAsyncIterator(PageIterator[ScheduleListDescription]):
    """Schedules, for `async for`; pages are fetched as they are needed."""


class ScheduleHandle:
    """A schedule, to be looked at and changed.

    Attributes:
        id: Its id.
    """

    def __init__(self, client: ClientCore, id: str) -> None:  # noqa: A002 - the peer's name
        self._client = client
        self.id = id

    async def describe(self, **rpc: Unpack[RPCOptions]) -> ScheduleDescription:
        """How the schedule stands.

        Args:
            **rpc: See `RPCOptions`.

        Raises:
            RPCError: If there is no such schedule.
        """
        given = DescribeScheduleInput(self.id, **rpc)
        found: ScheduleDescription = await self._client.outbound.describe_schedule(given)
        return found

    async def update(
        self,
        updater: Callable[
            [ScheduleUpdateInput], ScheduleUpdate | Awaitable[ScheduleUpdate | None] | None
        ],
        **rpc: Unpack[RPCOptions],
    ) -> None:
        """Change the schedule.

        Args:
            updater: Called with the schedule as it is; returns what it is to be, or None to leave
                it. It is called again if somebody else has changed the schedule meanwhile.
            **rpc: See `RPCOptions`.

        Raises:
            RPCError: If there is no such schedule, or the new one makes no sense.
        """
        await self._client.outbound.update_schedule(UpdateScheduleInput(self.id, updater, **rpc))

    async def pause(self, *, note: str | None = None, **rpc: Unpack[RPCOptions]) -> None:
        """Let the schedule take no actions.

        Args:
            note: The note of its state; None for the usual one.
            **rpc: See `RPCOptions`.

        Raises:
            RPCError: If there is no such schedule.
        """
        await self._client.outbound.pause_schedule(PauseScheduleInput(self.id, note, **rpc))

    async def unpause(self, *, note: str | None = None, **rpc: Unpack[RPCOptions]) -> None:
        """Let the schedule go on; times that have passed meanwhile are left out.

        Args:
            note: The note of its state; None for the usual one.
            **rpc: See `RPCOptions`.

        Raises:
            RPCError: If there is no such schedule.
        """
        await self._client.outbound.unpause_schedule(UnpauseScheduleInput(self.id, note, **rpc))

    async def trigger(
        self, *, overlap: ScheduleOverlapPolicy | None = None, **rpc: Unpack[RPCOptions]
    ) -> None:
        """Take the action now, also if the schedule is paused.

        Args:
            overlap: The policy for this action; None for that of the schedule.
            **rpc: See `RPCOptions`.

        Raises:
            RPCError: If there is no such schedule.
        """
        await self._client.outbound.trigger_schedule(TriggerScheduleInput(self.id, overlap, **rpc))

    async def backfill(self, *backfill: ScheduleBackfill, **rpc: Unpack[RPCOptions]) -> None:
        """Take the action for times of the past.

        Args:
            *backfill: Which times.
            **rpc: See `RPCOptions`.

        Raises:
            RPCError: If there is no such schedule.
            ValueError: If no times are given.
        """
        if not backfill:
            raise ValueError("At least one backfill required")
        given = BackfillScheduleInput(self.id, backfill, **rpc)
        await self._client.outbound.backfill_schedule(given)

    async def delete(self, **rpc: Unpack[RPCOptions]) -> None:
        """Delete the schedule; workflows that it has started go on.

        Args:
            **rpc: See `RPCOptions`.

        Raises:
            RPCError: If there is no such schedule.
        """
        await self._client.outbound.delete_schedule(DeleteScheduleInput(self.id, **rpc))
