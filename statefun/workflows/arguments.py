"""The arguments of calls that take one or several."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["UNSET", "arguments_of"]

UNSET: Any = ...
"""What stands for an argument that was not given."""


def arguments_of(arg: Any, args: Sequence[Any]) -> list[Any]:
    """The arguments of a call.

    Raises:
        ValueError: If one and several are given.
    """
    if arg is not UNSET:
        if args:
            raise ValueError("Cannot have arg and args")
        return [arg]
    return list(args)
