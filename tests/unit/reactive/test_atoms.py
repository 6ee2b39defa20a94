"""Atoms: one path with a default."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any

from statefun.reactive import ControllerAsync, ControllerSync
from tests.unit.reactive.recording import Recorder, Seen


def test_an_atom_reads_its_default_and_setting_it_is_no_change() -> None:
    """The default is also what a write is compared with."""
    controller = ControllerSync()
    recorder = Recorder()
    atom = controller.atom("/a", default=4)
    atom.subscribe(recorder("a"))

    atom.set(4)
    assert (atom.get(), controller.get_state("/a")) == (4, None)
    atom.set(5, payload="p")
    atom.set(6, skip_notify=True)
    atom.set(7, eq_func=lambda new, previous: new > previous)
    assert atom.get() == 6
    atom.ping(payload="q")
    assert atom.delete() is True
    assert atom.delete() is False
    assert atom.get(write_default=True) == 4

    assert controller.get_state("/a") == 4
    assert recorder.seen == [
        Seen("a", "/a", "/a", 4, 5, "p"),
        Seen("a", "/a", "/a", 6, 6, "q"),
        Seen("a", "/a", "/a", 6, None),
    ]


def test_an_atom_is_a_path() -> None:
    """Wherever a path is asked for."""
    controller = ControllerSync()
    atom = controller.atom("/a", default=0)
    atom.set(1)

    assert controller.get_state(atom) == 1
    assert (atom.path, atom.default, atom.controller) == (PurePosixPath("/a"), 0, controller)
    assert repr(atom) == "Atom('/a')"


def test_a_key_makes_the_same_path_in_every_process() -> None:
    """Without a path and a key it is a path by chance."""
    controller = ControllerSync()
    known = PurePosixPath("/tmp/574233095afd92c45758a57dc893793e")

    assert controller.named_atom("k").path == controller.atom(key="k").path == known
    assert controller.named_atom("k", 5).get() == 5
    assert controller.atom().path != controller.atom().path
    assert controller.atom().path.match("/tmp/" + "[0-9a-f]" * 32)


def test_an_atom_subscribes_and_derives() -> None:
    """As its controller does."""
    controller = ControllerSync()
    recorder = Recorder()
    atom = controller.atom("/a", default=0)

    @atom.on_change
    def changed(event: Any) -> None:
        recorder("changed")(event)

    controller.register_callback(recorder("by id"), force_id="i")
    atom.subscribe_by_id("i")
    derivation = atom.derive("/double", lambda a: 2 * (a or 0))
    total = controller.atom("/total", default=0)
    total.derive_from(atom, "/double", transform=lambda data: (data.a or 0) + (data.double or 0))
    atom.set(3)
    assert (controller.get_state("/double"), total.get()) == (6, 9)

    controller.unsubscribe_by_id(atom, derivation)
    atom.set(4)
    assert controller.get_state("/double") == 6
    assert recorder.names == ["changed", "by id"] * 2


async def test_an_async_atom_does_the_same() -> None:
    """Its verbs are awaited."""
    controller = ControllerAsync()
    recorder = Recorder()
    atom = controller.atom("/a", default=4)
    atom.on_change(recorder("a"))

    await atom.set(4)
    await atom.set(5)
    await atom.ping()
    total = controller.named_atom("k", 0)
    await total.derive_from(atom, transform=lambda data: data.a)
    await atom.derive("/d", lambda a: a)

    assert [await each.get() for each in (atom, total)] == [5, 5]
    assert await atom.delete() is True
    assert recorder.names == ["a", "a", "a"]
    assert repr(atom) == "AtomAsync('/a')"
