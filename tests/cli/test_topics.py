"""`statefun topics`: how far ingresses have come."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

from statefun.ports import IngressMessage, Position, Source
from statefun.runtime import Runtime
from statefun.sdk.address import Address
from statefun.sdk.functions import StatefulFunctions
from statefun.sdk.wire import encode_typed_value
from statefun.testing.ports import FakeIngress
from tests.cli.process import statefun

if TYPE_CHECKING:
    from pathlib import Path

    from statefun.sdk.context import Context
    from statefun.sdk.messages import Message


class Reading(FakeIngress):
    """An ingress that can say how far it has come."""

    def sources(self) -> list[Source]:
        return [
            Source("t/in/orders/0", 5, 12),
            Source("t/in/orders/1", 7, 7, is_paused=True),
            Source("t/in/orders/2", 3, None, problem="the topic was made anew"),
        ]


def functions() -> StatefulFunctions:
    registry = StatefulFunctions()

    @registry.bind("t/a")
    async def nothing(context: Context, message: Message) -> None:
        """Does nothing."""

    return registry


async def test_topics_shows_positions_lag_and_what_stands_still(tmp_path: Path) -> None:
    """While the runtime runs; afterwards what the data directory knows."""
    ingress = Reading()
    async with Runtime(functions(), data=tmp_path / "data", ingresses=[ingress]) as runtime:
        message = IngressMessage(Address("t/a", "1"), encode_typed_value("t/text", b""))
        await ingress.deliver_all([message], Position("t/in/orders/0", b"5"))
        await ingress.deliver_all([], Position("t/in/orders", b'{"topic id": ""}'))
        arguments = ("topics", "--data", "data")
        running = await asyncio.to_thread(statefun, *arguments, cwd=tmp_path)
        as_json = await asyncio.to_thread(statefun, *arguments, "--json", cwd=tmp_path)
        figures = runtime.metrics().sources
    stopped = statefun(*arguments, cwd=tmp_path)

    assert running.out.splitlines() == [
        "t/in/orders/0  at 5, 7 behind",
        "t/in/orders/1  at 7, 0 behind, paused: too much waits",
        "t/in/orders/2  at 3, stands still: the topic was made anew",
    ]
    assert [each["lag"] for each in json.loads(as_json.out)] == [7, 0, None]
    assert list(figures) == ingress.sources()
    assert stopped.out.splitlines() == ["t/in/orders/0  at 5"]
