"""What a type checker makes of the state manager. Checked, never executed."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager, AbstractContextManager
from typing import Any, assert_type

from statefun.reactive import (
    Atom,
    AtomAsync,
    Backend,
    ControllerAsync,
    ControllerSync,
    DeriveData,
    InMemoryBackend,
    StateEvent,
    Stream,
)


def the_sync_controller_gives_results(controller: ControllerSync) -> None:
    assert_type(controller.set_state("/a", 1, payload="p"), bool)
    assert_type(controller.del_state("/a"), bool)
    assert_type(controller.ping("/a"), None)
    assert_type(controller.transaction(), AbstractContextManager[None])
    assert_type(controller.subscribe("/a", print), str)
    assert_type(controller.stream("/a"), Stream)

    controller.set_state("/a")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    controller.get_state(7)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


async def the_async_controller_gives_coroutines(controller: ControllerAsync) -> None:
    assert_type(await controller.set_state("/a", 1), bool)
    assert_type(await controller.del_state("/a"), bool)
    assert_type(controller.transaction(), AbstractAsyncContextManager[None])
    async for event in controller.stream("/a"):
        assert_type(event, StateEvent[Any, Any])


def an_atom_has_the_type_of_its_default(controller: ControllerSync) -> None:
    number = controller.atom("/n", default=0)
    assert_type(number, Atom[int])
    assert_type(number.get(), int)
    assert_type(number.delete(), bool)
    assert_type(controller.named_atom("k", "text"), Atom[str])
    assert_type(controller.atom("/a"), Atom[Any])
    declared: Atom[list[int]] = controller.atom("/l", default=[])
    assert_type(declared.get(), list[int])
    number.set(1)
    controller.get_state(number)

    number.set("text")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


async def an_async_atom_as_well(controller: ControllerAsync) -> None:
    number = controller.atom("/n", default=0)
    assert_type(number, AtomAsync[int])
    assert_type(await number.get(), int)
    await number.set(1)

    await number.set("text")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def an_event_is_generic_in_controller_and_value(
    event: StateEvent[ControllerSync], counted: StateEvent[ControllerSync, int]
) -> None:
    assert_type(event.controller, ControllerSync)
    assert_type(counted.new_value, int | None)
    assert_type(counted.old_value, int | None)
    event.stop_bubbling()


def total(data: DeriveData) -> int:
    return int(data.get("/a") or 0)


def a_backend_is_what_a_controller_takes(controller: ControllerSync) -> None:
    backend: Backend = InMemoryBackend()
    ControllerSync(backend)
    ControllerAsync(backend)
    controller.derive_many("/total", ["/a"], total)
