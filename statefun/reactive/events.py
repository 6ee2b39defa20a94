"""What callbacks and transforms are given."""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import GenericAlias
from typing import TYPE_CHECKING, Any

from statefun.reactive.patch import json_patch, pointer
from statefun.reactive.paths import canonical, posix

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import PurePosixPath
    from typing import Generic as _Parametrized

    from typing_extensions import TypeVar

    from statefun.reactive.equality import EqualityFunction
    from statefun.reactive.patch import JsonOperation
    from statefun.reactive.paths import PathLike

    C = TypeVar("C", default=Any)
    V = TypeVar("V", default=Any)
else:
    from typing import TypeVar

    C, V = TypeVar("C"), TypeVar("V")

    class _Parametrized:
        """Takes one or two parameters: before Python 3.13 `Generic` knows no defaults."""

        __slots__ = ()
        __class_getitem__ = classmethod(GenericAlias)


__all__ = ["DeriveData", "StateEvent", "Tracker"]


class Tracker:
    """Notes the paths that a tracked callback reads."""

    __slots__ = ("paths",)

    def __init__(self) -> None:
        self.paths: dict[str, None] = {}

    def note(self, path: PathLike) -> None:
        """Note a path that is being read."""
        self.paths[canonical(path)] = None


@dataclass(slots=True)
class StateEvent(_Parametrized[C, V]):
    """A change, or a ping, as it is seen at one level of the tree.

    All callbacks of a level share one event. With a `ControllerAsync`, `get_state`, `set_state` and
    `del_state` are to be awaited.

    Attributes:
        controller: The controller that announces it.
        emitting_path: The path that changed.
        current_path: The path of the level: `emitting_path`, or one above it.
        prev_value: The value of the emitting path before, or the default of the write.
        new_value: Its value now; None after a delete.
        bubbling: Set to False, it skips the later callbacks of this level and all above;
            derivations still run.
        tracker: Notes what `get_state` reads while a tracked callback runs, else None.
        payload: What the writer added.
        is_delete: Whether the emitting path was deleted.
    """

    controller: C
    emitting_path: PurePosixPath
    current_path: PurePosixPath
    prev_value: V | None
    new_value: V | None
    bubbling: bool = True
    tracker: Tracker | None = None
    payload: Any = None
    is_delete: bool = False

    @property
    def old_value(self) -> V | None:
        """The value before, the same as `prev_value`."""
        return self.prev_value

    def stop_bubbling(self) -> None:
        """Skip the later callbacks of this level and all above; derivations still run."""
        self.bubbling = False

    def get_bubbled(self) -> StateEvent[C, V]:
        """Return the event as it is seen one level above."""
        return replace(self, current_path=self.current_path.parent)

    def get_state(self, path: PathLike, default: Any = None, write_default: bool = False) -> Any:  # noqa: FBT001, FBT002 - as on the controller
        """Read a path; a tracked callback depends on it from now on.

        Args:
            path: What to read.
            default: What to return if there is nothing.
            write_default: Whether to write the default then.
        """
        if self.tracker is not None:
            self.tracker.note(path)
        controller: Any = self.controller
        return controller.get_state(path, default, write_default)

    def set_state(
        self,
        path: PathLike,
        value: Any,
        eq_func: EqualityFunction | None = None,
        default: Any = None,
        payload: Any = None,
        skip_notify: bool = False,  # noqa: FBT001, FBT002 - as on the controller
    ) -> Any:
        """Write a path, as the controller's `set_state` does; returns whether it was written."""
        controller: Any = self.controller
        return controller.set_state(path, value, eq_func, default, payload, skip_notify)

    def del_state(
        self,
        path: PathLike,
        payload: Any = None,
        skip_notify: bool = False,  # noqa: FBT001, FBT002 - as on the controller
    ) -> Any:
        """Delete a path, as the controller's `del_state` does; returns whether it existed."""
        controller: Any = self.controller
        return controller.del_state(path, payload, skip_notify)

    def json_patch(self) -> list[JsonOperation]:
        """Return the change of the emitting path as JSON Patch (RFC 6902) on the whole tree.

        The patch assumes that everything above the path is there. For a client that follows a
        subtree from its beginning, `controller.patches(path)` gives patches that always apply.

        Returns:
            Operations; empty if the two values are alike as JSON.
        """
        at = pointer(str(self.emitting_path))
        if self.is_delete:
            return [{"op": "remove", "path": at}]
        if self.prev_value is None:
            return [{"op": "add", "path": at, "value": self.new_value}]
        return json_patch(self.prev_value, self.new_value, at)


class DeriveData:
    """The sources of a derivation with many of them.

    Attributes:
        data: `{source path: value}`, None where there is nothing.
        controller: The controller.
    """

    def __init__(self, data: Mapping[PurePosixPath, Any], controller: Any) -> None:
        self.data = data
        self.controller = controller

    def get(self, path: PathLike) -> Any:
        """Return the value of a source; None if it has none or is not a source."""
        return self.data.get(posix(canonical(path)))

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self.get(name)
