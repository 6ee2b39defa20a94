"""Runs a program's handler as it is told on stdin; the same text for both SDKs.

Each line is JSON: `["reply", request]`, `["time", request, count]` or `["equal", reply, reply]`,
with bytes in hexadecimal; the answer is one line of JSON.
"""

import asyncio
import importlib
import json
import sys
import time
from typing import Any

from statefun import RequestReplyHandler

handler = RequestReplyHandler(importlib.import_module(sys.argv[1]).functions)


async def reply(request: str) -> str:
    """What the handler replies."""
    return (await handler.handle_async(bytes.fromhex(request))).hex()


async def timed(request: str, count: int) -> float:
    """Seconds of CPU time that handling the request so many times takes."""
    body = bytes.fromhex(request)
    handle = handler.handle_async
    began = time.process_time()
    for _ in range(count):
        await handle(body)
    return time.process_time() - began


async def equal(one: str, other: str) -> bool:
    """Whether two replies say the same."""
    schema: Any = importlib.import_module("statefun.request_reply_pb2")
    parsed = [schema.FromFunction.FromString(bytes.fromhex(each)) for each in (one, other)]
    return bool(parsed[0] == parsed[1])


async def main() -> None:
    """Do as told until stdin ends."""
    verbs: Any = {"reply": reply, "time": timed, "equal": equal}
    for line in sys.stdin:
        verb, *arguments = json.loads(line)
        print(json.dumps(await verbs[verb](*arguments)), flush=True)


asyncio.run(main())
