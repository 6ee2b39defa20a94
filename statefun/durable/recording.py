"""Recordings: what an address keeps of invocations, as JSON, and their replay by other code. Pure.

A recording holds bytes, so nothing is lost of it; beside them its journal stands in words, for
people. A replay performs no effect and sends nothing: it only looks whether code still does what a
journal says.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from statefun.durable import _proto
from statefun.durable.execution import Execution
from statefun.durable.kept import VALUES
from statefun.durable.surroundings import Surroundings
from statefun.durable.visibility import InvocationView, describe_journal, invocations_at
from statefun.errors import ConfigurationError
from statefun.sdk.address import Address

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from statefun.durable.application import Application

__all__ = ["Recording", "differences", "recordings_of"]

_FORMAT = 1


@dataclass(frozen=True)
class Recording:
    """An invocation that has begun and has not ended, with all that its address keeps.

    Attributes:
        invocation_id: The invocation.
        service: The name of its service, object or workflow.
        target_id: The id of its address.
        values: Name → bytes of each value that the address keeps.
    """

    invocation_id: str
    service: str
    target_id: str
    values: Mapping[str, bytes]

    def to_json(self) -> str:
        """The recording in one line."""
        return json.dumps(
            {
                "format": _FORMAT,
                "invocation": self.invocation_id,
                "service": self.service,
                "address": self.target_id,
                "journal": [
                    {"event": event, "steps": steps} for _, event, steps in self._in_words()
                ],
                "values": {
                    name: base64.b64encode(data).decode() for name, data in self.values.items()
                },
            }
        )

    @classmethod
    def from_json(cls, text: str, where: str) -> Recording:
        """A recording from its line.

        Args:
            text: The line.
            where: Whose line it is, for the error.

        Raises:
            ConfigurationError: If it is not one.
        """
        try:
            told: Any = json.loads(text)
            values = {
                str(name): base64.b64decode(data, validate=True)
                for name, data in told["values"].items()
            }
            recording = cls(
                str(told["invocation"]), str(told["service"]), str(told["address"]), values
            )
            _proto.Host.FromString(values["host"])
            _check_format(told["format"])
        except (ValueError, KeyError, TypeError, AttributeError, _proto.DecodeError) as error:
            raise ConfigurationError(
                f"{where} is not a recording of an invocation ({type(error).__name__}: {error}): "
                "make one with 'statefun invocations export ID', or by DurableHarness.recordings",
                given=where,
            ) from error
        return recording

    def in_words(self) -> str:
        """What it has been told so far, what it has asked for, and why it failed last."""
        told = [
            f"{event} -> {', '.join(steps) or 'nothing'}" for _, event, steps in self._in_words()
        ]
        view = self._view()
        if view is not None and view.failure:
            told.append(
                f"it is {view.status} after {view.attempts} failed attempts: {view.failure}"
            )
        return "; ".join(told)

    def _in_words(self) -> list[tuple[int, str, list[str]]]:
        view = self._view()
        return [] if view is None else describe_journal(view.journal)

    def _view(self) -> InvocationView | None:
        address = Address(f"recorded/{self.service}", self.target_id)
        views = invocations_at(address, self.values)
        return next((view for view in views if view.id == self.invocation_id), None)


def _check_format(given: object) -> None:
    if given != _FORMAT:
        raise ValueError(f"its format is {given!r}, expected {_FORMAT}")


def recordings_of(address: Address, values: Mapping[str, bytes]) -> Iterator[Recording]:
    """The invocations that an address keeps and that have begun.

    Args:
        address: The address.
        values: Name → bytes of its values.
    """
    host = _proto.Host.FromString(values.get("host") or b"")
    service = address.typename.rpartition("/")[2]
    for execution in host.executions:
        yield Recording(execution.id, service, address.id, dict(values))


def differences(recording: Recording, app: Application) -> str:
    """How code differs from a recording; empty if it does what is recorded.

    Args:
        recording: The recording.
        app: The services as they are now.

    Raises:
        ConfigurationError: If the app has no such service, or the recording lacks its invocation.
    """
    declaration = app.directory.declarations.get(recording.service)
    if declaration is None:
        known = ", ".join(app.directory.declarations) or "none"
        raise ConfigurationError(
            f"the app has no service {recording.service!r}, of which there is a recording; it has "
            f"{known}: name the app that it was made of",
            given=recording.service,
        )
    host = _proto.Host.FromString(recording.values["host"])
    here: Surroundings[Execution] = Surroundings(
        app.directory,
        declaration,
        app.directory.typename(recording.service),
        recording.target_id,
        {name: recording.values.get(name) for name in VALUES[declaration.service_tag.kind]},
        host.time_ms,
    )
    for header in host.executions:
        if header.id == recording.invocation_id:
            execution = Execution(header, declaration, app.front_end, here.kept)
            here.executions = [execution]
            execution.join(here)
            return _difference(execution)
    raise ConfigurationError(
        f"the recording does not hold its invocation {recording.invocation_id!r}: make it anew",
        given=recording.invocation_id,
    )


def _difference(execution: Execution) -> str:
    may_have_failed = execution.header.has_open_end
    run = execution.wake_up()
    try:
        if run.mismatch is not None:
            return str(run.mismatch)
        verdict = run.verdict()
        if isinstance(verdict, BaseException) and not may_have_failed:
            return f"{run.what} raises {verdict!r} where the recording goes on"
        return ""
    finally:
        execution.close()
