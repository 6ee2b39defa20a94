"""What HTTP requests ask of the ingress, and which of them are refused."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from statefun.durable import (
    Context,
    ObjectContext,
    Service,
    VirtualObject,
    Workflow,
    WorkflowContext,
    WorkflowSharedContext,
)
from statefun.durable.catalogue import Catalogue, HandlerEntry, ServiceEntry
from statefun.durable.delays import parse_delay_ms
from statefun.durable.requests import (
    AskHealth,
    AskResult,
    Completion,
    Invocation,
    InvocationName,
    parse_request,
)
from statefun.errors import ConfigurationError, RequestRefusedError

if TYPE_CHECKING:
    from statefun.durable.requests import IngressRequest

greeter = Service("Greeter")
counter = VirtualObject("Counter")
order = Workflow("Order")


@greeter.handler()
async def greet(ctx: Context, name: str) -> str:
    return name


@greeter.handler()
async def ping(ctx: Context) -> None: ...


@greeter.handler(accept="*/*")
async def anything(ctx: Context, data: bytes) -> bytes:
    return data


@greeter.handler(accept="image/*")
async def draw(ctx: Context, data: bytes):  # type: ignore[no-untyped-def]  # noqa: ANN201
    return data


@greeter.handler(ingress_private=True)
async def secret(ctx: Context, name: str) -> str:
    return name


@counter.handler()
async def add(ctx: ObjectContext, by: int) -> int:
    return by


@counter.handler("send", kind="shared")
async def send_it(ctx: Any, by: int) -> int:
    return by


@order.main()
async def run(ctx: WorkflowContext, request: str) -> str:
    return request


@order.handler()
async def status(ctx: WorkflowSharedContext) -> str:
    return ""


CATALOGUE = Catalogue.of([greeter, counter, order], "durable")
JSON = ("content-type", "application/json")


def parsed(
    path: str, *headers: tuple[str, str], method: str = "POST", body: bytes = b"1"
) -> IngressRequest:
    raw_path, _, query = path.partition("?")
    return parse_request(method, raw_path, query, headers, body, CATALOGUE)


def invoked(path: str, *headers: tuple[str, str], **rest: Any) -> tuple[str, str, str | None, bool]:
    request = parsed(path, *headers, **rest)
    assert isinstance(request, Invocation)
    return request.service.name, request.handler.name, request.key, request.is_send


@pytest.mark.parametrize(
    ("path", "meaning"),
    [
        ("/Greeter/greet", ("Greeter", "greet", None, False)),
        ("/Greeter/greet/", ("Greeter", "greet", None, False)),
        ("/Greeter/greet/send", ("Greeter", "greet", None, True)),
        ("/Counter/ada/add", ("Counter", "add", "ada", False)),
        ("/Counter/a%2Fb%20c+d/add", ("Counter", "add", "a/b c+d", False)),
        ("/Counter/ada/add/send", ("Counter", "add", "ada", True)),
        ("/Counter/ada/send", ("Counter", "send", "ada", False)),
        ("/Counter/ada/send/send", ("Counter", "send", "ada", True)),
        ("/Order/o-1/run", ("Order", "run", "o-1", False)),
        ("/restate/call/Counter/ada/add", ("Counter", "add", "ada", False)),
        ("/restate/send/Greeter/greet", ("Greeter", "greet", None, True)),
    ],
)
def test_a_path_names_service_key_and_handler(
    path: str, meaning: tuple[str, str, str | None, bool]
) -> None:
    """A trailing slash is ignored, and escapes within a key belong to the key."""
    assert invoked(path, JSON) == meaning


def test_an_invocation_has_everything_that_came() -> None:
    """Body, headers that are the caller's, idempotency key and delay."""
    request = parsed(
        "/Greeter/greet/send?delay=1500",
        JSON,
        ("idempotency-key", "k"),
        ("traceparent", "t"),
        ("host", "h"),
    )

    assert isinstance(request, Invocation)
    assert request.body == b"1"
    assert (request.idempotency_key, request.delay_ms) == ("k", 1500)
    assert request.headers == {
        "content-type": "application/json",
        "idempotency-key": "k",
        "traceparent": "t",
    }


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/Greeter/greet", [("content-type", "Application/JSON; charset=utf-8")]),
        ("/Greeter/anything", []),
        ("/Greeter/draw", [("content-type", "image/png")]),
    ],
)
def test_a_media_type_is_compared_as_it_should_be(
    path: str, headers: list[tuple[str, str]]
) -> None:
    """Without its case and its parameters; `*` fits all."""
    assert invoked(path, *headers)


def test_without_a_body_no_media_type_is_asked_for() -> None:
    """The argument is None."""
    assert invoked("/Greeter/greet", body=b"")


def test_a_handler_without_an_argument_is_invoked_by_get_too() -> None:
    """As curl does without options."""
    assert invoked("/Greeter/ping", method="GET", body=b"")


ORDER = CATALOGUE.services["Order"]
COUNTER = CATALOGUE.services["Counter"]


@pytest.mark.parametrize(
    ("method", "path", "meaning"),
    [
        ("GET", "/restate/health", AskHealth()),
        ("GET", "/restate/invocation/inv_1/output", AskResult("inv_1", waits=False)),
        ("GET", "/restate/invocation/inv_1/attach", AskResult("inv_1", waits=True)),
        (
            "GET",
            "/restate/invocation/Counter/ada/add/k%2F1/output",
            AskResult(InvocationName(COUNTER, COUNTER.handlers["add"], "ada", "k/1"), waits=False),
        ),
        (
            "GET",
            "/restate/workflow/Order/o-1/attach",
            AskResult(InvocationName(ORDER, ORDER.handlers["run"], "o-1", None), waits=True),
        ),
        ("POST", "/restate/awakeables/a1/resolve", Completion("a1", b"1")),
        ("POST", "/restate/awakeables/a1/reject", Completion("a1", None, "1")),
    ],
)
def test_what_is_below_restate_is_about_invocations(
    method: str, path: str, meaning: IngressRequest
) -> None:
    """Results, awakeables and health."""
    assert parsed(path, method=method) == meaning


@pytest.mark.parametrize(
    ("method", "path", "headers", "status", "text"),
    [
        ("POST", "/", [], 404, "nothing is served here"),
        ("POST", "/Nobody/greet", [JSON], 404, "there is no service 'Nobody'; services: Greeter"),
        ("POST", "/greeter/greet", [JSON], 404, "there is no service 'greeter'"),
        ("POST", "/Greeter/nothing", [JSON], 404, "has no handler 'nothing'; its handlers: greet"),
        ("POST", "/Greeter", [JSON], 400, "bad path '/Greeter': 'Greeter' is a service, so write"),
        ("POST", "/Greeter/ada/greet", [JSON], 400, "bad path '/Greeter/ada/greet'"),
        ("POST", "/Counter/add", [JSON], 400, "write /<service>/<key>/<handler>"),
        ("POST", "/Counter//add", [JSON], 400, "no part of it empty"),
        ("POST", "/Counter/%FF/add", [JSON], 400, "it is not UTF-8"),
        ("PUT", "/Greeter/greet", [JSON], 405, "method not allowed: use POST, not PUT"),
        ("GET", "/Greeter/greet", [JSON], 405, "method not allowed"),
        ("HEAD", "/Greeter/ping", [], 405, "method not allowed"),
        ("POST", "/Greeter/secret", [JSON], 400, "the invoked service is not public"),
        ("POST", "/Greeter/ping", [], 400, "input validation error: 'ping' of 'Greeter' takes no"),
        ("POST", "/Greeter/greet", [], 400, "name the content-type of the body"),
        ("POST", "/Greeter/greet", [("content-type", "text/plain")], 400, "is 'text/plain'"),
        ("POST", "/Greeter/greet", [JSON, JSON], 400, "the header content-type came 2 times"),
        ("POST", "/Greeter/greet", [JSON, ("idempotency-key", " ")], 400, "is empty"),
        ("POST", "/Order/1/run", [JSON, ("idempotency-key", "k")], 400, "runs once per key"),
        ("POST", "/Greeter/greet?delay=1s", [JSON], 400, "a call cannot be delayed"),
        ("POST", "/Greeter/greet/send?delay=", [JSON], 400, "the delay '' cannot be read"),
        ("POST", "/Greeter/greet/send?delay=1s&delay=2s", [JSON], 400, "more than once"),
        ("POST", "/restate/health", [], 405, "method not allowed: use GET"),
        ("GET", "/restate/awakeables/a/resolve", [], 405, "method not allowed: use POST"),
        ("POST", "/restate/workflow/Order/1/attach", [], 405, "method not allowed: use GET"),
        ("GET", "/restate/workflow/Counter/1/attach", [], 400, "is not a workflow"),
        ("GET", "/restate/invocation/Counter/add/k/output", [], 400, "bad path"),
        ("GET", "/restate/other", [], 404, "nothing is served at '/restate/other'"),
        ("POST", "/restate/call/Greeter/greet/send", [JSON], 400, "write /restate/send/"),
    ],
)
def test_a_request_that_asks_for_nothing_that_there_is_is_refused(
    method: str, path: str, headers: list[tuple[str, str]], status: int, text: str
) -> None:
    """The status says whose fault it is, the sentence what to do."""
    with pytest.raises(RequestRefusedError) as caught:
        parsed(path, *headers, method=method)

    assert caught.value.http_status == status
    assert text in caught.value.reason


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [
        ("10ms", 10),
        ("1s", 1000),
        ("1 sec", 1000),
        ("1 day", 86_400_000),
        ("1h30m", 5_400_000),
        ("1 hour, 30 minutes", 5_400_000),
        ("0.7s", 700),
        ("0", 0),
        ("1500", 1500),
        ("1us", 1),
        ("PT1M30.5S", 90_500),
        ("P1DT1H", 90_000_000),
        ("P2W", 1_209_600_000),
    ],
)
def test_a_delay_is_iso_8601_or_friendly(text: str, milliseconds: int) -> None:
    """A bare number is milliseconds, as clients send it; a part of one is rounded up."""
    assert parse_delay_ms(text) == milliseconds


@pytest.mark.parametrize(
    "text", ["", "-1s", "soon", "1 parsec", "P", "PT", "1s junk", "101y", "99999d", "1e3", "٣"]
)
def test_a_delay_that_cannot_be_read_is_refused(text: str) -> None:
    """With the status 400."""
    with pytest.raises(RequestRefusedError, match="cannot be read: write it like 10ms"):
        parse_delay_ms(text)


def test_a_catalogue_travels_as_json() -> None:
    """What an endpoint tells is what its declarations are."""
    copy = Catalogue.from_json(CATALOGUE.to_json(), "http://there")

    assert copy.services == CATALOGUE.services
    assert copy.services["Greeter"].handlers["ping"] == HandlerEntry(
        "ping", None, accept=None, content_type="application/json"
    )
    assert copy.services["Greeter"].handlers["draw"].content_type is None
    assert not copy.services["Greeter"].handlers["secret"].is_public


@pytest.mark.parametrize("data", [b"", b"{}", b"[1]", json.dumps({"services": [{}]}).encode()])
def test_an_endpoint_that_tells_something_else_is_no_endpoint_of_ours(data: bytes) -> None:
    """The sentence says where it came from."""
    with pytest.raises(ConfigurationError, match="http://there does not tell its services"):
        Catalogue.from_json(data, "http://there")


def test_a_name_belongs_to_one_namespace() -> None:
    """URLs have none, so two services of one name cannot be told apart."""
    with pytest.raises(ConfigurationError, match="two services are named 'S'"):
        Catalogue([ServiceEntry("S", "service", "a"), ServiceEntry("S", "service", "b")])
