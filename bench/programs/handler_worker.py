"""Runs a program's handler as it is told on stdin; the same text for both SDKs.

Each line is JSON: `["reply", request]`, `["equal", reply, reply]`, or `[verb, request, batch size,
count]` with the verb `time`, `floor` or `bare`, or `["peak", path of a request]`; bytes are in
hexadecimal. The answer is one line of JSON.
"""

import asyncio
import importlib
import json
import sys
import time
from pathlib import Path
from typing import Any

from statefun import RequestReplyHandler

program = importlib.import_module(sys.argv[1])
handler = RequestReplyHandler(program.functions)


async def reply(request: str) -> str:
    """What the handler replies."""
    return (await handler.handle_async(bytes.fromhex(request))).hex()


async def timed(request: str, _: int, count: int) -> float:
    """Seconds of CPU time that handling the request so many times takes."""
    body = bytes.fromhex(request)
    handle = handler.handle_async
    began = time.process_time()
    for _ in range(count):
        await handle(body)
    return time.process_time() - began


class Stub:
    """A context, a storage or a message whose every method is the cheapest that there is."""

    def __init__(self, **attributes: Any) -> None:
        vars(self).update(attributes)


BUILDERS = ("message_builder", "kafka_egress_message", "kinesis_egress_message")


async def floor(_: str, batch_size: int, count: int) -> float:
    """Seconds of CPU time that the function's own text takes, with stubs in place of an SDK."""
    [typename] = program.functions.typenames
    function = program.functions.for_typename(typename, "joe")
    specs = function.storage_spec.specs
    values = {spec.name: "x" * 100 if "value" in spec.name else 7 for spec in specs}
    nothing = "".format  # a built-in method that takes anything
    context = Stub(
        storage=Stub(**values),
        address=Stub(id="joe"),
        send=nothing,
        send_after=nothing,
        send_egress=nothing,
        cancel_delayed_message=nothing,
    )
    message = Stub(as_string="name-1".__str__)
    kept = {name: vars(program)[name] for name in BUILDERS if name in vars(program)}
    vars(program).update(dict.fromkeys(kept, nothing))

    async def batch() -> None:
        for _ in range(batch_size):
            await function.fun(context, message)

    began = time.process_time()
    for _ in range(count):
        await batch()
    took = time.process_time() - began
    vars(program).update(kept)
    return took


async def bare(_: str, batch_size: int, count: int) -> float:
    """Seconds of CPU time that the codec of the program's value takes alone."""
    codec = program.bare
    began = time.process_time()
    for _ in range(count * batch_size):
        codec()
    return time.process_time() - began


def memory(name: str) -> int:
    """A line of Linux's proc(5) about the memory of this process, in bytes."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    [line] = [each for each in lines if each.startswith(f"{name}:")]
    return int(line.split()[1]) * 1024


async def peak(path: str) -> int:
    """The memory in bytes that a request takes at most, itself included."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # noqa: ASYNC240 - nobody waits
    before = memory("VmRSS")
    await handler.handle_async(Path(path).read_bytes())  # noqa: ASYNC240
    return memory("VmHWM") - before


async def equal(one: str, other: str) -> bool:
    """Whether two replies say the same."""
    schema: Any = importlib.import_module("statefun.request_reply_pb2")
    parsed = [schema.FromFunction.FromString(bytes.fromhex(each)) for each in (one, other)]
    return bool(parsed[0] == parsed[1])


async def main() -> None:
    """Do as told until stdin ends."""
    verbs: Any = {
        "reply": reply,
        "time": timed,
        "floor": floor,
        "bare": bare,
        "peak": peak,
        "equal": equal,
    }
    for line in sys.stdin:
        verb, *arguments = json.loads(line)
        print(json.dumps(await verbs[verb](*arguments)), flush=True)


asyncio.run(main())
