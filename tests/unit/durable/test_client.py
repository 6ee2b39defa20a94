"""The client: which requests its calls are, and what it makes of the answers."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from statefun.durable import (
    Context,
    HttpError,
    ObjectContext,
    Service,
    TerminalError,
    VirtualObject,
    Workflow,
    WorkflowContext,
    create_client,
)
from statefun.http import HttpServer, Request, Response

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from statefun.durable import Client

greeter = Service("Greeter")
counter = VirtualObject("Counter")
order = Workflow("Order")


@dataclass
class Line:
    sku: str


@greeter.handler()
async def greet(ctx: Context, line: Line) -> Line:
    return line


@greeter.handler()
async def ping(ctx: Context) -> None: ...


@greeter.handler(accept="*/*")
async def hello(ctx: Context, name: str = "you") -> str:
    return name


@counter.handler()
async def add(ctx: ObjectContext, by: int) -> int:
    return by


@order.main()
async def run(ctx: WorkflowContext, line: Line) -> Line:
    return line


class Ingress:
    """A server that remembers the requests and answers them all alike."""

    def __init__(self) -> None:
        self.answer = Response(200, b"7", "application/json")
        self.requests: list[tuple[str, str, bytes, dict[str, str]]] = []

    def handle(self, request: Request) -> Response:
        wanted = ("content-type", "idempotency-key", "authorization", "x-more")
        headers = {name: value for name in wanted if (value := request.header(name)) is not None}
        self.requests.append((request.method, request.target, request.body, headers))
        return self.answer

    def accept(self, status: str) -> None:
        told = {"invocationId": "inv_1", "status": status}
        self.answer = Response(202, json.dumps(told).encode(), "application/json")

    @asynccontextmanager
    async def client(self, **headers: str) -> AsyncIterator[Client]:
        server = HttpServer(self.handle)
        await server.start()
        async with create_client(f"http://127.0.0.1:{server.port}/", headers) as client:
            yield client
        await server.stop()


@pytest.fixture
def ingress() -> Ingress:
    return Ingress()


JSON = {"content-type": "application/json"}


@pytest.mark.parametrize(
    ("act", "target", "body", "headers"),
    [
        (lambda c: c.service_call(ping, None), "/Greeter/ping", b"", {}),
        (lambda c: c.object_call(add, "ada", 2), "/Counter/ada/add", b"2", JSON),
        (lambda c: c.object_call(add, "a/b c%", 2), "/Counter/a%2Fb%20c%25/add", b"2", JSON),
        (lambda c: c.call(add, 2, key="ada"), "/Counter/ada/add", b"2", JSON),
        (
            lambda c: c.service_call(hello, None),
            "/Greeter/hello",
            b'"you"',
            {"content-type": "application/octet-stream"},
        ),
        (
            lambda c: c.object_call(add, "ada", 2, idempotency_key="k", headers={"X-More": "1"}),
            "/Counter/ada/add",
            b"2",
            JSON | {"idempotency-key": "k", "x-more": "1"},
        ),
        (
            lambda c: c.generic_call("Counter", "add", b"2", key="ada"),
            "/Counter/ada/add",
            b"2",
            JSON,
        ),
        (
            lambda c: c.resolve_awakeable("prom/1", 2),
            "/restate/awakeables/prom%2F1/resolve",
            b"2",
            JSON,
        ),
        (
            lambda c: c.reject_awakeable("prom_1", "no"),
            "/restate/awakeables/prom_1/reject",
            b"no",
            {"content-type": "text/plain; charset=utf-8"},
        ),
    ],
)
async def test_a_call_is_a_request(
    ingress: Ingress,
    act: Callable[[Any], Any],
    target: str,
    body: bytes,
    headers: dict[str, str],
) -> None:
    """Path with escapes, body by the handler's serde, and its media type."""
    async with ingress.client() as client:
        await act(client)

    assert ingress.requests == [("POST", target, body, headers)]


@pytest.mark.parametrize(
    ("act", "target"),
    [
        (lambda c: c.object_send(add, "ada", 2), "/Counter/ada/add/send"),
        (
            lambda c: c.object_send(add, "ada", 2, send_delay=timedelta(seconds=1.5)),
            "/Counter/ada/add/send?delay=1500ms",
        ),
        (
            lambda c: c.send(add, 2, key="ada", delay=timedelta(0)),
            "/Counter/ada/add/send?delay=0ms",
        ),
        (lambda c: c.generic_send("Counter", "add", b"2", "ada"), "/Counter/ada/add/send"),
    ],
)
async def test_a_send_is_told_whether_it_started_the_invocation(
    ingress: Ingress, act: Callable[[Any], Any], target: str
) -> None:
    """The handle has the id, the true status, and whether it is new."""
    async with ingress.client() as client:
        ingress.accept("Accepted")
        first = await act(client)
        ingress.accept("PreviouslyAccepted")
        second = await act(client)

    assert ingress.requests[0][1] == target
    assert (first.invocation_id, first.status_code, first.is_new) == ("inv_1", 202, True)
    assert not second.is_new


async def test_a_result_is_read_as_the_handler_declares_it(ingress: Ingress) -> None:
    """A dataclass is one again, for calls and for those who attach."""
    ingress.answer = Response(200, b'{"sku": "a"}', "application/json")

    async with ingress.client() as client:
        assert await client.service_call(greet, Line("a")) == Line("a")
        assert await client.workflow_attach(run, "o/1") == Line("a")
        assert await client.attach("inv_1", Line) == Line("a")

    assert [target for _, target, _, _ in ingress.requests] == [
        "/Greeter/greet",
        "/restate/workflow/Order/o%2F1/attach",
        "/restate/invocation/inv_1/attach",
    ]


async def test_no_body_is_none(ingress: Ingress) -> None:
    """As everywhere."""
    ingress.answer = Response(200, b"", "")

    async with ingress.client() as client:
        result = await client.service_call(greet, Line("a"))

    assert result is None


async def test_headers_of_the_client_go_with_every_request(ingress: Ingress) -> None:
    """Such as a token."""
    async with ingress.client(Authorization="Bearer t") as client:
        await client.service_call(ping, None)

    assert ingress.requests[0][3] == {"authorization": "Bearer t"}


async def test_an_answer_of_400_or_more_is_raised(ingress: Ingress) -> None:
    """With its status, the reason phrase, and the body as text."""
    ingress.answer = Response(409, b'{"code": 409}', "application/json")

    async with ingress.client() as client:
        with pytest.raises(HttpError) as caught:
            await client.service_call(ping, None)

    assert (caught.value.status_code, caught.value.message) == (409, "Conflict")
    assert caught.value.body == '{"code": 409}'


@pytest.mark.parametrize(("status", "is_done"), [(200, True), (470, False), (409, True)])
async def test_whether_an_invocation_has_ended_is_known_by_the_status(
    ingress: Ingress, status: int, *, is_done: bool
) -> None:
    """470 is the status of one that runs; a failure is an end."""
    ingress.answer = Response(status, b"{}", "application/json")

    async with ingress.client() as client:
        assert await client.is_done("inv_1") is is_done


async def test_an_invocation_that_nobody_knows_is_an_error(ingress: Ingress) -> None:
    """It has neither ended nor not."""
    ingress.answer = Response(404, b"{}", "application/json")

    async with ingress.client() as client:
        with pytest.raises(HttpError):
            await client.is_done("inv_1")


@pytest.mark.parametrize(
    ("act", "text"),
    [
        (lambda c: c.call(add, 2), "'Counter' is of the kind 'object', so a call of it has a key"),
        (
            lambda c: c.call(greet, Line("a"), key="k"),
            "'Greeter' is of the kind 'service', so a call of it has no key",
        ),
        (lambda c: c.service_call(ping, 1), "handler 'ping' takes no argument, got 1"),
        (lambda c: c.generic_call("S", "h", b"", scope="s"), "scope and limit_key are not"),
    ],
)
async def test_a_call_that_cannot_succeed_is_not_sent(
    ingress: Ingress, act: Callable[[Any], Any], text: str
) -> None:
    """The sentence says what to do."""
    async with ingress.client() as client:
        with pytest.raises(TerminalError, match=text):
            await act(client)

    assert ingress.requests == []
