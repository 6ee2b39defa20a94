"""The event loop of a process that serves."""

from __future__ import annotations

import asyncio

__all__ = ["new_event_loop"]


def new_event_loop() -> asyncio.AbstractEventLoop:
    """The fastest event loop there is: uvloop's where that is installed.

    A small request costs the process about a tenth less CPU time there.
    """
    try:
        import uvloop  # noqa: PLC0415 - not needed
    except ModuleNotFoundError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()
