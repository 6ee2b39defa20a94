"""A stage for scenarios: the service in this process, workers, and what observers see."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from statefun.runtime.transports.http import HttpEndpoint
from statefun.testing.workflows import LocalService
from statefun.workflows.addresses import namespace_of_queue
from statefun.workflows.client import Client
from statefun.workflows.exceptions import (
    ActivityError,
    ApplicationError,
    ChildWorkflowError,
    TimeoutError,  # noqa: A004 - the one of workflows
)
from statefun.workflows.testing import WorkflowEnvironment
from statefun.workflows.worker import Worker
from tests.tools.scenarios.function_server import FunctionServer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path


PLACES = (
    "one worker",
    "two workers",
    "cold cache",
    "remote workers",
    "embedded, two workers",
    "endpoint",
)
"""Where each scenario runs: the same is seen in all of them.

The first three are the environment for tests. In the next one, workers are behind sockets; then the
runtime has a data directory; and at last a worker is served over HTTP.
"""
QUEUE = "scenarios"


@dataclass
class Stage:
    """Where a scenario runs.

    Attributes:
        client: A client of the service.
        env: The service.
        queue: The task queue that workers serve.
    """

    client: Client
    env: WorkflowEnvironment
    queue: str = QUEUE
    _count: int = 0

    def new_id(self) -> str:
        """The id of a new workflow."""
        self._count += 1
        return f"workflow-{self._count}"

    async def start(self, workflow: Any, *args: Any, **options: Any) -> Any:
        """Start a workflow; its handle."""
        given: dict[str, Any] = {"id": self.new_id(), "task_queue": self.queue, **options}
        if len(args) == 1:
            return await self.client.start_workflow(workflow, args[0], **given)
        return await self.client.start_workflow(workflow, args=list(args), **given)

    async def execute(self, workflow: Any, *args: Any, **options: Any) -> Any:
        """Start a workflow and wait for its result."""
        return await (await self.start(workflow, *args, **options)).result()

    async def status(self, handle: Any) -> str:
        """The status of a workflow, by its name."""
        return str((await handle.describe()).status.name)

    async def failure(self, workflow: Any, *args: Any, **options: Any) -> Any:
        """How a workflow fails."""
        return await failure_of(self.execute(workflow, *args, **options))


async def failure_of(awaited: Awaitable[Any]) -> Any:
    """What is raised, with its causes; `returned` if nothing is."""
    try:
        value = await awaited
    except BaseException as error:  # noqa: BLE001 - it is what is seen
        return told(error)
    return ("returned", value)


def told(error: BaseException | None) -> list[Any]:
    """What an observer sees of an exception and its causes."""
    chain: list[Any] = []
    while error is not None:
        seen: list[Any] = [type(error).__name__, str(getattr(error, "message", error))]
        if isinstance(error, ApplicationError):
            seen += [error.type, *error.details]
        if isinstance(error, TimeoutError) and error.type is not None:
            seen.append(error.type.name)
        if isinstance(error, (ActivityError, ChildWorkflowError)) and error.retry_state:
            seen.append(error.retry_state.name)
        chain.append(tuple(seen))
        error = error.__cause__
    return chain


async def _connected(env: WorkflowEnvironment, stack: AsyncExitStack) -> Client:
    """A client that reaches the service over a socket; time is skipped whenever nothing runs."""
    service = env.service
    assert service is not None
    listener = service.listener()
    await listener.start(None)
    stack.push_async_callback(listener.stop)
    stack.enter_context(service.waiting())
    client = await Client.connect(f"127.0.0.1:{listener.port}")
    stack.push_async_callback(client.close)
    return client


@asynccontextmanager
async def staged(
    place: str,
    workflows: list[type[Any]],
    activities: list[Callable[..., Any]],
    folder: Path | None = None,
) -> AsyncIterator[Stage]:
    """The service with workers, in a place; where it is embedded, in a folder."""
    async with AsyncExitStack() as stack:
        pool = stack.enter_context(ThreadPoolExecutor(4))
        server = await stack.enter_async_context(FunctionServer())
        called = HttpEndpoint(f"{namespace_of_queue('default', QUEUE)}/*", server.url)
        service = LocalService(
            "default",
            skips_time=True,
            data=folder / "data" if folder is not None and "embedded" in place else None,
            endpoints=[called] if place == "endpoint" else [],
        )
        await service.start()
        client = Client(service.connection, identity="stage")
        env = await stack.enter_async_context(WorkflowEnvironment(client, service))
        stage = Stage(client, env, QUEUE)
        clients = [client] * (2 if "two workers" in place else 1)
        if place == "remote workers":
            clients = [await _connected(env, stack) for _ in range(2)]
            stage.client = clients[0]
        for number, each in enumerate(clients):
            worker = Worker(
                each,
                task_queue=QUEUE,
                workflows=workflows,
                activities=activities,
                activity_executor=pool,
                identity=f"worker-{number}",
                max_cached_workflows=0 if place == "cold cache" else 100,
            )
            if place == "endpoint":
                await server.start(worker.functions)
            else:
                await stack.enter_async_context(worker)
        yield stage
