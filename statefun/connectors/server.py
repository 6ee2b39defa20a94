"""A listening HTTP port with one handler behind it."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING, Final

from statefun.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from aiohttp import web

__all__ = ["HttpServer", "answer"]

_BACKLOG: Final = 1024
_STOP_S: Final = 3.0


class HttpServer:
    """One listening port with one handler behind it.

    Args:
        handle: Answers every request, whatever its method and path.
        host: Where to listen.
        port: Which port; 0 for any free one.

    Attributes:
        host: Where it listens.
        port: The port in use once started; until then the one asked for.

    Raises:
        ModuleNotFoundError: If aiohttp is not installed.
    """

    def __init__(
        self, handle: Callable[[web.Request], Awaitable[web.StreamResponse]], host: str, port: int
    ) -> None:
        _require_server()
        self.host = host
        self.port = port
        self._handle = handle
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        """Listen.

        Raises:
            ConfigurationError: If the port is taken, or may not be used.
        """
        from aiohttp import web  # noqa: PLC0415 - an optional dependency

        app = web.Application(client_max_size=0)
        app.router.add_route("*", "/{path:(?s:.*)}", self._handle)
        self._runner = web.AppRunner(
            app,
            access_log=None,
            handle_signals=False,
            shutdown_timeout=_STOP_S,
            logger=_server_logger(),
        )
        await self._runner.setup()
        site = web.TCPSite(self._runner, self.host, self.port, backlog=_BACKLOG)
        try:
            await site.start()
        except OSError as error:
            reason = os.strerror(error.errno) if error.errno and error.errno > 0 else str(error)
            raise ConfigurationError(
                f"cannot listen on {self.host}:{self.port}: {reason}; stop what uses the port, or "
                "choose another one"
            ) from error
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Listen no more; answer what is under way, for a bounded time, and close everything."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None


def answer(status: int, reason: str = "", **headers: str) -> web.Response:
    """A plain-text answer; an underscore in a header's name stands for a hyphen."""
    from aiohttp import web  # noqa: PLC0415 - an optional dependency; the server has checked

    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return web.Response(status=status, text=f"{reason}\n" if reason else "", headers=named)


def _server_logger() -> logging.Logger:
    """Where the server says what went wrong; what is no HTTP is a mistake of its sender."""
    logger = logging.getLogger("statefun.connectors.server")
    logger.addFilter(_is_our_mistake)
    return logger


def _is_our_mistake(record: logging.LogRecord) -> bool:
    from aiohttp.http_exceptions import HttpProcessingError  # noqa: PLC0415 - an optional dependency
    from aiohttp.web import RequestPayloadError  # noqa: PLC0415 - likewise

    error = record.exc_info[1] if record.exc_info else None
    if not isinstance(error, HttpProcessingError | RequestPayloadError):
        return True
    logging.getLogger("statefun.connectors").debug(
        "refused a request: %s", " ".join(str(error).split())
    )
    return False


def _require_server() -> None:
    try:
        import aiohttp  # noqa: F401, PLC0415 - an optional dependency
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "listening for HTTP needs aiohttp: pip install 'statefun[runtime]'"
        ) from error
