"""Failures: facts about an exception that a function raised."""

from __future__ import annotations

__all__ = ["is_closing", "text_of"]


def is_closing(error: BaseException) -> bool:
    """True for a GeneratorExit thrown by `coroutine.close()`, False for one that code raised."""
    trace = error.__traceback__
    return isinstance(error, GeneratorExit) and (trace is None or trace.tb_next is None)


def text_of(error: BaseException) -> str:
    """The kind and the text of an error, whatever its `__str__` does."""
    try:
        return f"{type(error).__name__}: {error}"
    except Exception as broken:  # noqa: BLE001 - the user's own __str__
        return f"{type(error).__name__} without a text: its __str__ raised {type(broken).__name__}"
