"""Failures: exceptions that functions raised, and the facts that a handler notes on them."""

from __future__ import annotations

import asyncio
import signal
from functools import partial
from opcode import opmap
from traceback import StackSummary, TracebackException
from typing import TYPE_CHECKING, Any

from statefun.errors import InvocationError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    from statefun.sdk.address import SdkAddress

__all__ = [
    "FailureNote",
    "brief",
    "escaped",
    "failure_of",
    "is_closing",
    "is_from_outside",
    "note_failure",
    "places_of",
    "text_of",
    "traceback_text",
    "traced",
    "untraced",
]

_OURS = __file__.rpartition("/sdk/")[0] + "/"
_LONGEST_TEXT = 1000
_LONGEST_LINE = 500
_MOST_LINES = 60
_MOST_PLACES = 20
_PLACE = "\n  at "


class FailureNote(str):  # noqa: SLOT000 - it travels in the dictionary of an exception anyway
    """The note on an exception that names the message on which a function failed.

    Attributes:
        address: The address of the function.
        value_typename: The typename of the message.
        position: The message of the batch; the first is 1.
        batch_size: How many messages the batch has.
    """

    address: SdkAddress
    value_typename: str
    position: int
    batch_size: int


def note_failure(
    error: BaseException, address: SdkAddress, value_typename: str, position: int, batch_size: int
) -> None:
    """Note on an exception where it was raised; an earlier note of this kind is replaced.

    The notes are reached through the exception's dictionary, since the class of a user's exception
    may forbid to set attributes.
    """
    note = FailureNote(
        f"raised by {address.typename} {address.id!r} on message {position} of {batch_size} "
        f"(type {value_typename!r})"
    )
    note.address, note.value_typename = address, value_typename
    note.position, note.batch_size = position, batch_size
    facts = vars(error)
    notes = facts.get("__notes__")
    others = notes if isinstance(notes, list) else []
    facts["__notes__"] = [*(each for each in others if not isinstance(each, FailureNote)), note]


def failure_of(error: BaseException) -> InvocationError | None:
    """The facts that a handler noted on an exception, None if no function raised it.

    Returns:
        An error with the exception as its `__cause__`.
    """
    notes = vars(error).get("__notes__")
    for note in notes if isinstance(notes, list) else []:
        if isinstance(note, FailureNote):
            failure = InvocationError(
                note.address, note.value_typename, note.position, note.batch_size, text_of(error)
            )
            failure.__cause__ = error
            return failure
    return None


def text_of(error: BaseException) -> str:
    """The class and the text of an error, whatever its `__str__` does."""
    try:
        return f"{type(error).__name__}: {error}"
    except Exception as broken:  # noqa: BLE001 - the user's own __str__
        return f"{type(error).__name__} without a text: its __str__ raised {type(broken).__name__}"


def escaped(text: str) -> str:
    """A text on one line, without characters that a terminal would obey."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else repr(each)[1:-1] for each in text)


def brief(text: str, longest: int = _LONGEST_TEXT) -> str:
    """A text for one line of a log: escaped, and without its middle if it is long."""
    half = longest // 2
    if len(text) <= longest:
        return escaped(text)
    left_out = f"… ({len(text) - 2 * half} characters left out) …"
    return f"{escaped(text[:half])}{left_out}{escaped(text[-half:])}"


def places_of(error: BaseException) -> list[str]:
    """Where in the user's code a function raised, as `file:line in function`; empty if none did.

    The outermost place comes first, as in a traceback. Nothing is read from the files.
    """
    cause = error.__cause__ if isinstance(error, InvocationError) else None
    places = []
    trace = None if cause is None else cause.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        if not code.co_filename.startswith(_OURS):
            place = f"{code.co_filename}:{trace.tb_lineno} in {code.co_qualname}"
            places.append(brief(place, _LONGEST_LINE))
        trace = trace.tb_next
    return places[-_MOST_PLACES:]


def traced(places: Sequence[str]) -> str:
    """The end of an error's text that says where in the user's code it was raised."""
    return "".join(f"{_PLACE}{place}" for place in places)


def untraced(error: str) -> tuple[str, list[str]]:
    """The text of an error without that end, and the places."""
    text, *places = error.split(_PLACE)
    return text, places


def traceback_text(error: BaseException) -> str:
    """The traceback of an exception for a log: the user's frames, short, and unforgeable.

    Every line is indented, so none can pass for an entry of the log.
    """
    if isinstance(error, InvocationError) and error.__cause__ is not None:
        error = error.__cause__
    told = TracebackException.from_exception(error, compact=True)
    _leave_out_ours(told)
    lines = "".join(told.format()).splitlines()
    if len(lines) > _MOST_LINES:
        half = _MOST_LINES // 2
        left_out = f"… ({len(lines) - 2 * half} lines left out) …"
        lines = [*lines[:half], left_out, *lines[-half:]]
    return "\n".join(f"  {brief(line, _LONGEST_LINE)}" for line in lines)


def _leave_out_ours(told: TracebackException) -> None:
    """Leave our own frames out of a traceback, unless it has no others."""
    for each in (told.__cause__, told.__context__, *(getattr(told, "exceptions", None) or ())):
        if each is not None:
            _leave_out_ours(each)
    theirs = [frame for frame in told.stack if not frame.filename.startswith(_OURS)]
    told.stack = StackSummary.from_list(theirs or list(told.stack))


def is_from_outside(error: BaseException) -> bool:
    """Whether the process or the caller ends a function, rather than the function failing."""
    if isinstance(error, asyncio.CancelledError):
        task = asyncio.current_task()
        return task is None or task.cancelling() > 0
    if isinstance(error, KeyboardInterrupt):
        return not _is_raised_by_code(error)
    return is_closing(error)


def is_closing(error: BaseException) -> bool:
    """True for a GeneratorExit thrown by `coroutine.close()`, False for one that code raised."""
    trace = error.__traceback__
    return isinstance(error, GeneratorExit) and (trace is None or trace.tb_next is None)


def _is_raised_by_code(error: KeyboardInterrupt) -> bool:
    """Whether a `raise` statement raised it, outside of the process's handler of Ctrl-C.

    Python raises the interrupt of a real signal between any two instructions, and asyncio's handler
    by a statement of its own.
    """
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None or _code_of(signal.getsignal(signal.SIGINT)) is trace.tb_frame.f_code:
        return False
    return _instruction_at(trace) == opmap["RAISE_VARARGS"]


def _instruction_at(trace: TracebackType) -> int:
    return trace.tb_frame.f_code.co_code[trace.tb_lasti]


def _code_of(handler: Any) -> object:
    """The code of a signal handler that is written in Python, None for any other."""
    while isinstance(handler, partial):
        handler = handler.func
    return getattr(handler, "__code__", None)
