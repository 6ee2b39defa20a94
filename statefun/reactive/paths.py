"""Paths of the tree: what callers may pass, and the one text that stands for a node.

Inside the package a path is its canonical text: `/`, or `/a/b` without empty and `.` parts. Callers
see `PurePosixPath`.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Protocol, TypeAlias

from statefun.errors import InvalidPathError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "ROOT_PATH",
    "HasPath",
    "PathLike",
    "canonical",
    "is_related",
    "join",
    "joined",
    "levels",
    "parent",
    "parts",
    "posix",
    "relative",
]

ROOT_PATH = PurePosixPath("/")


class HasPath(Protocol):
    """An object that stands for a path, as atoms do."""

    @property
    def path(self) -> PathLike:
        """The path, or another object that has one."""
        ...


PathLike: TypeAlias = "str | PurePosixPath | HasPath"


def canonical(path: PathLike) -> str:
    """Give the canonical text of a path.

    Args:
        path: Text, a `PurePosixPath`, or an object with a `path`. A leading slash is optional;
            empty and `.` parts are dropped; `..` is an ordinary name.

    Returns:
        The text: `/` for the root, else `/` before each part.

    Raises:
        InvalidPathError: If `path` is something else.
    """
    if type(path) is str and path[:1] == "/" and "//" not in path and "/." not in path:
        if path[-1] != "/":
            return path
        return path[:-1] or "/"
    while not isinstance(path, (str, PurePosixPath)):
        try:
            path = path.path
        except AttributeError:
            reason = "a path is a str, a PurePosixPath or an object with a .path"
            raise InvalidPathError(path, reason) from None
    return "/" + "/".join(part for part in str(path).split("/") if part not in {"", "."})


@lru_cache(maxsize=4096)
def posix(text: str) -> PurePosixPath:
    """Give a canonical text as the path that callers see."""
    return PurePosixPath(text)


def parent(text: str) -> str:
    """Give the path above; the root is above itself."""
    return text.rpartition("/")[0] or "/"


def levels(text: str) -> Iterator[str]:
    """Yield a path and all paths above it, the root last."""
    while text != "/":
        yield text
        text = text.rpartition("/")[0] or "/"
    yield text


def parts(text: str) -> list[str]:
    """Give the names on the way from the root to a path."""
    return text[1:].split("/") if text != "/" else []


def join(folder: str, name: str) -> str:
    """Give the path of a child."""
    return f"/{name}" if folder == "/" else f"{folder}/{name}"


def joined(top: str, inner: str) -> str:
    """Give the path that is `inner` as seen from `top`."""
    if inner == "/":
        return top
    return inner if top == "/" else top + inner


def is_related(one: str, other: str) -> bool:
    """Whether two paths are the same, or one is above the other."""
    return relative(one, other) is not None or relative(other, one) is not None


def relative(text: str, top: str) -> str | None:
    """Give a path as seen from `top`, where it is `/`; None if it is not at or below `top`."""
    if top == "/":
        return text
    if text == top:
        return "/"
    return text[len(top) :] if text.startswith(top + "/") else None
