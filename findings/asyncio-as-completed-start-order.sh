#!/usr/bin/env bash
# `asyncio.as_completed` starts the coroutines it is given in the order of a set of their identities: another order
# in each run, also on an event loop that is deterministic in everything else. `gather` starts them in order.
# Seen on Python 3.11.7, 3.12.1 and 3.13.0. Nothing is installed: PYTHON names the interpreter.
# Exits non-zero when this changes.
set -euo pipefail

found=$("${PYTHON:-python3}" - <<'PYTHON'
import asyncio


async def job(number, started):
    started.append(number)


async def main():
    in_order = []
    for _ in range(20):
        started = []
        for future in asyncio.as_completed([job(number, started) for number in range(16)]):
            await future
        in_order.append(started == sorted(started))
    gathered = []
    await asyncio.gather(*(job(number, gathered) for number in range(16)))
    print(f"as_completed in order: {all(in_order)}, gather in order: {gathered == sorted(gathered)}")


asyncio.run(main())
PYTHON
)
echo "$found"
[ "$found" = "as_completed in order: False, gather in order: True" ]
