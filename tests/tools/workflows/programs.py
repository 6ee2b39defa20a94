"""What is simulated: workflows that use every kind of call, and the names of their activities."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

from statefun.workflows import workflow
from statefun.workflows.common import RetryPolicy
from statefun.workflows.exceptions import ActivityError, ApplicationError, ChildWorkflowError

__all__ = ["ACTIVITIES", "HEARTBEAT_S", "MOST_ATTEMPTS", "WORKFLOWS"]

ACTIVITIES = ("step", "once", "slow", "fatal", "outside")
MOST_ATTEMPTS = {"step": 0, "once": 1, "slow": 3, "fatal": 1, "outside": 1}
HEARTBEAT_S = 5
MINUTE = timedelta(minutes=1)
SLOW = RetryPolicy(initial_interval=timedelta(seconds=1), maximum_attempts=MOST_ATTEMPTS["slow"])


async def step(seen: int) -> int:
    """A number that is new each time; tried until it succeeds."""
    result: int = await workflow.execute_activity(
        "step", seen, start_to_close_timeout=MINUTE, result_type=int
    )
    return result


@workflow.defn
class Chain:
    """Steps, each of which is given the result of the one before."""

    @workflow.run
    async def run(self, count: int) -> list[int]:
        """Main."""
        seen = [0]
        for number in range(count):
            seen.append(await step(seen[-1]))
            if workflow.patched(f"pause {number % 2}"):
                await workflow.sleep(1)
        return seen


@workflow.defn
class Fan:
    """Activities, local ones and timers side by side."""

    @workflow.run
    async def run(self, count: int) -> list[int]:
        """Main."""
        drawn = workflow.random().randrange(1000)
        identity, began = workflow.uuid4(), workflow.now()
        first, *others = await asyncio.gather(
            self._local(drawn),
            *(step(-each - 1) for each in range(count)),
            asyncio.sleep(2, result=0),
        )
        if workflow.now() < began + timedelta(seconds=2) or identity == workflow.uuid4():
            raise ApplicationError("time or chance is wrong", non_retryable=True)
        return [int(first == drawn), *others[:-1]]

    async def _local(self, drawn: int) -> int:
        result: int = await workflow.execute_local_activity(
            "local", drawn, start_to_close_timeout=MINUTE, result_type=int
        )
        return result


@workflow.defn
class Desk:
    """A sum of what signals and updates bring; it goes on as new again and again."""

    @workflow.init
    def __init__(self, total: int, rounds: int) -> None:
        self._total = total
        self._rounds = rounds
        self._seen = 0
        self._is_closed = False

    @workflow.signal
    async def add(self, number: int) -> None:
        """Adds after an activity."""
        self._total += number
        self._seen += 1
        await step(-number)

    @workflow.signal
    def close(self) -> None:
        """Nothing more comes."""
        self._is_closed = True

    @workflow.update
    async def put(self, number: int) -> int:
        """Adds after a while, and gives the number."""
        await workflow.sleep(1)
        self._total += number
        self._seen += 1
        return number

    @put.validator
    def check(self, number: int) -> None:
        """Nothing odd."""
        if number % 2:
            raise ApplicationError("odd")

    @workflow.query
    def total(self) -> int:
        """The sum as it is."""
        return self._total

    @workflow.run
    async def run(self, total: int, rounds: int) -> int:
        """Main."""
        del total, rounds
        await workflow.wait_condition(
            lambda: (self._is_closed or self._seen >= 2) and workflow.all_handlers_finished()
        )
        if self._seen >= 2 and not self._is_closed and self._rounds:
            workflow.continue_as_new(args=[self._total, self._rounds - 1])
        await workflow.wait_condition(lambda: self._is_closed and workflow.all_handlers_finished())
        return self._total


@workflow.defn
class Waiter:
    """Waits for a signal; when it is cancelled, it cleans up."""

    def __init__(self) -> None:
        self._may_go = False

    @workflow.signal
    def go(self) -> None:
        """It may end."""
        self._may_go = True

    @workflow.run
    async def run(self) -> str:
        """Main."""
        try:
            await workflow.wait_condition(lambda: self._may_go)
        except asyncio.CancelledError:
            await asyncio.shield(step(-1))
            raise
        return "went"


@workflow.defn
class Parent:
    """Starts children, signals one of them, and leaves the others behind."""

    @workflow.run
    async def run(self, policy: int) -> str:
        """Main."""
        name = workflow.info().workflow_id
        first = await workflow.start_child_workflow(Waiter.run, id=f"{name}-first")
        await workflow.start_child_workflow(
            Waiter.run, id=f"{name}-left", parent_close_policy=workflow.ParentClosePolicy(policy)
        )
        await first.signal(Waiter.go)
        try:
            return str(await first)
        except ChildWorkflowError:
            return "was stopped"


@workflow.defn
class Cleanup:
    """Nested scopes: what is cancelled inside is none of the outside, and all is cleaned up."""

    @workflow.run
    async def run(self, seconds: int) -> list[str]:
        """Main."""
        seen: list[str] = []
        try:
            async with asyncio.timeout(seconds):
                seen.append(await self._scope())
        except (ActivityError, TimeoutError):
            seen.append("too slow")
        except asyncio.CancelledError:
            await asyncio.shield(step(-2))
            raise
        racing = [asyncio.create_task(workflow.sleep(each)) for each in (1, 60)]
        done, left = await workflow.wait(racing, return_when=asyncio.FIRST_COMPLETED)
        for each in left:
            each.cancel()
        seen.append(f"{len(done)} of {len(racing)}")
        return seen

    async def _scope(self) -> str:
        inner = workflow.start_activity(
            "slow",
            start_to_close_timeout=MINUTE,
            heartbeat_timeout=timedelta(seconds=HEARTBEAT_S),
            retry_policy=SLOW,
            cancellation_type=workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
        )
        other = asyncio.create_task(step(-3))
        try:
            await inner
        finally:
            await asyncio.shield(other)
        return "ended"


@workflow.defn
class Cautious:
    """Activities that are tried once, fail for good, or are completed from outside."""

    @workflow.run
    async def run(self) -> list[Any]:
        """Main."""
        seen: list[Any] = []
        for name in ("once", "fatal", "outside"):
            try:
                seen.append(
                    await workflow.execute_activity(
                        name,
                        start_to_close_timeout=timedelta(hours=2),
                        retry_policy=RetryPolicy(maximum_attempts=MOST_ATTEMPTS[name]),
                        result_type=int,
                    )
                )
            except ActivityError as error:
                seen.append(type(error.cause).__name__)
        return seen


@workflow.defn
class Retried:
    """Fails until its third attempt."""

    @workflow.run
    async def run(self) -> int:
        """Main."""
        attempt = workflow.info().attempt
        await step(-attempt)
        if attempt < 3:
            raise ApplicationError("not yet")
        return attempt


@workflow.defn
class Regular:
    """Runs by a schedule, and counts."""

    @workflow.run
    async def run(self) -> int:
        """Main."""
        before: int = workflow.get_last_completion_result(int) or 0
        await step(-1)
        return before + 1


WORKFLOWS = [Chain, Fan, Desk, Waiter, Parent, Cleanup, Cautious, Retried, Regular]
