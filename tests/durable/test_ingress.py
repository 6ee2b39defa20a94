"""The ingress of invocations between its clients and a runtime that refuses, fails or stops."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from statefun.durable import ObjectContext, VirtualObject, app
from statefun.durable.discovery import Discovery
from statefun.durable.ingress import InvocationIngress
from statefun.errors import AddressBusyError, StoreError
from statefun.testing.ports import FakeIntake

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

counter = VirtualObject("Counter")


@counter.handler()
async def add(ctx: ObjectContext) -> None: ...


class Bench:
    """An ingress with an intake that does what a test says."""

    def __init__(self) -> None:
        self.intake = FakeIntake()
        catalogue = app([counter]).catalogue
        self.ingress = InvocationIngress(Discovery(catalogue), 0, now_ms=lambda: 0)

    async def call(self) -> tuple[int, Any]:
        url = f"http://127.0.0.1:{self.ingress.port}/Counter/a/add"
        async with (
            aiohttp.ClientSession(skip_auto_headers=["Content-Type"]) as session,
            session.post(url) as answer,
        ):
            return answer.status, await answer.json()


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    bench = Bench()
    await bench.ingress.start(bench.intake)
    yield bench
    await bench.ingress.stop()


@pytest.mark.parametrize(
    "error", [AddressBusyError("too much waits"), StoreError("the disk is full")]
)
async def test_a_call_that_is_not_taken_in_is_told_why(bench: Bench, error: Exception) -> None:
    """At once, although its outcome will never come."""
    bench.intake.error = error

    status, told = await bench.call()

    assert status == 503
    assert str(error) in told["message"]


async def test_a_call_that_waits_is_told_that_the_runtime_stops(bench: Bench) -> None:
    """Its invocation goes on after a start: the client can ask for the result then."""
    calling = asyncio.ensure_future(bench.call())
    await bench.intake.has(1)
    await bench.ingress.stop()

    status, told = await calling

    assert status == 503
    assert "ask for the result again later" in told["message"]
