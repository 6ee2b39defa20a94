"""What both interpreters do: answer requests with the program's functions, and run snippets.

The same code runs in the test process (for ours) and, started by `peer.py`, in an environment
that has the old SDK. Only the standard library and `statefun` may be imported here.
"""

import asyncio
import contextlib
import importlib.metadata
import json
import os
import struct
import sys
import warnings
from typing import IO, Any

from tests.tools.compat import wire

BODIES = {"bytes": bytes, "bytearray": bytearray, "memoryview": memoryview}


def perform(order: dict[str, Any]) -> Any:
    """Carry out one order; what comes back is JSON."""
    match order["do"]:
        case "hello":
            return hello()
        case "handle":
            with asyncio.Runner() as runner:
                return [
                    handle(request, runner, twins=order["twins"]) for request in order["requests"]
                ]
        case "run":
            return run_snippet(order["snippet"])
        case unknown:
            raise ValueError(f"unknown order {unknown!r}")


def hello() -> dict[str, str]:
    """Which SDK answers here."""
    import statefun  # noqa: PLC0415 - which one it is depends on the environment

    distributions = importlib.metadata.packages_distributions().get("statefun", [])
    versions = {name: importlib.metadata.version(name) for name in (*distributions, "protobuf")}
    return {**versions, "file": str(statefun.__file__), "python": sys.version}


def handle(request: dict[str, Any], runner: asyncio.Runner, *, twins: bool) -> dict[str, Any]:
    """One request through the program: its reply, or the classes of what was raised."""
    from tests.tools.compat import program  # noqa: PLC0415 - it needs the SDK of this environment

    program.plays_twins = twins
    body = BODIES[request["as"]](bytes.fromhex(request["body"]))
    try:
        if request["sync"]:
            reply = program.handler.handle_sync(body)
        else:
            reply = runner.run(program.handler.handle_async(body))
    except Exception as exc:  # noqa: BLE001 - what is raised is the result
        return {"raised": program.classes(exc), "says": f"{exc}"}
    return {"reply": reply.hex()}


def run_snippet(snippet: str) -> dict[str, Any]:
    """Run a snippet as user code; it leaves its result in `outcome`."""
    from tests.tools.compat import program  # noqa: PLC0415 - it needs the SDK of this environment

    names: dict[str, Any] = {"__name__": "snippet", "wire": wire}
    try:
        with contextlib.redirect_stdout(sys.stderr), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the old SDK forgets coroutines
            exec(PREAMBLE + snippet, names)
    except Exception as exc:  # noqa: BLE001 - what is raised is the result
        return {"raised": program.classes(exc), "says": f"{exc}"}
    return {"value": names.get("outcome", "nothing raised, and no outcome")}


PREAMBLE = '''
import asyncio
from datetime import timedelta
from statefun import *


def request(*arguments, target=("ns", "f", "1"), state=(), callers=None):
    """The bytes of a request; arguments are pairs of typename and bytes, or None for no value."""
    packed = [argument and wire.typed_value(*argument) for argument in arguments]
    callers = callers or [None] * len(packed)
    invocations = [(caller and wire.address(*caller), a) for caller, a in zip(callers, packed)]
    values = [(name, value and wire.typed_value(*value)) for name, value in state]
    return wire.to_function(wire.address(*target), values, invocations)


def answer(functions, body):
    """What an engine makes of the reply to a request."""
    return wire.meaning(RequestReplyHandler(functions).handle_sync(body))


def call(function, *arguments, specs=None, typename="ns/f", **parts):
    """Register one function and give it one batch, of one value-less message unless told."""
    functions = StatefulFunctions()
    functions.register(typename, function, specs)
    return answer(functions, request(*(arguments or [("ns/nothing", None)]), **parts))


def observe(look, *arguments, **parts):
    """What `look(context, message)` returns inside a function, once per message."""
    seen = []
    call(lambda context, message: seen.append(look(context, message)), *arguments, **parts)
    return seen


def fails_with(kind, action):
    """True if an action raises an instance of kind, False if nothing, else what it raises."""
    try:
        action()
    except kind:
        return True
    except Exception as error:
        return type(error).__name__
    return False

'''


def main() -> None:
    """Answer length-prefixed JSON on stdin and stdout until stdin ends."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what snippets print must not mix with the answers
    while (order := receive(sys.stdin.buffer)) is not None:
        send(answers, perform(order))


def send(stream: IO[bytes], content: Any) -> None:
    """Write one frame: four bytes of length, big-endian, then JSON."""
    data = json.dumps(content).encode()
    stream.write(struct.pack(">I", len(data)) + data)
    stream.flush()


def receive(stream: IO[bytes]) -> Any:
    """Read one frame; `None` at the end of the stream."""
    head = stream.read(4)
    if len(head) < 4:
        return None
    return json.loads(stream.read(struct.unpack(">I", head)[0]))
