"""Several backends as one tree, each mounted at a path.

The longest mount at or above a path owns it, and sees paths as if its mount were the root. Reading
above mounts merges: the mounted trees stand where they are mounted and hide what is below. Changes
of others, and conflicts with them, are known of those backends that others share.
"""
# ruff: noqa: SLF001 - a driver runs the operations of the hybrid

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from statefun.errors import MountError, StatefunError, TransactionConflictError
from statefun.reactive.backends.asyncify import asyncified
from statefun.reactive.backends.base import (
    MISSING,
    AsyncBackend,
    Backend,
    Delete,
    Expect,
    ForeignChange,
    Node,
    TreeBackend,
    Write,
    apply_one,
    composed,
    tree_of,
    undoing,
)
from statefun.reactive.paths import ROOT_PATH, canonical, join, joined, levels, posix, relative
from statefun.reactive.steps import awaited, called, run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import PurePosixPath

    from statefun.reactive.backends.base import Operation, Tree
    from statefun.reactive.paths import PathLike
    from statefun.reactive.steps import Steps

__all__ = ["HybridAsyncBackend", "HybridSyncBackend"]


class _Hybrid(TreeBackend):
    """The operations that both hybrids share."""

    def __init__(self, root_backend: Backend | AsyncBackend) -> None:
        self._lock = threading.RLock()
        self._mounts: dict[PurePosixPath, Any] = {ROOT_PATH: root_backend}
        self._trees: dict[str, Tree] = {"/": tree_of(root_backend)}
        self._foreign: list[ForeignChange] = []

    @property
    def has_revisions(self) -> bool:
        """Whether others share any of the backends."""
        return any(tree.has_revisions for tree in self._trees.values())

    def mounts_below(self, path: str) -> list[str]:
        """Return the mount points strictly below a path, which deleting it leaves alone."""
        return [top for top in self._trees if relative(top, path) not in {None, "/"}]

    def check(self, path: str, value: Any) -> None:
        """Raise what writing a value at a path would raise in the backend that owns it."""
        top, tree, inner = self._owner(path)
        run(self._at(top, tree.check, inner, value))

    def is_flat(self, path: str) -> bool:
        """Tell whether the children of a path are unknown; mounts below it are known."""
        _, tree, inner = self._owner(path)
        return tree.is_flat(inner) and not self.mounts_below(path)

    def keeps_empty(self, path: str) -> bool:
        """Tell whether an emptied node goes on to exist in the backend that owns it."""
        _, tree, inner = self._owner(path)
        return tree.keeps_empty(inner)

    def _mount(self, path: PathLike, backend: Backend | AsyncBackend) -> None:
        text = canonical(path)
        self._mounts[posix(text)] = backend
        self._trees[text] = tree_of(backend)

    def _unmount(self, path: PathLike) -> Any:
        text = canonical(path)
        if text == "/":
            raise MountError(text)
        self._trees.pop(text, None)
        return self._mounts.pop(posix(text), None)

    def _owner(self, path: str) -> tuple[str, Tree, str]:
        """Give the mount that owns a path, its tree, and the path as that tree sees it."""
        top = next(level for level in levels(path) if level in self._trees)
        return top, self._trees[top], relative(path, top) or "/"

    def _concerned(self, path: str) -> Iterator[tuple[str, Tree, str]]:
        """Yield the mounts that reading a path reads, each with the path as its tree sees it."""
        yield self._owner(path)
        for top in self.mounts_below(path):
            yield top, self._trees[top], "/"

    def _mounted_names(self, path: str) -> list[str]:
        """Give the names of children of a path at or below which something is mounted."""
        inside = (relative(top, path) for top in self._trees)
        return [text.split("/")[1] for text in inside if text not in {None, "/"} and text]

    def _get(self, path: str, default: Any) -> Steps[Any]:
        """Return what a path reads as, or `default` itself."""
        top, tree, inner = self._owner(path)
        mounted = self._mounted_names(path)
        if not mounted:
            return (yield from self._at(top, tree.get, inner, default))
        children: dict[str, Any] = {}
        node: Node = yield from self._at(top, tree.node, inner)
        value: Any = node.value
        if tree.is_flat(inner) and isinstance(value, dict):
            children = dict(value)
            value = MISSING
        for name in dict.fromkeys([*node.names, *mounted]):
            child = yield from self._get(join(path, name), MISSING)
            if child is not MISSING:
                children[name] = child
            else:
                children.pop(name, None)
        value = composed(value, children)
        if value is MISSING:
            return {} if node.exists and tree.keeps_empty(inner) else default
        return value

    def _put(self, path: str, value: Any) -> Steps[None]:
        """Write the value of a node; mounts below are left alone."""
        top, tree, inner = self._owner(path)
        yield from self._at(top, tree.put, inner, value)

    def _remove(self, path: str) -> Steps[None]:
        """Delete a node and everything below it; mounts below are left alone."""
        top, tree, inner = self._owner(path)
        if (yield from self._at(top, tree.node, inner)).exists:
            yield from self._at(top, tree.remove, inner)

    def _node(self, path: str) -> Steps[Node]:
        """Return the node at a path."""
        top, tree, inner = self._owner(path)
        node: Node = yield from self._at(top, tree.node, inner)
        names = dict.fromkeys(node.names)
        for name in dict.fromkeys(self._mounted_names(path)):
            if (yield from self._get(join(path, name), MISSING)) is MISSING:
                names.pop(name, None)
            else:
                names[name] = None
        return Node(node.value, tuple(names), node.exists or bool(names))

    def _apply(self, operations: Sequence[Operation]) -> Steps[None]:
        """Do all operations, each backend's as one; if a backend fails, undo the others.

        Raises:
            TransactionConflictError: If a path of an `Expect` has changed since its revision.
        """
        parts: dict[int, _Part] = {}
        for operation in operations:
            for top, tree, inner in self._concerned(operation.path):
                part = parts.setdefault(id(tree), _Part(top, tree))
                match operation:
                    case Write(_, value):
                        part.operations.append(Write(inner, value))
                        break
                    case Delete():
                        part.operations.append(Delete(inner))
                        break
                    case Expect(path, revisions) if tree.has_revisions:
                        if top not in revisions:  # mounted since
                            raise TransactionConflictError(path)
                        part.operations.append(Expect(inner, revisions[top]))
        undo: list[tuple[Tree, Operation]] = []
        todo = sorted((part for part in parts.values() if part.operations), key=_Part.order)
        try:
            for part in todo:
                before = (yield from undoing(part.tree, part.operations)) if len(todo) > 1 else ()
                yield from self._at(part.top, part.tree.apply, part.operations)
                undo = [*((part.tree, each) for each in before), *undo]
        except BaseException:
            for tree, operation in undo:
                yield from apply_one(tree, operation)
            raise

    def _at(self, top: str, function: Callable[..., Any], *arguments: Any) -> Steps[Any]:
        """Call a method of the tree at a mount; its errors name paths as the caller sees them."""
        try:
            return (yield function, arguments)
        except StatefunError as error:
            path = getattr(error, "path", None)
            if isinstance(path, str) and path.startswith("/"):
                vars(error)["path"] = joined(top, path)
            raise

    def _revision(self) -> Steps[dict[str, Any]]:
        """Return the tokens of the backends that others share, by their mounts."""
        found = {}
        for top, tree in list(self._trees.items()):
            if tree.has_revisions:
                found[top] = yield from self._at(top, tree.revision)
        return found

    def _changes(self) -> Steps[list[ForeignChange]]:
        """Return what others have changed since the last call, as far as it can be seen here."""
        mounts: dict[int, list[str]] = {}
        for top, tree in self._trees.items():
            if tree.has_revisions:
                mounts.setdefault(id(tree), []).append(top)
        for tops in mounts.values():
            changes = yield from self._at(tops[0], self._trees[tops[0]].changes)
            for change in changes:
                for top in tops:
                    path = joined(top, change.path)
                    if self._owner(path)[0] == top:
                        self._foreign.append(change._replace(path=path))
        found, self._foreign = self._foreign, []  # kept until here: a later backend may fail
        return found


@dataclass
class _Part:
    """What is to be done in one of the backends.

    Attributes:
        top: Where it is mounted.
        tree: The backend.
        operations: What to do, by paths as the backend sees them.
    """

    top: str
    tree: Tree
    operations: list[Operation] = field(default_factory=list)

    def order(self) -> tuple[bool, bool, bool]:
        """Sort by what has to be undone least likely: what only looks, what may meet a conflict.

        Memory cannot fail, so it comes last.
        """
        is_looking = all(isinstance(each, Expect) for each in self.operations)
        return not is_looking, self.tree.keeps_empty("/"), self.tree.has_revisions


class HybridSyncBackend(_Hybrid, Backend):
    """Backends mounted at paths of one tree.

    Attributes:
        mounts: `{path: backend}`, the root's included; change it by `mount` and `unmount` only.

    Args:
        root_backend: The backend of everything that is not mounted.
    """

    mounts: dict[PurePosixPath, Backend]

    def __init__(self, root_backend: Backend) -> None:
        super().__init__(root_backend)
        self.mounts = self._mounts

    def mount(self, path: PathLike, backend: Backend) -> None:
        """Put a backend in charge of a path and everything below it; what was there is hidden."""
        self._mount(path, backend)

    def unmount(self, path: PathLike) -> Backend | None:
        """Take a backend out again, so that what it hid is seen.

        Returns:
            The backend, or None if nothing is mounted at exactly this path.

        Raises:
            MountError: If `path` is the root.
        """
        backend: Backend | None = self._unmount(path)
        return backend

    get = called(_Hybrid._get)
    put = called(_Hybrid._put)
    remove = called(_Hybrid._remove)
    node = called(_Hybrid._node)
    apply = called(_Hybrid._apply)
    revision = called(_Hybrid._revision)
    changes = called(_Hybrid._changes)


class HybridAsyncBackend(_Hybrid, AsyncBackend):
    """The same for `ControllerAsync`; sync backends are wrapped when they are mounted.

    Attributes:
        mounts: `{path: backend}`, the root's included; change it by `mount` and `unmount` only.

    Args:
        root_backend: The backend of everything that is not mounted.
    """

    mounts: dict[PurePosixPath, AsyncBackend]

    def __init__(self, root_backend: Backend | AsyncBackend) -> None:
        super().__init__(asyncified(root_backend))
        self.mounts = self._mounts

    def mount(self, path: PathLike, backend: Backend | AsyncBackend) -> None:
        """Put a backend in charge of a path and everything below it; what was there is hidden."""
        self._mount(path, asyncified(backend))

    def unmount(self, path: PathLike) -> AsyncBackend | None:
        """Take a backend out again, so that what it hid is seen.

        Returns:
            The backend, or None if nothing is mounted at exactly this path.

        Raises:
            MountError: If `path` is the root.
        """
        backend: AsyncBackend | None = self._unmount(path)
        return backend

    get = awaited(_Hybrid._get)
    put = awaited(_Hybrid._put)
    remove = awaited(_Hybrid._remove)
    node = awaited(_Hybrid._node)
    apply = awaited(_Hybrid._apply)
    revision = awaited(_Hybrid._revision)
    changes = awaited(_Hybrid._changes)
