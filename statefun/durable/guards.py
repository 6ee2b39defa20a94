"""Guards: what a handler must not do is refused or replaced where it can be seen.

Law: they hold only while a handler's own code runs, and only in its thread. Between two steps, and
for every other thread, the standard library is untouched.

`time`, `random` and `uuid` give what a replay will give again. Sockets, processes, threads and
databases are refused, by what the interpreter tells its audit hooks. The rest a replay finds.
"""

from __future__ import annotations

import asyncio
import ctypes
import random
import sys
import threading
import time
import uuid
from asyncio import events
from contextlib import contextmanager, suppress
from functools import cache
from threading import RLock, get_ident
from typing import TYPE_CHECKING, Any, Protocol

from statefun.durable.exceptions import CutOffException
from statefun.errors import NotDeterministicError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from random import Random

__all__ = ["LOCK", "guarded", "guarded_threads", "unguarded"]


class Guarded(Protocol):
    """The loop of a handler, with what stands in for the world."""

    now_ms: int
    is_cut_off: bool

    @property
    def random(self) -> Random:
        """What random numbers are drawn from."""


GUARDED: dict[Any, int] = {}
"""The loops of handlers that are being driven, each with its thread."""

LOCK = RLock()
"""Held while that changes; the collector may put handlers away within."""

_REFUSED = {
    "socket.connect": "a socket",
    "socket.bind": "a socket",
    "socket.getaddrinfo": "a name of a host",
    "subprocess.Popen": "a process",
    "os.system": "a process",
    "os.exec": "a process",
    "os.fork": "a process",
    "sqlite3.connect": "a database",
    "_thread.start_new_thread": "a thread",
    "_thread.start_joinable_thread": "a thread",
}
_HINT = "use it in an effect: await ctx.run_typed(name, function)"


def _audit(event: str, _: tuple[Any, ...]) -> None:
    what = _REFUSED.get(event)
    if what is not None and events._get_running_loop() in GUARDED:  # noqa: SLF001
        raise NotDeterministicError(what, _HINT)


@cache
def _audited() -> None:
    sys.addaudithook(_audit)


def _replaced(original: Any, ours: Any) -> Callable[..., Any]:
    """A function that asks the handler's loop, and in any other thread the original."""

    def ask(*args: Any, **kwargs: Any) -> Any:
        loop: Any = events._get_running_loop()  # noqa: SLF001
        if loop not in GUARDED:
            return original(*args, **kwargs)
        return ours(loop, original, *args, **kwargs)

    return ask


def _from_random(name: str) -> Callable[..., Any]:
    def draw(loop: Guarded, _: object, *args: Any, **kwargs: Any) -> Any:
        return getattr(loop.random, name)(*args, **kwargs)

    return draw


def _seconds(loop: Guarded, _: object) -> float:
    return loop.now_ms / 1000


def _nanoseconds(loop: Guarded, _: object) -> int:
    return loop.now_ms * 1_000_000


def _no_sleep(_: Guarded, __: object, ___: object) -> None:
    raise NotDeterministicError("time.sleep", "await ctx.sleep(timedelta(...))")


def _no_thread(_: Guarded, __: object, *___: object) -> None:
    raise NotDeterministicError("a thread", _HINT)


def _uuid4(loop: Guarded, _: object) -> uuid.UUID:
    return uuid.UUID(int=loop.random.getrandbits(128), version=4)


def _uuid1(loop: Guarded, _: object, *__: object, **___: object) -> uuid.UUID:
    return uuid.UUID(int=loop.random.getrandbits(128), version=1)


def _as_completed(_: Guarded, original: Any, fs: Iterable[Any], **options: Any) -> Any:
    """In the order given where asyncio's own would take the order of addresses in memory."""
    return original([asyncio.ensure_future(each) for each in dict.fromkeys(fs)], **options)


_OURS: dict[Any, dict[str, Callable[..., Any]]] = {
    time: {
        "time": _seconds,
        "monotonic": _seconds,
        "perf_counter": _seconds,
        "time_ns": _nanoseconds,
        "monotonic_ns": _nanoseconds,
        "sleep": _no_sleep,
    },
    uuid: {"uuid4": _uuid4, "uuid1": _uuid1},
    asyncio: {"as_completed": _as_completed},
    # No audit hook hears of a thread before Python 3.12.
    threading: {"_start_new_thread": _no_thread} if sys.version_info < (3, 12) else {},
    random: {
        name: _from_random(name)
        for name in (
            *("random", "randint", "randrange", "choice", "choices", "shuffle", "sample"),
            *("uniform", "getrandbits", "randbytes", "gauss", "triangular", "expovariate"),
        )
    },
}

# The names of a module → what they get; the first is what they had.
_ORIGINALS = [
    (vars(module), {name: vars(module)[name] for name in ours}) for module, ours in _OURS.items()
]
_SUBSTITUTES = [
    (
        names,
        {name: _replaced(original, _OURS[module][name]) for name, original in originals.items()},
    )
    for module, (names, originals) in zip(_OURS, _ORIGINALS, strict=True)
]


def _give(functions: Iterable[tuple[dict[str, Any], dict[str, Any]]]) -> None:
    """Give names of modules their functions."""
    for names, given in functions:
        names.update(given)


def guarded_threads() -> dict[Any, int]:
    """The loops that are being driven at this moment, each with its thread."""
    return GUARDED.copy()


@contextmanager
def guarded(loop: Any) -> Iterator[None]:
    """Guard what runs on a loop from now on, in this thread; it may be cut off meanwhile."""
    _audited()
    with LOCK:
        GUARDED[loop] = get_ident()
        _give(_SUBSTITUTES)
    try:
        yield
    except CutOffException:
        pass  # between two steps; the loop knows it
    finally:
        while loop in GUARDED:
            with suppress(CutOffException):  # late, when its code had just ended
                _leave(loop)


def _leave(loop: Any) -> None:
    with LOCK:
        if len(GUARDED) == 1:
            _give(_ORIGINALS)
        if loop.is_cut_off:
            clear_interruption()
        del GUARDED[loop]


def clear_interruption() -> None:
    """Take back an interruption of this thread that has not happened yet."""
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(get_ident()), None)


@contextmanager
def unguarded(loop: Any) -> Iterator[None]:
    """Let everything pass on a loop that is guarded, for a while; it is not cut off meanwhile."""
    thread = GUARDED.pop(loop, None)
    try:
        yield
    finally:
        if thread is not None:
            with LOCK:
                GUARDED[loop] = thread
                _give(_SUBSTITUTES)  # the last other loop may have left
