"""Bad input of every kind over HTTP: 4xx, and a JSON body that says what, where and what to do."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

import pytest

from statefun.durable import (
    Context,
    ObjectContext,
    Service,
    VirtualObject,
    Workflow,
    WorkflowContext,
    app,
    create_test_harness,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

greeter = Service("Greeter")
counter = VirtualObject("Counter")
flow = Workflow("Flow")
hidden = Service("Hidden", ingress_private=True)


@greeter.handler()
async def greet(ctx: Context, name: int) -> int:
    return name


@greeter.handler()
async def ping(ctx: Context) -> str:
    return "pong"


@counter.handler()
async def add(ctx: ObjectContext, by: int) -> int:
    return by


@flow.main()
async def start(ctx: WorkflowContext) -> None: ...


@hidden.handler()
async def work(ctx: Context) -> None: ...


APP = app([greeter, counter, flow, hidden])
JSON = "content-type: application/json"
MIB = 1 << 20


class Answer(NamedTuple):
    """What came back."""

    status: int
    told: dict[str, Any]
    content_type: str


@pytest.fixture
async def port() -> AsyncIterator[int]:
    """Of the ingress."""
    async with create_test_harness(APP) as harness:
        found = urlsplit(harness.ingress_url).port
        assert found is not None
        yield found


async def ask(port: int, method: str, path: str, *headers: str, body: bytes = b"") -> Answer:
    """Send a request byte by byte as it is given."""
    lines = [f"{method} {path} HTTP/1.1", "host: here", "connection: close", *headers]
    if body and not any(each.lower().startswith("content-length") for each in headers):
        lines.append(f"content-length: {len(body)}")
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write("\r\n".join([*lines, "", ""]).encode("latin-1") + body)
        head, _, content = (await asyncio.wait_for(reader.read(), 20)).partition(b"\r\n\r\n")
    finally:
        writer.close()
    first, *fields = head.decode().split("\r\n")
    named = {name.lower(): value.strip() for name, _, value in (f.partition(":") for f in fields)}
    return Answer(int(first.split()[1]), json.loads(content), named.get("content-type", ""))


BAD = [
    # what is asked for
    ("POST", "/Nobody/greet", (), b"", 404, "Nobody", "Greeter"),
    ("POST", "/Greeter/nothing", (), b"", 404, "nothing", "greet"),
    ("POST", "/greeter/greet", (), b"", 404, "greeter", "Greeter"),
    ("POST", "/Greeter", (), b"", 400, "path", "/"),
    ("POST", "/Greeter/a/greet/b/c", (), b"", 400, "path", "/"),
    ("POST", "/Greeter/key/greet", (), b"1", 400, "Greeter", "key"),
    ("POST", "/Counter/add", (), b"1", 400, "Counter", "key"),
    ("POST", "/Counter//add", (), b"1", 400, "key", "empty"),
    ("POST", "/Counter/%ff/add", (JSON,), b"1", 400, "UTF-8", "%ff"),
    ("POST", "/Hidden/work", (), b"", 400, "not public", "Hidden"),
    ("PUT", "/Greeter/ping", (), b"", 405, "PUT", "POST"),
    ("DELETE", "/Greeter/ping", (), b"", 405, "DELETE", "POST"),
    ("GET", "/Greeter/greet", (), b"", 405, "GET", "POST"),
    ("GET", "/restate/nothing", (), b"", 404, "restate", ""),
    # what is sent
    ("POST", "/Greeter/greet", (JSON,), b"{", 400, "argument", "JSON"),
    ("POST", "/Greeter/greet", (JSON,), b"\xff", 400, "argument", ""),
    ("POST", "/Greeter/greet", (), b"1", 400, "content-type", "application/json"),
    ("POST", "/Greeter/greet", ("content-type: text/plain",), b"1", 400, "text/plain", "json"),
    ("POST", "/Greeter/ping", (JSON,), b"1", 400, "ping", "body"),
    ("POST", "/Greeter/greet", (JSON, f"content-length: {33 * MIB}"), b"", 413, "bytes", "32"),
    ("POST", "/Greeter/greet", (JSON, "content-length: one"), b"", 400, "", ""),
    # headers and parameters
    (
        "POST",
        "/Greeter/ping",
        ("idempotency-key: a", "idempotency-key: b"),
        b"",
        400,
        "2 times",
        "send it once",
    ),
    ("POST", "/Greeter/ping", ("idempotency-key:",), b"", 400, "idempotency-key", "empty"),
    ("POST", "/Flow/w/start", ("idempotency-key: a",), b"", 400, "idempotency-key", "workflow"),
    ("POST", "/Greeter/ping/send?delay=soon", (), b"", 400, "soon", "1h30m"),
    ("POST", "/Greeter/ping/send?delay=-1s", (), b"", 400, "-1s", ""),
    ("POST", "/Greeter/ping/send?delay=", (), b"", 400, "delay", ""),
    ("POST", "/Greeter/ping?delay=10s", (), b"", 400, "delay", "send"),
    ("POST", "/Greeter/ping/send?delay=1s&delay=2s", (), b"", 400, "delay", ""),
    # ids
    ("GET", "/restate/invocation/inv_1nonsense/output", (), b"", 400, "inv_1nonsense", "format"),
    ("GET", "/restate/invocation/junk/attach", (), b"", 400, "junk", "format"),
    ("GET", "/restate/workflow/Nobody/k/output", (), b"", 404, "Nobody", ""),
    ("GET", "/restate/workflow/Counter/k/output", (), b"", 400, "Counter", "workflow"),
    ("GET", "/restate/workflow/Flow/unknown/output", (), b"", 404, "not found", ""),
    ("POST", "/restate/awakeables/junk/resolve", (JSON,), b"1", 400, "junk", "format"),
    ("POST", "/restate/awakeables/prom_1AAAA/reject", (), b"no", 400, "prom_1AAAA", "format"),
]


@pytest.mark.parametrize(
    ("method", "path", "headers", "body", "status", "what", "advice"),
    BAD,
    ids=[f"{each[0]} {each[1]} {' '.join(each[2])} {each[3][:8]!r}" for each in BAD],
)
async def test_a_bad_request_is_told_what_is_wrong(
    port: int,
    method: str,
    path: str,
    headers: tuple[str, ...],
    body: bytes,
    status: int,
    what: str,
    advice: str,
) -> None:
    """A status of the client's, and JSON with code, message and source."""
    answer = await ask(port, method, path, *headers, body=body)

    assert answer.status == status, answer.told
    assert answer.content_type.startswith("application/json")
    assert answer.told["code"] == status
    assert answer.told["source"] in ("ingress", "invocation")
    assert what in answer.told["message"]
    assert advice in answer.told["message"]
    assert "Traceback" not in str(answer.told)


async def test_after_a_bad_request_others_are_answered(port: int) -> None:
    """It hurts nobody."""
    good = await asyncio.gather(
        *(ask(port, "POST", "/Greeter/greet", JSON, body=b"%d" % each) for each in range(5)),
        *(ask(port, "POST", "/Greeter/greet", JSON, body=b"{") for _ in range(5)),
    )

    assert [each.status for each in good] == [200] * 5 + [400] * 5
