"""State in files."""

from __future__ import annotations

import json
import pickle
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from statefun.errors import InvalidPathError, StateBackendError, ValueSerializationError
from statefun.reactive import (
    ControllerAsync,
    ControllerSync,
    FileSystemAsyncBackend,
    FileSystemSyncBackend,
    Serializer,
    json_serializer,
)

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """The base folder, in a folder of its own, not made yet."""
    return tmp_path / "around" / "state"


def files(base: Path) -> dict[str, str]:
    """All files below a folder: name → text."""
    return {
        str(path.relative_to(base)): path.read_text()
        for path in sorted(base.rglob("*"))
        if path.is_file()
    }


def test_the_folders_mirror_the_tree(base: Path) -> None:
    """A dict is one file; a value with children is a file beside a folder; dots stay."""
    controller = ControllerSync(FileSystemSyncBackend(base))

    controller.set_state("/a/b", {"k": 1})
    controller.set_state("/a", "x")
    controller.set_state("/v/1.0", 1)
    controller.set_state("/v/1.1", 2)
    controller.set_state("/", None, default=0)

    assert files(base) == {
        "a.json": '"x"',
        "a/b.json": '{"k": 1}',
        "v/1.0.json": "1",
        "v/1.1.json": "2",
        ".json": "null",
    }


def test_emptied_folders_go_and_the_base_stays(base: Path) -> None:
    """Nothing above the base is touched, not even by deleting the root."""
    controller = ControllerSync(FileSystemSyncBackend(base))
    controller.set_state("/a/b/c", 1)
    controller.set_state("/a/d", 1)

    controller.del_state("/a/b/c")
    assert [path.name for path in (base / "a").iterdir()] == ["d.json"]

    controller.del_state("/")
    assert base.is_dir()
    assert files(base) == {}
    assert controller.get_state("/", 7) == 7


@pytest.mark.parametrize("path", ["/../x", "..", "/a/../../x", "/a/.."])
def test_no_path_leads_out_of_the_base(base: Path, path: str) -> None:
    """Reading, writing and deleting are refused alike, and nothing is made."""
    backend = FileSystemSyncBackend(base)

    verbs: list[Any] = [backend.read, lambda each: backend.write(each, 1), backend.delete]
    for verb in verbs:
        with pytest.raises(InvalidPathError, match=r"would lead out of the folder"):
            verb(path)

    assert not base.parent.exists()


def test_foreign_files_are_ignored(base: Path) -> None:
    """Other suffixes, and folders without any value."""
    backend = FileSystemSyncBackend(base)
    backend.write("/a/b", 1)
    (base / "a" / "notes.txt").write_text("by hand")
    (base / "a" / "empty").mkdir()

    assert backend.read("/") == {"a": {"b": 1}}
    assert backend.node("/a").names == ("b",)
    backend.delete("/a")
    assert files(base) == {"a/notes.txt": "by hand"}


def test_a_file_written_by_hand_is_read(base: Path) -> None:
    """And one that is not what the serializer reads is an error that names the path."""
    (base / "a").mkdir(parents=True)
    (base / "a" / "b.json").write_text("[1]")
    (base / "bad.json").write_text("{")
    backend = FileSystemSyncBackend(base)

    assert backend.read("/a/b") == [1]
    with pytest.raises(ValueSerializationError, match="'/bad' cannot be read"):
        backend.read("/")


def test_json_changes_what_it_does_not_know(base: Path) -> None:
    """A tuple comes back as a list, so setting it again is a change."""
    controller = ControllerSync(FileSystemSyncBackend(base))

    assert controller.set_state("/a", (1, 2)) is True
    assert controller.get_state("/a") == [1, 2]
    assert controller.set_state("/a", (1, 2)) is True
    assert controller.set_state("/a", [1, 2]) is False


@pytest.mark.parametrize(
    ("serializer", "name"),
    [
        (json_serializer, "a.json"),
        (Serializer("yaml", str, yaml.safe_load, yaml.safe_dump), "a.yaml"),
        (Serializer("", str, json.loads, json.dumps), "a.txt"),
        (Serializer("", bytes, pickle.loads, pickle.dumps), "a.bin"),
        (Serializer("p.5", bytes, pickle.loads, pickle.dumps), "a.p.5"),
    ],
)
def test_any_serializer_will_do(base: Path, serializer: Serializer, name: str) -> None:
    """Text or bytes, with an ending or without."""
    backend = FileSystemSyncBackend(base, serializer=serializer)

    backend.write("/a", {"k": [1, "ü"]})
    backend.write("/a.p.5/x", 1)

    assert backend.read("/") == {"a": {"k": [1, "ü"]}, "a.p.5": {"x": 1}}
    assert (base / name).is_file()
    assert (backend.base_path, backend.serializer) == (base, serializer)


def test_a_write_that_fails_leaves_the_file_and_nothing_else(base: Path) -> None:
    """Here the place of the file is taken by a folder."""
    backend = FileSystemSyncBackend(base)
    backend.write("/a", 1)
    (base / "b.json").mkdir()

    with pytest.raises(StateBackendError, match="'/b' could not be written"):
        backend.write("/b", 2)
    with pytest.raises(StateBackendError, match="'/long"):
        backend.write("/long" + "x" * 300, 2)

    assert backend.read("/long" + "x" * 300, 7) == 7
    assert sorted(path.name for path in base.iterdir()) == ["a.json", "b.json"]


async def test_the_async_backend_does_the_same(base: Path) -> None:
    """Parents, deletes and errors."""
    controller = ControllerAsync(FileSystemAsyncBackend(base))

    await controller.set_state("/a/b", 1)
    await controller.set_state("/a/c", [2])
    with pytest.raises(ValueSerializationError):
        await controller.set_state("/a/c", object())
    assert await controller.get_state("/") == {"a": {"b": 1, "c": [2]}}
    async with controller.transaction():
        await controller.set_state("/x", 1)
        await controller.del_state("/a/b")

    assert files(base) == {"a/c.json": "[2]", "x.json": "1"}
    assert await controller.del_state("/") is True
    assert files(base) == {}
