"""Whatever carries HTTP to an endpoint, behind one way to ask."""

from __future__ import annotations

import asyncio
import base64
import io
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias
from urllib.parse import quote, unquote
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator

import aiohttp
from aiohttp import web
from aiohttp.test_utils import TestClient
from yarl import URL

from statefun.http import HttpServer
from statefun.serve import aiohttp_app, asgi_app, lambda_handler, wsgi_app
from statefun.serve.endpoint import FunctionEndpoint
from tests.serve.requests import Heard

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
    from contextlib import AbstractAsyncContextManager

    from pytest_aiohttp import AiohttpClient

    from statefun.loading import Functions

    Carrier: TypeAlias = "Callable[[Functions, str | None], AbstractAsyncContextManager[Ask]]"
    CarrierOfClient: TypeAlias = Callable[[AiohttpClient], Carrier]


class Ask(Protocol):
    """Asks an endpoint: method, path, body, and the content encoding of the body."""

    def __call__(
        self, method: str, path: str, body: bytes, coding: str = "", /
    ) -> Awaitable[Heard]: ...


def _heard(status: int, headers: Mapping[str, str], body: bytes) -> Heard:
    return Heard(status, headers["Content-Type"], body, headers.get("Allow"))


# --- ASGI -----------------------------------------------------------------------------------------


async def ask_asgi(app: Any, scope: dict[str, Any], *events: dict[str, Any]) -> list[Any]:
    """Let an ASGI application run; the events it sent."""
    came = list(events)
    went: list[Any] = []

    async def receive() -> dict[str, Any]:
        return came.pop(0)

    async def send(event: dict[str, Any]) -> None:
        went.append(event)

    await app(scope, receive, send)
    return went


def _asgi_at(root: str) -> Carrier:
    @asynccontextmanager
    async def carry(functions: Functions, path: str | None) -> AsyncIterator[Ask]:
        app = asgi_app(functions, path=path)

        async def ask(method: str, path: str, body: bytes, coding: str = "") -> Heard:
            scope = {
                "type": "http",
                "method": method,
                "path": root + unquote(path),
                "root_path": root,
                "headers": [(b"content-encoding", coding.encode())] if coding else [],
            }
            half = len(body) // 2
            start, end = await ask_asgi(
                app,
                scope,
                {"type": "http.request", "body": body[:half], "more_body": True},
                {"type": "http.request", "body": body[half:]},
            )
            fields = {name.decode().title(): value.decode() for name, value in start["headers"]}
            if method != "HEAD":
                assert int(fields["Content-Length"]) == len(end["body"])
            return _heard(start["status"], fields, end["body"])

        yield ask

    return carry


# --- aiohttp, and real connections ----------------------------------------------------------------


def _aiohttp(aiohttp_client: AiohttpClient) -> Carrier:
    @asynccontextmanager
    async def carry(functions: Functions, path: str | None) -> AsyncIterator[Ask]:
        client = await aiohttp_client(aiohttp_app(functions, path=path))
        yield _asking(client, str(client.make_url("/"))[:-1])

    return carry


def _aiohttp_mounted(aiohttp_client: AiohttpClient) -> Carrier:
    @asynccontextmanager
    async def carry(functions: Functions, path: str | None) -> AsyncIterator[Ask]:
        site = web.Application()
        site.add_subapp("/below", aiohttp_app(functions, path=path))
        client = await aiohttp_client(site)
        yield _asking(client, str(client.make_url("/below")))

    return carry


@asynccontextmanager
async def serving(functions: Functions, path: str | None) -> AsyncIterator[tuple[str, int]]:
    """The server of `statefun serve`: host and port."""
    server = HttpServer(FunctionEndpoint(functions, path).handle)
    await server.start()
    try:
        yield server.host, server.port
    finally:
        await server.stop()


@asynccontextmanager
async def _connection(functions: Functions, path: str | None) -> AsyncIterator[Ask]:
    async with serving(functions, path) as (host, port), aiohttp.ClientSession() as session:
        yield _asking(session, f"http://{host}:{port}")


def _asking(client: aiohttp.ClientSession | TestClient[Any, Any], base: str) -> Ask:
    session = client.session if isinstance(client, TestClient) else client

    async def ask(method: str, path: str, body: bytes, coding: str = "") -> Heard:
        url = URL(base + path, encoded=True)
        headers = {"Content-Encoding": coding} if coding else {}
        async with session.request(method, url, data=io.BytesIO(body), headers=headers) as response:
            return _heard(response.status, response.headers, await response.read())

    return ask


# --- WSGI -----------------------------------------------------------------------------------------


def environ_of(method: str, path: str, **more: Any) -> dict[str, Any]:
    """A WSGI environment."""
    environ: dict[str, Any] = {"REQUEST_METHOD": method, "SCRIPT_NAME": "", **more}
    environ["PATH_INFO"] = unquote(path).encode().decode("latin-1")
    setup_testing_defaults(environ)
    return environ


def ask_wsgi(app: Any, environ: dict[str, Any]) -> tuple[int, dict[str, str], bytes]:
    """Let a WSGI application run."""
    began: list[tuple[str, list[tuple[str, str]]]] = []

    def start_response(status: str, headers: list[tuple[str, str]], _: Any = None) -> Any:
        began.append((status, headers))
        return lambda _: None

    pieces = app(environ, start_response)
    body = b"".join(pieces)
    if hasattr(pieces, "close"):
        pieces.close()
    [(status, headers)] = began
    return int(status.split()[0]), dict(headers), body


@asynccontextmanager
async def _wsgi(functions: Functions, path: str | None) -> AsyncIterator[Ask]:
    app = validator(wsgi_app(functions, path=path))

    async def ask(method: str, path: str, body: bytes, coding: str = "") -> Heard:
        environ = environ_of(
            method,
            path,
            QUERY_STRING="",
            CONTENT_LENGTH=str(len(body)),
            **{"wsgi.input": io.BytesIO(body)},
            **({"HTTP_CONTENT_ENCODING": coding} if coding else {}),
        )
        return _heard(*await asyncio.to_thread(ask_wsgi, app, environ))

    yield ask


# --- AWS Lambda -----------------------------------------------------------------------------------


def event_v1(method: str, path: str, body: bytes) -> dict[str, Any]:
    """An event of an API Gateway, payload format 1.0."""
    return {
        "version": "1.0",
        "httpMethod": method,
        "path": unquote(path),
        "requestContext": {"stage": "prod", "httpMethod": method},
        "body": base64.b64encode(body).decode() or None,
        "isBase64Encoded": bool(body),
    }


def event_v2(method: str, path: str, body: bytes) -> dict[str, Any]:
    """An event of an API Gateway, payload format 2.0, in the stage `prod`."""
    event: dict[str, Any] = {
        "version": "2.0",
        "rawPath": f"/prod{unquote(path)}",
        "requestContext": {"stage": "prod", "http": {"method": method}},
        "isBase64Encoded": bool(body),
    }
    return event | ({"body": base64.b64encode(body).decode()} if body else {})


def _lambda(event_of: Callable[[str, str, bytes], dict[str, Any]]) -> Carrier:
    @asynccontextmanager
    async def carry(functions: Functions, path: str | None) -> AsyncIterator[Ask]:
        handle = lambda_handler(functions, path=path)

        async def ask(method: str, path: str, body: bytes, coding: str = "") -> Heard:
            event = event_of(method, path, body)
            event["headers"] = {"Content-Encoding": coding} if coding else {}
            response = await asyncio.to_thread(handle, event, None)
            assert response["isBase64Encoded"] is True
            answered = base64.b64decode(response["body"], validate=True)
            return _heard(response["statusCode"], response["headers"], answered)

        yield ask

    return carry


def _without_client(carrier: Carrier) -> CarrierOfClient:
    return lambda _: carrier


CARRIERS: dict[str, CarrierOfClient] = {
    "asgi": _without_client(_asgi_at("")),
    "asgi, mounted": _without_client(_asgi_at("/below")),
    "aiohttp": _aiohttp,
    "aiohttp, mounted": _aiohttp_mounted,
    "wsgi": _without_client(_wsgi),
    "lambda, 1.0": _without_client(_lambda(event_v1)),
    "lambda, 2.0": _without_client(_lambda(event_v2)),
    "statefun serve": _without_client(_connection),
}
"""Each is given the client fixture of pytest-aiohttp, which closes what it opens."""

# The unix-socket transport of the engine sends its path percent-encoded, as one segment.
ONE_SEGMENT = "/" + quote("var/run/functions.sock/statefun", safe="")
