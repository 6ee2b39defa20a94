"""The execution: one invocation at its address, from its start to its outcome.

It is kept as a header and a journal; its run, the live coroutine, comes and goes. A failed attempt
undoes nothing: what it commanded and wrote stays, and the next attempt begins with a replay of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from statefun.durable import _proto
from statefun.durable.directory import gone
from statefun.durable.exceptions import SdkInternalException
from statefun.durable.journal import Journal
from statefun.durable.replay import Replay
from statefun.durable.run import Run

if TYPE_CHECKING:
    from statefun.durable.declaration import Declaration
    from statefun.durable.kept import Kept
    from statefun.durable.options import Options
    from statefun.durable.retries import Retries
    from statefun.durable.run import Actor
    from statefun.durable.surroundings import Surroundings

__all__ = ["Execution", "FrontEnd"]


class FrontEnd(Protocol):
    """Who knows how executions run: the core knows commands, events and outcomes only."""

    def program(self, execution: Execution, run: Run) -> Actor:
        """What a run does; made anew for each replay."""

    def retries(self, options: Options) -> Retries:
        """When a failed attempt is followed by another."""


class Execution:
    """One invocation that has begun and has no outcome yet.

    Args:
        header: What is kept of it beside its journal.
        declaration: Its service, object or workflow.
        front_end: Who knows how it runs.
        kept: What its address keeps, with its journal; None for one that begins.

    Attributes:
        handler: Its handler.
        journal: Its journal.
        retries: When a failed attempt is followed by another.
        here: The address in the turn that handles it now.
        run: Its live coroutine; None if it is only kept.
        is_over: Whether it has its outcome.
    """

    def __init__(
        self,
        header: _proto.Execution,
        declaration: Declaration,
        front_end: FrontEnd,
        kept: Kept | None = None,
    ) -> None:
        self.header = header
        self.declaration = declaration
        handler = declaration.handler_of(header.handler)
        if handler is None:
            handler = gone(declaration, header.handler, is_shared=bool(header.journal))
        self.handler = handler
        self._front_end = front_end
        self.is_shared = handler.kind == "shared"
        self.is_relaxed = handler.options.effects == "relaxed"
        self.retries = front_end.retries(handler.options)
        self.journal = (
            Journal() if kept is None else kept.journal_of(header, is_shared=self.is_shared)
        )
        self.run: Run | None = None
        self.is_over = False
        self.here: Surroundings[Execution]
        self.invoke = _proto.Invoke()
        self._view: dict[str, bytes] = {}
        self._before = {
            each.name: each.value if each.HasField("value") else None for each in header.before
        }

    @property
    def id(self) -> str:
        """The id of the invocation."""
        return self.header.id

    @property
    def kept_bytes(self) -> int:
        """How much is kept of it, about."""
        return self.journal.size + len(self.invoke.argument)

    def join(self, here: Surroundings[Execution]) -> None:
        """Take part in a turn."""
        self.here = here
        if self.run is not None:
            self._see_entries()

    # --- its run ---

    def wake_up(self) -> Run:
        """The live coroutine, by a replay if there is none."""
        if self.run is None:
            self._replay(may_extend=self.header.has_open_end)
        assert self.run is not None  # noqa: S101 - a replay makes it
        return self.run

    def _replay(self, *, may_extend: bool) -> None:
        self.run = run = self._new_run()
        if self.journal.is_empty:
            self._see_entries()
            return
        records = self.journal.records()
        self.invoke = records[0].invoke
        self.journal.open_last(records)
        self._view = dict(self.here.kept.entries)
        for name, value in self._before.items():
            if value is None:
                self._view.pop(name, None)
            else:
                self._view[name] = value
        Replay(run, may_extend=may_extend).tell(records)
        for retry in self.header.retries:
            effect = run.effects.get(retry.seq)
            if effect is not None:
                effect.attempts, effect.first_ms = retry.attempts, retry.first_ms
                effect.due_ms = retry.due_ms

    def tell(self, run: Run, record: _proto.Record) -> None:
        """Tell an event and note it in the journal."""
        if record.kind == _proto.START:
            self.invoke = record.invoke
        self.journal.append(record)
        run.tell(record)

    def put_away(self) -> None:
        """Close the live coroutine; what is kept stays."""
        if self.run is not None:
            self.save()
            self.close()

    def close(self) -> None:
        """Close the live coroutine for good."""
        if self.run is not None:
            run, self.run = self.run, None
            run.close()

    def save(self) -> None:
        """Bring the header up to date with the run."""
        header, run = self.header, self.run
        del header.before[:]
        for name, value in self._before.items():
            header.before.append(_proto.Before(name=name, value=value))
        if run is not None and not run.mismatch:
            del header.retries[:]
            for effect in run.effects.values():
                if effect.attempts:
                    header.retries.append(
                        _proto.Retry(
                            seq=effect.seq,
                            attempts=effect.attempts,
                            first_ms=effect.first_ms,
                            due_ms=effect.due_ms,
                        )
                    )
            header.calls[:] = run.children.values()
        if self.is_shared:
            header.journal = self.journal.encoded()

    # --- values of the key, for contexts ---

    def read(self, name: str) -> bytes | None:
        """A value of the key; a shared handler always sees what it saw first."""
        if not self.is_shared:
            return self._view.get(name)
        if name not in self._before:
            seen = self.header.has_seen_keys and name not in self.header.keys
            self._before[name] = None if seen else self.here.kept.entries.get(name)
        return self._before[name]

    def names(self) -> list[str]:
        """The names of all values of the key."""
        if not self.is_shared:
            return list(self._view)
        if not self.header.has_seen_keys:
            self.header.has_seen_keys = True
            known = [
                name for name in self.here.kept.entries if self._before.get(name, b"") is not None
            ]
            known += [name for name, value in self._before.items() if value and name not in known]
            self.header.keys[:] = known
        return list(self.header.keys)

    def write(self, name: str, data: bytes | None) -> None:
        """Keep a value of the key, or remove it."""
        is_live = self.run is not None and not self.run.is_replaying
        if is_live:
            self._before.setdefault(name, self._view.get(name))
            self.here.kept.entries_changed = True
        if data is None:
            self._view.pop(name, None)
        else:
            self._view[name] = data

    def _see_entries(self) -> None:
        if self.declaration.service_tag.kind != "service":
            self._view = self.here.kept.entries

    # --- for programs ---

    def glimpse(self) -> Execution:
        """Another one of the same state, to look at: its next commands are not carried out."""
        glimpsed = Execution(self.header, self.declaration, self._front_end, self.here.kept)
        glimpsed.join(self.here)
        glimpsed._replay(may_extend=False)
        return glimpsed

    def cancel_child(self, child: str) -> None:
        """Cancel an invocation that it waits for."""
        if self.run is None:
            raise SdkInternalException  # it is being put away
        _, is_new = self.run.plain_step("cancel call")
        if is_new:
            self.here.outbox.send_home(child, _proto.Envelope(cancel=child))

    def _new_run(self) -> Run:
        here = self.here
        what = f"{here.service}/{here.key}" if here.key else here.service
        run = Run(self.id, f"{what}.{self.handler.name} ({self.id})", self._see_entries)
        run.actor = self._front_end.program(self, run)
        run.loop.longest_drain = here.limits.time_of(self.handler.options).total_seconds()
        return run
