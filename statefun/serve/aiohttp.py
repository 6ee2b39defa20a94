"""aiohttp: an application of its own, or part of a larger one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from statefun.serve.endpoint import Endpoint

if TYPE_CHECKING:
    from aiohttp.web import Application, Request, Response

    from statefun.loading import Functions

__all__ = ["aiohttp_app"]


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
    endpoint = Endpoint(functions, path)

    async def respond(request: Request) -> Response:
        # Read from the stream: request.read() has a limit, which a parent application sets.
        body = await request.content.read()
        answer = await endpoint.answer(request.method, _path(request), body)
        return web.Response(status=answer.status, headers=answer.fields, body=answer.body)

    app = web.Application(client_max_size=0)
    app.router.add_route("*", "", respond)
    app.router.add_route("*", "/{below:.*}", respond)
    return app


def _path(request: Request) -> str:
    """The path below where the application is mounted."""
    below = request.match_info.get("below")
    return "/" if below is None else f"/{below}"
