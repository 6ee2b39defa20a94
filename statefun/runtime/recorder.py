"""The recorder: an observer that counts by function and measures durations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from statefun.runtime.admin.figures import Durations, FunctionFigures, Metrics, sources_of
from statefun.runtime.observe import Observer

if TYPE_CHECKING:
    from statefun.runtime.engine.failures import FailedAttempt
    from statefun.runtime.lifecycle import Lifecycle
    from statefun.sdk.address import Address

__all__ = ["Recorder"]

_MOST_FUNCTIONS: Final = 1000
_OTHER: Final = "other"


class Recorder(Observer):
    """Keeps the figures that only an observer sees.

    Attributes:
        functions: Typename → the figures of the function.
        commit_durations: How long commits took.
    """

    def __init__(self) -> None:
        self.functions: dict[str, FunctionFigures] = {}
        self.commit_durations = Durations()

    def call_ended(
        self, address: Address, messages: int, seconds: float, error: Exception | None
    ) -> None:
        """Count a call."""
        figures = self.functions.get(address.typename) or self._new(address.typename)
        figures.calls.add(seconds)
        if error is None:
            figures.messages += messages

    def attempt_failed(self, failed: FailedAttempt) -> None:
        """Count a failure."""
        typename = failed.address.typename
        figures = self.functions.get(typename) or self._new(typename)
        figures.failed_attempts += 1
        if failed.decision.next not in ("retry", "isolate"):
            figures.given_up += 1

    def committed(self, seconds: float) -> None:
        """Count a commit."""
        self.commit_durations.add(seconds)

    def metrics(self, life: Lifecycle) -> Metrics:
        """How a runtime is doing."""
        engine, dispatcher = life.engine, life.dispatcher
        return Metrics(
            counters=engine.counters,
            commits=dispatcher.committer.commits,
            failed_commits=dispatcher.committer.failed_commits,
            busy_addresses=engine.backlog.busy,
            resident_addresses=len(engine.residency),
            waiting_timers=len(engine.timers),
            calls_in_flight=dispatcher.calls.in_flight,
            paused_addresses=engine.paused_addresses,
            kept_dead_letters=len(engine.dead_letters),
            commit_durations=self.commit_durations,
            functions=self.functions,
            sources=sources_of(life.ingresses),
        )

    def _new(self, typename: str) -> FunctionFigures:
        """The figures of a function that has none: endpoints may serve any number of names."""
        name = typename if len(self.functions) < _MOST_FUNCTIONS else _OTHER
        return self.functions.setdefault(name, FunctionFigures())
