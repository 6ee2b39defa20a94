"""Events as async iterators, and JSON Patch out of them."""

from __future__ import annotations

import asyncio
import copy
import gc
import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statefun.errors import StreamOverflowError
from statefun.reactive import ControllerAsync, ControllerSync, json_patch


async def test_a_stream_has_the_events_of_a_path_in_order() -> None:
    """From its making on, whether it is read already or not."""
    controller = ControllerAsync()
    stream = controller.stream("/a")

    for value in (1, 2):
        await controller.set_state("/a/b", value, payload=value)
    await controller.set_state("/c", 1)
    await controller.del_state("/a/b")
    events = [await anext(stream) for _ in range(3)]
    await stream.aclose()

    assert [(str(e.current_path), e.prev_value, e.new_value, e.is_delete) for e in events] == [
        ("/a", None, 1, False),
        ("/a", 1, 2, False),
        ("/a", 2, None, True),
    ]
    assert [event async for event in stream] == []


async def test_a_stream_follows_a_pattern_and_minds_no_stopped_bubbling() -> None:
    """What other callbacks do is no matter of a reader's."""
    controller = ControllerSync()
    controller.subscribe("/u/1", lambda event: event.stop_bubbling())

    async with controller.stream("/*/*") as stream:
        controller.set_state("/u/1", 5)
        event = await anext(stream)

    assert event.new_value == 5


async def test_a_reader_that_waits_is_woken() -> None:
    """By an event, and by the end of the stream."""
    controller = ControllerAsync()
    stream = controller.stream("/")
    waiting = asyncio.create_task(anext(stream))
    await asyncio.sleep(0)

    await controller.set_state("/a", 1)
    assert (await waiting).new_value == 1

    ending = asyncio.create_task(anext(stream))
    await asyncio.sleep(0)
    await stream.aclose()
    with pytest.raises(StopAsyncIteration):
        await ending


async def test_a_slow_reader_is_told_that_it_has_missed_something() -> None:
    """After the events that were kept; the stream is over then."""
    controller = ControllerAsync()
    stream = controller.stream("/a", limit=2)
    for value in (1, 2, 3):
        await controller.set_state("/a", value)

    assert [(await anext(stream)).new_value for _ in range(2)] == [1, 2]
    with pytest.raises(StreamOverflowError, match="'/a' is more than 2 events behind"):
        await anext(stream)
    with pytest.raises(StopAsyncIteration):
        await anext(stream)


async def test_a_forgotten_stream_is_unsubscribed() -> None:
    """It keeps nothing alive."""
    controller = ControllerAsync()
    stream = controller.stream("/a")
    assert not controller.subscriptions.is_empty

    del stream
    gc.collect()

    assert controller.subscriptions.is_empty


async def test_events_come_from_any_thread() -> None:
    """A sync controller that works in a thread is followed in a loop."""
    controller = ControllerSync()
    stream = controller.stream("/n")
    thread = threading.Thread(
        target=lambda: [controller.set_state("/n", value) for value in range(1, 101)]
    )
    thread.start()

    values = [(await anext(stream)).new_value for _ in range(100)]

    thread.join()
    assert values == list(range(1, 101))


async def test_a_transaction_is_streamed_when_it_is_done() -> None:
    """One event for each changed path."""
    controller = ControllerAsync()
    stream = controller.stream("/")

    async with controller.transaction():
        await controller.set_state("/a", 1)
        await controller.set_state("/a", 2)
        await controller.set_state("/b", 3)

    assert [(await anext(stream)).new_value for _ in range(2)] == [2, 3]


# --- JSON Patch -----------------------------------------------------------------------------------


def applied(document: Any, patch: list[dict[str, Any]]) -> Any:
    """What RFC 6902 makes of a document: written for this test, from the text of the standard."""
    document = copy.deepcopy(document)
    for operation in patch:
        parts = [
            part.replace("~1", "/").replace("~0", "~") for part in operation["path"].split("/")
        ]
        if operation["path"] == "":
            assert operation["op"] == "replace"
            document = copy.deepcopy(operation["value"])
            continue
        target = document
        for part in parts[1:-1]:
            target = target[part]
        assert isinstance(target, dict)
        if operation["op"] == "remove":
            del target[parts[-1]]
        else:
            assert operation["op"] == "add" or parts[-1] in target
            target[parts[-1]] = copy.deepcopy(operation["value"])
    return document


documents = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 2) | st.sampled_from(["", "a", "1"]),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["a", "b", "a/b", "~", "", "~1"]), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(before=documents, after=documents)
def test_a_patch_turns_one_document_into_the_other(before: Any, after: Any) -> None:
    """Whatever they are; none is needed where they are alike as JSON."""
    patch = json_patch(before, after)

    assert repr(applied(before, patch)) == repr(after) or applied(before, patch) == after
    assert (patch == []) == (json_patch(after, before) == [])


def test_true_is_not_one_in_json() -> None:
    """Though Python finds them equal, deep inside, too."""
    one: Any = True
    assert json_patch(1, one) == [{"op": "replace", "path": "", "value": True}]
    assert json_patch({"a": [{"b": 1}]}, {"a": [{"b": True}]}) == [
        {"op": "replace", "path": "/a", "value": [{"b": True}]}
    ]
    assert json_patch({"a": [{"b": 1}]}, {"a": [{"b": 1.0}]}) == []


def test_an_event_as_a_patch_names_its_path() -> None:
    """A new value is added, another one is compared part by part, a deleted one removed."""
    controller = ControllerSync()
    patches: list[Any] = []
    controller.subscribe("/", lambda event: patches.append(event.json_patch()))

    controller.set_state("/a~b/c", {"k": 1, "l": 2})
    controller.set_state("/a~b/c", {"k": 1, "m": 3})
    controller.del_state("/a~b/c")
    controller.set_state("/", 5, default={})

    assert patches == [
        [{"op": "add", "path": "/a~0b/c", "value": {"k": 1, "l": 2}}],
        [
            {"op": "remove", "path": "/a~0b/c/l"},
            {"op": "add", "path": "/a~0b/c/m", "value": 3},
        ],
        [{"op": "remove", "path": "/a~0b/c"}],
        [{"op": "replace", "path": "", "value": 5}],
    ]


@pytest.mark.parametrize("kind", [ControllerSync, ControllerAsync])
async def test_patches_keep_a_copy_of_a_path_up_to_date(kind: Any) -> None:
    """The first makes the document; changes while the reader is away make one patch together."""
    controller = kind()

    async def write(path: str, value: Any) -> None:
        outcome = controller.set_state(path, value)
        await outcome if kind is ControllerAsync else None

    await write("/dash/a", 1)
    async with controller.patches("/dash") as patches:
        document = applied(None, await anext(patches))
        assert document == {"a": 1}

        await write("/dash/a", 2)
        await write("/dash/b/c", [3])
        await write("/dash", "value")
        patch = await anext(patches)
        assert applied(document, patch) == {"/": "value", "a": 2, "b": {"c": [3]}}

        waiting = asyncio.create_task(anext(patches))
        await write("/dash/a", 3)
        await write("/dash/a", 4)
        assert await waiting == [{"op": "replace", "path": "/a", "value": 4}]
        await write("/dash/a", 5)
        await write("/dash/a", 4)
    assert [patch async for patch in patches] == []
