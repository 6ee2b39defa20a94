"""An atom: one path with a default and a type."""
# ruff: noqa: SLF001 - an atom runs the operations of its controller

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar

from statefun.reactive.steps import awaited, called, run, run_async

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import PurePosixPath

    from statefun.reactive.derivations import Derivation
    from statefun.reactive.engine import Engine
    from statefun.reactive.equality import EqualityFunction
    from statefun.reactive.events import DeriveData
    from statefun.reactive.paths import PathLike
    from statefun.reactive.steps import Steps

__all__ = ["Atom", "AtomAsync"]

T = TypeVar("T")
R = TypeVar("R")
F = TypeVar("F", bound="Callable[[Any], Any]")


class _Atom(Generic[T]):
    """What both kinds of atoms have: a place, and subscriptions to it.

    Attributes:
        path: Where the value is. An atom can be used as a path itself.
        default: What reads as the value when there is none.
        controller: Where it belongs.
    """

    def __init__(self, controller: Engine, path: PurePosixPath, default: T) -> None:
        self.controller = controller
        self.path = path
        self.default = default
        self._lock = controller._lock

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self.path)!r})"

    def subscribe(
        self,
        callback: Callable[[Any], Any],
        force_id: str | None = None,
        replace: bool = False,  # noqa: FBT001, FBT002 - the signature of the peer
    ) -> str:
        """Have a callback called when the atom changes; see `subscribe` of the controller."""
        return self.controller.subscribe(self.path, callback, force_id, replace)

    def subscribe_by_id(
        self,
        callback_id: str,
        ignore_missing: bool = False,  # noqa: FBT001, FBT002 - the signature of the peer
    ) -> str:
        """Subscribe a registered callback; see `subscribe_by_id` of the controller."""
        return self.controller.subscribe_by_id(self.path, callback_id, ignore_missing)

    def on_change(self, callback: F) -> F:
        """Subscribe a function; a decorator that gives the function back."""
        self.subscribe(callback)
        return callback

    def _get(self, write_default: bool = False) -> Steps[T]:  # noqa: FBT001, FBT002 - as the peer
        """Return the value, or the default, which may be written then."""
        value: T = yield from self.controller._get_state(self.path, self.default, write_default)
        return value

    def _set(
        self,
        value: T,
        eq_func: EqualityFunction | None = None,
        payload: Any = None,
        skip_notify: bool = False,  # noqa: FBT001, FBT002 - the signature of the peer
    ) -> Steps[None]:
        """Write the value; setting an unset atom to its default changes nothing."""
        yield from self.controller._set_state(
            self.path, value, eq_func, self.default, payload, skip_notify
        )

    def _delete(
        self,
        payload: Any = None,
        skip_notify: bool = False,  # noqa: FBT001, FBT002 - the signature of the peer
    ) -> Steps[bool]:
        """Delete the value; return whether there was one."""
        return self.controller._del_state(self.path, payload, skip_notify)

    def _ping(self, payload: Any = None) -> Steps[None]:
        """Announce the atom as if it had changed."""
        return self.controller._ping(self.path, self.default, payload)

    def _derive(self, dest: PathLike, transform: Callable[[T], Any]) -> Steps[Derivation]:
        """Keep another path equal to a transform of this atom; return the id of the derivation."""
        return self.controller._derive(dest, self.path, transform)

    def _derive_from(
        self, *sources: PathLike, transform: Callable[[DeriveData], Any], payload: Any = None
    ) -> Steps[None]:
        """Keep this atom equal to a transform of other paths.

        Args:
            sources: What it is computed of.
            transform: Called with a `DeriveData`.
            payload: What the events of the atom carry.
        """
        yield from self.controller._derive_many(self.path, sources, transform, payload)


# The methods whose types depend on that of the atom are written out below: a type checker loses the
# parameter of a class on the way through `called` and `awaited`.


class Atom(_Atom[T]):
    """One path of a `ControllerSync`; made by its `atom` and `named_atom`."""

    delete = called(_Atom._delete)
    ping = called(_Atom._ping)

    def _run(self, steps: Steps[R]) -> R:
        with self._lock:
            return run(steps)

    def get(self, write_default: bool = False) -> T:  # noqa: FBT001, FBT002 - as the peer
        """Return the value, or the default, which may be written then."""
        return self._run(self._get(write_default))

    def set(
        self,
        value: T,
        eq_func: EqualityFunction | None = None,
        payload: Any = None,
        skip_notify: bool = False,  # noqa: FBT001, FBT002 - the signature of the peer
    ) -> None:
        """Write the value; setting an unset atom to its default changes nothing."""
        self._run(self._set(value, eq_func, payload, skip_notify))

    def derive(self, dest: PathLike, transform: Callable[[T], Any]) -> Derivation:
        """Keep another path equal to a transform of this atom; return the id of the derivation."""
        return self._run(self._derive(dest, transform))

    def derive_from(
        self, *sources: PathLike, transform: Callable[[DeriveData], T], payload: Any = None
    ) -> None:
        """Keep this atom equal to a transform, of a `DeriveData`, of other paths."""
        self._run(self._derive_from(*sources, transform=transform, payload=payload))


class AtomAsync(_Atom[T]):
    """One path of a `ControllerAsync`; made by its `atom` and `named_atom`."""

    delete = awaited(_Atom._delete)
    ping = awaited(_Atom._ping)

    async def get(self, write_default: bool = False) -> T:  # noqa: FBT001, FBT002 - as the peer
        """Return the value, or the default, which may be written then."""
        return await run_async(self._get(write_default))

    async def set(
        self,
        value: T,
        eq_func: EqualityFunction | None = None,
        payload: Any = None,
        skip_notify: bool = False,  # noqa: FBT001, FBT002 - the signature of the peer
    ) -> None:
        """Write the value; setting an unset atom to its default changes nothing."""
        await run_async(self._set(value, eq_func, payload, skip_notify))

    async def derive(self, dest: PathLike, transform: Callable[[T], Any]) -> Derivation:
        """Keep another path equal to a transform of this atom; return the id of the derivation."""
        return await run_async(self._derive(dest, transform))

    async def derive_from(
        self,
        *sources: PathLike,
        transform: Callable[[DeriveData], T | Awaitable[T]],
        payload: Any = None,
    ) -> None:
        """Keep this atom equal to a transform, of a `DeriveData`, of other paths."""
        await run_async(self._derive_from(*sources, transform=transform, payload=payload))
