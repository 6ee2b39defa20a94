"""The admin port of a runtime: `GET /health` and `GET /metrics`.

Law: every figure has a sentence that says what it counts, and its unit in its name.
"""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING, Final

from statefun.errors import RuntimeStoppedError
from statefun.http import Access, HttpServer, Request, Response, Routes, text_response
from statefun.runtime.admin.figures import BOUNDS_S

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from prometheus_client import CollectorRegistry
    from prometheus_client.metrics_core import Metric

    from statefun.ports import Source
    from statefun.runtime.admin.figures import Durations, FunctionFigures, Metrics

__all__ = ["AdminServer"]


class AdminServer:
    """Says how a runtime is doing.

    `/health` is answered by whatever is alive: 200 when the runtime takes messages in and keeps
    them, 503 while it starts, stops, or cannot write. `/metrics` is Prometheus text.

    Args:
        metrics: How the runtime is doing, as `Runtime.metrics`.
        is_healthy: Whether messages are taken in and kept, as `Runtime.is_healthy`.
        host: Where to listen.
        port: Which port; 0 for any free one.
        access: The clients that may ask; by default all of this machine.

    Raises:
        ModuleNotFoundError: If the extra `runtime` is not installed.
    """

    def __init__(
        self,
        metrics: Callable[[], Metrics],
        is_healthy: Callable[[], bool],
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        access: Access | None = None,
    ) -> None:
        self._is_healthy = is_healthy
        self._registry = _registry(metrics)
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
        await self._server.stop(within_s=1.0)  # and a second for what is cancelled

    def _health(self, _: Request) -> Response:
        if self._is_healthy():
            return text_response(200, "ready")
        return text_response(
            503, "not ready: starting, stopping, or unable to write to the data directory"
        )

    def _metrics(self, _: Request) -> Response:
        import prometheus_client  # noqa: PLC0415 - an optional dependency

        text = prometheus_client.generate_latest(self._registry)
        return Response(200, text, prometheus_client.CONTENT_TYPE_LATEST)


def _registry(metrics: Callable[[], Metrics]) -> CollectorRegistry:
    try:
        import prometheus_client  # noqa: PLC0415 - an optional dependency
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "the admin port needs prometheus-client: pip install 'statefun[runtime]'"
        ) from error
    registry = prometheus_client.CollectorRegistry()
    prometheus_client.ProcessCollector(registry=registry)
    registry.register(_Figures(metrics))
    return registry


class _Figures:
    """A runtime's metrics as Prometheus asks for them; see `Metrics` and `Counters`."""

    def __init__(self, metrics: Callable[[], Metrics]) -> None:
        self._metrics = metrics

    def describe(self) -> list[Metric]:
        """Nothing: names are not checked against a runtime that has not started."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Every figure."""
        from prometheus_client.core import (  # noqa: PLC0415 - an optional dependency
            CounterMetricFamily,
            GaugeMetricFamily,
            HistogramMetricFamily,
        )

        try:
            metrics = self._metrics()
        except RuntimeStoppedError:  # it has not started yet
            return
        for name, text in COUNTERS.items():
            figure = getattr(metrics if hasattr(metrics, name) else metrics.counters, name)
            yield CounterMetricFamily(f"statefun_{name}", text, figure)
        for name, text in GAUGES.items():
            yield GaugeMetricFamily(f"statefun_{name}", text, getattr(metrics, name))
        commits = HistogramMetricFamily("statefun_commit_seconds", "How long commits took.")
        commits.add_metric([], *_buckets(metrics.commit_durations))
        yield commits
        functions: Mapping[str, FunctionFigures] = dict(metrics.functions)
        for name, text in FUNCTION_COUNTERS.items():
            by_function = CounterMetricFamily(f"statefun_{name}", text, labels=["function"])
            for typename, figures in functions.items():
                by_function.add_metric([typename], getattr(figures, name.partition("_")[2]))
            yield by_function
        calls = HistogramMetricFamily(
            "statefun_call_seconds",
            "How long requests to a function took, answered or not.",
            labels=["function"],
        )
        for typename, figures in functions.items():
            calls.add_metric([typename], *_buckets(figures.calls))
        yield calls
        for name, text in SOURCE_GAUGES.items():
            by_source = GaugeMetricFamily(f"statefun_{name}", text, labels=["source"])
            for source in metrics.sources:
                value = _SOURCE_VALUES[name](source)
                if value is not None:
                    by_source.add_metric([source.name], value)
            yield by_source


def _buckets(durations: Durations) -> tuple[list[tuple[str, float]], float]:
    """The buckets of a histogram, each with all below it, and the sum."""
    bounds = [*map(str, BOUNDS_S), "+Inf"]
    return list(zip(bounds, accumulate(durations.counts), strict=True)), durations.total_s


COUNTERS: Final[Mapping[str, str]] = {
    "ingress_messages": "Messages taken in from outside.",
    "invocations": "Messages whose batch was applied.",
    "batches": "Batches that were applied.",
    "messages_sent": "Messages from function to function, without delayed ones.",
    "timers_set": "Delayed messages sent.",
    "timers_fired": "Delayed messages delivered.",
    "timers_cancelled": "Delayed messages cancelled.",
    "egress_records": "Messages to egresses.",
    "incomplete_replies": "Answers of functions that asked for more values.",
    "failed_attempts": "Attempts that failed, for whatever reason.",
    "dead_letters": "Messages that were given up and kept.",
    "expired_dead_letters": "Dead letters forgotten because they were too old or too many.",
    "late_replies": "Replies that nobody waited for, each kept as a dead letter.",
    "dropped_messages": "Messages that were given up and forgotten.",
    "pauses": "How often an address was paused.",
    "refused_messages": "Messages from outside that were refused because too much waited.",
    "repeats": "Messages from outside that repeated one by its idempotency key.",
    "stray_replies": "Answers to attempts that were over.",
    "commits": "Commits that are durable, with those that had nothing to write.",
    "failed_commits": "Commits that could not be stored.",
}
"""The name of each counter → what it counts since the start."""

GAUGES: Final[Mapping[str, str]] = {
    "busy_addresses": "Addresses with messages.",
    "resident_addresses": "Addresses in memory.",
    "waiting_timers": "Delayed messages that wait.",
    "calls_in_flight": "Requests made and not answered.",
    "paused_addresses": "Addresses that are paused.",
    "kept_dead_letters": "Dead letters that can be replayed.",
}
"""The name of each gauge → what it shows."""

SOURCE_GAUGES: Final[Mapping[str, str]] = {
    "source_position": "Where an ingress goes on in a source, such as a partition.",
    "source_lag": "How many places an ingress is behind the end of a source.",
    "source_paused": "1 while nothing is fetched from a source, since too much waits.",
    "source_stands_still": "1 if nothing is taken from a source until somebody decides.",
}
"""The name of each gauge with the label `source` → what it shows."""

_SOURCE_VALUES: Final[Mapping[str, Callable[[Source], int | None]]] = {
    "source_position": lambda source: source.position,
    "source_lag": lambda source: source.lag,
    "source_paused": lambda source: int(source.is_paused),
    "source_stands_still": lambda source: int(bool(source.problem)),
}

FUNCTION_COUNTERS: Final[Mapping[str, str]] = {
    "function_messages": "Messages in requests that a function answered.",
    "function_failed_attempts": "Attempts of a function that failed, for whatever reason.",
    "function_given_up": "Messages of a function that were given up, and pauses of its addresses.",
}
"""The name of each counter with the label `function` → what it counts since the start."""
