"""A durable workflow of DBOS with one step, on SQLite; runs in an environment of its own.

It is told `["load", clients, seconds]` on stdin, one line of JSON each. It answers with the seconds
that one workflow took, and the 99th percentile of the time that a client waited.
"""

from __future__ import annotations

import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from dbos import DBOS

counts: dict[str, int] = {}


@DBOS.step()
def add(key: str) -> int:
    """Add one; the result is what DBOS makes durable."""
    counts[key] = counts.get(key, 0) + 1
    return counts[key]


@DBOS.workflow()
def count(key: str) -> int:
    """One step."""
    return add(key)


def client(number: int, until: float) -> list[float]:
    """The waiting times of a client that runs one workflow after another."""
    waits = []
    while (began := time.perf_counter()) < until:
        count(f"guest-{number}-{len(waits)}")
        waits.append(time.perf_counter() - began)
    return waits


def load(clients: int, seconds: float) -> tuple[float, float]:
    """Seconds for one workflow, and the 99th percentile of the waiting times."""
    began = time.perf_counter()
    with ThreadPoolExecutor(clients) as pool:
        many = pool.map(client, range(clients), [began + seconds] * clients)
        waits = sorted(wait for each in many for wait in each)
    return (time.perf_counter() - began) / len(waits), waits[len(waits) * 99 // 100]


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
