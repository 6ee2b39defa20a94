"""A worker whose activities leave a line each in a file, so that a test can count them.

Run as `python mill.py PORT`: it attaches to the service there, and works until it is killed.
"""

from __future__ import annotations

import asyncio
import os
import sys
from datetime import timedelta

from statefun.workflows import activity, workflow
from statefun.workflows.client import Client
from statefun.workflows.common import RetryPolicy
from statefun.workflows.exceptions import ActivityError, TimeoutError  # noqa: A004 - the peer's name
from statefun.workflows.worker import Worker

LOG = "activities.log"
QUEUE = "mill"
STEPS = 4
FAILURES = 2
AGAIN = RetryPolicy(initial_interval=timedelta(milliseconds=20), maximum_attempts=50)
SOON = timedelta(seconds=30)


def note(*words: object) -> None:
    """Write a line."""
    log = os.open(LOG, os.O_APPEND | os.O_CREAT | os.O_WRONLY)
    os.write(log, (" ".join(map(str, words)) + "\n").encode())  # one call, so one line
    os.close(log)


@activity.defn
async def work(step: int, seen: str) -> str:
    """One step; its result is another one each time."""
    result = os.urandom(6).hex()
    note("step", activity.info().workflow_id, step, seen, result, activity.info().attempt)
    return result


@activity.defn
async def stumble() -> int:
    """Fails at first; gives the number of the attempt."""
    attempt = activity.info().attempt
    note("stumble", activity.info().workflow_id, attempt)
    if attempt <= FAILURES:
        raise ValueError(attempt)
    return attempt


@activity.defn
async def charge() -> str:
    """May run once, whatever happens."""
    note("once", activity.info().workflow_id)
    await asyncio.sleep(0.01)
    return "charged"


@workflow.defn
class Mill:
    """Works through its steps, each of which is given the result of the one before."""

    def __init__(self) -> None:
        self._approved: list[int] = []

    @workflow.signal
    def approve(self, number: int) -> None:
        """The second half may begin."""
        self._approved.append(number)

    @workflow.query
    def approvals(self) -> list[int]:
        """Every approval that has come."""
        return self._approved

    @workflow.run
    async def run(self, number: int) -> list[str]:
        """The results of all steps."""
        results = [str(number)]
        for step in range(STEPS):
            results.append(
                await workflow.execute_activity(
                    work, args=[step, results[-1]], start_to_close_timeout=SOON, retry_policy=AGAIN
                )
            )
            if step == 1:
                await workflow.wait_condition(lambda: bool(self._approved))
                await asyncio.sleep(0.01)
        if number % 3 == 0:
            attempt = await workflow.execute_activity(
                stumble, start_to_close_timeout=SOON, retry_policy=AGAIN
            )
            assert attempt == FAILURES + 1
        if number % 4 == 0:
            await workflow.execute_child_workflow(
                Payment.run, id=f"{workflow.info().workflow_id}-p"
            )
        return results[1:]


@workflow.defn
class Payment:
    """Pays once; it does not know whether it has when its worker is killed meanwhile."""

    @workflow.run
    async def run(self) -> str:
        """How it went."""
        try:
            return await workflow.execute_activity(
                charge, start_to_close_timeout=SOON, retry_policy=RetryPolicy(maximum_attempts=1)
            )
        except ActivityError as error:
            if isinstance(error.cause, TimeoutError):
                return "unknown"
            raise


async def main(port: int) -> None:
    """Work until it is killed."""
    client = await Client.connect(f"127.0.0.1:{port}")
    worker = Worker(
        client,
        task_queue=QUEUE,
        workflows=[Mill, Payment],
        activities=[work, stumble, charge],
    )
    async with worker:
        sys.stdout.write("attached\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
