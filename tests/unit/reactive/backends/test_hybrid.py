"""Several backends as one tree."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import pytest

from statefun.errors import MountError
from statefun.reactive import (
    AsyncifyBackend,
    Backend,
    ControllerAsync,
    ControllerSync,
    FileSystemSyncBackend,
    HybridAsyncBackend,
    HybridSyncBackend,
    InMemoryBackend,
)

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def hybrid() -> HybridSyncBackend:
    """Memory at the root."""
    return HybridSyncBackend(InMemoryBackend())


def test_the_longest_mount_owns_a_path(hybrid: HybridSyncBackend) -> None:
    """And sees it relative to its mount."""
    outer, inner = InMemoryBackend(), InMemoryBackend()
    hybrid.mount("/a", outer)
    hybrid.mount("/a/b", inner)

    hybrid.write("/a/x", 1)
    hybrid.write("/a/b", 2)
    hybrid.write("/a/b/y", 3)
    hybrid.write("/ab", 4)

    assert outer.read("/") == {"x": 1}
    assert inner.read("/") == {"/": 2, "y": 3}
    assert hybrid.read("/") == {"ab": 4, "a": {"x": 1, "b": {"/": 2, "y": 3}}}
    assert list(hybrid.mounts) == [PurePosixPath(path) for path in ("/", "/a", "/a/b")]


def test_mounting_hides_and_unmounting_shows_again(hybrid: HybridSyncBackend) -> None:
    """Unmounting an unknown path gives None; the root stays."""
    mounted = InMemoryBackend()
    hybrid.write("/a/b", 1)

    hybrid.mount("/a", mounted)
    assert hybrid.read("/a") == {}
    assert hybrid.read("/a/b") is None
    assert hybrid.unmount("/a") is mounted
    assert hybrid.read("/a/b") == 1

    assert hybrid.unmount("/a") is None
    with pytest.raises(MountError):
        hybrid.unmount("/")


def test_writing_and_deleting_above_a_mount_leaves_it_alone(hybrid: HybridSyncBackend) -> None:
    """It has its own storage."""
    mounted = InMemoryBackend()
    hybrid.mount("/a/b", mounted)
    hybrid.write("/a/b/x", 1)

    hybrid.write("/a", 5)
    assert hybrid.read("/a") == {"/": 5, "b": {"x": 1}}
    hybrid.delete("/a")
    hybrid.delete("/none")

    assert mounted.read("/x") == 1
    assert hybrid.read("/a") == {"b": {"x": 1}}


def test_reading_above_mounts_merges(hybrid: HybridSyncBackend) -> None:
    """Siblings stay, stored values are not written into, and what is hidden stays hidden."""
    stored = {"k": 1}
    hybrid.write("/a/x", 1)
    hybrid.write("/a/b", "hidden")
    hybrid.write("/c", stored)
    for path in ("/a/b", "/c/m", "/far/away/m"):
        hybrid.mount(path, mounted := InMemoryBackend())
        mounted.write("/v", path)

    assert hybrid.read("/") == {
        "a": {"x": 1, "b": {"v": "/a/b"}},
        "c": {"/": {"k": 1}, "m": {"v": "/c/m"}},
        "far": {"away": {"m": {"v": "/far/away/m"}}},
    }
    assert stored == {"k": 1}
    assert hybrid.node("/").names == ("a", "c", "far")


def test_an_empty_mount_reads_as_its_backend_does(tmp_path: Path) -> None:
    """`{}` in memory, nothing in a folder."""
    hybrid = HybridSyncBackend(FileSystemSyncBackend(tmp_path / "root"))
    hybrid.mount("/files", FileSystemSyncBackend(tmp_path / "mounted"))
    assert hybrid.read("/", 7) == 7

    hybrid.mount("/memory", InMemoryBackend())
    assert hybrid.read("/") == {"memory": {}}
    assert hybrid.keeps_empty("/memory/x")
    assert not hybrid.keeps_empty("/files/x")


class Flat(Backend):
    """A custom backend that knows nothing of trees."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}

    def read(self, path: PurePosixPath, default: Any = None) -> Any:
        """Read one key."""
        return self.values.get(str(path), default)

    def write(self, path: PurePosixPath, value: Any) -> None:
        """Write one key."""
        self.values[str(path)] = value

    def delete(self, path: PurePosixPath) -> None:
        """Delete one key, which must exist."""
        del self.values[str(path)]


def test_a_custom_backend_can_be_mounted_and_be_the_root() -> None:
    """A dict that it gives for a path counts as the children of that path."""
    hybrid = HybridSyncBackend(root := Flat())
    hybrid.mount("/a/m", mounted := Flat())
    hybrid.write("/a", {"x": 1})
    hybrid.write("/a/m", 2)
    hybrid.delete("/none")

    assert hybrid.read("/a") == {"x": 1, "m": 2}
    assert (root.values, mounted.values) == ({"/a": {"x": 1}}, {"/": 2})


async def test_the_async_hybrid_wraps_sync_backends(tmp_path: Path) -> None:
    """At its root and at its mounts."""
    hybrid = HybridAsyncBackend(InMemoryBackend())
    hybrid.mount("/files", FileSystemSyncBackend(tmp_path))
    controller = ControllerAsync(hybrid)

    await controller.set_state("/a", 1)
    await controller.set_state("/files/b", 2)
    assert await controller.get_state("/") == {"a": 1, "files": {"b": 2}}
    async with controller.transaction():
        await controller.del_state("/files/b")
        await controller.set_state("/files/c", 3)
        await controller.set_state("/a", 4)

    assert await controller.get_state("/") == {"a": 4, "files": {"c": 3}}
    assert isinstance(hybrid.unmount("/files"), AsyncifyBackend)
    with pytest.raises(MountError):
        hybrid.unmount("/")


@pytest.mark.parametrize("is_root", [True, False])
def test_a_mounted_custom_backend_knows_no_children_in_a_transaction(*, is_root: bool) -> None:
    """A derived value is that of what is read afterwards, wherever the custom backend is."""
    hybrid = HybridSyncBackend(Flat() if is_root else InMemoryBackend())
    hybrid.mount("/m" if is_root else "/a", InMemoryBackend() if is_root else Flat())
    controller = ControllerSync(hybrid)
    controller.derive("/copy", "/a", lambda value: value)

    with controller.transaction():
        controller.set_state("/a/b", 1)
        controller.set_state("/m/c", 1)
        assert controller.get_state("/m") == {"c": 1}

    assert controller.get_state("/copy") == controller.get_state("/a")
    assert controller.get_state("/a/b") == 1
