"""What every tree has in common: one suite, each backend."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import pytest

from statefun.errors import ValueSerializationError
from statefun.reactive import (
    CachingSyncBackend,
    ControllerSync,
    FileSystemSyncBackend,
    HybridSyncBackend,
    InMemoryBackend,
    SqliteBackend,
)
from statefun.reactive.backends.base import MISSING, Delete, Node, Tree, Write

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KINDS = ["memory", "files", "sqlite", "cached memory", "cached files", "hybrid"]


@pytest.fixture(params=KINDS)
def backend(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    """Each backend in turn, empty."""
    match request.param:
        case "memory":
            yield InMemoryBackend()
        case "files":
            yield FileSystemSyncBackend(tmp_path / "state")
        case "sqlite":
            with SqliteBackend(tmp_path / "state.db") as sqlite:
                yield sqlite
        case "cached memory":
            with CachingSyncBackend(InMemoryBackend()) as cache:
                yield cache
        case "cached files":
            with CachingSyncBackend(FileSystemSyncBackend(tmp_path / "state")) as cache:
                yield cache
        case _:
            hybrid = HybridSyncBackend(InMemoryBackend())
            hybrid.mount("/a", FileSystemSyncBackend(tmp_path / "state"))
            yield hybrid


def test_a_node_reads_as_its_value_its_children_or_both(backend: Any) -> None:
    """By any kind of path."""
    backend.write("/a/b/c", 1)
    backend.write(PurePosixPath("/a/d"), [2])
    assert backend.read("/a") == {"b": {"c": 1}, "d": [2]}

    backend.write("a/b", None)
    assert backend.read("/") == {"a": {"b": {"/": None, "c": 1}, "d": [2]}}
    assert backend.read("/a/b/c/d", 7) == 7
    assert backend.node("/a/b") == Node(None, ("c",), exists=True)
    assert backend.node("/x") == Node(MISSING, (), exists=False)


def test_a_deleted_subtree_is_gone(backend: Any) -> None:
    """Its neighbours stay, and so do names that merely begin alike."""
    for path in ("/a/b", "/a/b/c", "/a/bc", "/a/b-c", "/a/b0"):
        backend.write(path, 1)

    backend.delete("/a/b")
    backend.delete("/a/none/at/all")

    assert backend.read("/a") == {"bc": 1, "b-c": 1, "b0": 1}
    assert backend.read("/a/b/c", 7) == 7


def test_deleting_the_root_leaves_an_empty_tree(backend: Any) -> None:
    """That can be written again."""
    backend.write("/x/b", 1)
    backend.write("/", "root")
    assert backend.read("/") == {"/": "root", "x": {"b": 1}}

    backend.delete("/")
    assert backend.read("/", 7) in (7, {})

    backend.write("/x/c", 2)
    assert backend.read("/") == {"x": {"c": 2}}


@pytest.mark.parametrize(
    "name",
    [
        *("1.0", "1.1", "a.json", ".json", ".hidden", "%", "%2E", "%tmp-1", "a%2Ejson", "ü"),
        *("a b", "\n", "a\\b", "~", "*", "CON", "a:b", "…", "\x00", "-", "'", '"', "?", "\u2215"),
    ],
)
def test_an_odd_name_comes_back_as_it_was(backend: Any, name: str) -> None:
    """As a value, as a node with children, and beside other odd names."""
    backend.write(f"/a/{name}", 1)
    backend.write(f"/a/{name}/{name}", 2)
    backend.write("/a/a.json", 3)
    backend.write("/a/a.json/x", 4)

    expected = {name: {"/": 1, name: 2}}
    expected["a.json"] = {"/": 3, "x": 4} if name != "a.json" else {"/": 3, "a.json": 2, "x": 4}
    assert backend.read("/a") == expected

    backend.delete(f"/a/{name}/{name}")
    assert backend.read(f"/a/{name}") == ({"/": 3, "x": 4} if name == "a.json" else 1)


def test_operations_are_applied_in_order(backend: Any) -> None:
    """As one; a delete of what is not there is nothing."""
    backend.write("/a/old", 1)

    backend.apply([Write("/a/x", 1), Delete("/a"), Delete("/none"), Write("/a/x/y", 2)])

    assert backend.read("/a") == {"x": {"y": 2}}


def test_operations_that_fail_change_nothing(tmp_path: Path) -> None:
    """What was done before the failure is undone, values, subtrees and new nodes alike."""
    trees: list[Any] = [FileSystemSyncBackend(tmp_path / "f"), SqliteBackend(tmp_path / "s.db")]
    hybrid = HybridSyncBackend(InMemoryBackend())
    hybrid.mount("/a/m", FileSystemSyncBackend(tmp_path / "m"))
    for tree in [*trees, hybrid]:
        for path in ("/a", "/a/b", "/a/b/c", "/d/e"):
            tree.write(path, path)
        before = tree.read("/")

        operations = [Write("/a", 1), Delete("/a/b"), Write("/d", 2), Write("/new/x", 3)]
        operations += [Write("/a/b/z", 4), Write("/a/m/x", {1, 2})]
        with pytest.raises(ValueSerializationError):
            tree.apply(operations)

        assert tree.read("/") == before
    trees[1].close()


def test_a_value_that_cannot_be_kept_changes_nothing(tmp_path: Path) -> None:
    """The error names the path, and is the `TypeError` that JSON's is."""
    with SqliteBackend(tmp_path / "s.db") as sqlite:
        for tree in (FileSystemSyncBackend(tmp_path / "f"), sqlite):
            controller = ControllerSync(tree)
            controller.set_state("/a", 1)

            with pytest.raises(TypeError, match="the value at '/a' cannot be written"):
                controller.set_state("/a", object())

            assert controller.get_state("/a") == 1
    assert [path.name for path in (tmp_path / "f").iterdir()] == ["a.json"]


def test_every_backend_is_a_tree(backend: Any) -> None:
    """So the controller uses it without a detour."""
    assert isinstance(backend, Tree)
    assert backend.is_flat("/") is False
