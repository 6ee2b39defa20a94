"""What a backend is: three methods for a custom one, a tree for those of this package."""
# ruff: noqa: SLF001 - a driver runs the operations of the adapter

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from contextlib import contextmanager
from enum import Enum
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

from statefun.errors import StateBackendError
from statefun.reactive.paths import canonical, join, levels, parts, posix
from statefun.reactive.steps import awaited, called

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import PurePosixPath

    from statefun.reactive.paths import PathLike
    from statefun.reactive.steps import Steps

__all__ = [
    "MISSING",
    "AsyncBackend",
    "Backend",
    "Delete",
    "Expect",
    "ForeignChange",
    "Forwarding",
    "Node",
    "Operation",
    "Tree",
    "TreeBackend",
    "Wrapping",
    "Write",
    "apply_each",
    "apply_one",
    "composed",
    "failing",
    "tree_of",
    "undoing",
    "view_of",
]


class _Missing(Enum):
    """The type of `MISSING`."""

    MISSING = "missing"

    def __repr__(self) -> str:
        return "MISSING"


MISSING: Final = _Missing.MISSING
"""The absence of a value, where `None` is a value."""


# --- custom backends ------------------------------------------------------------------------------


class Backend(ABC):
    """A place where state is kept; a custom one implements three methods.

    Paths are absolute. A value is opaque: the backend gives back the object, or what its format
    makes of it. An exception of a method reaches the caller of the controller as it was raised.
    """

    @abstractmethod
    def read(self, path: PurePosixPath, default: Any = None) -> Any:
        """Return the value at a path, or `default` itself if there is none."""

    @abstractmethod
    def write(self, path: PurePosixPath, value: Any) -> None:
        """Keep a value at a path; children of the path stay."""

    @abstractmethod
    def delete(self, path: PurePosixPath) -> None:
        """Forget the value at a path and everything below it."""


class AsyncBackend(ABC):
    """The same for `ControllerAsync`, with coroutines."""

    @abstractmethod
    async def read(self, path: PurePosixPath, default: Any = None) -> Any:
        """Return the value at a path, or `default` itself if there is none."""

    @abstractmethod
    async def write(self, path: PurePosixPath, value: Any) -> None:
        """Keep a value at a path; children of the path stay."""

    @abstractmethod
    async def delete(self, path: PurePosixPath) -> None:
        """Forget the value at a path and everything below it."""


# --- trees ----------------------------------------------------------------------------------------


class Node(NamedTuple):
    """One node of a tree.

    Attributes:
        value: Its own value, `MISSING` if it has none.
        names: The names of its children, in the order of their creation.
        exists: False if there is nothing at the path.
    """

    value: Any
    names: Sequence[str]
    exists: bool


class Write(NamedTuple):
    """A value to be written at a canonical path."""

    path: str
    value: Any


class Delete(NamedTuple):
    """A canonical path whose subtree is to be deleted."""

    path: str


class Expect(NamedTuple):
    """A path that a transaction has read; a change since that revision is a conflict."""

    path: str
    revision: Any


class ForeignChange(NamedTuple):
    """A change that another process made.

    Attributes:
        path: Its canonical path.
        prev_value: The value before, None if there was none.
        new_value: The value now, None after a delete.
        is_delete: Whether the path was deleted.
        is_cut: Whether anything below the path may have changed: the log does not go back far
            enough.
    """

    path: str
    prev_value: Any
    new_value: Any
    is_delete: bool
    is_cut: bool = False


Operation: TypeAlias = "Write | Delete | Expect"


def composed(value: Any, children: dict[str, Any]) -> Any:
    """Give what reading a node gives, from its own value and what its children read as."""
    if not children:
        return value
    return children if value is MISSING else {"/": value, **children}


def view_of(below: Iterable[tuple[str, Any]]) -> Any:
    """Give what a node reads as, from the values at and below it by their paths seen from there."""
    top: list[Any] = [MISSING, {}]
    for inner, value in below:
        place = top
        for name in parts(inner):
            place = place[1].setdefault(name, [MISSING, {}])
        place[0] = value
    return _view(top)


def _view(place: list[Any]) -> Any:
    value, children = place
    return composed(value, {name: _view(child) for name, child in children.items()})


@contextmanager
def failing(
    path: str, verb: str, kinds: tuple[type[Exception], ...] = (OSError,)
) -> Iterator[None]:
    """Turn errors of the storage into ours.

    Args:
        path: What is being worked on.
        verb: What is being done to it.
        kinds: The classes of the errors.
    """
    try:
        yield
    except kinds as error:
        raise StateBackendError(path, verb, f"{type(error).__name__}: {error}") from error


class Tree(ABC):
    """What a controller works on; paths are canonical texts.

    A tree is sync or async as a whole: each method returns its result or an awaitable of it.
    """

    def is_flat(self, path: str) -> bool:  # noqa: ARG002 - most trees are alike everywhere
        """Tell whether the children of a path are unknown, as behind a custom backend."""
        return False

    @property
    def has_revisions(self) -> bool:
        """Whether `revision` and `changes` work, and `apply` heeds `Expect`."""
        return False

    @abstractmethod
    def get(self, path: str, default: Any) -> Any:
        """Return what a path reads as, or `default` itself."""

    @abstractmethod
    def put(self, path: str, value: Any) -> Any:
        """Write the value of a node; its children stay."""

    @abstractmethod
    def remove(self, path: str) -> Any:
        """Delete a node and everything below it; nothing happens if it does not exist."""

    @abstractmethod
    def node(self, path: str) -> Any:
        """Return the `Node` at a path."""

    @abstractmethod
    def apply(self, operations: Sequence[Operation]) -> Any:
        """Do all operations in order; if one fails, undo those before it and raise."""

    def revision(self) -> Any:
        """Return a token of the present state, for `Expect`; only if `has_revisions`."""
        raise NotImplementedError

    def changes(self) -> Any:
        """Return the `ForeignChange`s since the last call; only if `has_revisions`."""
        raise NotImplementedError

    def mounts_below(self, path: str) -> list[str]:  # noqa: ARG002 - few trees have any
        """Return the paths strictly below a path that deleting it leaves alone."""
        return []

    def check(self, path: str, value: Any) -> None:  # noqa: B027 - most trees take everything
        """Raise what writing a value at a path would raise, if that can be told beforehand."""

    def keeps_empty(self, path: str) -> bool:  # noqa: ARG002 - most trees are alike everywhere
        """Tell whether the node at a path goes on to exist when its last child is deleted."""
        return False


class TreeBackend(Tree):
    """The public verbs of a backend that is a tree, by any kind of path.

    A subclass that overrides one of the verbs is used through them, like a custom backend.
    """

    _is_customized = False

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls._is_customized |= not cls.__dict__.keys().isdisjoint({"read", "write", "delete"})

    def read(self, path: PathLike, default: Any = None) -> Any:
        """Return what a path reads as, or `default` itself if there is nothing."""
        return self.get(canonical(path), default)

    def write(self, path: PathLike, value: Any) -> Any:
        """Write the value of a node; its children stay."""
        return self.put(canonical(path), value)

    def delete(self, path: PathLike) -> Any:
        """Delete a node and everything below it; nothing happens if it does not exist."""
        return self.remove(canonical(path))


class Wrapping(TreeBackend):
    """A backend in front of another tree, whose paths are like those of that tree.

    Args:
        tree: The tree behind it.
    """

    def __init__(self, tree: Tree) -> None:
        self._tree = tree

    def is_flat(self, path: str) -> bool:
        """Tell whether the children of a path are unknown."""
        return self._tree.is_flat(path)

    @property
    def has_revisions(self) -> bool:
        """Whether changes of others are known, and heeded."""
        return self._tree.has_revisions

    def mounts_below(self, path: str) -> list[str]:
        """Return the paths strictly below a path that deleting it leaves alone."""
        return self._tree.mounts_below(path)

    def check(self, path: str, value: Any) -> None:
        """Raise what writing a value at a path would raise."""
        self._tree.check(path, value)

    def keeps_empty(self, path: str) -> bool:
        """Tell whether an emptied node goes on to exist."""
        return self._tree.keeps_empty(path)


class Forwarding(Wrapping):
    """A backend whose work the tree behind it does; a subclass says how its methods are called."""

    def _forward(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call a method of the tree."""
        raise NotImplementedError

    def get(self, path: str, default: Any) -> Any:
        """Return what a path reads as, or `default` itself."""
        return self._forward(self._tree.get, path, default)

    def put(self, path: str, value: Any) -> Any:
        """Write the value of a node; its children stay."""
        return self._forward(self._tree.put, path, value)

    def remove(self, path: str) -> Any:
        """Delete a node and everything below it."""
        return self._forward(self._tree.remove, path)

    def node(self, path: str) -> Any:
        """Return the `Node` at a path."""
        return self._forward(self._tree.node, path)

    def apply(self, operations: Sequence[Operation]) -> Any:
        """Do all operations in order, or none."""
        return self._forward(self._tree.apply, operations)

    def revision(self) -> Any:
        """Return a token of the present state."""
        return self._forward(self._tree.revision)

    def changes(self) -> Any:
        """Return what others have changed since the last call."""
        return self._forward(self._tree.changes)


def tree_of(backend: Backend | AsyncBackend) -> Tree:
    """Give the tree that a backend is, or one that goes through its three methods."""
    if isinstance(backend, TreeBackend) and not backend._is_customized:
        return backend
    return _AsyncAdapted(backend) if isinstance(backend, AsyncBackend) else _Adapted(backend)


class _Adapter(Tree):
    """A custom backend as a tree whose paths know nothing of one another."""

    def __init__(self, backend: Backend | AsyncBackend) -> None:
        self._backend = backend
        self._lock = threading.RLock()

    def get(self, path: str, default: Any) -> Any:
        return self._backend.read(posix(path), default)

    def put(self, path: str, value: Any) -> Any:
        return self._backend.write(posix(path), value)

    def remove(self, path: str) -> Any:
        return self._backend.delete(posix(path))

    def is_flat(self, path: str) -> bool:  # noqa: ARG002 - alike everywhere
        return True

    def _node(self, path: str) -> Steps[Node]:
        value = yield self.get, (path, MISSING)
        return Node(value, (), value is not MISSING)

    def _apply(self, operations: Sequence[Operation]) -> Steps[None]:
        return apply_each(self, operations)


class _Adapted(_Adapter):
    node = called(_Adapter._node)
    apply = called(_Adapter._apply)


class _AsyncAdapted(_Adapter):
    node = awaited(_Adapter._node)
    apply = awaited(_Adapter._apply)


def apply_each(tree: Tree, operations: Sequence[Operation]) -> Steps[None]:
    """Do operations one after another; if one fails, undo those before it and raise.

    What other processes write meanwhile is not looked at: `Expect` is for trees that can.
    """
    undo: list[Operation] = []
    try:
        for operation in operations:
            before = yield from undoing(tree, [operation])
            undo = [*before, *undo]
            yield from apply_one(tree, operation)
    except BaseException:
        for operation in undo:
            yield from apply_one(tree, operation)
        raise


def apply_one(tree: Tree, operation: Operation) -> Steps[None]:
    """Do one operation."""
    match operation:
        case Write(path, value):
            yield tree.put, (path, value)
        case Delete(path):
            if (yield tree.node, (path,)).exists:
                yield tree.remove, (path,)
        case Expect():
            pass


def undoing(tree: Tree, operations: Sequence[Operation]) -> Steps[list[Operation]]:
    """Say how to come back to the present state after some operations, not done yet."""
    undo: list[Operation] = []
    for operation in operations:
        undo = [*(yield from _undoing_one(tree, operation)), *undo]
    return undo


def _undoing_one(tree: Tree, operation: Operation) -> Steps[list[Operation]]:
    if isinstance(operation, Expect):
        return []
    path = operation.path
    node: Node = yield tree.node, (path,)
    if isinstance(operation, Delete):
        return (yield from _contents(tree, path))
    if node.value is not MISSING:
        return [Write(path, node.value)]
    if node.exists:
        return [Delete(path), *(yield from _contents(tree, path))]
    top = path
    for level in levels(path):
        if (yield tree.node, (level,)).exists:
            break
        top = level
    return [Delete(top)]


def _contents(tree: Tree, path: str) -> Steps[list[Operation]]:
    """Give the writes that make a subtree."""
    node: Node = yield tree.node, (path,)
    found: list[Operation] = [] if node.value is MISSING else [Write(path, node.value)]
    for name in node.names:
        found += yield from _contents(tree, join(path, name))
    return found
