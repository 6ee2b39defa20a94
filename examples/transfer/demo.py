"""What `make transfer` runs: transfers whose worker and service are killed meanwhile.

Starts the service (`statefun run --listen`) and a worker as processes, moves money, kills both with
SIGKILL, approves the large transfers, and looks into the book of the bank in the end. Exits 1 if a
transfer is lost, or was booked twice.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

from transfer import LARGE_CENTS, TASK_QUEUE, MoneyTransfer, Transfer

from statefun.workflows.client import Client, WorkflowFailureError

HERE = Path(__file__).resolve().parent
TRANSFERS = 30
KILLS = 3


class Processes:
    """The service and the worker."""

    def __init__(self, work: Path) -> None:
        self.work = work
        self.port = 0
        self.environment = {**os.environ, "BANK": str(work / "bank.jsonl")}

    def start_service(self) -> None:
        """Start the service; it keeps its port."""
        command = [sys.executable, "-m", "statefun", "run", "--data", str(self.work / "data")]
        command += ["--listen", f"127.0.0.1:{self.port}"]
        self.service = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.service.stdout is not None
        ready = self.service.stdout.readline()
        self.port = int(ready.partition("workflows http://127.0.0.1:")[2].partition(",")[0])

    def start_worker(self) -> None:
        """Start a worker."""
        command = [sys.executable, str(HERE / "worker.py"), f"127.0.0.1:{self.port}"]
        self.worker = subprocess.Popen(
            command, env=self.environment, stdout=subprocess.PIPE, text=True
        )
        assert self.worker.stdout is not None
        self.worker.stdout.readline()

    def kill_worker(self) -> None:
        """End the worker as a power failure does, and start another one."""
        end(self.worker)
        self.start_worker()

    def kill_service(self) -> None:
        """The same with the service."""
        end(self.service)
        self.start_service()

    def stop(self) -> None:
        """End both."""
        end(self.worker)
        end(self.service)


def end(process: subprocess.Popen[str]) -> None:
    """End a process as a power failure does."""
    process.kill()
    process.wait()
    if process.stdout is not None:
        process.stdout.close()


def transfer_of(number: int) -> Transfer:
    """Every third one is large, and every tenth one goes to an account that is closed."""
    cents = LARGE_CENTS + number if number % 3 == 0 else 100 + number
    return Transfer("ada", "closed" if number % 10 == 9 else "bob", cents)


async def run(processes: Processes) -> int:
    """Move the money; how many transfers ended as they must."""
    client = await Client.connect(f"127.0.0.1:{processes.port}")
    handles = [
        await client.start_workflow(
            MoneyTransfer.run, transfer_of(number), id=f"transfer-{number}", task_queue=TASK_QUEUE
        )
        for number in range(TRANSFERS)
    ]
    for number in range(KILLS):
        processes.kill_worker() if number % 2 == 0 else processes.kill_service()
    right = 0
    for number, handle in enumerate(handles):
        transfer = transfer_of(number)
        if transfer.cents >= LARGE_CENTS:
            await handle.signal(MoneyTransfer.approve)
        try:
            await handle.result()
            right += transfer.target != "closed"
        except WorkflowFailureError:
            right += transfer.target == "closed"
    await client.close()
    return right


def main() -> int:
    """Run everything in a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        processes = Processes(Path(folder))
        processes.start_service()
        processes.start_worker()
        try:
            right = asyncio.run(run(processes))
        finally:
            processes.stop()
        lines = [json.loads(line) for line in (Path(folder) / "bank.jsonl").open()]
    twice = [
        name for name, count in Counter(each["reference"] for each in lines).items() if count > 1
    ]
    balance = sum(each["cents"] for each in lines)
    print(f"{right} of {TRANSFERS} transfers ended as they must, with {KILLS} kills")
    print(f"{len(lines)} lines at the bank, {len(twice)} of them twice, {balance} cents too many")
    return 0 if right == TRANSFERS and not twice and not balance else 1


if __name__ == "__main__":
    sys.exit(main())
