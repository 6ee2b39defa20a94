"""The admin port of a runtime: `GET /health` and `GET /metrics`."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING

from statefun.errors import RuntimeStoppedError
from statefun.http import Access, HttpServer, Request, Response, Routes, text_response

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client import CollectorRegistry
    from prometheus_client.metrics_core import Metric

    from statefun.runtime import Runtime

__all__ = ["AdminServer"]


class AdminServer:
    """Says how a runtime is doing.

    `/health` is answered by whatever is alive: 200 when the runtime takes messages in and keeps
    them, 503 while it starts, stops, or cannot write. `/metrics` is Prometheus text.

    Args:
        runtime: Which.
        host: Where to listen.
        port: Which port; 0 for any free one.
        access: Who may ask; by default whoever is on this machine.

    Raises:
        ModuleNotFoundError: If the extra `runtime` is not installed.
    """

    def __init__(
        self, runtime: Runtime, host: str, port: int, *, access: Access | None = None
    ) -> None:
        self._runtime = runtime
        self._registry = _registry(runtime)
        routes = Routes()
        routes.add("/health", self._health)
        routes.add("/metrics", self._metrics)
        self._server = HttpServer(routes, host, port, access=access)

    @property
    def port(self) -> int:
        """The port in use."""
        return self._server.port

    async def start(self) -> None:
        """Listen.

        Raises:
            ConfigurationError: If the port is taken.
        """
        await self._server.start()

    async def stop(self) -> None:
        """Listen no more."""
        await self._server.stop()

    def _health(self, _: Request) -> Response:
        if self._runtime.is_healthy:
            return text_response(200, "ready")
        return text_response(
            503, "not ready: starting, stopping, or unable to write to the data directory"
        )

    def _metrics(self, _: Request) -> Response:
        import prometheus_client  # noqa: PLC0415 - an optional dependency

        text = prometheus_client.generate_latest(self._registry)
        return Response(200, text, prometheus_client.CONTENT_TYPE_LATEST)


def _registry(runtime: Runtime) -> CollectorRegistry:
    try:
        import prometheus_client  # noqa: PLC0415 - an optional dependency
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "--admin-port needs prometheus-client: pip install 'statefun[runtime]'"
        ) from error
    registry = prometheus_client.CollectorRegistry()
    prometheus_client.ProcessCollector(registry=registry)
    registry.register(_Figures(runtime))
    return registry


class _Figures:
    """A runtime's metrics as Prometheus asks for them; see `Metrics` and `Counters`."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    def describe(self) -> list[Metric]:
        """Nothing: names are not checked against a runtime that has not started."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Every figure."""
        from prometheus_client.core import (  # noqa: PLC0415 - an optional dependency
            CounterMetricFamily,
            GaugeMetricFamily,
        )

        try:
            metrics = self._runtime.metrics()
        except RuntimeStoppedError:  # it has not started yet
            return
        counters = {
            each.name: getattr(metrics.counters, each.name) for each in fields(metrics.counters)
        }
        counters |= {"commits": metrics.commits, "failed_commits": metrics.failed_commits}
        for name, figure in counters.items():
            text = f"{name.replace('_', ' ').capitalize()} since the start."
            yield CounterMetricFamily(f"statefun_{name}", text, figure)
        gauges = (each.name for each in fields(metrics) if each.name not in {"counters", *counters})
        for name in gauges:
            text = f"{name.replace('_', ' ').capitalize()} now."
            yield GaugeMetricFamily(f"statefun_{name}", text, getattr(metrics, name))
