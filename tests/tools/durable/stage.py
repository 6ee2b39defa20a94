"""A stage for durable handlers: the harness, with answers that are collected."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from statefun.durable import _proto
from statefun.durable.application import Application
from statefun.durable.identity import InvocationId
from statefun.durable.limits import Limits
from statefun.durable.outcomes import as_message, failure_of
from statefun.testing import Harness

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import timedelta

    from statefun.durable.declaration import Declaration

ANSWERS = "com.example/answers"


class Stage:
    """Runs an application in the harness.

    Args:
        declarations: The services.
        is_cold: Whether every turn begins without anything in memory, so that it replays.
    """

    def __init__(
        self, declarations: Iterable[Declaration], *, is_cold: bool = False, **options: Any
    ) -> None:
        limits = Limits(cached_addresses=0 if is_cold else 10_000)
        self.application = Application(declarations, limits=limits, **options)
        self.harness = Harness(self.application)
        self.ids: dict[str, str] = {}

    def again(self) -> Stage:
        """The same stage, with functions that were bound since."""
        self.harness = Harness(self.application)
        return self

    def forget(self) -> None:
        """Put away what is in memory, as a restart of the worker does."""
        self.application.forget()

    def invoke(self, handler: Any, arg: Any = None, **options: Any) -> str:
        """Invoke a handler and let everything run; returns what its answer is found by."""
        name = f"answer {len(self.ids)}"
        route = _proto.Route(typename=ANSWERS, id=name, is_egress=True)
        message = self.application.invoke(handler, arg, reply=route, **options)
        self.ids[name] = _proto.Envelope.FromString(message.raw_value() or b"").invoke.id
        self.harness.send(message)
        self.run()
        return name

    def send(self, target: tuple[str, str], envelope: _proto.Envelope) -> None:
        """Send an envelope, and let everything run."""
        envelope.version = 1
        self.harness.send(as_message(*target, envelope))
        self.run()

    def command(self, name: str, word: str) -> None:
        """Cancel, kill, pause or resume an invocation."""
        invocation = self.ids[name]
        home = self.application.directory.home_of(InvocationId.parse(invocation))
        envelope = _proto.Envelope(version=1)
        setattr(envelope, word, invocation)
        self.send(home, envelope)

    def run(self) -> None:
        """Run until nothing can run now."""
        self.harness.run()

    def advance(self, by: timedelta) -> None:
        """Let time pass."""
        self.harness.advance(by)

    def answers(self, name: str) -> list[Any]:
        """The values or failures that came for an invocation."""
        found = []
        for record in self.harness.egress(ANSWERS):
            done = _proto.Envelope.FromString(record.data).done
            if done.execution == name:
                failure = failure_of(done.outcome)
                found.append(failure or (json.loads(done.outcome.value or b"null")))
        return found

    def answer(self, name: str) -> Any:
        """The one value or failure that came for an invocation."""
        [only] = self.answers(name)
        return only

    def call(self, handler: Any, arg: Any = None, **options: Any) -> Any:
        """Invoke a handler that ends at once, and return its answer."""
        return self.answer(self.invoke(handler, arg, **options))
