"""The test harness under the name it has with Restate's SDK."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from statefun.durable.endpoint import App
    from statefun.durable.types import HarnessEnvironment

__all__ = ["create_test_harness"]


@asynccontextmanager
async def create_test_harness(
    app: App,
    follow_logs: bool = False,  # noqa: FBT001, FBT002 - the peer's signature
    restate_image: str = "",
    always_replay: bool = False,  # noqa: FBT001, FBT002 - the peer's signature
    disable_retries: bool = False,  # noqa: FBT001, FBT002 - the peer's signature
) -> AsyncIterator[HarnessEnvironment]:
    """Run an app in this process, in memory, with its ingress on a free port.

    Args:
        app: What `app([...])` returns.
        follow_logs: Accepted and ignored; logs are those of this process.
        restate_image: Accepted and ignored; there is no container.
        always_replay: Whether handlers leave memory at every wait and are replayed from the
            journal, which shows at once what is not deterministic.
        disable_retries: Whether a failed attempt is the last one.

    Raises:
        ModuleNotFoundError: If the extra `runtime` is not installed.

    Example:
        ```python
        async with create_test_harness(app, always_replay=True) as harness:
            assert await harness.client.object_call(add, "ada", 1) == 1
        ```
    """
    from statefun.testing.durable import run_app  # noqa: PLC0415 - the runtime, for tests alone

    del follow_logs, restate_image
    async with run_app(
        app, is_always_replayed=always_replay, has_retries=not disable_retries
    ) as environment:
        yield environment
