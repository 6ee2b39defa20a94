"""A place in the user's code, for sentences about what is declared there."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Place"]


@dataclass(frozen=True)
class Place:
    """Where something was declared.

    Attributes:
        file: The file.
        line: The line.
        names: The local names there, which annotations may use.
    """

    file: str
    line: int
    names: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def of_caller(cls, depth: int = 1) -> Place:
        """Where the function that asks was called.

        Args:
            depth: How many functions stand between, itself included.
        """
        frame = sys._getframe(depth + 1)  # noqa: SLF001 - as `logging` finds its caller
        return cls(frame.f_code.co_filename, frame.f_lineno, frame.f_locals)

    def __str__(self) -> str:
        return f"{self.file}, line {self.line}"
