"""aiohttp: an application of its own, or part of a larger one."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from statefun.errors import RequestRefusedError
from statefun.http.bodies import too_long
from statefun.http.messages import text_response
from statefun.serve.endpoint import OCTETS, FunctionEndpoint

if TYPE_CHECKING:
    from aiohttp.web import Application, Request, Response

    from statefun.http.messages import Response as Answer
    from statefun.loading import Functions

__all__ = ["aiohttp_app"]

_DECOMPRESSED = ("gzip", "deflate", "br", "zstd")
"""The content encodings that aiohttp undoes by itself."""

_PLAIN = re.compile(r"(/[A-Za-z0-9_-]+)+")
"""A path that means the same to aiohttp as to us."""


def aiohttp_app(functions: Functions, *, path: str | None = None) -> Application:
    """An aiohttp application that serves functions.

    Args:
        functions: The functions to serve.
        path: The only path that is answered (below where the application is mounted); None for
            any. `GET /health` is answered with 200 always.

    Raises:
        ModuleNotFoundError: If aiohttp is not installed.

    Example:
        ```python
        web.run_app(aiohttp_app(functions), port=8000)

        site.add_subapp("/statefun", aiohttp_app(functions))
        ```
    """
    try:
        from aiohttp import web  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "aiohttp_app needs aiohttp: pip install 'statefun[aiohttp]'", name=error.name
        ) from error
    endpoint = FunctionEndpoint(functions, path)

    async def respond(request: Request, at: str | None = None) -> Response:
        content, coding = request.content, request.headers.get("Content-Encoding", "")
        if not coding and content.is_eof():  # nearly always: the whole body is here
            body = content.read_nowait()
        else:
            is_open = coding.strip().lower() in _DECOMPRESSED
            try:
                body = await _body(request, endpoint.max_decompressed_bytes if is_open else None)
            except (RequestRefusedError, web.RequestPayloadError) as error:
                content.feed_eof()  # else aiohttp reads on, and fails on the same body again
                status = getattr(error, "http_status", 400)
                refused = response_of(text_response(status, " ".join(str(error).split())))
                refused.force_close()
                return refused
            if is_open:
                coding = ""
        where = _path(request) if at is None else at
        return response_of(await endpoint.answer(request.method, where, body, coding))

    async def respond_at_the_path(request: Request) -> Response:
        return await respond(request, path)

    def response_of(answer: Answer) -> Response:
        if answer.content_type == OCTETS:  # a reply: the shorter way
            return web.Response(body=answer.body, content_type=OCTETS)
        return web.Response(status=answer.status, headers=answer.fields, body=answer.body)

    app = web.Application(client_max_size=0)
    if path is not None and _PLAIN.fullmatch(path):  # found faster than by a pattern
        app.router.add_route("*", path, respond_at_the_path)
    app.router.add_route("*", "", respond)
    app.router.add_route("*", "/{below:.*}", respond)
    return app


async def _body(request: Request, max_bytes: int | None) -> bytes:
    """The whole body, from the stream: `request.read()` has a limit, which a parent may set.

    Args:
        request: The request.
        max_bytes: The longest body that is taken; None for any.
    """
    pieces, size = [], 0
    async for piece in request.content.iter_any():
        size += len(piece)
        if max_bytes is not None and size > max_bytes:
            raise too_long(max_bytes)
        pieces.append(piece)
    return b"".join(pieces)


def _path(request: Request) -> str:
    """The path below where the application is mounted."""
    below = request.match_info.get("below")
    return "/" if below is None else f"/{below}"
