"""The driver: loads, calls and commits, and decides nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from statefun.runtime.engine.driver import Driver
from statefun.runtime.engine.engine import Engine
from statefun.runtime.engine.records import Released
from statefun.runtime.stores.memory import MemoryStore
from tests.runtime.driver import A, B, Effects, missing, rules, text

if TYPE_CHECKING:
    from statefun.runtime.engine.mailbox import Attempt


class Anything:
    typenames = ()

    def knows(self, _: str, /) -> bool:
        return True


def driven(store: MemoryStore) -> Driver[MemoryStore]:
    recovered = store.recover()
    return Driver(Engine(Anything(), {}, recovered=recovered, rules=rules()), store)


def test_a_step_makes_every_call_that_is_ready() -> None:
    """What they lead to is for the next step; a failure is an attempt, and holds up nobody."""
    called: list[Attempt] = []
    driver = driven(MemoryStore())
    for target in (A, B):
        driver.engine.intake.deliver(target, text("x"))

    def call(attempt: Attempt) -> bytes:
        called.append(attempt)
        if len(called) == 1:
            raise ValueError("no")
        return bytes(Effects().send(B, "more")) if len(called) == 2 else b""

    steps = [driver.step(call, lambda: 0) for _ in range(3)]

    assert (steps, len(called)) == ([True, True, False], 3)
    assert [str(each.error) for each in driver.engine.take_failed_attempts()] == ["no"]


def test_values_are_loaded_for_the_calls_that_need_them() -> None:
    """Once the function has said which it has."""
    store = MemoryStore()
    replies = [missing("n"), bytes(Effects().set("n", "1")), missing("n"), b""]
    requests: list[bytes] = []
    for _ in range(2):
        driver = driven(store)
        driver.engine.intake.deliver(A, text("x"))

        def call(attempt: Attempt) -> bytes:
            requests.append(attempt.request)
            return replies.pop(0)

        while driver.step(call, lambda: 0):
            pass
        driver.commit()

    assert b"1" in requests[3].split(b"t/text")[1]


def test_a_commit_without_changes_is_none() -> None:
    """Nothing leaves."""
    assert driven(MemoryStore()).commit() == Released()
