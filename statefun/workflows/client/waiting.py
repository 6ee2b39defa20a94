"""Waiting: whoever waits long for a workflow is told why it may wait for ever."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING

from statefun.workflows import _proto
from statefun.workflows.exceptions import TemporalError
from statefun.workflows.logs import logger

if TYPE_CHECKING:
    from collections.abc import Iterator

    from statefun.workflows.client.core import ClientCore

__all__ = ["telling_problems"]

_FIRST_LOOK_S = 3.0
_LONGEST_PAUSE_S = 60.0


@contextmanager
def telling_problems(client: ClientCore, workflow_id: str) -> Iterator[None]:
    """While in the block, log why a workflow may wait for ever, each reason once.

    Args:
        client: The client.
        workflow_id: The id of the workflow.
    """
    loop = asyncio.get_running_loop()
    looking: list[asyncio.Task[None]] = []
    timer = loop.call_later(
        _FIRST_LOOK_S, lambda: looking.append(loop.create_task(_look(client, workflow_id)))
    )
    try:
        yield
    finally:
        timer.cancel()
        for each in looking:
            each.cancel()


async def _look(client: ClientCore, workflow_id: str) -> None:
    told: set[str] = set()
    pause_s = _FIRST_LOOK_S
    while True:
        try:
            data = await client.requests.ask("describe", workflow_id, b"")
        except TemporalError:
            return  # whoever waits learns of it, too
        for text in _proto.Workflow.FromString(data).problems.values():
            if text not in told:
                told.add(text)
                logger.warning("the workflow %r may wait for ever: %s", workflow_id, text)
        await asyncio.sleep(pause_s)
        pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)
