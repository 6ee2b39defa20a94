"""The process that runs the functions, as far as a scenario can tell: an HTTP endpoint."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, Self

from aiohttp import web

from statefun.sdk.functions import StatefulFunctions
from statefun.serve import aiohttp_app
from tests.tools.lab.server import free_port

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType

    from aiohttp.typedefs import Middleware


AT_ONCE_S = 0.01
"""To aiohttp, 0 is to wait for ever."""
ACCEPTING = 3
"""How often the loop goes round until aiohttp knows a connection that was accepted.

One that is not known when the listening socket closes is never closed itself.
"""


class FunctionServer:
    """Serves functions on one port, which stays the same when it stops and starts again.

    Each is known at a path of its own only, so whoever calls has put its name there.

    Args:
        between: Middlewares of aiohttp, between who calls and the functions.
    """

    def __init__(self, between: Iterable[Middleware] = ()) -> None:
        self._between = tuple(between)
        self.port = free_port()
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        """Where functions are; `{function.name}` is for the name of one."""
        return f"http://127.0.0.1:{self.port}/statefun/{{function.name}}"

    def url_of(self, name: str) -> str:
        """Where the functions of a name are."""
        return self.url.replace("{function.name}", name)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()

    async def start(self, functions: StatefulFunctions) -> None:
        app = by_name(functions, self._between)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=AT_ONCE_S)
        await runner.setup()
        self._listening = socket.create_server(("127.0.0.1", self.port))
        await web.SockSite(runner, self._listening).start()
        self._runner = runner

    async def stop(self) -> None:
        """Stop listening, and cut off what is under way."""
        if self._runner is not None:
            asyncio.get_running_loop().remove_reader(self._listening)
            for _ in range(ACCEPTING):
                await asyncio.sleep(0)
            await self._runner.cleanup()
            self._runner = None


def by_name(functions: StatefulFunctions, between: Iterable[Middleware] = ()) -> web.Application:
    """Each function at the path that ends with its name; at others nothing is known."""
    app, known = web.Application(middlewares=between), dict[str, StatefulFunctions]()
    for typename in functions.typenames:
        function = functions.for_typename(typename)
        specs = list(function.storage_spec.specs)
        of_name = known.setdefault(typename.rpartition("/")[2], StatefulFunctions())
        of_name.register(typename, function.fun, specs, blocking=function.is_blocking)
    for name, of_name in known.items():
        app.add_subapp(f"/statefun/{name}", aiohttp_app(of_name))
    app.add_subapp("/statefun", aiohttp_app(StatefulFunctions()))
    return app
