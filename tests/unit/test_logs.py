"""Log entries of failures: short, the user's frames first, and no text can forge one."""

from __future__ import annotations

import io
import logging
from typing import TYPE_CHECKING

import pytest

from statefun.errors import InvocationError
from statefun.runtime.engine.failures import Decision, FailedAttempt
from statefun.runtime.log import LogObserver
from statefun.sdk.address import Address
from statefun.sdk.failures import brief, places_of, traceback_text
from statefun.sdk.functions import StatefulFunctions
from statefun.sdk.handler import RequestReplyHandler
from statefun.serve.endpoint import FunctionEndpoint
from tests.builders import text, to_function

if TYPE_CHECKING:
    from collections.abc import Iterator

    from statefun.sdk.context import Context
    from statefun.sdk.messages import Message

A = Address("t/f", "1")
FORGED = "2024-01-01 00:00:00 ERROR statefun: all is lost"


def failure_of(sentence: str) -> InvocationError:
    """The error of a function that raises, two calls deep."""
    functions = StatefulFunctions()

    def check() -> None:
        raise ValueError(sentence)

    @functions.bind(A.typename)
    def pay(context: Context, message: Message) -> None:
        try:
            check()
        except ValueError as error:
            raise RuntimeError("not paid") from error

    with pytest.raises(InvocationError) as caught:
        RequestReplyHandler(functions).invoke_sync(to_function(A, text("hi")))
    return caught.value


@pytest.fixture(params=["statefun.runtime", "statefun.serve"])
def printed(request: pytest.FixtureRequest) -> Iterator[tuple[str, io.StringIO]]:
    """What a handler of the standard library prints of a logger."""
    logger, stream = logging.getLogger(request.param), io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
    logger.addHandler(handler)
    yield request.param, stream
    logger.removeHandler(handler)


def log(logger: str, error: InvocationError) -> None:
    """Let a runtime or an endpoint tell of a failure."""
    if logger == "statefun.runtime":
        decision = Decision("dead-letter")
        LogObserver().attempt_failed(FailedAttempt(A, error, 1, decision, dead_letter=17))
        return
    functions = StatefulFunctions()

    def fail(context: Context, message: Message) -> None:
        assert error.__cause__ is not None
        raise error.__cause__

    functions.register(A.typename, fail)
    FunctionEndpoint(functions).answer_sync("POST", "/", to_function(A, text("hi")))


def test_an_entry_shows_the_frames_of_the_user(printed: tuple[str, io.StringIO]) -> None:
    """With what caused it; our own frames say nothing to the user."""
    logger, stream = printed

    log(logger, failure_of("no money"))

    entry = stream.getvalue()
    assert "in pay" in entry
    assert "in check" in entry
    assert "ValueError: no money" in entry
    assert "statefun/sdk/" not in entry


def test_a_long_text_makes_a_short_entry(printed: tuple[str, io.StringIO]) -> None:
    """Two megabytes of an exception are a few lines of the log, which begin and end as it does."""
    logger, stream = printed

    log(logger, failure_of("begin " + "x" * 2_000_000 + " end"))

    entry = stream.getvalue()
    assert len(entry) < 20_000
    assert "begin xxx" in entry
    assert "xxx end" in entry


@pytest.mark.parametrize("between", ["\n", "\r", "\x0b", "\x85", "\u2028", "\x1b[2J\n"])
def test_no_text_can_forge_an_entry(printed: tuple[str, io.StringIO], between: str) -> None:
    """What an exception says stands in lines that are indented, without control characters."""
    logger, stream = printed

    log(logger, failure_of(f"no{between}{FORGED}"))

    first, *others = stream.getvalue().splitlines()
    assert first.startswith("ERROR ")
    assert all(line.startswith("  ") for line in others)
    assert all(line.isprintable() for line in others)


def test_many_lines_are_a_few_lines() -> None:
    """The first and the last, and how many are left out."""
    told = traceback_text(failure_of("\n".join(f"line {number}" for number in range(5000))))

    assert len(told.splitlines()) < 100
    assert "lines left out" in told
    assert "line 0" in told


def test_an_entry_names_the_dead_letter_and_the_command_that_shows_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """So that nobody has to look for it."""
    log("statefun.runtime", failure_of("no"))

    assert "dead letter 17" in caplog.text
    assert "statefun dead-letters show 17" in caplog.text


def test_places_are_those_of_the_user() -> None:
    """File, line and function, the outermost first."""
    [place] = places_of(failure_of("no"))

    assert place.startswith(f"{__file__}:")
    assert place.endswith("pay")


def test_a_brief_text_says_how_much_it_leaves_out() -> None:
    """And a short one is as it was, on one line."""
    assert brief("a\nb") == "a\\nb"
    assert brief("a" * 10 + "b" * 10, 4) == "aa… (16 characters left out) …bb"
