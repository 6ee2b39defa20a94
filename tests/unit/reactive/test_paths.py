"""What may be a path, and what it means."""

from __future__ import annotations

from pathlib import PurePath, PurePosixPath, PureWindowsPath
from typing import Any

import pytest

from statefun.errors import InvalidPathError
from statefun.reactive import ROOT_PATH, ControllerSync
from statefun.reactive.paths import canonical, levels, relative


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ("", "/"),
        (".", "/"),
        ("/", "/"),
        ("//", "/"),
        ("/.", "/"),
        ("a", "/a"),
        ("/a/", "/a"),
        ("a//b", "/a/b"),
        ("//a/b", "/a/b"),
        ("./a/./b/.", "/a/b"),
        ("/.hidden/..", "/.hidden/.."),
        ("/a.b/..c", "/a.b/..c"),
        ("/u/*", "/u/*"),
        (PurePosixPath("a/b"), "/a/b"),
        (PurePosixPath("//a"), "/a"),
        (ROOT_PATH / "users" / "1", "/users/1"),
        (ControllerSync().atom("x/y"), "/x/y"),
    ],
)
def test_a_path_has_one_canonical_text(given: Any, text: str) -> None:
    """Slashes at the ends, empty parts and single dots do not matter; `..` is a name."""
    assert canonical(given) == text
    assert ControllerSync().resolve_path(given) == PurePosixPath(text)


def test_an_object_with_a_path_is_a_path_recursively() -> None:
    """Anything with a `.path` stands for that path."""
    controller = ControllerSync()
    outer: Any = controller.atom(controller.atom("/a"))

    outer.path = controller.atom("/b")

    assert canonical(outer) == "/b"


@pytest.mark.parametrize("given", [None, 7, b"/a", PureWindowsPath("a"), ["a"]])
def test_anything_else_is_refused(given: Any) -> None:
    """The error says what a path is, and is a `TypeError`."""
    with pytest.raises(InvalidPathError, match=r"a path is a str, a PurePosixPath") as caught:
        ControllerSync().set_state(given, 1)

    assert isinstance(caught.value, TypeError)


def test_the_system_paths_of_this_platform_are_paths() -> None:
    """`PurePath` makes POSIX paths here."""
    assert canonical(PurePath("/a/b")) == "/a/b"  # type: ignore[arg-type]


def test_levels_go_up_to_the_root() -> None:
    """The path itself is the first level."""
    assert list(levels("/a/b/c")) == ["/a/b/c", "/a/b", "/a", "/"]
    assert list(levels("/")) == ["/"]


def test_a_relative_path_is_seen_from_a_node() -> None:
    """Names that merely begin alike are elsewhere."""
    assert relative("/a/b", "/a") == "/b"
    assert relative("/a", "/a") == "/"
    assert relative("/ab", "/a") is None
    assert relative("/a", "/") == "/a"
