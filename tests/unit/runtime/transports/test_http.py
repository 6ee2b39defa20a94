"""Functions behind HTTP: which endpoint serves what, and what one POST makes of an answer."""

from __future__ import annotations

import asyncio
import gzip
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from aiohttp import web

from statefun.errors import (
    ConfigurationError,
    DoNotRetryError,
    MessageRefusedError,
    TransportError,
)
from statefun.runtime.transports.http import HttpEndpoint
from statefun.runtime.transports.options import HttpOptions
from statefun.sdk.address import Address
from statefun.sdk.functions import StatefulFunctions
from statefun.serve.endpoint import FunctionEndpoint
from tests.builders import text, to_function
from tests.tools.lab.server import free_port

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from statefun.sdk.context import Context
    from statefun.sdk.messages import Message

    Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

OCTETS = "application/octet-stream"
GREETER = "com.example/greeter"


@asynccontextmanager
async def answering(handler: Handler, socket_path: str = "") -> AsyncIterator[str]:
    """A server with one handler, and where it is."""
    runner = web.ServerRunner(web.Server(handler))  # type: ignore[arg-type]
    await runner.setup()
    site: web.BaseSite
    site = web.UnixSite(runner, socket_path) if socket_path else web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield "" if socket_path else f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def call(url: str, request: bytes = b"request", options: HttpOptions | None = None) -> bytes:
    endpoint = HttpEndpoint("com.example/*", url, options=options)
    try:
        return await endpoint.transport(GREETER).invoke(request)
    finally:
        await endpoint.close()


async def failure(url: str, options: HttpOptions | None = None) -> TransportError:
    with pytest.raises(TransportError) as caught:
        await call(url, options=options)
    return caught.value


@asynccontextmanager
async def answering_bytes(answer: bytes) -> AsyncIterator[str]:
    """A server that sends these bytes as an answer and hangs up."""

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"request")
        writer.write(answer)
        writer.close()

    async with await asyncio.start_server(connected, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


def fixed(status: int, body: bytes = b"", content_type: str = OCTETS) -> Handler:
    async def handle(request: web.Request) -> web.Response:
        headers = {"Content-Type": content_type}
        return web.Response(status=status, body=body or None, headers=headers)

    return handle


# --- the request ----------------------------------------------------------------------------------


async def test_a_batch_is_posted_as_the_engine_posts_it() -> None:
    """Method, path and headers are those of the engine's async transport."""
    seen: list[object] = []

    async def handle(request: web.Request) -> web.Response:
        names = ("Content-Type", "Accept", "User-Agent", "Content-Length")
        seen.extend([request.method, request.path_qs, await request.read()])
        seen.extend(request.headers.get(name) for name in names)
        return web.Response(body=b"reply", headers={"Content-Type": OCTETS})

    async with answering(handle) as url:
        assert await call(f"{url}/a%2Fb/{{function.name}}?c=%20d#fragment") == b"reply"

    assert seen == ["POST", "/a%2Fb/greeter?c=%20d", b"request", OCTETS, OCTETS, "statefun", "7"]


async def test_a_large_batch_and_a_large_reply_pass() -> None:
    """Requests have no limit; replies have the one that is configured."""

    async def echo(request: web.Request) -> web.Response:
        body = await request.content.read()
        return web.Response(body=body, headers={"Content-Type": OCTETS})

    large = bytes(range(256)) * (12 << 10)
    async with answering(echo) as url:
        assert await call(url, large) == large


async def test_connections_are_reused_and_closed_in_the_end() -> None:
    """Calls of one endpoint share connections; an endpoint works again after `close`."""
    ports: list[object] = []

    async def handle(request: web.Request) -> web.Response:
        assert request.transport is not None
        ports.append(request.transport.get_extra_info("peername"))
        return web.Response(body=b"", headers={"Content-Type": OCTETS, "Set-Cookie": "a=b"})

    async with answering(handle) as url:
        endpoint = HttpEndpoint("com.example/*", url)
        for typename in (GREETER, GREETER, "com.example/other"):
            await endpoint.transport(typename).invoke(b"")
        await endpoint.close()
        await endpoint.transport(GREETER).invoke(b"")
        await endpoint.close()

    assert [ports.count(port) for port in dict.fromkeys(ports)] == [3, 1]


async def test_a_unix_domain_socket_is_reached(tmp_path: Path) -> None:
    """The socket is the path up to `.sock`; what stands behind it is the path of the request."""
    paths: list[str] = []

    async def handle(request: web.Request) -> web.Response:
        paths.append(request.path_qs)
        return web.Response(body=b"reply", headers={"Content-Type": OCTETS})

    socket_path = str(tmp_path / "functions.sock")
    async with answering(handle, socket_path):
        for behind in ("", "/path/of?fn=1"):
            assert await call(f"http+unix://{socket_path}{behind}") == b"reply"

    assert paths == ["/", "/path/of?fn=1"]


# --- the answer -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("handler", "reply"),
    [
        (fixed(200, b"reply"), b"reply"),
        (fixed(204), b""),
        (fixed(299, b"reply", "Application/Octet-STREAM"), b"reply"),
    ],
)
async def test_any_success_with_the_content_type_is_a_reply(handler: Handler, reply: bytes) -> None:
    """Status 200 to 299 and the content type, in any case, make a reply; it may be empty."""
    async with answering(handler) as url:
        assert await call(url) == reply


@pytest.mark.parametrize(
    ("status", "headers", "told"),
    [
        (503, {"Retry-After": "7"}, (False, 7000)),
        (429, {"Retry-After": " 7 "}, (False, 7000)),
        (500, {"Retry-After": "7"}, (True, 7000)),
        (503, {}, (True, None)),
        (503, {"Retry-After": "soon"}, (True, None)),
        (503, {"Retry-After": "9" * 400}, (False, 999_999_999_000)),
        (
            503,
            {
                "Date": "Mon, 01 Jan 2024 00:00:00 GMT",
                "Retry-After": "Mon, 01 Jan 2024 00:00:09 GMT",
            },
            (False, 9000),
        ),
        (
            503,
            {
                "Date": "Mon, 01 Jan 2024 00:00:09 GMT",
                "Retry-After": "Mon, 01 Jan 2024 00:00:00 GMT",
            },
            (False, 0),
        ),
    ],
)
async def test_an_endpoint_says_when_to_try_again(
    status: int, headers: dict[str, str], told: tuple[bool, int | None]
) -> None:
    """In seconds or as a date; by 429 and 503 it also says that it has not run the function."""

    async def handle(request: web.Request) -> web.Response:
        return web.Response(status=status, headers=headers)

    async with answering(handle) as url:
        error = await failure(url)

    assert (error.connected, error.retry_after_ms) == told


async def test_an_endpoint_of_ours_says_which_message_is_not_to_be_tried_again() -> None:
    """And where in its code that was raised."""
    functions = StatefulFunctions()

    @functions.bind(GREETER)
    def refuse(context: Context, message: Message) -> None:
        raise DoNotRetryError("no such customer")

    endpoint = FunctionEndpoint(functions)

    async def handle(request: web.Request) -> web.Response:
        answer = await endpoint.answer("POST", "/", await request.read())
        return web.Response(status=answer.status, body=answer.body, headers=dict(answer.headers))

    request = to_function(Address(GREETER, "1"), text("hi"))
    async with answering(handle) as url:
        with pytest.raises(MessageRefusedError) as caught:
            await call(url, request)

    assert "DoNotRetryError: no such customer (at " in str(caught.value)
    assert f"{__file__}:" in str(caught.value)
    assert str(caught.value).endswith("refuse)")


async def test_a_compressed_reply_is_unpacked() -> None:
    """A reply may be gzipped."""

    async def handle(request: web.Request) -> web.Response:
        headers = {"Content-Type": OCTETS, "Content-Encoding": "gzip"}
        return web.Response(body=gzip.compress(b"reply"), headers=headers)

    async with answering(handle) as url:
        assert await call(url) == b"reply"


@pytest.mark.parametrize(
    ("handler", "sentence"),
    [
        (
            fixed(500, b"com.example/greeter 'Bob' failed\nmore", "text/plain"),
            "answered 500 Internal Server Error: com.example/greeter 'Bob' failed",
        ),
        (fixed(404), "answered 404 Not Found"),
        (fixed(302), "answered 302 Found"),
        *(
            (
                fixed(200, b"reply", content_type),
                (
                    f"answered 200 with the content type {content_type!r}: an endpoint "
                    "answers exactly 'application/octet-stream', without parameters"
                ),
            )
            for content_type in ("text/plain", f"{OCTETS}; charset=utf-8", f"{OCTETS},{OCTETS}")
        ),
    ],
)
async def test_any_other_answer_is_an_error_that_names_it(handler: Handler, sentence: str) -> None:
    """Another status, a redirect or another content type is no reply; the reason is passed on."""
    async with answering(handler) as url:
        error = await failure(f"{url}/fn")

    assert (str(error), error.connected) == (f"{url}/fn {sentence}", True)


async def test_a_missing_content_type_is_no_reply() -> None:
    """Without the content type it may be anybody's answer."""
    async with answering_bytes(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n") as url:
        error = await failure(url)

    assert str(error).startswith(f"{url} answered 200 with the content type ''")


@pytest.mark.parametrize("is_announced", [True, False], ids=["length", "chunked"])
async def test_a_reply_above_the_limit_is_an_error(*, is_announced: bool) -> None:
    """The limit holds whether or not the length is announced; a reply of just that size passes."""

    async def handle(request: web.Request) -> web.StreamResponse:
        size = int(await request.read())
        if is_announced:
            return web.Response(body=bytes(size), headers={"Content-Type": OCTETS})
        response = web.StreamResponse(headers={"Content-Type": OCTETS})
        await response.prepare(request)
        await response.write(bytes(size))
        return response

    options = HttpOptions(payload_max_bytes=5000)
    async with answering(handle) as url:
        reply = await call(url, b"5000", options)
        with pytest.raises(TransportError) as caught:
            await call(url, b"5001", options)

    assert reply == bytes(5000)
    assert str(caught.value) == (
        f"{url} answered with more than 5000 bytes: let the function send less at once, or raise "
        "payload_max_bytes of the endpoint"
    )


# --- no answer ------------------------------------------------------------------------------------


async def test_a_refused_connection_has_not_reached_the_function(tmp_path: Path) -> None:
    """When nobody listens the error says so, and that no connection was made."""
    url = f"http://127.0.0.1:{free_port()}"

    errors = [await failure(url), await failure(f"http+unix://{tmp_path}/none.sock/fn")]

    assert [error.connected for error in errors] == [False, False]
    assert str(errors[0]).startswith(f"no connection to {url}: ")
    assert str(errors[0]).endswith("; is the endpoint running?")


async def test_a_name_that_does_not_resolve_has_not_reached_the_function() -> None:
    """A host without an address is a connection that cannot be made."""
    error = await failure("http://statefun.invalid/fn")

    assert error.connected is False


async def test_a_call_that_waits_for_its_turn_is_no_failure() -> None:
    """Its time begins when one of the calls before it is over."""
    is_called, may_answer = asyncio.Event(), asyncio.Event()

    async def handle(request: web.Request) -> web.Response:
        is_called.set()
        await may_answer.wait()
        return web.Response(body=b"reply", headers={"Content-Type": OCTETS})

    async with answering(handle) as url:
        endpoint = HttpEndpoint(
            "a/*", url, options=HttpOptions(connect=timedelta(milliseconds=300), pool_size=1)
        )
        first = asyncio.ensure_future(endpoint.transport("a/b").invoke(b""))
        await is_called.wait()
        second = asyncio.ensure_future(endpoint.transport("a/b").invoke(b""))
        await asyncio.wait([second], timeout=0.4)  # longer than a connection may take
        may_answer.set()

        assert [await first, await second] == [b"reply"] * 2

        await endpoint.close()


@pytest.mark.parametrize(
    ("options", "patience_ms"),
    [
        (HttpOptions(call=timedelta(milliseconds=20)), 20),
        (HttpOptions(call=timedelta(milliseconds=60_000), read=timedelta(milliseconds=30)), 30),
    ],
    ids=["call", "read"],
)
async def test_an_answer_that_does_not_come_in_time_is_an_error(
    options: HttpOptions, patience_ms: int
) -> None:
    """The deadline is that of the whole call, or that between two bytes."""
    is_over = asyncio.Event()

    async def handle(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": OCTETS})
        await response.prepare(request)
        await is_over.wait()
        return response

    async with answering(handle) as url:
        error = await failure(url, options)
        is_over.set()

    assert (str(error), error.connected) == (
        (
            f"{url} gave no answer within {patience_ms} ms: make the function faster, or give its "
            "endpoint a longer timeout"
        ),
        True,
    )


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        (
            b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\n"
            b"Content-Length: 9\r\n\r\nhalf"
        ),
        b"no HTTP at all\r\n\r\n",
    ],
    ids=["nothing", "half", "no HTTP"],
)
async def test_an_answer_that_breaks_off_is_an_error(answer: bytes) -> None:
    """An answer that ends too early, or is no HTTP, may still mean that the function ran."""
    async with answering_bytes(answer) as url:
        error = await failure(url)

    assert str(error).startswith(f"{url} broke off: ")
    assert error.connected is True


# --- endpoints ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("functions", "matching", "other"),
    [
        ("com.example/greeter", ["com.example/greeter"], ["com.example/other", "com/greeter"]),
        (
            "com.example/*",
            ["com.example/a", "com.example/b"],
            ["com.example.x/a", "com/a", "com.example/.", "com.example/.."],
        ),
        ("a/*/", ["a/b"], ["a/b/c", "nonsense", ""]),
    ],
)
def test_an_endpoint_serves_a_function_or_a_namespace(
    functions: str, matching: list[str], other: list[str]
) -> None:
    """A namespace matches as a whole, never as a prefix."""
    endpoint = HttpEndpoint(functions, "http://localhost")

    assert [endpoint.matches(typename) for typename in matching + other] == (
        [True] * len(matching) + [False] * len(other)
    )
    assert endpoint.is_specific is not functions.rstrip("/").endswith("*")


@pytest.mark.parametrize(
    "functions", ["", "a", "*", "*/*", "a*/b", "a/b*", "a/b/c", "/b", "a/", "a/.", "a/.."]
)
def test_another_pattern_is_refused(functions: str) -> None:
    """Stars stand for a whole name only, and a namespace is needed."""
    with pytest.raises(ConfigurationError) as caught:
        HttpEndpoint(functions, "http://localhost")

    assert str(caught.value) == (
        f"functions {functions!r} is neither 'namespace/name' nor 'namespace/*': write for example "
        "'com.example/greeter' or 'com.example/*'"
    )


@pytest.mark.parametrize(
    ("template", "url"),
    [
        ("http://localhost/statefun", "http://localhost/statefun"),
        ("http://{function.name}:8000/{function.name}", "http://greet%20er:8000/greet%20er"),
        ("https://[::1]:8443/?f={function.name}#gone", "https://[::1]:8443/?f=greet%20er"),
        ("http+unix:///run/{function.name}.sock/x", "http+unix:///run/greet%20er.sock/x"),
    ],
)
def test_the_name_of_the_function_is_put_into_the_url(template: str, url: str) -> None:
    """Every `{function.name}` is replaced, percent-encoded where it must be."""
    assert HttpEndpoint("com.example/*", template).url("com.example/greet er") == url


@pytest.mark.parametrize(
    "template",
    [
        "",
        "localhost:8000",
        "ftp://localhost",
        "http://",
        "http:///path",
        "http://localhost:port",
        "http://local host/",
        "http+unix:///run/no-socket",
        "http://localhost/\n",
    ],
)
def test_what_is_no_url_is_refused(template: str) -> None:
    """A template that cannot be called is found when the endpoint is made."""
    with pytest.raises(ConfigurationError, match="is not a URL that can be called"):
        HttpEndpoint("com.example/*", template)


@pytest.mark.parametrize("placeholder", ["{function.namespace}", "{}", "{name", "}"])
def test_an_unknown_placeholder_is_refused(placeholder: str) -> None:
    """Only the name of the function can be put in."""
    template = f"http://localhost/{placeholder}"

    with pytest.raises(ConfigurationError) as caught:
        HttpEndpoint("com.example/*", template)

    assert str(caught.value) == (
        f"urlPathTemplate {template!r} has the unknown placeholder {placeholder!r}: only "
        "'{function.name}' is replaced"
    )
