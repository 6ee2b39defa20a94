"""Memory over millions of messages: `make memory`.

The resident memory after ten million messages is compared with that after one million. Each kind of
function runs in a process of its own.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import subprocess
import sys
from pathlib import Path

from statefun.sdk.address import Address
from statefun.sdk.builders import message_builder
from statefun.sdk.functions import StatefulFunctions
from statefun.sdk.handler import RequestReplyHandler
from statefun.sdk.primitives import StringType
from statefun.sdk.specs import ValueSpec
from statefun.sdk.types import make_json_type
from statefun.sdk.wire import CORE, Invocation, StoredValue, encode_request
from tests.protocol import test_memory as kinds

ROOT = Path(__file__).parents[3]
BATCH = 100
MOST_GROWTH = 1.02
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
KINDS = (kinds.returns, kinds.suspends, kinds.raises, kinds.keeps)
JSON = make_json_type("t/json")


def resident_bytes() -> int:
    """The memory of this process that is in RAM."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * PAGE_BYTES


async def grown(kind: str, messages: int) -> float:
    """Resident memory after ten times as many messages, as a multiple of that before."""
    functions = StatefulFunctions()
    specs = [ValueSpec("text", StringType), ValueSpec("document", JSON)]
    functions.register("t/f", getattr(kinds, kind), specs)
    handler = RequestReplyHandler(functions)
    argument = message_builder("t/f", "1", str_value="Ada").argument()
    state = {
        "text": StoredValue(StringType.typename, StringType.dump("before")),
        "document": StoredValue("t/json", b"{}"),
    }
    invocations = [Invocation(None, argument)] * BATCH
    request = encode_request(Address("t/f", "1"), state, invocations)
    handled = 1 if kind == "raises" else BATCH  # the first message ends the batch

    async def run(count: int) -> int:
        for _ in range(count // handled):
            await kinds.handled(handler.handle_async(request))
        return resident_bytes()

    before = await run(messages)
    return await run(9 * messages) / before


def main() -> int:
    """Measure every kind; 1 if one of them grows."""
    parser = argparse.ArgumentParser(prog="python -m tests.tools.memory", description=__doc__)
    parser.add_argument("--messages", type=int, default=1_000_000, help="then ten times as many")
    parser.add_argument("--kind", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.kind:
        sys.stdout.write(f"{asyncio.run(grown(options.kind, options.messages))}\n")
        return 0
    worst = 0.0
    for kind in KINDS:
        name = kind.__name__
        command = [sys.executable, "-m", "tests.tools.memory", "--kind", name]
        command += ["--messages", str(options.messages)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        growth = float(done.stdout)
        worst = max(worst, growth)
        sys.stdout.write(f"{CORE} core, a function that {name}: {growth:.4f} of the memory\n")
    return int(worst > MOST_GROWTH)


if __name__ == "__main__":
    raise SystemExit(main())
