"""WSGI: for gunicorn, waitress, mod_wsgi, and to mount in Flask or Django."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from statefun.http.messages import text_response
from statefun.serve.endpoint import FunctionEndpoint

if TYPE_CHECKING:
    from collections.abc import Iterable
    from wsgiref.types import StartResponse, WSGIApplication

    from statefun.loading import Functions

__all__ = ["wsgi_app"]


def wsgi_app(functions: Functions, *, path: str | None = None) -> WSGIApplication:
    """A WSGI application that serves functions; it may be called from many threads at once.

    Each request runs its functions to the end in the thread that carries it. Each thread keeps one
    event loop, so a connection that an async function keeps open belongs to one thread.

    Args:
        functions: The functions to serve.
        path: The only path that is answered (below where the application is mounted); None for
            any. `GET /health` is answered with 200 always.
    """
    endpoint = FunctionEndpoint(functions, path)

    def app(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        method = environ["REQUEST_METHOD"]
        body = _body(environ)
        if body is None:
            answer = text_response(400, "the body is not complete")
        else:
            coding = environ.get("HTTP_CONTENT_ENCODING", "")
            answer = endpoint.answer_sync(method, _path(environ), body, coding)
        fields = [*answer.fields, ("Content-Length", str(len(answer.body)))]
        start_response(f"{answer.status} {HTTPStatus(answer.status).phrase}", fields)
        return [] if method == "HEAD" else [answer.body]

    return app


def _path(environ: dict[str, Any]) -> str:
    """The path below where the application is mounted; WSGI passes its bytes as Latin-1."""
    path: str = environ.get("PATH_INFO", "")
    return path.encode("latin-1").decode(errors="replace")


def _body(environ: dict[str, Any]) -> bytes | None:
    """The whole body; None if the client hung up before it was complete."""
    stream = environ["wsgi.input"]
    length = environ.get("CONTENT_LENGTH", "")
    if not length:
        # Without a length only a server that marks the end of its input can be read to the end.
        chunked = "chunked" in environ.get("HTTP_TRANSFER_ENCODING", "").lower()
        ends = environ.get("wsgi.input_terminated", False) or chunked
        return bytes(stream.read()) if ends else b""
    if not length.isdecimal():
        return None
    return _exactly(stream, int(length))


def _exactly(stream: Any, body_bytes: int) -> bytes | None:
    pieces = []
    while body_bytes:
        piece = stream.read(body_bytes)
        if not piece:
            return None
        pieces.append(piece)
        body_bytes -= len(piece)
    return b"".join(pieces)
