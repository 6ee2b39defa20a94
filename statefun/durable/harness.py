"""The test harness under the names it has with Restate's SDK."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future
from contextlib import asynccontextmanager
from threading import Thread
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from statefun.durable.endpoint import App
    from statefun.durable.entry_codec import JournalValueCodec
    from statefun.durable.types import HarnessEnvironment

__all__ = ["TestHarness", "create_test_harness", "test_harness"]


@asynccontextmanager
async def create_test_harness(
    app: App,
    follow_logs: bool = False,  # noqa: FBT001, FBT002 - the peer's signature
    restate_image: str = "",
    always_replay: bool = False,  # noqa: FBT001, FBT002 - the peer's signature
    disable_retries: bool = False,  # noqa: FBT001, FBT002 - the peer's signature
    journal_value_codec: JournalValueCodec | None = None,
) -> AsyncIterator[HarnessEnvironment]:
    """Run an app in this process, in memory, with its ingress on a free port.

    Args:
        app: What `app([...])` returns.
        follow_logs: Accepted and ignored; logs are those of this process.
        restate_image: Accepted and ignored; there is no container.
        always_replay: Whether handlers leave memory at every wait and are replayed from the
            journal, which shows at once what is not deterministic.
        disable_retries: Whether a failed attempt is the last one.
        journal_value_codec: The codec of the app, for the client.

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
        app,
        is_always_replayed=always_replay,
        has_retries=not disable_retries,
        codec=journal_value_codec,
    ) as environment:
        yield environment


def test_harness(
    app: App,
    follow_logs: bool = False,  # noqa: FBT001, FBT002, PT028 - the peer's signature, and no test
    restate_image: str = "",  # noqa: PT028
    always_replay: bool = False,  # noqa: FBT001, FBT002, PT028
    disable_retries: bool = False,  # noqa: FBT001, FBT002, PT028
) -> TestHarness:
    """Run an app for a test that is not async; the parameters are those of `create_test_harness`.

    Example:
        ```python
        with test_harness(app) as harness:
            assert harness.ingress_client().post("/Counter/ada/add", json=1).json() == 1
        ```
    """
    del follow_logs, restate_image
    return TestHarness(app, always_replay=always_replay, disable_retries=disable_retries)


test_harness.__test__ = False  # type: ignore[attr-defined]  # pytest does not take it for a test


class TestHarness:
    """An app that runs in a thread of this process, for a `with`; see `test_harness`."""

    __test__ = False  # pytest does not take it for a test

    def __init__(self, app: App, *, always_replay: bool, disable_retries: bool) -> None:
        self._app = app
        self._always_replay = always_replay
        self._disable_retries = disable_retries
        self._running: Future[HarnessEnvironment] = Future()
        self._stopping: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: Thread | None = None

    def start(self) -> None:
        """Start the app and its ingress."""
        self._running = Future()
        self._thread = Thread(target=asyncio.run, args=(self._run(),), name="test-harness")
        self._thread.start()
        self._running.result()

    def stop(self) -> None:
        """Stop both; what was kept is gone."""
        if self._thread is None or self._loop is None or self._stopping is None:
            return
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join()
        self._thread = None

    @property
    def ingress_url(self) -> str:
        """The base URL of the ingress."""
        return self._running.result(timeout=0).ingress_url

    def ingress_client(self) -> Any:
        """An `httpx.Client` for the ingress.

        Raises:
            ModuleNotFoundError: If httpx is not installed.
        """
        try:
            import httpx  # type: ignore[import-not-found, unused-ignore]  # noqa: PLC0415 - optional
        except ModuleNotFoundError as error:
            raise ModuleNotFoundError(
                "ingress_client() needs httpx: pip install httpx, or ask at ingress_url",
                name=error.name,
            ) from error
        return httpx.Client(base_url=self.ingress_url)

    async def _run(self) -> None:
        self._loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()
        try:
            async with create_test_harness(
                self._app,
                always_replay=self._always_replay,
                disable_retries=self._disable_retries,
            ) as environment:
                self._running.set_result(environment)
                await self._stopping.wait()
        except BaseException as error:
            if self._running.done():
                raise
            self._running.set_exception(error)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
