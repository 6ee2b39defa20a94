"""A money transfer: approved by a signal, looked at by a query, undone if its second half fails."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from statefun.workflows import activity, workflow
from statefun.workflows.common import RetryPolicy
from statefun.workflows.exceptions import ActivityError, ApplicationError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

TASK_QUEUE = "money"
LARGE_CENTS = 100_000
PATIENCE = timedelta(days=1)


@dataclass
class Transfer:
    """What is to be moved, from whom to whom."""

    source: str
    target: str
    cents: int


def book(reference: str, account: str, cents: int) -> None:
    """Write a line into the book of the bank, unless it stands there."""
    path = Path(os.environ["BANK"])
    lines = path.read_text().splitlines() if path.exists() else []
    if all(json.loads(line)["reference"] != reference for line in lines):
        line = json.dumps({"reference": reference, "account": account, "cents": cents})
        with path.open("a") as lines_of_the_bank:
            lines_of_the_bank.write(f"{line}\n")


@activity.defn
async def withdraw(transfer: Transfer) -> None:
    """Take the money from its source. The reference makes a second attempt harmless."""
    reference = f"{activity.info().workflow_id} withdraw"
    book(reference, transfer.source, -transfer.cents)


@activity.defn
async def deposit(transfer: Transfer) -> None:
    """Give the money to its target."""
    if transfer.target == "closed":
        raise ApplicationError("the account is closed", type="Closed", non_retryable=True)
    book(f"{activity.info().workflow_id} deposit", transfer.target, transfer.cents)


@activity.defn
async def give_back(transfer: Transfer) -> None:
    """Give the money back to its source."""
    book(f"{activity.info().workflow_id} give back", transfer.source, transfer.cents)


@workflow.defn
class MoneyTransfer:
    """Moves money; a large sum waits a day for approval."""

    def __init__(self) -> None:
        self.step = "begun"
        self.is_approved = False

    @workflow.run
    async def run(self, transfer: Transfer) -> str:
        """Move the money, or leave everything as it was."""
        if transfer.cents >= LARGE_CENTS:
            self.step = "waiting for approval"
            try:
                await workflow.wait_condition(lambda: self.is_approved, timeout=PATIENCE)
            except TimeoutError:
                raise ApplicationError("nobody approved the transfer", type="Expired") from None
        self.step = "moving"
        await self.call(withdraw, transfer)
        try:
            await self.call(deposit, transfer)
        except ActivityError:
            self.step = "giving back"
            await self.call(give_back, transfer)
            raise
        self.step = "done"
        return f"{transfer.cents} moved from {transfer.source} to {transfer.target}"

    async def call(self, step: Callable[[Transfer], Awaitable[None]], transfer: Transfer) -> None:
        """Run one of the activities."""
        await workflow.execute_activity(
            step,
            transfer,
            start_to_close_timeout=timedelta(seconds=5),
            retry_policy=RetryPolicy(initial_interval=timedelta(milliseconds=100)),
        )

    @workflow.signal
    def approve(self) -> None:
        """Let a large transfer go on."""
        self.is_approved = True

    @workflow.query
    def status(self) -> str:
        """How far it is."""
        return self.step
