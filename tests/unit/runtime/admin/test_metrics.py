"""`/health` and `/metrics` for whoever embeds a runtime."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING

import aiohttp

from statefun.runtime import Backoff, FailurePolicy, Runtime
from statefun.runtime.admin.figures import BOUNDS_S, Durations, FunctionFigures, Metrics
from statefun.runtime.admin.metrics import COUNTERS, FUNCTION_COUNTERS, GAUGES, AdminServer
from statefun.runtime.engine.counters import Counters
from statefun.sdk.builders import message_builder
from statefun.sdk.functions import StatefulFunctions

if TYPE_CHECKING:
    from statefun.sdk.context import Context
    from statefun.sdk.messages import Message


def functions() -> StatefulFunctions:
    registry = StatefulFunctions()

    @registry.bind("t/a")
    async def fail_on_bad(context: Context, message: Message) -> None:
        if message.as_string() == "bad":
            raise ValueError("bad luck")

    return registry


def test_every_figure_has_a_sentence() -> None:
    """Nothing is counted that nobody can look at."""
    counters = {each.name for each in fields(Counters)} | {"commits", "failed_commits"}
    shown_otherwise = {"counters", "commit_durations", "functions", "sources"}

    assert COUNTERS.keys() == counters
    assert GAUGES.keys() == {each.name for each in fields(Metrics)} - counters - shown_otherwise
    assert FUNCTION_COUNTERS.keys() == {
        f"function_{each.name}" for each in fields(FunctionFigures) if each.name != "calls"
    }


def test_a_duration_is_counted_in_the_first_bucket_that_holds_it() -> None:
    """A bound belongs to its bucket; the last bucket holds the rest."""
    durations = Durations()

    for seconds in (0.0, BOUNDS_S[0], BOUNDS_S[0] * 1.5, BOUNDS_S[-1] + 1):
        durations.add(seconds)

    assert durations.counts == [2, 1, *[0] * (len(BOUNDS_S) - 2), 1]
    assert durations.total_s == BOUNDS_S[0] * 2.5 + BOUNDS_S[-1] + 1


async def test_whoever_embeds_a_runtime_can_show_its_health_and_its_figures() -> None:
    """By function, with a sentence for each figure."""
    policy = FailurePolicy(retry=Backoff(attempts=1))
    async with Runtime(functions(), data=None, failure=policy) as runtime:
        admin = AdminServer(runtime.metrics, lambda: runtime.is_healthy)
        await admin.start()
        for value in ("good", "bad", "good"):
            await runtime.send(message_builder("t/a", "1", str_value=value))
            await runtime.idle()

        async with aiohttp.ClientSession(f"http://127.0.0.1:{admin.port}") as session:
            async with session.get("/health") as response:
                health = response.status, await response.text()
            async with session.get("/metrics") as response:
                lines = (await response.text()).splitlines()
        await admin.stop()

    assert health == (200, "ready\n")
    assert 'statefun_function_messages_total{function="t/a"} 2.0' in lines
    assert 'statefun_function_failed_attempts_total{function="t/a"} 1.0' in lines
    assert 'statefun_function_given_up_total{function="t/a"} 1.0' in lines
    assert 'statefun_call_seconds_count{function="t/a"} 3.0' in lines
    assert "# HELP statefun_dead_letters_total Messages that were given up and kept." in lines
    assert "# TYPE statefun_commit_seconds histogram" in lines
