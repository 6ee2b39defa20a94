"""Durable apps in tests: a runtime in memory, with an ingress and a client of it."""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager
from copy import copy
from dataclasses import replace
from typing import TYPE_CHECKING

from statefun.durable.client import create_client
from statefun.durable.discovery import Discovery
from statefun.durable.endpoint import App
from statefun.durable.ingress import InvocationIngress
from statefun.durable.operations import OperatorServer
from statefun.durable.retry_policy import InvocationRetryPolicy
from statefun.durable.types import HarnessEnvironment
from statefun.runtime.clock import SystemClock
from statefun.runtime.runtime import Runtime

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from statefun.durable.declaration import Declaration
    from statefun.durable.entry_codec import JournalValueCodec

__all__ = ["run_app"]


@asynccontextmanager
async def run_app(
    app: App,
    *,
    is_always_replayed: bool = False,
    has_retries: bool = True,
    codec: JournalValueCodec | None = None,
) -> AsyncIterator[HarnessEnvironment]:
    """Run an app in this process until the block is left.

    Args:
        app: The app.
        is_always_replayed: Whether handlers are replayed from the journal at every wait.
        has_retries: Whether failed attempts are repeated.
        codec: The codec of the app, for the client.
    """
    tested = _variant(app, is_always_replayed=is_always_replayed, has_retries=has_retries)
    clock = SystemClock()
    ingress = InvocationIngress(
        Discovery(tested.catalogue),
        0,
        now_ms=clock.now_ms,
        first_messages=tested.first_messages(),
    )
    runtime = Runtime(
        tested, data=None, clock=clock, ingresses=[ingress], egresses=[ingress.replies]
    )
    async with AsyncExitStack() as stack:
        stack.callback(tested.forget)
        await stack.enter_async_context(runtime)
        operator = OperatorServer(ingress)
        stack.push_async_callback(operator.stop)
        await operator.start()
        url = f"http://127.0.0.1:{ingress.port}"
        client = await stack.enter_async_context(create_client(url, None, codec))
        yield HarnessEnvironment(url, f"http://127.0.0.1:{operator.port}", client)


def _variant(app: App, *, is_always_replayed: bool, has_retries: bool) -> App:
    """The same services in an app of their own."""
    directory = app.directory
    limits = directory.limits
    if is_always_replayed:
        limits = replace(limits, cached_addresses=0)
    declarations = list(app.services)
    if not has_retries:
        declarations = [_without_retries(each) for each in declarations]
    return App(declarations, directory.namespace, limits=limits, codec=directory.codec)


def _without_retries(declaration: Declaration) -> Declaration:
    once = InvocationRetryPolicy(max_attempts=1, on_max_attempts="kill")
    same = copy(declaration)
    same.handlers = {
        name: replace(handler, options=replace(handler.options, invocation_retry_policy=once))
        for name, handler in declaration.handlers.items()
    }
    return same
