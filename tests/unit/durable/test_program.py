"""The seam for front ends: what a program says is all that the core knows of how something runs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from statefun.durable import _proto
from statefun.durable.exceptions import TerminalError
from statefun.durable.outcomes import failed, succeeded
from statefun.durable.program import Program
from statefun.durable.retries import Retries
from statefun.durable.service import Service
from tests.tools.durable.stage import ANSWERS, Stage

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from statefun.durable.execution import Execution
    from statefun.durable.options import Options
    from statefun.durable.run import Run


class LookedAtError(Exception):
    """A command was given by who may only look."""


def refuse(command: str) -> NoReturn:
    raise LookedAtError(command)


class Adding(Program):
    """Adds what signals and updates bring until the sum is what the argument wants."""

    waits_for_messages = True

    def __init__(self, execution: Execution, run: Run) -> None:
        super().__init__(execution, run)
        self.total = 0
        self.condition: tuple[Callable[[], bool], asyncio.Future[None]] | None = None

    async def start(self) -> bytes:
        goal = json.loads(self.execution.invoke.argument)
        is_new = self.run.mark("patch more")
        reached = self.run.loop.create_future()
        self.condition = (lambda: self.total >= goal, reached)
        await reached
        return json.dumps([self.total, is_new]).encode()

    def settle(self) -> bool:
        if self.condition is None or not self.condition[0]():
            return False
        self.condition[1].set_result(None)
        self.condition = None
        return True

    def signal(self, record: _proto.Record) -> None:
        self.total += int(record.outcome.value)

    def update(self, record: _proto.Record) -> None:
        self.total += int(record.update.argument)
        _, is_carried_out = self.run.step(f"complete update {record.update.id}")
        if is_carried_out:
            total = succeeded(json.dumps(self.total).encode())
            self.execution.here.outbox.answer([record.update.reply], total)

    def cancel(self) -> None:
        assert self.run.main is not None
        self.run.main.cancel()

    def query(self, query: _proto.Query) -> _proto.Outcome:
        try:
            with self.run.looked_at(refuse):
                if query.name == "bad":
                    self.run.step("a command")
        except LookedAtError as error:
            return succeeded(json.dumps(str(error)).encode())
        return succeeded(json.dumps(self.total).encode())

    def validate(self, update: _proto.Update) -> _proto.Outcome | None:
        return None if int(update.argument) > 0 else failed(TerminalError("only more", 422))


class Adders:
    """The front end."""

    def program(self, execution: Execution, run: Run) -> Adding:
        return Adding(execution, run)

    def retries(self, options: Options) -> Retries:
        del options
        return Retries(max_attempts=None)


CARRIER = Service("Adding")


@CARRIER.handler()
async def add(ctx: Any, goal: int) -> Any:
    raise AssertionError("the program runs instead")


@pytest.fixture(params=[False, True], ids=["warm", "cold"])
def stage(request: pytest.FixtureRequest) -> Stage:
    return Stage([CARRIER], is_cold=request.param, front_end=Adders())


def tell(stage: Stage, name: str, **content: Any) -> None:
    invocation = stage.ids[name]
    stage.send(("durable/Adding", invocation), _proto.Envelope(version=1, **content))


def route(name: str) -> _proto.Route:
    return _proto.Route(typename=ANSWERS, id=name, is_egress=True)


def test_a_program_decides_by_signals_updates_and_conditions(stage: Stage) -> None:
    """Signals and updates are events of the journal; a condition is seen after each of them."""
    name = stage.invoke(add, 5)
    of = stage.ids[name]
    tell(stage, name, signal=_proto.Signal(execution=of, name="add", outcome=succeeded(b"2")))
    update = _proto.Update(execution=of, id="u", name="add", argument=b"1", reply=route("u"))
    tell(stage, name, update=update)
    assert stage.answers(name) == []
    assert stage.answer("u") == 3
    tell(stage, name, signal=_proto.Signal(execution=of, name="add", outcome=succeeded(b"2")))
    assert stage.answer(name) == [5, True]


def test_a_query_leaves_no_trace_and_may_not_command(stage: Stage) -> None:
    """A query is answered from the live run, or after a replay; its commands are refused."""
    name = stage.invoke(add, 5)
    of = stage.ids[name]
    tell(stage, name, signal=_proto.Signal(execution=of, name="add", outcome=succeeded(b"2")))
    for query in ("total", "bad", "total"):
        asked = _proto.Query(execution=of, name=query, reply=route(query))
        tell(stage, name, query=asked)
    assert stage.answers("total") == [2, 2]
    assert stage.answer("bad") == "a command"


def test_an_update_that_is_refused_leaves_no_trace(stage: Stage) -> None:
    """Who validates an update sees it before it is recorded."""
    name = stage.invoke(add, 1)
    of = stage.ids[name]
    update = _proto.Update(execution=of, id="u", name="add", argument=b"-1", reply=route("u"))
    tell(stage, name, update=update)
    assert stage.answer("u").status_code == 422
    tell(stage, name, signal=_proto.Signal(execution=of, name="add", outcome=succeeded(b"1")))
    assert stage.answer(name) == [1, True]


def test_who_asks_one_that_is_over_is_told_so(stage: Stage) -> None:
    """Neither a query nor an update waits for an execution that is not there."""
    name = stage.invoke(add, 0)
    of = stage.ids[name]
    assert stage.answer(name) == [0, True]
    tell(stage, name, query=_proto.Query(execution=of, name="total", reply=route("q")))
    update = _proto.Update(execution=of, id="u", name="add", argument=b"1", accepted=route("u"))
    tell(stage, name, update=update)
    assert [stage.answer(each).status_code for each in ("q", "u")] == [404, 404]
