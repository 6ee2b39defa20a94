"""What counts as no change."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, TypeAlias

__all__ = ["EqualityFunction", "is_equal"]

EqualityFunction: TypeAlias = Callable[[Any, Any], Any]


def is_equal(new: Any, previous: Any, eq_func: EqualityFunction | None = None) -> bool:
    """Tell whether a write changes nothing.

    By default `new == previous` decides; where that has no single truth, as with arrays, the write
    counts as a change. A function of the caller is called as `eq_func(new, previous)` and may
    raise.
    """
    if eq_func is not None and eq_func is not operator.eq:
        return bool(eq_func(new, previous))
    try:
        return bool(new == previous)
    except (ValueError, TypeError):
        return False
