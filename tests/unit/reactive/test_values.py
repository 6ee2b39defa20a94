"""Reading, writing, deleting: values are opaque, and what equals is no change."""

from __future__ import annotations

from typing import Any

import pytest

from statefun.reactive import ControllerAsync, ControllerSync, InMemoryBackend
from tests.unit.reactive.recording import Recorder, Seen


@pytest.fixture
def controller() -> ControllerSync:
    """An empty tree in memory."""
    return ControllerSync()


class Unclear:
    """Has no single truth when compared, as arrays of numpy and frames of pandas."""

    def __eq__(self, other: object) -> Any:
        return self

    def __bool__(self) -> bool:
        raise ValueError("the truth value of an array with more than one element is ambiguous")

    __hash__ = None  # type: ignore[assignment]


def test_a_value_is_opaque(controller: ControllerSync) -> None:
    """A dict that is written makes no children, and its parts no events."""
    recorder = Recorder()
    controller.subscribe("/u/name", recorder("part"))

    controller.set_state("/u", {"name": 1})

    assert controller.get_state("/u/name") is None
    assert recorder.seen == []


def test_a_node_may_have_a_value_and_children(controller: ControllerSync) -> None:
    """The own value then stands under "/"; writing it leaves the children."""
    controller.set_state("/u", 1)
    controller.set_state("/u/a", 2)
    assert controller.get_state("/u") == {"/": 1, "a": 2}

    controller.set_state("/u", 3)
    assert controller.get_state("/u") == {"/": 3, "a": 2}

    controller.del_state("/u/a")
    assert controller.get_state("/u") == 3


def test_children_are_listed_in_the_order_of_their_creation(controller: ControllerSync) -> None:
    """Whatever they are called, and however often they are written."""
    for name in ("b", "a", "c", "b"):
        controller.set_state(f"/u/{name}", object())

    assert list(controller.get_state("/u")) == ["b", "a", "c"]


def test_memory_hands_out_the_object_itself(controller: ControllerSync) -> None:
    """There are no copies, so setting a mutated object again is no change."""
    value = [1]
    controller.set_state("/l", value)

    value.append(2)

    assert controller.get_state("/l") is value
    assert controller.set_state("/l", value) is False


def test_what_is_missing_reads_as_the_default(controller: ControllerSync) -> None:
    """In memory the root always exists, and so does a parent that has lost its last child."""
    assert controller.get_state("/a/b") is None
    assert controller.get_state("/a/b", 7) == 7
    assert controller.get_state("/") == {}

    controller.set_state("/a/b", 1)
    controller.del_state("/a/b")

    assert controller.get_state("/a", 7) == {}
    assert controller.get_state("/a/b", 7) == 7


@pytest.mark.parametrize(
    ("before", "after"), [(1, True), (1, 1.0), ("a", "a"), ([1], [1])], ids=repr
)
def test_an_equal_value_is_no_change(controller: ControllerSync, before: Any, after: Any) -> None:
    """Equality decides, not identity nor type: nothing is written and nobody is told."""
    recorder = Recorder()
    controller.set_state("/a", before)
    controller.subscribe("/a", recorder("a"))

    assert controller.set_state("/a", after) is False
    assert controller.get_state("/a") is before
    assert recorder.seen == []


def test_none_on_a_missing_path_writes_nothing(controller: ControllerSync) -> None:
    """The previous value of a missing path is the default of the write."""
    assert controller.set_state("/a", None) is False
    assert controller.set_state("/b", 5, default=5) is False
    assert controller.get_state("/") == {}


def test_none_over_a_value_is_stored(controller: ControllerSync) -> None:
    """None is a value: it exists."""
    controller.set_state("/a", 1)

    assert controller.set_state("/a", None) is True
    assert controller.get_state("/a", 7) is None


def test_eq_func_is_called_with_the_new_and_the_previous_value(controller: ControllerSync) -> None:
    """In this order; its truth decides, and what it raises comes out."""
    calls: list[Any] = []

    def alike(new: Any, previous: Any) -> list[int]:
        calls.append((new, previous))
        return []

    controller.set_state("/a", 1, eq_func=alike, default="d")
    controller.set_state("/a", 1, eq_func=alike)
    assert calls == [(1, "d"), (1, 1)]

    with pytest.raises(ZeroDivisionError):
        controller.set_state("/a", 2, eq_func=lambda new, _: new / 0)
    assert controller.get_state("/a") == 1


def test_an_equality_that_cannot_be_told_counts_as_a_change(controller: ControllerSync) -> None:
    """Arrays and frames can be set, set again, and deleted."""
    recorder = Recorder()
    controller.subscribe("/a", recorder("a"))
    first, second = Unclear(), Unclear()

    assert controller.set_state("/a", first) is True
    assert controller.set_state("/a", second) is True
    assert controller.get_state("/a") is second
    assert controller.del_state("/a") is True
    assert recorder.names == ["a", "a", "a"]
    with pytest.raises(ValueError, match="ambiguous"):
        controller.set_state("/a", first, eq_func=lambda new, _: new)


def test_write_default_is_silent(controller: ControllerSync) -> None:
    """Neither callbacks nor derivations hear of it."""
    recorder = Recorder()
    controller.subscribe("/a", recorder("a"))
    controller.derive("/d", "/a", lambda a: a)

    assert controller.get_state("/a", 5, write_default=True) == 5
    assert controller.get_state("/a", 6, write_default=True) == 5
    assert controller.get_state("/none", None, write_default=True) is None
    assert (controller.get_state("/a"), controller.get_state("/none", 7)) == (5, None)
    assert (recorder.seen, controller.get_state("/d")) == ([], None)


def test_write_state_never_compares_and_never_tells(controller: ControllerSync) -> None:
    """It writes, whatever was there."""
    recorder = Recorder()
    controller.subscribe("/a", recorder("a"))

    controller.write_state("/a", 1)
    controller.write_state("/a", value=True)

    assert controller.get_state("/a") is True
    assert recorder.seen == []


def test_skip_notify_tells_nobody(controller: ControllerSync) -> None:
    """Written or deleted, but neither callbacks nor derivations hear of it; in events, too."""
    recorder = Recorder()
    controller.subscribe("/a", recorder("a"))
    controller.derive("/d", "/a", lambda a: a)

    assert controller.set_state("/a", 1, skip_notify=True) is True
    controller.subscribe("/go", lambda event: event.set_state("/a", 2, skip_notify=True))
    controller.subscribe("/end", lambda event: event.del_state("/a", skip_notify=True))
    controller.set_state("/go", 1)
    assert (controller.get_state("/a"), controller.get_state("/d")) == (2, None)
    controller.set_state("/end", 1)

    assert controller.get_state("/a") is None
    assert recorder.seen == []


def test_deleting_tells_the_path_and_above_but_nobody_below(controller: ControllerSync) -> None:
    """The event has None as its new value; a missing path is no event at all."""
    recorder = Recorder()
    controller.set_state("/a/b/c", 1)
    for path in ("/a/b/c", "/a/b", "/a"):
        controller.subscribe(path, recorder(path))

    assert controller.del_state("/x") is False
    assert controller.del_state("/a/b", payload="p") is True

    assert recorder.seen == [
        Seen("/a/b", "/a/b", "/a/b", {"c": 1}, None, "p"),
        Seen("/a", "/a/b", "/a", {"c": 1}, None, "p"),
    ]
    assert controller.get_state("/") == {"a": {}}


def test_deleting_the_root_empties_it(controller: ControllerSync) -> None:
    """A value of the root itself goes as well."""
    controller.set_state("/", 5)
    controller.set_state("/a", 1)

    assert controller.del_state("/") is True
    assert controller.get_state("/") == {}


class Counting(InMemoryBackend):
    """Says what is asked of it."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    def read(self, path: Any, default: Any = None) -> Any:
        """Count a read."""
        self.asked.append(f"read {path}")
        return super().read(path, default)

    def write(self, path: Any, value: Any) -> None:
        """Count a write."""
        self.asked.append(f"write {path}")
        super().write(path, value)

    def delete(self, path: Any) -> None:
        """Count a delete."""
        self.asked.append(f"delete {path}")
        super().delete(path)


def test_an_operation_costs_one_read_and_at_most_one_write() -> None:
    """A custom backend sees no more than that; what it overrides is used."""
    backend = Counting()
    controller = ControllerSync(backend)

    controller.set_state("/a", 1)
    controller.set_state("/a", 1)
    controller.ping("/a")
    controller.del_state("/a")
    controller.del_state("/a")

    assert backend.asked == [
        *("read /a", "write /a"),
        "read /a",
        "read /a",
        *("read /a", "delete /a"),
        "read /a",
    ]


async def test_the_async_controller_does_the_same() -> None:
    """The same names, to be awaited."""
    controller = ControllerAsync()
    recorder = Recorder()
    controller.subscribe("/u", recorder("u"))

    assert await controller.set_state("/u/a", 1) is True
    assert await controller.set_state("/u/a", 1) is False
    assert await controller.get_state("/u") == {"a": 1}
    assert await controller.get_state("/u/b", 2, write_default=True) == 2
    await controller.write_state("/u/c", 3)
    await controller.ping("/u/a", payload="p")
    assert await controller.del_state("/u/a") is True
    assert await controller.get_state("/u") == {"b": 2, "c": 3}
    assert recorder.seen == [
        Seen("u", "/u/a", "/u", None, 1),
        Seen("u", "/u/a", "/u", 1, 1, "p"),
        Seen("u", "/u/a", "/u", 1, None),
    ]
