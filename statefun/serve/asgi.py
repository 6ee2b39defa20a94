"""ASGI: for uvicorn, hypercorn, granian, and to mount in FastAPI or Starlette."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from statefun.serve.endpoint import FunctionEndpoint

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping

    from statefun.http.messages import Response
    from statefun.loading import Functions

    Event = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[Event]]
    Send = Callable[[Event], Awaitable[None]]

__all__ = ["AsgiApp", "asgi_app"]


class AsgiApp:
    """An ASGI application: an object, not a function, so that Starlette takes it as a route."""

    def __init__(self, endpoint: FunctionEndpoint) -> None:
        self._endpoint = endpoint

    async def __call__(self, scope: Event, receive: Receive, send: Send) -> None:
        """Serve a request, the events of the server's life, or the refusal of a websocket."""
        if scope["type"] == "http":
            await _answer(self._endpoint, scope, receive, send)
        elif scope["type"] == "lifespan":
            await _live(receive, send)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1000})


def asgi_app(functions: Functions, *, path: str | None = None) -> AsgiApp:
    """An ASGI application that serves functions.

    In FastAPI and Starlette add it as a route. It can be mounted too, but a mount answers at
    `/statefun/` and sends `/statefun` there by a redirect, which no engine follows.

    Args:
        functions: The functions to serve.
        path: The only path that is answered (below where the application is mounted); None for
            any. `GET /health` is answered with 200 always.

    Example:
        ```python
        app = asgi_app(functions)  # uvicorn greeter:app

        web = FastAPI()
        web.add_route("/statefun", app, methods=["POST"])
        ```
    """
    return AsgiApp(FunctionEndpoint(functions, path))


async def _answer(endpoint: FunctionEndpoint, scope: Event, receive: Receive, send: Send) -> None:
    body = await _body(receive)
    if body is None:  # the client has gone: a batch that came in half must not run
        return
    method = scope["method"]
    answer = await endpoint.answer(method, _path(scope), body, _coding(scope))
    await send(
        {"type": "http.response.start", "status": answer.status, "headers": _headers(answer)}
    )
    await send({"type": "http.response.body", "body": b"" if method == "HEAD" else answer.body})


async def _body(receive: Receive) -> bytes | None:
    """The whole body; None if the client hung up before it was complete."""
    event = await receive()
    if event["type"] == "http.request" and not event.get("more_body", False):
        return bytes(event.get("body", b""))
    pieces = []
    while event["type"] == "http.request":
        pieces.append(event.get("body", b""))
        if not event.get("more_body", False):
            return b"".join(pieces)
        event = await receive()
    return None


def _coding(scope: Event) -> str:
    """The header field `Content-Encoding`."""
    return ", ".join(
        value.decode("latin-1") for name, value in scope["headers"] if name == b"content-encoding"
    )


def _path(scope: Event) -> str:
    """The path below where the application is mounted."""
    path: str = scope["path"]
    root: str = scope.get("root_path", "")
    return path.removeprefix(root) if root else path


def _headers(answer: Response) -> list[tuple[bytes, bytes]]:
    fields = [(name.lower().encode(), value.encode()) for name, value in answer.fields]
    fields.append((b"content-length", b"%d" % len(answer.body)))
    return fields


async def _live(receive: Receive, send: Send) -> None:
    """Nothing has to be opened or closed; servers want to hear so."""
    while True:
        event = await receive()
        await send({"type": f"{event['type']}.complete"})
        if event["type"] == "lifespan.shutdown":
            return
