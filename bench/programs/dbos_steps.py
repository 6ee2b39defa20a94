"""A workflow of DBOS with ten steps, on SQLite; runs in an environment of its own.

It is told `["load", clients, seconds]` on stdin, one line of JSON each, and answers with the
seconds that one workflow took.
"""

from __future__ import annotations

import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from dbos import DBOS

STEPS = 10


@DBOS.step()
def step(number: int) -> int:
    """The work of a step, which is next to nothing."""
    return number + 1


@DBOS.workflow()
def run() -> int:
    """Ten steps, one after another."""
    total = 0
    for _ in range(STEPS):
        total = step(total)
    return total


def client(until: float) -> int:
    """How many workflows a client runs, one after another."""
    count = 0
    while time.perf_counter() < until:
        run()
        count += 1
    return count


def load(clients: int, seconds: float) -> float:
    """Seconds for one workflow."""
    began = time.perf_counter()
    with ThreadPoolExecutor(clients) as pool:
        count = sum(pool.map(client, [began + seconds] * clients))
    return (time.perf_counter() - began) / count


def main() -> None:
    """Do as told until stdin ends."""
    file = Path(sys.argv[1]) / "dbos.sqlite"
    config = {"name": "bench", "system_database_url": f"sqlite:///{file}", "log_level": "ERROR"}
    DBOS(config=config)
    DBOS.launch()
    for line in sys.stdin:
        _, clients, seconds = json.loads(line)
        sys.stdout.write(json.dumps(load(clients, seconds)) + "\n")
        sys.stdout.flush()
    DBOS.destroy()


main()
