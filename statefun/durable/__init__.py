"""Durable services, virtual objects and workflows: handlers that survive crashes.

Who comes from Restate changes one line: `import statefun.durable as restate`.

Example:
    ```python
    from statefun.durable import ObjectContext, VirtualObject, app

    counter = VirtualObject("Counter")


    @counter.handler()
    async def add(ctx: ObjectContext, by: int) -> int:
        total = (await ctx.get("total", int) or 0) + by
        ctx.set("total", total)
        return total


    app = app([counter])  # statefun run --functions counter:app
    ```
"""

from __future__ import annotations

from statefun.durable import logging
from statefun.durable.asyncio import as_completed, gather, select, wait_completed
from statefun.durable.client import create_client
from statefun.durable.client_types import (
    Client,
    ClientSendHandle,
    RestateClient,
    RestateClientSendHandle,
)
from statefun.durable.context import (
    Context,
    DurableCallFuture,
    DurableFuture,
    DurablePromise,
    DurableSleepFuture,
    ObjectContext,
    ObjectSharedContext,
    Request,
    RestateDurableCallFuture,
    RestateDurableFuture,
    RestateDurableSleepFuture,
    RunOptions,
    ScopedContext,
    SendHandle,
    WorkflowContext,
    WorkflowSharedContext,
)
from statefun.durable.endpoint import App, app
from statefun.durable.entry_codec import JournalValueCodec, JournalValueCodecProvider
from statefun.durable.exceptions import (
    HttpError,
    RetryableError,
    SdkInternalBaseException,
    TerminalError,
    is_internal_exception,
)
from statefun.durable.harness import create_test_harness, test_harness
from statefun.durable.limits import Limits
from statefun.durable.logging import RestateLoggingFilter, getLogger
from statefun.durable.object import VirtualObject
from statefun.durable.options import RateLimit
from statefun.durable.retry_policy import InvocationRetryPolicy
from statefun.durable.saga import Saga
from statefun.durable.service import Service
from statefun.durable.types import HarnessEnvironment
from statefun.durable.workflow import Workflow

__all__ = [
    "App",
    "Client",
    "ClientSendHandle",
    "Context",
    "DurableCallFuture",
    "DurableFuture",
    "DurablePromise",
    "DurableSleepFuture",
    "HarnessEnvironment",
    "HttpError",
    "InvocationRetryPolicy",
    "JournalValueCodec",
    "JournalValueCodecProvider",
    "Limits",
    "ObjectContext",
    "ObjectSharedContext",
    "RateLimit",
    "Request",
    "RestateClient",
    "RestateClientSendHandle",
    "RestateDurableCallFuture",
    "RestateDurableFuture",
    "RestateDurableSleepFuture",
    "RestateLoggingFilter",
    "RetryableError",
    "RunOptions",
    "Saga",
    "ScopedContext",
    "SdkInternalBaseException",
    "SendHandle",
    "Service",
    "TerminalError",
    "VirtualObject",
    "Workflow",
    "WorkflowContext",
    "WorkflowSharedContext",
    "app",
    "as_completed",
    "create_client",
    "create_test_harness",
    "gather",
    "getLogger",
    "is_internal_exception",
    "logging",
    "select",
    "test_harness",
    "wait_completed",
]
